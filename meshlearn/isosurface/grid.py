"""Regular grids on which fields are sampled."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._validate import FLOATS, check_tensor, mend_of_shape

_MOVED = 0.01  # of a cell, by which rounding may move vertices


class VoxelGrid:
    """A box of cubic (or box-shaped) cells, with a value at each corner.

    Grid vertex (i, j, k) lies at ``lower + (i, j, k) * spacing``; vertices and cells are numbered
    with x slowest and z fastest: vertex ``(i * ny + j) * nz + k`` with ``ny = ry + 1`` and
    ``nz = rz + 1``, cell ``(i * ry + j) * rz + k``. Corner c of a cell is at offsets
    ``(c & 1, c >> 1 & 1, c >> 2)`` along x, y, z; edge ``e = 4 * axis + m`` starts at the corner
    whose offsets along the two other axes, in ascending order, are the bits of m.

    Args:
        resolution: number of cells along each axis, one int or three (rx, ry, rz), at least 1.
        bounds: lower and upper corner of the box, two triples.
        device: where `vertices` live and fields are expected.
        dtype: float32 or float64, of `vertices` and of fields.

    Raises:
        ValueError: a resolution below 1 or beyond memory, or bounds that are empty or not finite.

    Example:
        >>> grid = VoxelGrid(64)
        >>> sdf = grid.vertices.norm(dim=1) - 0.5        # (N,), negative inside
        >>> mesh = marching_cubes(grid, sdf)
    """

    def __init__(
        self,
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.resolution = self.three(resolution)
        box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
        if box.shape != (2, 3):
            raise ValueError(
                f"bounds: expected a lower and an upper corner, shape (2, 3), got "
                f"{tuple(box.shape)}"
            )
        if not bool(torch.isfinite(box).all()) or bool((box[1] <= box[0]).any()):
            raise ValueError(
                f"bounds: expected finite corners with lower < upper on each axis, got "
                f"{box.tolist()}"
            )
        if dtype not in FLOATS:
            raise ValueError(f"dtype: expected torch.float32 or torch.float64, got {dtype}")
        self.bounds: tuple[tuple[float, ...], tuple[float, ...]] = (
            tuple(box[0].tolist()),
            tuple(box[1].tolist()),
        )
        self.device = torch.empty(0, device=device).device  # with its number
        self.dtype = dtype
        self._vertices: Tensor | None = None
        check_memory(self.num_vertices * dtype.itemsize, self.device, f"a field on {self}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of grid vertices along each axis."""
        rx, ry, rz = self.resolution
        return rx + 1, ry + 1, rz + 1

    @property
    def num_vertices(self) -> int:
        """N = (rx + 1)(ry + 1)(rz + 1)."""
        nx, ny, nz = self.shape
        return nx * ny * nz

    @property
    def num_cells(self) -> int:
        """C = rx ry rz."""
        rx, ry, rz = self.resolution
        return rx * ry * rz

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Edge lengths of a cell."""
        low, high = self.bounds
        return tuple((h - s) / r for s, h, r in zip(low, high, self.resolution, strict=True))  # type: ignore[return-value]

    @property
    def flat_bounds(self) -> list[float]:
        """Lower then upper corner, six numbers."""
        return [*self.bounds[0], *self.bounds[1]]

    @staticmethod
    def three(resolution: int | Sequence[int]) -> tuple[int, int, int]:
        """A resolution as three numbers of at least 1, checked."""
        values = [resolution] * 3 if isinstance(resolution, int) else list(resolution)
        if len(values) != 3 or any(int(v) != v or v < 1 for v in values):
            raise ValueError(
                f"resolution: expected one or three whole numbers of at least 1, got {resolution!r}"
            )
        return int(values[0]), int(values[1]), int(values[2])

    @property
    def table(self) -> tuple[Tensor | None, Tensor | None]:
        """What native operators read of a sparse grid; nothing of a full one."""
        return None, None

    def vertex_lattice(self, index: Tensor) -> Tensor:
        """Numbers in the full lattice of vertices `index`: these themselves."""
        return index

    def vertex_index(self, lattice: Tensor) -> Tensor:
        """The inverse of `vertex_lattice`."""
        return lattice

    def cell_index(self, lattice: Tensor) -> Tensor:
        """Numbers here of lattice cells: these themselves."""
        return lattice

    def cell_coordinates(self, lattice: Tensor) -> Tensor:
        """(..., 3) coordinates of cells, given by their number in the full lattice."""
        _, ry, rz = self.resolution
        return torch.stack([lattice // (ry * rz), lattice // rz % ry, lattice % rz], dim=-1)

    def surface(self, values: Tensor, band: int = 0) -> Tensor:
        """(K, 3) int64 cells whose corners differ in sign, and those within `band` cells."""
        inside = (values.detach() < 0).view(self.shape)
        any_, all_ = inside, inside
        for axis, n in enumerate(self.resolution):
            any_ = any_.narrow(axis, 0, n) | any_.narrow(axis, 1, n)
            all_ = all_.narrow(axis, 0, n) & all_.narrow(axis, 1, n)
        crossed = any_ & ~all_
        if band:
            width = 2 * band + 1
            crossed = torch.nn.functional.max_pool3d(crossed[None].float(), width, 1, band)[0] > 0
        return crossed.nonzero()

    def axes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates of the grid vertices along each axis."""
        found = []
        for low, step, n in zip(self.bounds[0], self.spacing, self.shape, strict=True):
            line = low + torch.arange(n, dtype=torch.float64) * step
            found.append(line.to(device=self.device, dtype=self.dtype))
        return tuple(found)  # type: ignore[return-value]

    @property
    def vertices(self) -> Tensor:
        """(N, 3) positions of the grid vertices, x slowest and z fastest; made at first use.

        Warns:
            UserWarning: the grid lies so far from the origin that its dtype moves vertices by more
                than a hundredth of a cell.
        """
        if self._vertices is None:
            self._tell_steps()
            need = 3 * self.num_vertices * self.dtype.itemsize
            check_memory(need, self.device, f"the vertices of {self}")
            self._vertices = torch.stack(
                torch.meshgrid(*self.axes(), indexing="ij"), dim=-1
            ).reshape(-1, 3)
        return self._vertices

    def _tell_steps(self) -> None:
        far = max(abs(x) for corner in self.bounds for x in corner)
        step = torch.finfo(self.dtype).eps * 2.0 ** math.floor(math.log2(far))
        cell = min(self.spacing)
        if step > 2 * _MOVED * cell:
            mend = "with dtype=torch.float64" if self.dtype == torch.float32 else "nearer to it"
            warnings.warn(
                f"bounds: {str(self.dtype)[6:]} has steps of {step:.2g} at {far:.6g} from 0, and "
                f"a cell is {cell:.2g}, so that fields on these vertices are those of other "
                f"places; make the grid {mend}",
                stacklevel=3,
            )

    def evaluate(self, field: Callable[[Tensor], Tensor], *, chunk: int = 1 << 20) -> Tensor:
        """(N,) values of `field`, a function of points (P, 3) -> (P,), evaluated in pieces."""
        values = [field(part).reshape(-1) for part in self.vertices.split(chunk)]
        return torch.cat(values)

    def check_field(self, value: object, name: str = "sdf") -> Tensor:
        """`value` if it is one number a grid vertex; also accepts the shape (nx, ny, nz)."""
        if isinstance(value, Tensor):
            if tuple(value.shape) == self.shape:
                value = value.reshape(-1)
            elif value.dim() == 3 or value.numel() == self.num_cells:
                raise ValueError(self._wrong_field(tuple(value.shape), name))
        return check_tensor(
            value,
            name,
            shape=(self.num_vertices,),
            dtype=self.dtype,
            device=self.device,
            like="the grid",
        )

    def _wrong_field(self, got: tuple[int, ...], name: str) -> str:
        """What is wrong with a field of the shape `got`, and what works instead."""
        said = f"{name}: expected shape {self.shape} or ({self.num_vertices},), got {got}; "
        if math.prod(got) != self.num_cells:
            return said + mend_of_shape(self.shape, got)
        said += "these are values of the cells, a field is one of the vertices: evaluate it at "
        said += "grid.vertices"
        if min(self.resolution) < 2:
            return said
        low, high = (torch.tensor(end, dtype=torch.float64) for end in self.bounds)
        half = (high - low) / torch.tensor(self.resolution) / 2
        fewer = tuple(r - 1 for r in self.resolution)
        box = ((low + half).tolist(), (high - half).tolist())
        return f"{said}, or take the grid of the cells' centres, VoxelGrid({fewer}, bounds={box})"

    def to(self, target: str | torch.device | torch.dtype) -> VoxelGrid:
        """The same grid for another device or dtype."""
        if isinstance(target, torch.dtype):
            return VoxelGrid(self.resolution, bounds=self.bounds, device=self.device, dtype=target)
        return VoxelGrid(self.resolution, bounds=self.bounds, device=target, dtype=self.dtype)

    def __repr__(self) -> str:
        rx, ry, rz = self.resolution
        return f"VoxelGrid({rx} x {ry} x {rz}, bounds={self.bounds}, {self.device}, {self.dtype})"
