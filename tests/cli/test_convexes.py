"""`reconstruct --method bspnet` and `train bspnet`."""

import json

import pytest

from meshlearn.data import shapes
from meshlearn.io import load_document

pytest.importorskip("manifold3d")


def test_the_command_writes_union_parts_and_picture(cli, tmp_path):
    source = tmp_path / "box.obj"
    shapes.box((1.0, 0.6, 0.4)).save(source)
    out, parts = tmp_path / "out.ply", tmp_path / "parts.obj"
    words = ["reconstruct", source, out, "--method", "bspnet", "--resolution", 24, "--steps", 0]
    done = cli(*words, "--parts", parts, "--picture", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["convexes"] == 1 and facts["watertight"] and facts["planes"] <= 6
    assert load_document(parts).parts[0].groups == ["convex_0"]
    assert (tmp_path / "out.png").is_file()
    assert "color" in load_document(out).parts[0].face_fields
    assert cli(*words).returncode == 1  # it exists
    assert cli(*words, "--overwrite", "--sparse").returncode == 2
    scad = cli(*words, "--overwrite", "--parts", tmp_path / "a.scad")
    assert scad.returncode == 0 and "polyhedron" in (tmp_path / "a.scad").read_text()
    other = cli("reconstruct", source, tmp_path / "b.ply", "--parts", tmp_path / "b.obj")
    assert other.returncode == 2 and "--parts" in other.stderr


def test_training_and_feed_forward(cli, tmp_path):
    from meshlearn.data.families import shape

    run, mesh = tmp_path / "run", tmp_path / "chair.ply"
    shape("chairs", 0).mesh.save(mesh)
    sizes = "--planes 64 --convexes 4 --resolution 16 --code 16 --hidden 32 --width 4 --batch 4"
    sizes += " --samples 16 --points 256 --lr 0.003 --held-out 0"
    words = ["train", "bspnet", "families:chairs:3", run, *sizes.split()]
    done = cli(*words, "--steps", "60,60", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["steps"] == 120 and facts["shapes"] == 3
    assert (run / "loss.png").is_file()
    out = tmp_path / "out.ply"
    given = ["reconstruct", mesh, out, "--method", "bspnet", "--checkpoint", run]
    found = cli(*given, "--json")
    assert found.returncode == 0, found.stderr
    assert out.is_file()
    assert cli(*words, "--steps", "60").returncode == 2  # one number for each stage
    again = cli(*words, "--steps", "60,60")
    assert again.returncode == 1 and "holds a training; give --resume" in again.stderr
    assert cli("train", "bspnet", tmp_path / "none", tmp_path / "new").returncode == 1
    assert cli(*given[:-1], tmp_path, "--overwrite").returncode == 1  # no training there
