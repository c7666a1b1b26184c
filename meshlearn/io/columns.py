"""Fields as columns of numbers with a name each, as PLY and tables of points have them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from meshlearn.io.capability import is_numeric
from meshlearn.io.document import as_table


def together(columns: Mapping[str, object], names: tuple[str, ...]) -> np.ndarray | None:
    """(R, N) of columns side by side; None where one is missing."""
    found = [columns.get(n) for n in names]
    if not all(isinstance(f, np.ndarray) for f in found):
        return None
    return np.stack(found, axis=1)  # type: ignore[arg-type]


_VECTORS: dict[str, list[tuple[str, ...]]] = {
    "normal": [("nx", "ny", "nz")],
    "color": [
        ("red", "green", "blue", "alpha"),
        ("red", "green", "blue"),
        ("r", "g", "b", "a"),
        ("r", "g", "b"),
        ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ],
    "uv": [
        ("u", "v"),
        ("s", "t"),
        ("texture_u", "texture_v"),
        ("texture_s", "texture_t"),
        ("texture_x", "texture_y"),
        ("tu", "tv"),
        ("tx", "ty"),
    ],
}


def fields_of(columns: Mapping[str, object], skip: set[str]) -> dict[str, np.ndarray]:
    """Scalar columns as fields; those that are parts of a vector together."""
    out: dict[str, np.ndarray] = {}
    used = set(skip)
    for name, choices in _VECTORS.items():
        for parts in choices:
            vector = None if used & set(parts) else together(columns, parts)
            if vector is not None:
                out[name] = vector
                used |= set(parts)
                break
    for name, values in columns.items():
        series = re.fullmatch(r"(.+)_0", name)
        if series and name not in used and isinstance(values, np.ndarray):  # name_0, name_1 …
            label, n = series[1], 1
            while (
                isinstance(columns.get(f"{label}_{n}"), np.ndarray) and f"{label}_{n}" not in used
            ):
                n += 1
            parts = tuple(f"{label}_{k}" for k in range(n))
            vector = together(columns, parts)
            if len(parts) > 1 and vector is not None and label not in columns:
                out[label] = vector
                used |= set(parts)
    for name, values in columns.items():
        if name not in used and isinstance(values, np.ndarray):
            out[name] = values
    return out


def fitting_type(values: np.ndarray) -> np.dtype:
    """The type that 64-bit whole numbers are written in."""
    if values.size == 0 or (values.min() >= -(2**31) and values.max() < 2**31):
        return np.dtype(np.int32)
    if values.min() >= 0 and values.max() < 2**32:
        return np.dtype(np.uint32)
    return np.dtype(np.float64)


_COMPONENTS = {
    "normal": ("nx", "ny", "nz"),
    "color": ("red", "green", "blue", "alpha"),
    "uv": ("u", "v"),
}


Table = list[tuple[str, np.ndarray]]


def _label(name: str, used: set[str]) -> str:
    """A name without blanks that is not taken."""
    label = "_".join(name.split()) or "field"
    while label in used:
        label += "_"
    used.add(label)
    return label


def plain_numbers(values: np.ndarray) -> np.ndarray:
    """Values in a type of at most 32 bits for whole numbers, as PLY has them."""
    if values.dtype.itemsize == 8 and values.dtype.kind in "iu":
        return values.astype(fitting_type(values))
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def columns_of(fields: Mapping[str, np.ndarray], used: set[str]) -> Table:
    """(name, values (R,)) of fields of numbers, vectors by component.

    Args:
        used: names that are taken; those that are given are added.
    """
    out: Table = []
    for name, values in fields.items():
        if not is_numeric(values):
            continue
        values = plain_numbers(values)
        flat = as_table(values)
        names = _COMPONENTS.get(name, ())
        if flat.shape[1] == 1 and not names:
            out.append((_label(name, used), flat[:, 0]))
            continue
        named = flat.shape[1] in (len(names), 3 if name == "color" else len(names))
        for k in range(flat.shape[1]):
            out.append((_label(names[k] if named else f"{name}_{k}", used), flat[:, k]))
    return out
