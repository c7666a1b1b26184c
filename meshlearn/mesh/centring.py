"""Meshes far from the origin, moved to it before anything computes in single precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from meshlearn.arrays.precision import is_far

if TYPE_CHECKING:
    from meshlearn.mesh.mesh import Mesh


def far_middle(*clouds: Tensor) -> Tensor | None:
    """(3,) float64 middle of the box around points (P, 3) of several clouds, on their device.

    None where they lie near the origin, as seen from their size (see `meshlearn.arrays.precision`),
    or where no point is finite: then single precision does them no harm.
    """
    box = _box(clouds)
    return None if box is None or not _is_far(box) else box[0] + (box[1] - box[0]) / 2


def kind_for(*clouds: Tensor) -> torch.dtype:
    """float64 where points (P, 3) lie so far from the origin that float32 costs detail."""
    box = _box(clouds)
    return torch.float64 if box is not None and _is_far(box) else torch.float32


def used_vertices(mesh: Mesh) -> Tensor:
    """(U, 3) positions that faces name, detached; all where there are no faces."""
    if not mesh.num_faces:
        return mesh.vertices.detach()
    used = torch.zeros(mesh.num_vertices, dtype=torch.bool, device=mesh.device)
    used[mesh.faces.reshape(-1)] = True
    return mesh.vertices.detach()[used]


def _is_far(box: Tensor) -> bool:
    return is_far(box.cpu().numpy())


def _box(clouds: Sequence[Tensor]) -> Tensor | None:
    """(2, 3) float64 around the points that are finite; None where none is."""
    boxes = []
    for cloud in clouds:
        points = cloud.detach()
        if len(points) and not bool(torch.isfinite(points.abs().amax())):
            points = points[torch.isfinite(points).all(1)]
        if len(points):
            boxes.append(torch.stack(torch.aminmax(points, dim=0)).double())
    if not boxes:
        return None
    low = torch.stack([box[0] for box in boxes]).amin(0)
    high = torch.stack([box[1] for box in boxes]).amax(0)
    return torch.stack((low, high))


def moved(mesh: Mesh, shift: Tensor) -> Mesh:
    """The mesh moved by `shift` (3,), in float64, so that it is the same shape; differentiable.

    Example:
        >>> middle = far_middle(mesh.vertices)
        >>> near = mesh if middle is None else moved(mesh, -middle).to(torch.float32)
    """
    return mesh.with_vertices(mesh.vertices.double() + shift.to(mesh.device, torch.float64))
