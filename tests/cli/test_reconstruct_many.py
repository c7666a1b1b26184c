"""`reconstruct SCANS OUT --to EXT`: a folder of scans."""

from __future__ import annotations

import json

import numpy as np
import pytest

import meshlearn as ml


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "more/c"):
        normals = rng.normal(size=(600, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        np.savetxt(folder / f"{name}.xyz", np.concatenate([normals, normals], 1))
    (folder / "bad.xyz").write_text("1 2\n3 4 nothing\n")
    return folder


def test_each_scan_becomes_a_mesh_and_a_bad_one_is_told(scans, tmp_path, cli):
    out = tmp_path / "meshes"
    given = ("--method", "poisson", "--resolution", "24", "--to", "ply")
    done = cli("reconstruct", scans, out, *given, "--jobs", "2", "--json")
    assert done.returncode == 1 and "bad.xyz" in done.stderr
    told = json.loads(done.stdout)
    assert (told["converted"], told["failed"], told["skipped"]) == (3, 1, 0)
    for name in ("a", "b", "more/c"):
        mesh = ml.load(out / f"{name}.ply")
        assert mesh.is_watertight and abs(float(mesh.vertices.norm(dim=1).mean()) - 1) < 0.02
    # again: what is done is skipped, what was lost is made
    (out / "b.ply").unlink()
    (scans / "bad.xyz").unlink()
    done = cli("reconstruct", scans, out, *given)
    assert done.returncode == 0, done.stderr
    assert "reconstructed 1 of 3 files, 2 were done before" in done.stderr


def test_options_that_are_for_one_input_are_refused(scans, tmp_path, cli):
    out = tmp_path / "meshes"
    for options, said in (
        (("--to", "ply", "--checkpoint", "x"), "--checkpoint"),
        (("--to", "nothing"), "--to"),
        (("--to", "ply", "--trim", "3"), "--trim"),
        (("--jobs", "2"), "--jobs"),
    ):
        done = cli("reconstruct", scans, out, *options)
        assert done.returncode == 2 and said in done.stderr
    assert not out.exists()
