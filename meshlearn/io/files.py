"""Documents in files: reading, writing and converting, by the extension of a file's name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from meshlearn import _files
from meshlearn.io.capability import losses_of
from meshlearn.io.changes.skin import with_skins
from meshlearn.io.contents import check_something, with_elements
from meshlearn.io.document import Document, FileFormatError, Part, check_part, check_polygons
from meshlearn.io.format import Bytes, Format
from meshlearn.io.image_names import image_places, prefixed, with_images_named
from meshlearn.io.left_behind import Loss, LossKind, LossReport, report_of
from meshlearn.io.loops import once_around
from meshlearn.io.registry import (
    ZIPPED,
    format_of,
    is_gzipped,
    knows,
    plain_path,
    source_of,
    suffix_of,
)
from meshlearn.io.resolver import safe_place
from meshlearn.io.wrapping import GZIP, Zipped, gunzipped, gzipped


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else ""


def _of(format: Format) -> str:
    """ " of the format 'x' of the package y" for one that is not of this package."""
    source = source_of(format)
    return f" of {source}" if source else ""


def _function(format: Format, key: str, path: Path) -> Callable[..., Any]:
    """The reader or writer of a format, imported now if it was not yet."""
    try:
        found = format.function(key)
    except (Exception, SystemExit) as error:
        if source_of(format) is None:
            raise
        raise FileFormatError(
            f"{path}: the function {key!r}{_of(format)} cannot be imported "
            f"({type(error).__name__}: {_first_line(error)})"
        ) from error
    assert found is not None
    return found


def read_document(
    data: bytes | bytearray,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    tolerance: float | None = None,
) -> Document:
    """Everything that the bytes of a mesh file hold.

    Args:
        data: the file's content.
        path: its name, for messages and for files that it names.
        format: an extension such as "ply"; default: that of `path`.
        tolerance: of formats of curved solids, how far triangles may be from them, in the file's
            unit.

    Raises:
        FileFormatError: not what the format asks for; in one sentence.
    """
    path = Path(path)
    found = format_of(path, format)
    if data[:2] == GZIP:
        data, path = gunzipped(data, path), plain_path(path)
    if not data:
        raise FileFormatError(f"{path}: expected a mesh, the file is empty")
    if tolerance is not None and not found.tolerance:
        raise FileFormatError(
            f"{path}: tolerance is for curved solids (STEP, IGES), {found.name} has none; leave it "
            f"out"
        )
    read = _function(found, "read", path)
    try:
        document = read(data, path) if tolerance is None else read(data, path, tolerance=tolerance)
        if source_of(found):
            _check(document, found, path)
    except (FileFormatError, MemoryError):
        raise
    except (ValueError, OverflowError) as error:
        text = _first_line(error) or type(error).__name__
        raise FileFormatError(f"{path}: not a legal {found.name} file: {text}") from None
    except Exception as error:
        clear = not isinstance(error, (TypeError, KeyError, AttributeError, IndexError))
        if clear and not source_of(found):
            raise
        raise FileFormatError(
            f"{path}: the {found.name} reader stumbled over it "
            f"({type(error).__name__}: {_first_line(error)}); either the file is damaged, or the "
            f"reader{_of(found)} has a fault"
        ) from error
    repeated = 0
    for number, part in enumerate(document.parts):
        check_polygons(part, str(path))
        document.parts[number], count = once_around(part)
        repeated += count
    if repeated:
        one = "polygon goes" if repeated == 1 else "polygons go"
        document.remarks.append(
            f"{repeated:,} {one} round the same corners several times; they are read once"
        )
    return with_elements(document, path)


def _check(document: object, format: Format, path: Path) -> None:
    """Raises FileFormatError where a reader of another package gave what is no document."""
    if not isinstance(document, Document) or not all(isinstance(p, Part) for p in document.parts):
        raise FileFormatError(
            f"{path}: the {format.name} reader{_of(format)} gave {type(document).__name__}, "
            f"expected a Document of Parts"
        )
    for part in document.parts:
        check_part(path, part)


def load_document(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    format: str | None = None,
    tolerance: float | None = None,
) -> Document:
    """Everything a mesh file holds, also with gzip around it, or in a zip archive of one mesh.

    Args:
        path: a file's name, or a file object that is open for reading bytes.
        format: an extension such as "ply", where the file's name does not say it.
        tolerance: as `read_document`.

    Raises:
        FileFormatError: the file is missing, a directory, empty, of an unknown extension, or not
            what its extension says; in one sentence.
    """
    if not isinstance(path, str | os.PathLike):
        path, data = _from_stream(path, format)
        return _opened(data, path, format, tolerance)
    path = Path(path)
    if format is not None or suffix_of(path) != ZIPPED:
        format_of(path, format)
    if path.is_dir():
        raise FileFormatError(f"{path}: expected a file, got a directory")
    try:
        with open(path, "rb") as stream:  # a bytearray, since arrays over it are to be writable
            data = bytearray(os.fstat(stream.fileno()).st_size)
            del data[stream.readinto(data) :]
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file") from None
    except OSError as error:
        raise FileFormatError(f"{path}: it cannot be read ({error.strerror})") from None
    return _opened(data, path, format, tolerance)


def _opened(data: bytearray, path: Path, format: str | None, tolerance: float | None) -> Document:
    """The document of a file's content, or of the one mesh in a zip archive."""
    if suffix_of(path) != ZIPPED or data[:2] != b"PK":
        return read_document(data, path, format=format, tolerance=tolerance)

    def wanted(name: str) -> bool:
        suffix = suffix_of(Path(name))
        return knows(suffix) if format is None else suffix == suffix_of(path, format)

    packed = Zipped(bytes(data), path, wanted)
    if packed.alone:
        return read_document(
            packed.content(), path / packed.place, format=format, tolerance=tolerance
        )
    with tempfile.TemporaryDirectory(prefix="meshlearn-") as folder:
        try:
            return load_document(packed.unpack(folder), format=format, tolerance=tolerance)
        except FileFormatError as error:
            raise FileFormatError(str(error).replace(folder, str(path))) from None
        except OSError as error:
            raise FileFormatError(f"{path}: it cannot be unpacked ({error.strerror})") from None


def said_as(path: str | os.PathLike[str] | IO[bytes]) -> Path:
    """What messages call a file, or a file object."""
    if isinstance(path, str | os.PathLike):
        return Path(path)
    name = getattr(path, "name", None)
    return Path(name) if isinstance(name, str) and name else Path("the file object")


def _name_of(stream: Any, format: str | None) -> Path:
    """The name of a file object; files that it names are beside it."""
    path = said_as(stream)
    if format is None and not suffix_of(path):
        raise FileFormatError(f"{path}: it has no name; say its format, such as format='ply'")
    return path


def _from_stream(stream: Any, format: str | None) -> tuple[Path, bytearray]:
    """The name and the content of a file object."""
    if not callable(getattr(stream, "read", None)):
        raise ValueError(
            f"path: expected a file's name or a file object, got {type(stream).__name__}"
        )
    path = _name_of(stream, format)
    data = stream.read()
    if isinstance(data, str):
        data = data.encode()
    return path, bytearray(data)


def prepared(
    document: Document, path: str | os.PathLike[str], *, format: str | None = None
) -> Document:
    """The document as the format of `path` can have it; see `Format.prepare` and `with_skins`."""
    path = Path(path)
    found = format_of(path, format, writing=True)
    document = with_skins(document, found.holds, found.name)
    return document if found.prepare is None else _made(found, "prepare", path, document)


def _compression(found: Format, compress: str | None, path: Path) -> dict[str, str]:
    """The option for the functions of a format.

    Raises:
        FileFormatError: the format has no such compression.
    """
    if compress is None:
        return {}
    if compress not in found.compress:
        known = f"it has {', '.join(found.compress)}" if found.compress else "write .glb for that"
        raise FileFormatError(
            f"{path}: {found.name} files are not compressed by {compress!r}; {known}"
        )
    return {"compress": compress}


def find_losses(
    document: Document,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    ascii: bool = False,
    compress: str | None = None,
) -> LossReport:
    """What a format could not hold of a document; nothing is written.

    Args:
        ascii: the text variant of a format that has both.
        compress: as for `save_document`.

    Raises:
        FileFormatError: the suffix names no format that is written, or the format has no such
            compression.
    """
    path = Path(path)
    found = format_of(path, format, writing=True)
    options = _compression(found, compress, path)
    document = prepared(document, path, format=format)
    losses = losses_of(document, found.holds_as(ascii=ascii))
    if found.losses is not None:
        whole = {(x.domain, x.name) for x in losses if x.kind is LossKind.FIELD and x.count}
        more = _made(found, "losses", path, document, **options)
        losses += [x for x in more if not x.domain or (x.domain, x.name) not in whole]
    return report_of([*document.left_out, *losses], found.name)


def _made(format: Format, key: str, path: Path, *arguments: object, **options: Any) -> Any:
    """What a function of a format makes of a document, of the type that it should have."""
    function = _function(format, key, path)
    try:
        made = function(*arguments, **options)
        made = list(made) if key == "losses" else made
    except (FileFormatError, MemoryError):
        raise
    except Exception as error:
        if not source_of(format):
            raise
        raise FileFormatError(
            f"{path}: it cannot be written, since the function {key!r}{_of(format)} failed "
            f"({type(error).__name__}: {_first_line(error)})"
        ) from error
    kinds = (bytes, bytearray, memoryview)
    if key == "prepare":
        good = isinstance(made, Document)
    elif key == "losses":
        good = all(isinstance(loss, Loss) for loss in made)
    elif isinstance(made, Mapping):
        good = path.name in made and all(
            isinstance(name, str) and (isinstance(data, kinds) or key == "pieces")
            for name, data in made.items()
        )
    else:
        good = isinstance(made, kinds)
    if not good:
        wanted = {"losses": "losses", "prepare": "a document"}.get(
            key, f"bytes, or files by name with {path.name!r}"
        )
        raise FileFormatError(
            f"{path}: it cannot be written, since the function {key!r}{_of(format)} gave "
            f"{type(made).__name__}, expected {wanted}"
        )
    return made


def encode(
    document: Document,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    ascii: bool = False,
    whole: bool = True,
    compress: str | None = None,
) -> dict[str, Any]:
    """The files that a document becomes, by name: that of `path`, and those it refers to.

    Args:
        ascii: the text variant of a format that has both.
        whole: False: a file may be given as an iterable of its pieces instead of as bytes.
        compress: as for `save_document`.

    Raises:
        FileFormatError: the format is unknown, or has no text variant or no such compression.
    """
    path = Path(path)
    found = format_of(path, format, writing=True)
    options: dict[str, Any] = dict(_compression(found, compress, path))
    if ascii and found.ascii:
        options["ascii"] = True
    elif ascii and suffix_of(path, format) not in found.text:
        raise FileFormatError(f"{path}: {found.name} has no text variant; leave ascii out")
    plain = plain_path(path)
    named = plain if format is None else plain.with_suffix(suffix_of(path, format))
    key = "write" if whole or found.pieces is None else "pieces"
    document = prepared(document, path, format=format)
    check_something(document, found.holds_as(ascii=ascii), path, found.name)
    made = _made(found, key, named, document, named, **options)
    files = dict(made) if isinstance(made, Mapping) else {named.name: made}
    content = files.pop(named.name)
    if is_gzipped(path, format):
        pieces = [content] if isinstance(content, (bytes, bytearray, memoryview)) else content
        content = gzipped(pieces) if not whole else b"".join(gzipped(pieces))
    return {path.name: content, **files}


def write_file(path: Path, data: Bytes | Iterable[Bytes]) -> None:
    """Writes a file, given whole or in pieces, whole or not at all.

    Raises:
        FileFormatError: it cannot be written; in one sentence.
    """
    if not path.parent.is_dir():
        raise FileFormatError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise FileFormatError(f"{path}: expected a file's name, it is a directory")
    try:
        _files.write_file(path, data)
    except OSError as error:
        raise FileFormatError(f"{path}: it cannot be written ({error.strerror})") from None


def _is_there(path: Path, data: object) -> bool:
    """Whether a file has this content already."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        return False
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileFormatError(
            f"{path}: its folder cannot be made ({error.strerror}); move what is in its way"
        ) from None


def _without_collisions(
    document: Document, path: Path, **options: Any
) -> tuple[Document, dict[str, Any]]:
    """The files of a document, none of whose images takes the place of another that is there."""
    files = encode(document, path, whole=False, **options)
    plain = plain_path(path)
    places = image_places(document, plain)
    others = {
        key: prefixed(place, plain.stem)
        for key, place in places.items()
        if place in files
        and (path.parent / place).exists()
        and not _is_there(path.parent / place, document.images[key])
    }
    if others:
        document = with_images_named(document, others)
        files = encode(document, path, whole=False, **options)
    return document, files


def save_document(
    document: Document,
    path: str | os.PathLike[str] | IO[bytes],
    *,
    overwrite: bool = True,
    format: str | None = None,
    ascii: bool = False,
    strict: bool = False,
    compress: str | None = None,
) -> LossReport:
    """Writes a document; returns what the format could not hold. Whole or not at all.

    Args:
        path: a file's name, with ".gz" behind it for gzip around it; or a file object that is open
            for writing bytes, into which one file goes.
        overwrite: replace an existing file.
        format: an extension such as "ply"; default: that of `path`.
        ascii: the text variant of a format that has both.
        strict: a loss is an error, and nothing is written.
        compress: "meshopt" (nothing is rounded) or "draco", for formats that have it.

    Raises:
        FileFormatError: unknown extension, an existing file without `overwrite`, a loss under
            `strict`, or no way to write.
    """
    stream = None if isinstance(path, str | os.PathLike) else path
    path = Path(path) if isinstance(path, str | os.PathLike) else _name_of(path, format)
    document = prepared(document, path, format=format)
    report = find_losses(document, path, format=format, ascii=ascii, compress=compress)
    if strict and report:
        raise FileFormatError(f"{path}: not written, since it would lose {report.listed}")
    if stream is not None:
        made = encode(document, path, format=format, ascii=ascii, compress=compress)
        _into_stream(stream, made, path)
        return report
    if path.exists() and not overwrite:
        raise FileFormatError(f"{path}: it exists; give overwrite=True to replace it")
    with _files.one_at_a_time(path.parent, needed=bool(document.images)):
        document, files = _without_collisions(
            document, path, format=format, ascii=ascii, compress=compress
        )
        beside = [name for name in files if name != path.name]
        for name in beside:
            if safe_place(name) != name:
                raise FileFormatError(f"{path}: its second file {name!r} would lie elsewhere")
        beside = [name for name in beside if not _is_there(path.parent / name, files[name])]
        for name in beside:
            if (path.parent / name).exists() and not overwrite:
                raise FileFormatError(f"{path.parent / name}: it exists; give overwrite=True")
        if path.parent.is_dir():
            for name in beside:
                _make_folder(path.parent / name)
        for name in [*beside, path.name]:  # the file itself last: it names the others
            write_file(path.parent / name, files[name])
    return report


def _into_stream(stream: Any, files: dict[str, Any], path: Path) -> None:
    """Writes the one file that there is into a file object."""
    if not callable(getattr(stream, "write", None)):
        raise ValueError(
            f"path: expected a file's name or a file object, got {type(stream).__name__}"
        )
    if len(files) > 1:
        listed = ", ".join(files)
        raise FileFormatError(
            f"{path}: it takes {len(files)} files ({listed}), which one file object cannot hold; "
            f"name a file, or take a format of one file such as glb"
        )
    try:
        stream.write(files[path.name])
    except TypeError:
        raise FileFormatError(f"{path}: expected a file object that takes bytes") from None


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
    format_of(Path(target), writing=True)
    return save_document(load_document(source), target, overwrite=overwrite, strict=strict)
