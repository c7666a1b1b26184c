"""Cameras as pyramids: where each stands, and what it sees at a small distance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from meshlearn.captures.colmap import is_colmap
from meshlearn.captures.transforms import transforms_file
from meshlearn.render.camera import Camera
from meshlearn.render.posed import read_colmap, read_transforms
from meshlearn.viewer.items import Item

DEPTH = 0.12  # of a pyramid, in terms of the cameras' distance from their middle


def are_cameras(path: Path) -> bool:
    """Whether a path is a `transforms.json`, a COLMAP model, or a folder that holds one."""
    if path.is_dir():
        return transforms_file(path) is not None or is_colmap(path)
    return path.suffix.lower() == ".json" and path.is_file()


def from_cameras(path: Path) -> Item:
    """The cameras of a file as lines, and their positions as points that can be picked.

    Raises:
        ValueError: bad camera files, see `read_transforms` and `read_colmap`.
    """
    as_json = path.suffix.lower() == ".json" or transforms_file(path) is not None
    posed = read_transforms(path) if as_json else read_colmap(path)
    eyes, lines = pyramids(posed.cameras, [width / height for height, width in posed.sizes])
    told = {"camera": posed.names}
    if all(lens.size for lens in posed.lenses):
        stored = [lens.known_size for lens in posed.lenses]
        told["image"] = [f"{width} × {height}" for height, width in stored]
    if not all(lens.straight for lens in posed.lenses):
        told["lens"] = [lens.model for lens in posed.lenses]
    return Item(path.name, path, points=eyes, lines=lines, told=told, around=True)


def pyramids(cameras: Camera, aspect: float | Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) positions, and (9 N, 2, 3) edges: four rays, four rims, and a tick that is up.

    Args:
        cameras: a batch of N.
        aspect: width of their images by height, of all or of each.
    """
    view = cameras.view.double().numpy()
    rotation = view[:, :3, :3]
    eyes = -np.einsum("nji,nj->ni", rotation, view[:, :3, 3])
    away = np.median(np.linalg.norm(eyes - eyes.mean(0), axis=1)) if len(eyes) > 1 else 1.0
    depth = DEPTH * (away or 1.0)
    count = len(eyes)
    focal = np.broadcast_to(cameras.focal.double().numpy(), (count, 2))
    centre = np.broadcast_to(cameras.centre.double().numpy(), (count, 2))
    # corners of the image and the tip of the tick, as fractions of width and height
    corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, -0.2]], float)
    wide = np.broadcast_to(np.asarray(aspect, float), (count,))
    plane = (corner - centre[:, None]) * np.stack([wide, np.ones(count)], 1)[:, None]
    plane = plane / focal[:, None]
    if cameras.orthographic:
        raise ValueError("cameras: parallel projections have no pyramid to draw")
    local = depth * np.concatenate([plane, np.ones((count, 5, 1))], 2)
    world = np.einsum("nji,nkj->nki", rotation, local) + eyes[:, None]
    rim, tip = world[:, :4], world[:, 4:]
    start = np.concatenate([np.repeat(eyes[:, None], 4, 1), rim, (rim[:, :1] + rim[:, 1:2]) / 2], 1)
    end = np.concatenate([rim, np.roll(rim, -1, 1), tip], 1)
    return eyes, np.stack([start, end], 2).reshape(-1, 2, 3)
