"""Depth images with their cameras to one surface.

`images` fuses them, `pixels` reads them, `blocks` holds what they say of space, `agreement` tells
whether they belong together.
"""

from meshlearn.reconstruct.fusion.blocks import Fused
from meshlearn.reconstruct.fusion.images import REACH, fuse_depth, fuse_images

__all__ = ["REACH", "Fused", "fuse_depth", "fuse_images"]
