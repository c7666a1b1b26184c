"""`meshlearn train deepmesh` and `reconstruct --method deepmesh`: from shapes to a fitted code."""

import json

import pytest

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.representations import DeepMesh

SIZE = ("--latent", 4, "--hidden", 16, "--layers", 2, "--batch", 2, "--points", 64)


@pytest.fixture
def folder(cli, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for k in range(2):
        ball = shapes.icosphere(2)
        ml.save(ball.with_vertices(ball.vertices * (1 + k)), source / f"{k}.obj")
    few = ("--near", 500, "--space", 100, "--surface", 10, "--voxels", "none", "--jobs", 0)
    assert cli("prepare", source, tmp_path / "data", *few).returncode == 0
    return tmp_path


def test_trains_goes_on_and_is_fitted(cli, folder):
    run = folder / "run"
    done = cli("train", "deepmesh", folder / "data", run, *SIZE, "--steps", 20, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["shapes"] == 2 and told["steps"] == 20 and told["sdf_loss"] > 0
    assert DeepMesh.load(run / "model.safetensors").codes.shape == (2, 4)
    again = cli("train", "deepmesh", folder / "data", run, *SIZE, "--steps", 20)
    assert again.returncode == 1 and "holds a training; give --resume" in again.stderr
    assert cli("train", "deepmesh", folder / "none", folder / "x", *SIZE).returncode == 1
    wrong = cli(
        "reconstruct", folder / "in/0.obj", folder / "o.ply", "--network", run / "model.safetensors"
    )
    assert wrong.returncode == 2 and "--method deepmesh" in wrong.stderr
    other = cli(
        "reconstruct", folder / "in/0.obj", folder / "o.ply", "--method", "deepmesh",
        "--network", run / "checkpoint.safetensors",
    )  # fmt: skip
    assert other.returncode == 1 and "expected a checkpoint of a field" in other.stderr
