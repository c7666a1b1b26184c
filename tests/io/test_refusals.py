"""Input that is not what it says, and files that are not there or must not be lost."""

import struct

import pytest

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.io import FileFormatError

SUFFIXES = [".obj", ".ply", ".stl", ".off", ".glb", ".gltf"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncations_are_refused_or_whole(suffix, tmp_path):
    """Cut anywhere: an error of one sentence, or for text a mesh of whole lines."""
    ml.save(shapes.torus(), tmp_path / f"whole{suffix}")
    data = (tmp_path / f"whole{suffix}").read_bytes()
    refused = 0
    for tenth in range(1, 10):
        path = tmp_path / f"cut{suffix}"
        path.write_bytes(data[: len(data) * tenth // 10])
        try:
            ml.load(path)
        except FileFormatError as error:
            assert "\n" not in str(error) and str(path) in str(error)
            refused += 1
    assert refused == 9 or (suffix == ".obj" and refused >= 1)


def ply_head(vertices=3, faces=1, form="ascii"):
    return (
        f"ply\nformat {form} 1.0\nelement vertex {vertices}\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {faces}\nproperty list uchar int vertex_indices\n"
        "end_header\n"
    ).encode()


HOSTILE = {
    "empty.obj": (b"", "the file is empty"),
    "lying.ply": (ply_head(4_000_000_000) + b"0 0 0\n", "promises 4000000000"),
    "lying2.ply": (ply_head(3, 10**18, "binary_little_endian") + bytes(40), "promises"),
    "list.ply": (
        ply_head(1, 1, "binary_little_endian").replace(b"uchar int", b"uint int")
        + bytes(12)
        + b"\xff\xff\xff\xff",
        "promises",
    ),
    "negative.ply": (ply_head() + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n", "names vertex -1"),
    "range.ply": (
        ply_head() + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n",
        "names vertex 3, expected 0 to 2",
    ),
    "word.ply": (ply_head() + b"0 0 0\n1 0 zero\n", "line 2: expected a number"),
    "head.ply": (b"ply\nformat ascii 1.0\nelement vertex many\nend_header\n", "not a legal line"),
    "open.ply": (b"ply\nformat ascii 1.0\n", "expected a line 'end_header'"),
    "type.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty real x\nend_header\n",
        "legal",
    ),
    "range.obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "names vertex 3, expected 0 to 2"),
    "zero.obj": (b"v 0 0 0\nf 0 1 1\n", "line 2"),
    "relative.obj": (b"v 0 0 0\nf -1 -2 -1\n", "relative index|line 2"),
    "word.obj": (b"v 0 0 0\nv a b c\n", "line 2"),
    "binary.obj": (bytes(200), "got binary data"),
    "lying.stl": (b"x" * 80 + struct.pack("<I", 1 << 31) + bytes(50), "promises 2147483648"),
    "short.stl": (b"solid\nfacet\nvertex 0 0 0\nendsolid\n", "3 vertices a facet"),
    "cut.stl": (b"solid a\nfacet normal 0 0 1\n", "3 vertices a facet"),
    "lying.off": (b"OFF\n4000000000 1 0\n0 0 0\n", "promises 4000000000 vertices"),
    "short.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n9 0 1 2\n", "face 0 promises 9 corners"),
    "range.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -2\n", "names vertex -2"),
    "head.off": (b"PLY\n", "expected 'OFF'"),
    "bad.glb": (b"glTF" + struct.pack("<II", 2, 10**9) + bytes(20), "promises 1000000000 bytes"),
    "json.gltf": (b"{", "expected the JSON"),
    "deep.gltf": (b"[" * 100_000, "expected the JSON"),
    "version.gltf": (b'{"asset": {"version": "1.0"}}', "expected glTF version 2"),
    "cycle.gltf": (
        b'{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"children":[0]}]}',
        "its own ancestor",
    ),
    "outside.gltf": (
        b'{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],"meshes":'
        b'[{"primitives":[{"attributes":{"POSITION":0}}]}],"accessors":[{"bufferView":0,'
        b'"componentType":5126,"type":"VEC3","count":1}],"bufferViews":[{"buffer":0,"byteLength":12}],'
        b'"buffers":[{"uri":"../secret.bin","byteLength":12}]}',
        "outside its folder",
    ),
    "huge.gltf": (
        b'{"asset":{"version":"2.0"},"scenes":[{"nodes":[0]}],"nodes":[{"mesh":0}],"meshes":'
        b'[{"primitives":[{"attributes":{"POSITION":0}}]}],"accessors":[{"componentType":5126,'
        b'"type":"VEC3","count":4000000000}]}',
        "promises 4000000000 entries",
    ),
    "what.xyzzy": (b"hello", "expected a mesh file by its extension"),
    "none": (b"hello", "no extension"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_files_get_one_sentence(name, tmp_path):
    data, message = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=message) as caught:
        ml.load(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(FileFormatError, match="there is no such file"):
        ml.load(tmp_path / "none.obj")
    (tmp_path / "dir.obj").mkdir()
    with pytest.raises(FileFormatError, match="got a directory"):
        ml.load(tmp_path / "dir.obj")


def test_nan_is_kept_with_a_word_or_refused(tmp_path, caplog):
    path = tmp_path / "nan.obj"
    path.write_text("v nan 0 0\nv 1 0 inf\nv 0 1 0\nf 1 2 3\n")
    mesh = ml.load(path)
    assert bool(mesh.vertices[0, 0].isnan()) and "2 of 3 vertices" in caplog.text
    with pytest.raises(FileFormatError, match="2 of 3 vertices are NaN or infinite"):
        ml.load(path, nan="refuse")
    with pytest.raises(ValueError, match="nan: expected 'keep' or 'refuse'"):
        ml.load(path, nan="drop")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ply"
    ml.save(shapes.box(), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(FileFormatError, match="No space left"):
        ml.save(shapes.torus(), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]


def test_overwrite_is_asked_for(tmp_path):
    path = tmp_path / "a.obj"
    ml.save(shapes.box(), path)
    with pytest.raises(FileFormatError, match="it exists"):
        ml.save(shapes.box(), path, overwrite=False)
    with pytest.raises(FileFormatError, match="does not exist"):
        ml.save(shapes.box(), tmp_path / "no" / "a.obj")
