"""The table of formats, by the suffixes of files: those of this package, and those of others.

Formats of other packages are looked up once, through the entry point group "meshlearn.formats", and
only when a suffix is met that is not known, or when all are listed. One that cannot be loaded, or
claims a suffix that is taken, is told by its name in the log; the others work.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from meshlearn.io.document import FileFormatError
from meshlearn.io.format import Format
from meshlearn.io.formats import BUILT_IN

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "meshlearn.formats"
SELDOM = (".txt", ".csv")  # hold points seldom: only where they are named
GZIPPED, ZIPPED = ".gz", ".zip"  # around files of any format
_log = logging.getLogger(__name__)

_formats: dict[str, Format] = {suffix: f for f in BUILT_IN for suffix in f.suffixes}
_sources: dict[int, str] = {}  # by id of a format of others: where it is from
_faults: list[str] = []
_looked = False
_lock = threading.RLock()  # a format that is loaded may itself ask for the table


def register_format(format: Format) -> None:
    """Adds a format for the rest of this process; a package does it by an entry point instead.

    Suffixes that another format has already stay with it, and a warning in the log says so.

    Raises:
        ValueError: not a `Format`.

    Example:
        >>> meshlearn.io.register_format(Format(name="TRI", suffixes=(".tri",), read=read_tri))
    """
    if not isinstance(format, Format):
        raise ValueError(f"format: expected a meshlearn.io.Format, got {type(format).__name__}")
    _add(format, f"the format {format.name}")


def _add(format: Format, source: str) -> None:
    taken: dict[str, list[str]] = {}
    for suffix in format.suffixes:
        if suffix not in _formats:
            _formats[suffix] = format
            _sources[id(format)] = source
        elif _formats[suffix] != format:
            taken.setdefault(_formats[suffix].name, []).append(suffix)
    for name, suffixes in taken.items():
        said = " ".join(suffixes)
        _tell(f"{source} claims {said}, which {name} has already; {said} stays with {name}")


def _tell(fault: str) -> None:
    _faults.append(fault)
    _log.warning("%s", fault)


def _look() -> None:
    """Takes the formats of other packages, once."""
    global _looked
    with _lock:
        if not _looked:
            _looked = True
            _take_all()


def _take_all() -> None:
    from importlib.metadata import entry_points  # 20 ms, which most runs need not pay

    try:
        found = sorted(entry_points(group=GROUP), key=lambda e: (_package(e), e.name))
    except Exception as error:  # the metadata of some package is damaged
        _tell(f"formats of other packages could not be looked up ({_said(error)})")
        return
    for entry in found:
        source = f"the format {entry.name!r} of the package {_package(entry)}"
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:
            _tell(f"{source} could not be loaded and is left out ({_said(error)})")
            continue
        for format in loaded if isinstance(loaded, (list, tuple)) else [loaded]:
            if isinstance(format, Format):
                _add(format, source)
            else:
                kind = type(format).__name__
                _tell(f"{source} is left out: expected a meshlearn.io.Format, got {kind}")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]


def _said(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def readable_suffixes() -> tuple[str, ...]:
    """Extensions that `load` reads."""
    _look()
    return tuple(_formats)


def writable_suffixes() -> tuple[str, ...]:
    """Extensions that `save` writes."""
    _look()
    return tuple(suffix for suffix, format in _formats.items() if format.write is not None)


def suffixes_of_meshes() -> tuple[str, ...]:
    """Extensions that `save` writes faces to, not points alone."""
    return tuple(suffix for suffix in writable_suffixes() if _formats[suffix].holds.faces)


def knows(suffix: str, *, writing: bool = False) -> bool:
    """Whether files of a suffix, such as ".ply" or ".ply.gz", can be read, or written; asks for no
    more formats than it needs."""
    suffix = suffix.lower().removesuffix(GZIPPED)
    if suffix not in _formats:
        _look()
    found = _formats.get(suffix)
    return found is not None and not (writing and found.write is None)


def is_gzipped(path: Path, format: str | None = None) -> bool:
    """Whether a file is to be gzip around another by its name or its format, as "a.ply.gz"."""
    return (path.name if format is None else "." + format.lstrip(".")).lower().endswith(GZIPPED)


def plain_path(path: Path) -> Path:
    """The path without ".gz"."""
    return path.with_suffix("") if is_gzipped(path) else path


def suffix_of(path: Path, format: str | None = None) -> str:
    """The suffix that decides: `format` (".ply" or "ply"), else that of the file's name; of
    "a.ply.gz" it is ".ply"."""
    if format is None:
        return plain_path(path).suffix.lower()
    return "." + format.lower().lstrip(".").removesuffix(GZIPPED)


def reads(path: Path) -> bool:
    """Whether the name is that of a file that can be read, packed or not."""
    return suffix_of(path) == ZIPPED or knows(suffix_of(path))


def format_of(path: Path, format: str | None = None, *, writing: bool = False) -> Format:
    """The format of a file, by the extension `format` or by that of its name.

    Raises:
        FileFormatError: there is none, or none that can be written; with what was wrong with
            formats of other packages, since one of them may have been meant.
    """
    suffix = suffix_of(path, format)
    usable = knows(suffix, writing=writing)
    found = _formats.get(suffix)
    if found is None or not usable:
        known = " ".join(writable_suffixes() if writing else readable_suffixes())
        named = f"{suffix!r}" if suffix else "no extension"
        end = "; it can be read, not written" if found is not None else ""
        end += "".join(f"; {fault}" for fault in _faults) if found is None else ""
        raise FileFormatError(
            f"{path}: expected a mesh file by its extension ({known}), got {named}{end}"
        )
    return found


def source_of(format: Format) -> str | None:
    """Where a format of others is from, as messages say it; None for those of this package."""
    return _sources.get(id(format))
