"""Geometry far from the origin, in double precision: the same as at the origin."""

import math

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from tests.survey import NAMES, PLACES, UTM, relief, resolution, survey_mesh

places = pytest.mark.parametrize(("offset", "size"), PLACES, ids=NAMES)


def both(offset, size):
    """The relief at the origin, there, and a bound of what rounding there makes of lengths."""
    here, there = survey_mesh(0 * offset, size=size), survey_mesh(offset, size=size)
    return here, there, 50 * resolution(offset)


def queries(size, count=200):
    generator = torch.Generator().manual_seed(3)
    box = torch.tensor([20.0, 20.0, 14.0], dtype=torch.float64)
    return (torch.rand(count, 3, generator=generator, dtype=torch.float64) * box - 1) * size


@places
def test_closest_points_and_signed_distances(offset, size):
    here, there, bound = both(offset, size)
    points = queries(size)
    shift = torch.from_numpy(offset)
    near = geometry.point_mesh_distance(points, here)
    far = geometry.point_mesh_distance(points + shift, there)
    distance = near.squared_distance.sqrt()
    torch.testing.assert_close(far.squared_distance.sqrt(), distance, rtol=0, atol=bound)
    torch.testing.assert_close(
        geometry.signed_distance(points + shift, there).abs(), distance, rtol=0, atol=bound
    )


@places
def test_winding_numbers(offset, size):
    here, there, bound = both(offset, size)
    points = queries(size)
    shift = torch.from_numpy(offset)
    near = geometry.winding_number(points, here, beta=math.inf)
    far = geometry.winding_number(points + shift, there, beta=math.inf)
    away = float(geometry.point_mesh_distance(points, here).squared_distance.min().sqrt())
    torch.testing.assert_close(far, near, rtol=0, atol=1e-12 + 20 * bound / max(away, bound))
    quick = geometry.winding_number(points + shift, there)
    torch.testing.assert_close(quick, geometry.winding_number(points, here), rtol=0, atol=3e-3)


@places
def test_rays_hit_the_same_faces_at_the_same_distance(offset, size):
    here, there, bound = both(offset, size)
    origins = queries(size) + torch.tensor([0.0, 0, 30 * size], dtype=torch.float64)
    down = torch.tensor([[0.0, 0, -1]], dtype=torch.float64).expand(len(origins), 3)
    near = geometry.ray_mesh_intersection(origins, down.contiguous(), here)
    far = geometry.ray_mesh_intersection(
        origins + torch.from_numpy(offset), down.contiguous(), there
    )
    assert (near.face >= 0).sum() > 100
    assert torch.equal(far.face, near.face)
    torch.testing.assert_close(far.distance, near.distance, rtol=0, atol=bound)


@places
def test_samples_lie_where_they_lie_at_the_origin(offset, size):
    here, there, bound = both(offset, size)
    drawn = [
        geometry.sample_points(m, 500, generator=torch.Generator().manual_seed(1))
        for m in (here, there)
    ]
    back = drawn[1] - torch.from_numpy(offset)
    # what rounding does to areas may move a sample to the next face, along the surface
    moved = (back - drawn[0]).norm(dim=1)
    assert float((moved > bound).double().mean()) < 0.01
    on = geometry.point_mesh_distance(drawn[1], there).squared_distance.sqrt()
    assert float(on.max()) < bound


@places
def test_sections_and_cuts(offset, size):
    here, there, bound = both(offset, size)
    middle = torch.tensor([9.3, 9.7, 0.0], dtype=torch.float64) * size
    normal = torch.tensor([0.8, 0.6, 0.0], dtype=torch.float64)
    near = geometry.plane_section(here, middle, normal)
    far = geometry.plane_section(there, middle + torch.from_numpy(offset), normal)
    assert len(far) == len(near) > 20
    torch.testing.assert_close(far - torch.from_numpy(offset), near, rtol=0, atol=20 * bound)
    height = (here.vertices - middle) @ normal
    lower = (there.vertices - middle - torch.from_numpy(offset)) @ normal
    cut = [ml.mesh.cut_mesh(m, h).mesh for m, h in ((here, height), (there, lower))]
    torch.testing.assert_close(cut[1].area(), cut[0].area(), rtol=40 * bound / size, atol=0)


@places
def test_neighbours(offset, size):
    here, there, bound = both(offset, size)
    near, far = (
        geometry.knn(here.vertices, here.vertices, 5),
        geometry.knn(there.vertices, there.vertices, 5),
    )
    torch.testing.assert_close(
        far.squared_distance.sqrt(), near.squared_distance.sqrt(), rtol=0, atol=bound
    )


@places
def test_measures(offset, size):
    here, there, bound = both(offset, size)
    torch.testing.assert_close(there.area(), here.area(), rtol=40 * bound / size, atol=0)
    torch.testing.assert_close(
        there.vertex_normals(), here.vertex_normals(), rtol=0, atol=40 * bound / size
    )
    ball = ml.data.shapes.icosphere(2, dtype=torch.float64)
    shift = torch.from_numpy(offset) / (10 * size)
    moved = ball.with_vertices(ball.vertices + shift)
    torch.testing.assert_close(moved.volume(), ball.volume(), rtol=40 * bound / size, atol=0)
    torch.testing.assert_close(
        moved.centroid() - shift, ball.centroid(), rtol=0, atol=40 * bound / size
    )


@places
def test_laplacians(offset, size):
    here, there, bound = both(offset, size)
    near, far = (geometry.laplacian(m, "cotangent") for m in (here, there))
    scale = float(near.abs().max())
    torch.testing.assert_close(far / scale, near / scale, rtol=0, atol=400 * bound / size)


@places
def test_simplification_keeps_the_shape(offset, size):
    here, there, _ = both(offset, size)
    near, far = (geometry.simplify(m, 150) for m in (here, there))
    assert far.dtype == torch.float64 and abs(far.num_faces - near.num_faces) <= 2
    away = [
        ml.metrics.compare(made, whole, samples=4000, quality=False)
        for made, whole in ((near, here), (far, there))
    ]
    assert away[1]["chamfer"] == pytest.approx(away[0]["chamfer"], rel=0.2, abs=1e-6)
    assert away[1]["area_error"] < 1.3 * away[0]["area_error"] + 1e-4


def test_simplification_carries_fields_and_dtypes_of_what_is_far():
    mesh = survey_mesh()
    vertices, _ = relief()
    values = torch.from_numpy(vertices[:, 0] * 3)
    mesh = ml.Mesh(mesh.vertices, mesh.faces, vertex_attributes={"x3": values})
    small = geometry.simplify(mesh, 150)
    x = small.vertices[:, 0] - UTM[0]
    torch.testing.assert_close(small.vertex_attributes["x3"], 3 * x, rtol=0, atol=0.05)
    assert geometry.simplify(mesh.to(torch.float32), 150).dtype == torch.float32


def test_a_mesh_near_the_origin_is_not_moved():
    from meshlearn.mesh import far_middle

    assert far_middle(survey_mesh(np.zeros(3)).vertices) is None
    assert far_middle(torch.zeros(0, 3)) is None
    assert far_middle(torch.full((3, 3), torch.nan)) is None
    torch.testing.assert_close(
        far_middle(survey_mesh().vertices)[:2],
        torch.from_numpy(UTM[:2]) + 0.95,
        rtol=0,
        atol=1e-9,
    )


def test_simplification_keeps_texture_coordinates_of_what_is_far():
    made = []
    for offset in (0 * UTM, UTM):
        mesh = survey_mesh(offset)
        uv = ml.mesh.CornerAttribute(torch.from_numpy(relief()[0][:, :2] / 2), mesh.faces.clone())
        mesh = ml.Mesh(mesh.vertices, mesh.faces, corner_attributes={"uv": uv})
        made.append(geometry.simplify(mesh, 150))
    near, far = made
    assert far.corner_attributes.keys() == near.corner_attributes.keys() == {"uv"}
    values, index = far.corner_attributes["uv"]
    at = (far.vertices[far.faces] - torch.from_numpy(UTM))[..., :2] / 2
    torch.testing.assert_close(values[index].double(), at, rtol=0, atol=0.02)
