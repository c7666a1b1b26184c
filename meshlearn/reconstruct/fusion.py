"""Depth images to a surface: their signed distances, averaged on the cells near what was seen.

Each image gives a point p in space the distance along its axis from p to the surface that it saw
there, made a distance across the surface by the cosine between view and normal, and cut off at
`reach`: D(p) = sum w min(d, reach) / sum w, over the images that see p or whose surface is less
than `reach` before it; w is that cosine over the squared depth (Curless and Levoy 1996, "A
volumetric method for building complex models from range images", equations 3 and 4). The surface
is the zero set of D between points that some image knows, so it is open where nobody looked.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.sparse_cells import children
from meshlearn.mesh import Mesh, far_middle, moved
from meshlearn.reconstruct.targets.visual_hull import backproject
from meshlearn.render import Camera, ImageSet
from meshlearn.render.homogeneous import Projection, homogeneous_matrix

REACH = 4.0  # cells; 3 to 5 serve
LEAST_COSINE = 0.2  # a surface seen at less than 11 degrees tells little and is left out
_BLOCK = 4  # cells of a side, in which space is taken in
_FAR_BOX = 3.0  # a box so many times as large as that of 99 % of the points holds strays
_LOOKED_AT = 5_000  # points by which the unit of the depth is judged
_AGREE, _DISAGREE = 0.02, 0.1  # median misfit of two images, over the depth
_UNITS = (1e-3, 1e3)


class Fused(NamedTuple):
    """Signed distances on the cells near what was seen.

    Attributes:
        grid: the cells.
        values: (N,) at its vertices, positive outside, at most the reach; NaN where no image tells.
        weights: (N,) sum of the images' weights, 1 for an image of the mean depth that looks
            straight at the surface; 0 where none tells.
        colors: (N, 3) in 0 to 1, or None; NaN where no image tells.
    """

    grid: SparseVoxelGrid
    values: Tensor
    weights: Tensor
    colors: Tensor | None

    def mesh(self, *, least: float = 0.0) -> Mesh:
        """The surface, normals towards the cameras; open where a cell has an unknown corner.

        Args:
            least: weight up to which a vertex of the grid counts as unknown.

        Returns:
            A mesh with the vertex attribute "color" (V, 3), where there are colours.
        """
        known = self.weights > least
        far = torch.where(known, self.values, 0.0).abs().max() if len(known) else 1.0
        with warnings.catch_warnings():  # that it is open is no fault here
            warnings.filterwarnings("ignore", "the surface reaches the border")
            mesh = marching_cubes(self.grid, torch.where(known, self.values, far))
        if mesh.num_vertices == 0:
            return mesh
        grid = SparseVoxelGrid.from_points(
            mesh.vertices,
            self.grid.resolution,
            bounds=self.grid.bounds,
            band=0,
            dtype=self.grid.dtype,
        )
        place = self.grid.vertex_index(grid.vertex_keys)
        there = known[place] & (place >= 0)
        if not bool(there.all()):  # what lies on an edge of which an end is unknown is no surface
            share = grid.interpolate(there.to(self.values), mesh.vertices)
            keep = (share > 1 - 1e-4)[mesh.faces].all(1)
            mesh = mesh.submesh(keep).mesh
        if self.colors is None or mesh.num_vertices == 0:
            return mesh
        colors = grid.interpolate(self.colors[place.clamp(min=0)], mesh.vertices)
        missing = torch.isnan(colors).any(1)  # a corner beyond the reach of all images with colour
        if bool(missing.any()):
            colors[missing] = _nearest_color(mesh.vertices, colors, missing)
        mesh.vertex_attributes["color"] = colors.clamp(0, 1)
        return mesh


def _nearest_color(points: Tensor, colors: Tensor, missing: Tensor) -> Tensor:
    from meshlearn.geometry import knn

    if bool(missing.all()):
        return torch.full_like(colors, 0.5)
    near = knn(points[missing], points[~missing], 1).index[:, 0]
    return colors[~missing][near]


def fuse_depth(
    depths: Tensor,
    cameras: Camera,
    *,
    resolution: int = 128,
    masks: Tensor | None = None,
    colors: Tensor | None = None,
    reach: float = REACH,
    bounds: Tensor | None = None,
) -> Mesh:
    """Depth images with their cameras to the surface that they saw, open where nobody looked.

    Args:
        depths: (N, H, W), camera z at pixel centres in the world's unit, 0 or NaN for none.
        cameras: a batch of N.
        resolution: cells along the longest side of the box.
        masks: (N, H, W) share of each pixel that the object covers; depth beside it is left aside.
        colors: (N, H, W, 3) in 0 to 1; they become the vertex attribute "color".
        reach, bounds: as in `fuse_images`.

    Returns:
        The mesh, normals towards the cameras; float64 where cameras lie far from the origin.

    Raises:
        ValueError: see `fuse_images`; or other numbers of images and cameras.

    Example:
        >>> mesh = ml.fuse_depth(depths, cameras, resolution=256)
    """
    if not isinstance(cameras, Camera) or not cameras.batched:
        raise ValueError(
            f"cameras: expected a batch of cameras, got {type(cameras).__name__}; for one image "
            "index a batch by a slice"
        )
    depth = torch.as_tensor(depths, dtype=torch.float32)
    if depth.dim() != 3 or len(depth) != len(cameras):
        raise ValueError(
            f"depths: expected ({len(cameras)}, H, W), one image a camera, got {tuple(depth.shape)}"
        )
    images = ImageSet(cameras, depth=depth, masks=masks, colors=colors)
    for kind in images.kinds:
        if getattr(images, kind).shape[:3] != depth.shape:
            raise ValueError(
                f"{kind}: expected {tuple(depth.shape)} in front, as the depths, got "
                f"{tuple(getattr(images, kind).shape)}"
            )
    middle = far_middle(cameras.position.reshape(-1, 3))
    near = images if middle is None else images.moved(-middle)
    near = replace(near, cameras=near.cameras.to(torch.float32))
    box = None if bounds is None else torch.as_tensor(bounds, dtype=torch.float64)
    if box is not None and middle is not None:
        box = box - middle.to(box)
    mesh = fuse_images(near, resolution=resolution, reach=reach, bounds=box).mesh()
    return mesh if middle is None else moved(mesh, middle)


def fuse_images(
    images: ImageSet,
    *,
    resolution: int = 256,
    reach: float = REACH,
    bounds: Tensor | None = None,
    backend: str = "native",
) -> Fused:
    """Depth images with their cameras as one signed distance field.

    Args:
        images: with depth (N, H, W), camera z in the world's unit, 0 for none; colours are taken
            along where they are there. Masks, if any, leave depth outside of them aside.
        resolution: cells along the longest side of the box.
        reach: cells before and behind a surface that an image speaks of. A wall thinner than this
            is thickened, since it is seen from both sides.
        bounds: (2, 3) box; default: that of all points seen, without strays.
        backend: "native" or "reference".

    Returns:
        See `Fused`; `Fused.mesh` makes the surface. About the origin: images that lie far from it
        are for `reconstruct(images, method="tsdf")`, which moves them.

    Raises:
        ValueError: no depth, none that is positive, fewer than 2 or more than 4096 cells, or depth
            that is of another unit than the cameras.

    Example:
        >>> images = meshlearn.render.render_images(mesh, 40, size=256)
        >>> scan = fuse_images(images, resolution=128).mesh()
    """
    if not isinstance(images, ImageSet):
        raise ValueError(f"images: expected an ImageSet, got {type(images).__name__}")
    if images.depth is None:
        raise ValueError(
            f"images: expected depth to fuse, got {', '.join(images.kinds)}; masks and colours are "
            "for the methods that fit"
        )
    if not isinstance(resolution, int) or not 2 <= resolution <= 4096:
        raise ValueError(f"resolution: expected 2 to 4096 cells, got {resolution!r}")
    if not reach > 1:
        raise ValueError(f"reach: expected more than one cell, got {reach!r}")
    if backend not in ("native", "reference"):
        raise ValueError(f"backend: expected 'native' or 'reference', got {backend!r}")
    depth = _cleaned(images)
    cameras = images.cameras
    _check_unit(cameras, depth)
    points = backproject(cameras, _thinned(cameras, depth, resolution))
    box = _box(points) if bounds is None else torch.as_tensor(bounds, dtype=torch.float64)
    grid = _cells(points, box, resolution, reach)
    surface = _surface(cameras, depth)
    colors = None if images.colors is None else images.colors[..., :3].to(depth).contiguous()
    h, w = images.size
    projection = Projection(cameras.view, cameras.focal, cameras.centre, cameras.orthographic, h, w)
    matrix = homogeneous_matrix(projection).to(depth).contiguous()
    cell = max(grid.spacing)
    given = (grid.vertices, matrix, depth.contiguous(), surface, colors, reach * cell)
    native = backend == "native" and use_native(depth)
    op = torch.ops.meshlearn.fuse_depth if native else fuse_depth_reference
    value, weight, color, shown = op(*given)
    values = torch.where(weight > 0, value / weight.clamp(min=1e-30), torch.nan)
    painted = None
    if colors is not None:
        painted = torch.where(
            shown[:, None] > 0, color / shown.clamp(min=1e-30)[:, None], torch.nan
        )
    return Fused(grid, values, weight, painted)


def _cleaned(images: ImageSet) -> Tensor:
    """(N, H, W) depth, 0 where there is none, be it NaN, infinite, negative or beside the masks."""
    assert images.depth is not None
    depth = torch.where(torch.isfinite(images.depth) & (images.depth > 0), images.depth, 0.0)
    if images.masks is not None:
        depth = torch.where(images.masks >= 0.5, depth, 0.0)
    if images.known is not None:
        depth = torch.where(images.known, depth, 0.0)
    if not bool((depth > 0).any()):
        raise ValueError(
            "depth: no pixel has a depth; expected camera z in the world's unit, 0 for none"
        )
    return depth


def _surface(cameras: Camera, depth: Tensor) -> Tensor:
    """(N, H, W, 2) distance across the surface per unit of depth, and the weight of a pixel.

    With the ray r = (x, y, 1) of a pixel, a step dz along the axis is dz |n r| across a surface of
    unit normal n; the slopes g = dz/dx / z, dz/dy / z of the depth tell
    1 / |n r|^2 = g_x^2 + g_y^2 + (1 + g_x x + g_y y)^2.
    """
    n, h, w = depth.shape
    focal = (cameras.focal.expand(n, 2) * h).to(depth)
    centre = cameras.centre.expand(n, 2).to(depth)
    across = [
        (
            torch.arange(size, device=depth.device, dtype=depth.dtype)
            + 0.5
            - centre[:, k : k + 1] * size
        )
        / focal[:, k : k + 1]
        for k, size in enumerate((w, h))
    ]
    x, y = across[0][:, None, :], across[1][:, :, None]
    gx, gy = (_slope(depth, 2 - k) * focal[:, k, None, None] for k in (0, 1))
    if cameras.orthographic:
        slope, long = torch.rsqrt(1 + gx**2 + gy**2), torch.ones_like(depth)
        nearness = long
    else:
        safe = depth.clamp(min=1e-30)
        gx, gy = gx / safe, gy / safe
        slope = torch.rsqrt(gx**2 + gy**2 + (1 + gx * x + gy * y) ** 2)
        long = torch.sqrt(1 + x**2 + y**2)
        nearness = (depth[depth > 0].double().mean().to(depth) / safe) ** 2
    cosine = slope / long
    trust = torch.where((depth > 0) & (cosine > LEAST_COSINE), cosine * nearness, 0.0)
    return torch.stack((slope, trust), -1).contiguous()


def _slope(depth: Tensor, axis: int) -> Tensor:
    """Change of depth per pixel along an axis, the smaller one of both sides, 0 where there is no
    neighbour with a depth."""
    n = depth.shape[axis]
    out = torch.full_like(depth, torch.inf)
    if n > 1:
        a, b = depth.narrow(axis, 0, n - 1), depth.narrow(axis, 1, n - 1)
        step = torch.where((a > 0) & (b > 0), b - a, torch.inf)
        out.narrow(axis, 0, n - 1).copy_(step)
        rest = out.narrow(axis, 1, n - 1)
        rest.copy_(torch.where(step.abs() < rest.abs(), step, rest))
    return torch.where(torch.isfinite(out), out, 0.0)


def _thinned(cameras: Camera, depth: Tensor, resolution: int) -> Tensor:
    """Depth with only so many pixels left that each block of cells gets some."""
    seen = depth > 0
    rows, columns = seen.any(2).sum(1).max(), seen.any(1).sum(1).max()
    step = int(max(int(rows), int(columns)) * _BLOCK // (3 * resolution))
    if step < 2:
        return depth
    thin = torch.zeros_like(depth)
    thin[:, ::step, ::step] = depth[:, ::step, ::step]
    return thin


def _box(points: Tensor) -> Tensor:
    """(2, 3) float64 box of points, of the inner 99 % where the rest is strays far off."""
    whole = torch.stack((points.amin(0), points.amax(0))).double()
    few = points[:: max(1, len(points) // 200_000)]
    ends = torch.quantile(few.double(), few.new_tensor([0.005, 0.995]).double(), dim=0)
    size = (ends[1] - ends[0]).clamp(min=1e-12)
    if bool(((whole[1] - whole[0]) > _FAR_BOX * size.max()).any()):
        whole = torch.stack((ends[0] - size / 4, ends[1] + size / 4))
    return whole.cpu()


def _cells(points: Tensor, box: Tensor, resolution: int, reach: float) -> SparseVoxelGrid:
    """The cells within `reach` of the points, by blocks."""
    side = float((box[1] - box[0]).max()) or 1.0
    band = 1 + int(-(-reach // _BLOCK))
    cell = side / max(resolution - 2 * int(reach) - 2, 1)
    blocks = [
        max(1, -(-int((b - a) / cell + 2 * reach + 2) // _BLOCK))
        for a, b in zip(*box.tolist(), strict=True)
    ]
    extent = torch.tensor(blocks, dtype=torch.float64) * (_BLOCK * cell)
    middle = box.mean(0)
    bounds = torch.stack((middle - extent / 2, middle + extent / 2))
    coarse = SparseVoxelGrid.from_points(
        points, blocks, bounds=bounds, band=band - 1, dtype=points.dtype
    )
    cells = children(children(coarse.cells))
    return SparseVoxelGrid(
        cells,
        [_BLOCK * n for n in blocks],
        bounds=bounds,
        device=points.device,
        dtype=points.dtype,
    )


def _check_unit(cameras: Camera, depth: Tensor) -> None:
    """Raises ValueError where images agree with each other in another unit of depth only."""
    if len(cameras) < 2:
        return
    misfit = _misfit(cameras, depth)
    if misfit < _DISAGREE:
        return
    for factor in _UNITS:
        if _misfit(cameras, depth * factor) < _AGREE:
            raise ValueError(
                "depth: the images agree with each other only where it is multiplied by "
                f"{factor:g}; it is in another unit than the cameras: set integer_depth_scale in "
                "transforms.json, or multiply the images"
            )


def _misfit(cameras: Camera, depth: Tensor) -> float:
    """Median over points of how far another image's depth is from theirs, over the depth; infinite
    where no point is seen by another image. Of what hides a point, and of what is behind it far
    more than its own depth away, nothing is said."""
    n, h, w = depth.shape
    off = []
    for i in range(min(n, 8)):
        k = (i * n) // min(n, 8)
        seen = torch.zeros_like(depth[k : k + 1])
        step = max(1, round((h * w / _LOOKED_AT) ** 0.5))
        seen[:, ::step, ::step] = depth[k : k + 1, ::step, ::step]
        if not bool((seen > 0).any()):
            continue
        points = backproject(cameras[k : k + 1] if n > 1 else cameras, seen)
        best = torch.full((len(points),), torch.inf, dtype=points.dtype, device=points.device)
        for j in range(n):
            if j == k:
                continue
            place = cameras[j].project(points, (h, w))
            u, v, z = place[:, 0], place[:, 1], place[:, 2]
            inside = (u >= 0) & (v >= 0) & (u < w) & (v < h) & (z > 0)
            at = depth[j][v.clamp(0, h - 1).long(), u.clamp(0, w - 1).long()]
            gap = torch.where(inside & (at > 0), (at - z).abs() / z.clamp(min=1e-30), torch.inf)
            best = torch.minimum(best, gap)
        off.append(best)
    if not off:
        return float("inf")
    return float(torch.cat(off).median())


def fuse_depth_reference(
    points: Tensor,
    matrix: Tensor,
    depth: Tensor,
    surface: Tensor,
    colors: Tensor | None,
    reach: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Torch reference of the `fuse_depth` operator.

    Args:
        points: (P, 3).
        matrix: (N, 4, 4) world to (u w, v w, z, w), see `meshlearn.render.homogeneous`.
        depth: (N, H, W), 0 for none.
        surface: (N, H, W, 2) distance across the surface per unit of depth, and weight.
        colors: (N, H, W, 3) or None.
        reach: where distances are cut off.

    Returns:
        sum of weight and distance (P,), of weights (P,), and of colours (P, 3) and their weights
        (P,), which are empty without colours.
    """
    n, h, w = depth.shape
    value, weight = points.new_zeros(len(points)), points.new_zeros(len(points))
    color = points.new_zeros(len(points) if colors is not None else 0, 3)
    shown = points.new_zeros(len(color))
    for i in range(n):
        m = matrix[i]
        place = points @ m[:, :3].T + m[:, 3]
        last, away = place[:, 3], place[:, 2]
        ahead = (last > 0) & (away > 0)
        u, v = (place[:, k] / torch.where(ahead, last, 1.0) for k in (0, 1))
        use = ahead & (u >= 0) & (v >= 0) & (u < w) & (v < h)
        column, row = (torch.where(use, c, 0.0).long() for c in (u, v))
        nearest, (slope, trust) = depth[i][row, column], surface[i][row, column].unbind(-1)
        use &= (nearest > 0) & (trust > 0)
        there = _between(depth[i], u, v, nearest, reach / slope.clamp(min=1e-30), use)
        distance = (there - away) * slope
        use &= away - there <= reach
        trust = torch.where(use, trust, 0.0)
        value += trust * torch.where(use, distance.clamp(max=reach), 0.0)
        weight += trust
        if colors is not None:
            near = torch.where(distance < reach, trust, 0.0)
            color += near[:, None] * colors[i][row, column]
            shown += near
    return value, weight, color, shown


def _between(
    image: Tensor, u: Tensor, v: Tensor, nearest: Tensor, apart: Tensor, use: Tensor
) -> Tensor:
    """(P,) depth between pixel centres, `nearest` where that cannot be."""
    h, w = image.shape
    if h < 2 or w < 2:
        return nearest
    column, row = (u - 0.5).floor(), (v - 0.5).floor()
    within = use & (column >= 0) & (row >= 0) & (column + 1 < w) & (row + 1 < h)
    x, y = (torch.where(within, c, 0.0).long() for c in (column, row))
    a, b, c, d = image[y, x], image[y, x + 1], image[y + 1, x], image[y + 1, x + 1]
    four = torch.stack((a, b, c, d))
    least, most = four.amin(0), four.amax(0)
    within &= (least > 0) & (most - least < apart)
    right, down = u - 0.5 - column, v - 0.5 - row
    mixed = (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
    return torch.where(within, mixed, nearest)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::fuse_depth")
    def _(points, matrix, depth, surface, colors, reach: float):
        count, painted = points.shape[0], 0 if colors is None else points.shape[0]
        made = points.new_empty
        return made(count), made(count), made(painted, 3), made(painted)
