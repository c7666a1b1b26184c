"""Placing of textures: kept where the format has it, else taken into the coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.cli import main
from meshlearn.io import CornerField, Document, Part
from meshlearn.io.document import Material
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.texture_placing import placed_coordinates, placing
from tests.io.gltf_scene import Scene, json_of, picture

TRANSFORM = "KHR_texture_transform"


def scene_with(folder, coordinates, kind, *transforms, **more):
    """A glTF file of one triangle; the first transform is the base texture's, then the normal's."""
    scene = Scene()
    scene.mesh(None, {"material": 0}, TEXCOORD_0=scene.add(coordinates, kind), **more)
    words = [{"index": scene.image(picture())} for _ in transforms]
    for texture, transform in zip(words, transforms, strict=True):
        if transform is not None:
            texture["extensions"] = {TRANSFORM: transform}
    material = {"pbrMetallicRoughness": {"baseColorTexture": words[0]}}
    if len(words) > 1:
        material["normalTexture"] = words[1]
    return scene, scene.write(folder, materials=[material], extensionsUsed=[TRANSFORM])


def vt(path) -> np.ndarray:
    lines = [x.split()[1:] for x in path.read_text().splitlines() if x.startswith("vt ")]
    return np.array(lines, float)


def test_whole_numbers_with_a_scale_become_coordinates_of_obj(tmp_path):
    transform = {"scale": [1 / 4095, 1 / 4095]}
    _, path = scene_with(tmp_path, [[0, 0], [4095, 0], [4095, 4095]], "u2", transform)
    report = mio.convert(path, tmp_path / "a.obj")
    assert {x.kind.name for x in report.items} == {"UP_AXIS_UNSAID", "UNIT_UNSAID"}
    assert np.array_equal(vt(tmp_path / "a.obj"), [[0, 1], [1, 1], [1, 0]])
    assert "-s" not in (tmp_path / "a.mtl").read_text()


@pytest.mark.parametrize("rotation", [0.0, 0.5, math.pi / 2])
def test_offset_scale_and_rotation_are_applied(tmp_path, rotation):
    """v counted from the top, and the rotation counter-clockwise as one sees it."""
    uv = np.array([[0, 0], [1, 0.25], [-0.5, 2]])
    transform = {"offset": [0.5, 0], "scale": [2, 3], "rotation": rotation}
    _, path = scene_with(tmp_path, uv, "f4", transform)
    mio.convert(path, tmp_path / "a.obj")
    c, s = math.cos(rotation), math.sin(rotation)
    turn = np.array([[c, s], [-s, c]])
    wanted = (uv * (2, 3)) @ turn.T + (0.5, 0)
    assert np.allclose(vt(tmp_path / "a.obj"), np.stack([wanted[:, 0], 1 - wanted[:, 1]], 1))


def test_glb_to_glb_keeps_and_declares_it(tmp_path):
    transform = {"offset": [0.5, 0], "scale": [2, 3], "rotation": 0.25}
    _, path = scene_with(tmp_path, [[0, 0], [1, 0], [1, 1]], "f4", transform)
    assert not mio.convert(path, tmp_path / "a.glb")
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert body["extensionsUsed"] == [TRANSFORM]
    found = body["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]
    assert found["extensions"][TRANSFORM] == transform


def test_textures_placed_in_different_ways_stay_and_are_told(tmp_path, capsys):
    """Two of one placing go into the coordinates; a second of another leaves -s and -o."""
    uv = [[0, 0], [1, 0], [1, 1]]
    same = {"scale": [2, 2]}
    _, path = scene_with(tmp_path, uv, "f4", same, same)
    mio.convert(path, tmp_path / "same.obj")
    assert np.allclose(vt(tmp_path / "same.obj"), [[0, 1], [2, 1], [2, -1]])
    _, path = scene_with(tmp_path, uv, "f4", same, {"scale": [4, 4]})
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(path), str(tmp_path / "other.obj")])
    assert ended.value.code == 0
    assert np.allclose(vt(tmp_path / "other.obj"), [[0, 1], [1, 1], [1, 0]])
    text = (tmp_path / "other.mtl").read_text()
    assert "-s 2 2 1" in text and "-s 4 4 1" in text
    said = capsys.readouterr()
    assert "placed in different ways" in " ".join((said.err + said.out).split())


def test_a_second_set_of_coordinates_becomes_the_first(tmp_path):
    scene = Scene()
    first, second = [[0, 0], [0, 0], [0, 0]], [[0.25, 0], [1, 0], [1, 1]]
    sets = {"TEXCOORD_0": scene.add(first), "TEXCOORD_1": scene.add(second)}
    scene.mesh(None, {"material": 0}, **sets)
    texture = {"index": scene.image(picture()), "texCoord": 1}
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    mio.convert(scene.write(tmp_path, materials=[material]), tmp_path / "a.obj")
    assert np.allclose(vt(tmp_path / "a.obj"), [[0.25, 1], [1, 1], [1, 0]])
    material["pbrMetallicRoughness"]["baseColorTexture"]["texCoord"] = 3  # which is not there
    path = scene.write(tmp_path, materials=[material])
    report = mio.convert(path, tmp_path / "b.obj")
    assert "second texture coordinates of base texture" in str(report).replace("_", " ")


@pytest.mark.parametrize("by_corner", [False, True])
def test_materials_that_share_vertices_each_get_their_own_places(tmp_path, by_corner):
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    faces = np.array([[0, 1, 2], [0, 2, 3], [1, 2, 3]])
    part = Part.triangles(np.eye(4, 3, dtype=np.float32), faces)
    if by_corner:
        part.corner_fields["uv"] = CornerField(uv, part.polygon_index.copy())
    else:
        part.vertex_fields["uv"] = uv
    part.face_fields["material"] = np.array([0, 1, 2], np.int32)
    texture = Texture("t.png", offset=(0.5, 0), scale=(2, 3), rotation=1.0)
    looks = [Looks(base_texture=Texture("t.png")), Looks(base_texture=texture), Looks()]
    materials = [Material(f"m{k}", {}, look) for k, look in enumerate(looks)]
    mio.save_document(Document([part], materials, images={"t.png": picture()}), tmp_path / "a.obj")
    again = mio.load_document(tmp_path / "a.obj").parts[0].corner_fields["uv"]
    found = again.values[again.index].reshape(3, 3, 2)
    assert np.allclose(found[0], uv[faces[0]])
    assert np.allclose(found[1], placed_coordinates(uv[faces[1]], placing(texture)))
    assert np.allclose(found[2], uv[faces[2]])
    assert texture.scale == (2, 3)  # what was given stays


def test_obj_to_obj_keeps_its_own_words(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -s 2 3 1 t.png\n")
    (tmp_path / "t.png").write_bytes(picture())
    text = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\n"
    (tmp_path / "a.obj").write_text(text + "f 1/1 2/2 3/3\n")
    (tmp_path / "out").mkdir()
    mio.convert(tmp_path / "a.obj", tmp_path / "out" / "b.obj")
    assert "map_Kd -s 2 3 1 t.png" in (tmp_path / "out" / "b.mtl").read_text()
    assert np.allclose(vt(tmp_path / "out" / "b.obj"), [[0, 0], [1, 0], [0, 1]])
