"""Writing 3MF files, see `meshlearn.io.formats.threemf.read`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from meshlearn.io.archive import pack
from meshlearn.io.document import Document, Part
from meshlearn.io.formats.threemf.read import UNITS
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.surface import placed_triangles
from meshlearn.io.text import rows_text


def losses(document: Document) -> Iterator[Loss]:
    """What a 3MF file cannot hold beyond what its `Holds` says."""
    if document.unit and document.unit not in UNITS.values():
        yield Loss(LossKind.UNIT, name=document.unit)
    beyond = sum(len(set(m.values) - {"base_color"}) for m in document.materials)
    limit = "materials are a name and a colour"
    yield Loss(LossKind.MATERIAL_VALUES, count=beyond, limit=limit)
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in document.parts)
    yield Loss(LossKind.NOT_FINITE, count=bad)


def write(document: Document, path: Path) -> bytes:
    """A 3MF file: an object for each part, polygons triangulated."""
    model = b"".join(_model(document))
    types = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/'
        'package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="model" ContentType='
        '"application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>'
    )
    rels = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="http://schemas.'
        'openxmlformats.org/package/2006/relationships"><Relationship Id="rel0" Target='
        '"/3D/3dmodel.model" Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"'
        "/></Relationships>"
    )
    return pack(
        {
            "[Content_Types].xml": types.encode(),
            "_rels/.rels": rels.encode(),
            "3D/3dmodel.model": model,
        }
    )


def _attribute(text: str) -> str:
    """Quoted, without characters that XML cannot have."""
    return quoteattr("".join(c for c in text if (c >= " " or c in "\t\n\r") and c not in "￾￿"))


def _model(document: Document) -> Iterator[bytes]:
    names = {short: long for long, short in UNITS.items()}
    unit = names.get(document.unit or "", "millimeter")
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="{unit}" xml:lang="en-US" '
        'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">\n'
    ).encode()
    for key, value in document.metadata.get("3mf", {}).items():
        body = str(value).replace("&", "&amp;").replace("<", "&lt;")
        yield f"<metadata name={_attribute(key)}>{body}</metadata>\n".encode()
    yield b"<resources>\n"
    if document.materials:
        yield b'<basematerials id="1">\n'
        for material in document.materials:
            colour = [*material.values.get("base_color", (1, 1, 1)), 1.0][:4]
            bits = np.clip(np.round(np.array(colour, np.float64) * 255), 0, 255).astype(int)
            text = "#" + "".join(f"{b:02X}" for b in bits)
            yield f'<base name={_attribute(material.name)} displaycolor="{text}"/>\n'.encode()
        yield b"</basematerials>\n"
    for number, part in enumerate(document.parts, 2):
        yield f'<object id="{number}" name={_attribute(part.name)} type="model">'.encode()
        yield from _mesh(part, len(document.materials))
        yield b"</object>\n"
    yield b"</resources>\n<build>\n"
    for number, part in enumerate(document.parts, 2):
        if not len(part.vertices):
            continue
        place = ""
        if part.transform is not None:
            rows = np.asarray(part.transform, np.float64)[:3].T.reshape(-1)
            place = ' transform="' + " ".join(repr(float(v)) for v in rows) + '"'
        yield f'<item objectid="{number}"{place}/>\n'.encode()
    yield b"</build>\n</model>\n"


def _mesh(part: Part, materials: int) -> Iterator[bytes]:
    surface = placed_triangles(replace(part, transform=None))
    yield b"<mesh><vertices>\n"
    vertices = np.nan_to_num(surface.vertices, posinf=0.0, neginf=0.0)
    for piece in rows_text(vertices):
        rows = (row.split(b" ") for row in bytes(piece).splitlines())
        yield b"".join(b'<vertex x="%b" y="%b" z="%b"/>\n' % tuple(row) for row in rows)
    yield b"</vertices><triangles>\n"
    label = surface.face_fields.get("material")
    faces = surface.polygon_index.reshape(-1, 3).tolist()
    numbers = [-1] * len(faces) if label is None else label.tolist()
    for (a, b, c), number in zip(faces, numbers, strict=True):
        tint = f' pid="1" p1="{number}"' if 0 <= number < materials else ""
        yield f'<triangle v1="{a}" v2="{b}" v3="{c}"{tint}/>\n'.encode()
    yield b"</triangles></mesh>"
