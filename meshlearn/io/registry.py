"""One registry of formats: reading, writing, converting, by the extension of a file's name."""

from __future__ import annotations

import inspect
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from meshlearn.io.document import Document, FileFormatError, check_polygons, from_mesh, to_mesh
from meshlearn.io.formats.dae import read as dae
from meshlearn.io.formats.gltf import read as gltf
from meshlearn.io.formats.gmsh import read as gmsh
from meshlearn.io.formats.medit import read as medit
from meshlearn.io.formats.npz import read as npz
from meshlearn.io.formats.obj import read as obj
from meshlearn.io.formats.off import read as off
from meshlearn.io.formats.pcd import read as pcd
from meshlearn.io.formats.ply import read as ply
from meshlearn.io.formats.safetensors import read as tensors
from meshlearn.io.formats.stl import read as stl
from meshlearn.io.formats.threemf import read as threemf
from meshlearn.io.formats.usd import read as usd
from meshlearn.io.formats.vtk import read as vtk
from meshlearn.io.formats.vtk import vtp
from meshlearn.io.formats.vtk import xml as vtk_xml
from meshlearn.io.formats.xyz import read as xyz
from meshlearn.io.left_behind import LossReport, report_of
from meshlearn.mesh import Mesh

_FORMATS: dict[str, ModuleType] = {
    suffix: module
    for module in (
        *(obj, ply, stl, off, gltf, threemf),
        *(vtk, vtk_xml, vtp, medit, gmsh, dae),
        *(usd, xyz, pcd, npz, tensors),
    )
    for suffix in module.SUFFIXES
}
# written as text whatever is asked
_TEXT = frozenset(".obj .off .coff .noff .gltf .xyz .mesh .dae".split())
_log = logging.getLogger(__name__)


def readable_suffixes() -> tuple[str, ...]:
    """Extensions that `load` reads."""
    return tuple(_FORMATS)


def writable_suffixes() -> tuple[str, ...]:
    """Extensions that `save` writes."""
    return tuple(suffix for suffix, module in _FORMATS.items() if hasattr(module, "write"))


def _format_of(path: Path, format: str | None = None, *, writing: bool = False) -> ModuleType:
    """The module of a format, by its extension `format` (".ply" or "ply") or by that of `path`."""
    suffix = path.suffix.lower() if format is None else "." + format.lower().lstrip(".")
    known = writable_suffixes() if writing else readable_suffixes()
    if suffix not in known:
        named = f"{suffix!r}" if suffix else "no extension"
        end = "; it can be read, not written" if suffix in _FORMATS else ""
        raise FileFormatError(
            f"{path}: expected a mesh file by its extension ({' '.join(known)}), got {named}{end}"
        )
    return _FORMATS[suffix]


def _name_of(module: ModuleType) -> str:
    return module.SUFFIXES[0][1:].upper()


def read_document(
    data: bytes | bytearray, path: str | os.PathLike[str], *, format: str | None = None
) -> Document:
    """Everything that the bytes of a mesh file hold.

    Args:
        data: the file's content.
        path: its name, for messages and for files that it names.
        format: an extension such as "ply"; default: that of `path`.

    Raises:
        FileFormatError: not what the format asks for; in one sentence.
    """
    path = Path(path)
    module = _format_of(path, format)
    if not data:
        raise FileFormatError(f"{path}: expected a mesh, the file is empty")
    try:
        document = module.read(data, path)
    except FileFormatError:
        raise
    except (ValueError, OverflowError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileFormatError(f"{path}: not a legal {_name_of(module)} file: {text}") from None
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise FileFormatError(_unclear(module, path, error)) from error
    for part in document.parts:
        check_polygons(part, str(path))
    return document


def _unclear(module: ModuleType, path: Path, error: Exception) -> str:
    """What is said of an error that the file or the reader itself may have caused."""
    text = str(error).splitlines()[0] if str(error) else ""
    return (
        f"{path}: the {_name_of(module)} reader stumbled over it ({type(error).__name__}: {text}); "
        f"either the file is damaged, or the reader has a fault"
    )


def load_document(path: str | os.PathLike[str], *, format: str | None = None) -> Document:
    """Everything a mesh file holds.

    Args:
        format: an extension such as "ply", where the file's name does not say it.

    Raises:
        FileFormatError: the file is missing, a directory, empty, of an unknown extension, or not
            what its extension says; in one sentence.
    """
    path = Path(path)
    _format_of(path, format)
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
    return read_document(data, path, format=format)


def load(
    path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = torch.float32,
    nan: str = "keep",
) -> Mesh:
    """Reads a mesh by its extension: OBJ, PLY, STL, OFF, glTF, 3MF, VTK, MEDIT, Gmsh, COLLADA and
    others (`readable_suffixes`).

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
    odd = [p for p in document.parts if not np.isfinite(p.vertices).all()]
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in odd)
    if bad:
        total = sum(len(p.vertices) for p in document.parts)
        text = f"{path}: {bad} of {total} vertices are NaN or infinite"
        if nan == "refuse":
            raise FileFormatError(f"{text}; read it with nan='keep' or mend the file")
        _log.warning("%s; they are kept", text)
    return to_mesh(document, dtype=dtype)


def write_file(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Writes a file, given whole or in pieces, whole or not at all: an interrupted write leaves the
    old one as it was."""
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
            stream.writelines([data] if isinstance(data, (bytes, bytearray)) else data)
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


def find_losses(
    document: Document, path: str | os.PathLike[str], *, format: str | None = None
) -> LossReport:
    """What a format could not hold of a document; nothing is written."""
    module = _format_of(Path(path), format, writing=True)
    return report_of(document, module.losses(document), _name_of(module))


def encode(
    document: Document,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    ascii: bool = False,
    whole: bool = True,
) -> dict[str, bytes]:
    """The files that a document becomes, by name: that of `path`, and those it refers to.

    Args:
        ascii: the text variant of a format that has both.
        whole: False: a file may be given as an iterable of its pieces.

    Raises:
        FileFormatError: the format is unknown, or has no text variant.
    """
    path = Path(path)
    module = _format_of(path, format, writing=True)
    options: dict[str, bool] = {}
    if ascii and "ascii" in inspect.signature(module.write).parameters:
        options["ascii"] = True
    elif ascii and not _writes_text(module, path, format):
        raise FileFormatError(f"{path}: {_name_of(module)} has no text variant; leave ascii out")
    named = path if format is None else path.with_suffix("." + format.lower().lstrip("."))
    make = module.write if whole or not hasattr(module, "pieces") else module.pieces
    data = make(document, named, **options)
    if isinstance(data, Mapping):
        files = dict(data)
        return {path.name: files.pop(named.name), **files}
    return {path.name: data}


def _writes_text(module: ModuleType, path: Path, format: str | None) -> bool:
    suffix = path.suffix if format is None else "." + format.lstrip(".")
    return bool(getattr(module, "TEXT", suffix.lower() in _TEXT))


def save_document(
    document: Document,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = True,
    format: str | None = None,
    ascii: bool = False,
    strict: bool = False,
) -> LossReport:
    """Writes a document; returns what the format could not hold. Whole or not at all.

    Args:
        overwrite: replace an existing file.
        format: an extension such as "ply"; default: that of `path`.
        ascii: the text variant of a format that has both.
        strict: a loss is an error, and nothing is written.

    Raises:
        FileFormatError: unknown extension, an existing file without `overwrite`, a loss under
            `strict`, or no way to write.
    """
    path = Path(path)
    report = find_losses(document, path, format=format)
    if strict and report:
        raise FileFormatError(f"{path}: not written, since it would lose {str(report)[6:]}")
    if path.exists() and not overwrite:
        raise FileFormatError(f"{path}: it exists; give overwrite=True to replace it")
    files = encode(document, path, format=format, ascii=ascii, whole=False)
    beside = [name for name in files if name != path.name]
    for name in beside:
        if Path(name).name != name or name in (".", ".."):
            raise FileFormatError(f"{path}: its second file {name!r} would lie in another folder")
        if (path.parent / name).exists() and not overwrite:
            raise FileFormatError(f"{path.parent / name}: it exists; give overwrite=True")
    for name in [*beside, path.name]:  # the file itself last: it names the others
        write_file(path.parent / name, files[name])
    return report


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
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = True,
    strict: bool = False,
) -> LossReport:
    """Converts a file, document to document: polygons, double precision and fields go along.

    Args:
        overwrite: replace an existing target.
        strict: a loss is an error, and nothing is written.

    Returns:
        What the target format could not hold.
    """
    _format_of(Path(target), writing=True)
    return save_document(load_document(source), target, overwrite=overwrite, strict=strict)
