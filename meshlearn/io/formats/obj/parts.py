"""Objects of an OBJ file as parts, where each has vertices of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshlearn.io.document import CornerField, Part


def split_objects(
    part: Part, data: bytes | bytearray, objects: list[tuple[str, int, int]]
) -> list[Part] | None:
    """The parts that lines ``o NAME`` make of one.

    An object has the vertices that stand between its line and the next, and the faces there; None
    where a face, line or point of one names a vertex of another, where vertices stand before the
    first object and nothing there uses them: such objects stay labels of faces, and nothing is
    copied or renumbered. Two objects of one name are two parts.

    Args:
        part: all that the file has, with the label "object" of faces.
        objects: name of each object, the number of faces before its line, and the line's place.
    """
    names = [name for name, _, _ in objects]
    if not names:
        return None
    places = [place for _, _, place in objects]
    cuts = _before(data, b"v", places, len(part.vertices))
    if cuts is None:
        return None
    faces = [face for _, face, _ in objects]
    if cuts[0] or faces[0]:
        if faces[0] == 0:
            return None
        names, faces, cuts = ["", *names], [0, *faces], [0, *cuts]
    if len(names) < 2:
        return None
    faces, cuts = [*faces, part.num_faces], [*cuts, len(part.vertices)]
    owner_of_vertex = np.repeat(np.arange(len(names)), np.diff(cuts))
    owner_of_face = np.repeat(np.arange(len(names)), np.diff(faces))
    index = part.polygon_index
    if len(index) and (index.min() < 0 or index.max() >= len(part.vertices)):
        return None  # refused later, with its sentence
    if not np.array_equal(owner_of_vertex[index], np.repeat(owner_of_face, part.sizes)):
        return None
    lines = _lines(part, owner_of_vertex, len(names))
    if lines is None or (len(part.points) and not _inside(part.points, owner_of_vertex)):
        return None
    pools = {"uv": b"vt", "normal": b"vn"}
    inner = {
        key: _before(data, pools[key], places, len(field.values))
        for key, field in part.corner_fields.items()
    }
    if len(names) > len(objects):
        inner = {key: None if found is None else [0, *found] for key, found in inner.items()}
    out = []
    for number, name in enumerate(names):
        chosen = slice(faces[number], faces[number + 1])
        mine = owner_of_vertex[part.points] == number if len(part.points) else np.zeros(0, bool)
        one = _faces(part, chosen, cuts[number])
        span = slice(cuts[number], cuts[number + 1])
        one = replace(
            one,
            name=name,
            vertices=part.vertices[span],
            vertex_fields={k: v[span] for k, v in part.vertex_fields.items()},
            lines=[line - cuts[number] for line in lines[number]],
            points=part.points[mine] - cuts[number],
        )
        for key, field in one.corner_fields.items():
            found = inner[key]
            bounds = None
            if found is not None:
                bounds = (found[number], [*found, len(field.values)][number + 1])
            one.corner_fields[key] = _own_values(field, bounds)
        out.append(one)
    return out


def _before(
    data: bytes | bytearray, word: bytes, places: list[int], total: int
) -> list[int] | None:
    """How many lines "WORD ..." stand before each place; None where they are not `total` in all,
    since some are written in another way than plainly."""
    mark, out, last = b"\n" + word + b" ", [], 0
    count = int(data[: len(word) + 1] == mark[1:])
    for place in places:
        count += data.count(mark, last, place)
        out.append(count)
        last = place
    return out if count + data.count(mark, last) == total else None


def _inside(index: np.ndarray, owner: np.ndarray) -> bool:
    return bool(index.min() >= 0 and index.max() < len(owner))


def _lines(part: Part, owner: np.ndarray, count: int) -> list[list[np.ndarray]] | None:
    """The lines of each object; None where one has vertices of two."""
    out: list[list[np.ndarray]] = [[] for _ in range(count)]
    for line in part.lines:
        if not len(line) or not _inside(line, owner):
            return None
        owners = owner[line]
        if (owners != owners[0]).any():
            return None
        out[int(owners[0])].append(line)
    return out


def _faces(part: Part, chosen: slice, base: int) -> Part:
    """Polygons of a part with their fields; groups that they have none of are left."""
    first, last = part.polygon_start[chosen.start], part.polygon_start[chosen.stop]
    fields = {k: v[chosen] for k, v in part.face_fields.items() if k != "object"}
    groups: list[str] = []
    if "group" in fields:
        used, label = np.unique(fields["group"], return_inverse=True)
        groups = [part.groups[k] for k in used.tolist() if k >= 0]
        fields["group"] = (label - int((used < 0).any())).astype(np.int32).reshape(-1)
    return Part(
        polygon_start=part.polygon_start[chosen.start : chosen.stop + 1] - first,
        polygon_index=part.polygon_index[first:last] - base,
        face_fields=fields,
        corner_fields={
            k: CornerField(f.values, f.index[first:last]) for k, f in part.corner_fields.items()
        },
        groups=groups,
    )


def _own_values(field: CornerField, bounds: tuple[int, int] | None) -> CornerField:
    """The field with values of its own: those that stand with the object, else those it uses."""
    index = field.index
    if bounds is not None:
        used = index[index >= 0]
        if not len(used) or (used.min() >= bounds[0] and used.max() < bounds[1]):
            values = field.values[bounds[0] : bounds[1]]
            return CornerField(values, np.where(index < 0, index, index - bounds[0]))
    used, label = np.unique(index, return_inverse=True)
    label = label.reshape(-1) - int((used < 0).any())
    return CornerField(field.values[used[used >= 0]], label)
