"""BSP-Net: shapes as unions of convexes bounded by learned planes."""

from meshlearn.representations.bspnet.codes import CodeVAE, interpolate_codes
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
from meshlearn.representations.bspnet.parts import (
    nearest_convex,
    part_iou,
    transfer_labels,
    vote_labels,
)
from meshlearn.representations.bspnet.shape import ShapeModel, fit_shape

__all__ = [
    "BSPNet",
    "CodeVAE",
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
    "interpolate_codes",
    "nearest_convex",
    "part_iou",
    "phase_losses",
    "surface_planes",
    "transfer_labels",
    "vote_labels",
]
