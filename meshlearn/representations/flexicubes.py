"""FlexiCubes as a representation: field, displacement and weights of a grid as parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn.isosurface import (
    FlexiCubesOutput,
    SparseVoxelGrid,
    VoxelGrid,
    flexicubes,
    sign_regularizer,
)
from meshlearn.isosurface.grid import check_memory
from meshlearn.isosurface.simple_points import kept_signs
from meshlearn.mesh import Mesh
from meshlearn.representations.base import Guide, Representation, RepresentationOutput

PUSHED = 0.05  # cells to which a vertex goes back that may not change sides; by hand
ASTRAY = 1.0  # cells from the target's surface at which a side is wrong beyond doubt; by hand
ASTRAY_RING = 2  # cells around such vertices that are taken from the target too; by hand
LEAST_VALUE = 1e-6  # cells: of a field that is nearly 0 at a vertex, to divide by
HELD_BAND = 2.0  # cells from the surface in which sides are compared with the target's; by hand


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
        grid: a VoxelGrid, also sparse, or a number of cells along the longest side of `bounds`.
        bounds: (2, 3) box that the surface lies in (when `grid` is a number).
        weights: learn alpha, beta and gamma; False leaves dual marching cubes.
        deform: learn the displacement of grid vertices.
        sparse: from the first `refine` on, keep only cells near the surface. A sparse grid is
            refined to twice its resolution; the surface cannot leave its cells in between.
        device, dtype: of the parameters (when `grid` is a number).

    Parameters (all unconstrained): ``sdf`` (N,) in units of the cell edge, ``deform`` (N, 3),
    ``alpha`` (C, 8), ``beta`` (C, 12), ``gamma`` (C,). The border of the grid is kept outside, so
    that the mesh is always closed, manifold and oriented. No vertex becomes a part or a cavity of
    its own, and after `hold` components, handles and cavities stay as they are: a vertex that may
    not change sides (see `isosurface.simple_points`) goes back to its own.

    Losses: ``dev`` (L_dev of the paper in cells), ``sign`` (sign changes of the field).

    Example:
        >>> shape = FlexiCubes(32)
        >>> shape.initialize(lambda p: p.norm(dim=1) - 0.5)
        >>> mesh, losses = shape()

    Source: Shen et al. (2023).
    """

    default_weights = {"dev": 0.02, "sign": 0.0}  # noqa: RUF012
    chooses_faces = True

    def __init__(
        self,
        grid: VoxelGrid | int = 64,
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        weights: bool = True,
        deform: bool = True,
        sparse: bool = False,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self._box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
        if isinstance(grid, int):
            grid = cubic_grid(grid, self._box, device=device, dtype=dtype)
        elif isinstance(grid, VoxelGrid):
            self._box = torch.tensor(grid.bounds, dtype=torch.float64)
        self.has_weights, self.has_deform, self.sparse = weights, deform, sparse
        self._wanted: tuple[int, int] | None = None  # components and Euler number, while held
        self._allocate(grid)

    def _allocate(self, grid: Any) -> None:
        """Parameters of a grid, as they start; a `GShell` without weights may have a TetGrid."""
        n, c = grid.num_vertices, grid.num_cells if self.has_weights else 0
        numbers = n * (4 if self.has_deform else 1) + c * (21 if self.has_weights else 0)
        # Parameters, their gradients and two moments of Adam.
        check_memory(4 * numbers * grid.dtype.itemsize, grid.device, f"FlexiCubes on {grid}")
        self.grid: VoxelGrid = grid
        self._border: tuple[Tensor, Tensor] | None = None  # of a sparse grid, and its side
        self._held: Tensor | None = None  # sides of the vertices before a step
        self._turned: Tensor | None = None  # vertices that changed sides in the last step
        self._found = False  # whether the topology is the wanted one

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape, dtype=grid.dtype, device=grid.device))

        self.sdf = zeros(n)
        with torch.no_grad():
            self.sdf.add_(1)
        self.deform = zeros(n, 3) if self.has_deform else None
        self.alpha = zeros(c, 8) if self.has_weights else None
        self.beta = zeros(c, 12) if self.has_weights else None
        self.gamma = zeros(c) if self.has_weights else None

    @property
    def scale(self) -> float:
        """Edge length of a cell."""
        return max(self.grid.spacing)

    def forward(self) -> RepresentationOutput:
        out = self._extracted()
        if self._is_torn(out.mesh):
            out = self._extracted()
        losses = {}
        if self.training:
            losses = {
                "dev": out.dev_loss / self.scale,
                "sign": sign_regularizer(self.grid, self.sdf),
            }
        return RepresentationOutput(out.mesh, losses)

    def _is_torn(self, mesh: Mesh) -> bool:
        """Looks at a surface that was just extracted, and takes the sign changes of the last step
        back if by them it lost the wanted topology: an extractor may join an ambiguous face's
        corners otherwise than was asked for."""
        torn = False
        if self.training and self._held is None:
            self._held = self.sdf.detach() < 0
            self._look(mesh)
        elif self._turned is not None and self._found:
            self._look(mesh)
            torn = not self._found
            if torn:
                self._turn_back()
        self._turned = None
        return torn

    def _extracted(self) -> FlexiCubesOutput:
        return flexicubes(
            self.grid,
            self.sdf,
            deform=self.deform,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            training=self.training,
        )

    @torch.no_grad()
    def initialize(self, field: Callable[[Tensor], Tensor]) -> None:
        """Grid values from a field; displacement and weights at rest. See `Representation`."""
        self._reset(self.grid.evaluate(field))

    def _reset(self, values: Tensor) -> None:
        """Grid values in the world's unit; everything else at rest."""
        if not bool(torch.isfinite(values).all()):
            raise ValueError("field: it gives NaN or infinite values on the grid")
        self.sdf.copy_(values.to(self.sdf) / self.scale)
        # slopes of a crossing have the squared difference of its ends below the line
        tiny = torch.where(self.sdf < 0, -LEAST_VALUE, LEAST_VALUE)
        self.sdf.copy_(torch.where(self.sdf.abs() < LEAST_VALUE, tiny, self.sdf))
        self._held = self._turned = None
        for parameter in (self.deform, self.alpha, self.beta, self.gamma):
            if parameter is not None:
                parameter.zero_()
        self.after_step()

    @torch.no_grad()
    def refine(self, resolution: int) -> None:
        """Another resolution: the field is interpolated trilinearly, weights start at rest."""
        grid = self._finer(resolution)
        values = self._carried(grid, [self.sdf * self.scale])[0]
        self._wanted = None
        self._allocate(grid)
        self._reset(values)

    @torch.no_grad()
    def steer(self, target: Guide) -> None:
        """Where vertices are on the wrong side and far from the target, no gradient of a distance
        between surfaces brings them over: there, and around, all starts from the target's field.
        What is nearer than a cell stays as it was."""
        if not target.knows_sides or isinstance(self.grid, SparseVoxelGrid):
            return
        value = self.grid.evaluate(target.field).to(self.sdf) / self.scale
        if not bool((value < 0).any()) or not bool(torch.isfinite(value).all()):
            return
        astray = ((value < 0) != (self.sdf < 0)) & (value.abs() > ASTRAY)
        if not bool(astray.any()):
            return
        ring = astray.view(1, 1, *self.grid.shape).to(value)
        ring = torch.nn.functional.max_pool3d(
            ring, 2 * ASTRAY_RING + 1, stride=1, padding=ASTRAY_RING
        )
        taken = ring.reshape(-1) > 0
        self.sdf[taken] = value[taken]
        if self.deform is not None:
            self.deform[taken] = 0
        self._keep_border()

    @torch.no_grad()
    def hold(self, target: Guide, *, started: bool = False) -> None:
        """Keeps the topology from here on, that of the target as the grid resolves it: where the
        present one is another, vertices near the surface go to the target's side. Where the
        target's is not known, all stays as it was."""
        self._held = self._turned = None
        solid, fine = target.solid_on(self.grid), target.solid
        self._wanted = None if solid is None else solid.topology.topological_type
        if self._wanted is None:
            return
        now = self._surface() if bool((self.sdf < 0).any()) else None
        if now is not None and fine is not None:  # more than the vertices alone can tell
            wanted = fine.topology.topological_type
            self._wanted = wanted if now.topology.topological_type == wanted else self._wanted
        if started:
            return
        apart = None if now is None else self._apart(now)
        if apart == 0:
            return
        near = (self.sdf.abs() < HELD_BAND).nonzero().squeeze(1)
        value = target.field(self.grid.vertices[near]).to(self.sdf) / self.scale
        wrong = (value < 0) != (self.sdf[near] < 0)
        kept = self.sdf.clone()
        moved = value[wrong]
        self.sdf[near[wrong]] = torch.where(
            moved < 0, moved.clamp(max=-PUSHED), moved.clamp(min=PUSHED)
        )
        self._keep_border()
        if apart is not None and self._apart(self._surface()) > apart:
            self.sdf.copy_(kept)

    def _apart(self, mesh: Mesh) -> int:
        """How far the topology of a mesh is from the one that is wanted."""
        assert self._wanted is not None
        return sum(
            abs(a - b) for a, b in zip(mesh.topology.topological_type, self._wanted, strict=True)
        )

    def _look(self, mesh: Mesh) -> None:
        """Sees whether a mesh has the topology that is wanted, if one is."""
        if self._wanted is not None:
            self._distance = self._apart(mesh)
            self._missing = self._wanted[1] - mesh.topology.euler_number
            self._found = self._distance == 0

    def _better(self, kept: Tensor, tried: Tensor) -> Tensor:
        """Of two sides of the vertices the second, if its topology is nearer to the wanted one."""
        values, before = self.sdf.clone(), self._distance
        turned = (tried != (values < 0)).nonzero().squeeze(1)
        self.sdf[turned] = torch.where(tried[turned], -PUSHED, PUSHED).to(values)
        self._look(self._surface())
        self.sdf.copy_(values)
        if self._distance < before:
            return tried
        turned = (kept != (values < 0)).nonzero().squeeze(1)
        self.sdf[turned] = torch.where(kept[turned], -PUSHED, PUSHED).to(values)
        self._look(self._surface())
        self.sdf.copy_(values)
        return kept

    def _surface(self) -> Mesh:
        return flexicubes(self.grid, self.sdf.detach()).mesh

    def _finer(self, resolution: int) -> VoxelGrid:
        """The grid of another resolution around the present surface."""
        old = self.grid
        if not self.sparse and not isinstance(old, SparseVoxelGrid):
            return cubic_grid(resolution, self._box, device=old.device, dtype=old.dtype)
        cells = max(old.resolution)
        if resolution == cells:
            return old
        if resolution != 2 * cells:
            raise ValueError(
                f"resolution: expected {2 * cells}, twice that of the grid that is made sparse, "
                f"got {resolution}; refine step by step"
            )
        values = self.sdf.detach()
        if not isinstance(old, SparseVoxelGrid):
            kept = SparseVoxelGrid.from_grid(old, values, band=2)
            return kept.refined(values[kept.vertex_keys], band=2)
        return old.refined(values, band=2)

    def _carried(self, grid: VoxelGrid, values: list[Tensor]) -> list[Tensor]:
        """Values at the vertices of the present grid, interpolated at those of another."""
        old, stacked = self.grid, torch.stack([v.detach() for v in values], 1)
        if grid is old:
            return list(stacked.unbind(1))
        if isinstance(old, SparseVoxelGrid):
            return list(old.interpolate(stacked, grid.vertices).unbind(1))
        volume = stacked.T.reshape(1, len(values), *old.shape)
        low = torch.tensor(old.bounds[0], dtype=old.dtype, device=old.device)
        high = torch.tensor(old.bounds[1], dtype=old.dtype, device=old.device)
        found = []
        for points in grid.vertices.split(1 << 20):
            at = ((points - low) / (high - low) * 2 - 1).flip(1)
            found.append(
                torch.nn.functional.grid_sample(
                    volume, at[None, :, None, None], align_corners=True, padding_mode="border"
                ).view(len(values), -1)
            )
        return list(torch.cat(found, 1))

    def parameter_groups(self, lr: float) -> list[dict]:
        """All at `lr`: the field is in cells and the weights are relative, so one rate fits."""
        return [{"params": [p], "lr": lr} for p in self.parameters()]

    @torch.no_grad()
    def after_step(self) -> None:
        """Keeps the border of the grid outside, or on its side of a sparse one: closed meshes.
        Vertices that may not change sides go back."""
        self._keep_border()
        if self._held is None:
            return
        now = self.sdf < 0
        kept = kept_signs(self.grid, self._held, now, only_births=self._wanted is None)
        back = (kept != now).nonzero().squeeze(1)
        if (
            self._wanted is not None and not self._found and len(back)
        ):  # of another topology than wanted: free towards it
            free = torch.zeros_like(now).index_fill_(0, back, True)
            tried = kept_signs(self.grid, kept, now, free=free, euler=self._missing)
            if not torch.equal(tried, kept):
                kept = self._better(kept, tried)
                back = (kept != now).nonzero().squeeze(1)
        self.sdf[back] = torch.where(kept[back], -PUSHED, PUSHED).to(self.sdf)
        self._turned = (kept != self._held).nonzero().squeeze(1)
        self._held = kept

    @torch.no_grad()
    def _turn_back(self) -> None:
        """Takes the sign changes of the last step back."""
        assert self._held is not None
        sides = ~self._held[self._turned]
        self._held[self._turned] = sides
        self.sdf[self._turned] = torch.where(sides, -PUSHED, PUSHED).to(self.sdf)
        self._found = True

    def _keep_border(self) -> None:
        if isinstance(self.grid, SparseVoxelGrid):
            if self._border is None:
                at = self.grid.border
                self._border = (at, torch.where(self.sdf[at] < 0, -1.0, 1.0).to(self.sdf))
            at, sign = self._border
            self.sdf[at] = sign * (sign * self.sdf[at]).clamp(min=0.1)
            return
        volume = self.sdf.view(self.grid.shape)
        for axis, n in enumerate(self.grid.shape):
            for side in (0, n - 1):
                volume.select(axis, side).clamp_(min=0.1)
