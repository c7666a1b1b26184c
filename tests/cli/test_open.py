"""Open surfaces on the command line: fitted by gshell, marked, compared; told for flexicubes."""

import json

import meshlearn as ml
from meshlearn.data import open_shapes


def test_reconstruct_an_open_mesh(cli, tmp_path):
    source, out = tmp_path / "bowl.ply", tmp_path / "fit.ply"
    ml.save(open_shapes.bowl(segments=32, rings=12), source)
    args = ["reconstruct", source, out, "--method", "gshell", "--resolution", 16, "--steps", 3]
    done = cli(*args, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["method"] == "gshell" and said["watertight"] is False and done.stderr == ""
    fit = ml.load(out)
    loops = fit.topology.boundary_loops()
    marks = fit.vertex_attributes["boundary"].reshape(-1)
    assert len(loops) == 1 and int(marks.sum()) == len(loops[0])
    assert bool((marks[loops[0]] == 1).all())

    done = cli("compare", out, source, "--samples", 2000, "--json")
    found = json.loads(done.stdout)
    assert found["boundary_loops_pred"] == found["boundary_loops_target"] == 1
    assert found["boundary_chamfer"] < 0.02 and found["euler_pred"] == 1

    done = cli(*args[:2], tmp_path / "closed.ply", "--resolution", 8, "--steps", 0)
    assert done.returncode == 0 and "method 'gshell' fits it open" in done.stderr


def test_sparse_resolutions(cli, tmp_path):
    source = tmp_path / "bowl.ply"
    ml.save(open_shapes.bowl(segments=24, rings=8), source)
    done = cli("reconstruct", source, tmp_path / "a.ply", "--sparse", "--resolution", 130)
    assert done.returncode == 1 and "times a power of two" in done.stderr
