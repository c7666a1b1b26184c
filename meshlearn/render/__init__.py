"""Cameras, rasterisation, shading, pictures."""

from meshlearn.render.antialias import antialias
from meshlearn.render.camera import Camera
from meshlearn.render.curves import plot_curves
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import barycentric_derivatives, interpolate
from meshlearn.render.picture import contact_sheet, render_png, save_png, shaded_view
from meshlearn.render.rasterize import peel, rasterize
from meshlearn.render.shading import HEADLIGHT, STUDIO, Lights, render
from meshlearn.render.texture import mipmaps, texture

__all__ = [
    "HEADLIGHT",
    "STUDIO",
    "Camera",
    "Fragments",
    "Lights",
    "antialias",
    "barycentric_derivatives",
    "contact_sheet",
    "interpolate",
    "mipmaps",
    "peel",
    "plot_curves",
    "rasterize",
    "render",
    "render_png",
    "save_png",
    "shaded_view",
    "texture",
]
