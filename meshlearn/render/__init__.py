"""Cameras, rasterisation, shading, pictures."""

import sys
from types import ModuleType

from meshlearn.render.antialias import antialias
from meshlearn.render.backends import get_backend
from meshlearn.render.camera import Camera
from meshlearn.render.camera_formats import (
    clip_matrix,
    from_camera_to_world,
    from_projection,
    from_pytorch3d,
    to_camera_to_world,
    to_projection,
    to_pytorch3d,
)
from meshlearn.render.camera_paths import sphere_cameras, views_around
from meshlearn.render.curves import plot_curves
from meshlearn.render.environment import EnvironmentLight
from meshlearn.render.fragments import Fragments
from meshlearn.render.image_set import ImageSet, render_images, save_images
from meshlearn.render.interpolate import barycentric_derivatives, interpolate
from meshlearn.render.light_files import load_light, save_light
from meshlearn.render.lighting import DAYLIGHT, fit_sh_light, sh_basis, sh_light
from meshlearn.render.pbr import Illumination, Surface, shade, tone_mapped
from meshlearn.render.picture import contact_sheet, render_png, save_png, shaded_view
from meshlearn.render.posed import PosedImages, read_colmap, read_transforms
from meshlearn.render.rasterize import peel, rasterize
from meshlearn.render.read_images import load_images
from meshlearn.render.shading import HEADLIGHT, STUDIO, Lights, render
from meshlearn.render.texture import mipmaps, texture

__all__ = [
    "DAYLIGHT",
    "HEADLIGHT",
    "STUDIO",
    "Camera",
    "EnvironmentLight",
    "Fragments",
    "Illumination",
    "ImageSet",
    "Lights",
    "PosedImages",
    "Surface",
    "antialias",
    "barycentric_derivatives",
    "clip_matrix",
    "contact_sheet",
    "fit_sh_light",
    "from_camera_to_world",
    "from_projection",
    "from_pytorch3d",
    "get_backend",
    "interpolate",
    "load_images",
    "load_light",
    "mipmaps",
    "peel",
    "plot_curves",
    "rasterize",
    "read_colmap",
    "read_transforms",
    "render",
    "render_images",
    "render_png",
    "save_images",
    "save_light",
    "save_png",
    "sh_basis",
    "sh_light",
    "shade",
    "shaded_view",
    "sphere_cameras",
    "texture",
    "to_camera_to_world",
    "to_projection",
    "to_pytorch3d",
    "tone_mapped",
    "views_around",
]


class _Room(ModuleType):
    """This room can be called: `meshlearn.render` is both the room and its function `render`.

    Python binds the room to that name of the package at its first import, over whatever stood
    there, so the room itself has to answer the call.
    """

    __call__ = staticmethod(render)


sys.modules[__name__].__class__ = _Room
