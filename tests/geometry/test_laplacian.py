"""Laplacians against libigl, against their definition and against the gradient of the area."""

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.geometry import laplacian, laplacian_matrix

from .shapes import octahedron, soup, sphere

METHODS = ["uniform", "cotangent"]


def strip(dtype=torch.float64) -> ml.Mesh:
    """An open mesh with an edge of three faces, a face without area, a lone vertex, and a face
    that names a vertex twice."""
    v = [[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.3, -1, 0.5], [0.1, 0.3, 1], [5, 5, 5], [2, 0, 0]]
    f = [[0, 1, 2], [1, 0, 3], [0, 1, 4], [0, 1, 6], [2, 2, 4]]
    return ml.Mesh(torch.tensor(v, dtype=dtype), torch.tensor(f))


@pytest.mark.parametrize("mesh", [sphere(9), octahedron(), soup(200), strip()])
def test_uniform_by_definition(mesh):
    near = [set() for _ in range(mesh.num_vertices)]
    for face in mesh.faces.tolist():
        for a in face:
            near[a] |= set(face) - {a}
    v = mesh.vertices
    expected = torch.stack(
        [v[sorted(n)].mean(0) - v[i] if n else v[i] * 0 for i, n in enumerate(near)]
    )
    assert torch.allclose(laplacian(mesh), expected, atol=1e-12)
    matrix = laplacian_matrix(mesh)
    assert matrix._nnz() == sum(len(n) + bool(n) for n in near)
    assert torch.allclose(matrix @ v, expected, atol=1e-12)


def test_cotangent_matrix_is_libigls():
    igl = pytest.importorskip("igl")
    mesh = sphere(12)
    expected = igl.cotmatrix(mesh.vertices.numpy(), mesh.faces.numpy()).todense()
    assert torch.allclose(
        laplacian_matrix(mesh, "cotangent").to_dense(), torch.as_tensor(expected), atol=1e-10
    )


def test_cotangents_of_known_triangles():
    # in a square cut along its diagonal the diagonal is opposite two right angles
    v = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=torch.float64)
    mesh = ml.Mesh(v, torch.tensor([[0, 1, 2], [0, 2, 3]]))
    dense = laplacian_matrix(mesh, "cotangent").to_dense()
    expected = torch.tensor(
        [[-1, 0.5, 0, 0.5], [0.5, -1, 0.5, 0], [0, 0.5, -1, 0.5], [0.5, 0, 0.5, -1]],
        dtype=torch.float64,
    )
    assert torch.allclose(dense, expected, atol=1e-15)


@pytest.mark.parametrize("mesh", [sphere(9), octahedron(), strip()])
def test_cotangent_vectors_are_the_descent_of_area(mesh):
    v = mesh.vertices.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mesh.with_vertices(v).area(), v)
    assert torch.allclose(laplacian(mesh, "cotangent"), -gradient, atol=1e-12)


def test_cotangent_vectors_are_the_matrix_times_positions():
    mesh = sphere(12)
    expected = laplacian_matrix(mesh, "cotangent") @ mesh.vertices
    assert torch.allclose(laplacian(mesh, "cotangent"), expected, atol=1e-12)


def test_mean_curvature_of_a_sphere():
    mesh = ml.data.shapes.icosphere(4, dtype=torch.float64)
    per_area = laplacian(mesh, "cotangent").norm(dim=1).sum() / mesh.area()
    assert abs(float(per_area) - 2) < 0.01  # twice the mean curvature of the unit sphere


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrix_facts(method, dtype):
    mesh = sphere(10, dtype)
    matrix = laplacian_matrix(mesh, method)
    assert matrix.is_coalesced() and matrix.dtype == dtype
    rows, columns = matrix.indices()
    key = rows * mesh.num_vertices + columns
    assert bool((key[1:] > key[:-1]).all())
    dense = matrix.to_dense()
    assert float(dense.sum(1).abs().max()) < 1e-4
    if method == "cotangent":
        assert torch.allclose(dense, dense.T, atol=1e-5)
        assert float(torch.linalg.eigvalsh(dense.double()).max()) < 1e-4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mesh", [soup(300), strip(), soup(300, torch.float32)])
def test_no_nan_from_faces_without_area(method, mesh):
    v = mesh.vertices.clone().requires_grad_()
    vectors = laplacian(mesh.with_vertices(v), method)
    vectors.square().sum().backward()
    assert bool(torch.isfinite(vectors).all()) and bool(torch.isfinite(v.grad).all())
    assert bool(torch.isfinite(laplacian_matrix(mesh, method).values()).all())


@pytest.mark.parametrize("method", METHODS)
def test_gradcheck(method):
    mesh = octahedron()
    noise = 0.1 * torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    v = (mesh.vertices + noise).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: laplacian(mesh.with_vertices(p), method), v)


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_on_any_number_of_threads(method):
    mesh = sphere(100, torch.float32)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            fresh = ml.Mesh(mesh.vertices.clone().requires_grad_(), mesh.faces)
            vectors = laplacian(fresh, method)
            vectors.backward(vectors.detach())
            matrix = laplacian_matrix(fresh, method)
            found.append((vectors.detach(), fresh.vertices.grad, matrix.values()))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [0, 4])
def test_empty(method, size):
    mesh = ml.Mesh(torch.rand(size, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert laplacian(mesh, method).shape == (size, 3)
    assert not laplacian(mesh, method).any()
    matrix = laplacian_matrix(mesh, method)
    assert matrix.shape == (size, size) and matrix._nnz() == 0


def test_bad_input():
    for function in (laplacian, laplacian_matrix):
        with pytest.raises(ValueError, match="method: expected 'uniform' or 'cotangent'"):
            function(octahedron(), "cot")
        with pytest.raises(ValueError, match="mesh: expected a Mesh"):
            function(torch.zeros(3, 3))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mesh", [sphere(9), soup(200), strip()])
def test_csr_is_the_same_matrix(mesh, method):
    made = laplacian_matrix(mesh, method, layout="csr")
    assert made.layout == torch.sparse_csr
    assert torch.equal(made.to_dense(), laplacian_matrix(mesh, method).to_dense())
    with pytest.raises(ValueError, match="layout: expected 'coo' or 'csr'"):
        laplacian_matrix(mesh, method, layout="csc")
