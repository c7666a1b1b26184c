"""Cameras, rasterisation, shading, pictures."""

from meshlearn.render.camera import Camera
from meshlearn.render.rasterize import Fragments, interpolate, rasterize
from meshlearn.render.shading import HEADLIGHT, STUDIO, Lights, render

__all__ = [
    "HEADLIGHT",
    "STUDIO",
    "Camera",
    "Fragments",
    "Lights",
    "interpolate",
    "rasterize",
    "render",
]
