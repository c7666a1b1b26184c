"""Tetrahedral grids on which fields are sampled, and marching tetrahedra on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._segment import Incidence
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.mesh import TetMesh

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
# Even permutations of the corners that begin with each pair: the first two inside, the others not.
_TWO_INSIDE = ("0123", "0231", "0312", "1203", "1320", "2301")
_ONE_INSIDE = ((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1))  # the face opposite, outward


class TetSurface(NamedTuple):
    """What marching tetrahedra gives, before it is a mesh."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3)
    msdf: Tensor  # (V,), or empty without an msdf
    msdf_weighted: Tensor  # the same values, whose gradients leave the weights of sdf alone
    ends: Tensor  # (V, 2) grid vertices of each crossed edge, the lower first


class TetGrid:
    """Tetrahedra with a value at each vertex.

    Args:
        vertices: (N, 3) float32 or float64.
        tets: (T, 4) int64 or int32, values in [0, N). Tetrahedra of negative volume are turned.

    Tetrahedra that share a face must share its three vertices, as in any conforming mesh; then the
    surface of any field is manifold.

    Attributes:
        vertices: (N, 3).
        tets32: (T, 4) int32, all positively oriented.

    Raises:
        ValueError: wrong shape, dtype or an index out of range.

    Example:
        >>> grid = TetGrid.from_voxels(32)
        >>> mesh = marching_tetrahedra(grid, grid.vertices.norm(dim=1) - 0.5)
        >>> mesh.is_watertight
        True
    """

    def __init__(self, vertices: Tensor, tets: Tensor) -> None:
        made = TetMesh(vertices.detach() if isinstance(vertices, Tensor) else vertices, tets.long())
        if made.num_vertices >= 2**31:
            raise ValueError("vertices: expected fewer than 2^31 of them, got more; take a part")
        turned = made.volumes() < 0
        tets = torch.where(turned[:, None], made.tets[:, [0, 1, 3, 2]], made.tets)
        self._set(made.vertices, tets.to(torch.int32), None)

    def _set(self, vertices: Tensor, tets: Tensor, edges: Tensor | None) -> None:
        self.vertices, self.tets32, self._edges = vertices, tets.contiguous(), edges

    @classmethod
    def from_mesh(cls, mesh: TetMesh) -> TetGrid:
        """The grid of any tetrahedral mesh."""
        if not isinstance(mesh, TetMesh):
            raise ValueError(
                f"mesh: expected a TetMesh, got {type(mesh).__name__}; make one with ml.TetMesh"
            )
        return cls(mesh.vertices, mesh.tets)

    @classmethod
    def from_voxels(
        cls,
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> TetGrid:
        """The body-centred cubic grid of a box of cells: about 12 tetrahedra a cell.

        Vertices are those of `VoxelGrid(resolution, bounds=bounds)` in its order, then the centres
        of its cells. Each inner face of a cell carries four tetrahedra between the two centres at
        its sides, each face of the box two.

        Args:
            resolution: cells along each axis, one number or three.
            bounds: lower and upper corner of the box.

        Source: Labelle and Shewchuk, "Isosurface Stuffing" (2007), for the lattice.
        """
        voxels = VoxelGrid(resolution, bounds=bounds, device=device, dtype=dtype)
        check_memory(12 * voxels.num_cells * 32, voxels.device, f"tetrahedra of {voxels}")
        corners, centres = voxels.num_vertices, voxels.num_cells
        device = voxels.device
        node = torch.arange(corners, dtype=torch.int32, device=device).view(voxels.shape)
        cell = torch.arange(centres, dtype=torch.int32, device=device).view(voxels.resolution)
        cell = cell + corners
        tets, edges = [], []
        for axis, n in enumerate(voxels.resolution):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            ring = []
            for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):  # counter-clockwise seen from the end
                part = node.narrow(u, du, voxels.resolution[u])
                ring.append(part.narrow(v, dv, voxels.resolution[v]))
            low, high = cell.narrow(axis, 0, n - 1), cell.narrow(axis, 1, n - 1)
            inner = [r.narrow(axis, 1, n - 1) for r in ring]
            for k in range(4):
                tets.append(_rows(low, inner[k], inner[(k + 1) % 4], high))
            for place, order, owner in ((0, (0, 3, 2, 1), 0), (n, (0, 1, 2, 3), n - 1)):
                a, b, c, d = (ring[k].select(axis, place) for k in order)
                middle = cell.select(axis, owner)
                tets += [_rows(middle, a, b, c), _rows(middle, a, c, d)]
                edges.append(_rows(a, c))
            edges += [_rows(low, high), _rows(node.narrow(axis, 0, n), node.narrow(axis, 1, n))]
        for x in (0, 1):
            for y in (0, 1):
                for z in (0, 1):
                    part = node
                    for axis, side in enumerate((x, y, z)):
                        part = part.narrow(axis, side, voxels.resolution[axis])
                    edges.append(_rows(part, cell))
        lines = [(line[:-1] + line[1:]) / 2 for line in voxels.axes()]
        middles = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 3)
        grid = cls.__new__(cls)
        grid._set(torch.cat([voxels.vertices, middles]), torch.cat(tets), torch.cat(edges))
        return grid

    @property
    def num_vertices(self) -> int:
        return self.vertices.shape[0]

    @property
    def num_tets(self) -> int:
        return self.tets32.shape[0]

    @property
    def device(self) -> torch.device:
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        return self.vertices.dtype

    @property
    def tets(self) -> Tensor:
        """(T, 4) int64, positively oriented."""
        return self.tets32.long()

    @cached_property
    def neighbours(self) -> tuple[Tensor, Tensor]:
        """CSR int32 (start (N + 1,), neighbour (2E,)): vertices joined to each, ascending."""
        edges = self._edges
        if edges is None:
            pairs = torch.tensor(PAIRS, device=self.device)
            ends = self.tets32.long()[:, pairs].view(-1, 2)
            key = ends.amin(1) * self.num_vertices + ends.amax(1)
            key = torch.unique(key)
            edges = torch.stack([key // self.num_vertices, key % self.num_vertices], 1)
        source = torch.cat([edges[:, 0], edges[:, 1]]).long()
        target = torch.cat([edges[:, 1], edges[:, 0]]).long()
        self._edges = None
        by_target = Incidence(target, self.num_vertices).order
        source, target = source[by_target], target[by_target].to(torch.int32)
        by_source = Incidence(source, self.num_vertices)
        return by_source.start.to(torch.int32), target[by_source.order]

    @cached_property
    def edges(self) -> Tensor:
        """(E, 2) int64, each edge once, smaller vertex first, in lexicographic order."""
        start, neighbour = self.neighbours
        lower = torch.repeat_interleave(
            torch.arange(self.num_vertices, device=self.device), start.diff().long()
        )
        keep = lower < neighbour
        return torch.stack([lower[keep], neighbour[keep].long()], 1)

    @cached_property
    def reach(self) -> Tensor:
        """(N, 1) half the length of each vertex's shortest edge: how far `deform` moves it."""
        a, b = self.edges.unbind(1)
        length = (self.vertices[a] - self.vertices[b]).norm(dim=1)
        ends = torch.cat([a, b])
        shortest = self.vertices.new_full((self.num_vertices,), float("inf"))
        shortest.scatter_reduce_(0, ends, length.repeat(2), "amin")
        return 0.5 * torch.nan_to_num(shortest, posinf=0.0)[:, None]

    @cached_property
    def border(self) -> Tensor:
        """(B,) int64 vertices on the boundary of the grid."""
        return torch.unique(TetMesh(self.vertices, self.tets, validate=False).boundary().faces)

    def displaced(self, deform: Tensor | None) -> Tensor:
        """(N, 3) positions, moved by `reach` * tanh(deform)."""
        if deform is None:
            return self.vertices
        return self.vertices + self.reach * torch.tanh(deform)

    def evaluate(self, field: Callable[[Tensor], Tensor], *, chunk: int = 1 << 20) -> Tensor:
        """(N,) values of `field`, a function of points (P, 3) -> (P,), evaluated in pieces."""
        return torch.cat([field(part).reshape(-1) for part in self.vertices.split(chunk)])

    def check_field(self, value: object, name: str = "sdf") -> Tensor:
        """`value` if it is one finite number a grid vertex."""
        return check_tensor(
            value,
            name,
            shape=(self.num_vertices,),
            dtype=self.dtype,
            device=self.device,
            like="the grid",
            finite=True,
        )

    def to(self, target: str | torch.device | torch.dtype) -> TetGrid:
        """The same grid for another device or dtype."""
        if isinstance(target, torch.dtype) and target not in FLOATS:
            raise ValueError(f"dtype: expected torch.float32 or torch.float64, got {target}")
        grid = TetGrid.__new__(TetGrid)
        vertices = self.vertices.to(target)
        edges = None if self._edges is None else self._edges.to(vertices.device)
        grid._set(vertices, self.tets32.to(vertices.device), edges)
        return grid

    def __repr__(self) -> str:
        return (
            f"TetGrid({self.num_vertices} vertices, {self.num_tets} tets, {self.device}, "
            f"{self.dtype})"
        )


def _rows(*columns: Tensor) -> Tensor:
    return torch.stack([c.reshape(-1) for c in columns], 1)


@lru_cache(maxsize=8)
def tet_table(device: torch.device) -> Tensor:
    """(16, 5) int32 by mask of inside corners: corners of the polygon (0, 3 or 4), and the edge
    (i, j) of each as 4 i + j, counter-clockwise seen from outside."""
    rows = [[0] * 5 for _ in range(16)]
    for k, others in enumerate(_ONE_INSIDE):
        edges = [4 * k + j for j in others]
        rows[1 << k] = [3, *edges, 0]
        rows[15 ^ 1 << k] = [3, *edges[::-1], 0]
    for order in _TWO_INSIDE:
        a, b, c, d = map(int, order)
        rows[1 << a | 1 << b] = [4, 4 * a + c, 4 * a + d, 4 * b + d, 4 * b + c]
    return torch.tensor(rows, dtype=torch.int32, device=device)
