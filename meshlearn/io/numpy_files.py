"""Numpy's files, .npy and .npz: what arrays they hold, read without believing what they promise.

Sizes promised by a header are held against the file's own size before anything is allocated. Which
of such files are volumes, and which are point clouds, is told from the shapes in them.
"""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from meshlearn._memory import check_memory

POINTS_SUFFIXES = (".xyz", ".txt", ".csv", ".pts", ".asc", ".las", ".laz")
DAMAGED = (ValueError, EOFError, RuntimeError, struct.error, zlib.error)
DEFLATE = 1032  # what deflate compresses at most, to one


def is_points(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds a point cloud by its name, or for numpy files by the shapes in it."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".gz" and path.with_suffix("").suffix.lower() in POINTS_SUFFIXES:
        return True
    if suffix in POINTS_SUFFIXES:
        return True
    if suffix not in (".npy", ".npz") or not path.is_file():
        return False
    shapes = peek_shapes(path)
    return "points" in shapes or any(len(s) == 2 and s[1] in (3, 6) for s in shapes.values())


@contextmanager
def open_numpy(path: Path) -> Iterator[zipfile.ZipFile | IO[bytes]]:
    """A .npz or .npy opened; what is wrong inside becomes a ValueError that names the file."""
    try:
        with open(path, "rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PK"):
                with zipfile.ZipFile(file) as archive:
                    yield archive
            elif magic == b"\x93NUMPY":
                yield file
            else:
                raise ValueError("it is not a numpy file")
    except (*DAMAGED, OSError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # it is not there, or may not be read
        text = " ".join(str(error).split()) or "it is damaged"
        raise ValueError(f"{path}: {text}") from error


def members_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members of a .npz by the names of their arrays."""
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def member_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """One array of a .npz; a compressed one is not believed to be larger than it can be."""
    with archive.open(info) as file:
        return read_member(file, min(info.file_size, info.compress_size * DEFLATE + 65536))


def peek_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in a .npy (named "") or .npz, by their headers alone."""
    shapes = {}
    with open_numpy(Path(path)) as file:
        if not isinstance(file, zipfile.ZipFile):
            return {"": _header(file)[0]}
        for name, info in members_of(file).items():
            with file.open(info) as member:
                shapes[name] = _header(member)[0]
    return shapes


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays in a .npy (named "") or .npz; sizes are checked before they are believed."""
    path = Path(path)
    with open_numpy(path) as file:
        if not isinstance(file, zipfile.ZipFile):
            return {"": read_member(file, path.stat().st_size)}
        return {name: member_of(file, info) for name, info in members_of(file).items()}


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"unknown version {version} of the numpy format")
    try:
        shape, fortran, dtype = readers[version](file)
    except (SyntaxError, tokenize.TokenError, TypeError, RecursionError):
        raise ValueError("its header is damaged") from None
    if min(shape, default=0) < 0:
        raise ValueError(f"the header gives a negative size: {shape}")
    return shape, fortran, dtype


def read_member(file: IO[bytes], size: int) -> np.ndarray:
    """The array of a .npy of `size` bytes, its promises checked first, in this machine's order of
    bytes."""
    shape, fortran, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    count = math.prod(shape)
    promised, held = count * dtype.itemsize, size - file.tell()
    if promised > held:
        raise ValueError(
            f"the header promises {promised:,} bytes of data, but the file holds {held:,}; "
            f"it is truncated"
        )
    check_memory(3 * promised, "cpu", f"a volume of shape {shape}", argument="volume")
    data = bytearray(promised)
    view = memoryview(data)
    done = 0
    while done < promised:
        part = file.read(min(promised - done, 1 << 26))
        if not part:
            raise ValueError("the file ends within its data; it is truncated")
        view[done : done + len(part)] = part
        done += len(part)
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
