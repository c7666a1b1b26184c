"""Colours mean the same light in every format: sRGB in most, linear in glTF and USD."""

import json
from zipfile import ZipFile

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io import Document, Looks, Material
from meshlearn.io.color_space import from_fractions, from_whole, to_fractions, to_linear, to_srgb
from meshlearn.io.color_space import to_whole as written
from meshlearn.render import Camera, render
from tests.io.gltf_scene import Scene, json_of
from tests.io.samples import SQUARE, TWO, parameters, part_of, polygons
from tests.io.test_threemf import looks_of, package

MIDDLE = 0.21586050011389926  # linear light of the byte 128, by the formula of IEC 61966-2-1


def test_the_two_pieces_of_srgb():
    assert to_linear(np.array([0, 128 / 255, 1])).tolist() == pytest.approx([0, MIDDLE, 1])
    assert to_srgb(np.array([MIDDLE])) == pytest.approx(128 / 255)
    x = np.linspace(-0.5, 2, 1001)
    assert np.allclose(to_srgb(to_linear(x)), x, atol=1e-12)
    joint = np.array([0.04045, np.nextafter(0.04045, 1)])
    assert np.diff(to_linear(joint))[0] < 1e-7


@pytest.mark.parametrize("width", [3, 4])
def test_every_byte_goes_out_and_comes_back(width):
    table = np.arange(256, dtype=np.uint8)[:, None].repeat(width, 1)
    back = from_whole(written(table))
    assert back.dtype == np.uint8 and np.array_equal(back, table)
    back = from_fractions(to_fractions(table), bytewise=True)
    assert back.dtype == np.uint8 and np.array_equal(back, table)
    if width == 4:
        assert (written(table)[:, 3] == 257 * np.arange(256)).all()  # opacity is no light


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("width", [3, 4])
def test_every_linear_number_comes_back_as_it_was(kind, width):
    if kind == np.float32:
        table = np.random.default_rng(0).random((4096, width)).astype(kind)
        found = written(from_fractions(table))
    else:
        table = np.arange(np.iinfo(kind).max + 1, dtype=kind)[:, None].repeat(width, 1)
        found = written(from_whole(table))
    assert found.dtype == kind and np.array_equal(found, table)


COLORS = {
    "u1": [[0, 128, 255, 9], [1, 2, 3, 255], [254, 250, 7, 0]],
    "u2": [[0, 30000, 65535, 9], [1, 2, 3, 65535], [65534, 6, 7, 0]],
    "f4": [[0, 0.5, 1, 0.125], [0.1, 0.2, 0.3, 1], [0.9, 1e-6, 0.99, 0]],
}


@pytest.mark.parametrize("width", [3, 4])
@pytest.mark.parametrize("kind", COLORS)
def test_a_glb_keeps_the_bytes_of_its_colours(tmp_path, kind, width):
    scene = Scene()
    table = np.array(COLORS[kind])[:, :width]
    place = scene.add(table, kind)
    if kind != "f4":
        scene.json["accessors"][place]["normalized"] = True
        view = scene.json["bufferViews"][scene.json["accessors"][place]["bufferView"]]
        size = np.dtype(kind).itemsize * width
        step = (size + 3) // 4 * 4
        rows = np.zeros((3, step), np.uint8)
        rows[:, :size] = table.astype("<" + kind).view(np.uint8).reshape(3, size)
        scene.data = scene.data[: view["byteOffset"]] + rows.tobytes()
        view |= {"byteStride": step, "byteLength": 3 * step}
    scene.mesh(COLOR_0=place)
    path = scene.write(tmp_path)
    report = mio.convert(path, tmp_path / "b.glb")
    assert not report, report
    data = (tmp_path / "b.glb").read_bytes()
    body = json_of(data)
    entry = body["accessors"][body["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]]
    assert (entry["componentType"], entry["type"]) == (
        {"u1": 5121, "u2": 5123, "f4": 5126}[kind],
        f"VEC{width}",
    )
    view = body["bufferViews"][entry["bufferView"]]
    begin = data.index(b"BIN\0") + 4 + view["byteOffset"]
    size = np.dtype(kind).itemsize * width
    step = view.get("byteStride", size)
    rows = np.frombuffer(data, np.uint8, 3 * step, begin).reshape(3, step)[:, :size]
    assert np.array_equal(rows.copy().view("<" + kind), table.astype(kind))


def coloured() -> Document:
    table = np.array([[128, 0, 255], [1, 2, 3], [250, 128, 64], [0, 20, 128]], np.uint8)
    return polygons(SQUARE, TWO, vertex_fields={"color": table})


@pytest.mark.parametrize("suffix", parameters([".glb", ".usda", ".usdc", ".obj", ".off", ".vtk"]))
def test_bytes_come_back_from_every_format(tmp_path, suffix):
    document = coloured()
    wanted = document.parts[0].vertex_fields["color"]
    mio.save_document(document, tmp_path / "a.ply")
    for a, b in ((".ply", suffix), (suffix, ".out.ply")):
        report = mio.convert(tmp_path / f"a{a}", tmp_path / f"a{b}")
        assert not any("color" in name for name in report.losses)
    found = mio.load_document(tmp_path / "a.out.ply").parts[0].vertex_fields["color"]
    found = found if found.dtype == np.uint8 else np.round(found * 255)
    assert np.array_equal(found[:, :3], wanted)  # OFF says an opacity, of 1, too


def test_what_the_files_say(tmp_path):
    """Bytes in PLY, fractions of the same in OBJ, linear light in glTF and in USD's text."""
    document = coloured()
    for suffix in (".obj", ".gltf"):
        mio.save_document(document, tmp_path / f"a{suffix}")
    line = (tmp_path / "a.obj").read_text().splitlines()[1]
    assert float(line.split()[4]) == pytest.approx(128 / 255)
    body = json.loads((tmp_path / "a.gltf").read_text())
    place = body["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]
    assert body["accessors"][place]["componentType"] == 5123
    mio.save_document(document, tmp_path / "b.glb")
    assert (
        np.uint16([round(MIDDLE * 65535), 0, 65535]).tobytes() in (tmp_path / "b.glb").read_bytes()
    )
    pytest.importorskip("pxr")
    mio.save_document(document, tmp_path / "a.usda")
    assert "(0.2158605, 0, 1)" in (tmp_path / "a.usda").read_text()


def shown(path) -> torch.Tensor:
    """The colour in the middle of a picture, as bytes."""
    cam = Camera.look_at((0.5, 0.5, 3), target=(0.5, 0.5, 0), fov=30)
    return render(ml.load(path), cam, 9, channels=("color",))["color"][4, 4] * 255


@pytest.mark.parametrize("suffix", parameters([".ply", ".obj", ".glb", ".usda", ".3mf", ".off"]))
def test_one_colour_of_vertices_gives_one_picture(tmp_path, suffix):
    document = polygons(
        SQUARE, TWO, vertex_fields={"color": np.array([[128, 64, 200]] * 4, np.uint8)}
    )
    mio.save_document(document, tmp_path / f"a{suffix}")
    assert shown(tmp_path / f"a{suffix}").tolist() == pytest.approx([128, 64, 200], abs=0.02)


@pytest.mark.parametrize("suffix", parameters([".glb", ".usda", ".obj", ".3mf"]))
def test_one_colour_of_a_material_gives_one_picture(tmp_path, suffix):
    part = part_of(SQUARE, TWO, face_fields={"material": np.zeros(2, np.int32)})
    document = Document([part], [Material("grey", looks=Looks(base_color=(MIDDLE, 0.0, 1.0)))])
    mio.save_document(document, tmp_path / f"a{suffix}")
    assert shown(tmp_path / f"a{suffix}").tolist() == pytest.approx([128, 0, 255], abs=0.02)


def model(path) -> str:
    return ZipFile(path).read("3D/3dmodel.model").decode()


def base(text: str) -> str:
    return f'<basematerials id="1"><base name="a" displaycolor="{text}"/></basematerials>'


def test_materials_of_3mf_are_srgb(tmp_path):
    triangles = '<triangle v1="0" v2="1" v3="2" pid="1" p1="0"/>'
    file = package(tmp_path / "a.3mf", looks_of(tmp_path, base("#80800080"), triangles))
    (material,) = mio.load_document(file).materials
    assert material.values["base_color"] == pytest.approx([MIDDLE, MIDDLE, 0, 128 / 255])
    mio.convert(file, tmp_path / "a.glb")
    surface = json_of((tmp_path / "a.glb").read_bytes())["materials"][0]["pbrMetallicRoughness"]
    assert surface["baseColorFactor"] == pytest.approx([MIDDLE, MIDDLE, 0, 128 / 255])
    assert mio.load_document(tmp_path / "a.glb").materials[0].looks.alpha_mode == "BLEND"
    mio.convert(tmp_path / "a.glb", tmp_path / "b.3mf")
    assert 'displaycolor="#80800080"' in model(tmp_path / "b.3mf")


@pytest.mark.parametrize("shares", ["0 0", "0.5 0.5", "7 7"])
def test_composites_mix_light(tmp_path, shares):
    """Shares that are all 0 count alike, as the format says."""
    group = '<basematerials id="1"><base name="a" displaycolor="#000000"/>'
    group += '<base name="b" displaycolor="#FFFFFF"/></basematerials>'
    group += '<m:compositematerials id="2" matid="1" matindices="0 1">'
    group += f'<m:composite values="{shares}"/></m:compositematerials>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="2" p1="0"/>'
    document = mio.load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    label = document.parts[0].face_fields["material"][0]
    assert document.materials[label].values["base_color"] == [0.5, 0.5, 0.5, 1]
    assert shown(tmp_path / "a.3mf").tolist() == pytest.approx([187.516] * 3, abs=0.01)
