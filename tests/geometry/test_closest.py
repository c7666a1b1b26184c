"""Closest point on a mesh: against all pairs, libraries, and finite differences."""

import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from meshlearn._native import HAS_NATIVE
from meshlearn.data import shapes
from meshlearn.geometry.reference import closest_on_triangles
from tests.geometry.shapes import octahedron, random_points, soup, sphere

DTYPES = (torch.float32, torch.float64)


def assert_closest(found, points, mesh, rtol):
    corners = mesh.vertices.double()[mesh.faces]
    expected = closest_on_triangles(points.double(), corners)[0].amin(1)
    squared, face, barycentric = found
    size = float(mesh.vertices.abs().max())
    torch.testing.assert_close(
        squared.double().sqrt(), expected.sqrt(), rtol=rtol, atol=rtol * size
    )
    corners = mesh.vertices[mesh.faces[face]]
    foot = (barycentric[:, :, None] * corners).sum(1)
    assert (barycentric >= 0).all() and (barycentric <= 1).all()
    torch.testing.assert_close(barycentric.sum(1), torch.ones_like(squared))
    torch.testing.assert_close(
        (foot - points).norm(dim=1).double(), squared.double().sqrt(), rtol=rtol, atol=rtol * size
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("faces", [1, 2, 5, 8, 9, 33, 300])
def test_matches_all_pairs(dtype, faces):
    mesh = soup(300, dtype)
    mesh = ml.Mesh(mesh.vertices, mesh.faces[-faces:])
    points = random_points(500, dtype)
    rtol = 1e-4 if dtype == torch.float32 else 1e-12
    assert_closest(ml.point_mesh_distance(points, mesh), points, mesh, rtol)


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e12])
def test_any_unit(scale):
    mesh = sphere(6, torch.float32)
    mesh = mesh.with_vertices(mesh.vertices * scale)
    points = random_points(300, torch.float32) * scale
    squared, face, weight = ml.point_mesh_distance(points, mesh)
    foot = (weight[:, :, None] * mesh.vertices[mesh.faces[face]]).sum(1)
    there = ml.point_mesh_distance(points / scale, sphere(6, torch.float32))
    torch.testing.assert_close(
        (foot - points).norm(dim=1) / scale, there[0].sqrt(), atol=1e-5, rtol=1e-4
    )
    if scale == 1.0:
        assert torch.equal(squared, there[0])


def test_lowest_face_among_equals():
    mesh = sphere(8)
    twice = ml.Mesh(mesh.vertices, mesh.faces.repeat(3, 1))
    _, face, _ = ml.point_mesh_distance(mesh.vertices, twice)
    on = (twice.faces == torch.arange(mesh.num_vertices)[:, None, None]).any(2)
    assert torch.equal(face, on.to(torch.int64).argmax(1))
    points = random_points(500)
    assert torch.equal(
        ml.point_mesh_distance(points, mesh)[1], ml.point_mesh_distance(points, twice)[1]
    )


def test_answer_does_not_depend_on_the_order_of_queries():
    mesh, points = soup(200, torch.float32), random_points(700, torch.float32)
    turn = torch.randperm(700, generator=torch.Generator().manual_seed(0))
    for a, b in zip(
        ml.point_mesh_distance(points, mesh),
        ml.point_mesh_distance(points[turn], mesh),
        strict=True,
    ):
        assert torch.equal(a[turn], b)


def test_against_libigl():
    igl = pytest.importorskip("igl")
    mesh, points = sphere(12), random_points(1000)
    expected, _, foot = igl.point_mesh_squared_distance(
        points.numpy(), mesh.vertices.numpy(), mesh.faces.numpy()
    )
    squared, face, weight = ml.point_mesh_distance(points, mesh)
    torch.testing.assert_close(squared, torch.from_numpy(expected), rtol=1e-9, atol=1e-13)
    mine = (weight[:, :, None] * mesh.vertices[mesh.faces[face]]).sum(1)
    torch.testing.assert_close(mine, torch.from_numpy(foot), rtol=1e-7, atol=1e-9)


def test_gradients():
    mesh = octahedron()
    points = random_points(12).requires_grad_()
    vertices = mesh.vertices.clone().requires_grad_()

    def distance(p, v):
        return ml.point_mesh_distance(p, mesh.with_vertices(v)).squared_distance

    assert torch.autograd.gradcheck(distance, (points, vertices))


def test_solver_is_the_function():
    mesh, points = soup(), random_points()
    bvh = geometry.MeshBVH(mesh)
    for a, b in zip(bvh.closest(points), ml.point_mesh_distance(points, mesh), strict=True):
        assert torch.equal(a, b)


@pytest.mark.skipif(not HAS_NATIVE, reason="the reference makes no promise on threads")
def test_threads():
    mesh, points = sphere(30, torch.float32), random_points(5000, torch.float32)
    vertices = mesh.vertices.requires_grad_()
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found = ml.point_mesh_distance(points, mesh.with_vertices(vertices))
            (grad,) = torch.autograd.grad(found[0].sum(), vertices)
            results.append([*found, grad])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_unused_vertices_may_be_anything():
    mesh = octahedron()
    vertices = torch.cat([mesh.vertices, torch.full((1, 3), float("nan"), dtype=torch.float64)])
    points = random_points(20)
    found = ml.point_mesh_distance(points, ml.Mesh(vertices, mesh.faces))
    assert torch.equal(found[0], ml.point_mesh_distance(points, mesh)[0])


def test_no_points():
    squared, face, weight = ml.point_mesh_distance(torch.empty(0, 3).double(), octahedron())
    assert (squared.shape, face.shape, weight.shape) == ((0,), (0,), (0, 3))


def test_bad_input():
    mesh, points = octahedron(), random_points(4)
    empty = ml.Mesh(torch.empty(0, 3), torch.empty(0, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="mesh: expected at least one face"):
        ml.point_mesh_distance(points.float(), empty)
    with pytest.raises(ValueError, match="points: expected dtype float64"):
        ml.point_mesh_distance(points.float(), mesh)
    with pytest.raises(ValueError, match="points: expected shape"):
        ml.point_mesh_distance(points[:, :2], mesh)
    with pytest.raises(ValueError, match="mesh: expected a Mesh, got ndarray"):
        ml.point_mesh_distance(points, mesh.vertices.numpy())
    points[1, 1] = float("nan")
    with pytest.raises(ValueError, match="points: 1 of 12 values are NaN"):
        ml.point_mesh_distance(points, mesh)
    bad = mesh.vertices.clone()
    bad[0, 0] = float("inf")
    with pytest.raises(ValueError, match=r"mesh.vertices: .* NaN or infinite"):
        ml.point_mesh_distance(random_points(4), mesh.with_vertices(bad))


def test_second_derivatives_are_those_of_the_moving_foot():
    """On faces, edges and corners, and of the vertices too: what an Eikonal term needs."""
    generator = torch.Generator().manual_seed(0)
    box = shapes.box(dtype=torch.float64)
    points = torch.rand(30, 3, dtype=torch.float64, generator=generator) * 3 - 1.5
    vertices = box.vertices + 0.1 * torch.randn(8, 3, dtype=torch.float64, generator=generator)
    kinds = (ml.point_mesh_distance(points, box.with_vertices(vertices)).barycentric != 0).sum(1)
    assert set(kinds.tolist()) == {1, 2, 3}
    inputs = (points.requires_grad_(), vertices.requires_grad_())

    def squared(p, v):
        return ml.point_mesh_distance(p, box.with_vertices(v)).squared_distance

    def signed(p, v):
        return ml.signed_distance(p, box.with_vertices(v))

    assert torch.autograd.gradcheck(squared, inputs)
    assert torch.autograd.gradgradcheck(squared, inputs)
    assert torch.autograd.gradgradcheck(signed, inputs)
    (once,) = torch.autograd.grad(squared(*inputs).sum(), inputs[0])
    (twice,) = torch.autograd.grad(squared(*inputs).sum(), inputs[0], create_graph=True)
    assert torch.equal(once, twice)


def test_an_eikonal_term_is_zero_and_its_gradient_finite():
    ball = shapes.icosphere(2)
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) * 3 - 1.5
    points.requires_grad_()
    distance = ml.signed_distance(points, ball)
    (slope,) = torch.autograd.grad(distance.sum(), points, create_graph=True)
    loss = (slope.norm(dim=1) - 1).square().mean()
    loss.backward()
    assert float(loss.detach()) < 1e-8 and bool(torch.isfinite(points.grad).all())
    assert float(points.grad.abs().max()) < 1e-3
