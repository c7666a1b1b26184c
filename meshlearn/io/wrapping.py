"""Files inside others: gzip around one, and zip archives that hold one mesh.

What comes out is bounded by what went in, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from meshlearn.io.archive import Archive
from meshlearn.io.document import FileFormatError
from meshlearn.io.registry import SELDOM
from meshlearn.io.resolver import safe_place

GZIP = b"\x1f\x8b"
FREE, RATIO = 64 << 20, 200  # bytes that may come out, and for each byte of the file
_WBITS = 31  # gzip's own header and sum
_SHOWN = 8  # names in a message


def gunzipped(data: bytes | bytearray, path: Path) -> bytearray:
    """What is inside gzip data, also of several members.

    Raises:
        FileFormatError: it is damaged, or expands by more than 200 times.
    """
    most = max(FREE, RATIO * len(data))
    out, rest = bytearray(), bytes(data)
    try:
        while rest[:2] == GZIP:
            inflater = zlib.decompressobj(_WBITS)
            out += inflater.decompress(rest, most + 1 - len(out))
            if len(out) > most:
                raise FileFormatError(
                    f"{path}: it expands to more than {most:,} bytes from {len(data):,}, which is "
                    f"refused; unpack it yourself if it is meant so"
                )
            if not inflater.eof:
                raise FileFormatError(f"{path}: its gzip data ends too early")
            rest = inflater.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise FileFormatError(f"{path}: its gzip data is damaged ({error})") from None
    return out


def gzipped(pieces: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """Pieces of a file as those of a gzip file; the same bytes every time."""
    deflater = zlib.compressobj(6, zlib.DEFLATED, _WBITS)
    for piece in pieces:
        yield deflater.compress(piece)
    yield deflater.flush()


class Zipped:
    """A zip archive that holds one mesh, and maybe files that the mesh names.

    Args:
        data: the archive.
        path: its name, for messages.
        reads: whether a name is that of a mesh.

    Raises:
        FileFormatError: it is damaged, promises too much, or holds no mesh or several; it names
            them.
    """

    def __init__(self, data: bytes, path: Path, reads: Callable[[str], bool]) -> None:
        try:
            self._archive = Archive(data)
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from None
        self._path = path
        self._names = [n for n in self._archive.names() if not _hidden(n)]
        found = [name for name in self._names if reads(name)]
        found = [name for name in found if not name.lower().endswith(SELDOM)] or found
        if len(found) != 1:
            shown = found or self._names
            more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
            listed = ", ".join(repr(name[:80]) for name in shown[:_SHOWN]) + more
            holds = f"several ({listed}); unpack it" if found else f"none ({listed or 'nothing'})"
            raise FileFormatError(f"{path}: expected one mesh in the archive, it holds {holds}")
        self.mesh = found[0]
        self.place = safe_place(self.mesh)

    @property
    def alone(self) -> bool:
        """Whether nothing but the mesh is there."""
        return len(self._names) == 1

    def content(self) -> bytearray:
        """The mesh's file."""
        return bytearray(self._read(self.mesh))

    def unpack(self, folder: str | os.PathLike[str]) -> Path:
        """Writes all members below a folder -> where the mesh's file is."""
        for name in self._names:
            target = Path(folder) / safe_place(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.write_bytes(self._read(name))
        return Path(folder) / self.place

    def _read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except ValueError as error:
            raise FileFormatError(f"{self._path}: {error}") from None


def _hidden(name: str) -> bool:
    """Whether a member is a folder, or what systems put beside files."""
    steps = PurePosixPath(name).parts
    return name.endswith("/") or any(s.startswith(".") or s == "__MACOSX" for s in steps)
