"""glTF 2.0, as .glb and .gltf: scene graph, primitives of all modes, sparse and packed
accessors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from meshlearn.io.color_space import from_fractions, from_whole
from meshlearn.io.document import Document, Part
from meshlearn.io.even_looks import texture_field
from meshlearn.io.formats.gltf import draco
from meshlearn.io.formats.gltf.file import COMPONENTS, File
from meshlearn.io.formats.gltf.material import flipped_v, read_images, read_material
from meshlearn.io.formats.gltf.pose import (
    copies,
    joint_matrices,
    moved,
    moves_of,
    placing,
    pose,
    unit,
)
from meshlearn.io.formats.gltf.unread import losses
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import KEY, as_offset

MOST_VERTICES = 1 << 28  # of a scene that names one mesh again and again
MOST_PARTS = 1_000_000


def _tell_cut(index: np.ndarray, size: int, left_out: list[Loss]) -> None:
    """Tells, once, of indices that are too few for one more triangle or line."""
    limit = f"names {size} vertices of each"
    name = f"indices behind the last whole {'triangle' if size == 3 else 'line'}"
    loss = Loss(LossKind.OTHER, "", name, len(index) % size, limit, "the file")
    if loss.count and loss not in left_out:
        left_out.append(loss)


def _triangles(mode: int, index: np.ndarray) -> np.ndarray:
    """(F, 3) of a list, strip or fan of vertex indices."""
    if mode == 4:
        return index[: len(index) // 3 * 3].reshape(-1, 3)
    n = max(0, len(index) - 2)
    k = np.arange(n)
    if mode == 5:
        swap = k % 2
        return index[np.stack([k + swap, k + 1 - swap, k + 2], 1)]
    return index[np.stack([np.zeros(n, np.int64), k + 1, k + 2], 1)]


def _index(file: File, entry: dict, count: int) -> np.ndarray:
    """(K,) int64 vertices that a primitive names."""
    if "indices" not in entry:
        return np.arange(count)
    values = file.accessor(entry["indices"])
    if values.dtype.kind != "u" or values.shape[1] != 1:
        raise file.error("expected indices of unsigned whole numbers")
    top = int(values.max()) if len(values) else -1
    if top >= count:
        raise file.error(f"an index names vertex {top} of {count}")
    return values[:, 0].astype(np.int64)


def _vertices(
    file: File,
    attributes: dict,
    names: dict,
    part: Part,
    *,
    given: dict[str, np.ndarray],
    moves: dict[str, np.ndarray],
) -> None:
    """Takes the attributes of vertices; those that are `given` are decoded already, and `moves` are
    added to them."""

    def values_of(key: str) -> np.ndarray:
        values = given[key] if key in given else file.accessor(attributes[key])
        return moved(file, key, values, moves[key]) if key in moves else values

    vertices = values_of("POSITION")
    if vertices.shape[1] != 3:
        raise file.error("expected POSITION of three components")
    part.vertices = np.array(vertices, np.float32)  # a copy: the file's memory is let go
    known = {"NORMAL": "normal", "COLOR_0": "color", "TEXCOORD_0": "uv", "TANGENT": "tangent"}
    for key in attributes:
        more = re.fullmatch(r"TEXCOORD_([1-9]\d*)", key)
        label = known.get(key) or names.get(key) or key.lower().lstrip("_")
        label = texture_field(int(more[1])) if more else label
        if key == "POSITION" or names.get(key) == "":  # there for other programs only
            continue
        values = values_of(key)
        if len(values) != len(vertices):
            raise file.error(f"{key} has {len(values)} entries for {len(vertices)} vertices")
        values = np.array(values[:, 0] if values.shape[1] == 1 else values)
        if key in ("NORMAL", "TANGENT") and (key in moves or _is_whole(file, attributes[key])):
            values[:, :3] = unit(values[:, :3])  # as long as bytes or 16 bits let them be
        if key == "COLOR_0" and values.shape[1:] in ((3,), (4,)) and file.linear_colors:
            entry = file.item("accessors", attributes[key])
            values = from_fractions(values) if key in moves else _colors(values, entry)
        if key.startswith("TEXCOORD_") and values.shape[1:] == (2,):
            values = flipped_v(values)
        if not isinstance(label, str) or label in part.vertex_fields:
            label = key
        part.vertex_fields[label] = values.astype(bool) if names.get(key + "?") else values


def _colors(values: np.ndarray, entry: dict) -> np.ndarray:
    """The field of an accessor's colours, which are linear; whole numbers are fractions of their
    largest."""
    kind = np.dtype(COMPONENTS.get(entry.get("componentType", -1), "<f4")).newbyteorder("=")
    if kind.kind == "f":
        return from_fractions(values)
    if kind not in (np.uint8, np.uint16):
        return values  # which no colours are
    top = 1 if values.dtype.kind == "u" else np.iinfo(kind).max
    return from_whole(np.round(values.astype(np.float64) * top).astype(kind))


def _is_whole(file: File, index: object) -> bool:
    """Whether an accessor's components are whole numbers, which fractions were rounded to."""
    return file.item("accessors", index).get("componentType") != 5126


def _part(
    file: File,
    entries: list[dict],
    name: str,
    left_out: list[Loss],
    moves: dict[str, np.ndarray],
) -> Part | None:
    """The part of primitives that share their vertices, with what morph targets add to these; None
    where they have no positions."""
    attributes = entries[0].get("attributes", {})
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        return None
    part = Part(name=name)
    extras = entries[0].get("extras")
    names = extras.get("names", {}) if isinstance(extras, dict) else {}
    said = draco.words_of(file, entries[0])
    packed = None if said is None else draco.decoded(file, said, attributes)
    given = {} if packed is None else packed.attributes
    names = names if isinstance(names, dict) else {}
    _vertices(file, attributes, names, part, given=given, moves=moves)
    faces, labels, points = [], [], []
    for entry in entries:
        mode = entry.get("mode", 4)
        if isinstance(entry.get("extras"), dict) and entry["extras"].get("unused") is True:
            continue
        if packed is not None and packed.corners is not None:
            mode = 4  # strips too are triangles there
            index = packed.corners.reshape(-1)
            if len(index) and index.max() >= len(part.vertices):
                raise file.error("its Draco data names vertices that are not there")
        else:
            index = _index(file, entry, len(part.vertices))
        if mode in (1, 4):
            _tell_cut(index, 2 if mode == 1 else 3, left_out)
        if mode in (4, 5, 6):
            faces.append(_triangles(mode, index))
            label = entry.get("material")
            if label is not None:
                file.item("materials", label)
            labels.append(-1 if label is None else label)
        elif mode == 0:
            points.append(index)
        elif mode == 1:
            part.lines += list(index[: len(index) // 2 * 2].reshape(-1, 2))
        elif mode in (2, 3):
            part.lines.append(np.append(index, index[:1]) if mode == 2 else index)
        else:
            raise file.error(f"a primitive has the unknown mode {mode!r}")
    if faces:
        part.take_triangles(faces[0] if len(faces) == 1 else np.concatenate(faces))
        if max(labels) >= 0:
            counts = list(map(len, faces))
            part.face_fields["material"] = np.repeat(np.array(labels, np.int32), counts)
    part.points = np.concatenate(points) if points else part.points
    return part


def _local(file: File, node: dict) -> np.ndarray:
    def numbers(key: str, n: int, default: list[float]) -> np.ndarray:
        values = node.get(key, default)
        if (
            not isinstance(values, list)
            or len(values) != n
            or not all(isinstance(v, (int, float)) for v in values)
        ):
            raise file.error(f"expected {n} numbers for {key!r} of a node")
        return np.array(values, np.float64)

    if "matrix" in node:
        return numbers("matrix", 16, []).reshape(4, 4).T
    turn, size = numbers("rotation", 4, [0, 0, 0, 1]), numbers("scale", 3, [1, 1, 1])
    return placing(turn[None], size[None], numbers("translation", 3, [0, 0, 0])[None])[0]


def read(data: bytes, path: Path) -> Document:
    """Reads the default scene: a part for each primitive of each node, with the node's
    transform."""
    file = File(data, path)
    document = Document(up="y", unit="m")
    document.left_out += [*file.left_out, *losses(file.json, file.without)]
    kept = {k: v for k, v in file.json["asset"].items() if k in ("copyright", "extras")}
    extras = kept.get("extras")
    offset = as_offset(extras.get(KEY)) if isinstance(extras, dict) else None
    if isinstance(extras, dict) and offset is not None:
        document.metadata[KEY] = list(offset)
        kept["extras"] = {k: v for k, v in extras.items() if k != KEY}
        kept = kept if kept["extras"] else {k: v for k, v in kept.items() if k != "extras"}
    if kept:
        document.metadata["asset"] = kept
    for key in ("animations", "skins", "cameras"):
        if file.json.get(key):
            document.metadata[key] = len(file.json[key])
    targets = _morph_targets(file.json)
    if targets:
        document.metadata["morph targets"] = targets
    names = read_images(file, document)
    for index, entry in enumerate(file.json.get("materials", [])):
        if not isinstance(entry, dict):
            raise file.error(f"expected materials[{index}] to be an object")
        document.materials.append(read_material(file, document, entry, index, names))
    nodes = file.json.get("nodes", [])
    scenes = file.json.get("scenes", [])
    if scenes:
        roots = file.item("scenes", file.json.get("scene", 0)).get("nodes", [])
    else:
        children = {c for n in nodes for c in n.get("children", [])}
        roots = [k for k in range(len(nodes)) if k not in children]
        if not nodes:
            for index in range(len(file.json.get("meshes", []))):
                _mesh_parts(file, document, index, np.eye(4), "")
    worlds: dict[int, np.ndarray] = {}
    with_mesh: list[int] = []
    hidden, told = 0, set[int]()
    pending: list[tuple[int, np.ndarray, tuple[int, ...]]] = [
        (k, np.eye(4), ()) for k in reversed(roots)
    ]
    while pending:
        index, above, trail = pending.pop()
        node = file.item("nodes", index)
        if _hidden(node):
            hidden += 1
            told |= _below(nodes, index)
            continue
        if index in trail or len(trail) > 1000:
            raise file.error(f"nodes[{index}] is its own ancestor")
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = worlds[index] = above @ _local(file, node)
        if "mesh" in node:
            with_mesh.append(index)
        if len(with_mesh) > MOST_PARTS:
            raise file.error("it has more than a million parts")
        below = (*trail, index)
        pending += [(k, matrix, below) for k in reversed(node.get("children", []))]
    if hidden:
        limit = "says that they are not to be seen"
        name = "invisible nodes"
        document.left_out.append(Loss(LossKind.UNREAD, "", name, hidden, limit, "the file"))
    _place_joints(file, worlds)
    outside = _outside(file.json, told.union(with_mesh)) if nodes else 0
    if outside:
        limit = "shows them in no scene, or in another than its first choice"
        name = "meshes outside the scene"
        document.left_out.append(Loss(LossKind.UNREAD, "", name, outside, limit, "the file"))
    for index in with_mesh:
        node = file.item("nodes", index)
        name = str(node.get("name", ""))
        _mesh_parts(file, document, node["mesh"], worlds[index], name, node=node, worlds=worlds)
    return document


def _place_joints(file: File, worlds: dict[int, np.ndarray]) -> None:
    """Adds the places of joints that the scene does not hold, or that are not to be seen: a skin
    follows them all the same."""
    nodes = file.json.get("nodes", [])
    skins = [skin for skin in file.json.get("skins", []) if isinstance(skin, dict)]
    joints = [k for skin in skins if isinstance(j := skin.get("joints"), list) for k in j]
    missing = [k for k in joints if isinstance(k, int) and k not in worlds and 0 <= k < len(nodes)]
    if not missing:
        return
    above = {c: k for k, node in enumerate(nodes) for c in node.get("children", [])}
    for joint in dict.fromkeys(missing):
        trail = [joint]
        while trail[-1] not in worlds and trail[-1] in above:
            trail.append(above[trail[-1]])
            if len(trail) > 1000:
                raise file.error(f"nodes[{joint}] is its own ancestor")
        for node in reversed(trail):
            if node not in worlds:
                at = worlds[above[node]] if node in above else np.eye(4)
                with np.errstate(over="ignore", invalid="ignore"):
                    worlds[node] = at @ _local(file, file.item("nodes", node))


def _below(nodes: list, index: int) -> set[int]:
    """A node, and all that is below it."""
    found: set[int] = set()
    pending = [index]
    while pending:
        index = pending.pop()
        if index in found or not 0 <= index < len(nodes):
            continue
        found.add(index)
        pending += nodes[index].get("children", [])
    return found


def _outside(body: dict, seen: set[int]) -> int:
    """How many nodes with a mesh are not among `seen`, and how many meshes have no node."""
    nodes, meshes = body.get("nodes", []), body.get("meshes", [])
    placed = {node["mesh"] for node in nodes if "mesh" in node}
    unseen = sum("mesh" in node and k not in seen for k, node in enumerate(nodes))
    return unseen + sum(k not in placed for k in range(len(meshes)))


def _morph_targets(body: dict) -> int:
    """How many shapes its meshes can turn into; every primitive of a mesh has the same."""
    count = 0
    for mesh in body.get("meshes", []):
        entries = mesh.get("primitives", []) if isinstance(mesh, dict) else []
        found = [e.get("targets") for e in entries if isinstance(e, dict)]
        count += max((len(t) for t in found if isinstance(t, list)), default=0)
    return count


def _hidden(node: dict) -> bool:
    """Whether a node, and what is below it, is not to be seen (KHR_node_visibility)."""
    extensions = node.get("extensions")
    said = extensions.get("KHR_node_visibility") if isinstance(extensions, dict) else None
    return isinstance(said, dict) and said.get("visible") is False


def _mesh_parts(
    file: File,
    document: Document,
    index: int,
    matrix: np.ndarray,
    name: str,
    *,
    node: dict | None = None,
    worlds: dict[int, np.ndarray] | None = None,
) -> None:
    """The parts of a mesh, at a node that places, poses or repeats it."""
    mesh, node = file.item("meshes", index), node or {}
    joints = None
    if "skin" in node:
        joints = joint_matrices(file, file.item("skins", node["skin"]), worlds or {})
    places = copies(file, node, document.left_out)
    weights = node.get("weights", mesh.get("weights", []))
    shared: dict[str, list[dict]] = {}  # primitives of the same vertices are one part
    for entry in mesh.get("primitives", []):
        alike = [entry.get("attributes", {}), entry.get("targets", [])]
        extensions = entry.get("extensions")
        if isinstance(extensions, dict):
            alike.append(extensions.get(draco.NAME, {}))
        shared.setdefault(json.dumps(alike, sort_keys=True), []).append(entry)
    for entries in shared.values():
        moves = moves_of(file, entries[0].get("targets"), weights)
        label = name or str(mesh.get("name", ""))
        part = _part(file, entries, label, document.left_out, moves)
        if part is None:
            continue
        if moves:
            _remark(document, "morph targets are applied by their default weights")
        at = [matrix]
        if joints is not None and pose(file, part, entries[0]["attributes"], joints):
            _remark(document, "skinned meshes stand as their joints do")
            at = [np.eye(4)]
            if places is not None and len(places) > 1:
                limit, what = "repeats a mesh that its joints place", "copies of skinned meshes"
                loss = Loss(LossKind.OTHER, "", what, len(places) - 1, limit, "the file")
                document.left_out.append(loss)
        elif places is not None:
            if len(places) * len(part.vertices) > MOST_VERTICES or len(places) > MOST_PARTS:
                raise file.error(f"its nodes repeat meshes to more than {MOST_VERTICES:,} vertices")
            with np.errstate(over="ignore", invalid="ignore"):
                at = [matrix @ place for place in places]
        for place in at:
            placed = None if np.array_equal(place, np.eye(4)) else place
            document.parts.append(replace(part, transform=placed))
    if sum(len(p.vertices) for p in document.parts) > MOST_VERTICES:
        raise file.error(f"its nodes repeat meshes to more than {MOST_VERTICES:,} vertices")


def _remark(document: Document, sentence: str) -> None:
    if sentence not in document.remarks:
        document.remarks.append(sentence)
