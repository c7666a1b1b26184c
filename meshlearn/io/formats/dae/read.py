"""COLLADA (.dae), read only: meshes with indexed attributes, placed by the nodes of the scene."""

from __future__ import annotations

import math
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.resolver import take_image
from meshlearn.io.xml import parse

MOST_VERTICES = 1 << 26  # of geometries that nodes place again and again
_COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")
_UNITS = {0.001: "mm", 0.01: "cm", 0.1: "dm", 1.0: "m", 1000.0: "km", 0.0254: "in", 0.3048: "ft"}
_SEMANTICS = {"NORMAL": "normal", "TEXCOORD": "uv", "COLOR": "color", "TANGENT": "tangent"}


class _File:
    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        try:
            self.root = parse(data)
        except ValueError as error:
            raise self.error(str(error)) from None
        if self.root.tag != "COLLADA":
            raise self.error(f"expected COLLADA, got {self.root.tag!r}")
        self.commas = 0  # arrays whose decimals are written with a comma
        self.ids = {e.get("id"): e for e in self.root.iter() if e.get("id")}

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def target(self, reference: str | None) -> Element:
        """What "#id" names."""
        if reference is None or not reference.startswith("#"):
            raise self.error(f"it names {reference!r}, which is outside the file")
        found = self.ids.get(unquote(reference[1:]))
        if found is None:
            raise self.error(f"it names {reference!r}, which is not there")
        return found

    def numbers(self, entry: Element | None, whole: bool = False) -> np.ndarray:
        words = (entry.text or "").split() if entry is not None else []
        try:
            if whole:
                return np.array([int(w) for w in words], np.int64)
            if words and entry is not None and "," in (entry.text or ""):
                words = self._without_commas(words)
            return np.array([float(w) for w in words], np.float64)
        except (ValueError, OverflowError):
            raise self.error("expected numbers in an array") from None

    def _without_commas(self, words: list[str]) -> list[str]:
        """Numbers with a comma for the decimal point, as some programs write them."""
        good = all(_COMMA.fullmatch(word) for word in words)
        if not good or any("." in word for word in words):
            raise self.error("an array has commas that are no decimal ones; expected spaces")
        self.commas += 1
        return [word.replace(",", ".") for word in words]

    def source(self, reference: str | None) -> np.ndarray:
        """(N, D) values of a source."""
        entry = self.target(reference)
        holder = entry.find("float_array")
        values = self.numbers(holder)
        accessor = entry.find("technique_common/accessor")
        stride, offset = 1, 0
        if accessor is not None:
            stride, offset = int(accessor.get("stride", "1")), int(accessor.get("offset", "0"))
            count = int(accessor.get("count", "0"))
            if stride < 1 or offset < 0 or offset + count * stride > len(values):
                raise self.error(
                    f"a source promises {count} rows of {stride}, it has {len(values)} numbers"
                )
            values = values[offset : offset + count * stride]
        return values[: len(values) // stride * stride].reshape(-1, stride)


def read(data: bytes, path: Path) -> Document:
    """Reads the visual scene: a part for each set of primitives of each placed geometry."""
    file = _File(data, path)
    document = _document(file)
    if file.commas:
        document.remarks.append(
            f"{file.commas} arrays have decimal commas (0,5), which were read as points (0.5)"
        )
    return document


def _document(file: _File) -> Document:
    document = Document()
    asset = file.root.find("asset")
    up = asset.findtext("up_axis", "Y_UP") if asset is not None else "Y_UP"
    document.up = {"X_UP": "x", "Y_UP": "y", "Z_UP": "z"}.get(up.strip().upper(), "y")
    unit = asset.find("unit") if asset is not None else None
    document.unit = _unit(file, unit.get("meter", "1") if unit is not None else "1")
    materials = _materials(file, document)
    scene = file.root.find("scene/instance_visual_scene")
    if scene is None:
        for geometry in file.root.iter("geometry"):
            _geometry(file, document, geometry, np.eye(4), {}, "")
        return document
    roots = file.target(scene.get("url")).findall("node")
    pending: list[tuple[Element, np.ndarray, tuple[Element, ...]]] = [
        (node, np.eye(4), ()) for node in reversed(roots)
    ]
    seen = 0
    while pending:
        node, above, trail = pending.pop()
        seen += 1
        if node in trail or len(trail) > 200:
            raise file.error(f"the node {node.get('id')!r} is its own ancestor")
        if seen > 1_000_000:
            raise file.error("it has more than a million nodes")
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = above @ _local(file, node)
        name = node.get("name") or node.get("id") or ""
        for entry in [*node.findall("instance_geometry"), *node.findall("instance_controller")]:
            found = file.target(entry.get("url"))
            if found.tag == "controller":
                skin = found.find("skin")
                found = file.target(skin.get("source") if skin is not None else None)
            bound = {
                b.get("symbol", ""): materials.get((b.get("target") or "#")[1:], -1)
                for b in entry.iter("instance_material")
            }
            _geometry(file, document, found, matrix, bound, name)
        below = (*trail, node)
        children = [*node.findall("node")]
        children += [file.target(e.get("url")) for e in node.findall("instance_node")]
        pending += [(child, matrix, below) for child in reversed(children)]
    return document


def _unit(file: _File, text: str) -> str:
    """The unit of so many metres: by its name, or as a factor such as "0.3 m"."""
    try:
        metre = float(text.strip().replace(",", "."))
    except ValueError:
        metre = math.nan
    if not 0 < metre < math.inf:
        raise file.error(f"expected metres of its unit above 0, got {text[:20]!r}")
    named = next((name for size, name in _UNITS.items() if abs(metre / size - 1) < 1e-6), None)
    return named or f"{metre!r} m"


def _local(file: _File, node: Element) -> np.ndarray:
    """The product of a node's transforms, in their order."""
    out = np.eye(4)
    for entry in node:
        if entry.tag not in ("matrix", "translate", "rotate", "scale"):
            continue
        values = file.numbers(entry)
        wanted = {"matrix": 16, "translate": 3, "rotate": 4, "scale": 3}[entry.tag]
        if len(values) != wanted:
            raise file.error(f"expected {wanted} numbers of <{entry.tag}>, got {len(values)}")
        step = np.eye(4)
        if entry.tag == "matrix":
            step = values.reshape(4, 4)
        elif entry.tag == "translate":
            step[:3, 3] = values
        elif entry.tag == "scale":
            step[[0, 1, 2], [0, 1, 2]] = values
        else:
            step[:3, :3] = _turn(values[:3], np.radians(values[3]))
        out = out @ step
    return out


def _turn(axis: np.ndarray, angle: float) -> np.ndarray:
    length = np.linalg.norm(axis)
    if not length > 0:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _materials(file: _File, document: Document) -> dict[str, int]:
    """Takes the materials; their numbers by id."""
    places = {}
    for entry in file.root.iter("material"):
        material = Material(entry.get("name") or entry.get("id") or "")
        places[entry.get("id", "")] = len(document.materials)
        document.materials.append(material)
        effect = entry.find("instance_effect")
        found = (
            file.ids.get(unquote((effect.get("url") or "#")[1:])) if effect is not None else None
        )
        diffuse = found.find(".//diffuse") if found is not None else None
        if diffuse is None or found is None:
            continue
        colour = file.numbers(diffuse.find("color"))
        if len(colour) in (3, 4):
            material.values["base_color"] = [*colour.tolist(), 1.0][:4]
        texture = diffuse.find("texture")
        if texture is not None:
            name = _image_name(file, found, texture.get("texture", ""))
            if name:
                material.values["base_texture"] = take_image(document, file.path, name)
    return places


def _image_name(file: _File, effect: Element, label: str) -> str:
    """The file of a texture, through its sampler and surface."""
    params = {p.get("sid"): p for p in effect.iter("newparam")}
    for _ in range(4):
        param = params.get(label)
        if param is None:
            break
        label = (param.findtext(".//source") or param.findtext(".//init_from") or "").strip()
    image = file.ids.get(label)
    if image is None:
        return ""
    init = image.find("init_from")
    text = (init.findtext("ref") or init.text or "") if init is not None else ""
    return unquote(text.strip()).removeprefix("./")


def _geometry(
    file: _File,
    document: Document,
    geometry: Element,
    matrix: np.ndarray,
    bound: dict[str, int],
    name: str,
) -> None:
    mesh = geometry.find("mesh")
    if mesh is None:
        return
    for entry in mesh:
        if entry.tag in (
            "triangles",
            "polylist",
            "polygons",
            "tristrips",
            "trifans",
            "lines",
            "linestrips",
        ):
            part = _primitives(file, mesh, entry)
            part.name = name or geometry.get("name") or ""
            part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
            number = bound.get(entry.get("material", ""), -1)
            if number >= 0 and part.num_faces:
                part.face_fields["material"] = np.full(part.num_faces, number, np.int32)
            document.parts.append(part)
    if sum(len(p.vertices) for p in document.parts) > MOST_VERTICES:
        raise file.error(f"its nodes repeat geometries to more than {MOST_VERTICES:,} vertices")


def _primitives(file: _File, mesh: Element, entry: Element) -> Part:
    inputs = [
        (int(i.get("offset", "0")), i.get("semantic", ""), i.get("source"), int(i.get("set", "0")))
        for i in entry.findall("input")
    ]
    stride = max((offset for offset, *_ in inputs), default=0) + 1
    if not 0 < stride <= 1024 or min((offset for offset, *_ in inputs), default=0) < 0:
        raise file.error(f"an input has the offset {stride - 1}")
    groups = [file.numbers(p, whole=True) for p in entry.findall("p")]
    groups += [file.numbers(p, whole=True) for p in entry.findall("ph/p")]
    for group in groups:
        if len(group) % stride:
            raise file.error(f"{len(group)} indices of <{entry.tag}> are not rows of {stride}")
    rows = [group.reshape(-1, stride) for group in groups]
    table = np.concatenate([*rows, np.zeros((0, stride), np.int64)])
    corners, start = _corners(file, entry, rows, table)
    table = table[corners]
    part = Part()
    fields: dict[str, CornerField] = {}
    vertex_of: np.ndarray | None = None
    for offset, semantic, source, number in inputs:
        if semantic == "VERTEX":
            vertex_of = table[:, offset]
            for inner in file.target(source).findall("input"):
                values = file.source(inner.get("source"))
                label = inner.get("semantic", "")
                if label == "POSITION":
                    part.vertices = values[:, :3] if values.shape[1] >= 3 else np.zeros((0, 3))
                elif label in _SEMANTICS:
                    part.vertex_fields[_SEMANTICS[label]] = values
        elif semantic in _SEMANTICS:
            label = _SEMANTICS[semantic]
            if label in fields:
                label = f"{label}_{number}"
            fields[label] = CornerField(file.source(source), table[:, offset].copy())
    if vertex_of is None:
        raise file.error(f"expected an input VERTEX of <{entry.tag}>")
    part.vertices = np.ascontiguousarray(part.vertices)
    for label, values in list(part.vertex_fields.items()):
        if len(values) != len(part.vertices):
            del part.vertex_fields[label]
    if entry.tag in ("lines", "linestrips"):
        part.lines = np.split(vertex_of, start[1:-1]) if len(start) > 1 else []
        return part
    part.polygon_start, part.polygon_index = start, vertex_of.copy()
    part.corner_fields = fields
    return part


def _corners(file: _File, entry: Element, rows: list[np.ndarray], table: np.ndarray):
    """Which rows of the indices are corners, in order, and where each polygon begins."""
    total = len(table)
    every = np.arange(total)
    if entry.tag in ("triangles", "lines"):
        size = 3 if entry.tag == "triangles" else 2
        count = total // size
        return every[: count * size], np.arange(count + 1, dtype=np.int64) * size
    if entry.tag == "polylist":
        sizes = file.numbers(entry.find("vcount"), whole=True)
        if (sizes < 0).any() or int(sizes.sum()) != total:
            raise file.error(f"<vcount> promises {int(sizes.sum())} corners, <p> has {total}")
    elif entry.tag in ("polygons", "linestrips"):
        sizes = np.array([len(r) for r in rows], np.int64)
    else:
        found, base = [], 0
        for run in rows:
            for k in range(len(run) - 2):
                if entry.tag == "trifans":
                    found.append([base, base + k + 1, base + k + 2])
                else:
                    swap = k % 2
                    found.append([base + k + swap, base + k + 1 - swap, base + k + 2])
            base += len(run)
        corners = np.array(found, np.int64).reshape(-1)
        return corners, np.arange(len(found) + 1, dtype=np.int64) * 3
    return every, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
