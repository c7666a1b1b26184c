"""Fits to noisy points start from the surface that the points make together."""

from __future__ import annotations

import json

import pytest
import torch

import meshlearn as ml
from meshlearn.data import open_shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct, settings, targets
from meshlearn.reconstruct.targets.noisy_points import near_distance, noisy_surface
from tests.cli.runner import meshlearn
from tests.reconstruct.scanned import bumpy, off, scan


@pytest.mark.parametrize("oriented", [True, False])
def test_a_fit_to_noisy_points_is_no_worse_than_poisson_alone(oriented: bool) -> None:
    mesh = bumpy()
    points, normals = scan(mesh, 2500, 0.03)
    cloud = PointCloud(points, normals if oriented else None)
    alone, plain = off(reconstruct(cloud, method="poisson").mesh, mesh)
    fit = reconstruct(cloud, resolution=28, steps=30, progress=False)
    distance, agree = off(fit.mesh, mesh)
    assert fit.mesh.is_watertight and fit.report["start"] == "poisson"
    assert distance < 1.04 * alone and agree > plain - 0.001
    # of points that are only smoothed: 2.1e-3 and 0.978
    assert distance < (1.7e-3 if oriented else 2.3e-3) and agree > 0.985


def test_an_open_fit_to_noisy_points_keeps_its_openings() -> None:
    source = open_shapes.skirt(folds=0)
    points, normals = scan(source, 3000, 0.02)
    fit = reconstruct(
        PointCloud(points, normals), method="gshell", resolution=24, steps=30, progress=False
    )
    assert len(fit.mesh.topology.boundary_loops()) == 2
    distance, agree = off(fit.mesh, source)
    assert distance < 2e-3 and agree > 0.99  # of points that are only smoothed 0.985


def test_what_was_measured_and_chosen_is_told(tmp_path) -> None:
    points, normals = scan(bumpy(), 2000, 0.04)
    g = torch.Generator().manual_seed(1)
    stray = 3 * torch.rand(60, 3, generator=g) - 1.5
    both = torch.cat((points, stray))
    told = targets.FromPoints(both).report()
    assert told["points"] == 2060 and told["smoothed"] and told["start"] == "poisson"
    assert 40 <= told["outliers"] <= 120
    assert told["noise"] == pytest.approx(0.04, rel=0.25)
    clean, _ = scan(bumpy(), 2000, 0.0)
    quiet = targets.FromPoints(clean)
    assert not quiet.report()["smoothed"] and quiet.report()["start"] == "flood"
    assert torch.equal(quiet.points, clean)
    path, out = tmp_path / "scan.ply", tmp_path / "out.ply"
    none = torch.empty(0, 3, dtype=torch.int64)
    ml.save(ml.Mesh(points, none, vertex_attributes={"normal": normals}), path)
    ran = meshlearn("reconstruct", path, out, "--resolution", "16", "--steps", "2", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["measured"]["start"] == "poisson"


def test_places_are_on_the_surface_near_the_points() -> None:
    mesh = bumpy()
    points, normals = scan(mesh, 2500, 0.03)
    keep = points[:, 2] < 0.5
    found = noisy_surface(points[keep], normals[keep], 0.03)
    assert found is not None and found.mesh.is_watertight
    assert float(ml.point_mesh_distance(found.points, found.mesh)[0].max()) < 1e-8
    assert float(ml.knn(found.points, points[keep], 1)[0].max()) < 0.12**2
    assert 0.05 < found.open < 0.4
    tree = ml.geometry.MeshBVH(mesh)
    rms = [float(tree.closest(p).squared_distance.mean().sqrt()) for p in (found.points, points)]
    assert rms[0] < 0.45 * rms[1]


def test_points_that_have_no_solid_surface_are_smoothed_alone() -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.rand(900, 3, generator=g) * torch.tensor([1.0, 1.0, 0.0])
    assert noisy_surface(flat, None, 0.02) is None
    cloud = torch.rand(900, 3, generator=g)  # fills space
    assert noisy_surface(cloud, None, 0.005) is None
    sheet = flat + 0.02 * torch.randn(900, 3, generator=g) * torch.tensor([0.0, 0.0, 1.0])
    target = targets.FromPoints(sheet, torch.tensor([0.0, 0.0, 1.0]).expand(900, 3))
    assert target.report()["smoothed"] and target.report()["start"] == "winding number"
    assert float(target.points[:, 2].abs().mean()) < 0.012


def test_few_steps_are_enough_from_the_surface_of_many_points(monkeypatch) -> None:
    mesh = bumpy()
    few, _ = scan(mesh, 600)
    assert targets.FromPoints(few).enough_steps is None
    monkeypatch.setattr(settings, "STARTED_FROM", 6000)
    cloud = PointCloud(*scan(mesh, 6000))
    fit = reconstruct(cloud, resolution=28, progress=False)
    assert fit.report["start"] == "poisson" and not fit.report["smoothed"]
    assert len(fit.history["step"]) == fit.report["enough_steps"] == settings.STARTED_STEPS
    assert set(fit.history["resolution"]) == {28.0}
    distance, agree = off(fit.mesh, mesh)
    assert fit.mesh.is_watertight and distance < 1e-3 and agree > 0.99
    asked = reconstruct(cloud, resolution=32, steps=3, progress=False)
    assert asked.history["resolution"] == [16.0, 32.0, 32.0]


def test_many_points_of_an_open_surface_do_not_start_from_a_closed_one(monkeypatch) -> None:
    monkeypatch.setattr(settings, "STARTED_FROM", 3000)
    points, normals = scan(bumpy(), 12_000)
    keep = points[:, 2] > 0.3
    target = targets.FromPoints(points[keep], normals[keep])
    assert target.report()["start"] == "winding number" and target.enough_steps is None


def test_distances_far_from_a_surface_are_those_between_places_of_a_lattice(monkeypatch) -> None:
    monkeypatch.setattr(settings, "STARTED_LATTICE", 20)
    solid = ml.geometry.MeshBVH(bumpy())
    g = torch.Generator().manual_seed(0)
    places = 4 * torch.rand(9000, 3, generator=g) - 2
    right, found = solid.signed_distance(places), near_distance(solid, places)
    assert torch.equal(found.sign(), right.sign())
    assert float((found - right).abs().max()) < 0.15
    near = right.abs() < 0.05
    assert int(near.sum()) > 100 and torch.equal(found[near], right[near])
    assert torch.equal(near_distance(solid, places[:50]), right[:50])
