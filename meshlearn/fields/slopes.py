"""Values and slopes of a ReLU network; its gradients reuse what the slopes took.

The equations, by the numbers in brackets at the code; p is a point, H_k, P_k and a_k the weight of
the layer before, the weight of the point and what is added in layer k, w and b those of the last:

(S1) value: x_0 = p, y_k = H_k x_k + P_k p + a_k, x_k+1 = max(y_k, 0), v = w . x_n + b or its tanh
(S2) signal, backwards: s_n = w dv, where dv is 1 or 1 - v^2; s_k = H_k^T (s_k+1 where y_k > 0)
(S3) slope: dv/dp = sum over k of P_k^T (s_k+1 where y_k > 0)
(S4) gradient, with g that of the value, linear in it: of H_k it is (g s_k+1 where y_k > 0) x_k^T,
     of P_k the same with p, of a_k the same alone; of w it is g dv x_n, of b g dv
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import affine


class Layer(NamedTuple):
    """A hidden layer under given codes: what does not depend on the points."""

    hidden: Tensor | None  # (H, h) weight of the layer before
    point: Tensor | None  # (H, 3) weight of the point
    added: Tensor  # (H,), (1, H), or (N, H) where points have codes of their own

    def before(self, x: Tensor, block: Tensor, added: Tensor) -> Tensor:
        """(S1) (n, H) what goes into the activation, for outputs `x` of the layer before."""
        bias = added if self.point is None else affine(block, self.point, added)
        return bias if self.hidden is None else affine(x, self.hidden, bias)


def blocks_of(points: Tensor, layers: Sequence[Layer], rows: int) -> list[tuple[Tensor, ...]]:
    """Of each `rows` points: these, and what each layer adds there."""
    blocks = points.split(rows)
    added = [
        x.added.split(rows) if x.added.dim() == 2 and len(x.added) > 1 else [x.added] * len(blocks)
        for x in layers
    ]
    return list(zip(blocks, *added, strict=True))


class ReluSlopes(torch.autograd.Function):
    """(points, rows, tanh, kinds, *tensors) -> values (N,) and d values / d points (N, 3).

    `tensors` are those of the layers that are there (`kinds` says which, as `pack` gives them), and
    weight and bias behind them. The slopes are constants. A backward pass through the layers is
    linear in the values' gradients, so that of the slopes serves the weights too.
    """

    @staticmethod
    def pack(layers: Sequence[Layer]) -> tuple[list[list[bool]], list[Tensor]]:
        kinds = [[part is not None for part in layer] for layer in layers]
        return kinds, [part for layer in layers for part in layer if part is not None]

    @staticmethod
    def unpack(kinds: list[list[bool]], parts: Sequence[Any]) -> list[Any]:
        """`Layer`s of the parts that are there: tensors, or anything that stands for them."""
        left = iter(parts)
        return [Layer(*(next(left) if there else None for there in kind)) for kind in kinds]  # type: ignore[arg-type]

    @staticmethod
    def forward(ctx, points: Tensor, rows: int, tanh: bool, kinds, *tensors: Tensor):
        layers, (weight, bias) = ReluSlopes.unpack(kinds, tensors), tensors[-2:]
        values, slopes, kept = [], [], []
        for block, *added in blocks_of(points, layers, rows):
            outputs = [block]
            for layer, more in zip(layers, added, strict=True):
                outputs.append(layer.before(outputs[-1], block, more).relu_())
            value = nn.functional.linear(outputs[-1], weight, bias)[:, 0]
            if tanh:
                value = torch.tanh(value)
            seed = 1 - value * value if tanh else torch.ones_like(value)
            # (S2) and (S3)
            slope, signal, signals = torch.zeros_like(block), seed[:, None] * weight, []
            for layer, output in zip(reversed(layers), reversed(outputs), strict=False):
                torch.ops.aten.threshold_backward(signal, output, 0, grad_input=signal)
                signals.append(signal)
                if layer.point is not None:
                    slope.addmm_(signal, layer.point)
                if layer.hidden is not None:
                    signal = signal @ layer.hidden
            values.append(value)
            slopes.append(slope)
            kept += [seed, *outputs, *signals[::-1]]
        ctx.options = rows, tanh, kinds
        ctx.save_for_backward(points, *tensors, *kept)
        slope = torch.cat(slopes)
        ctx.mark_non_differentiable(slope)
        return torch.cat(values), slope

    @staticmethod
    def backward(ctx, grad: Tensor, _):
        rows, tanh, kinds = ctx.options
        count = sum(map(sum, kinds)) + 2
        points, *saved = ctx.saved_tensors
        tensors, kept = saved[:count], saved[count:]
        need = ctx.needs_input_grad[4:]
        if torch.is_grad_enabled():  # to be differentiated again: the plain way
            value = relu_values(
                points, rows, tanh, ReluSlopes.unpack(kinds, tensors), *tensors[-2:]
            )
            asked = [t for t, n in zip(tensors, need, strict=True) if n]
            found = iter(torch.autograd.grad(value, asked, grad, create_graph=True))
            return None, None, None, None, *(next(found) if n else None for n in need)
        total = [torch.zeros_like(t) if n else None for t, n in zip(tensors, need, strict=True)]
        layers = ReluSlopes.unpack(kinds, range(count))  # where the tensors of each are
        size = 2 + 2 * len(kinds)
        # (S4)
        for b, part in enumerate(grad.split(rows)):
            seed, *outputs = kept[b * size : (b + 1) * size]
            outputs, signals = outputs[: len(kinds) + 1], outputs[len(kinds) + 1 :]
            scale = part * seed
            if total[-2] is not None:
                total[-2].addmm_(scale[None], outputs[-1])
            if total[-1] is not None:
                total[-1].add_(scale.sum())
            for layer, x, signal in zip(layers, outputs, signals, strict=False):
                signal = signal * part[:, None]
                for place, other in ((layer.hidden, x), (layer.point, outputs[0])):
                    if place is not None and total[place] is not None:
                        total[place].addmm_(signal.T, other)
                into = total[layer.added]
                if into is None:
                    continue
                if into.dim() == 2 and len(into) > 1:
                    into[b * rows : (b + 1) * rows] = signal
                else:
                    into.add_(signal.sum(0))
        return None, None, None, None, *total


def relu_values(
    points: Tensor, rows: int, tanh: bool, layers: Sequence[Layer], weight: Tensor, bias: Tensor
) -> Tensor:
    """(N,) the values of `ReluSlopes`, by autograd."""
    values = []
    for block, *added in blocks_of(points, layers, rows):
        x = block
        for layer, more in zip(layers, added, strict=True):
            x = torch.relu_(layer.before(x, block, more))
        values.append(nn.functional.linear(x, weight, bias)[:, 0])
    value = torch.cat(values)
    return torch.tanh(value) if tanh else value
