"""The network of DeepSDF: an auto-decoder's field, with a latent code."""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import (
    Latent,
    NeuralField,
    WeightNormLinear,
    spectral_norm,
)
from meshlearn.fields.slopes import Layer, ReluSlopes, blocks_of

Activation = Literal["relu", "softplus"]

_BLOCK = 1 << 18  # numbers of a layer's output at a time on the CPU


class DeepSDF(NeuralField):
    """Linear layers with ReLU between; code and point enter at the first and once more at `skip`.

    The defaults are the published network: 8 hidden layers of 512, a code of 256, weight
    normalisation on the hidden layers, tanh behind the last. What a layer makes of the code is
    computed once a code, so a point costs no more than in a network without one.

    Args:
        latent_size: numbers of a code; 0 for a single shape.
        hidden, layers: width and number of hidden layers.
        skip: layer at which code and point are joined again (the layer before it is narrower by as
            much, so that all layers are `hidden` wide); None for nowhere.
        activation: "relu", or "softplus" (beta 100) for smooth normals.
        weight_norm: rows of hidden weights as direction and length.
        tanh: squash the output to (-1, 1).
        dropout: of hidden layers in training (0.2 in the published recipe).
        radius: start as the signed distance of a sphere, roughly; None: at random.

    Example:
        >>> field = DeepSDF(latent_size=64, hidden=128)
        >>> field(torch.zeros(5, 3), torch.zeros(64)).shape
        torch.Size([5])

    Source: Park et al., "DeepSDF" (CVPR 2019), section 5 and supplement; the start as a sphere:
    Atzmon and Lipman, "SAL" (CVPR 2020).
    """

    def __init__(
        self,
        latent_size: int = 256,
        *,
        hidden: int = 512,
        layers: int = 8,
        skip: int | None = 4,
        activation: Activation = "relu",
        weight_norm: bool = True,
        tanh: bool = True,
        dropout: float = 0.0,
        radius: float | None = None,
    ) -> None:
        super().__init__(
            latent_size=latent_size,
            hidden=hidden,
            layers=layers,
            skip=skip,
            activation=activation,
            weight_norm=weight_norm,
            tanh=tanh,
            dropout=dropout,
        )
        if latent_size < 0 or layers < 1 or hidden < 1:
            raise ValueError(
                "latent_size, hidden, layers: expected latent_size >= 0 and at least one layer of "
                f"one unit, got {latent_size}, {hidden}, {layers}"
            )
        if skip is not None and not 0 < skip < layers:
            raise ValueError(f"skip: expected a layer in 1 to {layers - 1} or None, got {skip}")
        entering = latent_size + 3
        if skip is not None and hidden <= entering:
            raise ValueError(
                f"hidden: expected more than latent_size + 3 = {entering} units, since code and "
                f"point are joined at layer {skip}, got {hidden}; widen it or give skip=None"
            )
        if activation not in ("relu", "softplus"):
            raise ValueError(f"activation: expected 'relu' or 'softplus', got {activation!r}")
        self.latent_size, self.skip, self.tanh = latent_size, skip, tanh
        self.activation, self.dropout = activation, float(dropout)
        sizes = []
        for k in range(layers):
            inputs = entering if k == 0 else hidden
            sizes.append((inputs, hidden - entering if k + 1 == skip else hidden))
        self.hidden_layers = nn.ModuleList(
            WeightNormLinear(i, o, norm=weight_norm) for i, o in sizes
        )
        self.last = nn.Linear(hidden, 1)
        if radius is not None:
            self._start_as_sphere(float(radius))

    def _layers(self) -> list[WeightNormLinear]:
        return cast("list[WeightNormLinear]", list(self.hidden_layers))

    @torch.no_grad()
    def _start_as_sphere(self, radius: float) -> None:
        for k, layer in enumerate(self._layers()):
            outputs, inputs = layer.direction.shape
            weight = torch.randn(outputs, inputs) * math.sqrt(2 / outputs)
            if k == 0:  # [code | point]: the code weighs little at first
                weight[:, : self.latent_size] *= 0.1
            elif k == self.skip:  # [hidden | code | point]
                weight[:, inputs - self.latent_size - 3 :] *= 0.1
            layer.set_weight(weight, torch.zeros(outputs))
        width = self.last.in_features
        self.last.weight.copy_(math.sqrt(math.pi / width) + 1e-4 * torch.randn(1, width))
        self.last.bias.fill_(-radius)

    def _act(self, x: Tensor) -> Tensor:
        return torch.relu_(x) if self.activation == "relu" else nn.functional.softplus(x, beta=100)

    def _prepared(self, latent: Latent) -> list[Layer]:
        """The layers, once for all points."""
        size, found = self.latent_size, []
        for k, layer in enumerate(self._layers()):
            weight = layer.weight
            added: Tensor = layer.bias
            if k == 0 or k == self.skip:
                before = weight.shape[1] - size - 3
                if size:
                    added = latent.linear(weight[:, before : before + size], added)
                hidden = weight[:, :before] if k else None
                found.append(Layer(hidden, weight[:, before + size :], added))
            else:
                found.append(Layer(weight, None, added))
        return found

    def _rows(self, points: Tensor) -> int:
        """How many points at a time keep the layers in the cache, on the way back too."""
        if points.device.type != "cpu":
            return max(len(points), 1)
        return max(_BLOCK // self.last.in_features, 1)

    def evaluate(self, points: Tensor, latent: Latent) -> Tensor:
        layers, values = self._prepared(latent), []
        for block, *added in blocks_of(points, layers, self._rows(points)):
            x = block
            for layer, more in zip(layers, added, strict=True):
                x = self._act(layer.before(x, block, more))
                if self.dropout and self.training:
                    x = nn.functional.dropout(x, self.dropout)
            values.append(self.last(x)[:, 0])
        value = torch.cat(values)
        return torch.tanh(value) if self.tanh else value

    def values_and_slopes(
        self, points: Tensor, latent: Tensor | None = None, index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        dropping = self.dropout and self.training
        own = (type(self).evaluate, type(self).forward) == (DeepSDF.evaluate, NeuralField.forward)
        rounded = torch.is_autocast_enabled(points.device.type)
        if self.activation != "relu" or dropping or rounded or not own:
            return super().values_and_slopes(points, latent, index)
        codes = Latent.of(self.latent_size, points, latent, index)
        kinds, tensors = ReluSlopes.pack(self._prepared(codes))
        tensors += [self.last.weight, self.last.bias]
        return ReluSlopes.apply(points.detach(), self._rows(points), self.tanh, kinds, *tensors)

    def lipschitz_bound(self) -> float:
        bound, size = 0.0, self.latent_size
        for k, layer in enumerate(self._layers()):
            weight = layer.weight
            if k == 0:
                bound = spectral_norm(weight[:, size:])
            elif k == self.skip:
                before = weight.shape[1] - size - 3
                bound = spectral_norm(weight[:, :before]) * bound
                bound += spectral_norm(weight[:, before + size :])
            else:
                bound *= spectral_norm(weight)
        return bound * spectral_norm(self.last.weight)
