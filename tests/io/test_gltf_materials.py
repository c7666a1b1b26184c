"""Material extensions of glTF: understood, carried to glTF and declared, told elsewhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from meshlearn import io as mio
from meshlearn.io.formats.gltf.specular import converted
from tests.io.gltf_scene import Scene, json_of, picture

SPECULAR = "KHR_materials_pbrSpecularGlossiness"


def scene_with(folder, material: dict, *images: bytes, **more):
    scene = Scene()
    uv = scene.add([[0, 0], [1, 0], [1, 1]])
    scene.mesh(None, {"material": 0}, TEXCOORD_0=uv)
    for data in images:
        scene.image(data)
    used = sorted(material.get("extensions", {}))
    return scene.write(folder, materials=[material], extensionsUsed=used, **more)


def looks(document):
    return document.materials[0].looks


def pixels(document, texture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(document.images[texture.image])))


def test_gold_of_the_extension_s_text(tmp_path):
    """Its metallic-roughness equal stands beside it there: base colour (1, 0.766, 0.336),
    roughness 0.1, and a metal."""
    more = {
        "diffuseFactor": [0, 0, 0, 1],
        "specularFactor": [1, 0.766, 0.336],
        "glossinessFactor": 0.9,
    }
    path = scene_with(tmp_path, {"extensions": {SPECULAR: more}}, extensionsRequired=[SPECULAR])
    document = mio.load_document(path)
    found = looks(document)
    assert found.base_color == pytest.approx((1, 0.766, 0.336), abs=1e-6)
    assert (found.metallic, found.roughness) == pytest.approx((1, 0.1))
    assert found.beyond == () and not document.left_out
    assert any("specular-glossiness" in remark for remark in document.remarks)
    mio.convert(path, tmp_path / "a.obj")
    text = (tmp_path / "a.mtl").read_text()
    assert "Kd 1 0.766 0.336" in text and "Pr 0.1" in text and "Pm 1" in text
    assert not mio.convert(path, tmp_path / "a.glb")
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert body["extensionsUsed"] == [SPECULAR]
    surface = body["materials"][0]["pbrMetallicRoughness"]
    assert surface["baseColorFactor"] == pytest.approx([1, 0.766, 0.336, 1], abs=1e-6)


@pytest.mark.parametrize("metal", [0.0, 0.3, 1.0])
def test_the_conversion_undoes_that_of_metallic_roughness(metal):
    """From base colour and metal, by the two equations of the module, and back."""
    base = np.array([[0.8, 0.5, 0.2], [0.1, 0.1, 0.1], [1, 1, 1]])
    specular = 0.04 * (1 - metal) + base * metal
    left = 1 - specular.max(1, keepdims=True)
    diffuse = base * 0.96 * (1 - metal) / np.maximum(left, 1e-9)
    color, found = converted(diffuse, specular)
    grey = np.array([False, True, True])  # of a hue, brightness is not linear in the mixture
    assert np.allclose(found[grey], metal, atol=1e-6)
    assert np.allclose(color[grey], base[grey], atol=1e-6)
    if metal in (0, 1):
        assert np.allclose(color, base, atol=1e-6) and np.allclose(found, metal, atol=1e-6)


def test_textures_of_specular_and_gloss_become_textures(tmp_path):
    """Left a red dielectric, right a rough golden metal."""
    diffuse = np.array([[[255, 0, 0, 255], [0, 0, 0, 128]]], np.uint8)
    gold = np.array([255, 226, 155])  # (1, 0.76, 0.33) encoded
    specular = np.array([[[0, 0, 0, 255], [*gold, 51]]], np.uint8)
    more = {"diffuseTexture": {"index": 0}, "specularGlossinessTexture": {"index": 1}}
    material = {"extensions": {SPECULAR: more}, "alphaMode": "BLEND"}
    images = [picture("png", x, "RGBA") for x in (diffuse, specular)]
    document = mio.load_document(scene_with(tmp_path, material, *images))
    found = looks(document)
    base, surface = pixels(document, found.base_texture), pixels(document, found.metallic_texture)
    # S = 0: a dielectric that reflects nothing is as bright as 0.04 leaves it, 1 / 0.96 cut at 1
    assert base[0, 0].tolist() == [255, 0, 0, 255]
    assert np.abs(base[0, 1].astype(int) - [*gold, 128]).max() <= 1
    assert surface[0, :, 2].tolist() == [0, 255]  # metal
    assert surface[0, :, 1].tolist() == [0, 204]  # roughness
    assert found.roughness_texture.channel == "g" and found.metallic_texture.channel == "b"
    assert (found.metallic, found.roughness, found.alpha) == (1, 1, 1)


def test_a_diffuse_texture_with_little_specular_stays_as_it_is(tmp_path):
    more = {"diffuseTexture": {"index": 0}, "specularFactor": [0, 0, 0], "glossinessFactor": 0.25}
    more["diffuseFactor"] = [0.48, 0.48, 0.48, 0.5]
    document = mio.load_document(
        scene_with(tmp_path, {"extensions": {SPECULAR: more}}, picture("jpeg"))
    )
    found = looks(document)
    assert document.images[found.base_texture.image] == picture("jpeg")
    assert found.base_color == pytest.approx((0.5, 0.5, 0.5)) and found.alpha == 0.5
    assert (found.metallic, found.roughness) == (0, 0.75) and found.metallic_texture is None


def test_what_the_file_says_by_metallic_roughness_itself_is_taken(tmp_path):
    material = {
        "pbrMetallicRoughness": {"roughnessFactor": 0.25},
        "extensions": {SPECULAR: {"glossinessFactor": 0}},
    }
    document = mio.load_document(scene_with(tmp_path, material))
    assert looks(document).roughness == 0.25 and not document.remarks


def test_textures_that_cannot_be_combined_are_told(tmp_path):
    more = {"diffuseTexture": {"index": 0}}
    more["specularGlossinessTexture"] = {"index": 1, "texCoord": 1}
    more["specularFactor"] = [0.04, 0.04, 0.04]
    path = scene_with(tmp_path, {"extensions": {SPECULAR: more}}, picture(), picture("jpeg"))
    assert any("placed otherwise" in remark for remark in mio.load_document(path).remarks)
    more["specularGlossinessTexture"] = {"index": 1}
    broken = picture("png")[:-40]
    path = scene_with(tmp_path, {"extensions": {SPECULAR: more}}, picture(), broken)
    assert any("cannot be decoded" in remark for remark in mio.load_document(path).remarks)


def test_the_strength_of_emission_multiplies(tmp_path):
    name = "KHR_materials_emissive_strength"
    material = {"emissiveFactor": [1, 0.5, 0], "extensions": {name: {"emissiveStrength": 4}}}
    path = scene_with(tmp_path, material)
    assert looks(mio.load_document(path)).emissive == (4, 2, 0)
    mio.convert(path, tmp_path / "a.obj")
    assert "Ke 4 2 0" in (tmp_path / "a.mtl").read_text()
    assert not mio.convert(tmp_path / "a.obj", tmp_path / "b.glb")
    body = json_of((tmp_path / "b.glb").read_bytes())
    made = body["materials"][0]
    assert made["emissiveFactor"] == [1, 0.5, 0]
    assert made["extensions"] == {name: {"emissiveStrength": 4}}
    assert body["extensionsUsed"] == [name]


def test_without_an_emissive_factor_nothing_is_emitted(tmp_path):
    """Its default is black; of a .mtl file, a map beside a black Ke is meant."""
    path = scene_with(tmp_path, {"emissiveTexture": {"index": 0}}, picture())
    mio.convert(path, tmp_path / "a.obj")
    assert "Ke" not in (tmp_path / "a.mtl").read_text()
    (tmp_path / "b.mtl").write_text("newmtl m\nKe 0 0 0\nmap_Ke t.png\n")
    (tmp_path / "t.png").write_bytes(picture())
    (tmp_path / "b.obj").write_text("mtllib b.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n")
    mio.convert(tmp_path / "b.obj", tmp_path / "b.glb")
    made = json_of((tmp_path / "b.glb").read_bytes())["materials"][0]
    assert made["emissiveFactor"] == [1, 1, 1]


def test_other_extensions_go_to_gltf_and_are_told_elsewhere(tmp_path):
    names = {
        "KHR_materials_clearcoat": {"clearcoatTexture": {"index": 0}, "clearcoatFactor": 0.5},
        "KHR_materials_ior": {"ior": 1.33},
        "KHR_materials_transmission": {"transmissionFactor": 0.9},
        "ACME_materials_glitter": {"grains": 7},
    }
    path = scene_with(tmp_path, {"extensions": names}, picture(), extensionsRequired=[*names][:3])
    assert not mio.convert(path, tmp_path / "a.glb", strict=True)
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert body["extensionsUsed"] == sorted(names)
    assert body["materials"][0]["extensions"] == names and len(body["images"]) == 1
    report = mio.convert(path, tmp_path / "a.obj")
    told = {x.name for x in report.items if x.kind is mio.LossKind.MATERIAL_PROPERTY}
    assert {name.replace("_", " ") for name in names} <= told
    with pytest.raises(mio.FileFormatError, match="clearcoat"):
        mio.convert(path, tmp_path / "b.obj", strict=True)


def test_extensions_and_extras_of_nodes_and_meshes_are_told_by_name_and_number(tmp_path):
    scene = Scene()
    variants = {"KHR_materials_variants": {"mappings": []}}
    scene.mesh({"extras": {"a": 1}}, {"extensions": variants, "extras": {"unused": False}})
    light = {"extensions": {"KHR_lights_punctual": {"light": 0}}}
    nodes = [{"mesh": 0, "extras": {"tag": "x"}, **light}, light]
    root = {"KHR_lights_punctual": {"lights": [{}]}}
    path = scene.write(tmp_path, nodes, [0, 1], extensions=root, extras={"by": "hand"})
    report = mio.convert(path, tmp_path / "a.glb")
    told = {x.what: x.count for x in report.items}
    assert told == {
        "the extension KHR_lights_punctual": 3,
        "the extension KHR_materials_variants": 1,
        "extras of the file": 1,
        "extras of nodes": 1,
        "extras of meshes": 1,
    }
    assert not mio.convert(tmp_path / "a.glb", tmp_path / "b.glb")


def test_invisible_nodes_and_what_is_below_are_left_out_and_told(tmp_path):
    scene = Scene()
    scene.mesh()
    hidden = {"extensions": {"KHR_node_visibility": {"visible": False}}, "children": [2]}
    shown = {"mesh": 0, "extensions": {"KHR_node_visibility": {"visible": True}}}
    path = scene.write(
        tmp_path, [shown, hidden, {"mesh": 0}], [0, 1], extensionsRequired=["KHR_node_visibility"]
    )
    document = mio.load_document(path)
    assert len(document.parts) == 1
    assert [(x.what, x.count) for x in document.left_out] == [("invisible nodes", 1)]
