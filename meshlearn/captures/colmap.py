"""COLMAP's sparse models, binary and text, as a `Capture`: cameras and poses of images.

All its perspective and fisheye models are read (`meshlearn.captures.lens`). No count in a file is
trusted beyond the bytes behind it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meshlearn.captures.capture import Capture, Names, find_image, fullest, view_names
from meshlearn.captures.lens import MODELS, Lens, lens_fault
from meshlearn.captures.poses import from_quaternion

_NAMES = tuple(MODELS)
_EQUIRECTANGULAR = 17  # COLMAP's number of the one model that is no lens
_FOLDERS = ("images", "images_2", "images_4", "images_8", "input", ".")
# least bytes of the records of the binary files
_CAMERA = struct.calcsize("<iiQQ")  # number, model, width, height; parameters follow
_POSE = struct.calcsize("<i7di") + 1 + 8  # the end of a name, and the count of observations
_OBSERVATION = struct.calcsize("<ddq")  # x and y in pixels, number of the point


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
        self.skip(size)
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
            raise ValueError(f"{self.path}: the name {raw[:60]!r} is not UTF-8") from None

    def end(self) -> None:
        left = len(self.data) - self.at
        if left:
            raise ValueError(f"{self.path}: holds {left} bytes behind the last record it promises")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def read_colmap_model(
    folder: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> Capture:
    """The capture of a COLMAP model; arguments and errors are those of
    `meshlearn.render.read_colmap`."""
    top = Path(folder)
    model = model_folder(top)
    binary = (model / "cameras.bin").is_file()
    suffix = "bin" if binary else "txt"
    lenses = (_cameras_binary if binary else _cameras_text)(model / f"cameras.{suffix}")
    file = model / f"images.{suffix}"
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file beside the cameras")
    found = (_images_binary if binary else _images_text)(file)
    if not found:
        raise ValueError(f"{file}: holds no images")
    found = sorted(found, key=lambda p: (p.name, p.image))
    poses = []
    for pose in found:
        if pose.camera not in lenses:
            raise ValueError(f"{file}: image {pose.name!r} names no camera {pose.camera}")
        matrix = from_quaternion(pose.quaternion, pose.translation)
        if matrix is None:
            numbers = " ".join(f"{v:.6g}" for v in (*pose.quaternion, *pose.translation))
            raise ValueError(f"{file}: image {pose.name!r} has no rotation and place ({numbers})")
        poses.append(matrix)
    project = top if model != top or (top / "images").is_dir() else _project(top)
    remarks = []
    place = project / (images or "images")
    if images is None:
        best, count = fullest(_files_in(project / name, found) for name in _FOLDERS)
        if best:
            there = place.is_dir()
            place = project / _FOLDERS[best]
            remarks.append(
                f"{model}: the images of {place} are read, {count:,} of {len(found):,} are there; "
                f"{'fewer are in' if there else 'there is no'} folder images"
            )
    others = _other_models(model)
    if others:
        remarks.append(f"{model}: is read; {others} left aside")
    named = Names()
    colors = [named.alike(find_image(place, pose.name, str(file))[0]) for pose in found]
    paths: dict[str, list[Path | None]] = {"colors": list(colors)}
    masks = [_mask(project / "masks", pose.name) for pose in found]
    if any(masks):
        paths["masks"] = list(masks)
    return Capture(
        model,
        np.stack(poses),
        tuple(lenses[pose.camera] for pose in found),
        paths,
        view_names([pose.name for pose in found]),
        remarks=tuple(remarks),
    )


def is_colmap(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a COLMAP model."""
    try:
        model_folder(Path(folder))
    except ValueError:
        return False
    return True


def model_folder(top: Path) -> Path:
    """Where the model of a project, or of this folder itself, lies.

    Raises:
        ValueError: there is none.
    """
    for below in (".", "sparse/0", "sparse", "colmap/sparse/0"):
        place = top / below
        if (place / "cameras.bin").is_file() or (place / "cameras.txt").is_file():
            return place
    raise ValueError(f"{top}: holds no COLMAP model (cameras.bin or cameras.txt, or sparse/0)")


def _files_in(folder: Path, poses: Sequence[_Pose]) -> list[Path | None]:
    """Where the images are in a folder, as they are named, or of another type; None for a name out
    of it."""
    named = Names()
    return [
        None if not name or "\0" in name or name.startswith("/") or ".." in Path(name).parts
        else named.alike(folder / name)
        for name in (pose.name for pose in poses)
    ]  # fmt: skip


def _other_models(model: Path) -> str:
    """The models beside this one in COLMAP's folder sparse: "2 models beside it are"."""
    if not model.name.isdigit() or not model.parent.is_dir():
        return ""
    others = [p for p in model.parent.iterdir() if p != model and p.name.isdigit() and is_colmap(p)]
    one = len(others) == 1
    return (
        f"{len(others)} model{'' if one else 's'} beside it {'is' if one else 'are'}"
        if others
        else ""
    )


def _project(model: Path) -> Path:
    up = model.parent
    return up.parent if up.name == "sparse" else up


def _mask(folder: Path, name: str) -> Path | None:
    for candidate in (name, name + ".png", str(Path(name).with_suffix(".png")) if name else ""):
        try:
            path, _ = find_image(folder, candidate, "masks")
        except ValueError:
            continue
        if path.is_file():
            return path
    return None


def _lens(name: str, width: int, height: int, values: Sequence[float], path: Path) -> Lens:
    model = MODELS[name]
    number = len(model.parameters)
    if len(values) != number:
        raise ValueError(f"{path}: {name} takes {number} parameters, got {len(values)}")
    start = model.parameters.index("cx")
    focal, (cx, cy) = values[:start], values[start : start + 2]
    lens = Lens(name, (focal[0], focal[-1]), (cx, cy), (height, width), tuple(values[start + 2 :]))
    fault = lens_fault(lens)
    if fault:
        raise ValueError(f"{path}: a camera {name} {fault}; it makes no image")
    return lens


def _cameras_binary(path: Path) -> dict[int, Lens]:
    file, out = _Reader(path), {}
    for _ in range(file.count(_CAMERA)):
        key, model, width, height = file.take("iiQQ")
        if model == _EQUIRECTANGULAR:
            raise ValueError(_panorama(path))
        if not 0 <= model < len(_NAMES):
            raise ValueError(f"{path}: camera {key} has the unknown model {model}")
        name = _NAMES[model]
        values = file.take(f"{len(MODELS[name].parameters)}d")
        out[key] = _lens(name, width, height, values, path)
    file.end()
    return out


def _panorama(path: Path) -> str:
    return (
        f"{path}: the camera model EQUIRECTANGULAR is not supported; cut the panoramas into "
        "perspective images first"
    )


def _images_binary(path: Path) -> list[_Pose]:
    file, out = _Reader(path), []
    for _ in range(file.count(_POSE)):
        key, *numbers = file.take("i7di")
        name = file.text()
        file.skip(_OBSERVATION * file.count(_OBSERVATION))
        out.append(_Pose(key, tuple(numbers[:4]), tuple(numbers[4:7]), numbers[7], name))
    file.end()
    return out


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are no comment, with their numbers; blank ones are kept."""
    try:
        text = _read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text") from None
    rows = enumerate(text.splitlines(), 1)
    return [(n, row.strip()) for n, row in rows if not row.lstrip().startswith("#")]


def _cameras_text(path: Path) -> dict[int, Lens]:
    out = {}
    for number, row in _lines(path):
        if not row:
            continue
        try:
            key, model, width, height, *rest = row.split()
            values = [float(v) for v in rest]
            size = (int(width), int(height))
            index = int(key)
        except ValueError:
            raise ValueError(f"{path}: line {number} is no camera: {row[:60]!r}") from None
        if model == "EQUIRECTANGULAR":
            raise ValueError(_panorama(path))
        if model not in MODELS:
            raise ValueError(f"{path}: line {number} has the unknown model {model!r}")
        out[index] = _lens(model, *size, values, path)
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
        if at + 1 < len(rows):
            _check_observations(path, *rows[at + 1])
        at += 2
    return out


def _check_observations(path: Path, number: int, row: str) -> None:
    """Raises ValueError where the line behind a pose is none of observations: x, y and the number
    of a point for each, or blank."""
    words = row.split()
    try:
        if len(words) % 3:
            raise ValueError
        for at in range(0, len(words), max(3, len(words) - 3)):  # the first, and the last
            float(words[at]), float(words[at + 1]), int(words[at + 2])
    except ValueError:
        raise ValueError(
            f"{path}: line {number} lists no observations; an image takes two lines, the second "
            f"of which may be blank"
        ) from None
