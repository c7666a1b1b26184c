"""Writing documents to .npz files, exactly; see `meshlearn.io.lossless_arrays`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document
from meshlearn.io.lossless_arrays import KEY, flatten


def write(document: Document, path: Path) -> bytes:
    """A .npz file, not compressed."""
    text, arrays = flatten(document)
    out = io.BytesIO()
    arrays[KEY] = np.frombuffer(text.encode(), np.uint8)
    np.savez(out, **arrays)  # type: ignore[arg-type]  # it takes them for its own option
    return out.getvalue()
