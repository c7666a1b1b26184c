"""Documents in .npz files of numpy, exactly; see `meshlearn.io.lossless_arrays`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from meshlearn.io.archive import Archive
from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.lossless_arrays import KEY, restore
from meshlearn.io.numpy_files import read_member


def read(data: bytes, path: Path) -> Document:
    """Reads a document, or plain arrays `vertices` and `faces`; Python objects are refused."""
    try:
        archive = Archive(data)
        arrays = {}
        for name in archive.names():
            if name.endswith(".npy"):
                body = archive.read(name)
                arrays[name[:-4]] = read_member(io.BytesIO(body), len(body))
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    text = arrays.pop(KEY, None)
    if text is not None and text.dtype != np.uint8:
        raise FileFormatError(f"{path}: expected bytes in the array {KEY!r}")
    return restore(path, None if text is None else text.tobytes().decode("utf-8"), arrays)
