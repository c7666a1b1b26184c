"""Files that a file names: only in its folder or below, of bounded size, never a network."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from meshlearn.io.document import Document, FileFormatError

MOST_BYTES = 1 << 30  # of one file that another names
_URI_SCHEMES = ("http:", "https:", "ftp:", "file:", "//")


class UnreadableError(FileFormatError):
    """What a file names is not there, or cannot be read; the rest of the file may be fine."""


def confined(path: Path, name: str, *, percent: bool = False) -> Path:
    """The file `name` beside `path`.

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


def read_beside(path: Path, name: str, *, percent: bool = False) -> bytes | None:
    """Content of the file `name` beside `path`; None where there is none.

    Raises:
        FileFormatError: as `confined`.
        UnreadableError: the file is too large.
    """
    target = confined(path, name, percent=percent)
    try:
        if not target.is_file():
            return None
        if target.stat().st_size > MOST_BYTES:
            raise UnreadableError(f"{path}: it names {name!r}, which is larger than 1 GB")
        return target.read_bytes()
    except OSError:
        return None


def take_image(document: Document, path: Path, name: str) -> None:
    """Takes the image `name` beside `path` into a document, where it is there and none of its name.

    Of a texture elsewhere the name is kept, the file is not read.
    """
    if not name or name in document.images:
        return
    try:
        data = read_beside(path, name)
    except FileFormatError:
        return
    if data is not None:
        document.images[name] = data
