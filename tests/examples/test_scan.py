"""The scan example: what it simulates, that outliers pull at nothing, and a whole coarse run."""

import sys
from pathlib import Path

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import scan


@pytest.mark.parametrize("patches", [1, 4])
def test_a_scan_has_noise_outliers_and_a_hole(patches):
    mesh = scan.normalised(shapes.icosphere(4))
    made = scan.simulate(mesh, count=3000, noise=0.003, patches=patches)
    assert made.points.shape == made.seen_from.shape == (3000, 3)
    off = (made.points.norm(dim=1) - 0.45).abs()
    assert float((off > 0.02).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert 0.0015 < float(off[:2700].mean()) < 0.0035
    truth = ml.sample_points(mesh, 2000)
    away = ml.geometry.knn(truth, made.points[:2700], 1).squared_distance[:, 0].sqrt()
    assert float((away > 0.04).float().mean()) == pytest.approx(0.3, abs=0.06)
    outward = (made.seen_from[:2700] * made.points[:2700]).sum(1)
    assert float((outward > 0).float().mean()) > 0.95


def test_normals_look_to_the_scanner():
    made = scan.simulate(scan.normalised(shapes.icosphere(4)), count=3000, noise=0.002)
    normals = scan.estimated_normals(made)[:2700]
    exact = torch.nn.functional.normalize(made.points[:2700], dim=1)
    assert float((normals * exact).sum(1).median()) > 0.99


def test_far_points_pull_at_nothing():
    distance = torch.tensor([0.001, 0.012, 0.3], requires_grad=True)
    scan.robust(distance**2, 0.012).sum().backward()
    assert float(distance.grad[2]) < 0.01 * float(distance.grad[1])


def test_surface_losses_reach_the_network():
    mesh = scan.normalised(shapes.icosphere(3))
    fit = scan.Fit(scan.simulate(mesh, count=1500), 24, batch=400)
    fit.start(steps=150)
    before = scan.compare(fit.mesh(24), mesh, fit.scan)
    found = fit.surface_loss()
    found.backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in fit.network.parameters())
    assert any(bool((p.grad != 0).any()) for p in fit.network.parameters())
    steps = scan.descend(fit, lambda: scan.both(fit), 1e-3, steps=160)
    after = scan.compare(fit.mesh(24), mesh, fit.scan)
    assert steps == 160 and after["seen_permille"] < before["seen_permille"]


@pytest.mark.slow
def test_whole_run(tmp_path):
    shapes.torus().save(tmp_path / "torus.obj")
    rows = scan.main([str(tmp_path / "torus.obj"), str(tmp_path / "out"), "--small"])
    assert set(rows) == {"field losses", "with surface losses"}
    assert rows["with surface losses"]["seen_permille"] < 8
    assert (tmp_path / "out" / "scan.png").stat().st_size > 1000
