"""What a rasteriser says of each pixel."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Fragments(NamedTuple):
    """What is seen at each pixel; a batch of cameras adds a leading dimension N.

    A batch of B meshes adds a dimension B in front; faces then count in `Meshes.faces_packed`.

    Attributes:
        face: (H, W) int64, index of the face seen, -1 where there is none.
        barycentric: (H, W, 3), perspective-correct weights of the face's corners; 0 where none.
        depth: (H, W), camera-space z in the world's unit; 0 where there is none.
    """

    face: Tensor
    barycentric: Tensor
    depth: Tensor

    @property
    def mask(self) -> Tensor:
        """(H, W) bool, where a face is seen."""
        return self.face >= 0
