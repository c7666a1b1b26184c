"""Writing PCD files, see `meshlearn.io.formats.pcd.read`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.io.capability import is_numeric
from meshlearn.io.changes.join import joined
from meshlearn.io.color_space import in_bytes
from meshlearn.io.document import Document
from meshlearn.io.formats.pcd.read import COMPONENTS, STILL
from meshlearn.io.offset import offset_line
from meshlearn.io.text import columns_text


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A PCD file of all vertices, binary unless `ascii`."""
    part = joined(document)
    names, columns = list("xyz"), [part.vertices[:, k : k + 1] for k in range(3)]
    for key, values in part.vertex_fields.items():
        if not is_numeric(values):
            continue
        values = in_bytes(values) if key == "color" else values
        values = values.astype(np.uint8) if values.dtype == bool else values
        values = values.astype(np.float32) if values.dtype == np.float16 else values
        flat = values.reshape(len(values), int(np.prod(values.shape[1:], dtype=np.int64)))
        if key == "color" and values.dtype == np.uint8 and flat.shape[1] in (3, 4):
            wide = flat.astype(np.uint32)
            bits = wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]
            if flat.shape[1] == 4:
                bits |= wide[:, 3] << 24
            names.append("rgb" if flat.shape[1] == 3 else "rgba")
            columns.append(bits[:, None])
        elif key in COMPONENTS and flat.shape[1] == 3:
            names += COMPONENTS[key]
            columns += [flat[:, k : k + 1] for k in range(3)]
        elif flat.shape[1]:
            names.append("_".join(key.split()) or "field")
            columns.append(flat)
    kinds = [c.dtype.newbyteorder("<") for c in columns]
    line = offset_line(document)
    head = [
        "# .PCD v0.7",
        *([f"# {line}"] if line else []),
        "VERSION 0.7",
        f"FIELDS {' '.join(names)}",
    ]
    head.append("SIZE " + " ".join(str(k.itemsize) for k in kinds))
    head.append("TYPE " + " ".join(k.kind.upper() for k in kinds))
    head.append("COUNT " + " ".join(str(c.shape[1]) for c in columns))
    count, rows = len(part.vertices), document.metadata.get("rows of points", 1)
    rows = rows if isinstance(rows, int) and rows > 1 and count % rows == 0 else 1
    view = document.metadata.get("viewpoint", STILL)
    view = view if isinstance(view, list) and len(view) == 7 else STILL
    head += [f"WIDTH {count // rows}", f"HEIGHT {rows}"]
    head.append("VIEWPOINT " + " ".join(f"{float(x):.17g}" for x in view))
    head += [f"POINTS {len(part.vertices)}", f"DATA {'ascii' if ascii else 'binary'}"]
    out = ("\n".join(head) + "\n").encode()
    if ascii:
        return out + b"".join(columns_text(columns))
    table = np.zeros(
        len(part.vertices),
        [(f"p{k}", d, c.shape[1:]) for k, (d, c) in enumerate(zip(kinds, columns, strict=True))],
    )
    for k, values in enumerate(columns):
        table[f"p{k}"] = values
    return out + table.tobytes()
