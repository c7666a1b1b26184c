"""`convert --compress`: meshopt rounds nothing, Draco what it says, and both come back."""

from __future__ import annotations

import numpy as np
import pytest
from shared_data import shared_data

from meshlearn import io as mio
from meshlearn.cli import main
from meshlearn.io import Document, FileFormatError, Material, Part
from meshlearn.io.files import encode, find_losses
from meshlearn.io.formats.gltf import draco
from meshlearn.io.looks import Looks, Texture
from tests.io.gltf_scene import json_of, picture
from tests.io.samples import documents
from tests.io.test_gltf_compressed import same_triangles
from tests.io.test_gltf_validator import errors, needs_validator, odd

NAMES = {"meshopt": "EXT_meshopt_compression", "draco": "KHR_draco_mesh_compression"}


def grid(n: int = 40) -> Part:
    """A bumpy square of two materials with every kind of field."""
    x, y = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 2, n), indexing="ij")
    z = 0.1 * np.sin(9 * x) * np.cos(5 * y)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    k = np.arange(n * n).reshape(n, n)
    a, b, c, d = (q.reshape(-1) for q in (k[:-1, :-1], k[1:, :-1], k[1:, 1:], k[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    color = (vertices[:, [0, 1, 2, 0]] * 99 + 50).astype(np.uint8)
    fields = {
        "uv": vertices[:, :2].astype(float), "uv1": vertices[:, :2].astype(float) * 3,
        "normal": np.tile(np.array([0, 0, 1], np.float32), (n * n, 1)), "color": color,
        "heat": vertices[:, 2] * 7, "id": np.arange(n * n).astype(np.uint16),
        "shift": (np.arange(n * n) % 200 - 100).astype(np.int16), "flag": vertices[:, 0] > 0.5,
    }  # fmt: skip
    part = Part.triangles(vertices, faces, name="grid", vertex_fields=fields)
    part.face_fields["material"] = (np.arange(len(faces)) % 2).astype(np.int32)
    return part


def scene(part: Part | None = None) -> Document:
    looks = Looks(base_texture=Texture("t.png"), base_color=(0.5, 0.25, 0.125))
    materials = [Material("a", {}, looks), Material("b", {}, Looks(base_color=(1.0, 0, 0)))]
    return Document([part or grid()], materials, images={"t.png": picture()})


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
def test_meshopt_rounds_nothing_and_is_told_by_nothing(tmp_path, suffix):
    document = scene()
    document.parts[0].lines = [np.array([0, 1]), np.array([1, 2])]
    document.parts[0].points = np.arange(0, 900, 7)
    plain, packed = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert not mio.save_document(document, plain)
    assert not mio.save_document(document, packed, compress="meshopt")
    assert packed.stat().st_size < 0.8 * plain.stat().st_size
    before, after = (mio.load_document(path) for path in (plain, packed))
    (one,), (two,) = before.parts, after.parts
    assert np.array_equal(one.vertices, two.vertices) and one.name == two.name
    assert same_triangles(two.polygon_index, one.polygon_index.reshape(-1, 3))
    assert np.array_equal(one.face_fields["material"], two.face_fields["material"])
    assert set(one.vertex_fields) == set(two.vertex_fields)
    for key, values in one.vertex_fields.items():
        assert np.array_equal(values, two.vertex_fields[key]), key
    assert np.array_equal(one.points, two.points) and len(two.lines) == 2
    assert after.images == before.images


def test_the_file_says_what_a_program_needs(tmp_path):
    mio.save_document(scene(), tmp_path / "a.glb", compress="meshopt")
    body = json_of((tmp_path / "a.glb").read_bytes())
    name = NAMES["meshopt"]
    assert body["extensionsRequired"] == body["extensionsUsed"] == [name]
    assert body["buffers"][1]["extensions"] == {name: {"fallback": True}}
    modes = {v["extensions"][name]["mode"] for v in body["bufferViews"] if "extensions" in v}
    assert modes == {"ATTRIBUTES", "TRIANGLES"}


def told(document: Document, compress: str) -> dict[str, int]:
    report = find_losses(document, "a.glb", compress=compress)
    return {x.what: x.count for x in report.items}


def test_draco_rounds_what_it_says_and_keeps_the_rest(tmp_path):
    pytest.importorskip("DracoPy")
    document = scene()
    (given,) = document.parts
    report = mio.save_document(document, tmp_path / "a.glb", compress="draco")
    assert {x.what for x in report.items} == {"digits of coordinates", "order of faces"}
    mio.save_document(document, tmp_path / "b.glb")
    assert (tmp_path / "a.glb").stat().st_size < 0.8 * (tmp_path / "b.glb").stat().st_size
    body = json_of((tmp_path / "a.glb").read_bytes())
    assert body["extensionsRequired"] == [NAMES["draco"]]
    again = mio.load_document(tmp_path / "a.glb")
    assert again.images == document.images and len(again.parts) == 2  # one for each material
    seen = 0
    for part in again.parts:
        number = part.vertex_fields["id"].astype(int)
        back = {k: v[number] for k, v in given.vertex_fields.items()}
        assert np.abs(part.vertices - given.vertices[number]).max() <= 2 / 65535
        assert np.abs(part.vertex_fields["uv"] - back["uv"]).max() <= 2 / 2**14
        assert np.abs(part.vertex_fields["normal"] - back["normal"]).max() < 2e-3
        for key in ("heat", "shift", "flag"):
            assert np.array_equal(
                part.vertex_fields[key], back[key].astype(part.vertex_fields[key].dtype)
            )
        assert np.array_equal(part.vertex_fields["color"], back["color"])
        assert np.allclose(part.vertex_fields["uv1"], back["uv1"], atol=1e-6)
        faces = number[part.polygon_index].reshape(-1, 3)
        material = part.face_fields["material"][0]
        wanted = given.polygon_index.reshape(-1, 3)[given.face_fields["material"] == material]
        assert sorted(map(sorted, faces.tolist())) == sorted(map(sorted, wanted.tolist()))
        seen += len(faces)
    assert seen == given.num_faces


def test_draco_leaves_lines_and_tells_what_it_has_no_place_for(tmp_path):
    pytest.importorskip("DracoPy")
    part = grid()
    part.lines = [np.array([0, 5, 9])]
    mio.save_document(scene(part), tmp_path / "a.glb", compress="draco")
    again = mio.load_document(tmp_path / "a.glb")
    assert sum(len(p.lines) for p in again.parts) == 1
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [7, 7, 7]], np.float32)
    odd_part = Part.triangles(corners, np.array([[0, 1, 2], [1, 1, 2]]))
    found = told(Document([odd_part]), "draco")
    assert found["faces"] == 1 and found["unused vertices"] == 1
    mio.save_document(Document([odd_part]), tmp_path / "b.glb", compress="draco")
    (part,) = mio.load_document(tmp_path / "b.glb").parts
    assert part.num_faces == 1 and len(part.vertices) == 3
    flat = Part.triangles(corners, np.array([[1, 1, 2]]))
    mio.save_document(Document([flat]), tmp_path / "c.glb", compress="draco")
    assert mio.load_document(tmp_path / "c.glb").parts[0].num_faces == 1


def test_the_command(tmp_path, capsys):
    mio.save_document(scene(), tmp_path / "a.glb")

    def run(*words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["convert", str(tmp_path / "a.glb"), *words])
        return int(ended.value.code or 0)

    assert run(str(tmp_path / "b.glb"), "--compress", "meshopt", "--strict") == 0
    assert NAMES["meshopt"].encode() in (tmp_path / "b.glb").read_bytes()
    capsys.readouterr()
    assert run(str(tmp_path / "c.obj"), "--compress", "meshopt") != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "OBJ files are not compressed by 'meshopt'" in said and "Traceback" not in said
    assert run(str(tmp_path / "c.glb"), "--compress", "zip") != 0
    assert "meshopt, draco" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "c.glb").exists() and not (tmp_path / "c.obj").exists()


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "DracoPy", None)
    with pytest.raises(ImportError, match=r"pip install 'meshlearn\[draco\]'"):
        mio.save_document(scene(), tmp_path / "a.glb", compress="draco")
    assert not (tmp_path / "a.glb").exists()


def test_other_formats_have_none():
    with pytest.raises(FileFormatError, match=r"PLY files are not compressed by 'draco'"):
        encode(scene(), "a.ply", compress="draco")


@needs_validator
@pytest.mark.parametrize("compress", ["meshopt", "draco"])
def test_compressed_files_pass_the_validator_and_come_back(tmp_path, compress):
    if compress == "draco" and not draco.installed():
        pytest.skip("DracoPy is not installed (pip install 'meshlearn[draco]')")
    paths, names = [], {}
    for number, (name, document) in enumerate({**documents(), **odd()}.items()):
        paths.append(tmp_path / f"{number}.glb")
        names[paths[-1].name] = name
        mio.save_document(document, paths[-1], compress=compress)
        mio.save_document(document, tmp_path / "plain.glb")
        counts = [
            sum(p.num_faces for p in mio.load_document(path).parts)
            for path in (tmp_path / "plain.glb", paths[-1])
        ]
        assert counts[0] == counts[1], name
    assert {names[key]: bad for key, bad in errors(paths).items()} == {}


@pytest.mark.parametrize("compress", ["meshopt", "draco"])
def test_a_real_file_keeps_its_surface(tmp_path, compress):
    if compress == "draco":
        pytest.importorskip("DracoPy")
    document = mio.load_document(shared_data("meshes", "Duck.glb"))
    mio.save_document(document, tmp_path / "a.glb", compress=compress)
    before, after = document, mio.load_document(tmp_path / "a.glb")
    areas = []
    for found in (before, after):
        (part,) = found.parts
        a, b, c = (part.vertices[part.polygon_index[k::3]].astype(float) for k in range(3))
        areas.append(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
    assert areas[1] == pytest.approx(areas[0], rel=1e-12 if compress == "meshopt" else 1e-3)
    assert after.images == before.images
