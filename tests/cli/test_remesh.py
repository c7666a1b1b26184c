"""`remesh MESH OUT`."""

from __future__ import annotations

import json

import pytest

import meshlearn as ml
from meshlearn.data.shapes import icosphere


def test_even_triangles_are_written(cli, tmp_path):
    icosphere(3).save(tmp_path / "ball.ply")
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "even.ply", "-l", "0.2", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["edge_length"] == 0.2
    mesh = ml.load(tmp_path / "even.ply")
    assert mesh.is_watertight and 500 < mesh.num_faces < 1000
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "rough.ply", "--edge-length", "10%")
    assert done.returncode == 0 and ml.load(tmp_path / "rough.ply").num_faces < mesh.num_faces


BAD = [("0", "positive"), ("x", "a length"), ("1e-7", "faces")]


@pytest.mark.parametrize(("length", "said"), BAD)
def test_bad_lengths_are_told_and_nothing_is_written(cli, tmp_path, length, said):
    icosphere(2).save(tmp_path / "ball.ply")
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "even.ply", "-l", length)
    assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "even.ply").exists()
