"""BSP-Net: shapes as unions of convexes bounded by learned planes."""

from meshlearn.representations.bspnet.cover import Cover, cover, surface_planes
from meshlearn.representations.bspnet.fields import convex_distances, phase_losses
from meshlearn.representations.bspnet.implicit import ImplicitAutoencoder
from meshlearn.representations.bspnet.model import BSPNet
from meshlearn.representations.bspnet.networks import (
    ImageEncoder,
    PlaneDecoder,
    PointEncoder,
    PointwiseDecoder,
    VoxelEncoder,
)
from meshlearn.representations.bspnet.shape import ShapeModel, fit_shape

__all__ = [
    "BSPNet",
    "Cover",
    "ImageEncoder",
    "ImplicitAutoencoder",
    "PlaneDecoder",
    "PointEncoder",
    "PointwiseDecoder",
    "ShapeModel",
    "VoxelEncoder",
    "convex_distances",
    "cover",
    "fit_shape",
    "phase_losses",
    "surface_planes",
]
