"""Writing documents to .safetensors files, exactly; see `meshlearn.io.lossless_arrays`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save

from meshlearn.io.document import Document
from meshlearn.io.lossless_arrays import KEY, flatten


def write(document: Document, path: Path) -> bytes:
    """A .safetensors file."""
    text, arrays = flatten(document)
    arrays[KEY] = np.frombuffer(text.encode(), np.uint8)
    return save({k: np.ascontiguousarray(v) for k, v in arrays.items()})
