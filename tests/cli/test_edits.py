"""Verbs that make one mesh of others: what they write, keep and refuse."""

import json

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere


@pytest.fixture
def files(tmp_path):
    box().save(tmp_path / "a.obj")
    box().translate((0.5, 0.5, 0.5)).save(tmp_path / "b.stl")
    ball = icosphere(2)
    ball.submesh(ball.vertices[ball.faces].mean(1)[:, 2] < 0.8).mesh.save(tmp_path / "open.ply")
    return tmp_path


def test_boolean_writes_a_solid(files, cli):
    pytest.importorskip("manifold3d")
    out = files / "c.ply"
    done = cli("boolean", "difference", files / "a.obj", files / "b.stl", out, "--json")
    facts = json.loads(done.stdout)
    assert facts["watertight"] and facts["volume"] == pytest.approx(1 - 0.125)
    assert float(ml.load(out).volume()) == pytest.approx(1 - 0.125)
    again = cli("boolean", "union", files / "a.obj", files / "b.stl", out)
    assert again.returncode == 1 and "--overwrite" in again.stderr


def test_boolean_keeps_the_unit(files, cli):
    pytest.importorskip("manifold3d")
    cli("convert", files / "a.obj", files / "a.3mf", "--unit", "mm", "--up", "z")
    cli("boolean", "union", files / "a.3mf", files / "b.stl", files / "c.3mf")
    assert json.loads(cli("info", files / "c.3mf", "--json").stdout)["unit"] == "mm"


def test_boolean_names_the_file_that_is_no_solid(files, cli):
    pytest.importorskip("manifold3d")
    done = cli("boolean", "union", files / "a.obj", files / "open.ply", files / "c.ply")
    assert done.returncode == 1 and not (files / "c.ply").exists()
    assert done.stderr.count("\n") == 1 and "open.ply: expected a closed surface" in done.stderr
    done = cli("boolean", "difference", files / "a.obj", files / "a.obj", files / "c.ply")
    assert done.returncode == 1 and "is empty" in done.stderr
    for wrong in (["xor", files / "a.obj", files / "b.stl"], ["union", files / "a.obj"]):
        assert cli("boolean", *wrong, files / "c.ply").returncode == 2


def test_subdivide_and_smooth(files, cli):
    out = files / "fine.ply"
    facts = json.loads(cli("subdivide", files / "open.ply", out, "-n", "2", "--json").stdout)
    assert facts["faces"] == 16 * ml.load(files / "open.ply").num_faces
    assert ml.load(out).num_faces == facts["faces"] and not facts["watertight"]
    calm = files / "calm.ply"
    facts = json.loads(cli("smooth", out, calm, "--method", "implicit", "--json").stdout)
    assert 0 < facts["largest_move"] < 0.1
    before, after = ml.load(out), ml.load(calm)
    rim = before.topology.boundary_loops()[0]
    assert (before.vertices - after.vertices)[rim].abs().max() < 1e-6
    assert cli("subdivide", out, files / "x.ply", "--sharp", "3").returncode == 2
    done = cli("subdivide", out, files / "x.ply", "-n", "15")
    assert done.returncode == 1 and "faces of" in done.stderr and not (files / "x.ply").exists()
    done = cli("smooth", out, files / "x.ply", "--amount", "-1")
    assert done.returncode == 1 and "amount: expected" in done.stderr


def test_register_moves_a_mesh_onto_another(files, cli):
    goal = icosphere(3).scale((1, 2, 3))
    goal = goal.with_vertices(goal.vertices + 0.1 * goal.vertices.square())
    goal.save(files / "goal.ply")
    goal.rotate("x", 100).translate((4, 0, 0)).save(files / "moved.ply")
    out = files / "back.ply"
    done = cli("register", files / "moved.ply", files / "goal.ply", out, "--json")
    facts = json.loads(done.stdout)
    assert facts["error"] < 1e-3 and facts["converged"] and len(facts["matrix"]) == 4
    assert (ml.load(out).vertices - goal.vertices).abs().max() < 1e-3
    far = cli(
        "register", files / "moved.ply", files / "goal.ply", files / "x.ply",
        "--start", "none", "--max-distance", "0.0001",
    )  # fmt: skip
    assert far.returncode == 1 and "max_distance: no point" in far.stderr


def test_register_bends_a_mesh_onto_another(files, cli):
    mesh = icosphere(2).scale((1, 2, 3))
    mesh.save(files / "mesh.ply")
    z = mesh.vertices[:, 2:]
    goal = mesh.with_vertices(
        mesh.vertices + 0.1 * z.square() * mesh.vertices.new_tensor([1, 0, 0])
    )
    goal.save(files / "goal.ply")
    ml.save(ml.Mesh(ml.sample_points(goal, 3000), []), files / "points.ply")
    out = files / "bent.ply"
    rigid = json.loads(
        cli("register", files / "mesh.ply", files / "goal.ply", out, "--json").stdout
    )
    for target in ("goal.ply", "points.ply"):
        done = cli(
            "register", files / "mesh.ply", files / target, out,
            "--nonrigid", "--json", "--overwrite",
        )  # fmt: skip
        facts = json.loads(done.stdout)
        assert facts["error"] < 0.3 * rigid["error"] and facts["folds"] == 0
        assert 0 < facts["stretch"] < 0.1 and facts["factor"] == pytest.approx(1)
        assert torch.equal(ml.load(out).faces, mesh.faces)
    done = cli(
        "register", files / "mesh.ply", files / "goal.ply", files / "x.ply",
        "--nonrigid", "--stiffness", "0",
    )  # fmt: skip
    assert done.returncode == 2 and not (files / "x.ply").exists()
