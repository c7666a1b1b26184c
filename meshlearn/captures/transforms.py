"""`transforms.json`, the camera file of NeRF, instant-ngp and nerfstudio, as a `Capture`.

What is read, at the top or in a frame (which then holds for that frame only):

- `fl_x`, `fl_y` in pixels, or `camera_angle_x`, `camera_angle_y` in radians; `cx`, `cy` in pixels
  from the top left, the middle by default; `w`, `h`, which the images tell where they are missing.
- `camera_model`, by COLMAP's names (see `meshlearn.captures.lens`), or `is_fisheye`, and its
  coefficients `k1`, `k2`, … or `distortion_params` (k1 k2 k3 k4 p1 p2). Coefficients without a
  model, or with a pinhole, are those of OPENCV.
- `frames`: for each `file_path`, and optionally `mask_path`, `depth_file_path` (or `depth_path`)
  and `normal_path`, below the file's folder, and `transform_matrix`, the OpenGL camera-to-world.
- `known_path`, ours: an image that is white where the camera saw something, be it background.
- `integer_depth_scale` (or `depth_unit_scale_factor`): unit of the numbers in depth images;
  without it 0.001. `normal_space`: "world" (default) or "camera" (OpenGL axes).

The poses are taken as they stand: what `applied_transform` tells is how they were made.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from meshlearn.captures.capture import Capture, find_image, view_names, with_suffix
from meshlearn.captures.image_heads import image_head
from meshlearn.captures.lens import MODELS, Lens, lens_fault
from meshlearn.captures.poses import from_opengl, rigid_fault

FILE = "transforms.json"
SPLITS = tuple(f"transforms_{name}.json" for name in ("train", "test", "val"))
KEYS = {
    "colors": ("file_path",),
    "masks": ("mask_path",),
    "depth": ("depth_file_path", "depth_path"),
    "normals": ("normal_path", "normal_file_path"),
    "known": ("known_path",),
}
_BENT = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2", "sx1", "sy1")
_PARAMS = ("k1", "k2", "k3", "k4", "p1", "p2")  # of nerfstudio's distortion_params
_PERSPECTIVE = ("", "PERSPECTIVE", "PINHOLE", "SIMPLE_PINHOLE", "OPENCV")
_CENTRE = ("cx", "cy")
_FISHEYE = ("FISHEYE", "SIMPLE_FISHEYE", "OPENCV_FISHEYE")
# signs of lenses of instant-ngp that are none of ours
_OTHER = {"equirectangular": "EQUIRECTANGULAR", "latlong": "LATLONG", "ftheta_p0": "FTHETA"}


def transforms_file(path: str | os.PathLike[str]) -> Path | None:
    """The camera file that a path is, or that a folder holds; None where there is none.

    Of NeRF's files for training, testing and validation the first is taken.
    """
    path = Path(path)
    if path.is_dir():
        return next((f for name in (FILE, *SPLITS) if (f := path / name).is_file()), None)
    named = path.name.lower().startswith("transforms") and path.suffix.lower() == ".json"
    return path if named else None


def read_transforms_file(path: str | os.PathLike[str]) -> Capture:
    """Reads a `transforms.json`, or the one in a folder; of images at most the heads are read.

    Raises:
        ValueError: not such a file, a missing or wrong field, a matrix that is singular, mirrored
            or scaled, a lens that is not known, or a path out of the folder.
    """
    given = Path(path)
    path = transforms_file(given) or (given / FILE if given.is_dir() else given)
    record = _record(path)
    frames = record.get("frames")
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{path}: the field frames is missing or empty; expected a list of views")
    shared = {k: v for k, v in record.items() if k != "frames"}
    poses, lenses, names, elsewhere = [], [], [], []
    paths: dict[str, list[Path | None]] = {kind: [] for kind in KEYS}
    for i, frame in enumerate(frames):
        where = f"{path}: frame {i}"
        if not isinstance(frame, dict):
            raise ValueError(f"{where} is no object")
        poses.append(_pose(frame, where))
        files: list[Path] = []
        for kind, keys in KEYS.items():
            key = next((k for k in keys if frame.get(k) is not None), None)
            if key is None:
                paths[kind].append(None)
                continue
            found, moved = find_image(path.parent, frame[key], f"{where}: {key}")
            paths[kind].append(with_suffix(found))
            if kind != "known":
                files.append(with_suffix(found))
            if moved:
                elsewhere.append(str(frame[key]))
        if not files:
            raise ValueError(f"{where}: the field file_path is missing")
        names.append(files[0].relative_to(path.parent))
        lenses.append(_lens(_merged(shared, frame), where, _size_of(files)))
    remarks = []
    if given.is_dir() and path.name in SPLITS:
        others = [name for name in SPLITS if name != path.name and (path.parent / name).is_file()]
        if others:
            remarks.append(
                f"{path}: its {len(frames):,} views are read; {' and '.join(others)} "
                f"{'is' if len(others) == 1 else 'are'} left aside, and can be named in place of "
                "the folder"
            )
    if elsewhere:
        remarks.append(
            f"{path}: {len(elsewhere):,} names of files lead out of the folder (the first: "
            f"{elsewhere[0]!r}); files of that name in the folder are read"
        )
    again = len(names) - len({tuple(f[i] for f in paths.values()) for i in range(len(names))})
    if again:
        remarks.append(
            f"{path}: {again:,} of {len(names):,} views name the same files as another view; each "
            "counts as a view of its own"
        )
    rolling = record.get("rolling_shutter")
    if isinstance(rolling, list) and any(rolling):
        remarks.append(f"{path}: its rolling_shutter is not modelled; each view is taken at once")
    scale = 0.001
    for key in ("depth_unit_scale_factor", "integer_depth_scale"):
        if key in record:
            scale = _number(record, key, str(path))
    space = record.get("normal_space", "world")
    if space not in ("world", "camera"):
        raise ValueError(f"{path}: normal_space is {space!r}, expected 'world' or 'camera'")
    return Capture(
        path,
        np.stack(poses),
        _all_sized(lenses, path),
        {k: v for k, v in paths.items() if any(p is not None for p in v)},
        view_names(names),
        depth_scale=scale,
        normal_space=space,
        remarks=tuple(remarks),
    )


def _record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; expected the cameras there")
    try:
        record = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected an object with frames, got {type(record).__name__}")
    return record


def _merged(shared: Mapping[str, Any], frame: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that hold for a frame; its own angle is not outvoted by a shared length."""
    if "camera_angle_x" in frame and not {"fl_x", "fl_y"} & frame.keys():
        shared = {k: v for k, v in shared.items() if k not in ("fl_x", "fl_y")}
    return {**shared, **frame}


def _size_of(files: list[Path]) -> Callable[[], tuple[int, int] | None]:
    def look() -> tuple[int, int] | None:
        return next((head.size for file in files if (head := image_head(file))), None)

    return look


def _all_sized(lenses: list[Lens], path: Path) -> tuple[Lens, ...]:
    """Lenses in pixels of images that are not there take the size of those that are."""
    known = Counter(lens.size for lens in lenses if lens.size is not None)
    out = []
    for i, lens in enumerate(lenses):
        if lens.size is None and known:
            lens = lens.of_size(known.most_common(1)[0][0])
        elif lens.size is None and not lens.relative:
            raise ValueError(
                f"{path}: frame {i}: the fields w and h are missing, and its image is not there to "
                "tell them; fl_x, cx and cy are relative to them"
            )
        out.append(lens)
    return tuple(out)


def _number(record: Mapping[str, Any], key: str, where: str, *, positive: bool = True) -> float:
    value = record[key]
    try:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        ok = plain and math.isfinite(value)
    except OverflowError:
        ok = False
    if not ok or (positive and value <= 0):
        kind = "a positive number" if positive else "a finite number"
        raise ValueError(f"{where}: {key} is {repr(value)[:60]}, expected {kind}")
    return float(value)


def _pose(frame: Mapping[str, Any], where: str) -> np.ndarray:
    if "transform_matrix" not in frame:
        raise ValueError(f"{where}: the field transform_matrix is missing")
    given = frame["transform_matrix"]
    matrix = np.zeros(0)
    try:
        rows = [[float(v) for v in row if not isinstance(v, (str, bool))] for row in given]
        if len({len(row) for row in rows}) == 1:
            matrix = np.array(rows)
    except (TypeError, ValueError, OverflowError):
        pass
    if matrix.shape == (3, 4):
        matrix = np.concatenate((matrix, [[0.0, 0, 0, 1]]))
    if matrix.shape != (4, 4):
        raise ValueError(f"{where}: transform_matrix is not 4 rows of 4 numbers")
    fault = rigid_fault(matrix)
    if fault:
        raise ValueError(f"{where}: transform_matrix: {fault}")
    return from_opengl(matrix)


def _lens(
    record: Mapping[str, Any], where: str, image_size: Callable[[], tuple[int, int] | None]
) -> Lens:
    size = None
    if "w" in record and "h" in record:
        w, h = (max(1, round(_number(record, key, where))) for key in ("w", "h"))
        size = (h, w)
    size = size or image_size()
    model, coefficients = _model(record, where)
    relative = False
    lengths = [_number(record, key, where) for key in ("fl_x", "fl_y") if key in record]
    if lengths:
        focal = (lengths[0], lengths[-1])
    elif "camera_angle_x" in record:
        if MODELS[model].fisheye:
            raise ValueError(
                f"{where}: camera_angle_x does not tell the focal length of a fisheye lens "
                f"({model}); give fl_x and fl_y"
            )
        tangents = [_tangent(record, f"camera_angle_{a}", where) for a in "xy"]
        relative = size is None
        w, h = (size[1], size[0]) if size else (1, 1)
        fx = 0.5 * w / tangents[0]
        focal = (fx, 0.5 * h / tangents[1] if size and tangents[1] else fx)
    else:
        raise ValueError(f"{where}: the field camera_angle_x (or fl_x, fl_y) is missing")
    centre = None
    if "cx" in record or "cy" in record:
        at = [_number(record, k, where, positive=False) if k in record else None for k in _CENTRE]
        if None in at and size is None:
            raise ValueError(f"{where}: give both cx and cy, or w and h")
        x, y = (
            side / 2 if value is None else value
            for value, side in zip(at, (size or (0, 0))[::-1], strict=True)
        )
        centre = (x, y)
        if relative:
            raise ValueError(
                f"{where}: the fields w and h are missing, which cx is relative to, and its image "
                "is not there to tell them"
            )
    lens = Lens(model, focal, centre, size, coefficients, relative)
    fault = lens_fault(lens)
    if fault:
        raise ValueError(f"{where}: its camera {model} {fault}; it makes no image")
    return lens


def _tangent(record: Mapping[str, Any], key: str, where: str) -> float:
    """Of half an angle; 0 where it is not given."""
    if key not in record:
        return 0.0
    angle = _number(record, key, where)
    if not angle < math.pi:
        raise ValueError(f"{where}: {key} is {angle}, expected radians below pi")
    return math.tan(angle / 2)


def _model(record: Mapping[str, Any], where: str) -> tuple[str, tuple[float, ...]]:
    """The camera model, by COLMAP's name, and its coefficients."""
    named = record.get("camera_model") or ""
    if not isinstance(named, str):
        raise ValueError(f"{where}: camera_model is {repr(named)[:60]}, expected a name")
    for key, other in _OTHER.items():
        if record.get(key):
            named = other
    if record.get("is_fisheye"):
        plain = named.upper()
        named = "OPENCV_FISHEYE" if plain in _PERSPECTIVE else named
        named += "_FISHEYE" if plain in ("SIMPLE_RADIAL", "RADIAL") else ""
    name = named.upper()
    given = _coefficients(record, where)
    bent = {k for k, v in given.items() if v}
    if name in _PERSPECTIVE:
        if bent & {"k4", "k5", "k6", "sx1", "sy1"}:
            extra = min(bent & {"k4", "k5", "k6", "sx1", "sy1"})
            raise ValueError(
                f"{where}: {extra} of the camera model {named or 'OPENCV'} means other things in "
                "other programs; name the model (FULL_OPENCV, OPENCV_FISHEYE, "
                "THIN_PRISM_FISHEYE) or undistort the images"
            )
        if not bent:
            return "PINHOLE", ()
        name = "FULL_OPENCV" if "k3" in bent else "OPENCV"
    elif name in _FISHEYE:
        name = "OPENCV_FISHEYE"
    if name not in MODELS:
        raise ValueError(
            f"{where}: the camera model {named!r} is not supported; make perspective images of "
            f"these, or give one of {', '.join(MODELS)}"
        )
    wanted = MODELS[name].coefficients
    odd = sorted(bent - set(wanted))
    if odd:
        raise ValueError(
            f"{where}: the camera model {named} has no coefficient {odd[0]}, only "
            f"{', '.join(wanted) or 'none'}; correct one of the two"
        )
    values = {k: _number(record, k, where, positive=False) for k in wanted if k in record} | {
        k: given[k] for k in wanted if k in given
    }
    if not set(wanted) <= set(_BENT) and set(wanted) - values.keys():
        missing = next(k for k in wanted if k not in values)
        raise ValueError(f"{where}: the camera model {named} lacks its coefficient {missing}")
    return name, tuple(values.get(k, 0.0) for k in wanted)


def _coefficients(record: Mapping[str, Any], where: str) -> dict[str, float]:
    """Coefficients by their names."""
    listed = record.get("distortion_params")
    if listed is not None:
        if not isinstance(listed, list) or len(listed) != len(_PARAMS):
            raise ValueError(
                f"{where}: distortion_params is {str(listed)[:60]!r}, expected the 6 numbers "
                f"{' '.join(_PARAMS)}"
            )
        record = dict(zip(_PARAMS, listed, strict=True))
    return {
        k: _number(record, k, where, positive=False) for k in _BENT if record.get(k) is not None
    }
