"""Verbs on files far from the origin: what they say and write is as at the origin."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn.io as mio
from meshlearn.io.document import Document
from meshlearn.train.prepared import load_prepared
from tests.cli.runner import meshlearn
from tests.survey import UTM, survey


def written(folder, *, cells=40):
    paths = {}
    for name, offset in (("near", 0 * UTM), ("far", UTM)):
        paths[name] = folder / f"{name}.obj"
        mio.save_document(Document([survey(offset, cells=cells)]), paths[name])
    return paths


def run(*args):
    done = meshlearn(*args)
    assert done.returncode == 0, done.stderr
    return done


def test_simplify_and_compare(tmp_path):
    figures = {}
    for name, path in written(tmp_path).items():
        small = tmp_path / f"{name}_small.obj"
        run("convert", path, small, "--simplify", "0.2")
        figures[name] = json.loads(run("compare", small, path, "--json").stdout)
    near, far = figures["near"], figures["far"]
    for key in ("area_error", "chamfer", "inaccurate_normals_percent", "hausdorff"):
        assert far[key] == pytest.approx(near[key], rel=0.02, abs=1e-6), key
    assert near["area_error"] < 0.01


def test_render_into_a_picture_and_a_folder(tmp_path):
    for name, path in written(tmp_path).items():
        done = run("render", path, tmp_path / f"{name}.png", "--size", "96")
        assert "warning" not in done.stderr
        run("render", path, tmp_path / name, "--views", "3", "--size", "32")
    pictures = [np.asarray(Image.open(tmp_path / f"{n}.png")).astype(int) for n in ("near", "far")]
    assert (np.abs(pictures[0] - pictures[1]) > 3).mean() < 2e-3
    depth = [np.asarray(Image.open(tmp_path / n / "depth" / "001.png")) for n in ("near", "far")]
    assert (np.abs(depth[0].astype(int) - depth[1]) > 60).mean() < 5e-3


def test_info_and_check_tell_corners_apart(tmp_path):
    paths = written(tmp_path)
    facts = {n: json.loads(run("info", p, "--json").stdout) for n, p in paths.items()}
    assert facts["far"]["area"] == pytest.approx(facts["near"]["area"], rel=1e-7)
    np.testing.assert_allclose(facts["far"]["lower"], facts["near"]["lower"] + UTM, rtol=1e-15)
    assert "431000.37 5398000.21" in run("info", paths["far"]).stdout
    assert "(431000.37, 5398000.21, " in run("check", paths["far"]).stdout
    checks = [json.loads(meshlearn("check", p, "--json").stdout) for p in paths.values()]
    counts = [{k: v["count"] for k, v in c["defects"].items()} for c in checks]
    assert counts[0] == counts[1]


def test_conversions_tell_the_size_of_a_rounding(tmp_path):
    far = written(tmp_path)["far"]
    done = run("convert", far, tmp_path / "a.stl")
    exact = survey(cells=40).vertices
    moved = np.abs(exact.astype(np.float32).astype(np.float64) - exact).max()
    assert f"by up to {moved:.2g})" in done.stderr
    assert "rounds them onto others" in done.stderr
    done = run("convert", far, tmp_path / "a.glb", "--json")
    sizes = [x["largest"] for x in json.loads(done.stdout)["losses"] if "largest" in x]
    assert sizes and max(sizes) < 1e-6


def test_prepare(tmp_path):
    (tmp_path / "in").mkdir()
    for name in written(tmp_path, cells=12):
        folder = tmp_path / "in" / name
        folder.mkdir()
        (tmp_path / f"{name}.obj").rename(folder / "relief.obj")
        small = ("--near", 50, "--space", 50, "--surface", 50, "--voxels", "8", "--jobs", 0)
        run("prepare", folder, tmp_path / name, *small)
    near, far = (load_prepared(next((tmp_path / n).rglob("relief*"))) for n in ("near", "far"))
    torch.testing.assert_close(far.mesh.vertices, near.mesh.vertices, rtol=0, atol=1e-6)
    torch.testing.assert_close(far.surface, near.surface, rtol=0, atol=1e-3)
