"""Meshes in files: `load` and `save`, and what lies between a `Mesh` and a `Document`."""

from __future__ import annotations

import logging
import os

import numpy as np
import torch

from meshlearn.io.document import FileFormatError, from_mesh, to_mesh
from meshlearn.io.files import load_document, save_document
from meshlearn.io.left_behind import LossReport
from meshlearn.mesh import Mesh

__all__ = ["from_mesh", "load", "save", "to_mesh"]

_log = logging.getLogger(__name__)


def load(
    path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | None = torch.float32,
    nan: str = "keep",
) -> Mesh:
    """Reads a mesh by its extension: OBJ, PLY, STL, OFF, glTF, 3MF, VTK, MEDIT, Gmsh, COLLADA and
    others (`readable_suffixes`).

    Polygons are triangulated, several parts joined; nothing is merged, reordered or dropped. Fields
    of the file become attributes: "color", "normal", "uv" and others by their name; texture
    coordinates and normals of an OBJ are corner attributes with their own index.

    Args:
        dtype: of vertices and float attributes; None keeps what the file has (text: float64).
        nan: "keep" vertices that are NaN or infinite, with a warning in the log, or "refuse" them.

    Raises:
        FileFormatError: a ValueError of one sentence; see `load_document`.

    Example:
        >>> mesh = meshlearn.load("part.obj")
    """
    if nan not in ("keep", "refuse"):
        raise ValueError(f"nan: expected 'keep' or 'refuse', got {nan!r}")
    document = load_document(path)
    odd = [p for p in document.parts if not np.isfinite(p.vertices).all()]
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in odd)
    if bad:
        total = sum(len(p.vertices) for p in document.parts)
        text = f"{path}: {bad} of {total} vertices are NaN or infinite"
        if nan == "refuse":
            raise FileFormatError(f"{text}; read it with nan='keep' or mend the file")
        _log.warning("%s; they are kept", text)
    return to_mesh(document, dtype=dtype)


def save(mesh: Mesh, path: str | os.PathLike[str], *, overwrite: bool = True) -> LossReport:
    """Writes a mesh; the format follows the extension. Whole or not at all.

    Returns:
        What the format could not hold.

    Raises:
        ValueError: not a Mesh; FileFormatError as `save_document`.

    Example:
        >>> meshlearn.save(mesh, "out.glb")
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    return save_document(from_mesh(mesh), path, overwrite=overwrite)
