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


def test_a_number_of_faces_or_an_error(cli, tmp_path):
    icosphere(3).save(tmp_path / "ball.ply")
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "few.ply", "-n", "400", "--adaptive")
    assert done.returncode == 0, done.stderr
    assert ml.load(tmp_path / "few.ply").num_faces == 400
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "near.ply", "--error", "1%", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["edge_length"] is None and 0.1 < facts["mean_edge_length"] < 0.35


BAD = [("0", "positive"), ("nan", "positive"), ("x", "a length"), ("1e-7", "faces")]


def test_two_sizes_are_refused(cli, tmp_path):
    icosphere(2).save(tmp_path / "ball.ply")
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "x.ply", "-l", "0.1", "-n", "400")
    assert done.returncode and "pass one of both" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "x.ply").exists()


@pytest.mark.parametrize(("length", "said"), BAD)
def test_bad_lengths_are_told_and_nothing_is_written(cli, tmp_path, length, said):
    icosphere(2).save(tmp_path / "ball.ply")
    done = cli("remesh", tmp_path / "ball.ply", tmp_path / "even.ply", "-l", length)
    assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "even.ply").exists()
