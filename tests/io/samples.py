"""Documents of every kind, and what of one is not the same in another."""

from __future__ import annotations

import struct
import zlib
from importlib.util import find_spec

import numpy as np
import pytest

from meshlearn.io import CornerField, Document, Material, Part
from meshlearn.io.document import placed_vertices
from meshlearn.io.formats import BUILT_IN
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.names import distinct
from tests.io.posed_files import copies_3mf, copies_gltf, skinned

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
ARROW = np.array([[0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0]], np.float32)  # concave
RING = np.array([[np.cos(a), np.sin(a), 0.25] for a in np.arange(7) * 2 * np.pi / 7], np.float32)
TWO = [[0, 1, 2], [0, 2, 3]]


# other extensions of a format that has one already
ALIASES = (".coff", ".noff", ".pts", ".txt", ".usd")
NAMING = (".pvtu", ".pvtp", ".pvti", ".pvtr", ".pvts", ".vtm", ".vtmb")  # nothing but other files
POINTS_ONLY = (".xyz", ".csv", ".asc", ".pcd")  # without faces
WRITTEN = [s for f in BUILT_IN if f.write for s in f.suffixes if s not in ALIASES]


def available(name: str) -> bool:
    """Whether the library is there that files of this name need."""
    if name.endswith((".las", ".laz")):
        return find_spec("laspy") is not None
    return ".usd" not in name or find_spec("pxr") is not None


def parameters(names) -> list:
    """Names of files or extensions for a test, skipped where their library is absent."""
    absent = pytest.mark.skip(reason="usd-core is not installed (pip install 'meshlearn[usd]')")
    return [pytest.param(n, marks=() if available(n) else absent) for n in names]


def png() -> bytes:
    """An image of one red pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + sum_

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def part_of(vertices, faces, **more) -> Part:
    start = np.concatenate([[0], np.cumsum([len(f) for f in faces])]).astype(np.int64)
    index = np.array([i for f in faces for i in f], np.int64)
    return Part(vertices=np.array(vertices), polygon_start=start, polygon_index=index, **more)


def polygons(vertices, faces, **more) -> Document:
    return Document([part_of(vertices, faces, **more)])


def documents() -> dict[str, Document]:
    """The matrix' rows."""
    rng = np.random.default_rng(0)
    uv = CornerField(rng.random((5, 2)).astype(np.float32), np.array([0, 1, 2, 0, 4, 3]))
    normal = CornerField(np.array([[0, 0, 1], [0, 1, 0]], np.float32), np.array([0, 0, 1, 0, 0, 1]))
    grouped = polygons(SQUARE, TWO, face_fields={"group": np.array([1, 0], np.int32)})
    grouped.parts[0].groups = ["left", "right"]
    tinted = polygons(SQUARE, TWO, face_fields={"material": np.array([0, 1], np.int32)})
    tinted.materials = [
        Material("rot", {"base_color": [1.0, 0.0, 0.0, 1.0]}),
        Material("grün", {"base_color": [0.0, 0.5019607843137255, 0.0, 1.0]}),
    ]
    textured = polygons(
        SQUARE,
        TWO,
        face_fields={"material": np.array([0, 0], np.int32)},
        vertex_fields={"uv": SQUARE[:, :2].copy()},
    )
    textured.materials = [Material("wood", {"base_texture": "wood.png"})]
    textured.images = {"wood.png": png()}
    twins = polygons(SQUARE, TWO, face_fields={"material": np.array([0, 1], np.int32)})
    twins.materials = [
        Material("Mat", {"base_color": [1.0, 0.0, 0.0, 1.0]}),
        Material("Mat", {"base_color": [0.0, 0.0, 1.0, 1.0]}),
    ]

    def looking(looks: Looks, image: str = "") -> Document:
        """A square whose one material has these looks."""
        fields = {"uv": SQUARE[:, :2].copy()} if image else {}
        made = polygons(
            SQUARE, TWO, face_fields={"material": np.zeros(2, np.int32)}, vertex_fields=fields
        )
        made.materials = [Material("stuff", looks=looks)]
        made.images = {image: png()} if image else {}
        return made

    grey = (0.5, 0.5, 0.5)
    nested, placing = "textures/wood.png", {"offset": (0.5, 0.0), "scale": (2.0, 3.0)}
    turn = np.eye(4)
    turn[:3, 3] = [10, 0, 0]
    placed = polygons(SQUARE, TWO, name="one")
    placed.parts.append(part_of(ARROW, [[0, 1, 2], [0, 2, 3]], name="two", transform=turn))
    solid = polygons(np.concatenate([SQUARE, [[0, 0, 1]]]).astype(np.float32), TWO)
    solid.parts[0].cells = {
        "tetra": np.array([[0, 1, 2, 4]]),
        "pyramid": np.array([[0, 1, 2, 3, 4]]),
    }
    fan = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, 0, 0]], np.float32)
    stated = polygons(SQUARE, TWO)
    stated.up, stated.unit, stated.metadata = "z", "mm", {"comments": ["made by hand"]}
    return {
        "empty": Document([Part()]),
        "triangle": polygons(SQUARE[:3], [[0, 1, 2]]),
        "quad": polygons(SQUARE, [[0, 1, 2, 3]]),
        "n-gon": polygons(RING, [list(range(7))]),
        "concave": polygons(ARROW, [[0, 1, 2, 3]]),
        "mixed": polygons(np.concatenate([RING, SQUARE + 2]), [list(range(7)), [7, 8, 9]]),
        "double": polygons(SQUARE.astype(np.float64) / 3 + 1e-9, TWO),
        # of a survey; a place near it is a whole number, so that single precision holds the rest
        "large coordinates": polygons(SQUARE + np.array([431000.5, 5398000.25, 0.0]), TWO),
        "unused vertex": polygons(np.concatenate([SQUARE, [[9, 9, 9]]]).astype(np.float32), TWO),
        "non-manifold": polygons(fan, [[0, 1, 2], [0, 1, 3], [0, 1, 4]]),
        "indexed uv": polygons(SQUARE, TWO, corner_fields={"uv": uv}),
        "indexed normals": polygons(SQUARE, TWO, corner_fields={"normal": normal}),
        "colours": polygons(SQUARE, TWO, vertex_fields={"color": rng.random((4, 3)).astype("f4")}),
        "byte colours": polygons(
            SQUARE, TWO, vertex_fields={"color": np.arange(12, dtype=np.uint8).reshape(4, 3) * 20}
        ),
        "vertex normals": polygons(
            SQUARE, TWO, vertex_fields={"normal": np.tile(np.float32([0, 0, 1]), (4, 1))}
        ),
        "fields": polygons(
            SQUARE,
            TWO,
            vertex_fields={
                "heat": rng.random(4),
                "label": np.arange(4, dtype=np.int32) - 2,
                "flow": rng.random((4, 3)).astype(np.float32),
            },
            face_fields={"part": np.array([3, 4], np.int32), "stress": rng.random((2, 6))},
        ),
        "wide numbers": polygons(
            SQUARE, TWO, vertex_fields={"id": np.array([1, 2**31, 2**40, 2**60 + 1])}
        ),
        "text field": polygons(SQUARE, TWO, face_fields={"name": np.array(["a", "ü"])}),
        "groups": grouped,
        "two materials": tinted,
        "materials of one name": twins,
        "see-through": looking(Looks(base_color=grey, alpha=0.25, alpha_mode="BLEND")),
        "light of its own": looking(Looks(base_color=grey, emissive=(1.0, 0.5, 0.0))),
        "metal": looking(Looks(base_color=grey, metallic=1.0, roughness=0.25)),
        "texture": textured,
        "texture in a folder": looking(Looks(base_texture=Texture(nested)), nested),
        "placed texture": looking(Looks(base_texture=Texture("wood.png", **placing)), "wood.png"),
        "lines": polygons(SQUARE, TWO, lines=[np.array([0, 1]), np.array([1, 2, 3])]),
        "segments": polygons(SQUARE, TWO, lines=[np.array([0, 1]), np.array([1, 2])]),
        "points": polygons(SQUARE, [], points=np.arange(4)),
        "cells": solid,
        "two parts": placed,
        "skin": skinned(),
        "copies": copies_gltf(),  # as those of USD's instancers are
        "components": copies_3mf(),
        "frame": stated,
        "unicode": polygons(
            SQUARE, TWO, name="größe 木", vertex_fields={"wärme": rng.random(4).astype(np.float32)}
        ),
    }


def _same_at(key, a, b) -> bool:
    """Texture coordinates may be rounded where v is counted from the other end of an image."""
    close = key == "uv" and a.shape == b.shape and np.allclose(a, b, rtol=0, atol=2.0**-24)
    return close or _same(a, b)


def _same(a, b) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind in "US" or b.dtype.kind in "US":
        return np.array_equal(a, b)
    if a.shape != b.shape:
        return False
    if a.dtype == np.float32 and b.dtype == np.float64:  # text has no precision of its own
        b = b.astype(np.float32)
    if a.dtype.kind != b.dtype.kind and a.dtype.itemsize == 8:
        return a.tolist() == b.tolist()
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _colour(values: np.ndarray) -> np.ndarray:
    """RGB from 0 to 1, whatever they were written in."""
    if values.dtype.kind in "ui":
        values = values / np.iinfo(values.dtype).max
    return values.astype(np.float64)[:, :3]


def _polygon_set(part: Part, vertices: np.ndarray) -> list[np.ndarray]:
    return [
        vertices[part.polygon_index[a:b]]
        for a, b in zip(part.polygon_start, part.polygon_start[1:], strict=False)
    ]


def _labels(document: Document, part: Part, key: str, names: list[str]) -> list[str | None]:
    label = part.face_fields.get(key)
    if label is None:
        return [None] * part.num_faces
    return [names[k] if 0 <= k < len(names) else None for k in label.tolist()]


def _of_materials(before: Document, a: Part, after: Document, b: Part) -> set[str]:
    """What differs of the materials, each found again by the faces that have it."""
    names, found = [m.name for m in before.materials], [m.name for m in after.materials]
    if not names:
        return set()
    label, other = (p.face_fields.get("material", np.zeros(0, int)).tolist() for p in (a, b))
    if len(label) != len(other) or not found:
        return {"materials"}
    pairs = dict(zip(label, other, strict=True))
    if any(pairs[k] != m for k, m in zip(label, other, strict=True)):
        return {"materials"}
    if len(set(pairs.values())) < len(pairs):
        return {"materials"}
    if len(set(names)) == len(names) and any(names[k] != found[m] for k, m in pairs.items()):
        return {"materials"}
    out = set()
    for k, m in pairs.items():
        mine, theirs = before.materials[k].appearance, after.materials[m].appearance
        for name, value in mine.said().items():
            there = getattr(theirs, name)
            if isinstance(value, Texture):
                same = there is not None and (
                    before.images.get(value.image) == after.images.get(there.image)
                )
            elif name == "base_color" and mine.base_texture is not None and value == (1, 1, 1):
                same = there in (None, value)
            elif name in ("alpha", "alpha_mode") and value in (1, "OPAQUE"):
                same = there in (None, value)
            elif isinstance(value, (float, tuple)):
                same = there is not None and np.allclose(there, value, atol=3e-3)
            else:
                same = there == value
            if not same:
                words = {"base_texture": "textures", "base_color": "colours of materials"}
                out.add(words.get(name, f"{name.replace('_', ' ')} of materials"))
    return out


def _looked_up(document: Document, part: Part) -> np.ndarray | None:
    """(C, 2): where each corner's base texture is looked up, its placing and its coordinates
    together; None without one that is placed."""
    placed = [m.appearance.base_texture for m in document.materials if m.appearance.base_texture]
    uv = part.corner_fields.get("uv")
    values = None if uv is None else uv.values[uv.index]
    if "uv" in part.vertex_fields:
        values = part.vertex_fields["uv"][part.polygon_index]
    if len(placed) != 1 or values is None:
        return None
    where = placed[0]
    c, s = np.cos(where.rotation), np.sin(where.rotation)
    turned = (values.astype(np.float64) * where.scale) @ np.array([[c, s], [-s, c]])
    return turned + where.offset


def differences(before: Document, after: Document) -> set[str]:
    """Names, as losses have them, of what differs; values are compared, not their types.

    Parts are compared joined where they were joined.
    """
    from meshlearn.io.changes.join import joined

    out: set[str] = set()
    names = [p.name for p in before.parts if p.name]
    found = [p.name for p in after.parts if p.name]
    # OBJ numbers names that repeat
    if names not in (found, after.metadata.get("object")) and found != distinct(names):
        out.add("names of parts")
    if sum(p.num_faces > 0 for p in before.parts) > sum(p.num_faces > 0 for p in after.parts) > 0:
        out.add("names of parts")  # they are one
    moved = any(p.transform is not None for p in before.parts)
    if moved and not any(p.transform is not None for p in after.parts):
        out.add("transforms")
    if len(before.parts) == len(after.parts) == 1:
        a, b = before.parts[0], after.parts[0]
        x, y = placed_vertices(a, a.vertices)[0], placed_vertices(b, b.vertices)[0]
    else:
        a, b = joined(before), joined(after)
        x, y = a.vertices, b.vertices
    if not _same(x, y.astype(x.dtype)):
        same_narrow = x.shape == y.shape and _same(x.astype(np.float32), y.astype(np.float32))
        out.add("double precision" if same_narrow else "shared vertices")
    if len(x) > len(np.unique(a.polygon_index)) and len(y) == len(np.unique(b.polygon_index)):
        out.add("unused vertices")
    aligned = len(a.polygon_index) == len(b.polygon_index)
    mine, theirs = _polygon_set(a, x), _polygon_set(b, y)
    if [len(p) for p in mine] != [len(p) for p in theirs]:
        out.add("faces" if not theirs else "polygons")
    elif not all(
        _same(p.astype(np.float32), q.astype(np.float32)) for p, q in zip(mine, theirs, strict=True)
    ):
        out.add("polygons moved")
    elif x.dtype == np.float64 and not all(map(_same, mine, theirs)):
        out.add("double precision")
    if aligned and not _same(a.polygon_index, b.polygon_index):
        out.add("shared vertices")
    seen, again = _looked_up(before, a), _looked_up(after, b)
    baked = aligned and seen is not None and again is not None and np.allclose(seen, again)
    for key, values in a.vertex_fields.items():
        if key == "uv" and baked:  # the placing of a texture may be in the coordinates
            continue
        found = b.vertex_fields.get(key)
        corner = b.corner_fields.get(key)
        if found is None and corner is not None and aligned and (corner.index >= 0).all():
            found, values = corner.values[corner.index], values[a.polygon_index]
        if found is not None and key == "color":
            good = len(found) == len(values) and (
                np.allclose(_colour(found), _colour(values), atol=1e-6) or _same(values, found)
            )
        else:
            good = found is not None and _same_at(key, values, found)
        if not good:
            out.add(f"vertex field {key!r}")
    for key, values in a.face_fields.items():
        if key not in ("group", "material") and not (
            key in b.face_fields and _same(values, b.face_fields[key])
        ):
            out.add(f"face field {key!r}")
    for key, corners in a.corner_fields.items():
        found, index = b.corner_fields.get(key), None
        if found is not None:
            index = found.values[found.index] if len(found.values) else found.values
        elif key in b.vertex_fields:
            index = b.vertex_fields[key][b.polygon_index]
        if index is None or not _same_at(key, corners.values[corners.index], index):
            out.add(f"corner field {key!r}")
    if any(a.groups) and _labels(before, a, "group", a.groups) != _labels(
        after, b, "group", b.groups
    ):
        out.add("groups")
    out |= _of_materials(before, a, after, b)
    # files inside one file have other names
    if sorted(before.images.values()) != sorted(after.images.values()):
        out.add("textures")
    if [line.tolist() for line in a.lines] != [line.tolist() for line in b.lines]:
        out.add("lines")
    if len(a.points) and a.points.tolist() != b.points.tolist():
        out.add("points")
    for kind, cells in a.cells.items():
        if kind not in b.cells or not _same(cells, b.cells[kind]):
            out.add(f"cells {kind!r}")
    for key, label in (("up", "up axis"), ("unit", "unit")):
        value = getattr(before, key)
        if value and getattr(after, key) != value:
            out.add(f"{label} {value!r}")
    out |= {f"metadata {k!r}" for k, v in before.metadata.items() if after.metadata.get(k) != v}
    return out
