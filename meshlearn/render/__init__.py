"""Cameras, rasterisation, shading, pictures."""

from meshlearn.render.camera import Camera
from meshlearn.render.curves import plot_curves
from meshlearn.render.picture import contact_sheet, render_png, save_png, shaded_view
from meshlearn.render.rasterize import Fragments, interpolate, rasterize
from meshlearn.render.shading import HEADLIGHT, STUDIO, Lights, render

__all__ = [
    "HEADLIGHT",
    "STUDIO",
    "Camera",
    "Fragments",
    "Lights",
    "contact_sheet",
    "interpolate",
    "plot_curves",
    "rasterize",
    "render",
    "render_png",
    "save_png",
    "shaded_view",
]
