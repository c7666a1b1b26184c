"""Whether a fit came out like its target, where that is known: what the numbers of a loss hide."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings


def _at(point: Tensor, scale: float, origin: Tensor | None) -> str:
    if origin is None:
        return "(" + ", ".join(f"{float(x):.4g}" for x in point) + ")"
    place = (point.double().cpu() + origin.cpu()).tolist()
    behind = max(0, 1 - math.floor(math.log10(scale)))  # the point: a tenth of a cell
    return "(" + ", ".join(f"{x:.{behind}f}" for x in place) + ")"


def _smallest(mesh: Mesh) -> Tensor:
    """The middle of the component of the least area."""
    labels, count = mesh.topology.components()
    least = torch.bincount(labels, mesh.face_areas().double(), minlength=count).argmin()
    return mesh.vertices[mesh.faces[labels == least]].mean((0, 1))


def disagreements(mesh: Mesh, solid: Mesh, scale: float, origin: Tensor | None = None) -> list[str]:
    """Sentences on what a fit has otherwise than the closed mesh that it should be.

    Args:
        mesh: the fit.
        solid: the target, see `Target.solid`.
        scale: edge of a cell; what is thinner than 1.5 of it is not resolved.
        origin: (3,) what is added to the places that are told; None for nothing.

    Returns:
        Of components and Euler number, and of the place where the target is farthest from the fit,
        if that is more than 3 cells.

    Example:
        >>> for sentence in disagreements(result.mesh, target.mesh, shape.scale):
        ...     print(sentence)
    """
    said = []
    parts, euler = mesh.topology.topological_type
    wanted_parts, wanted_euler = solid.topology.topological_type
    if parts != wanted_parts:
        where = (
            f", the smallest at {_at(_smallest(mesh), scale, origin)}"
            if parts > wanted_parts
            else ""
        )
        said.append(
            f"the fit has {parts} component{'s' * (parts != 1)}{where}; its target has "
            f"{wanted_parts}: raise the resolution (a cell is {scale:.4g}, parts and gaps "
            "thinner than 1.5 cells are not resolved)"
        )
    elif euler != wanted_euler:
        # each handle lowers the number by 2, each cavity raises it by 2
        said.append(
            f"the fit has the Euler number {euler}, its target {wanted_euler}, so "
            f"{abs(euler - wanted_euler) // 2} handle(s) or hole(s) came or went: raise the "
            f"resolution (a cell is {scale:.4g}, what is thinner than 1.5 cells is not "
            "resolved)"
        )
    rng = torch.Generator().manual_seed(0)
    points = geometry.sample_surface(solid, settings.SAMPLES, generator=rng).points
    away = geometry.MeshBVH(mesh).closest(points.to(mesh.vertices)).squared_distance.sqrt()
    far = int(away.argmax())
    if float(away[far]) > settings.FAR_OFF * scale:
        said.append(
            f"the fit is {float(away[far]) / scale:.1f} cells from its target at "
            f"{_at(points[far], scale, origin)}: a part of it is missing there"
        )
    return said
