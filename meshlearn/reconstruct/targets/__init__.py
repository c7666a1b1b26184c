"""What a mesh is fitted to: a mesh, points, a field, images, contours; each a start and losses.

Distances are divided by the representation's `scale` (the edge of a cell), so that weights and
learning rates hold for any size of object and grid. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshlearn.reconstruct.targets.base import Target as Target
    from meshlearn.reconstruct.targets.contours import FromContours as FromContours
    from meshlearn.reconstruct.targets.field import FromField as FromField
    from meshlearn.reconstruct.targets.images import FromImages as FromImages
    from meshlearn.reconstruct.targets.mesh import FromMesh as FromMesh
    from meshlearn.reconstruct.targets.points import FromPoints as FromPoints

_FROM = {
    "FromContours": "contours",
    "FromField": "field",
    "FromImages": "images",
    "FromMesh": "mesh",
    "FromPoints": "points",
    "Target": "base",
}

__all__ = ["FromContours", "FromField", "FromImages", "FromMesh", "FromPoints", "Target"]


def __getattr__(name: str) -> object:
    if name not in _FROM:
        raise AttributeError(f"module 'meshlearn.reconstruct.targets' has no attribute {name!r}")
    value = getattr(import_module(f"meshlearn.reconstruct.targets.{_FROM[name]}"), name)
    globals()[name] = value
    return value
