"""Bytes of volume files, packed or not: what a header promises is held against what can be."""

from __future__ import annotations

import bz2
import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from meshlearn._memory import check_memory
from meshlearn.io.document import FileFormatError
from meshlearn.io.numpy_files import DEFLATE

_PIECE = 1 << 24  # bytes that are read at a time
_BEHIND = 1 << 20  # bytes behind packed samples that are read to come to their checksum
_UNLIKE = "its packed data does not agree with its checksum; the file is damaged, get it again"
_DAMAGED = (ValueError, EOFError, RuntimeError, struct.error, zlib.error, OverflowError)


class _Unzlib:
    """A zlib or gzip stream, as a file to read from; whichever of the two it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._unpack = file, zlib.decompressobj(47)
        self._left = b""

    def read(self, size: int) -> bytes:
        out = b""
        while not out and not self._unpack.eof:
            packed = self._left or self._file.read(1 << 16)
            if not packed:
                raise EOFError("the packed data ends too early; it is truncated")
            out = self._unpack.decompress(packed, size)
            self._left = self._unpack.unconsumed_tail
        return out


class Source:
    """The bytes of a file from some place on, unpacked on the way.

    Packed data is held against its checksum where it ends, which is why readers call `finish`.

    Attributes:
        room: how many bytes there can be at most.
    """

    def __init__(self, file: IO[bytes], packed: str, size: int) -> None:
        self.room: float
        self._packed = packed
        if packed in ("gzip", "zlib"):
            self._file: IO[bytes] | _Unzlib | gzip.GzipFile | bz2.BZ2File = (
                gzip.GzipFile(fileobj=file) if packed == "gzip" else _Unzlib(file)
            )
            self.room = size * DEFLATE
        elif packed == "bzip2":
            self._file, self.room = bz2.BZ2File(file), math.inf
        else:
            self._file, self.room = file, size

    def take(self, count: int, what: str = "its data") -> bytearray:
        """The next `count` bytes.

        Raises:
            ValueError: there are fewer.
        """
        out = bytearray()
        while len(out) < count:  # grows with what is there, not with what is promised
            part = self._read(min(count - len(out), _PIECE))
            if not part:
                raise ValueError(f"the file ends within {what}; it is truncated")
            out += part
        return out

    def skip(self, count: int) -> None:
        """Goes on by `count` bytes."""
        while count > 0:
            part = self._read(min(count, _PIECE))
            if not part:
                raise ValueError("the file ends before its data; it is truncated")
            count -= len(part)

    def rest(self, most: int) -> bytes:
        """What is left, at most so many bytes."""
        out = bytearray()
        while len(out) < most:
            part = self._read(min(most - len(out), _PIECE))
            if not part:
                break
            out += part
        return bytes(out)

    def finish(self) -> None:
        """Reads packed data on to its end, unless more than 1 MiB follows, so that its checksum is
        compared; bytes behind it that are not packed do not count.

        Raises:
            ValueError: the data is not what was packed.
        """
        if not self._packed:
            return
        try:
            self.rest(_BEHIND)
        except gzip.BadGzipFile as error:
            if not str(error).startswith("Not a gzipped file"):  # after a whole one: other bytes
                raise

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except gzip.BadGzipFile as error:
            if "check failed" in str(error) or "Incorrect length" in str(error):
                raise ValueError(_UNLIKE) from error
            raise
        except zlib.error as error:
            raise ValueError(_UNLIKE if "check" in str(error) else str(error)) from error

    def array(
        self, shape: tuple[int, ...], dtype: np.dtype, *, frames: int = 1, frame: int = 0
    ) -> np.ndarray:
        """Samples (X, Y, Z), x fastest, of one of several frames that follow each other, the end
        of the data.

        Packed frames behind it are read, too: the checksum is that of them all.

        Raises:
            ValueError: more is promised than can be there, or than memory holds, or packed data is
                not what its checksum says.
        """
        size = math.prod(shape) * dtype.itemsize
        promised(size * frames, self.room, shape, frames)
        check_memory(3 * size, "cpu", f"a volume of shape {shape}", argument="volume")
        self.skip(size * frame)
        out = np.frombuffer(self.take(size), dtype).reshape(shape, order="F")
        if self._packed:
            self.skip(size * (frames - frame - 1))
            self.finish()
        return out


def promised(size: int, room: float, shape: tuple[int, ...], frames: int = 1) -> None:
    """Raises ValueError where data of `size` bytes cannot be in `room` bytes."""
    if size > room:
        raise ValueError(
            f"the header promises {size:,} bytes of data ({' × '.join(map(str, shape))}"
            f"{f', {frames} times' if frames > 1 else ''}), but the file can hold {int(room):,} at "
            f"most; it is truncated"
        )


def native(values: np.ndarray) -> np.ndarray:
    """The same numbers in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def is_gzip(path: Path) -> bool:
    """Whether a file begins as gzip's do."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def opened(path: Path, packed: str = "", offset: int = 0) -> Iterator[Source]:
    """A file's bytes from `offset` on, packed by "gzip", "zlib" or "bzip2", or "" for not."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if offset > size:
            raise ValueError(f"its data begins at byte {offset:,}, the file has {size:,}")
        file.seek(offset)
        yield Source(file, packed, size - offset)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """What is wrong inside becomes a ValueError of one sentence that names the file."""
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it is not there, or may not be read
        text = " ".join(str(error).split()) or "it is damaged"
        if isinstance(error, FileFormatError):  # names its file itself
            raise
        raise ValueError(f"{path}: {text}") from error
