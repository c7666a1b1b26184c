"""Distances along a surface, by the heat method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum
from meshlearn._validate import as_tensor, check_index, check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.laplacian import cotangents, laplacian_matrix
from meshlearn.geometry.smoothing import lumped_areas
from meshlearn.geometry.sparse_solver import SparseCholesky
from meshlearn.mesh import Mesh
from meshlearn.mesh.measure import safe_norm

_HELD = 1e-9  # of the mean diagonal: what keeps Poisson's equation from being singular


class GeodesicSolver:
    """Distances along one mesh; built once, asked often.

    Heat flows from the sources for a short time; where it goes is the direction of distances, which
    Poisson's equation then has the gradient of. Both systems are factored when the solver is built,
    on the CPU in float64; a question is then two substitutions. Distances are smoothed over about
    an edge's length, and off by a percent or two on even triangles.

    Args:
        mesh: any; vertices finite. Vertices that stand at one place, as along seams, are one.
        time: of the flow, in squares of the mean length of edges; larger is smoother.

    Raises:
        ValueError: no faces, vertices that are not finite, or none of the faces has an area.

    Example:
        >>> solver = ml.geometry.GeodesicSolver(mesh)
        >>> from_first = solver.distance(0)
        >>> from_either = solver.distance([0, 7])

    Source: K. Crane et al., Geodesics in heat, 2013.
    """

    def __init__(self, mesh: Mesh, *, time: float = 1.0) -> None:
        check_mesh(mesh)
        check_tensor(mesh.vertices, "mesh.vertices", finite=True)
        if not (0 < time < math.inf):
            raise ValueError(f"time: expected a number above 0, got {time!r}; try 1")
        self._like = mesh.vertices
        edit = mesh.detach().to("cpu").to(torch.float64).merge_vertices()
        self._number = edit.vertex_map
        # in units of its own size, so that no number under- or overflows
        box = edit.mesh.bounds()
        self._size = float((box[1] - box[0]).max()) or 1.0
        self._mesh = whole = edit.mesh.with_vertices((edit.mesh.vertices - box[0]) / self._size)
        topology = whole.topology
        self._parts = topology.vertex_components().labels
        edges = whole.vertices[topology.edges]
        length = float(safe_norm(edges[:, 0] - edges[:, 1]).mean())
        area = lumped_areas(whole)
        if not float(area.sum()) > 0:
            raise ValueError("mesh: expected faces with areas, got none; check its vertices")
        stiff = laplacian_matrix(whole, "cotangent", layout="csr")
        start, column, values = stiff.crow_indices(), stiff.col_indices(), -stiff.values()
        start, column, values, own = _with_diagonal(start, column, values)
        pattern = SparseCholesky(start, column, whole.vertices)
        least = 1e-10 * float(area.mean())
        heat = time * length**2 * values
        heat[own] += area.clamp(min=least)
        self._heat = pattern.factor(heat)
        mean = float(values[own].mean())
        held = values.clone()
        held[own] += _HELD * mean * area.clamp(min=least) / float(area.mean())
        self._poisson = pattern.factor(held)
        self._corners = whole.faces.T.contiguous()  # (3, F)
        self._slopes, self._flows = _gradients(whole)

    def distance(self, sources: int | Sequence[int] | Tensor) -> Tensor:
        """(V,) distance to the nearest of some vertices, in the mesh's unit; detached.

        Infinite in parts of the mesh that hold no source, and at vertices without faces.

        Args:
            sources: an index, or several.

        Raises:
            ValueError: no source, or one out of range.
        """
        index = as_tensor(sources, "sources").reshape(-1).cpu()
        if not len(index):
            raise ValueError("sources: expected a vertex or more, got none; pass [index]")
        check_tensor(index, "sources", dtype=(torch.int64, torch.int32))
        check_index(index, "sources", len(self._number), of="vertices")
        place = self._number[index.long()]
        right = torch.zeros(self._mesh.num_vertices, dtype=torch.float64)
        right[place] = 1.0
        corner = self._heat.solve(right)[self._corners]
        # relative to the largest of each face: far off, all are tiny
        peak = corner.abs().amax(0)
        corner = corner / torch.where(peak > 0, peak, 1)
        slope = (corner[:, None] * self._slopes).sum(0)
        length = slope.square().sum(0).sqrt()
        way = slope / torch.where(length > 0, -length, 1)
        out = (self._flows * way).sum(1).T.reshape(-1, 1)
        divergence = segment_sum(out, self._mesh.topology.corners)[:, 0]
        potential = self._poisson.solve(-divergence)
        return self._measured(potential, place)

    def _measured(self, potential: Tensor, place: Tensor) -> Tensor:
        """Distances of a potential: zero at the sources, infinite where there are none."""
        count = int(self._parts.max()) + 1
        at = Incidence(self._parts[place], count)
        sums = segment_sum(torch.stack((potential[place], torch.ones(len(place))), 1), at)
        level = torch.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1].clamp(min=1), -torch.inf)
        found = potential - level[self._parts]
        found = (found * self._size).clamp(min=0)
        lone = ~self._mesh.topology.referenced
        found[lone] = torch.inf
        found[place] = 0
        return found[self._number].to(self._like.device, self._like.dtype)


def geodesic_distance(
    mesh: Mesh, sources: int | Sequence[int] | Tensor, *, time: float = 1.0
) -> Tensor:
    """(V,) distance along a mesh to the nearest of some vertices; see `GeodesicSolver`.

    Example:
        >>> far = ml.geometry.geodesic_distance(mesh, [0]).argmax()
    """
    return GeodesicSolver(mesh, time=time).distance(sources)


def _gradients(mesh: Mesh) -> tuple[Tensor, Tensor]:
    """For each corner, axis and face, (3, 3, F) both: what a value at the corner adds to the slope,
    by length; and what a unit vector in the face adds to the divergence at the corner."""
    a, b, c = mesh.triangles.unbind(1)
    edge = torch.stack((c - b, a - c, b - a))  # (3, F, 3), opposite the corners
    normal = mesh.face_normals().expand_as(edge)
    slope = torch.linalg.cross(normal, edge)
    # half the sum over the two edges at a corner of their cotangents times themselves
    flow = cotangents(mesh).T[..., None] * edge
    spread = 0.5 * (flow.roll(-2, 0) - flow.roll(-1, 0))
    return slope.transpose(1, 2).contiguous(), spread.transpose(1, 2).contiguous()


def _with_diagonal(
    start: Tensor, column: Tensor, values: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A CSR matrix with an entry on the diagonal of each row, also of empty ones, and where."""
    size = len(start) - 1
    row = torch.arange(size).repeat_interleave(start.diff())
    missing = torch.ones(size, dtype=torch.bool)
    missing[row[row == column]] = False
    if bool(missing.any()):
        more = missing.nonzero().squeeze(1)
        row, column = torch.cat((row, more)), torch.cat((column, more))
        values = torch.cat((values, values.new_zeros(len(more))))
        order = torch.argsort(row * size + column)
        row, column, values = row[order], column[order], values[order]
        start = torch.nn.functional.pad(torch.bincount(row, minlength=size).cumsum(0), (1, 0))
    return start, column, values, (row == column).nonzero().squeeze(1)
