"""Whether a fit came out like its target, where that is known: what the numbers of a loss hide."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.support import Doubt, surface_samples


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


def told(doubts: Iterable[Doubt], scale: float, origin: Tensor | None = None) -> list[str]:
    """Sentences on what data have against a fit, see `Target.doubts`."""
    return [text.format(at=_at(place, scale, origin)) for text, place in doubts]


def disagreements(mesh: Mesh, solid: Mesh, scale: float, origin: Tensor | None = None) -> list[str]:
    """Sentences on what a fit has otherwise than the closed mesh that it should be.

    Args:
        mesh: the fit.
        solid: the target, see `Target.solid`.
        scale: edge of a cell; what is thinner than 1.5 of it is not resolved.
        origin: (3,) what is added to the places that are told; None for nothing.

    Returns:
        Of components and Euler number, and of the places where the target is farthest from the fit
        and the fit from the target, if that is more than 3 cells.

    Example:
        >>> for sentence in disagreements(result.mesh, target.mesh, shape.scale):
        ...     print(sentence)
    """
    said = []
    parts, euler = mesh.topology.topological_type
    wanted_parts, wanted_euler = solid.topology.topological_type
    missed, beyond = _farthest(solid, mesh, scale), _farthest(mesh, solid, scale)
    apart = _at(max(missed, beyond, key=lambda found: found[0])[1], scale, origin)
    if parts != wanted_parts:
        where = f", the smallest at {_at(_smallest(mesh), scale, origin)}"
        said.append(
            f"the fit has {parts} component{'s' * (parts != 1)}{where * (parts > wanted_parts)}; "
            f"its target has {wanted_parts}, and they are most apart at {apart}: raise the "
            f"resolution (a cell is {scale:.4g}, parts and gaps thinner than 1.5 cells are not "
            "resolved)"
        )
    elif euler != wanted_euler:
        # each handle lowers the number by 2, each cavity raises it by 2
        said.append(
            f"the fit has the Euler number {euler}, its target {wanted_euler}, so "
            f"{abs(euler - wanted_euler) // 2} handle(s) or hole(s) came or went, and they are "
            f"most apart at {apart}: raise the resolution (a cell is {scale:.4g}, what is thinner "
            "than 1.5 cells is not resolved)"
        )
    if missed[0] > settings.FAR_OFF:
        where = _at(missed[1], scale, origin)
        said.append(
            f"the fit is {missed[0]:.1f} cells from its target at {where}: a part of it is missing "
            "there"
        )
    elif beyond[0] > settings.FAR_OFF and parts <= wanted_parts:  # else it is said where
        where = _at(beyond[1], scale, origin)
        said.append(
            f"the fit is {beyond[0]:.1f} cells beyond its target at {where}: too much stands there"
        )
    return said


def _farthest(mesh: Mesh, other: Mesh, scale: float) -> tuple[float, Tensor]:
    """How many cells a mesh is from another at most, and where on it."""
    points = surface_samples(mesh)
    away = geometry.MeshBVH(other.detach()).closest(points.to(other.vertices)).squared_distance
    far = int(away.argmax())
    return float(away[far].sqrt()) / scale, points[far]
