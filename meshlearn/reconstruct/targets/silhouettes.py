"""Where the silhouettes of a fit and those that it was fitted to are far apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.image_levels import Level
from meshlearn.reconstruct.targets.support import Doubt
from meshlearn.reconstruct.targets.visual_hull import silhouette_distance
from meshlearn.render.backends import Backend

FARTHEST = 128  # pixels that are looked for at most; beyond them nothing is told


def silhouettes_apart(
    level: Level,
    mesh: Mesh,
    backend: Backend,
    distances: Tensor,
    names: Sequence[str],
    limit: float,
    scale: float,
) -> list[Doubt]:
    """The worst place where a fit stands out of a silhouette by more than `limit`, and the worst
    where it leaves one free, over all views.

    Args:
        level: the images.
        distances: (N,) of the cameras from the object.
        names: of the views; empty where they have none.
        limit: in the world's unit, measured across the line of sight.
        scale: edge of a cell.
    """
    out, free = (0.0, ""), (0.0, "")
    place_out = place_free = mesh.vertices.new_zeros(3)
    for i in range(len(level.cameras)):
        away = 1.0 if level.cameras.orthographic else float(distances[i])
        pixel = away / float(level.focal[i])
        reach = math.ceil(limit / pixel) + 2
        if reach > FARTHEST:
            continue
        fragments = backend.rasterize(mesh, level.cameras[i], level.size)
        face = fragments.face.reshape(level.size)
        mine, theirs = face >= 0, level.images["masks"][i] >= settings.COVERED
        known = level.images["known"][i] if "known" in level.images else torch.ones_like(mine)
        name = f"view {i}" + (f" ({names[i]})" if i < len(names) else "")
        far, at = _farthest(mine & known, theirs, reach)
        if far * pixel > max(limit, out[0]):
            out = (far * pixel, name)
            place_out = mesh.vertices[mesh.faces[face[at]]].mean(0)
        far, at = _farthest(theirs & known, mine, reach)
        if far * pixel > max(limit, free[0]):
            free = (far * pixel, f"{name}, pixel ({at[1]}, {at[0]}) of {_size(level)}")
            place_free = _on_ray(level, i, at, distances[i])
    found = []
    if out[1]:
        text = (
            f"the fit stands out of the silhouette of {out[1]} by {out[0] / scale:.1f} cells or "
            "more at {at}: a part that should not be, or masks and cameras that disagree"
        )
        found.append(Doubt(text, place_out))
    if free[1]:
        text = (
            f"the fit leaves the silhouette of {free[1]} free by {free[0] / scale:.1f} cells or "
            "more, near {at}: a part is missing there, or masks and cameras disagree"
        )
        found.append(Doubt(text, place_free))
    return found


def _size(level: Level) -> str:
    return f"{level.size[1]} x {level.size[0]}"


def _farthest(looked_at: Tensor, silhouette: Tensor, reach: int) -> tuple[float, tuple[int, int]]:
    """Largest distance in pixels of pixels (H, W) outside a silhouette, and where."""
    if not bool(looked_at.any()):
        return 0.0, (0, 0)
    away = silhouette_distance(silhouette[None], reach=reach)[0]
    away = torch.where(looked_at, away, 0.0)
    worst = int(away.argmax())
    return float(away.max()), (worst // away.shape[1], worst % away.shape[1])


def _on_ray(level: Level, view: int, at: tuple[int, int], away: Tensor) -> Tensor:
    """A place on the ray of a pixel: by its depth, or beside the middle of the object."""
    camera = level.cameras[view]
    origin, ray = camera.rays(level.size)
    depth = level.images["depth"][view][at] if "depth" in level.images else None
    along = away if depth is None or not float(depth) > 0 else depth
    start = origin[at] if origin.dim() == 3 else origin
    return start + ray[at] * (along / (ray[at] * camera.forward).sum())
