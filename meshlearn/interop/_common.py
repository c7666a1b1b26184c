"""What all adapters share."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn._validate import FLOATS
from meshlearn.mesh import CornerAttribute, Mesh


def require(package: str, what: str) -> ModuleType:
    """The package, imported.

    Raises:
        ImportError: it is not installed, or does not load; names it and what wants it.
    """
    try:
        return import_module(package)
    except ImportError as error:
        root = package.split(".")[0]
        if getattr(error, "name", None) in (package, root):
            text = f"{what} needs the package {root}, which is not installed: pip install {root}"
        else:
            text = f"{what} needs the package {root}, which does not load: {error}"
        raise ImportError(text, name=root) from None


def check_mesh(mesh: object) -> Mesh:
    """`mesh`, detached and on the CPU.

    Raises:
        ValueError: it is no `Mesh`.
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a meshlearn Mesh, got {type(mesh).__name__}")
    return mesh.detach().to("cpu")


def check_dtype(dtype: torch.dtype | None) -> torch.dtype | None:
    if dtype is not None and dtype not in FLOATS:
        raise ValueError(f"dtype: expected torch.float32, torch.float64 or None, got {dtype}")
    return dtype


def tensor(values: object, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of its own memory; whole numbers become int64, but bytes stay bytes."""
    array = np.array(values)
    if array.dtype.kind in "iu" and array.dtype != np.uint8:
        array = array.astype(np.int64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    made = torch.from_numpy(array)
    return made.to(dtype) if dtype is not None and made.is_floating_point() else made


def usable(values: object, rows: int) -> bool:
    """Whether values are numbers, one row for each of `rows`."""
    array = np.asarray(values)
    return array.dtype.kind in "fiub" and array.ndim >= 1 and len(array) == rows


def points(values: object, dtype: torch.dtype | None) -> Tensor:
    """Vertices (V, 3) as float32 or float64."""
    array = np.asarray(values).reshape(-1, 3)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    return tensor(array, dtype)


def corner(values: object, dtype: torch.dtype | None) -> CornerAttribute:
    """Values (F, 3, D) as a corner attribute, equal ones at once."""
    array = np.asarray(values)
    rows, index = np.unique(array.reshape(-1, array.shape[-1]), axis=0, return_inverse=True)
    return CornerAttribute(tensor(rows, dtype), torch.from_numpy(index.reshape(-1, 3)))


def unit_colors(color: Tensor) -> np.ndarray:
    """(V, 3) or (V, 4) float64 in 0 to 1 of colours as bytes or floats."""
    values = color.reshape(len(color), -1)
    if values.shape[1] not in (3, 4):
        raise ValueError(f"color: expected 3 or 4 values a vertex, got {values.shape[1]}")
    if values.is_floating_point():
        return values.double().numpy()
    return values.double().numpy() / torch.iinfo(values.dtype).max


class Split(NamedTuple):
    """A mesh with vertices split where corner attributes differ.

    Attributes:
        faces: (F, 3) int64 new indices.
        source: (V',) int64 old vertex of each new one.
        rows: name -> (V', D) values of corner attributes.
    """

    faces: Tensor
    source: Tensor
    rows: dict[str, Tensor]


def split_corners(mesh: Mesh, names: tuple[str, ...]) -> Split | None:
    """Vertices split so that the corner attributes `names` become ones of vertices; None where the
    mesh has none of them. Vertices that no face uses come last."""
    held = {k: mesh.corner_attributes[k] for k in names if k in mesh.corner_attributes}
    if not held or not mesh.num_faces:
        return None
    vertex = mesh.faces.reshape(-1)
    key = torch.stack([vertex, *(c.index.reshape(-1) for c in held.values())], 1)
    unique, inverse = torch.unique(key, dim=0, return_inverse=True)
    loose = torch.ones(mesh.num_vertices, dtype=torch.bool)
    loose[vertex] = False
    rest = loose.nonzero().squeeze(1)
    rows = {}
    for number, (name, item) in enumerate(held.items()):
        values = item.values[unique[:, 1 + number]]
        rows[name] = torch.cat([values, values.new_zeros(len(rest), values.shape[1])])
    return Split(inverse.view(-1, 3), torch.cat([unique[:, 0], rest]), rows)
