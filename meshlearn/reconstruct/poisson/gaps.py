"""Gaps of a scan: points where its surface goes on, by the smoothest field that fits the rest.

A solid's indicator is flat away from points, so that Poisson's equation closes a gap as a soap film
would, dented in. Where a gap is, a distance-like field f bends as little as it can instead:

(P5) f is the least of sum_i w_i (a f(p_i)^2 + |grad f(p_i) - n_i|^2) + b integral |Hess f|^2
     + c sum over the border of the box h^2 (f - d)^2, with sum_i w_i = 1, lengths in sides of the
     box, h the cell and d the distance to the nearest point. Functions without second derivatives,
     planes, cost nothing; the border keeps what is far from all points outside

on a coarse grid, by conjugate gradients from coarser ones. Points on its zero set, away from those
of the scan, join them before Poisson's equation is solved.

Source of (P5): Calakli and Taubin, "SSD: Smooth Signed Distance Surface Reconstruction" (2011), but
for the border.
"""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from meshlearn import geometry
from meshlearn._threads import one_thread
from meshlearn.geometry.splatting import gather_at, splat
from meshlearn.isosurface import VoxelGrid, dual_marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.quadrics import quadric_normals
from meshlearn.reconstruct.poisson.screened import conjugate_gradients
from meshlearn.reconstruct.poisson.spectral import spectral_indicator


class Continued(NamedTuple):
    """A scan with gaps, and where its surface goes on over them."""

    normals: Tensor  # (P, 3) unit, of the given points
    places: Tensor  # (Q, 3) in the gaps
    facing: Tensor  # (Q, 3) unit normals there


def continued(
    points: Tensor, normals: Tensor, areas: Tensor, *, estimated: bool = False
) -> Continued | None:
    """Places and normals where the surface of points goes on over gaps; None where it has none.

    Args:
        points: (P, 3) in the unit box, well within it.
        normals: (P, 3) unit, outward.
        areas: (P,) that each stands for.
        estimated: the normals are those of planes of neighbours, which lean at the rim of a gap,
            where all neighbours are on one side: there they become those of quadrics.

    Returns:
        Normals, and places about as dense as the points; or None.

    Example:
        >>> more = continued(points, normals, point_areas(squared))
    """
    tree = geometry.PointTree(points)
    nodes = settings.GAP_NODES[-1]
    film = _zero_set(spectral_indicator(points, normals, areas, nodes, sigma=1.0), 1 - 1 / nodes)
    away = _beyond(film.vertices, tree, areas, 1 / nodes)
    if not len(away) or float(away.float().mean()) < settings.GAP_SHARE:
        return None
    if estimated:
        far = geometry.knn(points, film.vertices[away], 1)[0][:, 0]
        rim = far < (settings.GAP_RIM**2) * areas
        normals = normals.clone()
        normals[rim] = quadric_normals(
            tree, normals, rim.nonzero()[:, 0], neighbours=settings.GAP_QUADRIC
        )
    chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    chosen = chosen[: settings.GAP_POINTS].to(points.device)
    surface = _zero_set(smoothest_field(points[chosen], normals[chosen], areas[chosen]), 1.0)
    labels, parts = surface.topology.vertex_components()
    near = ~_beyond(surface.vertices, tree, areas, 1 / (nodes - 1))
    held = torch.bincount(labels[near], minlength=parts) > 0
    border = surface.topology.edges[surface.topology.boundary_edges]
    held[labels[border.reshape(-1)]] = False  # it runs out of the box
    faces = surface.faces[held[labels[surface.faces[:, 0]]]]
    if not len(faces):
        return None
    surface = Mesh(surface.vertices, faces)
    count = int(float(surface.area()) / float(areas.median()))
    drawn = torch.Generator().manual_seed(0)
    at = geometry.sample_surface(surface, min(count, settings.GAP_MOST), generator=drawn)
    corners = surface.vertex_normals()[surface.faces[at.faces]]
    facing = normalize((corners * at.barycentric[..., None]).sum(1), dim=1)
    over = _beyond(at.points, tree, areas, 1 / (nodes - 1))
    return Continued(normals, at.points[over], facing[over]) if bool(over.any()) else None


def _zero_set(field: Tensor, last: float) -> Mesh:
    """The zero set of a field (N, N, N) on nodes from 0 to `last` along each axis."""
    grid = VoxelGrid(
        len(field) - 1, bounds=((0.0,) * 3, (last,) * 3), device=field.device, dtype=field.dtype
    )
    with warnings.catch_warnings():  # what leaves the box is left out
        warnings.filterwarnings("ignore", "the surface reaches the border", RuntimeWarning)
        return dual_marching_cubes(grid, field.reshape(-1))


def _beyond(places: Tensor, tree: geometry.PointTree, areas: Tensor, cell: float) -> Tensor:
    """(Q,) bool: places farther from the nearest point than points lie from each other there."""
    squared, index = tree.knn(places, 1)
    reach = settings.GAP_REACH * areas[index[:, 0]].sqrt()
    return squared[:, 0].sqrt() > reach.clamp(min=settings.GAP_FIELD_CELLS * cell)


def smoothest_field(points: Tensor, normals: Tensor, areas: Tensor) -> Tensor:
    """(P5) the field that bends least between points, zero at them, with slopes as their normals.

    Args:
        points: (P, 3) in the unit box.
        normals: (P, 3) unit.
        areas: (P,) weights, of any sum.

    Returns:
        (N, N, N) in sides of the box, negative inside, node i at i / (N - 1).

    Example:
        >>> field = smoothest_field(points, normals, torch.ones(len(points)))
    """
    weights = (areas / areas.sum())[:, None]
    tree = geometry.PointTree(points)
    with one_thread():
        field = None
        for nodes, steps in zip(settings.GAP_NODES, settings.GAP_STEPS, strict=True):
            start = points.new_zeros(nodes, nodes, nodes)
            if field is not None:
                start = interpolate(
                    field[None, None], size=(nodes,) * 3, mode="trilinear", align_corners=True
                )[0, 0]
            field = _solved(start, _Bent(points, normals, weights, tree, nodes), steps)
    assert field is not None
    return field


class _Bent:
    """The quadratic form of (P5) on a grid: its matrix, right side, and diagonal."""

    def __init__(
        self,
        points: Tensor,  # (P, 3)
        normals: Tensor,  # (P, 3)
        weights: Tensor,  # (P, 1) of sum 1
        tree: geometry.PointTree,
        nodes: int,
    ) -> None:
        self.at, self.shape, self.cell = points * (nodes - 1), [nodes] * 3, 1 / (nodes - 1)
        tied = torch.full((1, 4), 1.0).to(points)
        tied[0, 0] = settings.GAP_PLACES
        self.weights = weights * tied  # of a value and of three slopes
        self.bend = settings.GAP_BEND / self.cell  # h^3 for a node's volume, h^-4 of two slopes
        border = points.new_zeros(self.shape)
        for axis in range(3):
            border.select(axis, 0).fill_(1.0)
            border.select(axis, nodes - 1).fill_(1.0)
        index = border.nonzero()
        far = torch.zeros_like(border)
        far[tuple(index.T)] = tree.knn(index * self.cell, 1)[0][:, 0].sqrt()
        self.border = border * (settings.GAP_BORDER * self.cell**2)
        slopes = splat(self.at, normals * weights, self.shape)
        self.right = _slopes_transposed(slopes / self.cell) + self.border * far
        mass = splat(self.at, weights, self.shape)[0] * settings.GAP_DIAGONAL
        own = 3 * 6 + 3 * 2 * 4  # squares of 1, -2, 1 along three axes; of 1, -1, -1, 1, twice
        pulls = mass * (settings.GAP_PLACES + 1 / self.cell**2)
        self.diagonal = own * self.bend + pulls + self.border

    def applied(self, f: Tensor) -> Tensor:
        out = self.border * f
        for axis in range(3):
            _add_bent(f, axis, out, self.bend)
        for one, two in combinations(range(3), 2):
            _add_twisted(f, one, two, out, 2 * self.bend)
        read = gather_at(self.at, torch.cat((f[None], _slopes(f) / self.cell)))
        pulled = splat(self.at, read * self.weights, self.shape)
        return out + pulled[0] + _slopes_transposed(pulled[1:] / self.cell)


def _solved(field: Tensor, form: _Bent, steps: int) -> Tensor:
    """Conjugate gradients, preconditioned by the diagonal."""
    return conjugate_gradients(
        form.applied, form.right, field, lambda r: r / form.diagonal, steps, settings.GAP_END
    )


def _slopes(f: Tensor) -> Tensor:
    """(3, N, N, N) central differences, once around."""
    return torch.stack([(f.roll(-1, axis) - f.roll(1, axis)) / 2 for axis in range(3)])


def _slopes_transposed(v: Tensor) -> Tensor:
    parts = [(v[axis].roll(1, axis) - v[axis].roll(-1, axis)) / 2 for axis in range(3)]
    return parts[0] + parts[1] + parts[2]


def _add_bent(f: Tensor, axis: int, out: Tensor, weight: float) -> None:
    """Adds D'Df of the second differences D along an axis, none over the border."""
    count = f.shape[axis] - 2
    bent = f.narrow(axis, 0, count) + f.narrow(axis, 2, count)
    bent = bent.sub_(f.narrow(axis, 1, count), alpha=2)
    out.narrow(axis, 0, count).add_(bent, alpha=weight)
    out.narrow(axis, 1, count).add_(bent, alpha=-2 * weight)
    out.narrow(axis, 2, count).add_(bent, alpha=weight)


def _add_twisted(f: Tensor, one: int, two: int, out: Tensor, weight: float) -> None:
    """Adds D'Df of the differences D along two axes, in cells."""
    turned = f.diff(dim=one).diff(dim=two)
    for i in (0, 1):
        for j in (0, 1):
            part = out.narrow(one, i, turned.shape[one]).narrow(two, j, turned.shape[two])
            part.add_(turned, alpha=weight if i == j else -weight)
