"""Depth images to a surface: their signed distances, averaged on the cells near what was seen.

Each image gives a point p in space the distance along its axis from p to the surface that it saw
there, made a distance across the surface by the cosine between view and normal, and cut off at
`reach`: D(p) = sum w min(d, reach) / sum w, over the images that see p or whose surface is less
than `reach` before it; w is that cosine over the squared depth (Curless and Levoy 1996, "A
volumetric method for building complex models from range images", equations 3 and 4). The surface
is the zero set of D between points that some image knows, so it is open where nobody looked.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn.mesh import Mesh, far_middle, moved
from meshlearn.reconstruct.fusion.agreement import check_agreement, warn_of_thin_walls
from meshlearn.reconstruct.fusion.blocks import BLOCK, Fused, Lattice
from meshlearn.reconstruct.fusion.pixels import (
    Lenses,
    lenses,
    near_blocks,
    points_box,
    surface_pixels,
)
from meshlearn.render import Camera, ImageSet
from meshlearn.render.homogeneous import Projection, homogeneous_matrix

REACH = 4.0  # cells; 3 to 5 serve


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
        ValueError: no depth, none that is positive, fewer than 2 or more than 4096 cells, depth
            that is of another unit than the cameras, or cameras that are of other images.

    Warns:
        RuntimeWarning: images that hardly agree, or walls thinner than the reach.

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
    depth, cameras = _cleaned(images), images.cameras
    native = backend == "native" and use_native(depth)
    lens = lenses(cameras, depth)
    agree = check_agreement(cameras, depth, lens)
    if bounds is None:
        box = points_box(depth, lens, native=native)
    else:
        box = torch.as_tensor(bounds, dtype=torch.float64)
    lattice = _lattice(depth, lens, box, resolution, reach, native=native)
    surface = surface_pixels(depth, lens, usual=_usual(depth), native=native)
    if agree:
        warn_of_thin_walls(cameras, depth, lens, surface, reach=reach, cell=lattice.cell)
    colors = None if images.colors is None else images.colors[..., :3].to(depth).contiguous()
    h, w = images.size
    projection = Projection(cameras.view, cameras.focal, cameras.centre, cameras.orthographic, h, w)
    matrix = homogeneous_matrix(projection).to(depth).contiguous()
    op = torch.ops.meshlearn.fuse_depth if native else fuse_depth_reference
    value, weight, color, shown = op(
        lattice.blocks,
        lattice.bounds[0].tolist(),
        lattice.spacing,
        matrix,
        depth,
        surface,
        colors,
        reach * lattice.cell,
    )
    values = (value / weight.clamp(min=1e-30)).masked_fill_(weight <= 0, torch.nan)
    painted = None
    if colors is not None:
        painted = color / shown.clamp(min=1e-30)[..., None]
        painted[shown <= 0] = torch.nan
    return Fused(lattice, values, weight, painted)


def _cleaned(images: ImageSet) -> Tensor:
    """(N, H, W) depth, 0 where there is none, be it NaN, infinite, negative or beside the masks."""
    assert images.depth is not None
    depth = torch.nan_to_num(images.depth, nan=0.0, posinf=0.0, neginf=0.0).clamp_(min=0)
    if images.masks is not None:
        depth.masked_fill_(images.masks < 0.5, 0.0)
    if images.known is not None:
        depth.masked_fill_(~images.known, 0.0)
    if not bool(depth.any()):
        raise ValueError(
            "depth: no pixel has a depth; expected camera z in the world's unit, 0 for none"
        )
    return depth.contiguous()


def _usual(depth: Tensor) -> float:
    """The mean depth, of some pixels where these are many."""
    some = depth[:, ::4, ::4]
    some = some if bool(some.any()) else depth
    return float(some[some > 0].double().mean())


def _lattice(
    depth: Tensor, lens: Lenses, box: Tensor, resolution: int, reach: float, *, native: bool
) -> Lattice:
    """The blocks of cells within `reach` cells of the points, in a box around them."""
    side = float((box[1] - box[0]).max()) or 1.0
    cell = side / max(resolution - 2 * int(reach) - 2, 1)
    count = [
        max(1, -(-int((b - a) / cell + 2 * reach + 2) // BLOCK))
        for a, b in zip(*box.tolist(), strict=True)
    ]
    low = box.mean(0) - torch.tensor(count, dtype=torch.float64) * (BLOCK * cell / 2)
    seen = depth > 0
    rows, columns = seen.any(2).sum(1).max(), seen.any(1).sum(1).max()
    step = max(1, int(max(int(rows), int(columns)) * BLOCK // (3 * resolution)))
    blocks = near_blocks(
        depth,
        lens,
        low,
        BLOCK * cell,
        count,
        margin=reach / BLOCK,
        step=step,
        native=native,
    )
    return Lattice(blocks, count, low, cell, depth.dtype)


def fuse_depth_reference(
    blocks: Tensor,
    low: list[float],
    spacing: list[float],
    matrix: Tensor,
    depth: Tensor,
    surface: Tensor,
    colors: Tensor | None,
    reach: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Torch reference of the `fuse_depth` operator.

    Args:
        blocks: (B, 3) of 4 x 4 x 4 cells, whose lower corners are looked at.
        low: (3,) where the first block begins.
        spacing: (3,) sides of a cell.
        matrix: (N, 4, 4) world to (u w, v w, z, w), see `meshlearn.render.homogeneous`.
        depth: (N, H, W), 0 for none.
        surface: (N, H, W, 2) distance across the surface per unit of depth, and weight.
        colors: (N, H, W, 3) or None.
        reach: where distances are cut off.

    Returns:
        sum of weight and distance (B, 64), of weights (B, 64), and of colours (B, 64, 3) and their
        weights (B, 64), which are empty without colours.
    """
    local = torch.arange(BLOCK**3, device=blocks.device)
    within = torch.stack((local // 16, local // 4 % 4, local % 4), 1)
    index = (BLOCK * blocks[:, None] + within).reshape(-1, 3).double()
    points = (index.new_tensor(low) + index * index.new_tensor(spacing)).to(depth)
    n, h, w = depth.shape
    value, weight = points.new_zeros(len(points)), points.new_zeros(len(points))
    color = points.new_zeros(len(points) if colors is not None else 0, 3)
    shown = points.new_zeros(len(color))
    for i in range(n):
        m = matrix[i]
        x, y, z = (points[:, k, None] * m[:, k] for k in range(3))
        place = (x + y) + (z + m[:, 3])
        last, away = place[:, 3], place[:, 2]
        ahead = (last > 0) & (away > 0)
        u, v = (place[:, k] / torch.where(ahead, last, 1.0) for k in (0, 1))
        use = ahead & (u >= 0) & (v >= 0) & (u < w) & (v < h)
        column, row = (torch.where(use, c, 0.0).long() for c in (u, v))
        nearest, (slope, trust) = depth[i][row, column], surface[i][row, column].unbind(-1)
        use &= (nearest > 0) & (trust > 0)
        there = _between(depth[i], u, v, nearest, slope, reach, use)
        distance = (there - away) * slope
        use &= away - there <= reach
        trust = torch.where(use, trust, 0.0)
        value += trust * torch.where(use, distance.clamp(max=reach), 0.0)
        weight += trust
        if colors is not None:
            near = torch.where(distance < reach, trust, 0.0)
            color += near[:, None] * colors[i][row, column]
            shown += near
    size = (-1, BLOCK**3)
    return value.view(size), weight.view(size), color.view(*size, 3), shown.view(size)


def _between(
    image: Tensor, u: Tensor, v: Tensor, nearest: Tensor, slope: Tensor, reach: float, use: Tensor
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
    within &= (least > 0) & ((most - least) * slope < reach)
    right, down = u - 0.5 - column, v - 0.5 - row
    mixed = (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
    return torch.where(within, mixed, nearest)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::fuse_depth")
    def _(blocks, low, spacing, matrix, depth, surface, colors, reach: float):
        count, painted = blocks.shape[0], 0 if colors is None else blocks.shape[0]
        size, made = BLOCK**3, depth.new_empty
        return made(count, size), made(count, size), made(painted, size, 3), made(painted, size)
