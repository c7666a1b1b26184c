"""3MF: objects of triangles with materials, colours and textures, placed by items and components.

Objects may be in other models of the package (production extension); what triangles and corners
look like is in `properties`. Specification: https://github.com/3MFConsortium.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from meshlearn.io.archive import Archive
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.formats.threemf.properties import READER, Group, Properties
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import offset_of, take_offset_of_lines
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


_KNOWN = ("core/2015/02", "material/2015/02", "production/2015/06", "trianglesets/2021/07")
_EXTENSIONS = {
    "beamlattice": "beam lattices",
    "slice": "slices",
    "volumetric": "volumetric",
    "implicit": "implicit functions",
    "boolean": "boolean operations",
    "displacement": "displacement",
    "securecontent": "secure content",
}
_BEYOND = {  # elements of extensions that need not be understood, and are not
    "beam": "beams",
    "ball": "balls",
    "slice": "slices",
    "booleanshape": "boolean shapes",
    "displacementmesh": "displacement of surfaces",
    "levelset": "level sets",
    "triangleset": "sets of triangles",
}
_SOLID = ("beams", "balls", "boolean shapes", "level sets")  # they alone may be the thing
_APART = ("support", "solidsupport", "other")  # types of objects that are no part of the thing
_SETTINGS = (".config", ".gcode")
_PAINT = {  # attributes of triangles by which slicers say what was painted on them
    **dict.fromkeys(("mmu_segmentation", "paint_color"), "painted colours of slicers"),
    **dict.fromkeys(("custom_supports", "paint_supports"), "painted supports of slicers"),
    **dict.fromkeys(("custom_seam", "paint_seam"), "painted seams of slicers"),
}
_Key = tuple[str, str]  # name of a model in the package, id of an object


@dataclass
class _Object:
    name: str = ""
    type: str = "model"
    property: tuple[str, str] | None = None  # resource, index
    x: array = field(default_factory=lambda: array("d"))
    triangle: array = field(default_factory=lambda: array("q"))
    property_of: array = field(default_factory=lambda: array("q"))  # a group and three indices each
    components: list[tuple[_Key, np.ndarray]] = field(default_factory=list)


def _matrix(text: str | None) -> np.ndarray:
    """Twelve numbers, rows of a matrix that is applied to row vectors."""
    out = np.eye(4)
    if text:
        numbers = [float(word) for word in text.split()]
        if len(numbers) != 12 or not np.isfinite(numbers).all():
            raise ValueError(f"expected 12 numbers of a transform, got {text[:40]!r}")
        out[:3] = np.array(numbers).reshape(4, 3).T
    return out


class _Reader:
    """Collects one model of a package while its XML is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unit = "millimeter"
        self.required: list[str] = []
        self.objects: dict[str, _Object] = {}
        self.items: list[tuple[_Key, np.ndarray]] = []
        self.groups: dict[str, Group] = {}
        self.textures: dict[str, dict[str, str]] = {}
        self.metadata: dict[str, str] = {}
        self.unprinted = 0  # items that a slicer is not to print
        self.beyond: Counter[str] = Counter()  # elements of extensions that are not read
        self.codes: dict[str, int] = {}  # of the groups that triangles name
        self._object: _Object | None = None
        self._group: Group | None = None
        self._label: str | None = None

    def start(self, name: str, at: dict[str, str]) -> None:
        if name == "vertex" and self._object is not None:
            self._object.x.extend((float(at["x"]), float(at["y"]), float(at["z"])))
        elif name == "triangle" and self._object is not None:
            self._triangle(self._object, at)
        elif name == "model":
            self.unit = at.get("unit", "millimeter")
            self.required = at.get("requiredextensions", "").split()
        elif name == "object":
            self._object = _Object(at.get("name", ""), at.get("type", "model"))
            if "pid" in at:
                self._object.property = (at["pid"], at.get("pindex", "0"))
            if at["id"] in self.objects:
                raise ValueError(f"two objects have the id {at['id']!r}")
            self.objects[at["id"]] = self._object
        elif name == "component" and self._object is not None:
            self._object.components.append((self._key(at), _matrix(at.get("transform"))))
        elif name == "item":
            unprinted = next((v for k, v in at.items() if k.split("}")[-1] == "printable"), "1")
            self.unprinted += unprinted == "0"
            self.items.append((self._key(at), _matrix(at.get("transform"))))
        elif name in Group.KINDS:
            self._group = Group(name, at)
            self.groups.setdefault(at["id"], self._group)
        elif self._group is not None and Group.KINDS[self._group.kind] == name:
            self._group.rows.append(at)
        elif name == "texture2d":
            self.textures[at["id"]] = at
        elif name in _BEYOND:
            self.beyond[_BEYOND[name]] += 1
        elif name == "metadata":
            self._label = at.get("name")

    def _key(self, at: dict[str, str]) -> _Key:
        """The object that an item or a component names, in this model or by `p:path`."""
        path = next((v for k, v in at.items() if k.endswith("}path")), "")
        return (path or self.name, at["objectid"])

    def _triangle(self, owner: _Object, at: dict[str, str]) -> None:
        if len(at) > 3:
            for key in at:
                if (word := key.split("}")[-1]) in _PAINT:
                    self.beyond[_PAINT[word]] += 1
        owner.triangle.extend((int(at["v1"]), int(at["v2"]), int(at["v3"])))
        resource, number = at.get("pid"), at.get("p1")
        if owner.property is not None:
            resource = resource or owner.property[0]
            number = number or owner.property[1]
        if resource is None or number is None:
            owner.property_of.extend((-1, 0, 0, 0))
            return
        code = self.codes.setdefault(resource, len(self.codes))
        first = int(number)
        second, third = int(at.get("p2", first)), int(at.get("p3", first))
        owner.property_of.extend((code, first, second, third))

    def end(self, name: str) -> None:
        if name == "object":
            self._object = None
        elif name in Group.KINDS:
            self._group = None
        elif name == "metadata":
            self._label = None

    def text(self, text: str) -> None:
        if self._label and text.strip() and len(self.metadata) < 1000:
            self.metadata[self._label] = self.metadata.get(self._label, "") + text


class _Package:
    """The models of a file, read when something names them."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.members = {name.lower(): name for name in archive.names()}
        self.models: dict[str, _Reader] = {}

    def member(self, name: str) -> str | None:
        """The name in the archive of what a path names: without regard to case, or encoded."""
        plain = name.lstrip("/").lower()
        return self.members.get(plain) or self.members.get(unquote(plain))

    def model(self, name: str) -> _Reader:
        """A model of the package.

        Raises:
            ValueError: it is not there, is damaged, or requires what is not read.
        """
        place = self.member(name)
        if place is None:
            raise ValueError(f"it names the model {name!r}, which is not in the package")
        if place not in self.models:
            data = self.archive.read(place)
            found = self.models[place] = _Reader(place)
            scan(data, found.start, found.end, found.text)
            _check_required(found.required, data)
        return self.models[place]


def _check_required(prefixes: list[str], data: bytes) -> None:
    """Raises ValueError for an extension that must be understood and is not."""
    begin = re.search(rb"<(?:\w+:)?model\b[^>]*>", data)
    text = begin[0].decode("utf-8", errors="replace") if begin else ""
    spaces = dict(re.findall(r"""xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']""", text))
    for prefix in prefixes:
        space = spaces.get(prefix, "")
        if space.endswith(_KNOWN):
            continue
        known = next((word for key, word in _EXTENSIONS.items() if f"/{key}" in space), "")
        label = known or space or prefix
        raise ValueError(
            f"it requires the 3MF extension {label!r}, which is not read; export it as plain "
            f"triangles"
        )


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
    """Reads what the build of the model places: a part for each mesh, with its transform.

    Raises:
        FileFormatError: no 3MF file, a damaged one, or one that requires an extension which is not
            read, such as beam lattices.
    """
    try:
        package = _Package(Archive(data, ratio=RATIO))
        return _document(package, package.model(_model_name(package.archive)))
    except KeyError as error:
        raise FileFormatError(f"{path}: an element of its model lacks {error}") from None
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _document(package: _Package, root: _Reader) -> Document:
    document = Document(up="z", unit=UNITS.get(root.unit, root.unit))
    left = "\n".join(
        take_offset_of_lines(document, root.metadata.get("Description", "").splitlines())
    )
    if offset_of(document) is not None:
        root.metadata = {**root.metadata, "Description": left}
        root.metadata = {k: v for k, v in root.metadata.items() if v or k != "Description"}
    if root.metadata:
        document.metadata["3mf"] = root.metadata
    properties = Properties(document, package.archive, package.member)
    properties.model(root.name, root.groups, root.textures)
    placed: set[_Key] = set()
    apart = _place(package, root, document, properties, placed, without=_APART)
    if apart and not document.parts:
        _place(package, root, document, properties, placed, without=())
        types = ", ".join(sorted(apart))
        document.remarks.append(f"all objects are of type {types}; they are read as models")
        apart = Counter()
    properties.finish()
    for kind, count in apart.items():
        limit = "takes objects that are a part of the thing"
        name = f"objects of type {kind!r}"
        document.left_out.append(Loss(LossKind.OTHER, "", name, count, limit, READER))
    unplaced = sum(
        len(found.triangle) > 0 and found.type not in _APART and (model.name, key) not in placed
        for model in package.models.values()
        for key, found in model.objects.items()
    )
    if unplaced:
        limit, name = "does not place them in its build", "meshes outside the build"
        document.left_out.append(Loss(LossKind.UNREAD, "", name, unplaced, limit, "the file"))
    surfaces = sum(o.type == "surface" for m in package.models.values() for o in m.objects.values())
    if surfaces:
        many = "objects are surfaces" if surfaces > 1 else "object is a surface"
        document.remarks.append(f"{surfaces} {many} by the file, not solid")
    settings = [n for n in package.archive.names() if n.lower().endswith(_SETTINGS)]
    if settings:
        document.remarks.append(f"settings of a slicer are left aside: {', '.join(settings[:5])}")
    if root.unprinted:
        many = "objects are" if root.unprinted > 1 else "object is"
        document.remarks.append(f"{root.unprinted} {many} not to be printed by the file")
    others = sorted({m.unit for m in package.models.values() if m.objects} - {root.unit})
    if others:
        document.remarks.append(
            f"models of the package say {', '.join(others)}, and are read in the {root.unit} of "
            f"the first"
        )
    for model in package.models.values():
        for label, count in model.beyond.items():
            limit = "does not read it" if "painted" in label else "takes triangles only"
            what = LossKind.UNREAD if label in _SOLID else LossKind.OTHER
            loss = Loss(what, name=label, count=count, limit=limit, holder=READER)
            document.left_out.append(loss)
    return document


def _place(
    package: _Package,
    root: _Reader,
    document: Document,
    properties: Properties,
    placed: set[_Key],
    *,
    without: tuple[str, ...],
) -> Counter[str]:
    """Takes the parts that the build places, but for objects of the types `without`; how many of
    each these were.

    Args:
        placed: takes the objects that the build names.
    """
    items = root.items or [((root.name, key), np.eye(4)) for key in _roots(root)]
    pending: list[tuple[_Key, np.ndarray, tuple[_Key, ...], str]] = [
        (key, matrix, (), "") for key, matrix in reversed(items)
    ]
    left: Counter[str] = Counter()
    total = 0
    while pending:
        key, matrix, trail, name = pending.pop()
        model = package.model(key[0])
        key = (model.name, key[1])
        if key[1] not in model.objects:
            raise ValueError(f"it names the object {key[1]!r}, which is not there")
        if key in trail or len(trail) > 100:
            raise ValueError(f"the object {key[1]!r} is a component of itself")
        found = model.objects[key[1]]
        placed.add(key)
        if found.type in without:
            left[found.type] += 1
            continue
        total += len(found.x) // 3 + 1
        if total > MOST_VERTICES:
            raise ValueError(f"it repeats objects to more than {MOST_VERTICES:,} vertices")
        name = found.name or name
        if len(found.x) or len(found.triangle):
            part = _part(found, matrix, name)
            document.parts.append(part)
            properties.model(model.name, model.groups, model.textures)
            table = np.array(found.property_of, np.int64).reshape(-1, 4)
            properties.apply(part, model.name, list(model.codes), table)
        below = (*trail, key)
        pending += [(k, matrix @ m, below, name) for k, m in reversed(found.components)]
    return left


def _roots(reader: _Reader) -> list[str]:
    inner = {key for found in reader.objects.values() for (_, key), _ in found.components}
    return [key for key in reader.objects if key not in inner]


def _part(found: _Object, matrix: np.ndarray, name: str) -> Part:
    vertices = np.array(found.x, np.float64).reshape(-1, 3)
    faces = np.array(found.triangle, np.int64).reshape(-1, 3)
    part = Part.triangles(vertices, faces, name=name)
    part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
    return part
