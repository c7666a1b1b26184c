"""Writing glTF files, see `meshlearn.io.formats.gltf.read`."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.arrays.triangulation import triangulate
from meshlearn.io.capability import is_numeric
from meshlearn.io.color_space import to_fractions, to_whole
from meshlearn.io.document import Document, Material, Part, as_table
from meshlearn.io.even_looks import OF_CORNERS, is_texture
from meshlearn.io.formats.gltf import draco_write
from meshlearn.io.formats.gltf.buffer import INDICES, Buffer
from meshlearn.io.formats.gltf.coordinates import needed_by, needed_sets, usable
from meshlearn.io.formats.gltf.legal import EVEN, ROUND, finite, legal_part, placing_of
from meshlearn.io.formats.gltf.material import (
    IMAGE_EXTENSIONS,
    flipped_v,
    words_of,
    write_materials,
)
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.local_origins import with_local_origins
from meshlearn.io.looks import losses_of_looks
from meshlearn.io.offset import KEY, offset_of

UNIT = "has normals of length 1; others were scaled, and absent ones made from faces"


def losses(document: Document, *, compress: str | None = None) -> Iterator[Loss]:
    """What a glTF file cannot hold beyond what its `Holds` says."""
    if compress == "draco":
        yield from draco_write.losses(document)
    yield from losses_of_looks(
        (m.looks, words_of(m.looks)[1])
        for m in document.materials
        if m.looks is not None and "gltf" not in m.values
    )
    digits = "has attributes of single precision and 16 bits"
    for part in with_local_origins(document).parts:
        part, changed = legal_part(part)
        yield from changed
        for key, values in part.vertex_fields.items():
            if is_numeric(values) and values.size <= 4 * max(len(values), 1):
                yield Loss(LossKind.FIELD_DIGITS, "vertex", key, _rounded(key, values), digits)
        for key, corners in part.corner_fields.items():
            none = corners.index < 0
            if key == "normal" and none.any() and not none.all():
                limit = "has a value for every vertex, or none"
                yield Loss(LossKind.FIELD, "corner", key, len(corners.index), limit)
            elif key in OF_CORNERS and none.any() and not none.all():
                limit = "has a value for every vertex; corners without got 0, or white"
                yield Loss(LossKind.FIELD_ABSENCE, name=key, count=int(none.sum()), limit=limit)
        for values in _normals(part):
            yield Loss(LossKind.OTHER, name="lengths of normals", count=_uneven(values), limit=UNIT)
        for key, corners in usable(part).items():
            rounded = _rounded(key, corners.values)
            yield Loss(LossKind.FIELD_DIGITS, "corner", key, rounded, digits)
        limit = "has attributes of vertices; they were split at seams"
        yield Loss(LossKind.SHARED_VERTICES, count=_split_count(part), limit=limit)


def _normals(part: Part) -> list[np.ndarray]:
    """The normals of a part that are written as NORMAL."""
    corners = usable(part)
    found = [corners["normal"].values] if "normal" in corners else []
    if not found and "normal" in part.vertex_fields:
        found = [part.vertex_fields["normal"]]
    return [v for v in found if is_numeric(v) and v.shape[1:] == (3,)]


def _uneven(values: np.ndarray) -> int:
    """How many normals are not of length 1, beyond what three digits round."""
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.linalg.norm(values.astype(np.float64), axis=1)
        return int((~(np.abs(length - 1) <= ROUND)).sum())


def _unit(values: np.ndarray, position: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(N, 3) float32 normals of length 1, which glTF asks for; where there is none, or no finite
    one, that of the faces around, and where these have none, z."""
    normal = values.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        length = np.linalg.norm(normal, axis=1)
    good = np.isfinite(length) & (length > 0)
    if not good.all():
        at = position.astype(np.float64)[faces]
        with np.errstate(invalid="ignore", over="ignore"):
            across = np.nan_to_num(np.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]))
        around = np.zeros_like(normal)
        np.add.at(around, faces.reshape(-1), across.repeat(3, axis=0))
        size = np.linalg.norm(around, axis=1)
        none = ~(np.isfinite(size) & (size > 0))
        around[none], size[none] = (0, 0, 1), 1
        normal[~good], length[~good] = around[~good], size[~good]
    even = np.abs(length - 1) <= EVEN
    length[even] = 1
    return (normal / length[:, None]).astype(np.float32)


def _rounded(key: str, values: np.ndarray) -> int:
    if is_texture(key) and values.shape[1:] == (2,):  # within what single precision holds at 1
        back = flipped_v(_texture(values))
        return int((np.abs(back - values) > 2.0**-24 * np.maximum(1, np.abs(values))).sum())
    if _is_color(key, values):
        if values.dtype == np.uint8:
            return 0
        exact = to_fractions(values).astype(np.float64)
        held = to_whole(values)
        held = held / (1 if held.dtype.kind == "f" else np.iinfo(held.dtype).max)
        with np.errstate(invalid="ignore"):
            return int((np.abs(held - exact) > 1e-6).sum())
    with np.errstate(over="ignore"):
        held = _component(key, values)
    same = (held.astype(values.dtype) == values) | ((values != values) & (held != held))
    return int((~same).sum())


def _is_color(key: str, values: np.ndarray) -> bool:
    """Whether a field is written as colours, which are linear in the file."""
    good = values.dtype in (np.uint8, np.uint16) or values.dtype.kind == "f"
    return key == "color" and good and values.shape[1:] in ((3,), (4,))


def _component(key: str, values: np.ndarray) -> np.ndarray:
    """Values in a type that attributes may have."""
    if _is_color(key, values):
        return to_whole(values)
    if key in ("color", "normal", "tangent") or is_texture(key):
        return values.astype(np.float32, copy=False)
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype.kind in "iu" and values.size:
        for kind in (np.uint8, np.int8, np.uint16, np.int16):
            if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
                return values.astype(kind)
    return values.astype(np.float32, copy=False)


def _number(key: str) -> int:
    return int(key[2:] or 0)


def _texture(uv: np.ndarray) -> np.ndarray:
    """(N, 2) float32 texture coordinates as glTF has them."""
    with np.errstate(over="ignore"):
        return flipped_v(uv).astype(np.float32)


def _split_count(part: Part) -> int:
    """Vertices that become more than one, since their corners have different values."""
    fields = usable(part)
    if not fields or not len(part.polygon_index):
        return 0
    keys = np.stack([part.polygon_index, *(f.index for f in fields.values())], 1)
    vertex = np.unique(keys, axis=0)[:, 0]
    return int((np.bincount(vertex) > 1).sum())


def _unshared(part: Part, faces: np.ndarray, corner: np.ndarray | None):
    """Vertices split where corner attributes differ: faces, source vertex, attribute rows."""
    fields = usable(part)
    if not fields or not len(faces):
        return faces, None, {}
    corner = np.arange(faces.size) if corner is None else corner.reshape(-1)
    vertex = faces.reshape(-1)
    keys = np.stack([vertex, *(f.index[corner] for f in fields.values())], 1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    rows = {k: unique[:, 1 + n] for n, k in enumerate(fields)}
    source = unique[:, 0]
    unused = np.setdiff1d(np.arange(len(part.vertices)), vertex)  # kept, with the first value
    source = np.concatenate([source, unused])
    rows = {k: np.concatenate([r, np.zeros(len(unused), r.dtype)]) for k, r in rows.items()}
    return inverse.reshape(-1, 3), source, rows


def _columns(
    part: Part, faces: np.ndarray, source, rows: dict
) -> tuple[dict[str, np.ndarray], dict[str, str | bool]]:
    """Attributes of the vertices, and the names of those that have another in the file."""
    take = slice(None) if source is None else source
    corners = usable(part)
    with np.errstate(over="ignore"):
        position = part.vertices[take].astype(np.float32, copy=False)
    out = {"POSITION": position}
    names: dict[str, str | bool] = {}
    known = {"normal": "NORMAL", "uv": "TEXCOORD_0", "color": "COLOR_0", "tangent": "TANGENT"}
    widths = {"normal": (3,), "uv": (2,), "color": (3, 4), "tangent": (4,)}
    held = {*rows, *part.vertex_fields}
    sets = sorted((k for k in held if is_texture(k) and k != "uv"), key=_number)
    first = 1 if "uv" in rows or "uv" in part.vertex_fields else 0
    for number, key in enumerate(sets, 1):  # the format counts without gaps
        if _number(key) == number and first:
            known[key], widths[key] = f"TEXCOORD_{number}", (2,)
    for key in [*rows, *(k for k in part.vertex_fields if k not in rows)]:
        if key in rows:
            values = corners[key].values[rows[key]]
        else:
            values = part.vertex_fields[key][take]
        if not is_numeric(values) or values.size > 4 * len(values):
            continue
        values = as_table(values) if values.ndim > 1 else values
        width = values.shape[1] if values.ndim == 2 else 1
        with np.errstate(over="ignore"):
            column = _component(key, values)
        if width in widths.get(key, ()):
            label = known[key]
            if is_texture(key):
                column = _texture(values)
            elif key == "normal":
                column = _unit(values, position, faces)
        else:
            label = "_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in key).upper()
            while label in out:
                label += "_"
            if label.lower().lstrip("_") != key:
                names[label] = key
            if values.dtype == bool:
                names[label + "?"] = True
        out[label] = column
    return out, names


def _write_part(writer: Buffer, part: Part, sets: int) -> dict | None:
    """The mesh of a part, with so many sets of texture coordinates at least."""
    if len(part.vertices) == 0:
        return None
    corner = owner = None
    if len(part.polygon_index) == 3 * part.num_faces and (part.sizes == 3).all():
        faces = part.polygon_index.reshape(-1, 3)
    else:
        corner, owner = triangulate(part.vertices, part.polygon_start, part.polygon_index)
        faces = part.polygon_index[corner]
    faces, source, rows = _unshared(part, faces, corner)
    columns, names = _columns(part, faces, source, rows)
    for number in range(sets):
        if f"TEXCOORD_{number}" not in columns:  # where a texture without any is looked up
            columns[f"TEXCOORD_{number}"] = np.zeros((len(columns["POSITION"]), 2), np.float32)
            names[f"TEXCOORD_{number}"] = ""
    kind = np.uint16 if len(part.vertices if source is None else source) <= 65535 else np.uint32
    first: dict[int, int] = {}  # new vertex of an old one, for lines and points
    if source is not None and (part.lines or len(part.points)):
        first = {int(old): new for new, old in reversed(list(enumerate(source.tolist())))}

    def index(values: np.ndarray) -> int:
        if first:
            values = np.array([first[int(v)] for v in values.reshape(-1)], np.int64)
        return writer.add(values.reshape(-1).astype(kind), INDICES)

    attributes: dict[str, int] = {}

    def vertices() -> dict[str, int]:
        if not attributes:
            attributes.update({k: writer.add_attribute(k, v) for k, v in columns.items()})
        return attributes

    def triangles(corners: np.ndarray) -> dict:
        if writer.compress == "draco":
            return draco_write.primitive(writer, columns, corners, names)
        place = writer.add(corners.reshape(-1).astype(kind), INDICES, triangles=True)
        return {"attributes": vertices(), "indices": place}

    primitives: list[dict] = []
    material = part.face_fields.get("material")
    if len(faces) and material is None:
        primitives.append(triangles(faces))
    elif len(faces):
        label = np.asarray(material) if owner is None else np.asarray(material)[owner]
        for number in np.unique(label).tolist():
            primitives.append(triangles(faces[label == number]))
            if number >= 0:
                primitives[-1]["material"] = int(number)
    if part.lines:
        if all(len(line) == 2 for line in part.lines):
            runs, mode = [np.concatenate(part.lines)], 1
        else:
            runs, mode = part.lines, 3
        for run in runs:
            entry = {"attributes": vertices(), "indices": index(run), "mode": mode}
            primitives.append(entry)
    if len(part.points):
        primitives.append({"attributes": vertices(), "indices": index(part.points), "mode": 0})
    if not primitives:  # vertices that nothing names
        primitives = [{"attributes": vertices(), "mode": 0, "extras": {"unused": True}}]
    if names:
        primitives[0].setdefault("extras", {})["names"] = names
    return (
        {"name": part.name, "primitives": primitives} if part.name else {"primitives": primitives}
    )


def write(document: Document, path: Path, *, compress: str | None = None) -> bytes:
    """A GLB (or .gltf with its data inside) of one scene; polygons are triangulated.

    Args:
        compress: "meshopt", which rounds nothing, or "draco", which does and orders anew.
    """
    return b"".join(pieces(document, path, compress=compress)[path.name])


def _extensions(value: object) -> set[str]:
    """Names of the extensions that are used anywhere in a value of JSON."""
    if isinstance(value, list):
        return set().union(*map(_extensions, value))
    if not isinstance(value, dict):
        return set()
    own = value.get("extensions")
    found = set(own) if isinstance(own, dict) else set()
    return found.union(*map(_extensions, value.values()))


def _kept_asset(document: Document) -> dict:
    """What a file says of itself and goes along: copyright and extras."""
    said = finite(document.metadata.get("asset"))
    said = said if isinstance(said, dict) else {}
    kept = {k: v for k, v in said.items() if k in ("copyright", "extras")}
    if not isinstance(kept.get("copyright", ""), str):
        del kept["copyright"]
    offset = offset_of(document)
    if offset is not None:
        extras = kept.get("extras")
        kept["extras"] = {**(extras if isinstance(extras, dict) else {}), KEY: list(offset)}
    return kept


def pieces(
    document: Document, path: Path, *, compress: str | None = None
) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    document = with_local_origins(document)
    writer = Buffer(compress)
    meshes: list[dict] = []
    nodes: list[dict] = []
    needed = needed_sets(document)
    for part in document.parts:
        part = legal_part(part)[0]
        mesh = _write_part(writer, part, needed_by(part, needed))
        if mesh is None:
            continue
        node: dict = {"mesh": len(meshes)}
        if part.name:
            node["name"] = part.name
        if part.transform is not None:
            node |= placing_of(part.transform) or {}
        meshes.append(mesh)
        nodes.append(node)
    scene = {"nodes": list(range(len(nodes)))} if nodes else {}
    asset = {"version": "2.0", "generator": "meshlearn", **_kept_asset(document)}
    body: dict = {"asset": asset, "scene": 0, "scenes": [scene]}
    used = max((p.get("material", -1) for m in meshes for p in m["primitives"]), default=-1)
    materials = list(document.materials)
    materials += [Material(f"material {k}") for k in range(len(materials), used + 1)]
    if materials:
        body |= write_materials(materials, document.images, writer.view)
    extensions = sorted(_extensions([body.get("materials", []), body.get("textures", [])]))
    required = [name for name in IMAGE_EXTENSIONS.values() if name in extensions]
    required = sorted([*required, *writer.extensions])
    extensions = sorted({*extensions, *required})
    if extensions:
        body["extensionsUsed"] = extensions
    if required:  # without a second image of another type
        body["extensionsRequired"] = required
    if nodes:
        body |= {"nodes": nodes, "meshes": meshes, "accessors": writer.accessors}
    if writer.views:
        body |= {"bufferViews": writer.views, "buffers": writer.buffers()}
    if path.suffix.lower() == ".gltf":
        if writer.views:
            data = base64.b64encode(b"".join(writer.pieces)).decode()
            body["buffers"][0]["uri"] = "data:application/octet-stream;base64," + data
        return {path.name: [json.dumps(body, indent=1).encode()]}
    text = json.dumps(body, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + (8 + writer.size if writer.size else 0)
    out: list[bytes | memoryview] = [struct.pack("<III", 0x46546C67, 2, total)]
    out += [struct.pack("<II", len(text), 0x4E4F534A), text]
    if writer.size:
        out += [struct.pack("<II", writer.size, 0x004E4942), *writer.pieces]
    return {path.name: out}
