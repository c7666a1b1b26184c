"""A network that knows shapes in a box of its own, as a field in the world where these stand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.fields.neural import Later, NeuralField


class PlacedField:
    """A network in the world, under one code or, called with codes and index, under several.

    Its inside ends half a cell before the lattice does. Errors name `network` and `latent`.

    Args:
        network: the field, in its own box about the origin.
        latent: its code where it is called without one.
        size: length in the world of one unit of the network.
        centre: where the network's origin stands.
        bounds: box of the lattice that the field is sampled on, in the world.
        cell: edge length of a cell of that lattice.
    """

    def __init__(
        self,
        network: NeuralField,
        latent: Tensor | None = None,
        *,
        size: float,
        centre: Sequence[float],
        bounds: Sequence[Sequence[float]],
        cell: float,
    ) -> None:
        self.network, self.latent = network, latent
        self._size, self._centre = size, centre
        self._box, self._cell = bounds, cell

    def inward(self, points: Tensor) -> Tensor:
        """World to the network's box."""
        return (points - points.new_tensor(self._centre)) / self._size

    def _offset(self, points: Tensor) -> Tensor:
        """(P, 3) from the middle of the lattice, beyond half its extent where positive."""
        low, high = points.new_tensor(self._box)
        return (points - (low + high) / 2).abs() - (high - low) / 2

    def _given(self, codes: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return codes or (() if self.latent is None else (self.latent,))

    def __call__(self, points: Tensor, *codes: Tensor) -> Tensor:
        found = self._size * self.network(self.inward(points), *self._given(codes))
        # signed distance to the lattice less half a cell: no surface leaves that
        return torch.maximum(found, self._offset(points).amax(1) + 0.5 * self._cell)

    def values_and_slopes(self, points: Tensor, *codes: Tensor) -> tuple[Tensor, Tensor]:
        """As for a `NeuralField`."""
        at = points.detach()
        with torch.enable_grad():
            return self._bounded(
                at, *self.network.values_and_slopes(self.inward(at), *self._given(codes))
            )

    def later(self, *codes: Tensor) -> Later:
        """As for a `NeuralField`."""
        inner = self.network.later(*self._given(codes))

        def evaluate(
            points: Tensor, given: Sequence[Tensor], rows: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            return self._bounded(points, *inner.evaluate(self.inward(points), given, rows))

        return Later(inner.tensors, evaluate)

    def _bounded(self, points: Tensor, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """In the world's unit, and with the wall."""
        offset, side = self._offset(points).max(1)
        wall, values = offset + 0.5 * self._cell, self._size * values
        low, high = points.new_tensor(self._box)
        outward, side = torch.sign(points - (low + high) / 2), side[:, None]
        across = torch.zeros_like(points).scatter(1, side, outward.gather(1, side))
        beyond = (wall > values.detach())[:, None]
        return torch.maximum(values, wall), torch.where(beyond, across, slopes)
