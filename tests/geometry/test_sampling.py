"""Random points on a surface: even by area, reproducible, differentiable."""

import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from meshlearn._native import HAS_NATIVE
from tests.geometry.shapes import octahedron, soup, sphere


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_even_by_area():
    mesh = sphere(10)
    n = 40_000
    face = geometry.sample_surface(mesh, n, stratified=False, generator=seeded()).faces
    share = mesh.face_areas() / mesh.area()
    expected = n * share
    chi = ((torch.bincount(face, minlength=mesh.num_faces) - expected) ** 2 / expected).sum()
    freedom = mesh.num_faces - 1
    assert abs(float(chi) - freedom) < 5 * (2 * freedom) ** 0.5


def test_even_within_a_face():
    mesh = ml.Mesh(torch.eye(3).double(), torch.tensor([[0, 1, 2]]))
    weight = geometry.sample_surface(mesh, 40_000, stratified=False, generator=seeded()).barycentric
    torch.testing.assert_close(weight.mean(0), torch.full((3,), 1 / 3).double(), atol=5e-3, rtol=0)
    # uniform on a triangle: variance 1/18 of each coordinate, and P(w < 1/2) = 3/4
    assert (weight.var(0) - 1 / 18).abs().max() < 1e-3
    assert ((weight < 0.5).double().mean(0) - 0.75).abs().max() < 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("stratified", [False, True])
def test_points_lie_where_they_say(dtype, stratified):
    mesh = soup(300, dtype)
    points, face, weight = geometry.sample_surface(
        mesh, 500, generator=seeded(), stratified=stratified
    )
    assert points.dtype == dtype and (weight >= 0).all()
    assert (mesh.face_areas()[face] > 0).all()
    expected = (weight[:, :, None] * mesh.vertices[mesh.faces[face]]).sum(1)
    torch.testing.assert_close(points, expected)
    assert float(ml.point_mesh_distance(points, mesh)[0].max()) < (
        1e-12 if points.dtype == torch.float32 else 1e-28
    )


def test_stratified_gives_each_face_its_share():
    mesh, n = sphere(10), 1000
    face = geometry.sample_surface(mesh, n, generator=seeded(), stratified=True).faces
    expected = n * mesh.face_areas() / mesh.area()
    assert (torch.bincount(face, minlength=mesh.num_faces) - expected).abs().max() < 2
    assert (face.diff() >= 0).all()


def test_seed():
    mesh = octahedron()
    a, b = (ml.sample_points(mesh, 10, generator=seeded(3)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, ml.sample_points(mesh, 10, generator=seeded(4)))


def test_normals():
    mesh = octahedron()
    points, normals = ml.sample_points(mesh, 50, normals=True, generator=seeded())
    torch.testing.assert_close(normals, points.sign() / 3**0.5)


def test_gradient():
    mesh = octahedron()

    def sample(vertices):
        return ml.sample_points(mesh.with_vertices(vertices), 20, normals=True, generator=seeded())

    vertices = mesh.vertices.clone().requires_grad_()
    points, normals = sample(vertices)
    samples = geometry.sample_surface(mesh, 20, generator=seeded())
    grad = torch.autograd.grad(points.sum(), vertices, retain_graph=True)[0]
    expected = torch.zeros(6, dtype=torch.float64).index_add(
        0, mesh.faces[samples.faces].reshape(-1), samples.barycentric.reshape(-1)
    )
    torch.testing.assert_close(grad, expected[:, None].expand(6, 3))
    assert torch.autograd.grad(normals[:, 0].sum(), vertices)[0].abs().max() > 0


def test_none():
    assert ml.sample_points(octahedron(), 0).shape == (0, 3)


def test_bad_input():
    mesh = octahedron()
    with pytest.raises(ValueError, match="n: expected a number of points"):
        ml.sample_points(mesh, -1)
    with pytest.raises(ValueError, match="n: expected a number of points"):
        ml.sample_points(mesh, 1.5)
    for broken in (
        ml.Mesh(mesh.vertices, mesh.faces[:0]),
        mesh.with_vertices(mesh.vertices * 0),
        mesh.with_vertices(mesh.vertices * float("nan")),
    ):
        with pytest.raises(ValueError, match="mesh: expected a surface with a positive, finite"):
            ml.sample_points(broken, 4)


def test_faces_without_area_or_weight_get_none():
    mesh = soup(300)
    faces = geometry.sample_surface(mesh, 20_000, generator=seeded()).faces
    assert bool((mesh.face_areas()[faces] > 0).all())
    weights = torch.zeros(300, dtype=torch.float64)
    weights[100:110] = 2.0
    faces = geometry.sample_surface(mesh, 1000, generator=seeded(), face_weights=weights).faces
    assert 100 <= int(faces.min()) and int(faces.max()) < 110
    for bad in (torch.ones(3), -torch.ones(300), torch.full((300,), float("nan"))):
        with pytest.raises(ValueError, match="face_weights"):
            geometry.sample_surface(mesh, 3, face_weights=bad)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_any_unit(scale):
    mesh = octahedron(torch.float32, scale)
    points, normals = ml.sample_points(mesh, 500, normals=True, generator=seeded())
    assert torch.allclose((points.double() / scale).abs().sum(1).float(), torch.ones(500))
    assert torch.allclose(normals.abs(), torch.full((500, 3), 3**-0.5))


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
def test_the_same_bits_on_any_number_of_threads():
    mesh = sphere(60, torch.float32)
    weights = torch.randn(100_000, 3, generator=seeded(5))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            v = mesh.vertices.clone().requires_grad_()
            points, normals = ml.sample_points(
                mesh.with_vertices(v), 100_000, normals=True, generator=seeded()
            )
            torch.autograd.backward([points, normals], [weights, weights])
            found.append((points.detach(), normals.detach(), v.grad))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
