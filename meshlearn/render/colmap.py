"""COLMAP's sparse models, binary and text: cameras and poses of images.

Only what a pinhole camera says is read: SIMPLE_PINHOLE and PINHOLE, and distorted models whose
distortion is 0; any other is refused. No count in a file is trusted beyond the bytes behind it.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from meshlearn.render.camera import Camera
from meshlearn.render.transforms import PosedImages, inside, with_planes

# name, number of parameters; the index is COLMAP's model id
MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)
_COUNT = dict(MODELS)
# distorted models that are a pinhole where all behind these parameters is 0
_UNBENT = {"SIMPLE_RADIAL": 3, "RADIAL": 3, "OPENCV": 4, "FULL_OPENCV": 4}


class _Lens(NamedTuple):
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


class _Pose(NamedTuple):
    image: int
    quaternion: tuple[float, ...]  # w x y z, world to camera
    translation: tuple[float, ...]
    camera: int
    name: str


class _Reader:
    """Numbers from bytes; running out of them is a ValueError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self.data = _read(path)

    def take(self, layout: str) -> tuple:
        size = struct.calcsize("<" + layout)
        if size > len(self.data) - self.at:
            raise ValueError(
                f"{self.path}: ends at byte {len(self.data)}, in the middle of a record"
            )
        self.at += size
        return struct.unpack_from("<" + layout, self.data, self.at - size)

    def count(self, least: int) -> int:
        """A number of records of at least so many bytes each."""
        (n,) = self.take("Q")
        if n > (len(self.data) - self.at) // least:
            raise ValueError(
                f"{self.path}: promises {n} records, more than its {len(self.data)} bytes hold"
            )
        return n

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise ValueError(
                f"{self.path}: ends at byte {len(self.data)}, in the middle of a record"
            )
        self.at += size

    def text(self) -> str:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ValueError(f"{self.path}: a name has no end")
        raw, self.at = self.data[self.at : end], end + 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{self.path}: the name {raw!r} is not UTF-8") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def read_colmap(
    folder: str | os.PathLike[str], *, images: str | os.PathLike[str] = "images"
) -> PosedImages:
    """Reads a COLMAP model: `cameras` and `images`, `.bin` or `.txt`; pictures are not opened.

    Args:
        folder: the model's folder, or the project's above it (then `sparse/0` or `sparse`).
        images: where the pictures are, below the project's folder; `masks/NAME` and
            `masks/NAME.png` beside it are taken as masks if they are there for all.

    Raises:
        ValueError: no model there, a damaged file, a lens that is no pinhole, an image that names
            no camera, or images of different sizes.

    Example:
        >>> posed = read_colmap("south-building")
    """
    top = Path(folder)
    model = _model_folder(top)
    binary = (model / "cameras.bin").is_file()
    suffix = "bin" if binary else "txt"
    lenses = (_cameras_binary if binary else _cameras_text)(model / f"cameras.{suffix}")
    images_file = model / f"images.{suffix}"
    if not images_file.is_file():
        raise ValueError(f"{images_file}: there is no such file beside the cameras")
    poses = (_images_binary if binary else _images_text)(images_file)
    if not poses:
        raise ValueError(f"{images_file}: holds no images")
    poses = sorted(poses, key=lambda p: (p.name, p.image))
    views, focals, centres, sizes = [], [], [], set()
    for pose in poses:
        if pose.camera not in lenses:
            raise ValueError(f"{images_file}: image {pose.name!r} names no camera {pose.camera}")
        focal, centre, size = _pinhole(lenses[pose.camera], model)
        views.append(_view(pose, images_file))
        focals.append(focal)
        centres.append(centre)
        sizes.add(size)
    if len(sizes) != 1:
        text = ", ".join(f"{w}×{h}" for h, w in sorted(sizes))
        raise ValueError(f"{model}: images of different sizes ({text}); resize them")
    cameras = Camera(
        torch.tensor(views, dtype=torch.float64).float(),
        torch.tensor(focals, dtype=torch.float32),
        torch.tensor(centres, dtype=torch.float32),
    )
    project = top if model != top or (top / images).is_dir() else _project(top)
    colors = [inside(project / images, pose.name, str(images_file)) for pose in poses]
    paths: dict[str, list[Path | None]] = {"colors": list(colors)}
    masks = [_mask(project / "masks", pose.name) for pose in poses]
    if all(masks):
        paths["masks"] = list(masks)
    names = [Path(pose.name).stem for pose in poses]
    return PosedImages(with_planes(cameras), sizes.pop(), paths, names)


def is_colmap(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a COLMAP model."""
    try:
        _model_folder(Path(folder))
    except ValueError:
        return False
    return True


def _model_folder(top: Path) -> Path:
    for place in (top, top / "sparse" / "0", top / "sparse"):
        if (place / "cameras.bin").is_file() or (place / "cameras.txt").is_file():
            return place
    raise ValueError(f"{top}: holds no COLMAP model (cameras.bin or cameras.txt, or sparse/0)")


def _project(model: Path) -> Path:
    up = model.parent
    return up.parent if up.name == "sparse" else up


def _mask(folder: Path, name: str) -> Path | None:
    for candidate in (name, name + ".png", str(Path(name).with_suffix(".png"))):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _pinhole(lens: _Lens, where: Path) -> tuple[list[float], list[float], tuple[int, int]]:
    """Focal lengths in image heights, centre as a fraction, (height, width)."""
    name, w, h, p = lens
    plain = name in ("SIMPLE_PINHOLE", "PINHOLE")
    if not plain and (name not in _UNBENT or any(v != 0 for v in p[_UNBENT[name] :])):
        raise ValueError(
            f"{where}: the camera model {name} bends the image; undistort it first "
            "(colmap image_undistorter)"
        )
    if name in ("PINHOLE", "OPENCV", "FULL_OPENCV"):
        fx, fy, cx, cy = p[:4]
    else:
        fx = fy = p[0]
        cx, cy = p[1:3]
    if not all(map(math.isfinite, p)) or fx <= 0 or fy <= 0 or w < 1 or h < 1:
        raise ValueError(f"{where}: a camera of size {w}×{h} and parameters {p} has no image")
    return [fx / h, fy / h], [cx / w, cy / h], (h, w)


def _view(pose: _Pose, where: Path) -> list[list[float]]:
    length = math.sqrt(sum(q * q for q in pose.quaternion))
    if not (math.isfinite(length) and length > 1e-9 and all(map(math.isfinite, pose.translation))):
        raise ValueError(f"{where}: image {pose.name!r} has no rotation ({pose.quaternion})")
    w, x, y, z = (q / length for q in pose.quaternion)
    a, b, c = pose.translation
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), a],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), b],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), c],
        [0, 0, 0, 1],
    ]


def _lens(model: str, width: int, height: int, values: Sequence[float], path: Path) -> _Lens:
    if len(values) != _COUNT[model]:
        raise ValueError(f"{path}: {model} takes {_COUNT[model]} parameters, got {len(values)}")
    return _Lens(model, width, height, tuple(values))


def _cameras_binary(path: Path) -> dict[int, _Lens]:
    file, out = _Reader(path), {}
    for _ in range(file.count(24)):
        key, model, width, height = file.take("iiQQ")
        if not 0 <= model < len(MODELS):
            raise ValueError(f"{path}: camera {key} has the unknown model {model}")
        name, number = MODELS[model]
        out[key] = _lens(name, width, height, file.take(f"{number}d"), path)
    return out


def _images_binary(path: Path) -> list[_Pose]:
    file, out = _Reader(path), []
    for _ in range(file.count(73)):
        key, *numbers = file.take("i7di")
        name = file.text()
        file.skip(24 * file.count(24))  # observations
        out.append(_Pose(key, tuple(numbers[:4]), tuple(numbers[4:7]), numbers[7], name))
    return out


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are no comment, with their numbers; blank ones are kept."""
    try:
        text = _read(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text") from None
    rows = enumerate(text.splitlines(), 1)
    return [(n, row.strip()) for n, row in rows if not row.lstrip().startswith("#")]


def _cameras_text(path: Path) -> dict[int, _Lens]:
    out = {}
    for number, row in _lines(path):
        if not row:
            continue
        try:
            key, model, width, height, *rest = row.split()
            values = [float(v) for v in rest]
            lens = (model, int(width), int(height))
            index = int(key)
        except ValueError:
            raise ValueError(f"{path}: line {number} is no camera: {row[:60]!r}") from None
        if model not in _COUNT:
            raise ValueError(f"{path}: line {number} has the unknown model {model!r}")
        out[index] = _lens(*lens, values, path)
    return out


def _images_text(path: Path) -> list[_Pose]:
    rows, out = _lines(path), []
    # two lines an image: the pose, and its observations, which may be blank
    at = 0
    while at < len(rows):
        number, row = rows[at]
        if not row:
            at += 1
            continue
        try:
            key, *rest = row.split(maxsplit=9)
            numbers = [float(v) for v in rest[:7]]
            out.append(
                _Pose(int(key), tuple(numbers[:4]), tuple(numbers[4:]), int(rest[7]), rest[8])
            )
        except (ValueError, IndexError):
            raise ValueError(f"{path}: line {number} is no image: {row[:60]!r}") from None
        at += 2
    return out
