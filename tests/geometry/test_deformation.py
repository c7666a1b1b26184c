"""Handles bend a mesh, and what they do not reach follows as rigidly as it can."""

import itertools
import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data.shapes import icosphere, plane
from meshlearn.geometry import Deformer, deform
from meshlearn.geometry.rigid_cells import RigidCells, nearest_rotations
from tests.geometry.shapes import sphere
from tests.shared_data import shared_data


def bar() -> Mesh:
    """A closed round bar of length 6 along x."""
    ball = sphere(16, bumps=0)
    x, y, z = ball.vertices.unbind(1)
    # as a strip around: rings at even places, the ends flat
    ring = (1 - x.square()).clamp(min=1e-12).sqrt()
    along = 1 - 2 * x.clamp(-1, 1).acos() / math.pi
    thin = (4 * (1 - along.abs())).clamp(max=1) * 0.6 / ring
    thin = torch.where(ring < 1e-5, 0, thin)
    return ball.with_vertices(torch.stack((3 * along, thin * y, thin * z), 1))


def ends(mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    x = mesh.vertices[:, 0]
    low, high = x < x.min() + 0.8, x > x.max() - 0.8
    return low, high


def energy(mesh: Mesh, other: Mesh) -> float:
    return float(RigidCells(mesh).rotations(other.vertices)[1])


@pytest.mark.parametrize("weight", [None, 3.0])
def test_a_rigid_motion_of_the_handles_is_one_of_the_mesh(weight):
    mesh = bar()
    low, high = ends(mesh)
    moved = mesh.rotate((1, 2, 3), 170).translate((50, -20, 3))
    found = deform(mesh, low | high, moved.vertices[low | high], weight=weight)
    assert (found.vertices - moved.vertices).abs().max() < 1e-8
    same = deform(mesh, [0, 9], mesh.vertices[[0, 9]], weight=weight)
    assert (same.vertices - mesh.vertices).abs().max() < 1e-9
    one = deform(mesh, [5], mesh.vertices[[5]] + torch.tensor([1.0, 2, 3]), weight=weight)
    assert (one.vertices - mesh.vertices - torch.tensor([1.0, 2, 3])).abs().max() < 1e-8


def test_a_bent_bar_keeps_its_lengths_and_volume():
    mesh = bar()
    low, high = ends(mesh)
    turned = mesh.rotate("y", 45)
    where = torch.where(high[:, None], turned.vertices, mesh.vertices)
    handles = low | high
    bent = deform(mesh, handles, where[handles])
    assert torch.equal(bent.vertices[handles], where[handles])
    assert torch.equal(bent.faces, mesh.faces)
    edges = mesh.topology.edges
    change = (bent.vertices[edges[:, 0]] - bent.vertices[edges[:, 1]]).norm(dim=1)
    change = change / (mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]]).norm(dim=1) - 1
    assert change.square().mean().sqrt() < 0.08
    assert abs(float(bent.volume() / mesh.volume()) - 1) < 0.13
    # no small change of the free vertices has less energy
    free = (~handles).nonzero().squeeze(1)
    least = energy(mesh, bent)
    for seed in range(3):
        noise = torch.randn(len(free), 3, generator=torch.Generator().manual_seed(seed)).double()
        other = bent.vertices.clone()
        other[free] += 2e-3 * noise
        assert energy(mesh, bent.with_vertices(other)) > least


def test_more_steps_do_not_make_it_worse():
    mesh = bar()
    low, high = ends(mesh)
    where = torch.where(high[:, None], mesh.rotate("y", 60).vertices, mesh.vertices)
    solver = Deformer(mesh, low | high)
    found = [
        energy(mesh, solver.deform(where[low | high], iterations=n)) for n in (1, 4, 16, 64, 200)
    ]
    assert all(b <= a * (1 + 1e-9) for a, b in itertools.pairwise(found)), found
    assert found[-1] < 0.9 * found[0]


def test_soft_handles_come_nearer_with_their_weight():
    mesh = bar()
    low, high = ends(mesh)
    handles = (low | high).nonzero().squeeze(1)
    where = mesh.vertices[handles] + torch.where(high[handles, None], 0.7, 0.0)
    away = [
        float((deform(mesh, handles, where, weight=w).vertices[handles] - where).norm(dim=1).mean())
        for w in (0.01, 0.3, 10.0)
    ]
    assert away[0] > 2 * away[1] > 8 * away[2] > 0


def test_the_energy_has_the_gradient_that_the_steps_set_to_zero():
    ball = icosphere(1).to(torch.float64)
    cells = RigidCells(ball)
    noise = 0.2 * torch.randn(ball.vertices.shape, generator=torch.Generator().manual_seed(0))
    at = (ball.vertices + noise).requires_grad_()
    turn, value = cells.rotations(at)
    (slope,) = torch.autograd.grad(value, at)
    want = 4 * (cells.product(at) - cells.forces(turn))
    assert (slope - want).abs().max() < 1e-9
    assert float(value.detach()) > 0
    row = torch.arange(len(at)).repeat_interleave(cells.start.diff())
    matrix = torch.zeros(len(at), len(at), dtype=torch.float64)
    matrix[row, cells.column] = cells.values
    assert (matrix @ at - cells.product(at)).abs().max() < 1e-12
    assert (matrix.diagonal() == cells.values[cells.own]).all()


def test_nearest_rotations_are_proper_and_best():
    generator = torch.Generator().manual_seed(0)
    spread = torch.randn(50, 3, 3, generator=generator, dtype=torch.float64)
    spread[0] = 0
    spread[1] = torch.outer(torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0]))
    turn, along = nearest_rotations(spread)
    eye = torch.eye(3, dtype=torch.float64)
    assert (turn @ turn.transpose(1, 2) - eye).abs().max() < 1e-12
    assert (torch.linalg.det(turn) - 1).abs().max() < 1e-12
    assert ((turn @ spread).diagonal(dim1=1, dim2=2).sum(1) - along).abs().max() < 1e-12
    for _ in range(20):
        q = torch.linalg.qr(torch.randn(50, 3, 3, generator=generator, dtype=torch.float64)).Q
        q = q * torch.linalg.det(q)[:, None, None].sign()
        assert ((q @ spread).diagonal(dim1=1, dim2=2).sum(1) <= along + 1e-9).all()


def test_attributes_stay_and_normals_turn():
    mesh = sphere(12).scale(2)
    normal = mesh.vertex_normals()
    tangent = torch.nn.functional.normalize(torch.linalg.cross(normal, normal.roll(1, 1)), dim=1)
    tangent = torch.cat((tangent, torch.ones(len(tangent), 1)), 1)
    corner = ml.CornerAttribute(normal, mesh.faces)
    full = Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={"normal": normal, "tangent": tangent, "heat": normal[:, 0]},
        face_attributes={"normal": mesh.face_normals()},
        corner_attributes={"normal": corner},
    )
    turned = full.rotate("x", 80)
    handles = torch.arange(0, full.num_vertices, 7)
    bent = deform(full, handles, turned.vertices[handles])
    assert torch.equal(bent.vertex_attributes["heat"], full.vertex_attributes["heat"])
    for got, want in (
        (bent.vertex_attributes["normal"], turned.vertex_attributes["normal"]),
        (bent.face_attributes["normal"], turned.face_attributes["normal"]),
        (bent.corner_attributes["normal"].values, turned.corner_attributes["normal"].values),
    ):
        assert (got - want).abs().max() < 1e-6
    along = bent.vertex_attributes["tangent"]
    assert (along - turned.vertex_attributes["tangent"]).abs().max() < 1e-6
    assert (along[:, 3] == 1).all()
    assert (along[:, :3] * bent.vertex_normals()).sum(1).abs().max() < 0.02
    assert bent.vertex_attributes["tangent"].shape == tangent.shape


def test_seams_stay_closed_and_parts_without_handles_where_they_are():
    mesh = bar().translate((431000.0, 5398000.0, 100.0))
    soup = Mesh(mesh.triangles.reshape(-1, 3), torch.arange(3 * mesh.num_faces).view(-1, 3))
    lone = icosphere(1).to(torch.float64).translate((431000.0, 5398020.0, 100.0))
    both = Mesh(
        torch.cat((soup.vertices, lone.vertices, torch.zeros(1, 3))),
        torch.cat((soup.faces, lone.faces + soup.num_vertices)),
    )
    x = both.vertices[: soup.num_vertices, 0] - 431000
    handles = ((x < -2.2) | (x > 2.2)).nonzero().squeeze(1)
    goal = both.vertices[handles].clone()
    goal[:, 2] += torch.where(goal[:, 0] > 431000, 2.0, 0.0)
    bent = deform(both, handles, goal)
    assert bent.merge_vertices().mesh.num_vertices == both.merge_vertices().mesh.num_vertices
    assert torch.equal(bent.vertices[soup.num_vertices :], both.vertices[soup.num_vertices :])
    assert torch.equal(bent.vertices[handles], goal)
    with pytest.raises(ValueError, match="stand at one place, were sent to two"):
        other = goal.clone()
        other[0, 2] += 1
        deform(both, handles, other)


def test_a_sheet_with_a_border_bends():
    sheet = plane((4.0, 1.0), segments=(40, 10)).to(torch.float64)
    x = sheet.vertices[:, 0]
    low, high = x < x.min() + 0.3, x > x.max() - 0.3
    away = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    where = torch.where(high[:, None], sheet.vertices + away, sheet.vertices)
    bent = deform(sheet, low | high, where[low | high])
    assert abs(float(bent.area() / sheet.area()) - 1) < 0.05


@pytest.mark.parametrize(
    "name", ["spot.obj", pytest.param("armadillo.obj", marks=pytest.mark.slow)]
)
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name))
    low, high = mesh.bounds()
    share = (mesh.vertices[:, 1] - low[1]) / (high - low)[1]
    handles = ((share < 0.1) | (share > 0.9)).nonzero().squeeze(1)
    turned = mesh.rotate("y", 30)
    where = torch.where(share[:, None] > 0.9, turned.vertices, mesh.vertices)[handles]
    bent = deform(mesh, handles, where)
    assert bent.dtype == mesh.dtype and torch.equal(bent.vertices[handles], where)
    assert abs(float(bent.area() / mesh.area()) - 1) < 0.03
    assert abs(float(bent.volume() / mesh.volume()) - 1) < 0.05
    assert bent.corner_attributes.keys() == mesh.corner_attributes.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mesh": Mesh(torch.zeros(3, 3), [])}, "mesh: .*face"),
        ({"handles": []}, "handles: expected a vertex or more, got none"),
        ({"handles": [0, 999]}, "handles: index 999 is out of range"),
        ({"handles": [0, 0]}, "handles: vertex 0 is named twice"),
        ({"handles": [0.5, 1]}, "handles: expected dtype int64"),
        ({"positions": torch.zeros(3, 3)}, r"positions: expected shape \(2, 3\), got \(3, 3\)"),
        ({"positions": [[0, 0, math.nan], [0, 0, 0]]}, "positions: 1 of 6 values are NaN"),
        ({"weight": 0}, "weight: expected a number above 0 or None"),
        ({"iterations": 0}, "iterations: expected a whole number above 0"),
    ],
)
def test_bad_input_is_told(arguments, words):
    given = {"mesh": icosphere(1), "handles": [0, 1], "positions": torch.zeros(2, 3)}
    with pytest.raises(ValueError, match=words):
        deform(**{**given, **arguments})
