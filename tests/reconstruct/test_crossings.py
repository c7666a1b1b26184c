"""Faces that cross others at the end of a fit: turned, moved, or left as they are."""

from __future__ import annotations

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data import shapes
from meshlearn.isosurface import VoxelGrid
from meshlearn.metrics import self_intersections
from meshlearn.reconstruct import fit, targets
from meshlearn.reconstruct.crossings import uncrossed
from meshlearn.representations import DeepMesh, FlexiCubes, GShell


def crossing(mesh: Mesh) -> int:
    return int((self_intersections(mesh) >= 0).sum())


def saddle_over_a_roof() -> Mesh:
    """A bent quad whose diagonal from corner 0 to 2 dips to z = 0, the other passes at 1, above a
    closed tent with its tip at 0.5."""
    quad = [[-1, 0, 0], [0, -1, 1], [1, 0, 0], [0, 1, 1]]
    tent = [[-0.2, -0.2, -1], [0.2, -0.2, -1], [0.2, 0.2, -1], [-0.2, 0.2, -1], [0, 0, 0.5]]
    vertices = torch.tensor([*quad, *tent], dtype=torch.float32)
    faces = [[0, 1, 2], [0, 2, 3]]
    faces += [[4, 5, 8], [5, 6, 8], [6, 7, 8], [7, 4, 8], [4, 6, 5], [4, 7, 6]]
    return Mesh(vertices, torch.tensor(faces), vertex_attributes={"number": torch.arange(9)})


def crumpled(seed: int = 0, cells: int = 12) -> FlexiCubes:
    """A ball with weights of noise, whose surface has crossings: the first from a seed on."""
    for more in range(0, 1000, 10):
        shape = _with_noise(seed + more, cells)
        if crossing(shape.final_mesh()) > 9:
            return shape
    raise AssertionError("no noise makes faces cross")


def _with_noise(seed: int, cells: int) -> FlexiCubes:
    shape = FlexiCubes(VoxelGrid(cells))
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in shape.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
        noise = 0.02 * shape.sdf / shape.scale
        shape.sdf.copy_((shape.grid.vertices.norm(dim=1) - 0.6) / shape.scale + noise)
    return shape


def test_the_diagonal_that_does_not_cross_is_taken():
    mesh = saddle_over_a_roof()
    assert crossing(mesh) > 0
    made = uncrossed(mesh, 2.5)
    assert crossing(made) == 0
    assert torch.equal(made.vertices, mesh.vertices) and torch.equal(made.faces[2:], mesh.faces[2:])
    assert {frozenset(f) for f in made.faces[:2].tolist()} == {
        frozenset((0, 1, 3)),
        frozenset((1, 2, 3)),
    }
    assert torch.equal(made.vertex_attributes["number"], torch.arange(9))
    up = made.face_normals()[:2, 2]
    assert bool((up > 0).all()) == bool((mesh.face_normals()[:2, 2] > 0).all())


def test_a_diagonal_far_from_the_other_is_no_choice():
    mesh = saddle_over_a_roof()
    assert uncrossed(mesh, 1.0) is mesh  # the diagonals are one cell apart


def test_vertices_move_where_no_diagonal_helps():
    """The tip of a tent just through a plate of one triangle, which has no other diagonal."""
    plate = torch.tensor([[-2.0, -2, 0], [2, -2, 0], [0, 2, 0]])
    tent = saddle_over_a_roof().vertices[4:].clone()
    tent[4, 2] = 0.04
    faces = saddle_over_a_roof().faces[2:] - 4
    mesh = Mesh(torch.cat([plate, tent]), torch.cat([torch.tensor([[0, 1, 2]]), faces + 3]))
    assert crossing(mesh) > 0
    made = uncrossed(mesh, 1.0)
    assert crossing(made) == 0
    moved = (made.vertices - mesh.vertices).norm(dim=1)
    assert 0 < float(moved.max()) <= 0.1 + 1e-6
    tent[4, 2] = 0.4
    deep = Mesh(torch.cat([plate, tent]), mesh.faces)
    assert uncrossed(deep, 1.0) is deep


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_fewer_cross_and_all_else_stays(seed):
    shape = crumpled(seed)
    mesh, cell = shape.final_mesh(), shape.scale
    assert crossing(mesh) > 0
    made = uncrossed(mesh, cell)
    assert crossing(made) < 0.5 * crossing(mesh)
    assert made.topology.topological_type == mesh.topology.topological_type
    assert made.is_watertight and bool(made.is_vertex_manifold)
    assert made.is_consistently_oriented
    assert float((made.vertices - mesh.vertices).norm(dim=1).max()) <= 0.1 * cell * (1 + 1e-5)
    assert float(made.volume()) == pytest.approx(float(mesh.volume()), rel=5e-3)
    again = uncrossed(mesh, cell)
    assert torch.equal(again.faces, made.faces) and torch.equal(again.vertices, made.vertices)


def test_what_does_not_cross_is_given_back_itself():
    ball = shapes.icosphere(2)
    assert uncrossed(ball, 0.1) is ball
    none = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert uncrossed(none, 0.1) is none


def test_faces_that_carry_something_stay():
    mesh = saddle_over_a_roof()
    named = Mesh(mesh.vertices, mesh.faces, face_attributes={"part": torch.arange(8)})
    assert uncrossed(named, 2.5) is named


def test_a_soup_is_left_alone():
    rng = torch.Generator().manual_seed(0)
    soup = Mesh(torch.rand(300, 3, generator=rng), torch.arange(300).view(-1, 3))
    assert uncrossed(soup, 0.1) is soup


def test_a_fit_ends_with_fewer_crossings_and_no_worse_distances():
    ball = shapes.icosphere(3)
    target = targets.FromMesh(ball.with_vertices(0.6 * ball.vertices), samples=1000)
    shape = crumpled()
    made = fit(shape, target, steps=1, lr=1e-4, initialize=False, progress=False).mesh
    plain = shape.final_mesh()
    assert crossing(made) < 0.5 * crossing(plain)
    figures = [ml.metrics.compare(m, target.mesh, samples=20_000) for m in (made, plain)]
    assert figures[0]["chamfer"] < 1.01 * figures[1]["chamfer"]
    start = fit(crumpled(), target, steps=0, initialize=False, progress=False).mesh
    assert torch.equal(start.faces, crumpled().final_mesh().faces)  # as it stands


def test_only_grids_choose_their_faces():
    assert FlexiCubes.chooses_faces and GShell.chooses_faces and not DeepMesh.chooses_faces
