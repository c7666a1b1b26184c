"""Files that a file names, found where people have them: only in its folder or below, of bounded
size, never from a network.

A name is looked for as it is written, then without quotes, without a remark behind " #", with its
percent signs decoded; at its relative place, then at ever shorter ends of it, so that of
"C:\\me\\textures\\a.png" both "textures/a.png" and "a.png" beside the file are found; with letters
of other case; last in the one folder beside the file that has it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.left_behind import Loss, LossKind

MOST_BYTES = 1 << 30  # of one file that another names
_MOST_FOLDERS = 64  # beside a file, that are looked into
_NETWORK = ("http:", "https:", "ftp:")
_URI_SCHEMES = (*_NETWORK, "file:", "//")


class UnreadableError(FileFormatError):
    """What a file names is not there, or cannot be read; the rest of the file may be fine."""


def confined(path: Path, name: str, *, percent: bool = False) -> Path:
    """The file `name` beside `path`, at exactly the place that the name says.

    Args:
        percent: "%20" and the like stand for characters, as in URIs.

    Raises:
        FileFormatError: it lies outside the folder of `path`, or is a network address.
    """
    plain = (unquote(name) if percent else name).replace("\\", "/")
    folder = path.parent.resolve()
    bad = "\0" in plain or "://" in name or name.lower().startswith(_URI_SCHEMES)
    if not bad:
        target = (folder / plain).resolve()
        if target.is_relative_to(folder):
            return target
    raise FileFormatError(f"{path}: it names {name!r}, which is outside its folder")


def _spellings(name: str, percent: bool) -> Iterator[str]:
    """The names that a text may mean, the likeliest first."""
    plain = name.strip().lstrip("\ufeff")
    texts = [plain]
    quoted = re.match(r"""(["'])(.+?)\1""", plain)
    if quoted:
        texts.append(quoted[2])
    if " #" in plain or "\t#" in plain:
        texts.append(re.split(r"\s#", plain, maxsplit=1)[0].strip().strip("\"'"))
    decoded = [unquote(text) for text in texts]
    yield from dict.fromkeys([*decoded, *texts] if percent else [*texts, *decoded])


def _ends(name: str) -> Iterator[tuple[str, ...]]:
    """The relative places that a name may mean: itself, then its shorter and shorter ends."""
    if "\0" in name or name.lower().startswith(_NETWORK):
        return
    plain = re.sub(r"^file:/*", "/", name, flags=re.IGNORECASE).replace("\\", "/")
    plain = re.sub(r"^/?[A-Za-z]:", "", plain)
    steps: list[str] = []
    for step in plain.split("/"):
        if step == "..":
            del steps[-1:]  # above the folder there is nothing to look for
        elif step not in ("", "."):
            steps.append(step)
    for first in range(max(0, len(steps) - 16), len(steps)):
        yield tuple(steps[first:])


def _inside(folder: Path, steps: tuple[str, ...]) -> Path | None:
    """The file at these steps below a folder, in letters of any case; None where there is none."""
    place = folder
    for step in steps:
        following = place / step
        try:
            if not following.exists():
                wanted = step.casefold()
                names = [n for n in os.listdir(place) if n.casefold() == wanted]
                if not names:
                    return None
                following = place / min(names)
        except OSError:
            return None
        place = following
    try:
        real = place.resolve()
        return place if real.is_relative_to(folder) and real.is_file() else None
    except OSError:
        return None


def find_named(path: Path, name: str, *, percent: bool = False) -> str | None:
    """Where the file that `path` names as `name` is: a place relative to the folder of `path`, with
    "/" between its steps; None where it is not found in the folder or below.

    Args:
        percent: the name is a URI; percent signs are decoded before it is looked for as written.
    """
    try:
        folder = path.parent.resolve()
    except OSError:
        return None
    found = None
    spellings = list(_spellings(name, percent))
    for spelling in spellings:
        for steps in _ends(spelling):
            found = _inside(folder, steps)
            if found is not None:
                return found.relative_to(folder).as_posix()
    lasts = dict.fromkeys(steps[-1] for s in spellings for steps in _ends(s))
    for last in lasts:
        held = [f for f in _folders(folder) if _inside(folder, (f, last)) is not None]
        if len(held) == 1:
            found = _inside(folder, (held[0], last))
            if found is not None:
                return found.relative_to(folder).as_posix()
    return None


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError:
        return []
    return found if len(found) <= _MOST_FOLDERS else []


def _content(path: Path, name: str, place: str) -> bytes | None:
    target = path.parent / place
    try:
        if target.stat().st_size > MOST_BYTES:
            raise UnreadableError(f"{path}: it names {name!r}, which is larger than 1 GB")
        return target.read_bytes()
    except OSError:
        return None


def read_beside(path: Path, name: str, *, percent: bool = False) -> bytes | None:
    """Content of the file that `path` names as `name`; None where there is none.

    Args:
        percent: as for `find_named`.

    Raises:
        FileFormatError: not found, and the name lies outside the folder or is a network address.
        UnreadableError: the file is too large.
    """
    place = find_named(path, name, percent=percent)
    if place is None:
        confined(path, name, percent=percent)
        return None
    return _content(path, name, place)


def take_named(document: Document, path: Path, name: str, *, percent: bool = False) -> bytes | None:
    """Content of the file that `path` names as `name`; where it cannot be read, the document says
    so in `left_out`, and None is given.

    Args:
        percent: as for `find_named`.
    """
    try:
        data = read_beside(path, name, percent=percent)
    except FileFormatError:
        data = None
    if data is None:
        leave_out(document, name)
    return data


def leave_out(document: Document, name: str) -> None:
    """Notes in a document that the file `name` cannot be read, once."""
    loss = Loss(LossKind.NAMED_FILE, name=name, holder="the file")
    if loss not in document.left_out:
        document.left_out.append(loss)


def take_image(document: Document, path: Path, name: str, *, percent: bool = False) -> str:
    """Takes the image that `path` names as `name` into a document -> its key in `images`.

    The key is its place beside the file, such as "textures/a.png". An image that cannot be read is
    noted in `left_out`; its key is the name as it is written, of which there is no image.

    Args:
        percent: as for `find_named`.
    """
    if not name or name in document.images:
        return name
    place = find_named(path, name, percent=percent)
    if place is None:
        leave_out(document, name)
        return name
    if place not in document.images:
        try:
            data = _content(path, name, place)
        except UnreadableError:
            data = None
        if data is None:
            leave_out(document, name)
            return name
        document.images[place] = data
    return place


def safe_place(name: str) -> str:
    """A relative place, with "/" between its steps, that any system can have below a folder.

    Drives, roots and steps upwards are left out, letters that Windows does not allow become "_".
    """
    plain = re.sub(r"^/?[A-Za-z]:(?=[\\/])", "", name.replace("\\", "/"))
    steps = []
    for step in PurePosixPath(plain).parts:
        clean = re.sub(r'[\x00-\x1f:*?"<>|\\/]', "_", step).rstrip(" .")
        if step not in ("/", "//", "..", ".") and clean:
            steps.append(clean)
    return "/".join(steps[-16:]) or "image"
