"""What every search in space starts from: checks, a frame of the box, an order along a curve."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn._validate import FLOATS, as_tensor, check_tensor
from meshlearn.mesh import Mesh

CELLS = 2**21 - 1  # of a Morton code along the longest axis


def check_points(points: object, name: str, like: Tensor | None = None, of: str = "") -> Tensor:
    """(P, 3) finite points, in the dtype and on the device of `like`.

    An array or a list becomes such; a tensor has to be.
    """
    dtype, device = (FLOATS, None) if like is None else (like.dtype, like.device)
    if not isinstance(points, Tensor):
        points = as_tensor(points, name, dtype=None if like is None else like.dtype, device=device)
        points = points if points.is_floating_point() else points.to(torch.float32)
        points = points.view(0, 3) if points.shape == (0,) else points
    found = check_tensor(points, name, shape=("P", 3), dtype=dtype, device=device, like=of)
    if found.numel() and not bool(torch.isfinite(found.detach().abs().amax())):
        check_tensor(found.detach(), name, finite=True)
    return found


def check_mesh(mesh: object, name: str = "mesh") -> Mesh:
    """A mesh with at least one face, whose corners are finite."""
    if not isinstance(mesh, Mesh):
        raise ValueError(
            f"{name}: expected a Mesh, got {type(mesh).__name__}; make one with "
            "ml.Mesh(vertices, faces) or read one with ml.load"
        )
    if mesh.num_faces == 0:
        raise ValueError(f"{name}: expected at least one face, got an empty mesh; give it faces")
    return mesh


def frame(points: Tensor) -> list[float] | None:
    """Low corner, Morton cells per unit, scale and box inflation of points (P, 3), P > 0.

    None if a coordinate is not finite.

    The scale is a power of two that brings the box near size one, so that products neither
    overflow nor vanish; the inflation, in scaled units, is above the rounding of distances.
    """
    low, high = (end.double().tolist() for end in torch.aminmax(points.detach(), dim=0))
    extent = max(h - v for v, h in zip(low, high, strict=True))
    if not math.isfinite(extent):
        return None
    dtype = points.dtype
    limit = 120 if dtype == torch.float32 else 1000
    exponent = min(max(math.frexp(extent)[1], -limit), limit) if extent > 0 else 0
    scale = 2.0**-exponent
    size = max(abs(v) for v in (*low, *high))
    cells = CELLS / extent if extent > 0 and math.isfinite(CELLS / extent) else 0.0
    inflation = min(4 * torch.finfo(dtype).eps * size * scale, 1e30)
    return [*low, cells, scale, inflation]


def finite_frame(points: Tensor) -> list[float]:
    """`frame` of points that are known to be finite."""
    found = frame(points)
    assert found is not None
    return found


def curve_order(points: Tensor) -> Tensor:
    """(P,) int32: points along a space curve, so that neighbours in the list are neighbours."""
    if points.shape[0] < 64:
        return torch.arange(points.shape[0], dtype=torch.int32, device=points.device)
    return torch.ops.meshlearn.spatial_order(points, frame(points))


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::spatial_order")
    def _(points: Tensor, frame: list[float]) -> Tensor:
        return points.new_empty(points.shape[0], dtype=torch.int32)


def tree_sizes(items: int, lanes: int) -> tuple[int, int]:
    """Nodes and leaves of the tree of `items` (see csrc/kernels/tree.h)."""
    used, inner, width = 2, 1, 4
    while used * lanes < items:
        used *= 2
        if used > width:
            inner += width
            width *= 4
    return inner, used


class BoxTree(NamedTuple):
    """A tree of boxes as the queries read it, see csrc/kernels/tree.h."""

    node: Tensor  # (inner, 24) boxes of the four children
    least: Tensor  # (inner, 4) int32 least item below each child
    leaf: Tensor  # (used, rows, lanes) items
    item: Tensor  # (used, lanes) int32 their numbers, -1 where a lane is empty


class BuiltTree(NamedTuple):
    """Outputs of the operators `triangle_tree` and `point_tree`."""

    node: Tensor
    least: Tensor
    leaf: Tensor
    item: Tensor
    order: Tensor  # (items,) int32 items along the space curve

    @property
    def tree(self) -> BoxTree:
        return BoxTree(self.node, self.least, self.leaf, self.item)


def fake_tree(like: Tensor, items: int, rows: int, lanes: int) -> tuple[Tensor, ...]:
    """Tensors of the shapes a tree has, for tracing."""
    inner, used = tree_sizes(items, lanes)
    made = BuiltTree(
        node=like.new_empty(inner, 24),
        least=like.new_empty(inner, 4, dtype=torch.int32),
        leaf=like.new_empty(used, rows, lanes),
        item=like.new_empty(used, lanes, dtype=torch.int32),
        order=like.new_empty(items, dtype=torch.int32),
    )
    return tuple(made)
