"""Writing PLY files, see `meshlearn.io.ply`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.io.document import CornerField, Document, Part
from meshlearn.io.text import write_polygons, write_rows

_NAMES = {
    "i1": "char",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "f4": "float",
    "f8": "double",
}


def losses(document: Document) -> list[str]:
    """What a PLY file cannot hold of this document."""
    lost = ["names of parts"] * (len(document.parts) > 1)
    lost += ["materials"] * bool(document.materials)
    for part in document.parts:
        lost += [f"corner field {k!r}" for k in part.corner_fields if k != "uv"]
        lost += ["lines"] * bool(part.lines)
    return lost


_COMPONENTS = {
    "normal": ("nx", "ny", "nz"),
    "color": ("red", "green", "blue", "alpha"),
    "uv": ("u", "v"),
}


def _columns_of(fields: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """(name, values (R,)) of fields, vectors by component."""
    out = []
    for name, values in fields.items():
        if values.dtype.kind not in "fiub":
            continue
        if values.dtype.itemsize == 8 and values.dtype.kind in "iu":
            values = values.astype(np.int32)
        if values.dtype == bool:
            values = values.astype(np.uint8)
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        flat = values.reshape(len(values), -1)
        names = _COMPONENTS.get(name, ())
        if flat.shape[1] == 1:
            out.append((name.replace(" ", "_"), flat[:, 0]))
            continue
        for k in range(flat.shape[1]):
            label = names[k] if flat.shape[1] <= len(names) else f"{name}_{k}"
            out.append((label.replace(" ", "_"), flat[:, k]))
    return out


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A PLY file, binary little endian unless `ascii`; parts are joined."""
    from meshlearn.io.join import joined

    part = joined(document)
    vertex = [(n, part.vertices[:, k]) for k, n in enumerate("xyz")]
    vertex += _columns_of(part.vertex_fields)
    face = _columns_of(part.face_fields)
    form = "ascii" if ascii else "binary_little_endian"
    head = ["ply", f"format {form} 1.0", "comment meshlearn"]
    head.append(f"element vertex {len(part.vertices)}")
    head += [f"property {_NAMES[v.dtype.str[1:]]} {n}" for n, v in vertex]
    head.append(f"element face {part.num_faces}")
    sizes = part.sizes
    small = not len(sizes) or int(sizes.max()) < 256
    head.append(f"property list {'uchar' if small else 'uint'} int vertex_indices")
    uv = part.corner_fields.get("uv")
    if uv is not None and (uv.index < 0).any():
        uv = None
    if uv is not None:
        small = small and 2 * int(sizes.max(initial=0)) < 256
        head[-1] = f"property list {'uchar' if small else 'uint'} int vertex_indices"
        kind = _NAMES[uv.values.dtype.str[1:]]
        head.append(f"property list {'uchar' if small else 'uint'} {kind} texcoord")
    head += [f"property {_NAMES[v.dtype.str[1:]]} {n}" for n, v in face]
    out = [("\n".join([*head, "end_header"]) + "\n").encode()]
    count = "u1" if small else "u4"
    if ascii:
        out.append(_ascii_table(vertex))
        out.append(_ascii_faces(part, uv, face))
        return b"".join(out)
    if len({v.dtype for _, v in vertex}) == 1 and len(part.vertices):
        out.append(np.stack([v for _, v in vertex], axis=1).astype(vertex[0][1].dtype).tobytes())
    else:
        table = np.zeros(
            len(part.vertices), [(f"p{k}", v.dtype) for k, (_, v) in enumerate(vertex)]
        )
        for k, (_, values) in enumerate(vertex):
            table[f"p{k}"] = values
        out.append(table.tobytes())
    for size, rows in _runs(sizes):  # polygons of one size after another make a table
        corners = slice(part.polygon_start[rows.start], part.polygon_start[rows.stop])
        layout: list[tuple] = [("n", "<" + count), ("i", "<i4", (size,))]
        if uv is not None:
            layout += [("m", "<" + count), ("t", uv.values.dtype, (2 * size,))]
        layout += [(f"p{k}", v.dtype) for k, (_, v) in enumerate(face)]
        table = np.zeros(rows.stop - rows.start, layout)
        table["n"] = size
        table["i"] = part.polygon_index[corners].reshape(-1, size)
        if uv is not None:
            table["m"] = 2 * size
            table["t"] = uv.values[uv.index[corners]].reshape(-1, 2 * size)
        for k, (_, values) in enumerate(face):
            table[f"p{k}"] = values[rows]
        out.append(table.tobytes())
    return b"".join(out)


def _runs(sizes: np.ndarray) -> list[tuple[int, slice]]:
    if len(sizes) == 0:
        return []
    ends = [*(np.nonzero(np.diff(sizes))[0] + 1).tolist(), len(sizes)]
    starts = [0, *ends[:-1]]
    return [(int(sizes[a]), slice(a, b)) for a, b in zip(starts, ends, strict=True)]


def _ascii_table(columns: list[tuple[str, np.ndarray]]) -> bytes:
    kinds = {v.dtype for _, v in columns}
    if len(kinds) == 1:
        return write_rows(np.stack([v for _, v in columns], axis=1))
    parts = [write_rows(v[:, None]).splitlines() for _, v in columns]
    return b"".join(b" ".join(row) + b"\n" for row in zip(*parts, strict=True))


def _ascii_faces(part: Part, uv: CornerField | None, face: list[tuple[str, np.ndarray]]) -> bytes:
    plain = write_polygons(part.polygon_start, [part.polygon_index], counted=True)
    if uv is None and not face:
        return plain
    rows = plain.splitlines()
    extra: list[list[bytes]] = []
    if uv is not None:
        flat = write_rows(uv.values[uv.index]).splitlines()
        extra.append(
            [
                b" ".join([str(2 * (b - a)).encode(), *flat[a:b]])
                for a, b in zip(part.polygon_start[:-1], part.polygon_start[1:], strict=True)
            ]
        )
    extra += [write_rows(v[:, None]).splitlines() for _, v in face]
    return b"".join(b" ".join(row) + b"\n" for row in zip(rows, *extra, strict=True))
