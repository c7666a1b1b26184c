"""Surfaces of scans go on over gaps as they came to them."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

import meshlearn as ml
from meshlearn import geometry
from meshlearn.data import shapes
from meshlearn.reconstruct.poisson import continued, point_areas, point_spacing, smoothest_field
from meshlearn.reconstruct.poisson.orientation import oriented_normals, plane_normals
from meshlearn.reconstruct.poisson.quadrics import quadric_normals
from meshlearn.reconstruct.poisson.screened import conjugate_gradients
from meshlearn.reconstruct.poisson.trimming import _without_crumbs, trimmed


def ball(count: int, below: float = 2.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points of a ball of radius 0.3 about the middle of the unit box, normals and areas."""
    g = torch.Generator().manual_seed(0)
    out = normalize(torch.randn(count, 3, generator=g), dim=1)
    out = out[out[:, 2] < below]
    points = 0.5 + 0.3 * out
    return points, out, point_areas(geometry.knn(points, points, 13)[0])


def test_a_ball_goes_on_over_a_cap_and_a_whole_one_has_no_gap() -> None:
    assert continued(*ball(3000)) is None
    points, normals, areas = ball(3000, 0.6)
    more = continued(points, normals, areas)
    assert more is not None and torch.equal(more.normals, normals)
    off = (more.places - 0.5).norm(dim=1) - 0.3
    assert float(off.abs().max()) < 0.03  # a flat film is 0.12 off
    assert float((more.facing * (more.places - 0.5)).sum(1).amin()) > 0.3 * 0.9
    missing = 2 * torch.pi * 0.3**2 * 0.4
    assert 0.4 < len(more.places) * float(areas.median()) / missing < 1.2
    assert float(geometry.knn(more.places, points, 1)[0].min()) > 0.02**2


@pytest.mark.parametrize("oriented", [True, False])
def test_what_is_made_of_a_scan_with_holes_is_near_the_whole(oriented: bool) -> None:
    mesh = shapes.icosphere(4)
    v = mesh.vertices
    mesh = mesh.with_vertices(v * (1 + 0.15 * torch.sin(3 * v[:, :1]) * torch.cos(2 * v[:, 2:])))
    g = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(mesh, 4000, normals=True, generator=g)
    points = points + 0.003 * torch.randn(points.shape, generator=g)
    keep = torch.ones(len(points), dtype=torch.bool)
    for centre in ([1.0, 0.0, 0.0], [0.0, -0.8, 0.6], [-0.6, 0.8, 0.0], [0.0, 0.0, -1.0]):
        keep &= (points - torch.tensor(centre)).norm(dim=1) > 0.45
    found = ml.poisson(points[keep], normals[keep] if oriented else None)
    assert found.is_watertight and found.topology.components().count == 1
    told = ml.metrics.compare(found, mesh, samples=8000, quality=False)
    # under films 1.1e-3 and 0.9950
    assert float(told["chamfer"] or 1) < 0.8e-3
    assert float(told["normal_consistency"] or 0) > 0.997


def test_the_rim_of_an_open_scan_is_half_a_spacing_beyond_its_points_at_any_trim() -> None:
    points, normals, _ = ball(3000, 0.3)
    ends, spacing = 0.5 + 0.3 * 0.3, point_spacing(points)
    for trim in (2.0, 4.0):
        cut = ml.poisson(points, normals, trim=trim)
        assert len(cut.topology.boundary_loops()) == 1
        rim = cut.vertices[torch.unique(cut.topology.edges[cut.topology.boundary_edges])]
        off = (rim[:, 2] - ends) / spacing / 0.954  # along the ball
        assert abs(float(off.mean())) < 0.35 and float(off.std()) < 0.6
        assert float(((rim - 0.5).norm(dim=1) - 0.3).abs().max()) < 0.5 * spacing
        assert cut.vertex_attributes["confidence"].shape == (cut.num_vertices, 1)


def test_the_rim_of_a_noisy_scan_has_no_spikes() -> None:
    points, normals, _ = ball(3000, 0.3)
    g = torch.Generator().manual_seed(4)
    rough = points + point_spacing(points) * torch.randn(points.shape, generator=g)
    cut = ml.poisson(rough, normals, trim=3.0)
    rim = cut.vertices[max(cut.topology.boundary_loops(), key=len)]
    length = float((rim - rim.roll(1, 0)).norm(dim=1).sum())
    assert length < 1.075 * 2 * torch.pi * 0.3 * 0.91**0.5  # with spikes 1.10


def test_a_hole_in_an_open_scan_is_closed_by_a_trim_that_is_wider() -> None:
    points, normals, _ = ball(3000, 0.3)
    spacing = point_spacing(points)
    keep = (points - torch.tensor([0.5, 0.5, 0.2])).norm(dim=1) > 5 * spacing
    loops = [
        len(ml.poisson(points[keep], normals[keep], trim=t).topology.boundary_loops())
        for t in (3.0, 7.0)
    ]
    assert loops == [2, 1]
    whole = ml.poisson(points[keep], normals[keep], trim=7.0)
    assert float(((whole.vertices - 0.5).norm(dim=1) - 0.3).abs().max()) < 0.5 * spacing


def test_the_rim_of_one_sheet_does_not_cut_another_that_faces_away() -> None:
    plate = shapes.box((1.0, 1.0, 0.08), segments=40)
    at = torch.linspace(-0.5, 0.5, 11)
    points = torch.cartesian_prod(at, at, torch.tensor([0.04]))
    cut = trimmed(plate, geometry.PointTree(points), reach=0.1, inset=0.01)
    areas, up = cut.face_areas(), cut.face_normals()[:, 2]
    assert float(areas[up > 0.5].sum()) == pytest.approx(1.0, abs=1e-4)
    assert not bool((up < -0.5).any())  # it has holes between points, whose rims meet


def test_a_sheet_that_is_not_trimmed_is_closed_somewhere() -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.rand(900, 3, generator=g) * torch.tensor([1.0, 1.0, 0.0])
    dish = flat + 0.3 * ((flat[:, :2] - 0.5) ** 2).sum(1, keepdim=True) * torch.eye(3)[2]
    rough = flat + 0.02 * torch.randn(900, 3, generator=g) * torch.eye(3)[2]
    for points, normals in ((dish, None), (rough, torch.eye(3)[2].expand(900, 3))):
        assert ml.poisson(points, normals).is_watertight


def test_the_smoothest_field_of_points_of_a_ball_is_about_its_distance() -> None:
    points, normals, areas = ball(2000)
    field = smoothest_field(points, normals, areas)
    nodes = torch.linspace(0, 1, len(field))
    lattice = torch.stack(torch.meshgrid(nodes, nodes, nodes, indexing="ij"), -1)
    distance = (lattice - 0.5).norm(dim=-1) - 0.3
    near = distance.abs() < 0.06
    assert float((field - distance)[near].abs().max()) < 0.02
    assert bool((field[0] > 0).all()) and float(field[24, 24, 24]) < -0.1
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(smoothest_field(points, normals, areas), field)
    finally:
        torch.set_num_threads(threads)


def test_normals_of_quadrics_do_not_lean_at_a_rim() -> None:
    points, normals, _ = ball(6000, 0.0)
    rim = (points[:, 2] > 0.5 - 0.01).nonzero()[:, 0]
    tree = geometry.PointTree(points)
    near = points[tree.knn(points[rim], 20)[1]].double()
    offset = near - near.mean(1, keepdim=True)
    planes = torch.linalg.eigh(offset.transpose(1, 2) @ offset)[1][..., 0].to(points)
    planes = planes * (planes * normals[rim]).sum(1, keepdim=True).sign()
    given = normals.clone()
    given[rim] = planes

    def lean(found: torch.Tensor) -> float:
        return float((found * normals[rim]).sum(1).clamp(-1, 1).acos().median())

    assert lean(quadric_normals(tree, given, rim, neighbours=40)) < 0.4 * lean(planes)


def test_conjugate_gradients_solve_a_system() -> None:
    g = torch.Generator().manual_seed(0)
    root = torch.randn(8, 8, generator=g, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(8, dtype=torch.float64)
    right = torch.randn(8, generator=g, dtype=torch.float64)
    found = conjugate_gradients(
        lambda x: matrix @ x, right, 0 * right, lambda r: r / matrix.diagonal(), 50, 1e-24
    )
    assert torch.allclose(matrix @ found, right, atol=1e-9)
    few = conjugate_gradients(lambda x: matrix @ x, right, found, lambda r: r, 50, 1e-9)
    assert torch.equal(few, found)  # it was solved before it began


def test_normals_of_points_with_little_noise_are_nearer_than_those_of_planes() -> None:
    mesh = shapes.icosphere(5)
    v = mesh.vertices
    mesh = mesh.with_vertices(v * (1 + 0.2 * torch.sin(5 * v[:, :1]) * torch.cos(6 * v[:, 2:])))
    g = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(mesh, 3000, normals=True, generator=g)

    def off(found: torch.Tensor) -> float:
        return float((found * normals).sum(1).abs().clamp(max=1).acos().mean())

    found = oriented_normals(points, noise=0.0, spacing=point_spacing(points))
    assert float((found * normals).sum(1).lt(0).float().mean()) < 0.002
    assert off(found) < 0.75 * off(plane_normals(points, 12))


def test_crumbs_are_no_parts_and_parts_are_no_crumbs() -> None:
    ball = ml.data.shapes.icosphere(2)
    small = torch.tensor([[3.0, 0, 0], [3.01, 0, 0], [3, 0.01, 0]])
    vertices = torch.cat([ball.vertices, small])
    last = torch.arange(len(ball.vertices), len(vertices))[None]
    mesh = ml.Mesh(vertices, torch.cat([ball.faces, last]))
    kept = _without_crumbs(mesh, 1e-3)
    assert kept.num_faces == ball.num_faces and kept.num_vertices == ball.num_vertices
    assert _without_crumbs(mesh, 1e-6).num_faces == mesh.num_faces
