"""Nearest neighbours among points and the chamfer distance, on a tree of boxes."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather, segment_sum, stable_mean
from meshlearn._validate import FLOATS, TensorLike, as_tensor, check_tensor
from meshlearn.geometry._space import BuiltTree, check_points, curve_order, fake_tree, finite_frame
from meshlearn.geometry.reference import nearest_points


class Neighbours(NamedTuple):
    """What `knn` finds, nearest first; of equally near ones the lower index first."""

    squared_distance: Tensor  # (P, k) differentiable in both clouds
    index: Tensor  # type: ignore[assignment]  # (P, k) int64; the name that tuple.index had


class PointTree:
    """Points under a balanced tree of boxes, for many questions about the same cloud.

    Args:
        points: (N, 3) float32 or float64, finite, N > 0. Clusters, duplicates and outliers do no
            harm: the tree halves the points, not the space.

    Example:
        >>> tree = geometry.PointTree(cloud)
        >>> squared, index = tree.knn(queries, 8)
    """

    def __init__(self, points: TensorLike) -> None:
        points = self.points = check_points(points, "points")
        if points.shape[0] == 0:
            raise ValueError("points: expected at least one point, got none")
        self._order: Tensor | None = None
        if use_native(points):
            own = points.detach().contiguous()
            box = finite_frame(own)
            self._scale = box[4]
            built = BuiltTree(*torch.ops.meshlearn.point_tree(own, box))
            self._tree, self._order = built.tree, built.order

    def knn(self, x: TensorLike, k: int = 1) -> Neighbours:
        """The k points nearest to each of `x` (P, 3); see `meshlearn.knn`."""
        x = check_points(x, "x", self.points, "y")
        return self._knn(x, _check_k(k, self.points.shape[0]), None)

    def around(self, x: Tensor, k: int) -> Tensor:
        """(P, k) int64 indices of the k points nearest to each of `x`, in no particular order.

        Quicker than `knn`; of points that are equally far, those of lower index count.
        """
        x = check_points(x, "x", self.points, "y").detach()
        return self._search(x, _check_k(k, self.points.shape[0]), None, sort=False)[1]

    def _knn(self, x: Tensor, k: int, order: Tensor | None) -> Neighbours:
        return Neighbours(*_Nearest.apply(x, self.points, self, k, order))

    def _search(
        self, x: Tensor, k: int, order: Tensor | None, sort: bool = True
    ) -> tuple[Tensor, Tensor]:
        if self._order is None:
            return nearest_points(x, self.points.detach(), k)
        x = x.contiguous()
        if order is None:
            order = curve_order(x)
        return torch.ops.meshlearn.nearest_points(x, order, *self._tree, self._scale, k, sort)


class _Nearest(torch.autograd.Function):
    """Squared distances to neighbours that stay the same under small moves."""

    @staticmethod
    def forward(ctx, x: Tensor, y: Tensor, tree: PointTree, k: int, order: Tensor | None):
        squared, index = tree._search(x.detach(), k, order)
        ctx.mark_non_differentiable(index)
        ctx.save_for_backward(x, y, index)
        return squared, index

    @staticmethod
    def backward(ctx, grad: Tensor, _):
        x, y, index = ctx.saved_tensors
        names = Incidence(index.reshape(-1), y.shape[0])
        step = x[:, None] - gather(y, names).view(*index.shape, 3)
        step = (2 * grad)[..., None] * step
        grad_y = -segment_sum(step.reshape(-1, 3), names) if ctx.needs_input_grad[1] else None
        return step.sum(1), grad_y, None, None, None


def along_curve(points: Tensor) -> Tensor:
    """(P,) int64 indices of points along a curve that fills space, for work on near ones in turn.

    Example:
        >>> for rows in along_curve(points).split(4096):
        ...     index = tree.around(points[rows], 100)
    """
    if not use_native(points):
        return torch.arange(len(points), device=points.device)
    return curve_order(points.detach().contiguous()).long()


def _check_k(k: object, size: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= size:
        raise ValueError(f"k: expected 1 to {size}, the number of points in y, got {k!r}")
    return k


@eager
def knn(x: TensorLike, y: TensorLike | PointTree, k: int = 1) -> Neighbours:
    """The k nearest points of `y` for each point of `x`.

    Args:
        x: (P, 3) float32 or float64, finite. P may be 0.
        y: (N, 3), dtype and device of x, finite; or a `PointTree` of them, to build it once.
        k: how many, 1 to N.

    Returns:
        Neighbours: ``squared_distance`` (P, k) in squared units, ascending, with gradients to x
        and y (summed in a fixed order), and ``index`` (P, k) int64 into y. At equal distance the
        lower index comes first, so the answer is one.

    Raises:
        ValueError: wrong shape, dtype or device, coordinates that are not finite, k out of range.

    Example:
        >>> squared, index = ml.knn(queries, cloud, 8)
    """
    if isinstance(y, PointTree):
        return y.knn(x, k)
    x = check_points(x, "x")
    y = check_points(y, "y", x, "x")
    _check_k(k, y.shape[0])
    return PointTree(y)._knn(x, k, None)


@eager
def chamfer_distance(
    x: Tensor | Sequence[Tensor],
    y: Tensor | Sequence[Tensor],
    *,
    norm: int = 2,
    single_directional: bool = False,
    x_normals: Tensor | Sequence[Tensor] | None = None,
    y_normals: Tensor | Sequence[Tensor] | None = None,
    normal_weight: float = 1.0,
    x_lengths: Tensor | Sequence[int] | None = None,
    y_lengths: Tensor | Sequence[int] | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Chamfer distance between point clouds: how far each point is from the other cloud.

    With ``norm=2`` the mean squared distance from x to its nearest points in y plus that from y to
    x (in squared units); with ``norm=1`` the same of the distances themselves. Both are sums of
    two means, as in PyTorch3D; halve them for an average of both ways.

    Args:
        x, y: (N, 3) and (M, 3), or batches (B, N, 3) and (B, M, 3), or lists of B clouds of their
            own sizes, (N_b, 3) and (M_b, 3); float32 or float64, finite, not empty.
        norm: 2 for squared Euclidean distances, 1 for Euclidean distances.
        single_directional: only from x to y.
        x_lengths, y_lengths: (B,) how many points of each cloud of a padded batch count, the first
            ones; the padding may hold anything.
        reduction: of a batch: "mean" or "sum" over its clouds, or "none" for one number each.
        x_normals, y_normals: unit normals, shaped as x and y; adds ``normal_weight`` times the
            mean of one minus the absolute cosine between normals of a point and of its nearest.

    Returns:
        () scalar, (B,) with reduction "none" of a batch; gradients reach x and y
        (and the normals), and like the value do not depend on
        the number of threads.

    Raises:
        ValueError: wrong shape, dtype or device, an empty cloud, coordinates that are not finite.

    Example:
        >>> loss = ml.chamfer_distance(ml.sample_points(mesh, 5000), target)
    """
    if norm not in (1, 2):
        raise ValueError(f"norm: expected 1 or 2, got {norm!r}")
    if (x_normals is None) != (y_normals is None):
        raise ValueError(
            "x_normals, y_normals: expected both or neither, got one; give the other too"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction: expected 'mean', 'sum' or 'none', got {reduction!r}")
    single = isinstance(x, Tensor | np.ndarray) and x.ndim == 2
    xs, ys = _clouds(x, "x", x_lengths), _clouds(y, "y", y_lengths)
    if len(xs) != len(ys):
        raise ValueError(f"y: expected as many clouds as in x, {len(xs)}, got {len(ys)}")
    normals: list[tuple[Tensor, Tensor] | None] = [None] * len(xs)
    if x_normals is not None and y_normals is not None:
        both = (
            _clouds(x_normals, "x_normals", x_lengths),
            _clouds(y_normals, "y_normals", y_lengths),
        )
        for clouds, given, name in zip((xs, ys), both, ("x_normals", "y_normals"), strict=True):
            for normal in given:
                check_tensor(normal, name, dtype=xs[0].dtype, device=xs[0].device)
            if [c.shape for c in clouds] != [g.shape for g in given]:
                raise ValueError(
                    f"{name}: expected the shape of {name[0]}, a normal for each point"
                )
        normals = list(zip(*both, strict=True))
    found = []
    for b, (one, other) in enumerate(zip(xs, ys, strict=True)):
        which = "" if len(xs) == 1 else f" in cloud {b}"
        if len(one) == 0 or len(other) == 0:
            name = "y" if len(one) else "x"
            raise ValueError(
                f"{name}: expected at least one point, got none{which}; leave empty clouds out"
            )
        check_tensor(other, "y", dtype=xs[0].dtype, device=xs[0].device, like="x")
        check_tensor(one, "x", dtype=xs[0].dtype, device=xs[0].device)
        found.append(_chamfer(one, other, normals[b], normal_weight, norm, single_directional))
    if single:
        return found[0]
    if reduction == "none":
        return torch.stack(found)
    total = found[0].new_zeros(())
    for value in found:
        total = total + value
    return total / len(found) if reduction == "mean" else total


def _clouds(
    points: Tensor | Sequence[Tensor], name: str, lengths: Tensor | Sequence[int] | None
) -> list[Tensor]:
    """The clouds of a batch, padded or a list, without their padding."""
    if isinstance(points, np.ndarray):
        points = as_tensor(points, name)
    if not isinstance(points, Tensor):
        clouds = [as_tensor(cloud, f"{name}[{b}]") for b, cloud in enumerate(points)]
        if lengths is not None:
            raise ValueError(f"{name}_lengths: expected with a padded batch (B, N, 3), got a list")
        if not clouds:
            raise ValueError(f"{name}: expected one cloud or more, got none")
        for b, cloud in enumerate(clouds):
            check_tensor(cloud, f"{name}[{b}]", shape=("N", 3), dtype=FLOATS)
        return clouds
    check_tensor(points, name, dtype=FLOATS)
    if points.dim() != 3:
        check_tensor(points, name, shape=("N", 3))
        points = points[None]
    check_tensor(points, name, shape=("B", "N", 3))
    if points.shape[0] == 0:
        raise ValueError(f"{name}: expected one cloud or more, got none")
    if lengths is None:
        return list(points)
    given = lengths.tolist() if isinstance(lengths, Tensor | np.ndarray) else list(lengths)
    most = points.shape[1]
    if len(given) != points.shape[0] or any(not _count(n, most) for n in given):
        raise ValueError(
            f"{name[0]}_lengths: expected {points.shape[0]} integers of 0 to {most}, got {given}"
        )
    return [cloud[: int(n)] for cloud, n in zip(points, given, strict=True)]


def _count(n: object, most: int) -> bool:
    if isinstance(n, bool) or not isinstance(n, numbers.Real):
        return isinstance(n, Tensor) and n.dim() == 0 and _count(n.item(), most)
    return float(n).is_integer() and 0 <= float(n) <= most


def _chamfer(
    x: Tensor,
    y: Tensor,
    normals: tuple[Tensor, Tensor] | None,
    weight: float,
    norm: int,
    single: bool,
) -> Tensor:
    y_tree = PointTree(check_points(y, "y"))
    x_tree = None if single else PointTree(check_points(x, "x"))
    order = None if x_tree is None else x_tree._order
    total = _one_way(check_points(x, "x"), y_tree, order, normals, weight, norm)
    if x_tree is not None:
        back = None if normals is None else normals[::-1]
        total = total + _one_way(y, x_tree, y_tree._order, back, weight, norm)
    return total


def _one_way(
    x: Tensor,
    tree: PointTree,
    order: Tensor | None,
    normals: tuple[Tensor, Tensor] | None,
    weight: float,
    norm: int,
) -> Tensor:
    squared, index = tree._knn(x, 1, order)
    if norm == 1:
        apart = squared > 0
        squared = torch.where(apart, squared, 1).sqrt() * apart
    total = stable_mean(squared)
    if normals is not None:
        other = gather(normals[1], Incidence(index[:, 0], tree.points.shape[0]))
        total = total + weight * stable_mean(1 - (normals[0] * other).sum(1).abs())
    return total


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::point_tree")
    def _(points: Tensor, frame: list[float]) -> tuple[Tensor, ...]:
        return fake_tree(points, points.shape[0], 3, 8)

    @torch.library.register_fake("meshlearn::nearest_points")
    def _(points, order, node, least, leaf, id, scale, k, sorted=True):
        n = points.shape[0]
        return points.new_empty(n, k), points.new_empty(n, k, dtype=torch.int64)
