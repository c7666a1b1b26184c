"""`bake FINE COARSE OUT`."""

import json

import pytest

import meshlearn as ml
from meshlearn.data.shapes import icosphere

pytest.importorskip("xatlas", reason="xatlas is not installed")


def test_maps_are_written(tmp_path, cli):
    ball = icosphere(4)
    ball.vertex_attributes["color"] = (ball.vertices + 1) / 2
    ball.save(tmp_path / "fine.ply")
    icosphere(1).save(tmp_path / "coarse.ply")
    out = tmp_path / "out.glb"
    paths = [tmp_path / "fine.ply", tmp_path / "coarse.ply", out]
    done = cli("bake", *paths, "--size", "64", "--json")
    assert json.loads(done.stdout)["textures"] == ["color.png", "normal.png"]
    mesh = ml.load(out)
    assert mesh.num_faces == 80 and mesh.materials[0].looks.normal_texture is not None
    assert mesh.vertex_attributes["tangent"].shape[1] == 4
    assert "tangent" not in done.stderr  # nothing of it is lost
    assert cli("bake", *paths, "--size", "64").returncode != 0  # it is there
    again = cli(
        "bake", tmp_path / "fine.ply", out, tmp_path / "two.obj", "--size", "64",
        "--maps", "normal, occlusion", "--rays", "2", "--unwrap",
    )  # fmt: skip
    assert again.returncode == 0 and (tmp_path / "occlusion.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--maps", "albedo"), 1, "maps: expected some of color, normal, occlusion"),
        (("--size", "4"), 2, "size"),
        (("--reach", "far"), 2, "reach"),
    ],
)
def test_bad_options_are_told(tmp_path, cli, options, code, words):
    icosphere(1).save(tmp_path / "ball.ply")
    out = tmp_path / "out.glb"
    done = cli("bake", tmp_path / "ball.ply", tmp_path / "ball.ply", out, *options)
    assert done.returncode == code and words in done.stderr and not out.exists()
