"""Triangulation of polygons: the compiled operator, and its reference."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn.arrays import triangulation


def triangle_offsets(start: Tensor) -> Tensor:
    """(P + 1,) first triangle of each polygon: a polygon of n corners has max(n - 2, 0)."""
    counts = (start.diff() - 2).clamp_min(0)
    return torch.nn.functional.pad(torch.cumsum(counts, 0), (1, 0))


def triangulate(vertices: Tensor, start: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Triangles of polygons: (F, 3) int64 positions in `index`, (F,) int64 polygon of each.

    A triangle is kept as it is; a quadrilateral is cut along the diagonal that lies inside, the
    shorter one where both do; a larger polygon by clipping the best-shaped ear again and again
    (Meisters, Polygons have ears, 1975), seen along the axis it faces most.
    """
    target = triangle_offsets(start)
    total = int(target[-1])
    owner = torch.repeat_interleave(
        torch.arange(start.numel() - 1, device=start.device), target.diff(), output_size=total
    )
    vertices = vertices.detach()
    if use_native(vertices):
        corners = torch.ops.meshlearn.triangulate_polygons(
            vertices.contiguous(), start.contiguous(), index.contiguous(), target, total
        )
    else:
        corners = triangulate_reference(vertices, start, index, target, total)
    return corners, owner


def triangulate_reference(
    vertices: Tensor, start: Tensor, index: Tensor, target: Tensor, total: int
) -> Tensor:
    """Reference of `triangulate_polygons` -> (F, 3), in numpy."""
    given = (vertices.detach().cpu(), start.cpu(), index.cpu())
    made = triangulation.triangulate_reference(*(t.contiguous().numpy() for t in given))
    return torch.from_numpy(made).to(index.device)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::triangulate_polygons")
    def _(vertices: Tensor, start: Tensor, index: Tensor, target: Tensor, triangles: int) -> Tensor:
        return index.new_empty(triangles, 3)
