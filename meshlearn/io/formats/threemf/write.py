"""Writing 3MF files, see `meshlearn.io.formats.threemf.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np

from meshlearn.io.archive import pack
from meshlearn.io.document import Document, Part
from meshlearn.io.formats.threemf.read import UNITS
from meshlearn.io.formats.threemf.resources import (
    KEPT,
    MATERIAL,
    UV,
    Look,
    Resources,
    as_bytes,
    attribute,
    base_texture,
    corner_values,
    has_colors,
    looks_of,
    nameless,
    package_images,
    whole_faces,
)
from meshlearn.io.image_types import type_of
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks, losses_of_looks
from meshlearn.io.offset import offset_line
from meshlearn.io.surface import placed_triangles
from meshlearn.io.text import rows_text


def losses(document: Document) -> Iterator[Loss]:
    """What a 3MF file cannot hold beyond what its `Holds` says."""
    if document.unit and document.unit not in UNITS.values():
        yield Loss(LossKind.UNIT, name=document.unit)
    yield from losses_of_looks(
        (m.looks, _unsaid(m.looks)) for m in document.materials if m.looks is not None
    )
    kept = {"base_color", "base_texture"}
    beyond = sum(len(set(m.values) - kept) for m in document.materials if m.looks is None)
    limit = "materials are a name, a colour and a texture"
    yield Loss(LossKind.MATERIAL_VALUES, count=beyond, limit=limit)
    images = {key for key, data in document.images.items() if type_of(data, key) in KEPT}
    drawn = {t.image for m in document.materials if (t := base_texture(m)) is not None}
    limit = "has images of colours, as PNG or JPEG"
    yield Loss(LossKind.TEXTURES, count=len(document.images) - len(images & drawn), limit=limit)
    looks = [looks_of(part, document.materials, images) for part in document.parts]
    for part, found in zip(document.parts, looks, strict=True):
        yield from _field_losses(part, found)
    left = nameless([look for found in looks for look in found])
    unnamed = 0
    for number in left:
        texture = base_texture(document.materials[number])
        stem = PurePosixPath(texture.image).stem if texture is not None else ""
        unnamed += document.materials[number].name not in ("", stem)
    limit = "has names of base materials; textures and colours have none"
    yield Loss(LossKind.OTHER, name="names of white materials", count=unnamed, limit=limit)
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in document.parts)
    yield Loss(LossKind.NOT_FINITE, count=bad)


def _unsaid(looks: Looks) -> list[str]:
    """Properties that have no word in 3MF."""
    said = looks.said()
    names = ("metallic", "roughness", "emissive", "double_sided", "unlit")
    out = [name for name in names if said.get(name)]
    out += ["alpha mode mask"] if looks.alpha_mode == "MASK" else []
    base = looks.base_texture
    for name, texture in looks.textures():
        own = base is not None and texture.image == base.image
        if name != "base_texture" and not (name == "alpha_texture" and own):
            out.append(name)
    return out


def _field_losses(part: Part, looks: list[Look]) -> Iterator[Loss]:
    """Colours and coordinates of a part that no triangle of it can name."""
    color = corner_values(part, "color")
    if color is not None:
        domain = next(d for d in ("corner", "vertex", "face") if "color" in _fields(part, d))
        values = color[0]
        if not has_colors(values):
            yield Loss(
                LossKind.FIELD, domain, "color", len(values), "has colours of 3 numbers or 4"
            )
        else:
            some = (color[1] >= 0) & ~np.repeat(whole_faces(part, color[1]), part.sizes)
            limit = "has colours of whole triangles"
            yield Loss(LossKind.FIELD, domain, "color", int(some.sum()), limit)
            if not part.num_faces:
                yield Loss(LossKind.FIELD, domain, "color", len(values), "has colours of triangles")
            held = as_bytes(values)[:, : values.shape[1]].astype(np.float64) / 255
            exact = values.astype(np.float64)
            if values.dtype.kind == "u":
                exact = exact / np.iinfo(values.dtype).max
            with np.errstate(invalid="ignore"):
                odd = int((~(np.abs(held - exact) <= 1e-6)).sum())
            yield Loss(LossKind.FIELD_DIGITS, domain, "color", odd, "has colours of 8 bits")
    for domain in ("corner", "vertex"):
        for key in _fields(part, domain):
            if key not in UV:
                continue
            drawn = np.zeros(part.num_faces, bool)
            for look in looks:
                if look.texture is not None and UV[look.texture.uv] == key:
                    drawn |= look.faces
            found = corner_values(part, key)
            assert found is not None
            left = int(((found[1] >= 0) & ~np.repeat(drawn, part.sizes)).sum())
            left = left or (0 if part.num_faces else len(found[0]))
            yield Loss(LossKind.FIELD, domain, key, left, "has coordinates of textures only")


def _fields(part: Part, domain: str) -> Iterable[str]:
    return getattr(part, f"{domain}_fields")


def write(document: Document, path: Path) -> bytes:
    """A 3MF file: an object for each part, polygons triangulated."""
    places, images = package_images(document)
    parts = [placed_triangles(replace(part, transform=None)) for part in document.parts]
    resources = Resources(replace(document, parts=parts), places)
    model = b"".join(_model(document, parts, resources))
    drawn = [name for name in images if f'"/{name}"'.encode() in b"".join(resources.groups)]
    types = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/'
        'package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.'
        'openxmlformats-package.relationships+xml"/><Default Extension="model" ContentType='
        '"application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>'
    )
    for ending, kind in (("png", "png"), ("jpg", "jpeg")):
        if any(name.endswith(ending) for name in drawn):
            types += f'<Default Extension="{ending}" ContentType="image/{kind}"/>'
    members = {
        "[Content_Types].xml": f"{types}</Types>".encode(),
        "_rels/.rels": _relations({"3D/3dmodel.model": "3dmodel"}),
        "3D/3dmodel.model": model,
    }
    if drawn:
        members["3D/_rels/3dmodel.model.rels"] = _relations(dict.fromkeys(drawn, "3dtexture"))
    return pack(members | {name: images[name] for name in drawn})


def _relations(targets: Mapping[str, str]) -> bytes:
    """What a part of the package refers to, and as what."""
    entries = "".join(
        f'<Relationship Id="rel{k}" Target="/{name}" Type="http://schemas.microsoft.com/'
        f'3dmanufacturing/2013/01/{kind}"/>'
        for k, (name, kind) in enumerate(targets.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="http://schemas.'
        f'openxmlformats.org/package/2006/relationships">{entries}</Relationships>'
    ).encode()


def _model(document: Document, parts: list[Part], resources: Resources) -> Iterator[bytes]:
    names = {short: long for long, short in UNITS.items()}
    unit = names.get(document.unit or "", "millimeter")
    more = f' xmlns:m="{MATERIAL}"' if resources.extended else ""
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="{unit}" xml:lang="en-US" '
        f'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"{more}>\n'
    ).encode()
    said = dict(document.metadata.get("3mf", {}))
    if line := offset_line(document):  # of the names that a reader knows, one for people
        said["Description"] = "\n".join(filter(None, [str(said.get("Description", "")), line]))
    for key, value in said.items():
        body = str(value).replace("&", "&amp;").replace("<", "&lt;")
        yield f"<metadata name={attribute(key)}>{body}</metadata>\n".encode()
    yield b"<resources>\n"
    yield from resources.groups
    first = len(resources.groups) + 1
    for number, (part, faces) in enumerate(zip(parts, resources.faces, strict=True), first):
        yield f'<object id="{number}" name={attribute(part.name)} type="model">'.encode()
        yield from _mesh(part, faces)
        yield b"</object>\n"
    yield b"</resources>\n<build>\n"
    for number, part in enumerate(document.parts, first):
        if not len(part.vertices):
            continue
        place = ""
        if part.transform is not None:
            rows = np.asarray(part.transform, np.float64)[:3].T.reshape(-1)
            place = ' transform="' + " ".join(repr(float(v)) for v in rows) + '"'
        yield f'<item objectid="{number}"{place}/>\n'.encode()
    yield b"</build>\n</model>\n"


def _mesh(part: Part, looks: np.ndarray) -> Iterator[bytes]:
    """A mesh of triangles that name the groups and entries `looks` (F, 4)."""
    yield b"<mesh><vertices>\n"
    vertices = np.nan_to_num(part.vertices, posinf=0.0, neginf=0.0)
    for piece in rows_text(vertices):
        rows = (row.split(b" ") for row in bytes(piece).splitlines())
        yield b"".join(b'<vertex x="%b" y="%b" z="%b"/>\n' % tuple(row) for row in rows)
    yield b"</vertices><triangles>\n"
    faces = part.polygon_index.reshape(-1, 3)
    even = (looks[:, 1:] == looks[:, 1:2]).all(1)
    kinds = (
        (looks[:, 0] == 0, b'<triangle v1="%d" v2="%d" v3="%d"/>\n', 3),
        (even, b'<triangle v1="%d" v2="%d" v3="%d" pid="%d" p1="%d"/>\n', 5),
        (~even, b'<triangle v1="%d" v2="%d" v3="%d" pid="%d" p1="%d" p2="%d" p3="%d"/>\n', 7),
    )
    kind = np.where(looks[:, 0] == 0, 0, np.where(even, 1, 2))
    table = np.concatenate([faces, looks], 1)
    border = np.nonzero(np.diff(kind))[0] + 1
    for begin, end in pairwise([0, *border.tolist(), len(kind)]):
        if begin < end:
            _, text, width = kinds[kind[begin]]
            yield b"".join(text % tuple(row) for row in table[begin:end, :width].tolist())
    yield b"</triangles></mesh>"
