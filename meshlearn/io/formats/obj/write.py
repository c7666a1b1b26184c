"""Writing OBJ files, see `meshlearn.io.formats.obj.read`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.changes.join import reversed_corners
from meshlearn.io.document import CornerField, Document, Material, Part
from meshlearn.io.even_looks import full_color, translucent
from meshlearn.io.formats.obj.material import names_of, statements, write_materials
from meshlearn.io.image_names import image_places, with_images_named
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import losses_of_looks
from meshlearn.io.names import distinct, on_one_line
from meshlearn.io.offset import offset_line
from meshlearn.io.placed import placed_part
from meshlearn.io.text import columns_text, polygons_text, rows_text


def losses(document: Document) -> Iterator[Loss]:
    """What an OBJ file cannot hold beyond what its `Holds` says."""
    for part in document.parts:
        colour = part.vertex_fields.get("color")
        if colour is not None:
            yield Loss(LossKind.ALPHA, count=translucent(colour))

    yield from losses_of_looks(
        (m.looks, statements(m.looks)[1])
        for m in document.materials
        if m.looks is not None and "mtl" not in m.values
    )


def write(document: Document, path: Path) -> bytes | dict[str, bytes]:
    """An OBJ file, with a .mtl and images where there are materials; parts become objects."""
    made = pieces(document, path)
    files = {n: d if isinstance(d, bytes) else b"".join(d) for n, d in made.items()}
    return files if len(files) > 1 else files[path.name]


def pieces(document: Document, path: Path) -> dict[str, bytes | Iterable[bytes | memoryview]]:
    """The files of `write` by name, each in pieces."""
    library = path.with_suffix(".mtl").name
    said = any(m.values.get("mtl") or m.values.get("base_color") for m in document.materials)
    said = said or any(m.looks is not None and m.looks.said() for m in document.materials)
    said = said or any(m.values.get("base_texture") for m in document.materials)
    if not said:
        return {path.name: _text(document, document.metadata.get("mtllib", []))}
    files: dict[str, bytes | Iterable[bytes | memoryview]] = {path.name: _text(document, [library])}
    places = image_places(document, path)
    document = with_images_named(document, places)
    files[library] = [write_materials(document.materials)]
    return {**files, **document.images}


def _text(document: Document, libraries: list[str]) -> Iterator[bytes | memoryview]:
    yield b"# meshlearn\n"
    if said := offset_line(document):
        yield f"# {said}\n".encode()
    for name in libraries:
        yield f"mtllib {on_one_line(name)}\n".encode()
    base = {"v": 1, "vt": 1, "vn": 1}
    names = distinct(part.name for part in document.parts)
    for number, (name, part) in enumerate(zip(names, document.parts, strict=True)):
        if name or number:
            yield f"o {name}\n".encode()
        part, mirrored = placed_part(part)
        rows = part.vertices
        colour = part.vertex_fields.get("color")
        if colour is not None and colour.ndim == 2 and colour.shape[1] >= 3:
            colour = colour[:, :3]
            if colour.dtype.kind in "ui":
                colour = np.round(colour / full_color(colour.dtype), 9)
            yield from columns_text([rows, colour], "v ")
        else:
            yield from rows_text(rows, "v ")
        fields, bases = [part.polygon_index], [base["v"]]
        uv, normal = part.corner_fields.get("uv"), part.corner_fields.get("normal")
        if uv is None and "uv" in part.vertex_fields:
            uv = CornerField(part.vertex_fields["uv"], part.polygon_index)
        if normal is None and "normal" in part.vertex_fields:
            normal = CornerField(part.vertex_fields["normal"], part.polygon_index)
        if uv is not None:
            yield from rows_text(uv.values[:, :3], "vt ")
        if normal is not None:
            yield from rows_text(normal.values[:, :3], "vn ")
        for key, corner in (("vt", uv), ("vn", normal)):
            if corner is not None:
                if key == "vn" and uv is None:
                    fields.append(np.full(len(part.polygon_index), -1, np.int64))
                    bases.append(0)
                fields.append(corner.index)
                bases.append(base[key])
                base[key] += len(corner.values)
        yield from _faces(document, part, fields, bases, mirrored)
        for line in part.lines:
            yield ("l " + " ".join(str(i + base["v"]) for i in line) + "\n").encode()
        if len(part.points):
            texts = " ".join(str(i + base["v"]) for i in part.points)
            yield f"p {texts}\n".encode()
        base["v"] += len(part.vertices)


def _faces(
    document: Document,
    part: Part,
    fields: list[np.ndarray],
    bases: list[int],
    mirrored: bool,
) -> Iterator[bytes | memoryview]:
    """Face lines, with a line where group, object, material or smoothing changes."""
    nameless = "group" if part.groups.count("") > 1 else ""
    tables = {
        "object": ("o", distinct(document.metadata.get("object", []))),
        "group": ("g", distinct(part.groups, empty=nameless)),
        "smooth": ("s", document.metadata.get("smooth", [])),
        "material": ("usemtl", names_of(document.materials)),
    }
    marks = {
        kind: part.face_fields[kind]
        for kind, (_, names) in tables.items()
        if kind in part.face_fields and names
    }
    if mirrored:
        turn = reversed_corners(part)
        fields = [f[turn] for f in fields]
    if not marks or part.num_faces == 0:
        yield from polygons_text(part.polygon_start, fields, "f ", base=bases)
        return
    changes = np.zeros(part.num_faces, bool)
    changes[0] = True
    for label in marks.values():
        changes[1:] |= label[1:] != label[:-1]
    starts = [*np.nonzero(changes)[0].tolist(), part.num_faces]
    current = dict.fromkeys(marks, -1)
    none = names_of([*document.materials, Material("none")])[-1]
    for first, last in itertools.pairwise(starts):
        for kind, label in marks.items():
            number = int(label[first])
            word, names = tables[kind]
            if number != current[kind] and 0 <= number < len(names):
                yield f"{word} {on_one_line(names[number])}\n".encode()
            elif number < 0 <= current[kind] and kind == "material":
                yield f"usemtl {none}\n".encode()  # else it would be as the face before
            current[kind] = number
        start = part.polygon_start[first : last + 1]
        yield from polygons_text(start, fields, "f ", base=bases)
