"""A matrix of meshes against formats, and files of others."""

import json
import struct

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import io as mio
from meshlearn._compiled import HAS_COMPILED
from meshlearn.data import shapes
from meshlearn.io import CornerField, Document, Material, Part

SUFFIXES = [".obj", ".ply", ".stl", ".off", ".glb", ".gltf"]


def polygons(vertices, faces, **more) -> Document:
    start = np.concatenate([[0], np.cumsum([len(f) for f in faces])]).astype(np.int64)
    index = np.array([i for f in faces for i in f], np.int64)
    return Document(
        [Part(vertices=np.array(vertices), polygon_start=start, polygon_index=index, **more)]
    )


SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
ARROW = np.array([[0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0]], np.float64)  # concave
RING = np.array([[np.cos(a), np.sin(a), 0.25] for a in np.arange(7) * 2 * np.pi / 7])


def documents() -> dict[str, Document]:
    rng = np.random.default_rng(0)
    uv = CornerField(rng.random((5, 2)).astype(np.float32), np.array([0, 1, 2, 0, 4, 3]))
    two = [[0, 1, 2], [0, 2, 3]]
    tagged = polygons(SQUARE, two, face_fields={"material": np.array([1, 0], np.int32)})
    tagged.materials = [Material("rot"), Material("grün")]
    return {
        "empty": Document([Part()]),
        "triangle": polygons(SQUARE[:3], [[0, 1, 2]]),
        "quad": polygons(SQUARE, [[0, 1, 2, 3]]),
        "n-gon": polygons(RING, [list(range(7))]),
        "concave": polygons(ARROW, [[0, 1, 2, 3]]),
        "mixed": polygons(np.concatenate([RING, SQUARE + 2]), [list(range(7)), [7, 8, 9]]),
        "double": polygons(SQUARE.astype(np.float64) / 3 + 1e-9, two),
        "tiny and huge": polygons(SQUARE * np.float32(1e-30) + np.float32(1e-38), two),
        "unused vertex": polygons(np.concatenate([SQUARE, [[9, 9, 9]]]).astype(np.float32), two),
        "indexed uv": polygons(SQUARE, two, corner_fields={"uv": uv}),
        "colours": polygons(SQUARE, two, vertex_fields={"color": rng.random((4, 3))}),
        "fields": polygons(
            SQUARE,
            two,
            vertex_fields={"heat": rng.random(4), "label": np.arange(4, dtype=np.int32)},
            face_fields={"part": np.array([3, 4], np.int32)},
        ),
        "materials": tagged,
        "unicode": polygons(SQUARE, two, name="größe 木"),
    }


def held(part: Part, suffix: str) -> np.ndarray:
    if suffix in (".stl", ".glb", ".gltf"):
        return part.vertices.astype(np.float32)
    return part.vertices


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", list(documents()))
def test_round_trip(name, suffix, tmp_path):
    document = documents()[name]
    part, path = document.parts[0], tmp_path / f"ü {name}{suffix}"
    report = mio.save_document(document, path)
    again = mio.load_document(path)
    mesh, before = mio.to_mesh(again, dtype=None), mio.to_mesh(document, dtype=None)
    if suffix in (".glb", ".gltf") and name == "unused vertex":
        assert mesh.num_vertices == 5
    assert mesh.num_faces == before.num_faces
    if suffix == ".stl":
        corners = held(part, suffix)[before.faces.numpy()].reshape(-1, 3)
        assert np.array_equal(mesh.vertices.numpy(), corners)
        return
    if name == "empty":
        assert mesh.num_vertices == 0
        return
    after = again.parts[0]
    if name != "indexed uv" or suffix not in (".glb", ".gltf"):
        expected = held(part, suffix)  # text has no precision of its own
        assert np.array_equal(after.vertices.astype(expected.dtype), expected)
    else:  # a vertex for each pair of position and coordinate
        assert after.num_faces == 2 and len(after.vertices) == 5
    if suffix in (".obj", ".ply", ".off"):
        assert np.array_equal(after.polygon_start, part.polygon_start)
        assert np.array_equal(after.polygon_index, part.polygon_index)
    lost = " ".join(report.losses)
    for kind in ("vertex_fields", "face_fields", "corner_fields"):
        for key, value in getattr(part, kind).items():
            mine = getattr(after, kind).get(key)
            if mine is None:
                kept = key in after.vertex_fields or key in lost or "material" in lost
                assert kept or (key == "uv" and suffix in (".glb", ".gltf")), (kind, key, lost)
            elif isinstance(value, CornerField):
                assert np.allclose(mine.values[mine.index], value.values[value.index])
            elif key != "material":
                mine = mine[:, : value.shape[1]] if value.ndim == 2 else mine  # opaque alpha
                assert np.allclose(mine, value)
    if name == "materials" and suffix != ".gltf" and "materials" not in lost:
        label = after.face_fields.get("material")
        if label is not None and suffix == ".obj":
            assert [again.materials[k].name for k in label] == ["grün", "rot"]
    if name == "unicode" and suffix in (".obj", ".glb", ".gltf"):
        names = after.name or again.metadata.get("object", [""])[0]
        assert names == "größe 木"


def test_ascii_ply_equals_binary(tmp_path):
    from meshlearn.io.formats.ply import write as ply

    for name, document in documents().items():
        path = tmp_path / "a.ply"
        path.write_bytes(ply.write(document, path, ascii=True))
        part, mine = document.parts[0], mio.load_document(path).parts[0]
        assert np.array_equal(mine.vertices, part.vertices), name
        assert np.array_equal(mine.polygon_index, part.polygon_index), name


def test_big_endian_ply(tmp_path):
    head = (
        "ply\nformat binary_big_endian 1.0\nelement vertex 4\nproperty double x\n"
        "property double y\nproperty double z\nelement face 2\n"
        "property list uchar ushort vertex_indices\nproperty short tag\nend_header\n"
    )
    body = ARROW.astype(">f8").tobytes()
    body += struct.pack(">B3Hh", 3, 0, 1, 2, -7) + struct.pack(">B4Hh", 4, 0, 1, 2, 3, 300)
    path = tmp_path / "big.ply"
    path.write_bytes(head.encode() + body)
    part = mio.load_document(path).parts[0]
    assert np.array_equal(part.vertices, ARROW)
    assert part.sizes.tolist() == [3, 4] and part.face_fields["tag"].tolist() == [-7, 300]


OBJ = """\ufeff# a comment
mtllib things.mtl
o first
v 0 0 0 1 0 0
v 1 0 0 0 1 0\r
v 1 1 0 0 0 1
v\t0 1 0
vt 0 0\nvt 1 0\nvt 1 1
vn 0 0 1
g lower upper
usemtl red
f 1/1/1 2/2/1 \\
  3/3/1
s off
usemtl blue
f -4//-1 -2//1 -1//1
l 1 2 3
p 4
f 1 2 3 4
"""


def check_obj(document):
    part = document.parts[0]
    assert part.sizes.tolist() == [3, 3, 4]
    assert part.polygon_index.tolist() == [0, 1, 2, 0, 2, 3, 0, 1, 2, 3]
    assert part.vertex_fields["color"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    assert part.corner_fields["uv"].index.tolist() == [0, 1, 2, *[-1] * 7]
    assert part.corner_fields["normal"].index.tolist() == [0] * 6 + [-1] * 4
    assert [document.materials[k].name for k in part.face_fields["material"]] == [
        "red",
        "blue",
        "blue",
    ]
    assert [line.tolist() for line in part.lines] == [[0, 1, 2]] and part.points.tolist() == [3]
    assert document.metadata["mtllib"] == ["things.mtl"]


def test_odd_but_legal_obj(tmp_path):
    path = tmp_path / "odd.obj"
    path.write_text(OBJ, encoding="utf-8", newline="")
    check_obj(mio.load_document(path))


@pytest.mark.skipif(not HAS_COMPILED, reason="the compiled readers are not built")
def test_plain_parsers_equal_the_native_ones(tmp_path, monkeypatch):
    from meshlearn.io import text
    from meshlearn.io.formats.obj import read as obj
    from meshlearn.io.formats.ply import read as ply
    from meshlearn.io.formats.stl import read as stl
    from meshlearn.io.formats.stl import write as stl_write

    mesh = shapes.torus(dtype=torch.float64)
    found = []
    for native in (True, False):
        for module in (obj, ply, stl, stl_write, text):
            monkeypatch.setattr(module, "HAS_COMPILED", native)
        path = tmp_path / f"odd{native}.obj"
        path.write_text(OBJ, encoding="utf-8", newline="")
        check_obj(mio.load_document(path))
        files = []
        for suffix in (".obj", ".ply", ".off"):
            path = tmp_path / f"{native}{suffix}"
            ml.save(mesh, path)
            files.append(ml.load(path, dtype=None))
        path = tmp_path / f"mixed{native}.ply"
        mio.save_document(documents()["mixed"], path)
        files.append(ml.load(path, dtype=None))
        path = tmp_path / f"{native}.stl"
        path.write_text(
            "solid a b\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n"
            "vertex 0 1e-3 0\nendloop\nendfacet\nendsolid a b\n"
        )
        files.append(ml.load(path, dtype=None))
        found.append(files)
    for a, b in zip(*found, strict=True):
        assert torch.equal(a.vertices, b.vertices) and torch.equal(a.faces, b.faces)


def test_numbers_read_as_python_reads_them(tmp_path):
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 1 << 64, 3000, dtype=np.uint64).view(np.float64)
    values = raw[np.isfinite(raw)][:2400]
    texts = [repr(float(v)) for v in values] + ["1e400", "-1e-400", "+.5", "5.", "1E5", "0.1"]
    texts += [
        "123456789012345678901234567890",
        "0.000000000000000000000000000001234567890123456789",
    ]
    texts += ["9007199254740993", "1.7976931348623157e308", "4.9e-324", "-0.0"] + ["0"] * 2
    texts = texts[: len(texts) // 3 * 3]
    path = tmp_path / "numbers.obj"
    rows = [" ".join(["v", *texts[k : k + 3]]) for k in range(0, len(texts), 3)]
    path.write_text("\n".join(rows) + "\n")
    found = mio.load_document(path).parts[0].vertices.reshape(-1)
    assert np.array_equal(found, np.array([float(t) for t in texts]))


def test_convert_keeps_polygons_and_reports_losses(tmp_path):
    mio.save_document(documents()["mixed"], tmp_path / "a.obj")
    assert not mio.convert(tmp_path / "a.obj", tmp_path / "b.ply")
    assert mio.load_document(tmp_path / "b.ply").parts[0].sizes.tolist() == [7, 3]
    report = mio.convert(tmp_path / "a.obj", tmp_path / "c.glb")
    assert "polygons of more than 3 corners" in str(report)


def test_gltf_transforms_mirrors_and_strips(tmp_path):
    corners = SQUARE.tobytes()
    body = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"children": [1], "translation": [1, 2, 3]}, {"mesh": 0, "scale": [-2, 2, 2]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 5}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 4}],
        "bufferViews": [{"buffer": 0, "byteLength": 48}],
        "buffers": [{"byteLength": 48, "uri": "a%20b.bin"}],
    }
    (tmp_path / "a b.bin").write_bytes(corners)
    path = tmp_path / "m.gltf"
    path.write_text(json.dumps(body))
    mesh = ml.load(path)
    assert mesh.num_faces == 2
    assert mesh.vertices[1].tolist() == [-1, 2, 3]
    plain = ml.Mesh(torch.from_numpy(SQUARE), torch.tensor([[0, 1, 2], [2, 1, 3]]))
    turned = mesh.face_normals()[:, 2] * plain.face_normals()[:, 2]
    assert torch.allclose(turned.abs(), torch.ones(2)) and bool((turned[0] < 0) == (turned[1] < 0))
