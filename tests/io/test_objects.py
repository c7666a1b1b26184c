"""Objects of OBJ files: parts where each has its own vertices, labels of faces elsewhere."""

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Part
from meshlearn.io.files import encode
from meshlearn.io.formats.obj import read as obj
from tests.io.samples import POINTS_ONLY, WRITTEN, documents, parameters, part_of

TEXT = """o A
v 0 0 0
v 1 0 0
v 0 1 0
v 7 7 7
vt 0 0
vt 1 0
g one
usemtl r
f 1/1 2/2 3/1
o B
v 0 0 1
v 1 0 1
v 0 1 1
vn 0 0 1
g two
f 5//1 6//1 7//1
l 5 6
o C
v 5 5 5
p -1
"""


def read(text: str) -> mio.Document:
    return mio.read_document(bytearray(text.encode()), "a.obj")


def test_objects_with_vertices_of_their_own_are_parts():
    document = read(TEXT)
    a, b, c = document.parts
    assert [p.name for p in document.parts] == ["A", "B", "C"]
    assert "object" not in document.metadata and "object" not in a.face_fields
    assert len(a.vertices) == 4  # the unused one stays with its object
    assert a.polygon_index.tolist() == b.polygon_index.tolist() == [0, 1, 2]
    assert a.corner_fields["uv"].index.tolist() == [0, 1, 0]
    assert b.corner_fields["normal"].values.tolist() == [[0, 0, 1]]
    assert (a.groups, b.groups) == (["one"], ["two"]) and b.face_fields["group"].tolist() == [0]
    assert [line.tolist() for line in b.lines] == [[0, 1]] and c.points.tolist() == [0]
    assert document.materials[a.face_fields["material"][0]].name == "r"
    again = encode(document, "b.obj")["b.obj"]
    assert encode(read(again.decode()), "b.obj")["b.obj"] == again


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f 5//1 6//1 7//1", "f 5 6 1"),  # a face of B has a vertex of A
        ("l 5 6", "l 1 6"),
        ("o A", "v 9 9 9\no A"),  # before the first object, and nobody's
        ("v 1 0 0", "v\t1 0 0"),  # where it stands is not looked for with care
    ],
)
def test_shared_vertices_keep_objects_as_labels(old, new):
    changed = TEXT.replace(old, new)
    assert changed != TEXT
    document = read(changed)
    (part,) = document.parts
    assert document.metadata["object"][:2] == ["A", "B"]
    assert part.face_fields["object"].tolist() == [0, 1]


@pytest.mark.parametrize("name", ["A", "B", ""])
def test_objects_of_one_name_are_two_parts(name):
    document = read(TEXT.replace("o C", f"o {name}"))
    assert [p.name for p in document.parts] == ["A", "B", name]
    assert [p.num_faces for p in document.parts] == [1, 1, 0]
    again = read(encode(document, "b.obj")["b.obj"].decode())
    assert [p.name for p in again.parts] == ["A", "B", f"{name}_2" if name else ""]


def test_parts_and_one_part_are_the_same_mesh(monkeypatch):
    whole = TEXT.replace("v 1 0 0", "v\t1 0 0")
    assert len(read(whole).parts) == 1
    a, b = mio.to_mesh(read(TEXT), dtype=None), mio.to_mesh(read(whole), dtype=None)
    assert a.vertices.equal(b.vertices) and a.faces.equal(b.faces)
    found = read(TEXT)
    monkeypatch.setattr(obj, "HAS_COMPILED", False)
    plain = read(TEXT)
    for x, y in zip(found.parts, plain.parts, strict=True):
        assert np.array_equal(x.vertices, y.vertices)
        assert np.array_equal(x.polygon_index, y.polygon_index)


def test_coordinates_of_a_common_pool_are_shared_out():
    text = "vt 0 0\nvt 1 0\nvt 0 1\n" + TEXT.replace("vt 0 0\nvt 1 0\n", "")
    text = text.replace("f 1/1 2/2 3/1", "f 1/3 2/1 3/3").replace("f 5//1", "f 5/2/1")
    a, b, _ = read(text).parts
    uv = a.corner_fields["uv"]
    assert uv.values[uv.index].tolist() == [[0, 1], [0, 0], [0, 1]]
    uv = b.corner_fields["uv"]
    assert uv.index.tolist() == [0, -1, -1] and uv.values.tolist() == [[1, 0]]


def test_nameless_parts_stay_apart():
    document = documents()["triangle"]
    document.parts.append(part_of(document.parts[0].vertices + 1, [[0, 1, 2]]))
    again = read(encode(document, "b.obj")["b.obj"].decode())
    assert [p.name for p in again.parts] == ["", ""]
    assert [len(p.vertices) for p in again.parts] == [3, 3]


def test_a_mesh_of_parts_has_what_all_of_them_have():
    document = documents()["colours"]
    document.parts.append(documents()["vertex normals"].parts[0])
    document.parts[0].vertex_fields["heat"] = np.arange(4.0)
    document.parts[1].vertex_fields["heat"] = np.arange(4.0) + 4
    mesh = mio.to_mesh(document)
    assert mesh.vertex_attributes.keys() == {"heat", "color"} and mesh.num_faces == 4
    assert mesh.vertex_attributes["heat"].tolist() == list(range(8))
    assert mesh.vertex_attributes["color"][4:].unique().tolist() == [1]  # where it has none


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_parts_behind_one_without_faces(suffix, tmp_path):
    corners = np.eye(3, dtype=np.float32)
    bare = Part(name="bare", vertices=corners + 1)
    parts = [part_of(corners + 2 * k, [[0, 1, 2]], name=f"part {k}") for k in range(2)]
    path = tmp_path / f"x{suffix}"
    mio.save_document(Document([parts[0], bare, parts[1]]), path)
    if suffix in POINTS_ONLY:
        assert mio.load_document(path).parts
        return
    mesh = mio.load(path)
    assert mesh.num_faces == 2
    assert float(mesh.area()) == pytest.approx(2 * float(np.sqrt(3)) / 2, rel=1e-5)
    assert mesh.bounds().tolist() == [[0, 0, 0], [3, 3, 3]]


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_fields_without_rows_are_written(suffix, tmp_path):
    """As of a part without faces among others: tables of no rows, but of so many columns."""
    nothing = np.zeros(0, np.int64)
    fields = {"color": np.zeros((0, 3), np.float32), "pull": np.zeros((0, 2)), "note": nothing}
    bare = Part(
        vertices=np.zeros((0, 3), np.float32),
        vertex_fields=dict(fields),
        face_fields=dict(fields),
        corner_fields={"uv": CornerField(np.zeros((0, 2), np.float32), nothing)},
    )
    full = part_of(np.eye(3, dtype=np.float32), [[0, 1, 2]])
    for parts in ([bare], [bare, full], [full, bare]):
        path = tmp_path / f"{len(parts)}{parts[0] is bare}{suffix}"
        mio.save_document(Document(parts), path)
        assert sum(p.num_faces for p in mio.load_document(path).parts) in (len(parts) - 1, 0)
