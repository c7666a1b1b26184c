"""Documents in .safetensors files, exactly; see `meshlearn.io.lossless_arrays`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.lossless_arrays import KEY, restore


def read(data: bytes, path: Path) -> Document:
    """Reads a document, or plain arrays `vertices` and `faces`."""
    try:
        arrays = load(bytes(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise FileFormatError(f"{path}: not a legal safetensors file: {error}") from None
    text = arrays.pop(KEY, None)
    if text is not None and text.dtype != np.uint8:
        raise FileFormatError(f"{path}: expected bytes in the array {KEY!r}")
    return restore(path, None if text is None else text.tobytes().decode("utf-8"), arrays)
