"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
