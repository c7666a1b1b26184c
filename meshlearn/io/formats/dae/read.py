"""COLLADA (.dae), read only: meshes with indexed attributes, placed by the nodes of the scene,
posed by their controllers, with the looks of the common profile.

Specification: COLLADA 1.4.1 and 1.5, https://www.khronos.org/collada/.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.changes.placement import unit_of
from meshlearn.io.document import Document
from meshlearn.io.formats.dae.controller import Posed, pose
from meshlearn.io.formats.dae.file import File, OutsideError
from meshlearn.io.formats.dae.material import Materials
from meshlearn.io.formats.dae.primitives import KINDS, read_primitives
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.resolver import leave_out

READER = "the reader of COLLADA"
MOST_VERTICES = 1 << 26  # of geometries that nodes place again and again
_STEPS = {"matrix": 16, "translate": 3, "rotate": 4, "scale": 3, "lookat": 9, "skew": 7}


# what stands beside the geometry and is counted only, as that of glTF is
_BESIDE = {
    "animations": "animation",
    "cameras": "camera",
    "lights": "light",
    "morph targets": "morph",
    "skins": "skin",
}


def read(data: bytes, path: Path) -> Document:
    """Reads the visual scene: a part for each set of primitives of each placed geometry."""
    file = File(data, path)
    document = _document(file)
    for name, tag in _BESIDE.items():
        count = sum(len(entry) > 0 for entry in file.root.iter(tag))
        if count:
            document.metadata[name] = count
    for (name, limit), count in file.lost.items():
        kind = LossKind.UNREAD if name.endswith("of geometries") else LossKind.OTHER
        loss = Loss(kind, name=name, count=count, limit=limit, holder=READER)
        document.left_out.append(loss)
    if file.commas:
        document.remarks.append(
            f"{file.commas} arrays have decimal commas (0,5), which were read as points (0.5)"
        )
    return document


@dataclass
class _Placed:
    """A geometry or a controller that a node instances."""

    instance: Element
    matrix: np.ndarray
    name: str


@dataclass
class _Scene:
    placed: list[_Placed] = field(default_factory=list)
    worlds: dict[Element, np.ndarray] = field(default_factory=dict)  # of nodes, the first place


def _document(file: File) -> Document:
    document = Document()
    asset = file.root.find("asset")
    up = asset.findtext("up_axis", "Y_UP") if asset is not None else "Y_UP"
    document.up = {"X_UP": "x", "Y_UP": "y", "Z_UP": "z"}.get(up.strip().upper(), "y")
    unit = asset.find("unit") if asset is not None else None
    document.unit = _unit(file, unit.get("meter", "1") if unit is not None else "1")
    materials = Materials(file, document)
    scene = file.root.find("scene/instance_visual_scene")
    if scene is None:
        for geometry in file.root.iter("geometry"):
            _geometry(file, document, Posed(geometry, []), None, np.eye(4), "", materials)
        return document
    found = _nodes(file, document, file.target(scene.get("url")))
    outside: OutsideError | None = None
    shown: set[Element] = set()
    for item in found.placed:
        try:
            if item.instance.tag == "instance_controller":
                posed = pose(file, item.instance, found.worlds)
            else:
                posed = Posed(file.target(item.instance.get("url")), [])
        except OutsideError as error:
            outside = outside or error
            leave_out(document, item.instance.get("url") or "")
            continue
        shown.add(posed.geometry)
        matrix = np.eye(4) if posed.placed else item.matrix
        _geometry(file, document, posed, item.instance, matrix, item.name, materials)
    if outside is not None and not document.parts:
        raise outside  # all that there is
    unplaced = _unplaced(file, shown)
    if unplaced:
        limit, name = "does not place them in its scene", "meshes outside the scene"
        document.left_out.append(Loss(LossKind.UNREAD, "", name, unplaced, limit, "the file"))
    return document


def _unplaced(file: File, shown: set[Element]) -> int:
    """How many geometries are neither among those that the scene shows nor shapes of a morph."""
    shapes = {
        word
        for morph in file.root.iter("morph")
        for tag in ("IDREF_array", "Name_array")
        for entry in morph.iter(tag)
        for word in (entry.text or "").split()
    }
    return sum(
        geometry not in shown and geometry.get("id") not in shapes
        for geometry in file.root.iter("geometry")
        if geometry.find("mesh") is not None
    )


def _nodes(file: File, document: Document, scene: Element) -> _Scene:
    """What the nodes of a scene instance, in order, and where each node is."""
    out = _Scene()
    pending: list[tuple[Element, np.ndarray, tuple[Element, ...]]] = [
        (node, np.eye(4), ()) for node in reversed(scene.findall("node"))
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
        out.worlds.setdefault(node, matrix)
        name = node.get("name") or node.get("id") or ""
        for tag in ("instance_geometry", "instance_controller"):
            out.placed += [_Placed(entry, matrix, name) for entry in node.findall(tag)]
        below = (*trail, node)
        children = [*node.findall("node")]
        for entry in node.findall("instance_node"):
            try:
                children.append(file.target(entry.get("url")))
            except OutsideError:
                leave_out(document, entry.get("url") or "")
        pending += [(child, matrix, below) for child in reversed(children)]
    return out


def _unit(file: File, text: str) -> str:
    """The unit of so many metres: by its name, or as a factor such as "0.3 m"."""
    try:
        metre = float(text.strip().replace(",", "."))
    except ValueError:
        metre = math.nan
    if not 0 < metre < math.inf:
        raise file.error(f"expected metres of its unit above 0, got {text[:20]!r}")
    return unit_of(metre)


def _local(file: File, node: Element) -> np.ndarray:
    """The product of a node's transforms, in their order."""
    out = np.eye(4)
    for entry in node:
        if entry.tag not in _STEPS:
            continue
        values = file.numbers(entry)
        wanted = _STEPS[entry.tag]
        if len(values) != wanted:
            raise file.error(f"expected {wanted} numbers of <{entry.tag}>, got {len(values)}")
        step = np.eye(4)
        if entry.tag == "matrix":
            step = values.reshape(4, 4)
        elif entry.tag == "translate":
            step[:3, 3] = values
        elif entry.tag == "scale":
            step[[0, 1, 2], [0, 1, 2]] = values
        elif entry.tag == "lookat":
            step = _look(values.reshape(3, 3))
        elif entry.tag == "skew":
            step[:3, :3] = _skew(values)
        else:
            step[:3, :3] = _turn(values[:3], np.radians(values[3]))
        out = out @ step
    return out


def _unit_vector(axis: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(axis)
    return axis / length if length > 0 else axis


def _turn(axis: np.ndarray, angle: float) -> np.ndarray:
    length = np.linalg.norm(axis)
    if not length > 0:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _look(said: np.ndarray) -> np.ndarray:
    """From a node that stands at `said[0]`, looks at `said[1]` along -z, and has `said[2]` up."""
    back = _unit_vector(said[0] - said[1])
    right = _unit_vector(np.cross(said[2], back))
    out = np.eye(4)
    out[:3, :3] = np.stack([right, np.cross(back, right), back], 1)
    out[:3, 3] = said[0]
    return out


def _skew(said: np.ndarray) -> np.ndarray:
    """An angle, the axis that is turned by it, and the axis along which that shears (RenderMan)."""
    angle, along = np.radians(said[0]), _unit_vector(said[4:7])
    turned = _unit_vector(said[1:4])
    across = _unit_vector(turned - (turned @ along) * along)
    height, base = turned @ across, turned @ along
    shear = np.tan(np.arctan2(base, height) + angle) - base / height if height > 0 else 0.0
    return np.eye(3) + shear * np.outer(along, across)


def _geometry(
    file: File,
    document: Document,
    posed: Posed,
    instance: Element | None,
    matrix: np.ndarray,
    name: str,
    materials: Materials,
) -> None:
    geometry = posed.geometry
    mesh = geometry.find("mesh")
    if mesh is None:
        kind = next((c.tag for c in geometry if c.tag in ("convex_mesh", "spline", "brep")), "")
        if kind:
            file.lost[f"<{kind}> of geometries", "leaves it out"] += 1
        return
    bound = _bound(instance)
    for entry in mesh:
        if entry.tag not in KINDS:
            continue
        part, sets = read_primitives(file, mesh, entry)
        for change in posed.changes:
            change(part)
        part.name = name or geometry.get("name") or ""
        part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
        symbol = entry.get("material", "")
        key, words = bound.get(symbol, (symbol, {}))
        number = materials.place(key, words, sets) if part.num_faces else -1
        if number >= 0:
            part.face_fields["material"] = np.full(part.num_faces, number, np.int32)
        document.parts.append(part)
    if sum(len(p.vertices) for p in document.parts) > MOST_VERTICES:
        raise file.error(f"its nodes repeat geometries to more than {MOST_VERTICES:,} vertices")


def _bound(instance: Element | None) -> dict[str, tuple[str, dict[str, int]]]:
    """For each symbol of a geometry: the id of its material, and the sets of texture coordinates
    that words of its textures mean."""
    out: dict[str, tuple[str, dict[str, int]]] = {}
    for entry in instance.iter("instance_material") if instance is not None else ():
        words = {}
        for bind in entry.findall("bind_vertex_input"):
            number = bind.get("input_set", "0")
            if bind.get("input_semantic") == "TEXCOORD" and number.isdecimal():
                words[bind.get("semantic", "")] = int(number)
        out[entry.get("symbol", "")] = ((entry.get("target") or "#")[1:], words)
    return out
