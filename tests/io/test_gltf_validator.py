"""What is written passes Khronos' glTF validator without an error: samples, odd documents, real
files. The validator comes by `scripts/gltf_validator`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from shared_data import shared_data

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Material, Part
from meshlearn.io.looks import Looks, Texture
from tests.io.gltf_scene import TRIANGLE, json_of, picture
from tests.io.samples import documents, png

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
const fs = require('fs'), {validateBytes} = require('gltf-validator');
(async () => {
  for (const name of process.argv.slice(1)) {
    const report = await validateBytes(new Uint8Array(fs.readFileSync(name)), {uri: name});
    const bad = report.issues.messages.filter(m => m.severity === 0);
    console.log(JSON.stringify([name, bad.map(m => m.code + ' ' + m.pointer + ' ' + m.message)]));
  }
})();
"""


@cache
def modules() -> str | None:
    """The folder of node's modules with the validator in it."""
    if shutil.which("node") is None:
        return None
    places = [os.environ.get("MESHLEARN_NODE_MODULES"), ROOT / "build" / "node" / "node_modules"]
    for place in places:
        if place and (Path(place) / "gltf-validator").is_dir():
            return str(place)
    return None


needs_validator = pytest.mark.skipif(
    modules() is None, reason="the glTF validator is not there (./scripts/gltf_validator)"
)


def errors(paths: list[Path]) -> dict[str, list[str]]:
    """The validator's errors, by file, of those that have any."""
    found = subprocess.run(
        ["node", "-e", PROGRAM, *map(str, paths)],
        env={**os.environ, "NODE_PATH": str(modules())},
        capture_output=True,
        text=True,
        timeout=600,
    )
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(rows) == len(paths), found.stderr
    return {Path(name).name: bad for name, bad in rows if bad}


FACE = np.array([[0, 1, 2]])
NUMBERS = {
    "vertex that is not a number": TRIANGLE * [[np.nan], [1], [1]],
    "vertex that is infinite": TRIANGLE + np.array([[np.inf], [0], [0]]),
    "vertices beyond single precision": TRIANGLE.astype(float) * 1e300,
}
FIELDS = {
    "uv": [[np.nan, 0], [1e300, 0], [1, 1]],
    "heat": [np.nan, np.inf, 1],
    "tangent": [[2, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, -0.5]],
    "color": [[2, -1, 0.5], [np.nan, 0, 1], [0, 0, 0]],
    "wärme x": [1.0, 2, 3],
    "position": [1.0, 2, 3],
    "_": [1.0, 2, 3],
    "nothing": [[], [], []],
    "normal": [[0, 0, 0], [np.nan, 0, 0], [0, 0, 3]],
}
PLACES = {
    "shear": [[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    "flat": np.diag([1, 1, 0, 1]),
    "mirror": np.diag([-1, 1, 1, 1]),
    "projection": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0.5, 0, 0, 1]],
    "not a number": [[1, 0, 0, np.nan], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    "huge": np.diag([1e30, 1e30, 1e30, 1]),
    "tiny": np.diag([1e-20, 1e-20, 1e-20, 1]),
}
BAD_WORDS = {
    "alphaMode": "SHINY",
    "alphaCutoff": -3,
    "pbrMetallicRoughness": {"baseColorFactor": [2, 2, 2], "metallicFactor": 9},
    "emissiveFactor": [9, float("nan"), 9],
    "doubleSided": "yes",
    "occlusionTexture": {"image": "t.png", "strength": 5},
    "normalTexture": {"image": "t.png", "texCoord": 3},
    "extras": {"x": float("inf"), "y": None},
}


def odd() -> dict[str, Document]:
    """Documents with what glTF does not allow."""

    def one(vertices=TRIANGLE, **more) -> Part:
        return Part.triangles(np.array(vertices), FACE, **more)

    painted = {"face_fields": {"material": np.array([0], np.int32)}}
    images = {"t.png": png()}
    out = {name: Document([one(values)]) for name, values in NUMBERS.items()}
    for key, values in FIELDS.items():
        for kind in (np.float32, np.float64):
            with np.errstate(over="ignore"):
                field = np.array(values, kind)
            out[f"{key} {kind.__name__}"] = Document([one(vertex_fields={key: field})])
    for name, matrix in PLACES.items():
        out[name] = Document([one(transform=np.array(matrix, float))])
    looks = Looks(
        base_color=(2, -1, np.nan), alpha=3, alpha_mode="MASK", alpha_cutoff=-1, metallic=7,
        roughness=np.nan, emissive=(5, np.inf, 0), unlit=True, double_sided=True,
        base_texture=Texture("t.png", scale=(np.nan, 1)),
        occlusion_texture=Texture("t.png", strength=5),
        normal_texture=Texture("t.png", uv=1),
    )  # fmt: skip
    uv = {"uv": np.array([[0, 0], [1, 0], [1, 1.0]])}
    for name, fields in (("without coordinates", {}), ("with coordinates", uv)):
        for kind, values in (("looks", {}), ("words", {"gltf": BAD_WORDS})):
            material = Material("m", values, looks)
            part = one(vertex_fields=fields, **painted)
            out[f"{kind} {name}"] = Document([part], [material], images=images)
    both = [one(vertex_fields=uv, **painted), one(**painted)]
    out["one material"] = Document(both, [Material("m", {}, looks)], images=images)
    out["whole colours"] = Document([one(vertex_fields={"color": np.array([[255, 0, 3]] * 3)})])
    out["empty line"] = Document([Part(vertices=TRIANGLE, lines=[np.zeros(0, np.int64)])])
    out["empty image"] = Document(
        [one(vertex_fields=uv, **painted)],
        [Material("m", {}, Looks(base_texture=Texture("t.png")))],
        images={"t.png": b""},
    )
    for kind in ("bmp", "tga", "webp"):
        looks = Looks(base_texture=Texture("t"), emissive=(4, 1, 0))
        part = one(vertex_fields=uv, **painted)
        out[kind] = Document([part], [Material("m", {}, looks)], images={"t": picture(kind)})
    gap = CornerField(np.ones((1, 2)), np.array([0, -1, 0]))
    out["corners without coordinates"] = Document([one(corner_fields={"uv": gap})])
    asset = {"copyright": 5, "version": "3", "extras": float("nan")}
    out["asset"] = Document([one()], metadata={"asset": asset})
    generator = np.random.default_rng(3)
    for number, size in enumerate((1e-6, 1, 10, 1e4, 1e8)):
        turn = np.linalg.qr(generator.normal(size=(3, 3)))[0] * size * [1, 2, 30]
        for kind in (np.float32, np.float64):
            matrix = np.eye(4)
            matrix[:3] = np.column_stack([turn, [1e6, 0.1, -3]]).astype(kind)
            out[f"placed {number} {kind.__name__}"] = Document([one(transform=matrix)])
    return out


@needs_validator
def test_samples_and_odd_documents_are_written_without_an_error(tmp_path):
    paths, names = [], {}
    for number, (name, document) in enumerate({**documents(), **odd()}.items()):
        for suffix in (".glb", ".gltf"):
            path = tmp_path / f"{number}{suffix}"
            mio.save_document(document, path)
            paths.append(path)
            names[path.name] = name
    assert {names[key]: bad for key, bad in errors(paths).items()} == {}


@needs_validator
def test_real_files_are_written_without_an_error(tmp_path):
    folder, paths = shared_data("meshes"), []
    for source in sorted(folder.iterdir()):
        if source.suffix.lower() not in (".json", ".mtl", ".jpg", ".png", ".bin"):
            paths.append(tmp_path / f"{source.name}.glb")
            mio.convert(source, paths[-1])
    assert len(paths) > 20 and errors(paths) == {}


def told(document: Document, tmp_path: Path) -> dict[str, int]:
    return {x.what: x.count for x in mio.save_document(document, tmp_path / "a.glb").items}


def test_what_had_to_be_changed_is_told(tmp_path):
    found = {name: told(document, tmp_path) for name, document in odd().items()}
    assert found["vertex that is not a number"] == {
        "vertices that are NaN or infinite": 1,
        "faces": 1,
    }
    assert found["heat float64"]["values of vertex field 'heat' that are NaN or infinite"] == 2
    assert found["color float32"]["colours beyond 1"] == 2
    assert found["tangent float32"] == {"lengths of tangents": 3}
    assert found["nothing float32"] == {"vertex field 'nothing'": 3}
    assert "transforms" in found["shear"] and "transforms" in found["flat"]
    assert not found["mirror"] and not found["whole colours"] and not found["placed 4 float64"]


def test_sheared_parts_keep_their_place_and_their_outside(tmp_path):
    matrix = np.array([[-1, 0.5, 0, 3], [0, 2, 0, 0], [0, 0.25, 1, 0], [0, 0, 0, 1.0]])
    normal = np.array([[0, 0, 1]] * 3, np.float32)
    part = Part.triangles(TRIANGLE, FACE, vertex_fields={"normal": normal}, transform=matrix)
    mio.save_document(Document([part]), tmp_path / "a.glb")
    (made,) = mio.load_document(tmp_path / "a.glb").parts
    assert made.transform is None
    assert np.allclose(made.vertices, TRIANGLE @ matrix[:3, :3].T + matrix[:3, 3])
    a, b, c = made.vertices[made.polygon_index]
    across = np.cross(b - a, c - a)
    assert np.allclose(made.vertex_fields["normal"], across / np.linalg.norm(across), atol=1e-6)


def test_turned_parts_are_where_they_were(tmp_path):
    for name, document in odd().items():
        if not name.startswith("placed"):
            continue
        mio.save_document(document, tmp_path / "a.glb")
        before, (after,) = document.parts[0].transform, mio.load_document(tmp_path / "a.glb").parts
        size = np.linalg.norm(before[:3, :3])
        assert np.abs(after.transform - before)[:3, :3].max() <= 3e-7 * size
        assert np.array_equal(after.transform[:, 3], before[:, 3])


def test_textures_on_faces_without_coordinates_get_some_that_are_not_read_again(tmp_path):
    """As programs look a texture up where there are none: at (0, 0)."""
    mio.save_document(odd()["one material"], tmp_path / "a.glb")
    body = json_of((tmp_path / "a.glb").read_bytes())
    for mesh in body["meshes"]:
        attributes = mesh["primitives"][0]["attributes"]
        assert {"TEXCOORD_0", "TEXCOORD_1"} < set(attributes)
    document = mio.load_document(tmp_path / "a.glb")
    assert [list(part.vertex_fields) for part in document.parts] == [["uv"], []]
    assert document.materials[0].looks.normal_texture.uv == 1
