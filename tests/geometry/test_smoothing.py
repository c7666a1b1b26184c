"""Smoothing: noise goes, size and borders stay."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import icosphere, plane
from meshlearn.geometry import laplacian, smooth
from tests.shared_data import shared_data


def noisy(mesh: Mesh, amount: float) -> Mesh:
    noise = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(1))
    return mesh.with_vertices(mesh.vertices + amount * noise.to(mesh.dtype))


def unevenness(mesh: Mesh) -> float:
    return float((mesh.vertices.norm(dim=1) - mesh.vertices.norm(dim=1).mean()).square().mean())


@pytest.mark.parametrize(("method", "kept"), [("taubin", 0.005), ("implicit", 0.14)])
def test_noise_goes_and_the_size_stays(method, kept):
    ball = icosphere(4)
    rough = noisy(ball, 0.01)
    calm = smooth(rough, method=method, amount=4.0 if method == "implicit" else None)
    assert unevenness(calm) < 0.25 * unevenness(rough)
    assert float(calm.volume()) == pytest.approx(float(rough.volume()), rel=kept)
    assert calm.topology is rough.topology


def test_a_step_of_taubin_by_definition():
    mesh = noisy(icosphere(2), 0.05).to(torch.float64)
    back = 1 / (0.1 - 2)
    first = mesh.with_vertices(mesh.vertices + 0.5 * laplacian(mesh))
    second = first.vertices + back * laplacian(first)
    assert (smooth(mesh, 1).vertices - second).abs().max() < 1e-12
    assert torch.equal(smooth(mesh, 0).vertices, mesh.vertices)


def test_a_step_of_the_flow_solves_its_equation():
    mesh = noisy(icosphere(3), 0.02).to(torch.float64)
    calm = smooth(mesh, method="implicit", amount=3)
    edges = mesh.topology.edges
    length = (mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]]).norm(dim=1).mean()
    area = torch.zeros(mesh.num_vertices, dtype=torch.float64)
    third = (mesh.face_areas() / 3).repeat_interleave(3)
    area = area.index_add(0, mesh.faces.reshape(-1), third)[:, None]
    matrix = ml.geometry.laplacian_matrix(mesh, "cotangent")
    x = calm.vertices
    rest = area * (x - mesh.vertices) - 3 * length**2 * (matrix @ x)
    assert rest.abs().max() < 1e-6 * (area * mesh.vertices).abs().max()


@pytest.mark.parametrize("method", ["taubin", "implicit"])
def test_borders(method):
    flat = plane((2.0, 1.0), segments=(8, 8)).to(torch.float64)
    rough = noisy(flat, 0.02)
    rim = rough.topology.boundary_loops()[0]
    inside = torch.ones(flat.num_vertices, dtype=torch.bool)
    inside[rim] = False
    calm = smooth(rough, method=method)
    assert torch.equal(calm.vertices[rim], rough.vertices[rim])
    assert (calm.vertices - rough.vertices)[inside].norm(dim=1).min() > 0
    assert (smooth(flat, method=method).vertices[:, 2]).abs().max() < 1e-12
    assert (calm.vertices - flat.vertices).norm(dim=1).max() < 0.1
    free = smooth(rough, method=method, border="free")
    assert (free.vertices - rough.vertices)[rim].norm(dim=1).max() > 1e-3
    if method == "taubin":
        along = smooth(rough, border="along")
        other = rough.vertices.clone()
        other[inside] += 1
        again = smooth(rough.with_vertices(other), border="along")
        assert (along.vertices - again.vertices)[rim].abs().max() < 1e-12
        assert (along.vertices - rough.vertices)[rim].norm(dim=1).max() > 1e-3


def test_seams_stay_closed_and_lone_vertices_where_they_are():
    ball = noisy(icosphere(2), 0.02)
    corners = torch.arange(3 * ball.num_faces).view(-1, 3)
    apart = Mesh(torch.cat((ball.triangles.reshape(-1, 3), torch.full((1, 3), 9.0))), corners)
    for method in ("taubin", "implicit"):
        one, two = smooth(ball, method=method), smooth(apart, method=method)
        assert (one.triangles - two.triangles).abs().max() < 1e-5
        assert two.vertices[-1].tolist() == [9, 9, 9]


def test_normals_turn_along_on_every_domain():
    rough = noisy(icosphere(3), 0.02).to(torch.float64)
    normal = rough.vertex_normals()
    rough.vertex_attributes["normal"] = normal
    rough.face_attributes["normal"] = rough.face_normals()
    rough.corner_attributes["normal"] = CornerAttribute(normal, rough.faces)
    calm = smooth(rough)
    assert (calm.vertex_attributes["normal"] - calm.vertex_normals()).abs().max() < 1e-9
    assert (calm.face_attributes["normal"] - calm.face_normals()).abs().max() < 1e-9
    dense = calm.corner_attributes["normal"].dense()
    assert (dense * calm.vertex_normals()[calm.faces]).sum(2).min() > 0.97


def test_gradients_of_taubin():
    mesh = noisy(icosphere(0), 0.1).to(torch.float64)

    def run(v):
        return smooth(mesh.with_vertices(v), 3).vertices

    assert torch.autograd.gradcheck(run, mesh.vertices.clone().requires_grad_())
    with torch.no_grad():
        plain = run(mesh.vertices)
    assert (run(mesh.vertices.clone().requires_grad_()) - plain).abs().max() < 1e-12


@pytest.mark.parametrize("name", ["spot.obj", "3holes.off", "lilium.obj", "beetle.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    size = float((mesh.bounds()[1] - mesh.bounds()[0]).max())
    for method in ("taubin", "implicit"):
        calm = smooth(mesh, method=method)
        assert bool(torch.isfinite(calm.vertices).all())
        assert (calm.vertices - mesh.vertices).norm(dim=1).max() < 0.2 * size
        assert float(calm.area()) < 1.02 * float(mesh.area())
        again = smooth(mesh, method=method)
        assert torch.equal(calm.vertices, again.vertices)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "laplace"}, "method: expected 'taubin' or 'implicit'"),
        ({"iterations": -1}, "iterations: expected a whole number"),
        ({"amount": 0}, "amount: expected a number above 0 to 1"),
        ({"amount": 2.0}, "amount: expected a number above 0 to 1"),
        ({"amount": math.nan, "method": "implicit"}, "amount: expected a number above 0"),
        ({"border": "none"}, "border: expected 'fixed', 'along' or 'free'"),
        ({"border": "along", "method": "implicit"}, "border: 'along' is for method 'taubin'"),
        ({"pass_band": 3}, "pass_band: expected"),
    ],
)
def test_bad_input_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        smooth(icosphere(1), **arguments)
    with pytest.raises(ValueError, match="NaN or infinite"):
        smooth(icosphere(1).scale(1).with_vertices(icosphere(1).vertices / 0))
