"""One registry of formats: reading, writing, converting, by the extension of a file's name."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from meshlearn.io import gltf, obj, off, ply, stl
from meshlearn.io.document import Document, FileFormatError, check_polygons, from_mesh, to_mesh
from meshlearn.mesh import Mesh

_FORMATS: dict[str, ModuleType] = {
    suffix: module for module in (obj, ply, stl, off, gltf) for suffix in module.SUFFIXES
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LossReport:
    """What a target format could not hold: one text for each kind of loss."""

    losses: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.losses)

    def __str__(self) -> str:
        return "nothing was lost" if not self.losses else "lost: " + ", ".join(self.losses)


def readable_suffixes() -> tuple[str, ...]:
    """Extensions that `load` reads."""
    return tuple(_FORMATS)


def writable_suffixes() -> tuple[str, ...]:
    """Extensions that `save` writes."""
    return tuple(_FORMATS)


def _format_of(path: Path) -> ModuleType:
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        named = f"{suffix!r}" if suffix else "no extension"
        raise FileFormatError(
            f"{path}: expected a mesh file by its extension ({' '.join(_FORMATS)}), got {named}"
        )
    return _FORMATS[suffix]


def load_document(path: str | os.PathLike[str]) -> Document:
    """Everything a mesh file holds.

    Raises:
        FileFormatError: the file is missing, a directory, empty, of an unknown extension, or not
        what
            its extension says; in one sentence.
    """
    path = Path(path)
    module = _format_of(path)
    if path.is_dir():
        raise FileFormatError(f"{path}: expected a file, got a directory")
    try:
        with open(path, "rb") as stream:  # a bytearray, since torch wants writable memory
            data = bytearray(os.fstat(stream.fileno()).st_size)
            del data[stream.readinto(data) :]
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file") from None
    except OSError as error:
        raise FileFormatError(f"{path}: it cannot be read ({error.strerror})") from None
    if not data:
        raise FileFormatError(f"{path}: expected a mesh, the file is empty")
    try:
        document = module.read(data, path)
    except FileFormatError:
        raise
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError, IndexError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileFormatError(
            f"{path}: not a legal {path.suffix[1:].lower()} file: {text}"
        ) from None
    for part in document.parts:
        check_polygons(part, str(path))
    return document


def load(
    path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = torch.float32,
    nan: str = "keep",
) -> Mesh:
    """Reads a mesh: OBJ, PLY, STL, OFF, GLB or glTF, by its extension.

    Polygons are triangulated, several parts joined; nothing is merged, reordered or dropped. Fields
    of the file become attributes: "color", "normal", "uv" and others by their name; texture
    coordinates and normals of an OBJ are corner attributes with their own index.

    Args:
        dtype: of vertices and float attributes; None keeps what the file has (text: float64).
        nan: "keep" vertices that are NaN or infinite, with a warning in the log, or "refuse" them.

    Raises:
        FileFormatError: a ValueError of one sentence; see `load_document`.

    Example:
        >>> mesh = meshlearn.load("part.obj")
    """
    if nan not in ("keep", "refuse"):
        raise ValueError(f"nan: expected 'keep' or 'refuse', got {nan!r}")
    document = load_document(path)
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in document.parts)
    if bad:
        total = sum(len(p.vertices) for p in document.parts)
        text = f"{path}: {bad} of {total} vertices are NaN or infinite"
        if nan == "refuse":
            raise FileFormatError(f"{text}; read it with nan='keep' or mend the file")
        _log.warning("%s; they are kept", text)
    return to_mesh(document, dtype=dtype)


def write_file(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all: an interrupted write leaves the old one as it was."""
    folder = path.parent
    if not folder.is_dir():
        raise FileFormatError(f"{path}: the folder {folder} does not exist")
    if path.is_dir():
        raise FileFormatError(f"{path}: expected a file's name, it is a directory")
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    except OSError as error:
        raise FileFormatError(f"{path}: it cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(name, mode & 0o7777)
        os.replace(name, path)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise FileFormatError(f"{path}: it cannot be written ({error.strerror})") from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_document(
    document: Document, path: str | os.PathLike[str], *, overwrite: bool = True
) -> LossReport:
    """Writes a document by the extension of `path`; returns what the format could not hold.

    Raises:
        FileFormatError: unknown extension, an existing file without `overwrite`, or no way to
        write.
    """
    path = Path(path)
    module = _format_of(path)
    if path.exists() and not overwrite:
        raise FileFormatError(f"{path}: it exists; give overwrite=True to replace it")
    data = module.write(document, path)
    write_file(path, data)
    return LossReport(tuple(dict.fromkeys(module.losses(document))))


def save(mesh: Mesh, path: str | os.PathLike[str], *, overwrite: bool = True) -> LossReport:
    """Writes a mesh; the format follows the extension. Whole or not at all.

    Returns:
        What the format could not hold.

    Raises:
        ValueError: not a Mesh; FileFormatError as `save_document`.

    Example:
        >>> meshlearn.save(mesh, "out.glb")
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    return save_document(from_mesh(mesh), path, overwrite=overwrite)


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, overwrite: bool = True
) -> LossReport:
    """Converts a file, document to document: polygons, double precision and fields go along.

    Returns:
        What the target format could not hold.
    """
    _format_of(Path(target))
    return save_document(load_document(source), target, overwrite=overwrite)
