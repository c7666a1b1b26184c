"""`meshlearn wrap`: the command."""

import json

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes


@pytest.fixture
def loose(tmp_path):
    """A box of triangles that share nothing, one of them missing."""
    solid = shapes.box()
    corner = solid.triangles[1:].reshape(-1, 3)
    path = tmp_path / "loose.stl"
    ml.Mesh(corner, torch.arange(33).view(-1, 3)).save(path)
    return path


def test_lengths_and_shares(cli, loose, tmp_path):
    out = tmp_path / "solid.ply"
    done = cli("wrap", loose, out, "--alpha", "40%", "--offset", "0.02", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["watertight"] and told["manifold"] and told["consistently_oriented"]
    assert (told["components"], told["euler_number"]) == (1, 2)
    made = ml.load(out)
    assert float(made.volume()) == pytest.approx(told["volume"], rel=1e-5)
    assert float(made.volume()) == pytest.approx(1.04**3, rel=0.1)
    again = cli("wrap", loose, out, "--alpha", "40%", "--tight", "--overwrite")
    assert again.returncode == 0 and "watertight, manifold, 1 component" in again.stderr
    away = (ml.load(out).vertices.abs().amax(1) - 0.5).abs()  # but for the hole, which is spanned
    assert float(away.quantile(0.7)) < 1e-3


def test_points_and_holes(cli, tmp_path):
    np.save(tmp_path / "points.npy", shapes.icosphere(3).vertices.numpy())
    done = cli("wrap", tmp_path / "points.npy", tmp_path / "solid.obj", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["euler_number"] == 2


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--alpha", "wide"], 2, "expected a length such as 0.5, or a share"),
        (["--alpha", "300%"], 1, "alpha: 5.196 is larger than the shape"),
        (["--alpha", "0"], 1, "alpha: expected the radius of the ball above 0"),
        (["--tight", "--offset", "0.1"], 2, "does not go with --tight"),
    ],
)
def test_refusals(cli, loose, tmp_path, options, code, text):
    done = cli("wrap", loose, tmp_path / "out.ply", *options)
    assert done.returncode == code and text in " ".join(done.stderr.split()), done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out.ply").exists()
