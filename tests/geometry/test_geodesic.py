"""Distances along surfaces, and the solver below them."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data.shapes import icosphere, plane
from meshlearn.geometry import GeodesicSolver, geodesic_distance, sparse_solver
from meshlearn.geometry.sparse_solver import SparseCholesky
from tests.shared_data import shared_data


def test_great_circles():
    ball = icosphere(5).to(torch.float64).scale(3).translate((100, 0, 0))
    solver = GeodesicSolver(ball)
    at = (ball.vertices - torch.tensor([100.0, 0, 0], dtype=torch.float64)) / 3
    for source in (0, 777):
        found = solver.distance(source)
        want = 3 * (at @ at[source]).clamp(-1, 1).acos()
        assert found[source] == 0 and (found - want).abs().max() < 0.02 * 3 * math.pi
    both = solver.distance([0, 777])
    assert (both - torch.minimum(solver.distance(0), solver.distance(777))).abs().max() < 0.15
    assert both.dtype == ball.dtype
    assert torch.equal(solver.distance(777), geodesic_distance(ball, torch.tensor([777])))


def test_far_off_distances_are_as_right_as_near_ones():
    """Heat falls below 1e-100 here; a residual would no more see it."""
    strip = plane((60.0, 1.0), segments=(240, 4)).to(torch.float64)
    x = strip.vertices[:, 0]
    source = int(x.argmin())
    found = geodesic_distance(strip, source)
    want = (strip.vertices - strip.vertices[source]).norm(dim=1)
    assert (found - want).abs().max() < 0.25
    far = want > 50
    assert ((found - want) / want)[far].abs().max() < 0.005


def test_around_a_slit_not_across_it():
    flat = plane((2.0, 2.0), segments=(20, 20)).to(torch.float64)
    centre = flat.triangles.mean(1)
    wall = (centre[:, 0].abs() < 0.1) & (centre[:, 1] < 0.7)
    slit = flat.submesh(~wall).mesh
    at = slit.vertices
    left = int((at - torch.tensor([-0.5, -0.5, 0])).norm(dim=1).argmin())
    right = int((at - torch.tensor([0.5, -0.5, 0])).norm(dim=1).argmin())
    found = float(geodesic_distance(slit, left)[right])
    around = 2 * math.hypot(0.4, 1.2) + 0.2
    assert found == pytest.approx(around, rel=0.08)


def test_seams_join_and_parts_do_not():
    ball = icosphere(3).to(torch.float64)
    corners = torch.arange(3 * ball.num_faces).view(-1, 3)
    apart = Mesh(ball.triangles.reshape(-1, 3), corners)
    one, two = (
        geodesic_distance(ball, 0),
        geodesic_distance(apart, int((ball.faces == 0).reshape(-1).int().argmax())),
    )
    assert (two - one[ball.faces.reshape(-1)]).abs().max() < 1e-9
    pair = ml.mesh.cat([ball, ball.translate((5, 0, 0))]).mesh
    pair = Mesh(torch.cat((pair.vertices, pair.vertices[:1] + 9)), pair.faces)
    found = geodesic_distance(pair, 0)
    count = ball.num_vertices
    assert bool(torch.isfinite(found[:count]).all()) and bool(found[count:].isinf().all())
    assert (found[:count] - one).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([], "sources: expected a vertex or more"),
        (99999, "sources: index 99999 is out of range for 162 vertices"),
        ([-1], "sources: index -1 is out of range"),
        ([0.5], "sources: expected dtype int64"),
    ],
)
def test_bad_sources_are_told(sources, words):
    with pytest.raises(ValueError, match=words):
        geodesic_distance(icosphere(2), sources)


def test_bad_meshes_are_told():
    ball = icosphere(1)
    with pytest.raises(ValueError, match="time: expected"):
        GeodesicSolver(ball, time=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        GeodesicSolver(ball.with_vertices(ball.vertices / 0))
    with pytest.raises(ValueError, match="faces with areas, got none"):
        GeodesicSolver(ball.with_vertices(ball.vertices * torch.tensor([1.0, 0, 0])))


def matrix_of(mesh: Mesh):
    made = -ml.geometry.laplacian_matrix(mesh, "cotangent", layout="csr")
    start, column, values = made.crow_indices(), made.col_indices(), made.values().clone()
    row = torch.arange(len(start) - 1).repeat_interleave(start.diff())
    values[row == column] += 0.01
    size = (len(start) - 1,) * 2
    return torch.sparse_csr_tensor(start, column, values, size, check_invariants=False)


@pytest.mark.parametrize("native", [True, False])
def test_solutions_are_those_of_a_dense_matrix(native, monkeypatch):
    if native and not sparse_solver._NATIVE:
        pytest.skip("the operators are not built")
    monkeypatch.setattr(sparse_solver, "_NATIVE", native)
    mesh = icosphere(3).to(torch.float64)
    matrix = matrix_of(mesh)
    right = torch.randn(mesh.num_vertices, 2, generator=torch.Generator().manual_seed(0))
    right = right.double()
    want = torch.linalg.solve(matrix.to_dense(), right)
    pattern = SparseCholesky(matrix.crow_indices(), matrix.col_indices(), mesh.vertices)
    assert torch.equal(pattern.order.sort().values, torch.arange(mesh.num_vertices))
    for dense in (3000, 0):
        monkeypatch.setattr(sparse_solver, "_DENSE", dense)
        factor = pattern.factor(matrix.values())
        room = 1e-12 if native or dense else 1e-6
        assert (factor.solve(right) - want).abs().max() < room * want.abs().max()
        assert (factor.solve(right[:, 0]) - want[:, 0]).abs().max() < room * want.abs().max()
    monkeypatch.setattr(sparse_solver, "_DENSE", 3000)
    with pytest.raises(ValueError, match="expected a positive one"):
        pattern.factor(-matrix.values())


def test_operators_stand_opcheck():
    if not sparse_solver._NATIVE:
        pytest.skip("the operators are not built")
    mesh = icosphere(1).to(torch.float64)
    matrix = matrix_of(mesh)
    pattern = (matrix.crow_indices().clone(), matrix.col_indices().clone())
    values = matrix.values().clone()
    ops = torch.ops.meshlearn

    def opcheck(operator, arguments):
        quick = ("test_schema", "test_faketensor")
        torch.library.opcheck(operator, arguments, test_utils=quick)

    opcheck(ops.dissection, (mesh.vertices, *pattern))
    order = ops.dissection(mesh.vertices, *pattern)
    opcheck(ops.cholesky, (*pattern, values, order))
    parts = ops.cholesky(*pattern, values, order)
    opcheck(ops.cholesky_solve, (order, *parts, mesh.vertices))
    empty = ops.cholesky(order.new_zeros(1), order[:0], values[:0], order[:0])
    assert [len(part) for part in empty] == [1, 0, 0, 0]


@pytest.mark.parametrize("name", ["spot.obj", "3holes.off", "lilium.obj", "rocker-arm.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    found = geodesic_distance(mesh, int(mesh.faces[0, 0]))
    reached = torch.isfinite(found)
    straight = (mesh.vertices - mesh.vertices[mesh.faces[0, 0]]).norm(dim=1)
    assert bool(reached.any()) and bool((found[reached] >= 0).all())
    size = float(straight.max())
    assert (straight - found)[reached].max() < 0.05 * size  # no shorter than straight
