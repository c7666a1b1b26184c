"""A document as named arrays and a JSON text, exactly: what .npz and .safetensors files hold.

Arrays are those of the document, under "0/vertices", "0/vertex/heat" and so on by the number of the
part; the JSON text (in an array of bytes "meshlearn", or in the header) says the rest. Nothing is
pickled. Files of others are read where they have arrays `vertices` and perhaps `faces`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from meshlearn.io.document import (
    CornerField,
    Document,
    FileFormatError,
    Material,
    Part,
    check_part,
    check_start,
)
from meshlearn.io.looks import looks_of_plain, plain_of

KEY = "meshlearn"


def flatten(document: Document) -> tuple[str, dict[str, np.ndarray]]:
    """JSON text and arrays of a document."""
    arrays: dict[str, np.ndarray] = {}

    def keep(name: str, array: np.ndarray) -> dict:
        array = np.asarray(array)
        if array.dtype.kind in "US":  # text: in the JSON
            return {"text": array.tolist(), "kind": array.dtype.str}
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        arrays[name] = array
        return {"array": name}

    parts = []
    for number, part in enumerate(document.parts):
        at = f"{number}/"
        entry: dict = {"name": part.name, "groups": part.groups}
        for name in ("vertices", "polygon_start", "polygon_index", "points"):
            arrays[at + name] = np.asarray(getattr(part, name))
        for domain in ("vertex", "face", "line", "point"):
            table = getattr(part, f"{domain}_fields")
            entry[domain] = {k: keep(f"{at}{domain}/{k}", v) for k, v in table.items()}
        entry["corner"] = {
            k: [keep(f"{at}corner/{k}", f.values), keep(f"{at}corner_index/{k}", f.index)]
            for k, f in part.corner_fields.items()
        }
        entry["cells"] = {k: keep(f"{at}cells/{k}", v) for k, v in part.cells.items()}
        entry["cell"] = {
            k: {kind: keep(f"{at}cell/{k}/{kind}", v) for kind, v in kinds.items()}
            for k, kinds in part.cell_fields.items()
        }
        if part.lines:
            sizes = [len(line) for line in part.lines]
            arrays[at + "line_start"] = np.cumsum([0, *sizes]).astype(np.int64)
            arrays[at + "line_index"] = np.concatenate(part.lines).astype(np.int64)
        if part.transform is not None:
            arrays[at + "transform"] = np.asarray(part.transform, np.float64)
        parts.append(entry)
    for name, data in document.images.items():
        arrays[f"images/{name}"] = np.frombuffer(data, np.uint8)

    def plain(value, name: str):
        if isinstance(value, np.ndarray):
            return {"__array__": keep(name, value)}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, dict):
            return {str(k): plain(v, f"{name}/{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v, f"{name}/{k}") for k, v in enumerate(value)]
        return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)

    body = {
        "version": 1,
        "parts": parts,
        "materials": [
            {
                "name": m.name,
                "values": plain(m.values, f"materials/{k}"),
                **({} if m.looks is None else {"looks": plain_of(m.looks)}),
            }
            for k, m in enumerate(document.materials)
        ],
        "metadata": plain(document.metadata, "metadata"),
        "images": list(document.images),
        "up": document.up,
        "unit": document.unit,
    }
    return json.dumps(body, ensure_ascii=False), arrays


def _texts(path: Path, entry: dict, size: int) -> np.ndarray:
    """An array of texts, of a width that a file of `size` characters may ask for."""
    kind, values = str(entry["kind"]), entry["text"]
    found = re.fullmatch(r"[<>|]?[US]([0-9]{1,9})", kind)
    if not found or not isinstance(values, list):
        raise FileFormatError(f"{path}: expected texts of a kind such as '<U8', got {kind[:20]!r}")
    if int(found[1]) * np.array(values, object).size > 64 * size + 2**20:
        raise FileFormatError(f"{path}: its texts are too wide, {found[1]} characters each")
    return np.array(values, kind)


def restore(path: Path, text: str | None, arrays: dict[str, np.ndarray]) -> Document:
    """The document of `flatten`; or of plain arrays `vertices` and `faces`.

    Raises:
        FileFormatError: arrays that do not belong together.
    """
    if text is None:
        return _plain(path, arrays)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise FileFormatError(f"{path}: its JSON is damaged") from None
    if not isinstance(body, dict) or body.get("version") != 1:
        raise FileFormatError(f"{path}: expected a document of version 1")

    def get(name: str) -> np.ndarray:
        if name not in arrays:
            raise FileFormatError(f"{path}: it lacks the array {name!r}")
        return arrays[name]

    def field(entry: dict) -> np.ndarray:
        if "text" in entry:
            return _texts(path, entry, len(text))
        return get(entry["array"])

    def back(value):
        if isinstance(value, dict) and set(value) == {"__array__"}:
            return field(value["__array__"])
        if isinstance(value, dict):
            return {k: back(v) for k, v in value.items()}
        return [back(v) for v in value] if isinstance(value, list) else value

    document = Document(metadata=back(body["metadata"]), up=body["up"], unit=body["unit"])
    for entry in body["materials"]:
        material = Material(str(entry["name"]), back(entry["values"]))
        if "looks" in entry:
            try:
                material.looks = looks_of_plain(entry["looks"])
            except ValueError as error:
                raise FileFormatError(f"{path}: {error}") from None
        document.materials.append(material)
    for name in body["images"]:
        document.images[name] = get(f"images/{name}").astype(np.uint8).tobytes()
    for number, entry in enumerate(body["parts"]):
        at = f"{number}/"
        part = Part(name=str(entry["name"]), groups=[str(g) for g in entry["groups"]])
        part.vertices = get(at + "vertices")
        for name in ("polygon_start", "polygon_index", "points"):
            setattr(part, name, _index(path, name, get(at + name)))
        for domain in ("vertex", "face", "line", "point"):
            table = {k: field(v) for k, v in entry[domain].items()}
            setattr(part, f"{domain}_fields", table)
        for key, (values, index) in entry["corner"].items():
            part.corner_fields[key] = CornerField(field(values), _index(path, key, field(index)))
        part.cells = {k: field(v) for k, v in entry["cells"].items()}
        part.cell_fields = {
            k: {kind: field(v) for kind, v in kinds.items()} for k, kinds in entry["cell"].items()
        }
        if at + "line_start" in arrays:
            start = _index(path, "line_start", get(at + "line_start"))
            index = _index(path, "line_index", get(at + "line_index"))
            check_start(path, "line_start", start, len(index))
            part.lines = np.split(index, start[1:-1]) if len(start) > 1 else []
        if at + "transform" in arrays:
            part.transform = get(at + "transform")
        check_part(path, part)
        document.parts.append(part)
    return document


def _plain(path: Path, arrays: dict[str, np.ndarray]) -> Document:
    if "vertices" not in arrays:
        raise FileFormatError(
            f"{path}: expected arrays 'vertices' (V, 3) and 'faces' (F, 3), it holds "
            f"{', '.join(sorted(arrays)[:8]) or 'none'}"
        )
    faces = arrays.get("faces", np.zeros((0, 3), np.int64))
    if faces.ndim != 2 or faces.dtype.kind not in "iu" or faces.shape[1] < 1:
        raise FileFormatError(f"{path}: expected faces (F, 3) of whole numbers, got {faces.shape}")
    count = faces.shape[1]
    part = Part(
        vertices=np.asarray(arrays["vertices"]),
        polygon_start=np.arange(len(faces) + 1, dtype=np.int64) * count,
        polygon_index=np.ascontiguousarray(faces, dtype=np.int64).reshape(-1),
    )
    check_part(path, part)
    for key, values in arrays.items():
        if key in ("vertices", "faces") or values.ndim == 0:
            continue
        if len(values) == len(part.vertices):
            part.vertex_fields[key] = values
        elif len(values) == len(faces):
            part.face_fields[key] = values
    return Document([part])


def _index(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise FileFormatError(f"{path}: expected whole numbers (N,) in {name!r}")
    return values.astype(np.int64, copy=False)
