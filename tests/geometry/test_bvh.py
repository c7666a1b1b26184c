"""Queries on the tree against brute force, known answers and gradients."""

import math

import pytest
import torch

from meshlearn import Mesh
from meshlearn._native import HAS_NATIVE
from meshlearn.data import shapes
from meshlearn.geometry import (
    MeshBVH,
    _space,
    point_mesh_distance,
    ray_mesh_intersection,
    sample_points,
    signed_distance,
    winding_number,
)
from meshlearn.geometry.reference import (
    closest_reference,
    rays_reference,
    winding_reference,
)

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def soup(faces: int, seed: int, dtype=torch.float64, *, degenerate: bool = True) -> Mesh:
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(faces, 1, 3, generator=generator, dtype=dtype)
    corners = centre + 0.2 * torch.randn(faces, 3, 3, generator=generator, dtype=dtype)
    if degenerate:
        corners[::7, 2] = corners[::7, 1]  # an edge
        corners[::11] = corners[::11, :1]  # a point
    return Mesh(corners.reshape(-1, 3), torch.arange(3 * faces).view(-1, 3))


def random_points(n: int, seed: int, dtype=torch.float64, scale: float = 1.5) -> torch.Tensor:
    return scale * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("faces", [1, 3, 4, 5, 63, 500])
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_closest_equals_brute_force(faces, dtype, tol):
    mesh, points = soup(faces, faces, dtype), random_points(300, 1, dtype)
    squared, face, barycentric = point_mesh_distance(points, mesh)
    expected, _ = closest_reference(points, mesh.vertices, mesh.faces)
    corners = mesh.vertices[mesh.faces[expected]]
    _, bary = closest_reference(points, mesh.vertices, mesh.faces)
    best = ((points - (corners * bary[..., None]).sum(1)) ** 2).sum(1)
    assert torch.allclose(squared, best, atol=tol)
    assert torch.allclose(barycentric.sum(1), torch.ones(300, dtype=dtype))
    assert bool((barycentric >= -tol).all())
    assert int(face.min()) >= 0 and int(face.max()) < faces


def test_ties_go_to_the_lowest_face():
    one = shapes.box(dtype=torch.float64)
    twice = Mesh(one.vertices, torch.cat([one.faces, one.faces, one.faces]))
    points = random_points(500, 0)
    assert int(point_mesh_distance(points, twice).face.max()) < one.num_faces


def test_gradcheck_of_the_squared_distance():
    mesh, points = soup(20, 3, degenerate=False), random_points(30, 4).requires_grad_()
    vertices = mesh.vertices.clone().requires_grad_()

    def run(p, v):
        return point_mesh_distance(p, mesh.with_vertices(v)).squared_distance

    assert torch.autograd.gradcheck(run, (points, vertices), atol=1e-6)


def test_gradcheck_of_the_signed_distance():
    mesh = shapes.icosphere(1, dtype=torch.float64)
    points = random_points(20, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: signed_distance(p, mesh), (points,), atol=1e-6)


def test_distance_to_a_box_is_exact():
    mesh = shapes.box(dtype=torch.float64)
    low, high = mesh.bounds()
    points = random_points(1000, 6)
    q = (points - (low + high) / 2).abs() - (high - low) / 2
    exact = q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)
    assert torch.allclose(signed_distance(points, mesh), exact, atol=1e-12)
    assert torch.allclose(signed_distance(points, mesh.flip()[0]), exact, atol=1e-12)


def test_on_the_surface_the_distance_is_zero_and_gradients_are_finite():
    mesh = shapes.icosphere(2, dtype=torch.float64)
    points = mesh.vertices.clone().requires_grad_()
    distance = signed_distance(points, mesh)
    distance.sum().backward()
    assert float(distance.detach().abs().max()) < 1e-12
    assert bool(torch.isfinite(points.grad).all())


def test_winding_number_is_exact_without_far_field_and_close_with_it():
    mesh = soup(400, 8)
    points = random_points(400, 9)
    exact = winding_reference(points, mesh.vertices, mesh.faces)
    assert torch.allclose(winding_number(points, mesh, beta=math.inf), exact, atol=1e-12)
    error = (winding_number(points, mesh) - exact).abs()
    assert float(error.max()) < 0.05 and float(error.mean()) < 5e-3


def test_winding_number_of_closed_open_and_doubled():
    sphere = shapes.icosphere(3, dtype=torch.float64)
    points = random_points(2000, 10, scale=1.0)
    r = points.norm(dim=1)
    clear = (r - 1).abs() > 0.05
    inside = (r < 1).double()
    assert float((winding_number(points, sphere) - inside)[clear].abs().max()) < 0.1
    twice = Mesh(sphere.vertices, torch.cat([sphere.faces, sphere.faces]))
    assert float((winding_number(points, twice) - 2 * inside)[clear].abs().max()) < 0.2
    half = Mesh(sphere.vertices, sphere.faces[sphere.vertices[sphere.faces].mean(1)[:, 2] > 0])
    middle = winding_number(torch.zeros(1, 3, dtype=torch.float64), half)
    assert abs(float(middle) - 0.5) < 0.05


@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_rays_equal_brute_force(dtype, tol):
    mesh = soup(300, 12, dtype)
    origins, directions = random_points(400, 13, dtype, 3.0), random_points(400, 14, dtype)
    directions[:40] = torch.eye(3, dtype=dtype).repeat(14, 1)[:40]  # axis-parallel
    hits = ray_mesh_intersection(origins, directions, mesh)
    face, distance, barycentric = rays_reference(origins, directions, mesh.vertices, mesh.faces)
    assert torch.equal(hits.face, face)
    assert int((face >= 0).sum()) > 10
    assert torch.allclose(hits.distance, distance, rtol=tol)
    assert torch.allclose(hits.barycentric, barycentric, atol=100 * tol)


@native
def test_the_same_bits_on_any_number_of_threads():
    mesh = shapes.torus(dtype=torch.float32)
    points = random_points(5000, 1, torch.float32)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            bvh = MeshBVH(mesh)
            results.append([*bvh._tree, *bvh.closest(points), bvh.winding_number(points)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@native
@pytest.mark.parametrize("faces", [1, 3, 30])
def test_opcheck(faces):
    bvh = MeshBVH(soup(faces, 2))
    points = random_points(10, 3)
    order = torch.arange(10, dtype=torch.int32)
    ops, tree, scale = torch.ops.meshlearn, bvh._tree, bvh._scale
    moments = ops.winding_moments(*tree)
    box = _space.frame(bvh._vertices)
    for op, arguments in (
        (ops.triangle_tree, (bvh._vertices, bvh._faces, box)),
        (ops.closest_on_mesh, (points, order, bvh._vertices, bvh._faces, *tree, scale)),
        (ops.winding_moments, tree),
        (ops.winding_on_mesh, (points, order, *tree, moments, scale, 2.0)),
        (ops.rays_on_mesh, (points, points, *tree, scale, False)),
    ):
        torch.library.opcheck(op.default, arguments)


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda m, p: point_mesh_distance(p, "mesh"), "mesh: expected a Mesh, got str"),
        (lambda m, p: point_mesh_distance(p[:, :2], m), r"points: expected shape \(P, 3\)"),
        (lambda m, p: point_mesh_distance(p.float(), m), "points: expected dtype float64"),
        (
            lambda m, p: point_mesh_distance(p * math.nan, m),
            "points: 30 of 30 values are NaN",
        ),
        (lambda m, p: winding_number(p, m, beta=0), "beta: expected a positive number"),
        (
            lambda m, p: ray_mesh_intersection(p, p[:5], m),
            "directions: expected as many as origins",
        ),
        (lambda m, p: sample_points(m, -1), "n: expected a number of points"),
        (
            lambda m, p: signed_distance(p, Mesh(m.vertices, m.faces[:0])),
            "mesh: expected at least one face",
        ),
        (
            lambda m, p: sample_points(Mesh(m.vertices * 0, m.faces), 5),
            "mesh: expected a surface with a positive, finite area",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(soup(10, 1), random_points(10, 1))
    assert "\n" not in str(caught.value)


def test_no_points():
    mesh = soup(10, 1)
    none = mesh.vertices.new_zeros(0, 3)
    assert point_mesh_distance(none, mesh).face.shape == (0,)
    assert signed_distance(none, mesh).shape == (0,)
    assert sample_points(mesh, 0).shape == (0, 3)


def test_samples_are_uniform_on_the_surface_and_differentiable():
    mesh = shapes.box(dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    points, normals = sample_points(mesh, 20_000, normals=True, generator=generator)
    assert float(point_mesh_distance(points, mesh).squared_distance.max()) < 1e-24
    assert torch.allclose(normals.norm(dim=1), torch.ones(20_000, dtype=torch.float64))
    low, high = mesh.bounds()
    assert torch.allclose(points.mean(0), (low + high) / 2, atol=5e-3 * float((high - low).max()))
    again = sample_points(mesh, 20_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(points, again)
    vertices = mesh.vertices.clone().requires_grad_()

    def run(v):
        return sample_points(mesh.with_vertices(v), 7, generator=torch.Generator().manual_seed(1))

    # The choice of faces depends on areas only by strata, fixed here under tiny changes.
    assert torch.autograd.gradcheck(run, (vertices,))


def watertight(origins: torch.Tensor, directions: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    """(R,) the first face by the watertight test of Woop et al., all against all in float64."""
    d = directions.double()
    z = d.abs().argmax(1)
    axis = (z[:, None] + torch.tensor([1, 2, 0])) % 3
    d = d.gather(1, axis)
    corner = mesh.triangles.double()[None] - origins.double()[:, None, None]
    corner = corner.gather(3, axis[:, None, None].expand(-1, *corner.shape[1:]))
    x = corner[..., 0] - (d[:, 0] / d[:, 2])[:, None, None] * corner[..., 2]
    y = corner[..., 1] - (d[:, 1] / d[:, 2])[:, None, None] * corner[..., 2]
    w = x.roll(-2, 2) * y.roll(-1, 2) - y.roll(-2, 2) * x.roll(-1, 2)
    h = w * (corner[..., 2] * (1 / d[:, 2])[:, None, None])
    total = w[..., 0] + w[..., 1] + w[..., 2]
    t = (h[..., 0] + h[..., 1] + h[..., 2]) / total
    hit = ~((w < 0).any(2) & (w > 0).any(2)) & (total != 0) & (t >= 0)
    t = torch.where(hit, t, torch.inf)
    return torch.where(hit.any(1), (t == t.amin(1, keepdim=True)).int().argmax(1), -1)


@native
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("far", [0.0, 3000.0])
def test_rays_at_corners_and_edges_miss_nothing(dtype, far):
    """Where the quick test in the tree's precision must not say no; many, so that they are
    sorted."""
    ball = shapes.icosphere(2).to(torch.float64).translate((far, -far, 0)).to(dtype)
    generator = torch.Generator().manual_seed(0)
    edges = ball.vertices[ball.topology.edges]
    goals = torch.cat((ball.vertices, edges.mean(1), ball.triangles.mean(1)))
    some = torch.randint(len(goals), (5000,), generator=generator)
    away = torch.nn.functional.normalize(torch.randn(5000, 3, generator=generator), dim=1) * 3
    away[:1000, :2] = 0
    start = away.to(dtype) + ball.vertices.mean(0)
    start[1000:2000] = goals[some[1000:2000]]
    start[1000:2000, 2] += 2  # straight down
    way = (goals[some] - start) * torch.rand(5000, 1, generator=generator).to(dtype)
    found = MeshBVH(ball).rays(start, way)
    want = torch.cat(
        [watertight(start[i : i + 500], way[i : i + 500], ball) for i in range(0, 5000, 500)]
    )
    assert torch.equal(found.face, want)
    assert (found.face >= 0).double().mean() > 0.97
    few = MeshBVH(ball).rays(start[:500], way[:500])  # as they come
    assert all(torch.equal(a, b[:500]) for a, b in zip(few, found, strict=True))
