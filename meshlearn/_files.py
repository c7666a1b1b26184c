"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_file(
    path: Path, data: bytes | bytearray | memoryview | Iterable[bytes | bytearray | memoryview]
) -> None:
    """Writes a file, given whole or in pieces: an interrupted write leaves the old one as it was.

    A file that was there keeps its permissions; a new one gets the usual ones.

    Raises:
        OSError: its folder does not exist, or it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            if isinstance(data, (bytes, bytearray, memoryview)):
                stream.write(data)
            else:
                stream.writelines(data)
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(name, mode & 0o7777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def one_at_a_time(folder: Path, *, needed: bool = True) -> Iterator[None]:
    """Holds other processes that ask the same of a folder, where the system can.

    Args:
        needed: False: nothing is held.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        fcntl = None  # type: ignore[assignment]
    handle = -1
    if needed and fcntl is not None:
        try:
            handle = os.open(folder, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a folder that is not there, or a disk without locks
            pass
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
