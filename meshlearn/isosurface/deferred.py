"""The gradient of a level set, taken in the backward pass where vertices get one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from meshlearn.fields.neural import Later, check_output
from meshlearn.isosurface.constants import TYPICAL_VERTICES

Derivative = Literal["general", "distance"]
log = logging.getLogger(__name__)


class LevelSetReport(NamedTuple):
    """What a level set's gradient met: counts of vertices, and slopes |grad f| at them."""

    vertices: int  # at which slopes were taken: all, or in a backward pass those that need it
    clamped: int  # vertices whose slope is below `min_slope` of the median
    slope_min: float
    slope_median: float
    slope_max: float


def check_options(derivative: str, min_slope: float) -> None:
    if derivative not in ("general", "distance"):
        raise ValueError(f"derivative: expected 'general' or 'distance', got {derivative!r}")
    if not 0 <= min_slope <= 1:
        raise ValueError(f"min_slope: expected a part in [0, 1], got {min_slope}")


def directions(
    gradient: Tensor,
    derivative: str,
    min_slope: float,
    field: object,
    among: Tensor | None = None,
) -> tuple[Tensor, LevelSetReport]:
    """(L1, L3) (V, 3) how vertices move when the field grows there, by its gradient (V, 3).

    Their slopes are at least `min_slope` of the median, which is that of the rows `among` (V,).
    """
    slope = gradient.norm(dim=1)
    check_output(slope, len(slope), field, where="of |grad f| at the vertices of the surface")
    typical = (slope if among is None else slope[among]).median()
    least = (min_slope * typical).clamp(min=torch.finfo(slope.dtype).tiny ** 0.5)
    clamped = int((slope < least).sum())
    bounded = slope.maximum(least)
    direction = -gradient / (bounded if derivative == "distance" else bounded**2)[:, None]
    lowest, highest = torch.aminmax(slope)
    report = LevelSetReport(len(slope), clamped, float(lowest), float(typical), float(highest))
    if clamped:
        log.info("the gradient vanishes at %d of %d vertices: clamped", clamped, len(slope))
    return direction, report


class _Deferred(torch.autograd.Function):
    """(vertices, later, tell, *tensors) -> vertices, as a function of the field's tensors."""

    @staticmethod
    def forward(ctx, vertices: Tensor, later: Later, tell: Callable, *tensors: Tensor):
        ctx.later, ctx.tell = later, tell
        ctx.save_for_backward(vertices, *tensors)
        return vertices.clone()

    @staticmethod
    def backward(ctx, grad: Tensor):
        vertices, *tensors = ctx.saved_tensors
        need = ctx.needs_input_grad[3:]
        again = torch.is_grad_enabled()  # to be differentiated once more, in `grad` too
        common = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
        common[:: max(1, len(vertices) // TYPICAL_VERTICES)] = True
        rows = torch.ones_like(common) if again else common | (grad != 0).any(1)
        with torch.enable_grad():
            given = tensors
            if not again:
                given = [t.detach().requires_grad_(n) for t, n in zip(tensors, need, strict=True)]
            at = vertices[rows]
            values, slopes = ctx.later.evaluate(at, given, None if bool(rows.all()) else rows)
            values, direction = ctx.tell(values, slopes.detach().to(at.dtype), common[rows])
            # (L2)
            weight = (grad[rows] * direction).sum(1).to(values.dtype)
            asked = [t for t, n in zip(given, need, strict=True) if n]
            found = iter(
                torch.autograd.grad(
                    values, asked, weight, create_graph=again, materialize_grads=True
                )
            )
        return None, None, None, *(next(found) if n else None for n in need)


def defer_vertices(
    field: Any,
    vertices: Tensor,
    codes: tuple[Tensor, ...],
    derivative: Derivative,
    min_slope: float,
    report: Callable[[LevelSetReport], object] | None,
) -> Tensor:
    """`vertices` (V, 3), on the level set of a field that has `later`, tied to its tensors.

    Nothing is evaluated before a backward pass, and there only the vertices with a gradient, and
    `TYPICAL_VERTICES` others for the median slope; `report` is called then. Its NonFiniteField
    comes from there, too.
    """
    check_options(derivative, min_slope)
    later = field.later(*codes)

    def tell(values: Tensor, slopes: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
        values = check_output(
            values,
            len(slopes),
            field,
            where="at the vertices of the surface",
            latent=codes[0] if codes else None,
        )
        direction, found = directions(slopes, derivative, min_slope, field, among)
        if report is not None:
            report(found)
        return values, direction

    return _Deferred.apply(vertices.detach(), later, tell, *later.tensors)
