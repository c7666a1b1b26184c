"""glTF files as others read them: the types of their indices, and every index of a large mesh."""

import base64
import json
import struct

import numpy as np
import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.data import shapes
from meshlearn.io import Document, Part


def json_of(data: bytes) -> dict:
    """The JSON chunk of a GLB file."""
    length, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A
    return json.loads(data[20 : 20 + length])


def binary_of(data: bytes) -> memoryview:
    """The binary chunk of a GLB file."""
    at = 20 + struct.unpack_from("<I", data, 12)[0]
    length, kind = struct.unpack_from("<II", data, at)
    assert kind == 0x004E4942
    return memoryview(data)[at + 8 : at + 8 + length]


def indices_of(data: bytes) -> tuple[int, np.ndarray]:
    """Component type and values of the indices of the first primitive, read by this test alone."""
    body = json_of(data)
    accessor = body["accessors"][body["meshes"][0]["primitives"][0]["indices"]]
    view = body["bufferViews"][accessor["bufferView"]]
    kind = {5123: "<u2", 5125: "<u4"}[accessor["componentType"]]
    assert view["byteLength"] == accessor["count"] * np.dtype(kind).itemsize
    start = view.get("byteOffset", 0)
    return accessor["componentType"], np.frombuffer(binary_of(data), kind, accessor["count"], start)


def test_indices_past_65535_come_back_one_for_one(tmp_path):
    mesh = shapes.icosphere(7)
    assert mesh.num_vertices == 163_842
    path = tmp_path / "a.glb"
    assert not ml.save(mesh, path)
    kind, index = indices_of(path.read_bytes())
    assert kind == 5125 and np.array_equal(index, mesh.faces.numpy().reshape(-1))
    again = ml.load(path)
    assert torch.equal(again.faces, mesh.faces) and torch.equal(again.vertices, mesh.vertices)


@pytest.mark.parametrize(("count", "kind"), [(65_535, 5123), (65_536, 5125)])
def test_indices_have_16_bits_up_to_65535_vertices(count, kind, tmp_path):
    """65535 itself is no index of 16 bits: it would end a strip."""
    vertices = np.zeros((count, 3), np.float32)
    faces = np.array([[0, 1, count - 1], [count - 3, count - 2, count - 1]])
    path = tmp_path / "a.glb"
    mio.save_document(Document([Part.triangles(vertices, faces)]), path)
    assert indices_of(path.read_bytes())[0] == kind
    part = mio.load_document(path).parts[0]
    assert np.array_equal(part.polygon_index, faces.reshape(-1))


def test_lines_and_points_past_65535_come_back(tmp_path):
    count = 70_000
    part = Part(
        vertices=np.zeros((count, 3), np.float32),
        lines=[np.array([0, count - 1])],
        points=np.array([count - 2]),
    )
    path = tmp_path / "a.glb"
    mio.save_document(Document([part]), path)
    again = mio.load_document(path).parts[0]
    assert [line.tolist() for line in again.lines] == [[0, count - 1]]
    assert again.points.tolist() == [count - 2]


def test_normalised_whole_numbers_reach_from_minus_one_to_one(tmp_path):
    """-128 and -127 of signed bytes are both -1, as the specification has it."""
    data = np.array([[-128, -127, 0, 0], [127, 64, 1, 0]], np.int8).tobytes()
    uri = "data:;base64," + base64.b64encode(data).decode()
    kind = {"componentType": 5120, "type": "VEC3", "count": 2, "normalized": True}
    body = {
        "asset": {"version": "2.0"},
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}],
        "accessors": [{"bufferView": 0, **kind}],
        "bufferViews": [{"buffer": 0, "byteLength": 8, "byteStride": 4}],
        "buffers": [{"byteLength": 8, "uri": uri}],
    }
    part = mio.read_document(json.dumps(body).encode(), tmp_path / "a.gltf").parts[0]
    wanted = np.array([[-1, -1, 0], [1, 64 / 127, 1 / 127]], np.float32)
    assert np.array_equal(part.vertices, wanted)


def normals_of(data: bytes) -> np.ndarray:
    """The first primitive's normals, read by this test alone."""
    body = json_of(data)
    accessor = body["accessors"][body["meshes"][0]["primitives"][0]["attributes"]["NORMAL"]]
    view = body["bufferViews"][accessor["bufferView"]]
    start, count = view.get("byteOffset", 0), accessor["count"]
    return np.frombuffer(binary_of(data), "<f4", 3 * count, start).reshape(-1, 3)


def test_normals_are_of_unit_length_and_what_was_changed_is_told(tmp_path):
    """Of any length; where there is none (0, NaN, infinite) that of the faces around."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 5, 5]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    given = np.array([[0, 0, 2.4], [0, 0, 0], [np.nan, 0, 0], [np.inf, 0, 0], [0, 0, 0]])
    part = Part.triangles(corners, faces, vertex_fields={"normal": given})
    report = mio.save_document(Document([part]), tmp_path / "a.glb")
    found = normals_of((tmp_path / "a.glb").read_bytes())
    assert np.array_equal(found, np.tile([0, 0, 1], (5, 1)))
    (loss,) = [x for x in report.items if x.name == "lengths of normals"]
    assert loss.count == 5
    even = np.array([[0, 0, 1], [0.6, 0.8, 0], [1, 0, 0], [0, 1, 0], [0, 0, -1]], np.float32)
    part = Part.triangles(corners, faces, vertex_fields={"normal": even})
    report = mio.save_document(Document([part]), tmp_path / "b.glb")
    assert not report
    assert np.array_equal(normals_of((tmp_path / "b.glb").read_bytes()), even)


def test_a_real_scan_with_long_normals_becomes_a_legal_file(tmp_path):
    source = shared_data("meshes", "fuze.obj")
    report = mio.convert(source, tmp_path / "fuze.glb")
    length = np.linalg.norm(normals_of((tmp_path / "fuze.glb").read_bytes()), axis=1)
    assert np.abs(length - 1).max() < 1e-6
    assert any(x.name == "lengths of normals" for x in report.items)


def test_a_second_set_of_texture_coordinates_stays_one(tmp_path):
    """TEXCOORD_1 is the field "uv1", v counted from the bottom as in "uv", and goes back."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    uv = np.array([[0, 0], [1, 0], [0, 0.25]])
    fields = {"uv": uv, "uv1": 1 - uv}
    part = Part.triangles(corners, np.array([[0, 1, 2]]), vertex_fields=fields)
    report = mio.save_document(Document([part]), tmp_path / "a.glb")
    assert not report
    body = json_of((tmp_path / "a.glb").read_bytes())
    attributes = body["meshes"][0]["primitives"][0]["attributes"]
    assert set(attributes) == {"POSITION", "TEXCOORD_0", "TEXCOORD_1"}
    back = mio.load_document(tmp_path / "a.glb").parts[0].vertex_fields
    assert np.allclose(back["uv"], uv) and np.allclose(back["uv1"], 1 - uv)
    mio.convert(tmp_path / "a.glb", tmp_path / "b.glb")
    again = mio.load_document(tmp_path / "b.glb").parts[0].vertex_fields
    assert np.array_equal(again["uv1"], back["uv1"])


def test_tangents_of_corners_are_written(tmp_path):
    flat = ml.data.shapes.plane((2.0, 2.0))
    side = torch.tensor([[1.0, 0, 0, 1], [0.6, 0.8, 0, -1]])
    index = torch.arange(flat.num_faces)[:, None].expand(-1, 3) % 2
    flat.corner_attributes["tangent"] = ml.CornerAttribute(side, index.contiguous())
    flat.save(tmp_path / "flat.glb")
    back = ml.load(tmp_path / "flat.glb")
    assert torch.equal(
        back.vertex_attributes["tangent"][back.faces], side[index.reshape(-1)].view(-1, 3, 4)
    )
    flat.corner_attributes["tangent"] = ml.CornerAttribute(side[:, :3].contiguous(), index)
    with pytest.warns(UserWarning, match="corner field 'tangent' .*side of the bitangent"):
        flat.save(tmp_path / "three.glb")
