"""`transforms.json`, the camera file of NeRF, instant-ngp and nerfstudio: read and written.

What is read, at the top or in a frame (which then holds for that frame only):

- `camera_angle_x` (radians), or `fl_x`, `fl_y` with `w`, `h` in pixels; `cx`, `cy` in pixels from
  the top left, the middle by default. Lens distortion (`k1`, `k2`, `k3`, `k4`, `p1`, `p2`) is
  refused unless it is 0.
- `frames`: for each `file_path`, and optionally `mask_path`, `depth_file_path` (or `depth_path`)
  and `normal_path`, below the file's folder, and `transform_matrix`, the OpenGL camera-to-world.
- `integer_depth_scale` (or `depth_unit_scale_factor`): unit of the numbers in depth images;
  without it 0.001. `normal_space`: "world" (default) or "camera" (OpenGL axes).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from meshlearn.render.camera import Camera
from meshlearn.render.camera_formats import from_camera_to_world, rigid, to_camera_to_world

FILE = "transforms.json"
KINDS = {
    "colors": ("file_path",),
    "masks": ("mask_path",),
    "depth": ("depth_file_path", "depth_path"),
    "normals": ("normal_path", "normal_file_path"),
}
_BENT = ("k1", "k2", "k3", "k4", "p1", "p2")


@dataclass(frozen=True)
class PosedImages:
    """Cameras, and the files that show what they saw.

    Attributes:
        cameras: a batch of N.
        size: (height, width) that the intrinsics were given for; None where not said, and then the
            cameras are those of square images.
        paths: kind ("colors", "masks", "depth", "normals") -> N paths, or None for a missing one.
        names: N names of views.
        depth_scale: unit of the numbers in depth images.
        normal_space: "world" or "camera".
    """

    cameras: Camera
    size: tuple[int, int] | None
    paths: dict[str, list[Path | None]]
    names: list[str]
    depth_scale: float = 1.0
    normal_space: str = "world"


def _number(record: Mapping[str, Any], key: str, where: str, *, positive: bool = True) -> float:
    value = record[key]
    ok = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or (positive and value <= 0):
        kind = "a positive number" if positive else "a finite number"
        raise ValueError(f"{where}: {key} is {value!r}, expected {kind}")
    return float(value)


def inside(folder: Path, name: object, where: str) -> Path:
    """The path `name` below `folder`; a ValueError where it leads out of it."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{where}: expected a file name, got {name!r}")
    path = folder / name
    root = folder.resolve()
    if Path(name).is_absolute() or not path.resolve().is_relative_to(root):
        raise ValueError(f"{where}: {name!r} leads out of the folder {folder}; keep images in it")
    return path


def _with_suffix(path: Path) -> Path:
    """NeRF's synthetic scenes leave out the extension."""
    if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".npy", ".npz"):
        return path
    for suffix in (".png", ".jpg", ".jpeg"):
        found = path.with_name(path.name + suffix)
        if found.is_file():
            return found
    return path.with_name(path.name + ".png") if not path.is_file() else path


def read_transforms(path: str | os.PathLike[str]) -> PosedImages:
    """Reads a `transforms.json`, or the one in a folder; images are not opened.

    Raises:
        ValueError: not such a file, a missing or wrong field, a matrix that is singular, mirrored
            or scaled, lens distortion, or a path out of the folder.

    Example:
        >>> posed = read_transforms("lego")
        >>> len(posed.cameras), posed.names[0]
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; expected the cameras there")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected an object with frames, got {type(record).__name__}")
    frames = record.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{path}: the field frames is missing or empty; expected a list of views")
    shared = {k: v for k, v in record.items() if k != "frames"}
    views, focals, centres, names = [], [], [], []
    sizes: set[tuple[int, int] | None] = set()
    paths: dict[str, list[Path | None]] = {kind: [] for kind in KINDS}
    for i, frame in enumerate(frames):
        where = f"{path}: frame {i}"
        if not isinstance(frame, dict):
            raise ValueError(f"{where} is no object")
        views.append(_matrix(frame, where))
        focal, centre, size = _intrinsics({**shared, **frame}, where)
        focals.append(focal)
        centres.append(centre)
        sizes.add(size)
        for kind, keys in KINDS.items():
            name = next((frame[k] for k in keys if frame.get(k) is not None), None)
            if name is None:
                paths[kind].append(None)
                continue
            paths[kind].append(_with_suffix(inside(path.parent, name, f"{where}: {keys[0]}")))
        if not any(paths[kind][-1] for kind in KINDS):
            raise ValueError(f"{where}: the field file_path is missing")
        known = next(p for kind in KINDS if (p := paths[kind][-1]) is not None)
        names.append(known.stem)
    if len(sizes) != 1:
        raise ValueError(f"{path}: views of different sizes {sorted(map(str, sizes))}; resize them")
    size = sizes.pop()
    cameras = from_camera_to_world(
        torch.tensor(views, dtype=torch.float64),
        focal=torch.tensor(focals),
        centre=torch.tensor(centres),
        name=f"{path}: transform_matrix",
    )
    cameras = with_planes(cameras)
    scale = 0.001
    for key in ("depth_unit_scale_factor", "integer_depth_scale"):
        if key in record:
            scale = _number(record, key, str(path))
    space = record.get("normal_space", "world")
    if space not in ("world", "camera"):
        raise ValueError(f"{path}: normal_space is {space!r}, expected 'world' or 'camera'")
    return PosedImages(
        cameras,
        size,
        {k: v for k, v in paths.items() if any(p is not None for p in v)},
        names,
        depth_scale=scale,
        normal_space=space,
    )


def with_planes(cameras: Camera) -> Camera:
    """Near and far plane that suit how far the cameras are apart."""
    place = cameras.position
    spread = float((place - place.mean(0)).norm(dim=1).max())
    return replace(cameras, near=1e-3 * spread, far=1e3 * spread) if spread > 0 else cameras


def _matrix(frame: Mapping[str, Any], where: str) -> list[list[float]]:
    if "transform_matrix" not in frame:
        raise ValueError(f"{where}: the field transform_matrix is missing")
    try:
        matrix = torch.tensor(frame["transform_matrix"], dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        matrix = torch.zeros(0)
    if matrix.shape == (3, 4):
        matrix = torch.cat((matrix, matrix.new_tensor([[0.0, 0, 0, 1]])))
    if matrix.shape != (4, 4):
        raise ValueError(f"{where}: transform_matrix is not 4 rows of 4 numbers")
    return rigid(matrix, f"{where}: transform_matrix").tolist()


def _intrinsics(
    record: Mapping[str, Any], where: str
) -> tuple[tuple[float, float], tuple[float, float], tuple[int, int] | None]:
    """Focal lengths in image heights, centre as a fraction, size."""
    bent = next((k for k in _BENT if record.get(k)), None)
    if bent:
        raise ValueError(
            f"{where}: lens distortion ({bent}) is not supported; undistort the images"
        )
    size = None
    if "w" in record and "h" in record:
        w, h = (_number(record, key, where) for key in ("w", "h"))
        size = (round(h), round(w))
    if "fl_x" in record:
        if size is None:
            raise ValueError(f"{where}: the fields w and h are missing, which fl_x is relative to")
        fx = _number(record, "fl_x", where)
        fy = _number(record, "fl_y", where) if "fl_y" in record else fx
    elif "camera_angle_x" in record:
        angle = _number(record, "camera_angle_x", where)
        if not angle < math.pi:
            raise ValueError(f"{where}: camera_angle_x is {angle}, expected radians below pi")
        # without w and h focal lengths are in image widths, until an image tells its size
        w, h = (size[1], size[0]) if size else (1, 1)
        fx = fy = 0.5 * w / math.tan(angle / 2)
        if size and "camera_angle_y" in record:
            fy = 0.5 * h / math.tan(_number(record, "camera_angle_y", where) / 2)
    else:
        raise ValueError(f"{where}: the field camera_angle_x (or fl_x, fl_y, w, h) is missing")
    centre = [0.5, 0.5]
    for axis, key in enumerate(("cx", "cy")):
        if key in record:
            if size is None:
                raise ValueError(f"{where}: the fields w and h are missing, which {key} needs")
            centre[axis] = _number(record, key, where, positive=False) / size[1 - axis]
    height = size[0] if size else 1
    return (fx / height, fy / height), (centre[0], centre[1]), size


def transforms_record(
    cameras: Camera, size: tuple[int, int], frames: list[dict[str, str]], **more: object
) -> dict[str, object]:
    """What `transforms.json` holds: perspective cameras that share their intrinsics.

    Args:
        cameras: a batch of N.
        size: (height, width) in pixels.
        frames: N dicts of paths, to which `transform_matrix` is added.

    Raises:
        ValueError: cameras are orthographic, or their focal lengths differ.
    """
    if cameras.orthographic:
        raise ValueError("cameras: transforms.json has no orthographic ones; use perspective")
    h, w = size
    n = len(cameras)
    focal = cameras.focal.double().expand(n, 2) * h
    centre = cameras.centre.double().expand(n, 2) * torch.tensor([w, h], dtype=torch.float64)
    poses = to_camera_to_world(cameras)

    def lens(i: int) -> dict[str, float]:
        (fx, fy), (cx, cy) = focal[i].tolist(), centre[i].tolist()
        angle = 2 * math.atan(0.5 * w / fx)
        return {"camera_angle_x": angle, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy}

    same = bool((focal == focal[:1]).all()) and bool((centre == centre[:1]).all())
    record: dict[str, object] = {"w": w, "h": h, **(lens(0) if same else {}), **more}
    record["frames"] = [
        {**frame, **({} if same else lens(i)), "transform_matrix": poses[i].tolist()}
        for i, frame in enumerate(frames)
    ]
    return record
