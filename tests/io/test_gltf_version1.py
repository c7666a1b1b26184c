"""glTF 1.0, as JSON and in its binary container."""

from __future__ import annotations

import base64
import copy
import json
import struct

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import FileFormatError
from tests.io.gltf_scene import TRIANGLE, picture

NORMAL = np.array([[0, 0, 1]] * 3, np.float32)
UV = np.array([[0, 0], [1, 0], [0, 0.25]], np.float32)
ROWS = np.concatenate([TRIANGLE, NORMAL, UV], 1)  # interleaved, 32 bytes each
INDEX = np.array([0, 1, 2], np.uint16).tobytes() + b"\0\0"
DATA = ROWS.tobytes() + INDEX + picture()


def body(uri: str | None = None) -> dict:
    """A turned and moved triangle with a textured material."""
    accessor = {"bufferView": "rows", "byteStride": 32, "componentType": 5126, "count": 3}
    buffer = {"byteLength": len(DATA), "type": "arraybuffer"} | ({"uri": uri} if uri else {})
    name = "all" if uri else "binary_glTF"
    return {
        "asset": {"version": "1.0", "generator": "by hand"},
        "scene": "s",
        "scenes": {"s": {"nodes": ["root"]}},
        "nodes": {
            "root": {"children": ["leaf"], "translation": [1, 2, 3]},
            "leaf": {"meshes": ["m"], "rotation": [0, 0, 0.7071067811865476, 0.7071067811865476]},
        },
        "meshes": {
            "m": {
                "name": "patch",
                "primitives": [
                    {
                        "attributes": {"POSITION": "p", "NORMAL": "n", "TEXCOORD": "t"},
                        "indices": "i",
                        "material": "red",
                        "mode": 4,
                    }
                ],
            }
        },
        "accessors": {
            "p": {**accessor, "byteOffset": 0, "type": "VEC3"},
            "n": {**accessor, "byteOffset": 12, "type": "VEC3"},
            "t": {**accessor, "byteOffset": 24, "type": "VEC2"},
            "i": {"bufferView": "index", "byteOffset": 0, "componentType": 5123, "count": 3,
                  "type": "SCALAR"},
        },
        "bufferViews": {
            "rows": {"buffer": name, "byteOffset": 0, "byteLength": 96, "target": 34962},
            "index": {"buffer": name, "byteOffset": 96, "byteLength": 6, "target": 34963},
            "picture": {"buffer": name, "byteOffset": 104, "byteLength": len(picture())},
        },
        "buffers": {name: buffer},
        "materials": {
            "red": {
                "name": "Red",
                "technique": "lambert",
                "values": {"diffuse": "tex", "specular": [0.2, 0.2, 0.2, 1], "transparency": 0.5},
            }
        },
        "techniques": {"lambert": {"parameters": {"emission": {"value": [0.25, 0, 0, 1]}}}},
        "textures": {"tex": {"sampler": "edge", "source": "picture", "format": 6408}},
        "samplers": {"edge": {"wrapS": 33071, "wrapT": 33071}},
        "images": {
            "picture": {
                "uri": "data:,",
                "extensions": {
                    "KHR_binary_glTF": {"bufferView": "picture", "mimeType": "image/png"}
                },
            }
        },
        "extensionsUsed": ["KHR_binary_glTF"],
    }  # fmt: skip


def binary(json_: dict, data: bytes) -> bytes:
    text = json.dumps(json_).encode()
    head = struct.pack("<4sIIII", b"glTF", 1, 20 + len(text) + len(data), len(text), 0)
    return head + text + data


def write(folder, kind: str, change=lambda b: None):
    uri = "data:application/octet-stream;base64," + base64.b64encode(DATA).decode()
    made = body(uri if kind == ".gltf" else None)
    change(made)
    path = folder / f"a{kind}"
    path.write_bytes(json.dumps(made).encode() if kind == ".gltf" else binary(made, DATA))
    return path


@pytest.mark.parametrize("kind", [".gltf", ".glb"])
def test_geometry_and_looks_are_read(tmp_path, kind):
    document = mio.load_document(write(tmp_path, kind))
    (part,) = document.parts
    assert np.array_equal(part.vertices, TRIANGLE) and part.polygon_index.tolist() == [0, 1, 2]
    assert np.array_equal(part.vertex_fields["normal"], NORMAL)
    assert np.array_equal(part.vertex_fields["uv"], UV * [1, -1] + [0, 1])
    wanted = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    assert np.allclose(part.transform, wanted) and part.name == "leaf"
    looks = document.materials[0].looks
    assert document.materials[0].name == "Red"
    assert document.images[looks.base_texture.image] == picture()
    assert looks.base_texture.wrap == ("clamp", "clamp")
    assert (looks.alpha, looks.alpha_mode, looks.metallic) == (0.5, "BLEND", 0)
    assert looks.emissive == (0.25, 0, 0)
    told = {loss.what for loss in document.left_out}
    assert told == {"shaders of materials", "specular colour of materials"}


def test_what_is_written_of_it_is_version_2(tmp_path):
    mio.convert(write(tmp_path, ".glb"), tmp_path / "b.glb")
    again = mio.load_document(tmp_path / "b.glb")
    assert (
        not again.left_out
        and struct.unpack_from("<I", (tmp_path / "b.glb").read_bytes(), 4)[0] == 2
    )
    assert np.array_equal(again.parts[0].vertices, TRIANGLE)


def test_common_materials(tmp_path):
    def change(b):
        values = {"diffuse": [1, 0.5, 0, 1], "emission": [0, 0, 0.5, 1]}
        said = {"technique": "PHONG", "values": values, "doubleSided": True, "transparent": True}
        b["materials"]["red"] = {"extensions": {"KHR_materials_common": said}}
        b["materials"]["flat"] = copy.deepcopy(b["materials"]["red"])
        b["materials"]["flat"]["extensions"]["KHR_materials_common"]["technique"] = "CONSTANT"
        b["extensionsUsed"] = ["KHR_materials_common"]

    document = mio.load_document(write(tmp_path, ".gltf", change))
    first, second = (m.looks for m in document.materials)
    assert first.base_color == (1, 0.5, 0) and first.emissive == (0, 0, 0.5)
    assert first.double_sided and first.alpha_mode == "BLEND" and not document.left_out
    assert second.unlit and second.base_color == (0, 0, 0.5) and second.emissive is None


def test_a_node_of_several_meshes_and_a_scene_about_a_centre(tmp_path):
    def change(b):
        b["nodes"]["leaf"]["meshes"] = ["m", "m"]
        b["extensionsUsed"] = ["CESIUM_RTC", "KHR_lights"]
        b["extensions"] = {"CESIUM_RTC": {"center": [1000, 0, 0]}}

    document = mio.load_document(write(tmp_path, ".gltf", change))
    assert [part.transform[0, 3] for part in document.parts] == [1001, 1001]
    assert any("KHR_lights" in loss.what for loss in document.left_out)


def test_skins_have_a_bind_shape(tmp_path):
    """Joints by their names; the shape stands before the inverse bind matrices."""

    def change(b):
        b["nodes"]["leaf"] |= {"skin": "k", "rotation": [0, 0, 0, 1]}
        b["nodes"]["bone"] = {"jointName": "spine", "translation": [0, 0, 5]}
        b["nodes"]["root"]["children"].append("bone")
        shape = np.diag([2.0, 2, 2, 1])
        shape[:3, 3] = 1, 0, 0
        b["skins"] = {
            "k": {"jointNames": ["spine"], "bindShapeMatrix": shape.T.reshape(-1).tolist()}
        }
        attributes = b["meshes"]["m"]["primitives"][0]["attributes"]
        attributes |= {"JOINT": "joint", "WEIGHT": "weight"}
        zero = {"bufferView": "rows", "byteStride": 32, "componentType": 5126, "count": 3}
        b["accessors"]["joint"] = {**zero, "byteOffset": 12, "type": "VEC2"}  # zeros of the normals
        b["accessors"]["weight"] = {**zero, "byteOffset": 16, "type": "VEC2"}  # (0, 1)

    (part,) = mio.load_document(write(tmp_path, ".gltf", change)).parts
    assert np.allclose(part.vertices, TRIANGLE * 2 + [1, 0, 0] + [1, 2, 3] + [0, 0, 5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b["asset"].update(version="0.8"), "or 1 with objects by name, got '0.8'"),
        (lambda b: b["bufferViews"]["rows"].update(buffer="gone"), r"buffers\['gone'\]"),
        (lambda b: b["meshes"]["m"]["primitives"][0].update(indices="x"), r"accessors\['x'\]"),
        (lambda b: b["nodes"]["root"].update(children=["x"]), r"nodes\['x'\]"),
        (lambda b: b.update(accessors=[]), "objects by name for 'accessors'"),
        (lambda b: b["accessors"]["p"].update(byteStride="x"), "whole numbers"),
        (lambda b: b.update(extensionsUsed=["WEB3D_quantized_attributes"]), "WEB3D_quantized"),
        (lambda b: b["accessors"]["p"].update(count=1000), "promises 1000 entries"),
        (lambda b: b["images"]["picture"]["extensions"]["KHR_binary_glTF"].pop("bufferView"),
         "bufferViews"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_in_one_sentence(tmp_path, change, message):
    with pytest.raises(FileFormatError, match=message) as told:
        mio.load_document(write(tmp_path, ".gltf", change))
    assert "\n" not in str(told.value)


def test_a_binary_file_that_lies_about_its_lengths(tmp_path):
    data = bytearray(write(tmp_path, ".glb").read_bytes())
    for at, value, message in ((12, 10**8, "its JSON promises"), (8, 10**8, "header promises")):
        bad = bytearray(data)
        struct.pack_into("<I", bad, at, value)
        with pytest.raises(FileFormatError, match=message):
            mio.read_document(bad, tmp_path / "a.glb")
