"""Which parts of a fit the data speak for, where nobody knows the target's topology.

Points, masks and depth do not tell how many parts, handles and cavities there should be. They do
tell what nothing was seen of: a component that is nearest to no datum is dropped, and places where
data and fit are far apart are told.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings


class Doubt(NamedTuple):
    """What a target has against a fit.

    Attributes:
        text: a sentence, with ``{at}`` for the place.
        place: (3,), where.
    """

    text: str
    place: Tensor


def kept_parts(mesh: Mesh, kept: Tensor) -> Mesh:
    """The components of a mesh for which `kept` (bool, one each) is true; all, where none is."""
    if bool(kept.all()) or not bool(kept.any()):
        return mesh
    labels = mesh.topology.components().labels
    return mesh.submesh(kept[labels].nonzero()[:, 0]).mesh


def supported(mesh: Mesh, points: Tensor, *, least: int = 1) -> Mesh:
    """A mesh without the components that are nearest to fewer than `least` of the points (P, 3).

    Such are crumbs beside a surface, and bubbles and second skins within it.

    Example:
        >>> clean = supported(fit.mesh, cloud.points)
    """
    labels, count = mesh.topology.components()
    if count < 2:
        return mesh
    face = geometry.MeshBVH(mesh.detach()).closest(points.to(mesh.vertices)).face
    return kept_parts(mesh, torch.bincount(labels[face], minlength=count) >= least)


def surface_samples(mesh: Mesh) -> Tensor:
    """(S, 3) places on a mesh, the same each time."""
    drawn = torch.Generator().manual_seed(0)
    return geometry.sample_surface(mesh.detach(), settings.SAMPLES, generator=drawn).points


def data_missed(points: Tensor, mesh: Mesh, limit: float, scale: float, name: str) -> list[Doubt]:
    """Data (P, 3) farther than `limit` from a mesh.

    Args:
        scale: edge of a cell.
        name: of the data, such as "points".
    """
    if not len(points):
        return []
    away = geometry.MeshBVH(mesh.detach()).closest(points.to(mesh.vertices)).squared_distance.sqrt()
    missed = int((away > limit).sum())
    if not missed:
        return []
    worst = int(away.argmax())
    text = (
        f"{missed:,} of {len(points):,} {name} are more than {limit / scale:.1f} cells from the "
        f"fit, the farthest {float(away[worst]) / scale:.1f} cells at {{at}}: a part is missing "
        "there, or these are outliers"
    )
    return [Doubt(text, points[worst])]


def mesh_beyond(mesh: Mesh, points: Tensor, limit: float, scale: float, name: str) -> list[Doubt]:
    """Places of a mesh farther than `limit` from all data (P, 3)."""
    mine = surface_samples(mesh)
    away = geometry.knn(mine, points.to(mine), 1)[0][:, 0].sqrt()
    share = float((away > limit).double().mean())
    if not share:
        return []
    worst = int(away.argmax())
    percent = f"{100 * share:.1f} %" if share >= 5e-4 else "less than 0.1 %"
    text = (
        f"{percent} of the fit is more than {limit / scale:.1f} cells from any of the {name}, the "
        f"farthest {float(away[worst]) / scale:.1f} cells at {{at}}: nothing tells of the surface "
        "there (a gap in the data, an opening that was closed, or a part that should not be)"
    )
    return [Doubt(text, mine[worst])]
