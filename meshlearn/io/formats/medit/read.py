"""MEDIT .mesh, as text: triangles, quads, edges, tetrahedra and other cells, each with a number.

Curved ones (TrianglesP2, QuadrilateralsQ3 …) become straight by their corners, which stand first.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.elements import curved_loss, from_faces, without_between
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.text import read_block, rows_of

CELLS = {
    "tetrahedra": ("tetra", 4),
    "hexahedra": ("hexahedron", 8),
    "prisms": ("wedge", 6),
    "pyramids": ("pyramid", 5),
}
_WIDTHS = {
    "triangles": 3,
    "quadrilaterals": 4,
    "edges": 2,
    **{k: n for k, (_, n) in CELLS.items()},
}
# curved elements: nodes of the orders 2, 3 and 4, and the straight one through their corners
_CURVED_NODES = {
    "edges": ("p", 3, 4, 5),
    "triangles": ("p", 6, 10, 15),
    "quadrilaterals": ("q", 9, 16, 25),
    "tetrahedra": ("p", 10, 20, 35),
    "hexahedra": ("q", 27, 64, 125),
    "prisms": ("p", 18, 40, 75),
    "pyramids": ("p", 14, 30, 55),
}
_CURVED = {
    f"{kind}{letter}{order}": (kind, nodes)
    for kind, (letter, *counts) in _CURVED_NODES.items()
    for order, nodes in enumerate(counts, 2)
}
_WORD = re.compile(rb"(?:^|(?<=\s))([A-Za-z][A-Za-z0-9]*)")
_COUNT = re.compile(rb"(?:\s|#[^\n]*\n)*([0-9]{1,18})(?=\s|\Z)")


def read(data: bytes, path: Path) -> Document:
    """Reads a .mesh; sections of other names (corners, ridges …) are left out and told, and so are
    the nodes between the corners of curved elements."""
    head = re.match(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*MeshVersionFormatted\s", data)
    if head is None:
        raise FileFormatError(f"{path}: expected 'MeshVersionFormatted' as the first word")
    at, dimension = head.end(), 3
    found: dict[str, np.ndarray] = {}
    left: list[Loss] = []
    while (word := _WORD.search(data, at)) is not None:
        name = word[1].decode().lower()
        at = word.end()
        if name == "end":
            break
        if name not in ("dimension", "vertices", *_WIDTHS, *_CURVED):
            remark = b"#" in data[data.rfind(b"\n", 0, word.start()) + 1 : word.start()]
            rows = None if remark else _COUNT.match(data, at)
            if rows is not None and int(rows[1]):
                label = f"the section {word[1].decode()}"
                loss = Loss(LossKind.OTHER, name=label, count=int(rows[1]), limit="leaves it out")
                left.append(replace(loss, holder="the reader of MEDIT"))
            continue
        count = _COUNT.match(data, at)
        if count is None:
            raise FileFormatError(f"{path}: expected a whole number behind {word[1].decode()!r}")
        n, at = int(count[1]), count.end()
        if name == "dimension":
            if n not in (2, 3):
                raise FileFormatError(f"{path}: expected dimension 2 or 3, got {n}")
            dimension = n
            continue
        nodes = _CURVED[name][1] if name in _CURVED else _WIDTHS.get(name, 0)
        width = (dimension if name == "vertices" else nodes) + 1
        if n * width * 2 > len(data) - at + 1:
            raise FileFormatError(
                f"{path}: the header promises {n} {name}, {len(data) - at} bytes are left"
            )
        found[name], at = _table(data, path, at, n, width, name)
    document = _document(path, found, dimension)
    document.left_out += left
    return document


def _table(data: bytes, path: Path, at: int, rows: int, width: int, name: str):
    line = data.find(b"\n", at)
    if line >= 0 and not data[at:line].strip():
        try:
            block = read_block(data, line + 1, rows)
            table = block.table(width)
            if table is not None and len(block.values) == rows * width:
                return table, block.end
        except ValueError:
            pass
    word = _WORD.search(data, at)  # not a line each: number after number up to the next word
    stop = word.start() if word else len(data)
    try:
        values = rows_of(memoryview(data)[at:stop])[0]
    except ValueError as error:
        raise FileFormatError(f"{path}: among {name}, {error}") from None
    if len(values) < rows * width:
        raise FileFormatError(
            f"{path}: the header promises {rows} {name} of {width} numbers, found {len(values)}"
        )
    return values[: rows * width].reshape(rows, width), stop


def _whole(path: Path, values: np.ndarray, name: str) -> np.ndarray:
    if not ((np.abs(values) < 2**53) & (values == np.round(values))).all():
        raise FileFormatError(f"{path}: expected whole numbers among {name}")
    return values.astype(np.int64)


def _document(path: Path, found: dict[str, np.ndarray], dimension: int) -> Document:
    part = Part()
    xyz = found.get("vertices", np.zeros((0, dimension + 1)))
    part.vertices = np.zeros((len(xyz), 3))
    part.vertices[:, :dimension] = xyz[:, :dimension]
    if xyz[:, -1].any():
        part.vertex_fields["ref"] = _whole(path, xyz[:, -1], "vertices")
    whole = {k: _whole(path, v, k) for k, v in found.items() if k in _WIDTHS}
    curved = {k: _whole(path, v, k) for k, v in found.items() if k in _CURVED and len(v)}
    dropped = _straighten(part, whole, curved)
    faces = [whole[k] for k in ("triangles", "quadrilaterals") if k in whole]
    from_faces(part, [f[:, :-1] - 1 for f in faces])
    refs = np.concatenate([*(f[:, -1] for f in faces), np.zeros(0, np.int64)])
    if refs.any():
        part.face_fields["ref"] = refs
    if "edges" in whole:
        part.lines = list(whole["edges"][:, :-1] - 1)
        if whole["edges"][:, -1].any():
            part.line_fields["ref"] = whole["edges"][:, -1]
    for name, (kind, _) in CELLS.items():
        if name in whole and len(whole[name]):
            part.cells[kind] = whole[name][:, :-1] - 1
            part.cell_fields.setdefault("ref", {})[kind] = whole[name][:, -1]
    if not any(v.any() for v in part.cell_fields.get("ref", {}).values()):
        part.cell_fields.pop("ref", None)
    return Document([part], left_out=[curved_loss(dropped, "MEDIT")] if dropped else [])


def _straighten(part: Part, whole: dict[str, np.ndarray], curved: dict[str, np.ndarray]) -> int:
    """Takes curved elements, by their corners, among the straight ones; drops the vertices that
    only they named between corners.

    Returns:
        How many vertices were dropped.
    """
    if not curved:
        return 0
    straight = list(whole.values())
    for name, rows in curved.items():
        kind, _ = _CURVED[name]
        corners = np.concatenate([rows[:, : _WIDTHS[kind]], rows[:, -1:]], axis=1)
        whole[kind] = np.concatenate([whole[kind], corners]) if kind in whole else corners
    count = len(part.vertices)
    every = np.concatenate([r[:, :-1].reshape(-1) for r in (*straight, *curved.values())]) - 1
    corner = np.concatenate([r[:, :-1].reshape(-1) for r in whole.values()]) - 1
    if ((every < 0) | (every >= count)).any():
        return 0  # refused later, with its sentence
    keep = without_between(count, every, corner)
    place = np.cumsum(keep)
    for name, rows in whole.items():
        whole[name] = np.concatenate([place[rows[:, :-1] - 1], rows[:, -1:]], axis=1)
    part.vertices = part.vertices[keep]
    part.vertex_fields = {k: v[keep] for k, v in part.vertex_fields.items()}
    return int((~keep).sum())
