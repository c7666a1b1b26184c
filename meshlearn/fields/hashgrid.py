"""A field of features on grids of many resolutions, read by a small network; plain torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor, nn

from meshlearn._segment import Incidence, gather
from meshlearn.fields.neural import Latent, NeuralField, affine, spectral_norm

_PRIMES = (1, 2_654_435_761, 805_459_861)


class HashGrid(NeuralField):
    """Features interpolated trilinearly on `levels` grids, to a small network, plus a sphere.

    Vertices of a grid have a row of features each while there are no more of them than `table`;
    finer grids share rows by a hash of the vertex. The value is the distance to a sphere plus what
    the network adds, which is near 0 at first. Gradients are sums in a fixed order.

    Args:
        latent_size: numbers of a code, which joins the features; 0 for a single shape.
        levels: number of grids.
        coarsest, finest: cells along the longest side of `bounds` of the first and the last grid;
            those between grow by a constant factor.
        features: numbers a grid vertex.
        table: most rows of a grid.
        hidden: width of the network (two layers, softplus).
        bounds: box of the grids; points outside are clamped to it for the features.
        radius: of the sphere that it starts as, around the middle of `bounds`.

    Example:
        >>> field = HashGrid(levels=4, finest=32)
        >>> field(torch.rand(5, 3)).shape
        torch.Size([5])

    Source: Müller et al., "Instant Neural Graphics Primitives" (SIGGRAPH 2022), section 3.
    """

    def __init__(
        self,
        latent_size: int = 0,
        *,
        levels: int = 8,
        coarsest: int = 8,
        finest: int = 128,
        features: int = 2,
        table: int = 1 << 15,
        hidden: int = 32,
        bounds: Sequence[Sequence[float]] = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        radius: float = 0.5,
    ) -> None:
        box = torch.as_tensor(bounds, dtype=torch.float64)
        super().__init__(
            latent_size=latent_size,
            levels=levels,
            coarsest=coarsest,
            finest=finest,
            features=features,
            table=table,
            hidden=hidden,
            bounds=box.tolist(),
            radius=radius,
        )
        if levels < 1 or features < 1 or not 1 <= coarsest <= finest or table < 8:
            raise ValueError(
                "levels, features, coarsest, finest, table: expected at least 1, 1, 1 <= coarsest "
                f"<= finest and 8 rows, got {levels}, {features}, {coarsest}, {finest}, {table}"
            )
        if box.shape != (2, 3) or not bool((box[1] > box[0]).all()):
            raise ValueError(f"bounds: expected a lower and an upper corner, got {box.tolist()}")
        self.latent_size, self.features, self.radius = latent_size, features, float(radius)
        self.low, self.middle = box[0].tolist(), box.mean(0).tolist()
        self.extent = float((box[1] - box[0]).max())
        self.size = (box[1] - box[0]).tolist()
        growth = (finest / coarsest) ** (1 / max(1, levels - 1))
        self.cells = [round(coarsest * growth**k) for k in range(levels)]
        self.rows = [min(math.prod(self._shape(n)), table) for n in self.cells]
        self.tables = nn.ParameterList(
            nn.Parameter(torch.empty(rows, features).uniform_(-1e-4, 1e-4)) for rows in self.rows
        )
        self.first = nn.Linear(latent_size + levels * features + 3, hidden)
        self.last = nn.Linear(hidden, 1)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()

    def _shape(self, cells: int) -> list[int]:
        """Vertices along each axis of a grid with `cells` along the longest side."""
        return [math.ceil(s / self.extent * cells - 1e-9) + 1 for s in self.size]

    def _row(self, at: Tensor, shape: list[int], rows: int) -> Tensor:
        """Rows (N,) of grid vertices (N, 3)."""
        if math.prod(shape) <= rows:
            return (at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]
        mixed = at * torch.tensor(_PRIMES, device=at.device)
        return (mixed[:, 0] ^ mixed[:, 1] ^ mixed[:, 2]) % rows

    def _level(self, k: int, unit: Tensor) -> Tensor:
        """(N, features) at points in units of the longest side."""
        cells, table = self.cells[k], self.tables[k]
        shape = self._shape(cells)
        last = torch.tensor(shape, device=unit.device) - 2
        scaled = unit * cells
        base = scaled.detach().floor().long().clamp(min=0).minimum(last)
        part = scaled - base
        corners, weights = [], []
        for corner in product((0, 1), repeat=3):
            offset = torch.tensor(corner, device=unit.device)
            corners.append(self._row(base + offset, shape, self.rows[k]))
            factors = [part[:, a] if c else 1 - part[:, a] for a, c in enumerate(corner)]
            weights.append(factors[0] * factors[1] * factors[2])
        weight = torch.stack(weights, 1)
        if not torch.is_grad_enabled():
            values = table[torch.cat(corners)]
        else:
            values = gather(table, Incidence(torch.cat(corners), self.rows[k]))
        return (values.view(8, -1, self.features) * weight.T[:, :, None]).sum(0)

    def evaluate(self, points: Tensor, latent: Latent) -> Tensor:
        low, middle, size = (points.new_tensor(x) for x in (self.low, self.middle, self.size))
        unit = (points - low).clamp(min=0).minimum(size) / self.extent
        offset = points - middle
        entering = [self._level(k, unit) for k in range(len(self.cells))]
        x = torch.cat([*entering, offset / self.extent], 1)
        weight = self.first.weight
        added: Tensor = self.first.bias
        if self.latent_size:
            added = latent.linear(weight[:, : self.latent_size], added)
        x = nn.functional.softplus(affine(x, weight[:, self.latent_size :], added), beta=100)
        # smooth at the middle, where a norm has no gradient
        sphere = (offset.square().sum(1) + 1e-8 * self.extent**2).sqrt() - self.radius
        return sphere + self.last(x)[:, 0]

    def lipschitz_bound(self) -> float:
        slopes = 0.0
        for cells, table in zip(self.cells, self.tables, strict=True):
            spread = (table.detach().amax(0) - table.detach().amin(0)).double()
            # along each axis an edge of the grid changes a feature by its spread at most
            slopes += 3 * float((spread**2).sum()) * (cells / self.extent) ** 2
        entering = math.sqrt(slopes + 1 / self.extent**2)
        weight = self.first.weight[:, self.latent_size :]
        return 1.0 + spectral_norm(weight) * entering * spectral_norm(self.last.weight)
