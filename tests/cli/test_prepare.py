"""`meshlearn prepare`: what is bad is listed, the exit code is by option."""

import json

import pytest

import meshlearn as ml
from meshlearn.data import shapes

SMALL = ("--near", 50, "--space", 50, "--surface", 10, "--voxels", "8", "--jobs", 0)


@pytest.fixture
def meshes(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    ml.save(shapes.box(), folder / "box.obj")
    (folder / "torn.obj").write_text("v 0 0\nf 1 2 3\n")
    return folder


def test_lists_and_skips(cli, meshes, tmp_path):
    done = cli("prepare", meshes, tmp_path / "out", *SMALL)
    assert done.returncode == 0 and done.stdout == ""
    assert "left out: " in done.stderr and "torn.obj" in done.stderr
    assert "prepared 1 of 2 shapes, 1 left out" in done.stderr
    again = cli("prepare", meshes, tmp_path / "out", *SMALL, "--strict", "--json")
    assert again.returncode == 1
    found = json.loads(again.stdout)
    assert (found["prepared"], found["skipped"], found["failed"]) == (0, 1, 1)
    assert [f["state"] for f in found["files"]] == ["skipped", "failed"]


def test_wrong_use(cli, meshes, tmp_path):
    for args, code, words in (
        ((tmp_path / "none", tmp_path / "out"), 1, "there is no folder"),
        ((meshes, tmp_path / "a" / "b"), 1, "does not exist; make it first"),
        ((meshes, tmp_path / "out", "--voxels", "x"), 2, "expected numbers from 1 to 512"),
        (("families:boats:2", tmp_path / "out"), 1, "is no family of"),
    ):
        done = cli("prepare", *args)
        assert done.returncode == code and words in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
