"""Slopes of fields: gradient, Eikonal loss, Lipschitz estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from meshlearn._segment import stable_mean
from meshlearn._validate import FLOATS, check_tensor

FieldFunction = Callable[[Tensor], Tensor]


def field_gradient(
    field: FieldFunction, points: Tensor, *, create_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """Values (N,) of a field, and its gradient (N, 3) by autograd.

    Args:
        field: points (N, 3) -> (N,), each value from its own point alone.
        points: (N, 3) float32 or float64.
        create_graph: keep the graph, so that the gradient can be differentiated again; without it
            both results are detached.

    Raises:
        ValueError: points of another shape, or a field that autograd cannot follow.

    Example:
        >>> value, slope = field_gradient(lambda p: p.norm(dim=1), torch.eye(3))
    """
    check_tensor(points, "points", shape=("N", 3), dtype=FLOATS)
    with torch.enable_grad():
        at = points if create_graph and points.requires_grad else points.detach().requires_grad_()
        value = field(at).reshape(-1)
        if not value.requires_grad:
            raise ValueError("field: expected one that depends on its points by autograd")
        gradient = torch.autograd.grad(value.sum(), at, create_graph=create_graph)[0]
    return (value, gradient) if create_graph else (value.detach(), gradient)


def eikonal_loss(field: FieldFunction, points: Tensor) -> Tensor:
    """Mean of (|grad f| - 1)^2 at points (N, 3): 0 for a signed distance. A 0-d tensor.

    Gradients reach whatever `field` depends on.

    Example:
        >>> loss = eikonal_loss(lambda p: net(p, code), torch.rand(1000, 3) * 2 - 1)

    Source: Gropp et al., "Implicit Geometric Regularization for Learning Shapes" (ICML 2020).
    """
    _, gradient = field_gradient(field, points, create_graph=True)
    return stable_mean((_norm(gradient) - 1) ** 2)


def lipschitz_estimate(
    field: FieldFunction,
    bounds: Sequence[Sequence[float]] | Tensor,
    *,
    samples: int = 4096,
    near: float | None = None,
    quantile: float = 1.0,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> float:
    """The largest slope met at random points of a box: from below, what the field's bound may be.

    Args:
        field: points (N, 3) -> (N,).
        bounds: lower and upper corner.
        samples: how many points.
        near: look only where |f| is at most this, in the field's unit; None: everywhere.
        quantile: 1 for the largest slope, less to leave out the steepest part.
        generator: of the points.

    Returns:
        A slope; 0 where no point is near enough.

    Example:
        >>> slope = lipschitz_estimate(field, ((-1, -1, -1), (1, 1, 1)), near=0.1)
    """
    box = torch.as_tensor(bounds, dtype=torch.float64)
    if box.shape != (2, 3) or samples < 1 or not 0 < quantile <= 1:
        raise ValueError(
            "bounds, samples, quantile: expected shape (2, 3), at least 1 and a part in (0, 1], "
            f"got {tuple(box.shape)}, {samples}, {quantile}"
        )
    if generator is None:
        generator = torch.Generator().manual_seed(0)
    unit = torch.rand(samples, 3, generator=generator, dtype=torch.float64, device=generator.device)
    points = (box[0] + unit.cpu() * (box[1] - box[0])).to(device, dtype)
    value, gradient = field_gradient(field, points)
    slope = gradient.norm(dim=1).double()
    if near is not None:
        slope = slope[value.abs() <= near]
    return float(torch.quantile(slope, quantile)) if slope.numel() else 0.0


def _norm(vector: Tensor) -> Tensor:
    """Length along the last axis, whose gradient at 0 is 0."""
    squared = vector.square().sum(-1)
    real = squared > 0
    return torch.where(real, squared, 1).sqrt() * real
