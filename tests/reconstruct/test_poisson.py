"""Surfaces of points by Poisson's equation, and what is measured and cleaned before."""

from __future__ import annotations

import json
import math
import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.poisson import (
    clean_points,
    inliers,
    oriented_normals,
    point_noise,
    point_spacing,
    smoothed_points,
)
from tests.cli.runner import meshlearn
from tests.reconstruct.scanned import bumpy, off, scan

SPACING = (4 * torch.pi / 3000) ** 0.5  # of 3000 points on a ball of radius 1


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.5, 1.0, 2.0])
def test_noise_is_measured_from_a_twentieth_to_two_spacings(ratio: float) -> None:
    points, _ = scan(shapes.icosphere(4), 3000, ratio * SPACING)
    assert point_noise(points) == pytest.approx(ratio * SPACING, rel=0.25)
    assert point_spacing(points) == pytest.approx(SPACING, rel=0.15)


def test_a_second_round_of_smoothing_is_no_worse_than_one() -> None:
    mesh = bumpy()
    points, normals = scan(mesh, 4000, 0.03)
    tree = ml.geometry.MeshBVH(mesh)
    far = [float(tree.closest(points).squared_distance.mean().sqrt())]
    for _ in range(2):
        noise, spacing = point_noise(points), point_spacing(points)
        points, _, _ = smoothed_points(points, normals, noise=noise, spacing=spacing)
        far.append(float(tree.closest(points).squared_distance.mean().sqrt()))
    assert far[1] < 0.4 * far[0]
    assert far[2] < 1.1 * far[1]


def test_points_over_an_edge_do_not_round_it() -> None:
    box = shapes.box()
    points, normals = scan(box, 4000, 0.01)
    smooth, _, _ = smoothed_points(
        points, normals, noise=point_noise(points), spacing=point_spacing(points)
    )
    tree = ml.geometry.MeshBVH(box)
    assert float(tree.closest(smooth).squared_distance.mean().sqrt()) < 0.004


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_outliers_go_and_points_of_any_density_stay(share: float) -> None:
    points, _ = scan(shapes.icosphere(4), 3000, 0.01)
    thinned = points[(points[:, 0] > 0) | (torch.arange(3000) % 9 == 0)]
    g = torch.Generator().manual_seed(1)
    stray = 3 * torch.rand(int(share * len(thinned)), 3, generator=g) - 1.5
    kept = inliers(torch.cat((thinned, stray)))
    assert float(kept[: len(thinned)].float().mean()) > 0.98
    left = (stray[kept[len(thinned) :]].norm(dim=1) - 1).abs()
    assert int((left > 0.15).sum()) < 0.1 * len(stray)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_normals_of_a_thing_with_handles_point_outward(noise: float) -> None:
    mesh = shapes.torus()
    points, normals = scan(mesh, 4000, noise * float((mesh.bounds()[1] - mesh.bounds()[0]).max()))
    found = oriented_normals(points, noise=point_noise(points), spacing=point_spacing(points))
    assert float(((found * normals).sum(1) > 0).float().mean()) > 0.99
    assert float((found * normals).sum(1).abs().mean()) > 0.95


@pytest.mark.parametrize("oriented", [True, False])
def test_exact_points_give_a_closed_mesh_much_nearer_than_a_cell(oriented: bool) -> None:
    mesh = bumpy()
    points, normals = scan(mesh, 4000)
    found = ml.poisson(points, normals if oriented else None)
    assert found.is_watertight and float(found.volume()) > 0
    assert found.topology.components().count == 1
    distance, agree = off(found, mesh)
    assert distance < 0.8e-3 and agree > 0.985
    confidence = found.vertex_attributes["confidence"]
    assert confidence.shape == (found.num_vertices, 1)
    assert 0 < float(confidence.min()) and float(confidence.mean()) > 0.6


def test_noise_and_outliers_cost_little() -> None:
    mesh = bumpy()
    points, _ = scan(mesh, 4000, 0.02)
    g = torch.Generator().manual_seed(1)
    stray = 3 * torch.rand(200, 3, generator=g) - 1.5
    found = ml.poisson(torch.cat((points, stray)))
    assert found.is_watertight
    distance, agree = off(found, mesh)
    assert distance < 2.5e-3 and agree > 0.96
    clean = clean_points(torch.cat((points, stray)))
    assert int(clean.kept[:4000].sum()) > 3800 and int(clean.kept[4000:].sum()) < 30


def test_a_gap_is_closed_with_little_confidence_and_trimmed_where_asked() -> None:
    points, normals = scan(shapes.icosphere(4), 4000)
    seen = points[:, 2] < 0.5
    closed = ml.poisson(points[seen], normals[seen])
    assert closed.is_watertight
    over = closed.vertices[:, 2] > 0.6
    assert float(closed.vertex_attributes["confidence"][over].max()) < 0.3
    cut = ml.poisson(points[seen], normals[seen], trim=3.0)
    assert len(cut.topology.boundary_loops()) == 1
    assert float(cut.vertices[:, 2].max()) < 0.5 + 4 * SPACING
    assert float(cut.area()) == pytest.approx(2 * torch.pi * 1.5, rel=0.1)


def test_an_open_sheet_stays_open() -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.rand(3000, 3, generator=g) * torch.tensor([2.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="all in one plane; trim= gives the open surface"):
        ml.poisson(flat)
    sheet = ml.poisson(flat, torch.tensor([0.0, 0.0, 1.0]).expand(3000, 3), trim=2.0)
    assert float(sheet.vertices[:, 2].abs().max()) < 0.02
    assert float(sheet.area()) == pytest.approx(2.0, rel=0.15)


def test_a_cloud_far_from_the_origin_is_the_same_there() -> None:
    points, normals = scan(bumpy(), 2000)
    shift = torch.tensor([500_000.0, 5_400_000.0, 300.0], dtype=torch.float64)
    near = ml.poisson(points.double(), normals.double())
    far = ml.poisson(points.double() + shift, normals.double())
    assert far.dtype == torch.float64
    assert float((far.vertices - shift).abs().max()) < 2
    assert off(ml.Mesh(far.vertices - shift, far.faces), near)[0] < 1e-4


@pytest.mark.parametrize("count", [16, 100])
def test_few_points_on_a_fine_grid_are_one_surface_and_no_bubbles(count: int) -> None:
    points, normals = scan(shapes.icosphere(4), 2000)
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:count]
    found = ml.poisson(points[order], normals[order], resolution=96)
    assert found.is_watertight and found.topology.components().count == 1
    off_ball = float((found.vertices.norm(dim=1) - 1).abs().mean())
    assert off_ball < (0.1 if count == 16 else 0.012)


def test_points_that_a_file_has_several_times_count_once() -> None:
    points, normals = scan(bumpy(), 800)
    once = ml.poisson(points, normals)
    thrice = ml.poisson(torch.cat((points, points[::2], points)), normals.repeat(3, 1)[:2000])
    assert torch.equal(once.vertices, thrice.vertices) and torch.equal(once.faces, thrice.faces)
    with pytest.raises(ValueError, match=r"expected at least 16 places .* 30 points in 10"):
        ml.poisson(points[:10].repeat(3, 1))


def test_normals_that_disagree_and_coordinates_too_coarse_are_told() -> None:
    points, normals = scan(bumpy(), 800)
    sign = torch.where(torch.arange(800)[:, None] % 5 < 2, -1.0, 1.0)
    with pytest.warns(UserWarning, match="point against each other"):
        mixed = ml.poisson(points, sign * normals)
    assert float(mixed.volume()) == pytest.approx(float(bumpy().volume()), rel=0.02)
    with pytest.warns(UserWarning, match="all are zero"):
        bare = ml.poisson(points, 0 * normals)
    assert float(bare.volume()) == pytest.approx(float(bumpy().volume()), rel=0.02)
    with pytest.warns(UserWarning, match="float32 keeps steps of .* take the origin off"):
        ml.poisson(50 * points + torch.tensor([5e5, 5.4e6, 300.0]), normals)


def test_bad_input_is_refused_in_a_sentence() -> None:
    points, normals = scan(bumpy(), 500)
    for given, words in (
        ({"points": points[:15]}, "points: expected at least 16"),
        ({"points": points[:1].expand(50, 3)}, "points: expected distinct points"),
        ({"points": points * torch.tensor([1.0, 0, 0])}, "all on one line"),
        ({"points": torch.where(points > 1, torch.nan, points)}, "points: .*finite"),
        ({"points": points, "resolution": 4}, "resolution: expected 8 to"),
        ({"points": points, "resolution": 64.5}, "resolution: expected 8 to"),
        ({"points": points, "normals": normals / 0}, "normals: .*infinite"),
        ({"points": points, "sigma": -1.0}, "sigma: expected a number of 0 or more"),
        ({"points": points, "trim": float("nan")}, "trim: expected a number of 0 or more"),
        ({"points": points, "normals": normals[:-1]}, "normals: expected shape"),
    ):
        with pytest.raises(ValueError, match=words):
            ml.poisson(**given)
    with pytest.warns(UserWarning, match="point inward"):
        turned = ml.poisson(points, -normals)
    assert float(turned.volume()) > 0
    with pytest.warns(UserWarning, match="are zero"):
        ml.poisson(points, torch.where(torch.arange(500)[:, None] % 5 == 0, 0.0, normals))


def test_it_is_a_method_of_reconstruct_and_of_the_command(tmp_path) -> None:
    points, normals = scan(bumpy(), 1500)
    found = reconstruct(PointCloud(points, normals), method="poisson")
    assert torch.equal(found.mesh.vertices, ml.poisson(points, normals).vertices)
    for given, words in (
        ({"source": bumpy()}, "method 'poisson' takes points"),
        ({"source": PointCloud(points), "steps": 3}, "takes none"),
    ):
        with pytest.raises(ValueError, match=words):
            reconstruct(method="poisson", **given)
    with pytest.raises(ValueError, match="trim: expected with method 'poisson' only"):
        reconstruct(PointCloud(points), trim=2.0)
    path, out = tmp_path / "scan.ply", tmp_path / "out.ply"
    none = torch.empty(0, 3, dtype=torch.int64)
    ml.save(ml.Mesh(points, none, vertex_attributes={"normal": normals}), path)
    ran = meshlearn("reconstruct", path, out, "--method", "poisson", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["method"] == "poisson" and told["faces"] > 1000
    assert ml.load(out).vertex_attributes["confidence"].shape[0] == told["vertices"]
    refused = meshlearn("reconstruct", path, out, "--trim", "3", "--overwrite")
    assert refused.returncode == 2 and "is for --method poisson" in refused.stderr


@pytest.mark.parametrize("count", [2000, 20_000])
@pytest.mark.parametrize("where", [(1.6, 0.2, 0.0), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("oriented", [True, False])
def test_a_speck_of_few_points_far_from_the_rest_does_not_outweigh_it(count, where, oriented):
    """The faces of one voxel: their seventh neighbour is on the other surface."""
    ball = ml.sample_points(
        ml.data.shapes.icosphere(5), count, generator=torch.Generator().manual_seed(0)
    )
    sides = torch.cat([torch.eye(3), -torch.eye(3)])
    size = 0.5 * math.sqrt(4 * math.pi / count)
    points = torch.cat([ball, torch.tensor(where) + size * sides])
    normals = torch.cat([ball / ball.norm(dim=1, keepdim=True), sides])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = ml.poisson(points, normals if oriented else None, resolution=64)
    assert float(mesh.volume()) == pytest.approx(4 / 3 * math.pi, rel=0.02)
