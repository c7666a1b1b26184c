"""Compressed glTF: streams of meshopt by the specification's example and other programs, Draco."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from shared_data import shared_data

from meshlearn import io as mio
from meshlearn.io import FileFormatError
from meshlearn.io.formats.gltf import draco, meshopt, meshopt_write
from tests.io.gltf_scene import TRIANGLE, Scene

# filter, stride, count, a stream of meshoptimizer's encoder, and the bytes its decoder makes of it
KNOWN = [
    (
        "OCTAHEDRAL",
        4,
        9,
        (
            "oAEv/8AAGyQdFh0KFAE//8AAFBIjFhUmIxgAAgNDQ0NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAT3"
            "D4E="
        ),
        ("M44ZgT0Mbn+4V8aBXq/lf6sqVYFClxp/xkipgbqeKn9JSUmB"),
    ),
    (
        "OCTAHEDRAL",
        8,
        9,
        (
            "of+6AEJBtg55wvjdAAANEg8MDwYKAEJv3c2GiPw+AAoKEwwLFBEMAAMEAwQDBAMEAAAAAAAAAAAAAAAAAABIAkj7"
            "/wcBgAAB"
        ),
        (
            "uzbKjuYXAYDlNSwJvHP/f+6z5FgWzAGA813tq+jp/3+jqIAjjFYBgFA8CJOGHf9/FMbDTIerAYAIuMSfEyz/fwxP"
            "GkU2SQGA"
        ),
    ),
    (
        "QUATERNION",
        8,
        9,
        (
            "of+XAJjkQo5oSTiUAAIPAwgAAwISAGsJS4Eb4awFAAoJBgkOCBEUAJKznfShVjS8ATyHQAAOGxgBDSlAAAMAAAAA"
            "AAAAAAAAAAAAAAsCx/vkAP8HAAA="
        ),
        (
            "IBc00BUKB3TOJWkGOVExWxm6u1FL0JjN9Uwdu9/tm7ZZTjbgZ7JRx7zD/2yC4gQBnTRRuptMPMpLQ/JZy9aM0hhJ"
            "7z+bQ9Aw"
        ),
    ),
    (
        "EXPONENTIAL",
        12,
        9,
        (
            "od/f3wAB5OG6uYa1AAAOTlsMDwYfHAEAGQAAABIODQ4VFCEeAAHmtvNUmw9uAFg1CWVaJD5FASEIAAAAEg4NDhUU"
            "IR4AKowfIO5R6EQAGFtjZFggkzsBAYEAAAASDg0OFRQhHgAAAAAAAAAAAMwAAOyO7//spSIA7AAAAA=="
        ),
        (
            "AABMOQCQg7sAlAo8AGB5PwBoXEAA6LpAAPQ4RAAAAAAAAAAAAADMPQCgFL8AQMTAACDFQgB8XMQAAAAAAAAavABQ"
            "r70A3LE+AIAHQQCgd0IAOPFDAMBkugDUGjsA4FO6AAAYvwAA+0AAcKzC"
        ),
    ),
    (
        "COLOR",
        4,
        9,
        ("of8AGgkXGhkQIUwADwQuWTwAKyQAAEZbMC9WRxgAAy0JMBMUAwAAAAAAAAAAAAAAAAAAAAAAAAAAHAL4PwA="),
        ("mlGK/66G3+8U/zUx+xRhDBiq686+FJ59MeMQziQMtr7X19e+"),
    ),
    (
        "COLOR",
        8,
        9,
        (
            "of//AOiTQ8jZkB1WAAYCBgYGBAkTAAcA5FuYMEWOAAQBCxcPAAsJAHaMvd6n8o/2AAARFwwMFRIFACWLm3YD6AUQ"
            "AAELAgwFBAEAAAAAAAAAAAAAAAAAAADzBnAA1v3lDwEB"
        ),
        (
            "2ZiUTNiKv/wqrIiHrd5O6iETT/+jNYMxH/4xD1ZiwAeBEmqsjuw8z7u9URA5nvd+IzRt5KERfM2CJfAGa7cLvf3c"
            "XNH91Qu+"
        ),
    ),
    (
        "NONE",
        8,
        24,
        ("oampCgrQmNH+p6gADzPIeokAAAAACgNhEBQmIzNTZWVUIAAAAAAAAAAAAAAAAAAAAAAAAAkAgD8EAACAAhI="),
        (
            "CQCAPwQAAIADAIA/BQAAAA4AgD8GAAAADgCAPwYAAIAHAIA/BgAAAA8AgD8GAAAAAgCAPwYAAIADAIA/BAAAgAwA"
            "gD8FAACAAgCAPwYAAIAIAIA/BwAAgA8AgD8GAAAABQCAPwcAAIANAIA/BgAAAA0AgD8EAACADQCAPwUAAAAOAIA/"
            "BgAAAA0AgD8EAACAAQCAPwcAAIAJAIA/BQAAAA4AgD8HAACABACAPwUAAIAMAIA/BAAAgAUAgD8EAACA"
        ),
    ),
]


def streams() -> dict[str, np.ndarray]:
    """Elements (N, stride) uint8 of many kinds."""
    random, out = np.random.default_rng(0), {}
    for stride in (4, 12, 64, 256):
        for count in (1, 16, 17, 257):
            noise = random.integers(0, 256, (count, stride)).astype(np.uint8)
            steps = np.cumsum(random.integers(-2, 3, (count, stride)), 0).astype(np.uint8)
            flat = np.full((count, stride), 7, np.uint8)
            floats = np.cumsum(random.normal(size=(count, stride // 4)), 0).astype("<f4")
            for name, v in (("noise", noise), ("steps", steps), ("flat", flat)):
                out[f"{name} {stride} {count}"] = v
            out[f"floats {stride} {count}"] = floats.view(np.uint8)
    return out


def triangle_lists() -> list[np.ndarray]:
    random, k = np.random.default_rng(1), np.arange(300)
    strip = np.stack([k, k + 1, k + 2], 1)
    torn = strip.copy()
    torn[::7] = random.integers(0, 300, (len(torn[::7]), 3))
    return [
        np.array([[0, 1, 2]]), np.array([[2, 1, 0]]), np.array([[5, 0, 1], [0, 1, 2]]), strip,
        strip[:, [2, 0, 1]], torn, np.arange(900).reshape(-1, 3), random.integers(0, 99, (300, 3)),
        random.integers(0, 2**31, (50, 3)), np.zeros((4, 3), np.int64),
    ]  # fmt: skip


def test_the_specification_s_group_of_deltas():
    """Appendix A: ten bytes of 4-bit sentinel coding are sixteen deltas."""
    data = bytes.fromhex("175ff0bc77a9210034b5")
    stored = np.frombuffer(meshopt._Stream(data, 0, len(data)).group(4), np.uint8)
    found = meshopt._unzigzag(stored).astype(np.int8).tolist()
    assert found == [-1, -4, -3, 26, -91, 0, -6, 6, -4, -4, 5, -5, 1, -1, 0, 0]


@pytest.mark.parametrize(("number", "wanted"), [("7f", 0x7F), ("8104", 0x201), ("ffa005", 0x1507F)])
def test_the_specification_s_numbers(number, wanted):
    """The first two as it gives them, the third by its rule."""
    data = bytes.fromhex(number)
    assert meshopt._Stream(data, 0, len(data)).number() == wanted


@pytest.mark.parametrize(("filter", "stride", "count", "data", "wanted"), KNOWN)
def test_streams_of_another_encoder(filter, stride, count, data, wanted):
    """Attributes of both versions, every filter and kind of channel: whole numbers within one, as
    the specification allows, floats exactly."""
    stream = base64.b64decode(data)
    found = meshopt.decoded(stream, mode="ATTRIBUTES", filter=filter, count=count, stride=stride)
    kind = {"EXPONENTIAL": "<f4", "NONE": "u1"}.get(filter)
    kind = kind or ("i" if filter != "COLOR" else "u") + str(stride // 4)
    values, truth = (
        np.frombuffer(x, kind).astype(float) for x in (found, base64.b64decode(wanted))
    )
    assert np.abs(values - truth).max() <= (0 if filter in ("EXPONENTIAL", "NONE") else 1)


def test_attributes_come_back():
    for name, values in streams().items():
        found = meshopt.attributes(meshopt_write.attributes(values), *values.shape)
        assert np.array_equal(found, values), name


def same_triangles(found: np.ndarray, wanted: np.ndarray) -> bool:
    turns = [np.roll(wanted, k, 1) for k in range(3)]
    return bool(np.any([(found.reshape(-1, 3) == turn).all(1) for turn in turns], 0).all())


def test_triangles_and_indices_come_back():
    for faces in triangle_lists():
        assert same_triangles(meshopt.triangles(meshopt_write.triangles(faces), faces.size), faces)
        flat = faces.reshape(-1) % 2**28
        assert np.array_equal(meshopt.indices(meshopt_write.indices(flat), flat.size), flat)


def test_a_peer_reads_and_writes_the_same():
    peer = pytest.importorskip("meshoptimizer")
    for version in (0, 1):
        peer.encode_vertex_version(version)
        for name, values in streams().items():
            stream = bytes(peer.encode_vertex_buffer(values, *values.shape))
            assert stream[0] == 0xA0 + version
            assert np.array_equal(meshopt.attributes(stream, *values.shape), values), name
    for values in streams().values():
        found = peer.decode_vertex_buffer(*values.shape, meshopt_write.attributes(values))
        assert np.array_equal(np.asarray(found).view(np.uint8).reshape(values.shape), values)
    peer.encode_index_version(1)
    for faces in triangle_lists():
        flat = faces.reshape(-1).astype(np.uint32)
        stream = bytes(peer.encode_index_buffer(flat, flat.size, int(flat.max()) + 1))
        assert same_triangles(meshopt.triangles(stream, flat.size), faces)
        found = peer.decode_index_buffer(flat.size, 4, meshopt_write.triangles(faces))
        assert same_triangles(np.asarray(found).astype(np.int64), faces)
        stream = bytes(peer.encode_index_sequence(flat % 2**28, flat.size, 2**28))
        assert np.array_equal(meshopt.indices(stream, flat.size), flat % 2**28)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:-1], "stream"),
        (lambda d: d[:20], "ends too early"),
        (lambda d: b"\xa7" + d[1:], "version 0 or 1"),
        (lambda d: d[:1] + d, "more bytes"),
        (lambda d: b"", "expected a stream"),
    ],
)
def test_damaged_streams_are_refused(change, message):
    values = np.arange(96, dtype=np.uint8).reshape(-1, 4) * 37
    with pytest.raises(ValueError, match=message):
        meshopt.attributes(change(meshopt_write.attributes(values)), *values.shape)
    faces = np.random.default_rng(2).integers(0, 9, (20, 3))
    for decode, data in (
        (meshopt.triangles, meshopt_write.triangles(faces)),
        (meshopt.indices, meshopt_write.indices(faces.reshape(-1))),
    ):
        for cut in range(0, len(data) - 1):
            with pytest.raises(ValueError, match="stream"):
                decode(data[:cut], faces.size)


def test_a_count_that_lies_makes_nothing():
    stream = meshopt_write.attributes(np.zeros((16, 4), np.uint8))
    for decode in (lambda: meshopt.attributes(stream, 10**12, 4),
                   lambda: meshopt.triangles(b"\xe1" + bytes(40), 3 * 10**12),
                   lambda: meshopt.indices(b"\xd1" + bytes(40), 10**12)):  # fmt: skip
        with pytest.raises(ValueError, match="ends too early"):
            decode()


def packed_scene(name: str) -> Scene:
    """Two triangles whose vertices and indices are compressed, with nothing beside that."""
    scene = Scene()
    corners = np.array([*TRIANGLE, [1, 1, 0.5]], "<f4")
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    streams = [
        (meshopt_write.attributes(corners.view(np.uint8)), "ATTRIBUTES", 12, 4),
        (meshopt_write.triangles(faces), "TRIANGLES", 2, 6),
    ]
    for data, mode, stride, count in streams:
        place = scene.view(data)
        size = scene.json["bufferViews"][place].pop("byteLength")
        said = {"buffer": 0, "byteOffset": scene.json["bufferViews"][place]["byteOffset"]}
        said |= {"byteLength": size, "byteStride": stride, "count": count, "mode": mode}
        scene.json["bufferViews"][place] = {
            "buffer": 1, "byteLength": stride * count, "extensions": {name: said},
        }  # fmt: skip
    scene.json["accessors"] = [
        {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"},
    ]
    scene.json["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}]
    return scene


@pytest.mark.parametrize("name", meshopt.NAMES)
def test_compressed_views_are_read_without_a_word(tmp_path, name):
    path = packed_scene(name).write(tmp_path, extensionsRequired=[name], extensionsUsed=[name])
    body = json.loads(path.read_text())
    body["buffers"].append({"byteLength": 60, "extensions": {name: {"fallback": True}}})
    path.write_text(json.dumps(body))
    document = mio.load_document(path)
    (part,) = document.parts
    assert part.vertices.tolist() == [*TRIANGLE.tolist(), [1, 1, 0.5]] and part.num_faces == 2
    assert not mio.convert(path, tmp_path / "a.glb")
    view = body["bufferViews"][0]["extensions"][name]
    for key, value, message in (
        ("count", 10**9, "ends too early"), ("mode", "WAVES", "mode 'WAVES'"),
        ("byteStride", 7, "stride"), ("filter", "MAGIC", "MAGIC"), ("byteLength", 10**6, "ends at"),
    ):  # fmt: skip
        old = view.get(key)
        view[key] = value
        path.write_text(json.dumps(body))
        with pytest.raises(FileFormatError, match=message) as told:
            mio.load_document(path)
        assert "\n" not in str(told.value)
        view[key] = old
        if old is None:
            del view[key]


def test_normals_of_few_bits_are_made_of_unit_length(tmp_path):
    """KHR_mesh_quantization: a normal of three bytes is as long as rounding lets it be."""
    scene = Scene()
    values = np.array([[73, 73, 73, 0], [10, -126, 5, 0], [0, 0, 127, 0]])
    normal = scene.add(values, "i1")
    scene.json["accessors"][normal] |= {"type": "VEC3", "normalized": True}
    scene.json["bufferViews"][normal]["byteStride"] = 4
    scene.mesh(NORMAL=normal)
    path = scene.write(tmp_path, extensionsRequired=["KHR_mesh_quantization"])
    found = mio.load_document(path).parts[0].vertex_fields["normal"]
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert not mio.convert(path, tmp_path / "a.glb")


# --- Draco ---------------------------------------------------------------------------------------


def draco_scene(library, *, fallback: bool = False) -> Scene:
    """The triangle with colours, as Draco data alone or with plain data beside it."""
    scene = Scene()
    colors = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 51]], np.uint8)
    joints = np.array([[0, 1, 2, 3]] * 3, np.uint16)
    data = library.encode(
        TRIANGLE, np.array([[0, 1, 2]], np.uint32), preserve_order=True, colors=colors,
        tex_coord=TRIANGLE[:, :2].astype(float), generic_attributes={7: joints},
        quantization_bits=14,
    )  # fmt: skip
    numbers = {a["attribute_type"]: a["unique_id"] for a in library.decode(data).attributes}
    attributes = {"POSITION": 0, "COLOR_0": 1, "_JOINT": 2, "TEXCOORD_0": 3}
    own = {"POSITION": numbers[0], "COLOR_0": numbers[2], "_JOINT": 7, "TEXCOORD_0": numbers[3]}
    said = {"bufferView": scene.view(data), "attributes": own}
    plain = [(TRIANGLE, "f4"), (colors, "u1"), (joints, "u2"), (TRIANGLE[:, :2], "f4")]
    for values, kind in plain:
        scene.add(values, kind)
    scene.add(np.array([0, 1, 2]), "u2")
    scene.json["accessors"][1]["normalized"] = True
    if not fallback:
        for accessor in scene.json["accessors"]:
            del accessor["bufferView"]
    primitive = {"attributes": attributes, "indices": 4, "extensions": {draco.NAME: said}}
    scene.json["meshes"] = [{"primitives": [primitive]}]
    return scene


def test_draco_data_is_read(tmp_path):
    library = pytest.importorskip("DracoPy")
    path = draco_scene(library).write(tmp_path, extensionsRequired=[draco.NAME])
    document = mio.load_document(path)
    (part,) = document.parts
    fields = part.vertex_fields
    assert np.allclose(part.vertices, TRIANGLE, atol=1e-4)
    assert part.polygon_index.tolist() == [0, 1, 2]
    assert np.allclose(fields["color"][2], [0, 0, 1, 0.2], atol=1e-6)
    assert fields["joint"].dtype == np.uint16 and fields["joint"].tolist() == [[0, 1, 2, 3]] * 3
    assert np.allclose(fields["uv"], TRIANGLE[:, :2] * [1, -1] + [0, 1])
    assert not document.left_out and not mio.convert(path, tmp_path / "a.glb")


def test_damaged_draco_data_is_refused_in_a_sentence(tmp_path):
    library = pytest.importorskip("DracoPy")
    scene = draco_scene(library)
    scene.data = b"nothing " + scene.data[8:]
    with pytest.raises(FileFormatError, match="Draco data cannot be decoded") as told:
        scene.read(tmp_path, [{"mesh": 0}])
    assert "\n" not in str(told.value)
    scene = draco_scene(library)
    said = scene.json["meshes"][0]["primitives"][0]["extensions"][draco.NAME]
    said["attributes"]["COLOR_0"] = 99
    with pytest.raises(FileFormatError, match="no attribute 99"):
        scene.read(tmp_path, [{"mesh": 0}])


def test_without_the_library_the_extra_is_named_or_the_plain_data_taken(tmp_path, monkeypatch):
    library = pytest.importorskip("DracoPy")
    scenes = [draco_scene(library), draco_scene(library, fallback=True)]
    monkeypatch.setitem(__import__("sys").modules, "DracoPy", None)
    monkeypatch.setattr(draco, "installed", lambda: False)
    with pytest.raises(ImportError, match=r"pip install 'meshlearn\[draco\]'"):
        scenes[0].read(tmp_path, [{"mesh": 0}])
    document = scenes[1].read(tmp_path, [{"mesh": 0}])
    assert np.array_equal(document.parts[0].vertices, TRIANGLE)


def test_a_real_file_is_as_before_after_another_program_compressed_it(tmp_path):
    """Duck.glb, its streams made by the peer's encoder of version 1."""
    peer = pytest.importorskip("meshoptimizer")
    document = mio.load_document(shared_data("meshes", "Duck.glb"))
    (part,) = document.parts
    rows = np.ascontiguousarray(part.vertices.astype("<f4"))
    peer.encode_vertex_version(1)
    stream = bytes(peer.encode_vertex_buffer(rows, len(rows), 12))
    found = meshopt.attributes(stream, len(rows), 12)
    assert np.array_equal(found.view("<f4"), rows)
