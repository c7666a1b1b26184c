"""What unoriented points enclose: where a flood from outside the cloud does not come."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.reconstruct import settings


class Flood:
    """A flood from the border of a lattice around the points, which stand in its way as balls.

    The lattice is the finest on which something is enclosed; where nothing is on any, the coarsest.

    Args:
        points: (P, 3).
        bounds: (2, 3) box around them.
        spacing: distance to their neighbours.

    Attributes:
        enclosed, wall: numbers of its places that the flood did not reach, and within balls.
    """

    def __init__(self, points: Tensor, bounds: Tensor, spacing: float) -> None:
        reach = settings.FLOOD_REACH * spacing
        box = bounds.double().cpu()
        size = float((box[1] - box[0]).max())
        for cells in settings.FLOOD_CELLS:
            pad = max(settings.FLOOD_PAD * reach, settings.FLOOD_PAD * size / cells)
            low, high = box[0] - pad, box[1] + pad
            step = float((high - low).max()) / cells
            shape = [int(n) for n in torch.ceil((high - low) / step).long() + 1]
            self._low, self._step, self._shape = low, step, shape
            self._away = geometry.knn(self._places().to(points), points, 1)[0][:, 0].sqrt()
            wall = (self._away < max(reach, settings.FLOOD_WALL * step)).view(shape)
            free = flooded(~wall)
            self.enclosed, self.wall = int((~wall & ~free).sum()), int(wall.sum())
            if self.enclosed > settings.FLOOD_POCKETS * self.wall:
                break
        self._outside = torch.nn.functional.max_pool3d(free[None, None].float(), 3, 1, 1)[0, 0] > 0

    def _places(self) -> Tensor:
        lines = [self._low[a] + self._step * torch.arange(n) for a, n in enumerate(self._shape)]
        return torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).view(-1, 3)

    def lattice(self) -> tuple[Tensor, Tensor]:
        """Its places (L, 3), and how far each is from the points (L,)."""
        return self._places().to(self._away), self._away

    def signed(self, query: Tensor, distance: Tensor) -> Tensor:
        """Distances (Q,) of places (Q, 3), negative where the flood does not come."""
        at = torch.round((query.double() - self._low.to(query.device)) / self._step).long()
        index = [at[:, a].clamp(0, n - 1) for a, n in enumerate(self._shape)]
        out = self._outside.to(query.device)[index[0], index[1], index[2]]
        return torch.where(out, distance, -distance) - 0.5 * self._step * (~out)


def flooded(free: Tensor) -> Tensor:
    """The part of `free` (bool volume) that is joined to its border."""
    reached = torch.zeros_like(free)
    for axis, n in enumerate(free.shape):
        for side in (0, n - 1):
            reached.select(axis, side).copy_(free.select(axis, side))
    while True:
        grown = reached.clone()
        for axis, n in enumerate(free.shape):
            grown.narrow(axis, 1, n - 1).logical_or_(reached.narrow(axis, 0, n - 1))
            grown.narrow(axis, 0, n - 1).logical_or_(reached.narrow(axis, 1, n - 1))
        grown &= free
        if torch.equal(grown, reached):
            return reached
        reached = grown
