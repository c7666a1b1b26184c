"""Finer meshes: where vertices come to lie, and what attributes become."""

import math
from itertools import pairwise

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import box, icosphere, plane, torus
from meshlearn.geometry import subdivide
from tests.shared_data import shared_data


def dressed(mesh: Mesh) -> Mesh:
    v = mesh.vertices
    return Mesh(
        v,
        mesh.faces,
        vertex_attributes={
            "place": v.clone(),
            "color": (v * 100 + 120).to(torch.uint8),
            "normal": mesh.vertex_normals(),
            "label": torch.arange(len(v)),
        },
        face_attributes={"number": torch.arange(mesh.num_faces)},
        corner_attributes={
            "uv": CornerAttribute(
                mesh.triangles[..., :2].reshape(-1, 2).clone(),
                torch.arange(3 * mesh.num_faces).view(-1, 3),
            )
        },
    )


def test_midpoints_leave_the_surface_and_carry_everything():
    mesh = dressed(icosphere(1))
    made = subdivide(mesh, 2)
    fine = made.mesh
    assert fine.num_faces == 16 * mesh.num_faces and fine.is_watertight
    assert float(fine.area()) == pytest.approx(float(mesh.area()), rel=1e-5)
    assert torch.equal(fine.vertices[: mesh.num_vertices], mesh.vertices)
    assert torch.equal(made.face_index, fine.face_attributes["number"])
    own, old = fine.face_normals(), mesh.face_normals()[made.face_index]
    assert (own - old).abs().max() < 1e-5
    assert (fine.vertex_attributes["place"] - fine.vertices).abs().max() < 1e-6
    assert (fine.corner_attributes["uv"].dense() - fine.triangles[..., :2]).abs().max() < 1e-6
    assert (fine.vertex_attributes["normal"].norm(dim=1) - 1).abs().max() < 1e-5
    color = fine.vertex_attributes["color"]
    assert color.dtype == torch.uint8
    assert (color.float() - (fine.vertices * 100 + 120)).abs().max() < 3
    assert set(fine.vertex_attributes["label"].tolist()) == set(range(mesh.num_vertices))
    # charts of one face each stay apart: each keeps its own six values after one step
    assert len(subdivide(mesh).mesh.corner_attributes["uv"].values) == 6 * mesh.num_faces


def test_loop_weights_of_a_regular_vertex_and_edge():
    flat = plane((6.0, 6.0), segments=(6, 6)).to(torch.float64)
    bumped = flat.vertices.clone()
    inner = int(flat.vertices.norm(dim=1).argmin())
    up = int(flat.vertices.abs().amax(0).argmin())  # the axis across the plane
    bumped[inner, up] += 1
    fine = subdivide(flat.with_vertices(bumped), method="loop").mesh
    height = fine.vertices[:, up]
    assert float(height[inner]) == pytest.approx(5 / 8)  # 1 - 6 / 16
    edges = flat.topology.edges
    near = (edges == inner).any(1)
    assert height[len(bumped) :][near] == pytest.approx(3 / 8)
    rest = height[len(bumped) :][~near]
    assert sorted({round(float(x), 9) for x in rest}) == [0, 1 / 8]
    others = torch.unique(edges[near])
    others = others[others != inner]
    assert height[others] == pytest.approx(1 / 16)


def test_loop_goes_to_a_smooth_surface():
    coarse = torus(segments=12, rings=8)
    bends = []
    for steps in range(4):
        mesh = subdivide(coarse, steps, method="loop").mesh
        pair, normal = mesh.topology.face_pairs, mesh.face_normals()
        turn = (normal[pair[:, 0]] * normal[pair[:, 1]]).sum(1).clamp(-1, 1)
        bends.append(float(turn.min().acos()))
        assert mesh.is_watertight and mesh.topology.euler_number == 0
    assert all(b < 0.65 * a for a, b in pairwise(bends))


def test_borders_do_not_depend_on_the_inside_and_corners_of_sharp_edges_stay():
    flat = plane((2.0, 1.0), segments=(3, 3)).to(torch.float64)
    loop = flat.topology.boundary_loops()[0]
    moved = flat.vertices.clone()
    inside = torch.ones(len(moved), dtype=torch.bool)
    inside[loop] = False
    moved[inside] += 0.3
    one, two = (subdivide(m, 2, method="loop").mesh for m in (flat, flat.with_vertices(moved)))
    rim = one.topology.boundary_loops()[0]
    assert torch.equal(one.vertices[rim], two.vertices[rim])
    cube = box(dtype=torch.float64)
    sharp = subdivide(cube, 3, method="loop", sharp=30).mesh
    assert float(sharp.volume()) == pytest.approx(1)
    assert torch.equal(sharp.vertices[:8], cube.vertices)
    assert float(subdivide(cube, 3, method="loop").mesh.volume()) < 0.5


def test_seams_are_no_borders():
    ball = icosphere(1)
    apart = Mesh(ball.triangles.reshape(-1, 3), torch.arange(3 * ball.num_faces).view(-1, 3))
    one = subdivide(ball, 2, method="loop", sharp=60).mesh
    two = subdivide(apart, 2, method="loop", sharp=60).mesh
    assert two.num_vertices > one.num_vertices
    assert (one.triangles - two.triangles).abs().max() < 1e-6


def test_gradients_reach_the_vertices():
    mesh = box(dtype=torch.float64)
    for method in ("midpoint", "loop"):
        assert torch.autograd.gradcheck(
            lambda v, method=method: subdivide(mesh.with_vertices(v), method=method).mesh.vertices,
            mesh.vertices.clone().requires_grad_(),
        )


@pytest.mark.parametrize("name", ["spot.obj", "block.obj", "3holes.off", "lilium.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    for method in ("midpoint", "loop"):
        fine = subdivide(mesh, 1, method=method).mesh
        for fact in ("is_watertight", "is_edge_manifold", "is_consistently_oriented"):
            assert getattr(fine, fact) == getattr(mesh, fact)
        assert fine.topology.euler_number == mesh.topology.euler_number
        assert set(fine.corner_attributes) == set(mesh.corner_attributes)
        low, high = mesh.bounds()
        assert bool((fine.vertices >= low - 1e-9).all() and (fine.vertices <= high + 1e-9).all())
    if "uv" in mesh.corner_attributes:
        same = subdivide(mesh).mesh
        old = mesh.corner_attributes["uv"].dense()[subdivide(mesh).face_index]
        new = same.corner_attributes["uv"].dense()
        assert bool((new >= old.amin(1, keepdim=True) - 1e-6).all())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"iterations": -1}, "iterations: expected a whole number"),
        ({"iterations": 1.5}, "iterations: expected a whole number"),
        ({"iterations": 15}, "would make .* faces of 12"),
        ({"method": "butterfly"}, "method: expected 'midpoint' or 'loop'"),
        ({"sharp": 30.0}, "sharp: expected 0 to 180 degrees with method 'loop'"),
        ({"sharp": math.nan, "method": "loop"}, "sharp: expected 0 to 180"),
    ],
)
def test_bad_input_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        subdivide(box(), **arguments)
    with pytest.raises(ValueError, match="mesh: expected at least one face"):
        subdivide(Mesh(torch.zeros(3, 3), []))
