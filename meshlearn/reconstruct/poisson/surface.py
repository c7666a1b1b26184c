"""`poisson`: a closed mesh of points by Poisson's equation, in seconds.

Outliers go, noise is measured, normals are found where there are none, and noisy points are moved
onto the surface between them (`noise`, `orientation`, `planes`). Others stand for the surface in
gaps (`gaps`). The indicator of the solid that
their normals bound (`spectral`) is then cut at zero by dual marching cubes, and where points are
nearly exact its vertices are drawn onto their tangent planes.
"""

from __future__ import annotations

import logging
import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._compile import eager
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.geometry.splatting import gather_at
from meshlearn.isosurface import VoxelGrid, dual_marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.fine import finer_levels, level_mesh
from meshlearn.reconstruct.poisson.gaps import continued
from meshlearn.reconstruct.poisson.noise import inliers, point_noise, point_spacing
from meshlearn.reconstruct.poisson.orientation import oriented_normals, unit_box
from meshlearn.reconstruct.poisson.planes import local_offsets, smoothed_points
from meshlearn.reconstruct.poisson.screened import screened_indicator
from meshlearn.reconstruct.poisson.spectral import point_areas, spectral_solution
from meshlearn.reconstruct.poisson.thinning import Thinned
from meshlearn.reconstruct.poisson.trimming import trimmed

_log = logging.getLogger(__name__)


class Cleaned(NamedTuple):
    """A scan that is ready to become a surface."""

    points: Tensor  # (Q, 3)
    normals: Tensor  # (Q, 3) unit, outward
    noise: float  # of the points as they were given
    spacing: float
    kept: Tensor  # (P,) bool, which of the given points these are
    estimated: bool = False  # the normals are those of their neighbours' planes


def clean_points(
    points: Tensor,
    normals: Tensor | None = None,
    *,
    noise: float | None = None,
    outliers: bool = True,
) -> Cleaned:
    """Points without outliers, with normals, moved onto the surface that is between them.

    Args:
        points: (P, 3), at least 16.
        normals: (P, 3) unit, outward, or None.
        noise: standard deviation of the points across the surface, in their unit; None: measured.
        outliers: look for points that lie alone, or off the surface of their neighbours, and leave
            them out.

    Example:
        >>> clean = clean_points(cloud.points, cloud.normals)
    """
    kept = inliers(points) if outliers else points.new_ones(len(points), dtype=torch.bool)
    if int(kept.sum()) < settings.LEAST_POINTS:
        kept = torch.ones_like(kept)
    near = points[kept]
    own = None if normals is None else normals[kept]
    spacing = point_spacing(near)
    if not spacing > 0:
        raise ValueError("points: expected distinct points, got mostly one place")
    found = point_noise(near) if noise is None else float(noise)
    for last in (False, True):
        facing = oriented_normals(near, noise=found, spacing=spacing) if own is None else own
        smooth, turned, moved = smoothed_points(
            near, facing, noise=found, spacing=spacing, narrow=found <= settings.EXACT * spacing
        )
        stray = moved.abs() > settings.STRAY * found + 0.5 * spacing
        if last or not outliers or not bool(stray.any()) or float(stray.float().mean()) > 0.2:
            break
        kept[kept.nonzero()[stray, 0]] = False
        near = points[kept]
        own = None if own is None else own[~stray]
    if found <= settings.ORIENT_QUADRIC * spacing:
        turned = facing  # those of quadrics, which means would blur
    if found <= settings.EXACT * spacing:
        smooth = near
    return Cleaned(
        smooth, turned if own is None else own, found, spacing, kept, estimated=own is None
    )


@eager
def poisson(
    points: Tensor,
    normals: Tensor | None = None,
    *,
    resolution: int | None = None,
    sigma: float = settings.POISSON_SIGMA,
    noise: float | None = None,
    outliers: bool = True,
    trim: float | None = None,
    screen: bool | None = None,
    progress: bool | None = None,
) -> Mesh:
    """A closed mesh of the surface that points lie on, by Poisson's equation.

    Args:
        points: (P, 3) float32 or float64, at least 16, finite. Where they lie far from the origin
            they are taken from their middle, in their own precision. Those beyond a million are
            thinned to the means in small cells, see `thinning`.
        normals: (P, 3) of any lengths, outward; None for unoriented points, whose normals are
            found. Zero ones take their neighbours', mixed and inward ones are turned, with a
            warning, see `agreeing_normals`.
        resolution: cells along the longest side of the points' box, up to 2048; None: two for each
            spacing of the points, 48 to 256. Beyond 256, of exact points beyond 160, they are held
            near the surface alone, and the indicator is screened, see `fine`.
        sigma: smoothing of the indicator, in cells, and 0.45 spacings at least; more for noisy
            points with normals that say more than they do.
        noise: standard deviation of the points across the surface, in their unit; None: measured.
        outliers: leave out points that lie alone or off the surface of their neighbours.
        trim: leave a scan of a part of a surface open: it ends half a spacing beyond its outermost
            points, and gaps narrower than twice so many spacings are closed, see `trimmed`; None:
            all are. Gaps are closed as the surface around them bends.
        screen: draw the indicator to zero at every point, as gaps keep it off; None: where it is
            off by more than points with their noise are, see `screened`.
        progress: a bar on stderr, where cells are held so; None: where that is a terminal.

    Returns:
        The mesh, normals outward, with the vertex attribute "confidence" (V, 1): the density of
        points at a vertex, of the median, at most 1; small where a gap was filled.

    Raises:
        ValueError: bad input, or points that have no surface: all in one place, on one line or,
            unless trimmed, in one plane; cells for which there is not enough memory.

    Example:
        >>> mesh = ml.poisson(cloud.points, cloud.normals)
        >>> mesh = ml.poisson(scan, trim=3.0)      # unoriented, of one side of a thing

    Sources: see `spectral`, `screened`, `fine`, `planes` and `gaps`.
    """
    from meshlearn.reconstruct.targets.point_normals import agreeing_normals

    check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
    if len(points) < settings.LEAST_POINTS:
        raise ValueError(
            f"points: expected at least {settings.LEAST_POINTS} for a surface, got {len(points)}"
        )
    if resolution is not None and not (
        isinstance(resolution, int) and 8 <= resolution <= settings.POISSON_LIMIT
    ):
        raise ValueError(
            f"resolution: expected 8 to {settings.POISSON_LIMIT} cells, got {resolution!r}"
        )
    for name, value in (("sigma", sigma), ("noise", noise), ("trim", trim)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name}: expected a number of 0 or more, got {value!r}")
    points = points.detach()
    middle = (points.amin(0) + points.amax(0)).double() / 2
    size = float((points.amax(0) - points.amin(0)).double().max())
    if not size > 0:
        raise ValueError("points: expected distinct points, got mostly one place")
    near = ((points.double() - middle) / size).float()  # in one frame, whatever the unit
    step = float(points.abs().max()) * torch.finfo(points.dtype).eps
    if step > settings.COARSE_STEP * size:
        warnings.warn(
            f"points: they lie so far from the origin that {str(points.dtype)[6:]} keeps steps of "
            f"{step:.2g} of their size of {size:.3g}; take the origin off in float64 first",
            stacklevel=3,
        )
    if normals is not None:
        check_tensor(normals, "normals", shape=tuple(points.shape), dtype=FLOATS, finite=True)
        normals = normals.detach()
    if len(near) > (most := most_points(resolution)):
        near, normals = _thinned(near, normals, most)
    single = _first_of_each(near)
    if len(single) < len(near):
        if len(single) < settings.LEAST_POINTS:
            raise ValueError(
                f"points: expected at least {settings.LEAST_POINTS} places for a surface, got "
                f"{len(points)} points in {len(single)}"
            )
        near, normals = near[single], None if normals is None else normals[single]
    if normals is not None:
        normals, said = agreeing_normals(near, normals.to(near))
        for sentence in said:
            warnings.warn(sentence, stacklevel=3)
    thin = thinness(near)
    if thin[1] < settings.THIN or (thin[0] < settings.THIN and trim is None):
        where = "on one line" if thin[1] < settings.THIN else "in one plane"
        raise ValueError(
            f"points: expected points around a solid, got all {where}"
            + ("" if "line" in where else "; trim= gives the open surface that they lie on")
        )
    scaled = None if noise is None else noise / size
    clean = clean_points(near, normals, noise=scaled, outliers=outliers)
    lost = int((~clean.kept).sum())
    _log.info(
        "%d places of points: spacing %.4g, noise %.2f spacings, %d outliers left out",
        len(near), clean.spacing * size, clean.noise / clean.spacing, lost,
    )  # fmt: skip
    mesh = indicator_mesh(
        clean, resolution=resolution, sigma=sigma, screen=screen, progress=progress
    )
    tree = geometry.PointTree(clean.points)
    if trim is not None:
        mesh = trimmed(
            mesh,
            tree,
            reach=trim * clean.spacing,
            inset=settings.TRIM_INSET * clean.spacing,
            frayed=settings.TRIM_NOISE * clean.noise,
        )
    confidence = _confidence(mesh.vertices, tree, clean.spacing)
    vertices = (mesh.vertices.double() * size + middle).to(points.dtype)
    return Mesh(vertices, mesh.faces, vertex_attributes={"confidence": confidence[:, None]})


def most_points(resolution: int | None) -> int:
    """How many points a surface of so many cells is made of; of more it is no better.

    Example:
        >>> most_points(None)
        1000000
    """
    return max(settings.POISSON_POINTS, 6 * (resolution or 0) ** 2)


def _thinned(points: Tensor, normals: Tensor | None, most: int) -> tuple[Tensor, Tensor | None]:
    thin = Thinned(most)
    for first in range(0, len(points), most):
        part = slice(first, first + most)
        facing = None if normals is None else normals[part].cpu().numpy()
        thin.add(points[part].cpu().numpy(), facing)
    few, facing = thin.result()
    _log.info("%d points thinned to %d", len(points), len(few))
    kept = torch.from_numpy(few).to(points)
    return kept, None if facing is None else torch.from_numpy(facing).to(points)


def indicator_mesh(
    clean: Cleaned,
    *,
    resolution: int | None,
    sigma: float,
    screen: bool | None,
    progress: bool | None = None,
) -> Mesh:
    """The closed surface of cleaned points, see `poisson`; gaps continued, or under a film."""
    box, middle, side = unit_box(clean.points, settings.POISSON_PAD)
    if resolution is None:
        cells = side / (settings.POISSON_CELLS * clean.spacing)
        nodes = int(min(max(cells, settings.POISSON_LEAST), settings.POISSON_MOST))
    else:
        nodes = math.ceil(resolution * settings.POISSON_PAD)
    exact = clean.noise <= settings.DRAWN_BELOW * clean.spacing
    nodes, doublings = _halved(nodes, settings.FINE_FROM[0 if exact else 1])
    smoothing = sigma / math.pi  # standard deviation, in cells
    # fewer points than cells ask for would be bubbles each
    sigma = max(sigma, settings.POISSON_REACH * clean.spacing / side * nodes)
    tree = geometry.PointTree(box)
    weights = point_areas(tree.knn(box, min(13, len(box)))[0])
    places, facing = box, clean.normals
    more = continued(box, facing, weights, estimated=clean.estimated)
    if more is not None:
        _log.info("%d points stand for the surface in gaps", len(more.places))
        places, facing = torch.cat((box, more.places)), torch.cat((more.normals, more.facing))
        weights = point_areas(geometry.knn(places, places, min(13, len(places)))[0])
    chi, strengths = spectral_solution(places, facing, weights, nodes, sigma=sigma)
    if screen is None:
        off = float(gather_at(places * nodes, chi[None]).abs().mean())
        least = settings.SCREEN_FROM + settings.SCREEN_NOISE * clean.noise / clean.spacing
        screen = least < off < settings.SCREEN_UPTO
    if screen:
        chi = screened_indicator(chi, places, weights)
    for axis in range(3):  # what would leave the box ends at it, closed
        for end in (0, nodes - 1):
            chi.select(axis, end).clamp_(min=settings.POISSON_BORDER)
    spacing, noise = clean.spacing / side, clean.noise / side
    if doublings:
        level = finer_levels(
            places, facing, weights, strengths, chi, doublings, spacing=spacing,
            noise=noise, smoothing=smoothing, progress=progress,
        )  # fmt: skip
        mesh, nodes = level_mesh(level), level.nodes
    else:
        last = (nodes - 1) / nodes
        grid = VoxelGrid(
            nodes - 1, bounds=((0.0,) * 3, (last,) * 3), device=box.device, dtype=box.dtype
        )
        mesh = dual_marching_cubes(grid, chi.reshape(-1))
    if exact and mesh.num_faces:
        mesh = _drawn(mesh, tree, clean.normals, spacing, noise, 1 / nodes)
    return mesh.with_vertices((mesh.vertices - 0.5) * side + middle)


def _drawn(
    mesh: Mesh, tree: geometry.PointTree, normals: Tensor, spacing: float, noise: float, cell: float
) -> Mesh:
    """A mesh with vertices moved onto the tangent planes of the points around them."""
    offset, turned, _ = local_offsets(
        mesh.vertices,
        mesh.vertex_normals(),
        tree,
        normals,
        widths=(settings.DRAWN_WIDTH,),
        noise=noise,
        spacing=spacing,
        turn=settings.PLANE_TURN,
        neighbours=settings.DRAWN_NEIGHBOURS,
    )
    away = tree.knn(mesh.vertices, 1)[0][:, 0].sqrt() / (settings.DRAWN_REACH * spacing)
    share = (2 - away).clamp(0, 1)  # what no point is near to stays
    step = (offset * share).clamp(-settings.DRAWN_STEP * cell, settings.DRAWN_STEP * cell)
    return mesh.with_vertices(mesh.vertices - step[:, None] * turned)


def _confidence(vertices: Tensor, tree: geometry.PointTree, spacing: float) -> Tensor:
    """(V,) density of points at vertices, of the median, at most 1."""
    count = min(settings.CONFIDENT, len(tree.points))
    squared = tree.knn(vertices, count)[0]
    usual = spacing**2 * count / math.pi
    return (usual / squared[:, -1].clamp(min=1e-30)).clamp(max=1)


def _first_of_each(points: Tensor) -> Tensor:
    """Ascending indices of points (P, 3) that stand where no earlier one does."""
    count = len(points)
    mixed = points.double() @ points.new_tensor([1.0, 0.7548776662, 0.5698402910]).double()
    if len(torch.unique(mixed)) == count:  # quick, and tells nearly always
        return torch.arange(count, device=points.device)
    places, label = torch.unique(points, dim=0, return_inverse=True)
    first = torch.full((len(places),), count, dtype=torch.int64, device=points.device)
    first.scatter_reduce_(0, label, torch.arange(count, device=points.device), "amin")
    return first.sort().values


def thinness(points: Tensor) -> list[float]:
    """Spread of points along their least and their middle axis, of that along their greatest."""
    offset = (points - points.mean(0)).double()
    spread = torch.linalg.eigvalsh(offset.T @ offset).clamp(min=0).sqrt()
    return (spread / spread[-1].clamp(min=1e-300)).tolist()


def _halved(nodes: int, most: int) -> tuple[int, int]:
    """Nodes of the grid that fills the box, and how often its cells are halved near points, where
    there would be more than `most` nodes."""
    if nodes <= most:
        return _quick(nodes), 0
    doublings = math.ceil(math.log2(nodes / settings.FINE_START))
    return _quick(math.ceil(nodes / 2**doublings)), doublings


def _quick(nodes: int) -> int:
    """The next number of nodes up whose Fourier transform is quick: 2^a 3^b 5^c, even."""
    while True:
        rest = nodes
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and nodes % 2 == 0:
            return nodes
        nodes += 1
