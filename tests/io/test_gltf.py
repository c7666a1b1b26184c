"""glTF files as others read them: the types of their indices, and every index of a large mesh."""

import base64
import json
import struct

import numpy as np
import pytest
import torch

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
