"""3MF: objects of triangles with colours or base materials, placed by items and components."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from meshlearn.io.archive import Archive
from meshlearn.io.document import Document, FileFormatError, Material, Part
from meshlearn.io.xml import parse, scan

RATIO = 60  # what the model may expand by
MOST_VERTICES = 1 << 26  # of objects that are placed again and again
UNITS = {
    "micron": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "foot": "ft",
    "meter": "m",
}


@dataclass
class _Object:
    name: str = ""
    property: tuple[str, str] | None = None  # resource, index
    x: array = field(default_factory=lambda: array("d"))
    triangle: array = field(default_factory=lambda: array("q"))
    label: array = field(default_factory=lambda: array("q"))  # number of a material, -1
    components: list[tuple[str, np.ndarray]] = field(default_factory=list)


def _matrix(text: str | None) -> np.ndarray:
    """Twelve numbers, rows of a matrix that is applied to row vectors."""
    out = np.eye(4)
    if text:
        numbers = [float(word) for word in text.split()]
        if len(numbers) != 12 or not np.isfinite(numbers).all():
            raise ValueError(f"expected 12 numbers of a transform, got {text[:40]!r}")
        out[:3] = np.array(numbers).reshape(4, 3).T
    return out


def _colour(text: str) -> list[float]:
    digits = re.fullmatch(r"#([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})?", text.strip())
    if digits is None:
        raise ValueError(f"expected a colour as #RRGGBB or #RRGGBBAA, got {text[:20]!r}")
    both = digits[1] + (digits[2] or "FF")
    return [int(both[k : k + 2], 16) / 255 for k in range(0, 8, 2)]


class _Reader:
    """Collects a model while its XML is read."""

    def __init__(self) -> None:
        self.unit = "millimeter"
        self.objects: dict[str, _Object] = {}
        self.items: list[tuple[str, np.ndarray]] = []
        self.materials: list[Material] = []
        self.places: dict[tuple[str, int], int] = {}  # (resource, index) -> material
        self.metadata: dict[str, str] = {}
        self._object: _Object | None = None
        self._group = ""
        self._count = 0
        self._name: str | None = None

    def start(self, name: str, at: dict[str, str]) -> None:
        if name == "vertex" and self._object is not None:
            self._object.x.extend((float(at["x"]), float(at["y"]), float(at["z"])))
        elif name == "triangle" and self._object is not None:
            self._triangle(self._object, at)
        elif name == "model":
            self.unit = at.get("unit", "millimeter")
        elif name == "object":
            self._object = _Object(at.get("name", ""))
            if "pid" in at:
                self._object.property = (at["pid"], at.get("pindex", "0"))
            if at["id"] in self.objects:
                raise ValueError(f"two objects have the id {at['id']!r}")
            self.objects[at["id"]] = self._object
        elif name == "component" and self._object is not None:
            self._object.components.append((at["objectid"], _matrix(at.get("transform"))))
        elif name == "item":
            self.items.append((at["objectid"], _matrix(at.get("transform"))))
        elif name in ("basematerials", "colorgroup"):
            self._group, self._count = at["id"], 0
        elif name in ("base", "color") and self._group:
            colour = _colour(at["displaycolor" if name == "base" else "color"])
            self.places[self._group, self._count] = len(self.materials)
            label = at.get("name", f"color {len(self.materials)}")
            self.materials.append(Material(label, {"base_color": colour}))
            self._count += 1
        elif name == "metadata":
            self._name = at.get("name")

    def _triangle(self, owner: _Object, at: dict[str, str]) -> None:
        owner.triangle.extend((int(at["v1"]), int(at["v2"]), int(at["v3"])))
        resource, number = at.get("pid"), at.get("p1")
        if owner.property is not None:
            resource = resource or owner.property[0]
            number = number or owner.property[1]
        label = -1
        if resource is not None and number is not None:
            label = self.places.get((resource, int(number)), -1)
        owner.label.append(label)

    def end(self, name: str) -> None:
        if name == "object":
            self._object = None
        elif name in ("basematerials", "colorgroup"):
            self._group = ""
        elif name == "metadata":
            self._name = None

    def text(self, text: str) -> None:
        if self._name and text.strip() and len(self.metadata) < 1000:
            self.metadata[self._name] = self.metadata.get(self._name, "") + text


def _model_name(archive: Archive) -> str:
    if archive.info("_rels/.rels") is not None:
        for entry in parse(archive.read("_rels/.rels")).iter("Relationship"):
            if entry.get("Type", "").endswith("/3dmodel"):
                target = entry.get("Target", "").lstrip("/")
                if archive.info(target) is not None:
                    return target
    found = [n for n in archive.names() if n.lower().endswith(".model")]
    if not found:
        raise ValueError("it has no member that is a 3D model")
    return found[0]


def read(data: bytes, path: Path) -> Document:
    """Reads what the build of the model places: a part for each mesh, with its transform."""
    reader = _Reader()
    try:
        archive = Archive(data, ratio=RATIO)
        scan(archive.read(_model_name(archive)), reader.start, reader.end, reader.text)
    except KeyError as error:
        raise FileFormatError(f"{path}: an element of its model lacks {error}") from None
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    document = Document(materials=reader.materials, up="z")
    document.unit = UNITS.get(reader.unit, reader.unit)
    if reader.metadata:
        document.metadata["3mf"] = reader.metadata
    items = reader.items or [(key, np.eye(4)) for key in _roots(reader)]
    pending: list[tuple[str, np.ndarray, tuple[str, ...], str]] = [
        (key, matrix, (), "") for key, matrix in reversed(items)
    ]
    total = 0
    while pending:
        key, matrix, trail, name = pending.pop()
        if key not in reader.objects:
            raise FileFormatError(f"{path}: it names the object {key!r}, which is not there")
        if key in trail or len(trail) > 100:
            raise FileFormatError(f"{path}: the object {key!r} is a component of itself")
        found = reader.objects[key]
        total += len(found.x) // 3 + 1
        if total > MOST_VERTICES:
            raise FileFormatError(
                f"{path}: it repeats objects to more than {MOST_VERTICES:,} vertices"
            )
        name = found.name or name
        if len(found.x) or len(found.triangle):
            document.parts.append(_part(found, matrix, name))
        below = (*trail, key)
        pending += [(k, matrix @ m, below, name) for k, m in reversed(found.components)]
    return document


def _roots(reader: _Reader) -> list[str]:
    inner = {key for found in reader.objects.values() for key, _ in found.components}
    return [key for key in reader.objects if key not in inner]


def _part(found: _Object, matrix: np.ndarray, name: str) -> Part:
    vertices = np.array(found.x, np.float64).reshape(-1, 3)
    faces = np.array(found.triangle, np.int64).reshape(-1, 3)
    part = Part.triangles(vertices, faces, name=name)
    label = np.array(found.label, np.int32)
    if (label >= 0).any():
        part.face_fields["material"] = label
    part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
    return part
