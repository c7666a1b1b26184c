"""What a folder of posed photographs tells, before a picture is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from meshlearn.captures.lens import Lens

_IMAGES = (
    ".png", ".jpg", ".jpeg", ".npy", ".npz", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".gif",
)  # fmt: skip
KINDS = ("masks", "depth", "normals", "colors")


@dataclass(frozen=True)
class Capture:
    """Views: where each camera stood, through what it looked, and the files of what it saw.

    Attributes:
        path: the file or folder that the cameras were read from.
        poses: (N, 4, 4) float64, world to camera (OpenCV: x right, y down, z forward).
        lenses: N of them.
        paths: kind ("colors", "masks", "depth", "normals"; "known" for the pixels that a camera
            saw) -> N paths, or None for a missing one.
        names: N names of views, no two alike (`view_names`).
        depth_scale: unit of the numbers in depth images.
        normal_space: "world" or "camera" (OpenGL axes).
        masks_are_alpha: the files of "masks" are colours, whose alpha stands in.
        remarks: sentences about what was decided, or left aside.
    """

    path: Path
    poses: np.ndarray
    lenses: tuple[Lens, ...]
    paths: dict[str, list[Path | None]]
    names: tuple[str, ...]
    depth_scale: float = 1.0
    normal_space: str = "world"
    masks_are_alpha: bool = False
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lenses)

    def files(self, view: int) -> list[Path]:
        """The files of a view."""
        return [p for kind in KINDS if (p := self.paths.get(kind, {view: None})[view]) is not None]

    def only(self, views: Iterable[int], *remarks: str) -> Capture:
        """With these views only."""
        views = list(views)
        return replace(
            self,
            poses=self.poses[views],
            lenses=tuple(self.lenses[i] for i in views),
            paths={k: [v[i] for i in views] for k, v in self.paths.items()},
            names=tuple(self.names[i] for i in views),
            remarks=(*self.remarks, *remarks),
        )


def view_names(files: Sequence[str | PurePath]) -> tuple[str, ...]:
    """A name for each view, no two alike and fit for a file: the stem of its image.

    Where stems repeat, as in left/0001.png and right/0001.png, the parts of the path are joined
    (left_0001); what is alike even then is numbered (left_0001_2).

    Args:
        files: of each view the path as it is written below the capture's folder.
    """
    paths = [PurePath(str(file).replace("\\", "/")) for file in files]
    stems = Counter(path.stem for path in paths)
    names: list[str] = []
    taken = {stem for stem, count in stems.items() if count == 1}
    for path in paths:
        if stems[path.stem] == 1:
            names.append(path.stem)
            continue
        above = [p for p in path.parent.parts if p not in ("..", "/") and p[1:] != ":"]
        whole = name = "_".join([*above, path.stem])
        number = 1
        while name in taken:
            number += 1
            name = f"{whole}_{number}"
        taken.add(name)
        names.append(name)
    return tuple(names)


def fullest(choices: Iterable[Sequence[Path | None]]) -> tuple[int, int]:
    """The number of the list that most files of are there, the first of equal ones, and how many.

    Args:
        choices: files of the same images in one folder and in others; the first list of which all
            are there ends the search.
    """
    best, most = 0, -1
    for k, files in enumerate(choices):
        count = sum(file is not None and file.is_file() for file in files)
        if count > most:
            best, most = k, count
        if count == sum(file is not None for file in files):
            break
    return best, max(most, 0)


class Names:
    """Files of folders by their stems, each folder listed once."""

    def __init__(self) -> None:
        self._found: dict[Path, dict[str, list[Path]]] = {}

    def alike(self, path: Path) -> Path:
        """The path, or where nothing is there the one image beside it of the same stem."""
        if path.is_file():
            return path
        folder = path.parent
        if folder not in self._found:
            stems = self._found[folder] = {}
            for file in folder.iterdir() if folder.is_dir() else ():
                if file.suffix.lower() in _IMAGES:
                    stems.setdefault(file.stem, []).append(file)
        alike = self._found[folder].get(path.stem, [])
        return alike[0] if len(alike) == 1 else path


def find_image(folder: Path, name: object, where: str) -> tuple[Path, bool]:
    """The path of a named image below a folder, and whether it was found by an end of its name.

    A name that leads out of the folder (an absolute path of another machine, "..") is looked for
    below it by ever shorter ends; backslashes are slashes, and letters may be of other case.

    Raises:
        ValueError: no name, or one that leads out of the folder and is not below it.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise ValueError(f"{where}: expected a file name, got {name!r}")
    root = folder.resolve()
    plain = name if (folder / name).exists() else name.replace("\\", "/")
    path = folder / plain
    drive = len(plain) > 1 and plain[1] == ":"
    if not Path(plain).is_absolute() and not drive and path.resolve().is_relative_to(root):
        return _spelled(path), False
    whole = with_suffix(path)
    if Path(plain).is_absolute() and whole.is_file() and whole.resolve().is_relative_to(root):
        return whole, False  # an absolute path of this folder
    parts = [part for part in Path(plain).parts if part not in ("..", ".", "/")]
    for start in range(1 if drive else 0, len(parts)):
        end = with_suffix(folder.joinpath(*parts[start:]))
        if end.is_file() and end.resolve().is_relative_to(root):
            return end, True
    raise ValueError(f"{where}: {name!r} leads out of the folder {folder}; keep images in it")


def _spelled(path: Path) -> Path:
    """The path, or where nothing is there the one file whose name differs in case only."""
    if path.exists() or not path.parent.is_dir():
        return path
    name = path.name.casefold()
    alike = [p for p in path.parent.iterdir() if p.name.casefold() == name]
    return alike[0] if len(alike) == 1 else path


def with_suffix(path: Path) -> Path:
    """The path, with an extension where one is left out, as in NeRF's synthetic scenes."""
    if path.is_file():
        return path
    for suffix in (".png", ".jpg", ".jpeg"):
        whole = path.with_name(path.name + suffix)
        if whole.is_file():
            return whole
    return path if path.suffix.lower() in _IMAGES else path.with_name(path.name + ".png")
