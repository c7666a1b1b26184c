"""FlexiCubes as a representation: field, displacement and weights of a grid as parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from meshlearn.isosurface import VoxelGrid, flexicubes, sign_regularizer
from meshlearn.isosurface.grid import check_memory
from meshlearn.representations.base import Representation, RepresentationOutput


def cubic_grid(
    resolution: int,
    bounds: Sequence[Sequence[float]] | Tensor,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    margin: float = 2.0,
) -> VoxelGrid:
    """A grid of cubic cells around `bounds`: `resolution` cells along its longest side.

    Args:
        resolution: cells along the longest side, the margin included; at least 8.
        bounds: (2, 3) lower and upper corner of what is to be held.
        margin: cells left free on every side.
    """
    box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
    size = (box[1] - box[0]).clamp(min=0)
    longest = float(size.max())
    if not longest > 0 or not bool(torch.isfinite(box).all()):
        raise ValueError(f"bounds: expected a box with some extent, got {box.tolist()}")
    if resolution < 8:
        raise ValueError(f"resolution: expected at least 8 cells, got {resolution}")
    h = longest / (resolution - 2 * margin)
    cells = torch.ceil(size / h - 1e-9 + 2 * margin).long().clamp(min=int(2 * margin) + 1)
    centre = box.mean(0)
    half = cells * h / 2
    return VoxelGrid(
        cells.tolist(),
        bounds=torch.stack([centre - half, centre + half]),
        device=device,
        dtype=dtype,
    )


class FlexiCubes(Representation):
    """A closed mesh as the FlexiCubes surface of learnable grid values and cell weights.

    Args:
        grid: a VoxelGrid, or a number of cells along the longest side of `bounds`.
        bounds: (2, 3) box that the surface lies in (when `grid` is a number).
        weights: learn alpha, beta and gamma; False leaves dual marching cubes.
        deform: learn the displacement of grid vertices.
        device, dtype: of the parameters (when `grid` is a number).

    Parameters (all unconstrained): ``sdf`` (N,) in units of the cell edge, ``deform`` (N, 3),
    ``alpha`` (C, 8), ``beta`` (C, 12), ``gamma`` (C,). The border of the grid is kept outside, so
    that the mesh is always closed, manifold and oriented.

    Losses: ``dev`` (L_dev of the paper in cells), ``sign`` (sign changes of the field).

    Example:
        >>> shape = FlexiCubes(32)
        >>> shape.initialize(lambda p: p.norm(dim=1) - 0.5)
        >>> mesh, losses = shape()

    Source: Shen et al. (2023).
    """

    default_weights = {"dev": 0.02, "sign": 0.0}  # noqa: RUF012

    def __init__(
        self,
        grid: VoxelGrid | int = 64,
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        weights: bool = True,
        deform: bool = True,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self._box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
        if not isinstance(grid, VoxelGrid):
            grid = cubic_grid(grid, self._box, device=device, dtype=dtype)
        else:
            self._box = torch.tensor(grid.bounds, dtype=torch.float64)
        self.has_weights, self.has_deform = weights, deform
        self._allocate(grid)

    def _allocate(self, grid: VoxelGrid) -> None:
        n, c = grid.num_vertices, grid.num_cells
        numbers = n * (4 if self.has_deform else 1) + c * (21 if self.has_weights else 0)
        # Parameters, their gradients and two moments of Adam.
        check_memory(4 * numbers * grid.dtype.itemsize, grid.device, f"FlexiCubes on {grid}")
        self.grid = grid

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=grid.dtype, device=grid.device))

        self.sdf = zeros(n)
        with torch.no_grad():
            self.sdf += 1
        self.deform = zeros(n, 3) if self.has_deform else None
        self.alpha = zeros(c, 8) if self.has_weights else None
        self.beta = zeros(c, 12) if self.has_weights else None
        self.gamma = zeros(c) if self.has_weights else None

    @property
    def scale(self) -> float:
        """Edge length of a cell."""
        return max(self.grid.spacing)

    def forward(self) -> RepresentationOutput:
        out = flexicubes(
            self.grid,
            self.sdf,
            deform=self.deform,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            training=self.training,
        )
        losses = {}
        if self.training:
            losses = {
                "dev": out.dev_loss / self.scale,
                "sign": sign_regularizer(self.grid, self.sdf),
            }
        return RepresentationOutput(out.mesh, losses)

    @torch.no_grad()
    def initialize(self, field: Callable[[Tensor], Tensor]) -> None:
        """Grid values from a field; displacement and weights at rest. See `Representation`."""
        values = self.grid.evaluate(field).to(self.sdf)
        if not bool(torch.isfinite(values).all()):
            raise ValueError("field: it gives NaN or infinite values on the grid")
        self.sdf.copy_(values / self.scale)
        for parameter in (self.deform, self.alpha, self.beta, self.gamma):
            if parameter is not None:
                parameter.zero_()
        self.after_step()

    @torch.no_grad()
    def refine(self, resolution: int) -> None:
        """Another resolution: the field is interpolated trilinearly, weights start at rest."""
        old, values, scale = self.grid, self.sdf.detach(), self.scale
        grid = cubic_grid(resolution, self._box, device=old.device, dtype=old.dtype)
        volume = values.view(1, 1, *old.shape)
        low = torch.tensor(old.bounds[0], dtype=old.dtype, device=old.device)
        high = torch.tensor(old.bounds[1], dtype=old.dtype, device=old.device)

        def field(points: Tensor) -> Tensor:
            at = ((points - low) / (high - low) * 2 - 1).flip(1)
            found = torch.nn.functional.grid_sample(
                volume, at[None, :, None, None], align_corners=True, padding_mode="border"
            )
            return found.reshape(-1) * scale

        self._allocate(grid)
        self.initialize(field)

    def parameter_groups(self, lr: float) -> list[dict]:
        """All at `lr`: the field is in cells and the weights are relative, so one rate fits."""
        return [{"params": [p], "lr": lr} for p in self.parameters()]

    @torch.no_grad()
    def after_step(self) -> None:
        """Keeps the border of the grid outside, and so the mesh closed."""
        volume = self.sdf.view(self.grid.shape)
        for axis, n in enumerate(self.grid.shape):
            for side in (0, n - 1):
                volume.select(axis, side).clamp_(min=0.1)
