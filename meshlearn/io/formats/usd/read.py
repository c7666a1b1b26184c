"""USD by an extra (usd-core): meshes, points and curves of .usd, .usda, .usdc and .usdz.

Layers are opened in a process of their own (see `child`), which opens no other file: layers
and textures that they name are taken from the file's folder or below, or from its package. Schemas:
https://openusd.org/release/api/usd_geom_page_front.html.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from meshlearn.io.archive import Archive
from meshlearn.io.changes.join import reversed_corners
from meshlearn.io.changes.placement import unit_of
from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.formats.usd.child import dump, need_library
from meshlearn.io.formats.usd.fields import Rows, fields_of, rows_of
from meshlearn.io.formats.usd.looks import looks_of
from meshlearn.io.formats.usd.sets import count_sets, materials_of
from meshlearn.io.formats.usd.solids import solid
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks
from meshlearn.io.offset import take_offset_of_remarks
from meshlearn.io.resolver import find_named, leave_out, read_beside, take_image

MOST_VERTICES = 1 << 28  # of a scene that names one mesh again and again
MOST_MESHED = 1 << 24  # of solids, which take a line of the file each
_LAYERS = (".usd", ".usda", ".usdc")


def read(data: bytes, path: Path) -> Document:
    """Reads the composed stage: a part for each mesh, points and curves that is to be rendered.

    Raises:
        FileFormatError: not USD, damaged, or in need of layers in other files.
        ImportError: usd-core is not installed.
    """
    need_library()
    archive = None
    if data[:4] == b"PK\x03\x04":
        try:
            archive = Archive(bytes(data))
            names = [n for n in archive.names() if PurePosixPath(n).suffix.lower() in _LAYERS]
            layers = [(name, archive.read(name)) for name in names]
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from None
        if not layers:
            raise FileFormatError(f"{path}: it has no member that is a layer of USD")
    elif data[:8] == b"PXR-USDC" or data[:5] == b"#usda" or data[:5] == b"#sdf ":
        layers = [("", bytes(data))]
    else:
        raise FileFormatError(f"{path}: expected '#usda', 'PXR-USDC' or a zip file at its begin")
    for name, layer in layers:
        if layer[:8] != b"PXR-USDC":
            try:
                layer.decode()
            except UnicodeDecodeError as error:
                inner = f" of {name!r}" if name else ""
                raise FileFormatError(
                    f"{path}: the text{inner} is not UTF-8 at byte {error.start}"
                ) from None
    scene = dump(path, layers, lambda place: _beside(path, place, archive))
    document = Document()
    document.up = {"Y": "y", "Z": "z"}.get(scene["up"] or "")
    if isinstance(scene["unit"], (int, float)) and 0 < scene["unit"] < math.inf:
        document.unit = unit_of(scene["unit"])
    if scene["comment"]:
        document.metadata["comments"] = scene["comment"].splitlines()
        take_offset_of_remarks(document)
    if scene["custom"]:
        document.metadata["usd"] = scene["custom"]
    if scene["skipped"]:
        for kind, count in scene["skipped"].items():
            bare = kind == "Camera" or kind.endswith("Light")  # no geometry
            unread = LossKind.OTHER if bare else LossKind.UNREAD
            loss = Loss(unread, name=kind, count=count, limit="leaves it out")
            document.left_out.append(replace(loss, holder="the reader of USD"))
    solids = Counter(prim["type"] for prim in scene["prims"] if "solid" in prim)
    if solids:
        kinds = ", ".join(f"{count} {kind}" for kind, count in solids.items())
        document.remarks.append(f"solids without points of their own were meshed: {kinds}")
    if scene["moving"]:
        document.remarks.append("what moves is read as it stands first")
    if scene["posed"]:
        document.remarks.append("meshes of skeletons are posed as these stand first")
    places = {key: k for k, key in enumerate(scene["materials"])}
    first = layers[0][0]
    sets = count_sets(scene)
    for key, entry in scene["materials"].items():
        material = _material(document, entry, sets[key], path, archive, first)
        document.materials.append(material)
    groups: dict[str, Part] = {}
    meshed = 0
    for prim in scene["prims"]:
        if "solid" in prim:
            meshed += _mesh(prim, path)
            if meshed > MOST_MESHED:
                raise FileFormatError(
                    f"{path}: its solids have more than {MOST_MESHED:,} vertices as meshes"
                )
        used = list(materials_of(prim))
        prim["sets"] = sets[used[0]] if used else {}
        for key in used if prim["double_sided"] else ():
            looks = document.materials[places[key]].looks
            if looks is not None:
                looks.double_sided = True
        _add(document, prim, places, path, groups)
    return document


def _material(
    document: Document,
    entry: dict,
    sets: dict[str, int],
    path: Path,
    archive: Archive | None,
    layer: str,
) -> Material:
    """A material; the images of its textures go into the document."""
    if entry["surface"] != "UsdPreviewSurface":
        other = f"the shader {entry['surface']}"
        looks = Looks(beyond=(other,)) if entry["surface"] else None
        return Material(entry["name"], {}, looks)
    values: dict = {"usd": {"inputs": entry["inputs"], "textures": {}}}
    if entry.get("colors"):
        values["usd"]["colors"] = True
        entry["inputs"]["diffuseColor"] = [1.0, 1.0, 1.0]
    for key, texture in entry["textures"].items():
        texture = dict(texture)
        name = str(texture.get("file") or "").removeprefix("./")
        home = texture.pop("folder", "") or str(PurePosixPath(layer).parent)
        texture["file"] = _image(document, name, path, archive, home)
        number = sets[texture.pop("varname", "") or "st"]
        texture.pop("transforms", None)
        texture |= {"uv": number} if number else {}
        values["usd"]["textures"][key] = texture
    colour = entry["inputs"].get("diffuseColor")
    if isinstance(colour, list) and len(colour) == 3:
        opacity = entry["inputs"].get("opacity")
        values["base_color"] = [*colour, opacity if isinstance(opacity, float) else 1.0]
    base = values["usd"]["textures"].get("diffuseColor")
    if base is not None and base["file"]:
        values["base_texture"] = base["file"]
    beyond = list(entry["beyond"])
    for key, texture in entry["textures"].items():
        beyond += [f"second transform of {key}"] if texture.pop("transforms", False) else []
    if beyond:
        values["usd"]["beyond"] = beyond
    looks = looks_of(entry["inputs"], values["usd"]["textures"], beyond)
    return Material(entry["name"], values, looks)


def _image(document: Document, name: str, path: Path, archive: Archive | None, home: str) -> str:
    """Takes an image that a layer in the folder `home` names, and that is a member of the package
    or lies in the file's folder -> its key."""
    if not name:
        return name
    inside = os.path.normpath(os.path.join(home, name)).replace(os.sep, "/")
    if archive is None:
        found = find_named(path, inside)
        return take_image(document, path, inside if found is not None else name)
    for inner in (inside, name):
        if archive.info(inner) is not None:
            try:
                data = archive.read(inner)
            except ValueError as error:
                raise FileFormatError(f"{path}: {error}") from None
            key = name if document.images.get(name, data) == data else inner
            document.images[key] = data
            return key
    leave_out(document, name)
    return name


def _beside(path: Path, place: str, archive: Archive | None) -> bytes | None:
    """Content of a layer that another one names, in the file's folder or below."""
    try:
        data = read_beside(path, place) if archive is None else None
    except FileFormatError:
        return None
    good = data is not None and (data[:8] == b"PXR-USDC" or data[:5] in (b"#usda", b"#sdf "))
    return data if good else None


def _mesh(prim: dict, path: Path) -> int:
    """Makes a mesh of a solid, in place; the number of its vertices."""
    try:
        prim["attributes"] |= solid(prim["type"], prim["solid"])
    except ValueError as error:
        raise FileFormatError(f"{path}: {prim['path']}: {error}") from None
    prim["type"] = "Mesh"
    return len(prim["attributes"]["points"])


def _add(
    document: Document, prim: dict, places: dict[str, int], path: Path, groups: dict[str, Part]
) -> None:
    """The part of a prim; what one part had to be cut into for the file is put together."""
    where = f"{path}: {prim['path']}"
    owner = groups.get(prim["parent"]) if "group" in prim else None
    if owner is not None:
        _elements(owner, prim, where, document.left_out)
        return
    part = _part(prim, places, where, document.left_out)
    part.name = prim.get("group", prim["name"])
    matrix = np.array(prim["matrix"], np.float64).reshape(4, 4)
    part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
    document.parts.append(part)
    if "group" in prim:
        groups[prim["parent"]] = part
    if sum(len(p.vertices) for p in document.parts) > MOST_VERTICES:
        raise FileFormatError(f"{path}: it repeats meshes to more than {MOST_VERTICES:,} vertices")


def _points(prim: dict, where: str) -> np.ndarray:
    points = prim["attributes"].get("points")
    if points is None:
        return np.zeros((0, 3), np.float32)
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind != "f":
        raise FileFormatError(f"{where}: expected points (V, 3) of floats, got {points.shape}")
    return points.astype(np.float32) if points.dtype == np.float16 else points


def _whole(prim: dict, name: str, where: str) -> np.ndarray:
    values = prim["attributes"].get(name)
    if values is None:
        return np.zeros(0, np.int64)
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "iu":
        raise FileFormatError(f"{where}: expected whole numbers (N,) in {name}")
    return values.astype(np.int64)


def _starts(counts: np.ndarray, total: int, name: str, where: str) -> np.ndarray:
    if (counts < 0).any() or int(counts.sum()) != total:
        raise FileFormatError(
            f"{where}: {name} promises {int(counts.sum())} corners, there are {total}"
        )
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _part(prim: dict, places: dict[str, int], where: str, left_out: list[Loss]) -> Part:
    part = Part(vertices=_points(prim, where))
    if prim["type"] == "Mesh":
        part.polygon_index = _whole(prim, "faceVertexIndices", where)
        counts = _whole(prim, "faceVertexCounts", where)
        part.polygon_start = _starts(counts, len(part.polygon_index), "faceVertexCounts", where)
        _labels(part, prim, places, where)
        holes = _whole(prim, "holeIndices", where)
        if len(holes):
            part.face_fields["hole"] = _chosen(holes, part.num_faces, "holeIndices", where)
    elif prim["type"] == "Points":
        part.points = np.arange(len(part.vertices), dtype=np.int64)
    else:
        part.lines = _lines(prim, len(part.vertices), where)
    rows = fields_of(part, prim, where, left_out)
    for key, found in rows.items():
        _field(part, key, found, where)
    if prim["attributes"].get("orientation") == "leftHanded":
        turn = reversed_corners(part)
        part.polygon_index = part.polygon_index[turn]
        for field in part.corner_fields.values():
            field.index = field.index[turn]
    return part


def _lines(prim: dict, vertices: int, where: str) -> list[np.ndarray]:
    counts = _whole(prim, "curveVertexCounts", where)
    start = _starts(counts, vertices, "curveVertexCounts", where)
    lines = np.split(np.arange(vertices, dtype=np.int64), start[1:-1]) if len(counts) else []
    if prim["attributes"].get("wrap") == "periodic":
        lines = [np.append(line, line[:1]) for line in lines]
    return lines


def _chosen(index: np.ndarray, count: int, name: str, where: str) -> np.ndarray:
    if len(index) and (index.min() < 0 or index.max() >= count):
        raise FileFormatError(f"{where}: {name} name a face that is not there, of {count}")
    out = np.zeros(count, bool)
    out[index] = True
    return out


def _labels(part: Part, prim: dict, places: dict[str, int], where: str) -> None:
    """Materials and groups of faces."""
    material = np.full(part.num_faces, places.get(prim["material"], -1), np.int32)
    group = np.full(part.num_faces, -1, np.int32)
    for subset in prim["subsets"]:
        if subset["element"] != "face":
            continue
        index = subset["indices"]
        index = np.zeros(0, np.int64) if index is None else index.astype(np.int64).reshape(-1)
        chosen = _chosen(index, part.num_faces, f"the indices of {subset['name']!r}", where)
        if subset["material"] is not None:
            material[chosen] = places[subset["material"]]
        if subset["family"] == "materialBind":
            continue
        if (group[chosen] >= 0).any():  # faces of two groups
            part.face_fields[f"group {subset['name']}"] = chosen
            continue
        group[chosen] = len(part.groups)
        part.groups.append(subset["name"])
    if (material >= 0).any():
        part.face_fields["material"] = material
    if part.groups:
        part.face_fields["group"] = group


def _field(part: Part, key: str, rows: Rows, where: str) -> None:
    """Puts values where their interpolation says, under the name `key`."""
    values, index = rows.values, rows.index
    if rows.domain == "corner":
        corners = len(part.polygon_index)
        if index is None:
            index = np.arange(len(values), dtype=np.int64)
        if len(index) != corners:
            raise FileFormatError(f"{where}: {key!r} has {len(index)} values for {corners} corners")
        values = values if values.ndim > 1 or values.dtype.kind in "US" else values[:, None]
        part.corner_fields[key] = CornerField(values, index)
        return
    table, count = rows.table(part)
    if index is not None:
        if len(index) and (index.min() < 0 or index.max() >= len(values)):
            raise FileFormatError(f"{where}: an index of {key!r} is not among {len(values)} values")
        values = values[index]
    if rows.constant:
        values = np.repeat(values, count, axis=0)
    if len(values) != count:
        raise FileFormatError(f"{where}: {key!r} has {len(values)} values, expected {count}")
    table[key] = values


def _elements(owner: Part, prim: dict, where: str, left_out: list[Loss]) -> None:
    """Lines or points of a part whose vertices are already there."""
    index = rows_of(prim, "meshlearn:vertex")
    if index is None or index.ndim != 1 or index.dtype.kind not in "iu":
        raise FileFormatError(f"{where}: expected the numbers of its vertices")
    index = index.astype(np.int64)
    if len(index) and (index.min() < 0 or index.max() >= len(owner.vertices)):
        raise FileFormatError(f"{where}: it names a vertex that is not there")
    part = Part(vertices=_points(prim, where))
    if len(part.vertices) != len(index):
        raise FileFormatError(f"{where}: {len(index)} numbers for {len(part.vertices)} vertices")
    if prim["type"] == "BasisCurves":
        part.lines = _lines(prim, len(index), where)
        owner.lines = [index[line] for line in part.lines]
    else:
        part.points = np.arange(len(index))
        owner.points = index
    for key, found in fields_of(part, prim, where, left_out).items():
        if key != "meshlearn:vertex":
            _field(part, key, found, where)
    if prim["type"] == "BasisCurves":
        owner.line_fields = part.line_fields
    else:
        owner.point_fields = part.vertex_fields
