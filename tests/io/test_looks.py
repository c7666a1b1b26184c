"""Materials between OBJ and glTF: each property comes over with its right value, or is told."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import Document, Part
from meshlearn.io.document import Material
from meshlearn.io.formats.gltf.material import looks_of, turned_over, words_of
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.texture_placing import placed_coordinates, placing

PNG = b"\x89PNG\r\n\x1a\n" + b"one pixel"
QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def obj(folder: Path, mtl: str, name: str = "a") -> Path:
    (folder / f"{name}.mtl").write_text("newmtl m\n" + mtl)
    (folder / "t.png").write_bytes(PNG)
    path = folder / f"{name}.obj"
    path.write_text(f"mtllib {name}.mtl\n{QUAD}usemtl m\nf 1/1 2/2 3/3 4/4\n")
    return path


def converted(folder: Path, mtl: str) -> tuple[dict, dict, mio.LossReport]:
    """The material, and all of the JSON, of the GLB that an OBJ becomes."""
    report = mio.convert(obj(folder, mtl), folder / "a.glb")
    data = (folder / "a.glb").read_bytes()
    body = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    return body["materials"][0], body, report


def properties(report: mio.LossReport) -> set[str]:
    return {x.name for x in report.items if x.kind is mio.LossKind.MATERIAL_PROPERTY}


@pytest.mark.parametrize(
    "mtl", ["Kd 1 0 0\nd 0.3\n", "Kd 1 0 0\nTr 0.7\n", "d 0.3\nTr 0.1\nKd 1 0 0\n"]
)
def test_opacity_comes_over_by_either_word(tmp_path, mtl):
    material, _, report = converted(tmp_path, mtl)
    assert material["pbrMetallicRoughness"]["baseColorFactor"] == pytest.approx([1, 0, 0, 0.3])
    assert material["alphaMode"] == "BLEND" and not properties(report)


def test_what_meshlab_writes_of_opaque_materials_is_opaque(tmp_path):
    material, _, _ = converted(tmp_path, "Kd 1 0 0\nTr 1.000000\nillum 2\n")
    assert material["pbrMetallicRoughness"]["baseColorFactor"] == [1, 0, 0, 1]
    assert "alphaMode" not in material


def test_emission_metal_and_maps_come_over(tmp_path):
    mtl = "Kd 0.5\nKe 0.1 0.2 0.3\nPr 0.25\nPm 0.75\nnorm -bm 1 t.png\nmap_Ke t.png\nKs 0 0 0\n"
    material, body, report = converted(tmp_path, mtl)
    surface = material["pbrMetallicRoughness"]
    assert surface["baseColorFactor"] == pytest.approx([0.5, 0.5, 0.5, 1])
    assert (surface["roughnessFactor"], surface["metallicFactor"]) == (0.25, 0.75)
    assert material["emissiveFactor"] == [0.1, 0.2, 0.3]
    assert material["normalTexture"]["index"] == material["emissiveTexture"]["index"] == 0
    assert len(body["images"]) == 1 and not properties(report)


def test_what_has_no_word_is_told_by_name(tmp_path):
    _, _, report = converted(tmp_path, "Kd 1 1 1\nKs 1 1 1\ndisp t.png\nmap_Pr t.png\nNi 1.5\n")
    assert properties(report) == {"Ks", "disp", "roughness texture"}


@pytest.mark.parametrize("word", ["Kd spectral a.rfl", "Kd xyz 0.5 0.5 0.5", "Ke none"])
def test_colours_that_are_no_three_numbers_are_told(tmp_path, word):
    _, _, report = converted(tmp_path, word + "\n")
    assert properties(report) == {word.split()[0]}


@pytest.mark.parametrize("mode", [None, "OPAQUE", "MASK", "BLEND"])
def test_the_alpha_of_an_opaque_surface_does_not_count(tmp_path, mode):
    part = Part.triangles(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]))
    part.face_fields["material"] = np.zeros(1, np.int32)
    looks = Looks(base_color=(1.0, 0.0, 0.0), alpha=0.3, alpha_mode=mode)
    mio.save_document(Document([part], [Material("m", {}, looks)]), tmp_path / "a.obj")
    assert ("d 0.3" in (tmp_path / "a.mtl").read_text()) == (mode in ("MASK", "BLEND"))


def test_names_that_the_libraries_do_not_describe_are_told(tmp_path):
    path = obj(tmp_path, "Kd 1 0 0\n")
    path.write_text(path.read_text() + "usemtl other\nf 1 2 3\n")
    (said,) = mio.load_document(path).remarks
    assert "1 of 2 materials" in said and said.endswith(": 'other'")
    path.write_text(path.read_text().replace("usemtl other", "usemtl m"))
    assert not mio.load_document(path).remarks
    (tmp_path / "a.mtl").unlink()
    assert not mio.load_document(path).remarks  # told as the file that is not there


def test_a_map_s_scale_and_offset_become_the_extension_s(tmp_path):
    """v counts from the top there: with scale s and offset o, 1 - s - o."""
    material, body, _ = converted(tmp_path, "map_Kd -s 2 3 1 -o 0.5 0.25 0 t.png\n")
    more = material["pbrMetallicRoughness"]["baseColorTexture"]["extensions"][
        "KHR_texture_transform"
    ]
    assert more == {"offset": [0.5, -2.25], "scale": [2.0, 3.0]}
    assert body["extensionsUsed"] == ["KHR_texture_transform"]


def test_a_missing_image_leaves_no_empty_texture(tmp_path):
    material, body, report = converted(tmp_path, "Kd 1 0 0\nmap_Kd absent.png\n")
    assert "textures" not in body and "baseColorTexture" not in material["pbrMetallicRoughness"]
    assert any(x.kind is mio.LossKind.NAMED_FILE and "absent.png" in x.name for x in report.items)


def test_an_image_s_type_is_its_content_s(tmp_path):
    path = obj(tmp_path, "map_Kd t.png\n")
    (tmp_path / "t.png").write_bytes(b"\xff\xd8\xff\xe0 a photograph")
    mio.convert(path, tmp_path / "a.glb")
    data = (tmp_path / "a.glb").read_bytes()
    body = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    assert body["images"][0]["mimeType"] == "image/jpeg"


def test_alpha_lives_through_glb_obj_glb(tmp_path):
    looks = Looks(base_color=(0.25, 0.5, 1.0), alpha=0.4, alpha_mode="BLEND", metallic=0.0)
    looks.roughness, looks.emissive, looks.base_texture = 0.5, (0.5, 0.25, 0.0), Texture("t.png")
    part = Part.triangles(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]))
    part.face_fields["material"] = np.zeros(1, np.int32)
    document = Document([part], [Material("m", {}, looks)], images={"t.png": PNG})
    mio.save_document(document, tmp_path / "a.glb")
    mio.convert(tmp_path / "a.glb", tmp_path / "b.obj")
    report = mio.convert(tmp_path / "b.obj", tmp_path / "c.glb")
    found = mio.load_document(tmp_path / "c.glb")
    assert not properties(report)
    got = found.materials[0].looks
    assert got is not None and got.base_texture is not None
    assert got.base_color == pytest.approx(looks.base_color)
    assert (got.alpha, got.alpha_mode, got.roughness) == (pytest.approx(0.4), "BLEND", 0.5)
    assert got.emissive == looks.emissive
    assert found.images[got.base_texture.image] == PNG


@pytest.mark.parametrize("rotation", [0.0, 0.3, -2.0])
def test_transforms_mean_the_same_from_top_and_bottom(rotation):
    """By the places that they give: looking up from the bottom is 1 - v of looking up from the
    top."""
    offset, scale = (0.3, -0.2), (1.5, 0.7)

    def place(offset, rotation, uv):
        c, s = math.cos(rotation), math.sin(rotation)
        u, v = scale[0] * uv[0], scale[1] * uv[1]
        return np.array([offset[0] + c * u - s * v, offset[1] + s * u + c * v])

    other = turned_over(offset, rotation, scale)
    for uv in ((0.0, 0.0), (1.0, 0.25), (-0.5, 2.0)):
        top = place(offset, -rotation, uv)  # counter-clockwise where v is down
        bottom = place(other, rotation, (uv[0], 1 - uv[1]))
        assert np.allclose(top, [bottom[0], 1 - bottom[1]])
    assert np.allclose(turned_over(other, -rotation, scale), offset)


def test_the_transform_of_the_extension_s_own_example():
    """The lower left quadrant of the source image: u, and v from the bottom, in 0 … 0.5."""
    more = {"offset": [0, 1], "rotation": 1.57079632679, "scale": [0.5, 0.5]}
    said = {"normalTexture": {"image": "t", "extensions": {"KHR_texture_transform": more}}}
    texture = looks_of(said).normal_texture
    corners = placed_coordinates(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), placing(texture))
    assert np.allclose(corners, [[0.5, 0], [0.5, 0.5], [0, 0.5], [0, 0]])


def test_gltf_s_words_come_back_from_looks():
    said = {
        "pbrMetallicRoughness": {
            "baseColorFactor": [0.1, 0.2, 0.3, 0.5],
            "metallicFactor": 0.25,
            "roughnessFactor": 0.75,
            "baseColorTexture": {
                "image": "a.png", "texCoord": 1, "sampler": {"wrapS": 33071, "wrapT": 33648},
            },
        },
        "normalTexture": {"image": "n.png", "scale": 0.5},
        "occlusionTexture": {"image": "o.png", "strength": 0.25},
        "emissiveTexture": {"image": "e.png"},
        "emissiveFactor": [1.0, 0.5, 0.0],
        "alphaMode": "MASK",
        "alphaCutoff": 0.3,
        "doubleSided": True,
    }  # fmt: skip
    words, unsaid = words_of(looks_of(said))
    assert words == said and unsaid == []
    strange = {"extensions": {"KHR_materials_clearcoat": {}, "KHR_materials_unlit": {}}}
    looks = looks_of(strange)
    assert looks.unlit and looks.beyond == ("KHR_materials_clearcoat",)
    assert words_of(looks)[0]["extensions"] == {"KHR_materials_unlit": {}}
