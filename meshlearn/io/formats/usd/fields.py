"""Primvars of USD as fields of vertices, faces, corners and lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshlearn.io.color_space import from_fractions
from meshlearn.io.document import FileFormatError, Part
from meshlearn.io.even_looks import texture_field
from meshlearn.io.left_behind import Loss, LossKind

WIDEST = 64  # numbers of a constant that is repeated for each face


@dataclass
class Rows:
    """Values of a primvar.

    Attributes:
        values: (N, ...), the entries of one element in one row.
        index: (K,) into them, where they are indexed; -1 for none.
        domain: "vertex", "face", "corner" or "line".
        constant: one row stands for all.
    """

    values: np.ndarray
    index: np.ndarray | None
    domain: str
    constant: bool = False

    def table(self, part: Part) -> tuple[dict[str, np.ndarray], int]:
        """The fields of the domain, and how many rows they have."""
        return {
            "vertex": (part.vertex_fields, len(part.vertices)),
            "face": (part.face_fields, part.num_faces),
            "line": (part.line_fields, len(part.lines)),
        }[self.domain]


def rows_of(prim: dict, name: str) -> np.ndarray | None:
    """The values of a primvar."""
    for primvar in prim["primvars"]:
        if primvar["plain"] == name:
            return primvar["values"]
    return None


def _domain(prim: dict, interpolation: str) -> str:
    mesh, curves = prim["type"] == "Mesh", prim["type"] == "BasisCurves"
    if interpolation in ("vertex", "varying") or prim["type"] == "Points":
        return "vertex"
    if interpolation == "faceVarying":
        return "corner" if mesh else "vertex"
    return "face" if mesh else "line" if curves else "vertex"  # uniform, constant


def _labels(prim: dict) -> dict[str, str]:
    """What the primvars of a prim are called in a document, by their own names."""
    known = {"displayColor": "color", "normals": "normal"}
    known |= {plain: texture_field(number) for plain, number in prim["sets"].items()}
    names = [primvar["plain"] for primvar in prim["primvars"]]
    texture = [p["plain"] for p in prim["primvars"] if p["role"].startswith("texCoord2")]
    own = {p["plain"]: p["name"] for p in prim["primvars"]}
    used = {known.get(name, own[name]) for name in names}
    first = ["st"] if "st" in names else texture
    if first and "uv" not in used:
        known[first[0]] = "uv"
    out = {name: known[name] for name in names if name in known}
    for name in names:  # what has no meaning here must not take the name of what has one
        if name not in known:
            out[name] = own[name] + "_" if own[name] in out.values() else own[name]
    return out


def fields_of(part: Part, prim: dict, where: str, left_out: list[Loss]) -> dict[str, Rows]:
    """The primvars of a prim, its normals, widths and ids, by the names that documents have.

    Args:
        left_out: takes the losses: what has no value for each element.

    Raises:
        FileFormatError: values that do not fit their own description.
    """
    out: dict[str, Rows] = {}
    said = prim["attributes"]
    normals = said.get("normals")
    if isinstance(normals, np.ndarray) and len(normals):
        out["normal"] = _rows(prim, normals, None, prim["normals"], 1, where)
    for key, label in (("widths", "width"), ("ids", "id")):
        values = said.get(key)
        if not isinstance(values, np.ndarray) or not len(values):
            continue
        if len(values) == len(part.vertices):
            out[label] = Rows(values, None, "vertex")
        else:
            left_out.append(_loss("vertex", label, len(values), "reads one for each point only"))
    for key in ("velocities", "accelerations"):
        values = said.get(key)
        if isinstance(values, np.ndarray) and len(values):
            left_out.append(_loss("vertex", key, len(values), "reads a mesh as it stands first"))
    labels = _labels(prim)
    for primvar in prim["primvars"]:
        values, index = primvar["values"], primvar["indices"]
        if not isinstance(values, np.ndarray):
            values = np.array([values])
            if values.dtype.kind not in "fiubU":
                limit = "reads numbers and text only"
                domain = _domain(prim, primvar["interpolation"])
                left_out.append(_loss(domain, labels[primvar["plain"]], 1, limit))
                continue
        if primvar["size"] < 1:
            raise FileFormatError(f"{where}: {primvar['plain']!r} has elements of size 0")
        if isinstance(index, np.ndarray):
            index = index.astype(np.int64).reshape(-1)
        else:
            index = None
        rows = _rows(prim, values, index, primvar["interpolation"], primvar["size"], where)
        if rows.constant and (rows.values.size > WIDEST or len(rows.values) != 1):
            limit = f"repeats one row of at most {WIDEST} numbers, this is an array of the whole"
            count = len(rows.values)
            left_out.append(_loss(rows.domain, labels[primvar["plain"]], count, limit))
            continue
        out[labels[primvar["plain"]]] = rows
    opacity, colour = out.get("displayOpacity"), out.get("color")
    if opacity is not None and colour is not None and _alike(opacity, colour):
        alpha = opacity.values.reshape(-1, 1).astype(colour.values.dtype)
        colour.values = np.concatenate([colour.values, alpha], 1)
        del out["displayOpacity"]
    if colour is not None and colour.values.shape[1:] in ((3,), (4,)):
        colour.values = from_fractions(colour.values, bytewise=True)
    if colour is not None and colour.constant and len(part.vertices):
        colour.domain = "vertex"  # where most formats have colours
    return out


def _loss(domain: str, name: str, count: int, limit: str) -> Loss:
    return Loss(LossKind.FIELD, domain, name, count, limit, "the reader of USD")


def _alike(a: Rows, b: Rows) -> bool:
    if a.domain != b.domain or len(a.values) != len(b.values) or b.values.ndim != 2:
        return False
    if a.index is None or b.index is None:
        return a.index is b.index
    return np.array_equal(a.index, b.index)


def _rows(
    prim: dict,
    values: np.ndarray,
    index: np.ndarray | None,
    interpolation: str,
    size: int,
    where: str,
) -> Rows:
    if values.ndim == 0:
        values = values.reshape(1)
    if size > 1:
        if len(values) % size:
            raise FileFormatError(f"{where}: {len(values)} values are not rows of {size}")
        values = values.reshape(len(values) // size, -1)
    domain = _domain(prim, interpolation)
    constant = interpolation == "constant"
    if constant and index is not None:
        ok = len(index) == 1 and 0 <= index[0] < len(values)
        values, index = (values[index] if ok else values[:0]), None
    return Rows(values, index, domain, constant)
