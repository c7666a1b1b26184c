"""`meshlearn repair`: what is written is sound, a plan writes nothing, and words say it all."""

import json

import numpy as np
import pytest

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere
from meshlearn.io import Document, Part, save_document


@pytest.fixture
def broken(tmp_path):
    """A ball with a hole, a fin and a turned face, its quadrilaterals beside it."""
    ball = icosphere(2)
    faces = ball.faces.numpy().copy()
    faces[5] = faces[5][::-1]
    a, b = faces[50][:2]
    vertices = ball.vertices.double().numpy()
    fin = [a, b, len(vertices)]
    vertices = np.concatenate([vertices, [vertices[a] * 1.4]])
    faces = np.concatenate([np.delete(faces, [100], 0), [fin]])
    part = Part.triangles(vertices, faces, face_fields={"heat": np.arange(len(faces)) * 0.5})
    path = tmp_path / "broken.ply"
    save_document(Document([part]), path)
    return path


def test_repair_writes_a_sound_mesh_and_counts(broken, cli):
    out = broken.with_name("good.ply")
    facts = json.loads(cli("repair", broken, out, "--holes", "all", "--json").stdout)
    assert facts["ok"] and facts["manifold"] and facts["left"] == ""
    steps = {step["what"]: step["count"] for step in facts["steps"]}
    assert steps["edges of more than two faces taken apart"] == 1 and steps["faces turned"] == 1
    assert "1 holes filled; a hole of 3 edges" in " ".join(steps)  # of the fin
    assert json.loads(cli("check", out, "--strict", "--json").stdout)["ok"]
    assert "heat" in ml.load(out).face_attributes
    again = cli("repair", broken, out)
    assert again.returncode == 1 and "--overwrite" in again.stderr


def test_a_plan_writes_nothing(broken, cli):
    before = sorted(path.name for path in broken.parent.iterdir())
    done = cli("repair", broken, "--plan")
    assert done.returncode == 0 and "1 edges of more than two faces taken apart" in done.stderr
    out = broken.with_name("good.ply")
    facts = json.loads(cli("repair", broken, out, "--plan", "--json").stdout)
    assert facts["steps"] and sorted(p.name for p in broken.parent.iterdir()) == before
    assert cli("repair", broken).returncode == 2
    assert cli("repair", broken, out, "--holes", "wide").returncode == 2
    assert not out.exists()


def test_repair_wraps_on_request(broken, cli):
    out = broken.with_name("good.obj")
    facts = json.loads(cli("repair", broken, out, "--holes", "wrap", "--json").stdout)
    assert facts["watertight"] and facts["ok"] and ml.load(out).is_watertight


def test_crossings_are_cut_unless_kept(tmp_path, cli):
    both = ml.mesh.cat([box(), box().translate((0.3, 0.4, 0.5))]).mesh
    path, out = tmp_path / "two.ply", tmp_path / "one.stl"
    both.save(path)
    facts = json.loads(cli("repair", path, out, "--json").stdout)
    steps = {step["what"]: step["count"] for step in facts["steps"]}
    assert steps["faces that crossed others cut along them"] == 12
    assert facts["watertight"] and facts["left"] == "" and facts["components"] == 1
    done = cli("check", out, "--merge", "0", "--fail-on", "error,self-intersections")
    assert done.returncode == 0, done.stderr
    kept = json.loads(cli("repair", path, "--plan", "--keep-crossings", "--json").stdout)
    assert kept["steps"] == [] and kept["components"] == 2
