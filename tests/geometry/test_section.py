"""Sections of meshes and lines by planes."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import icosphere, torus
from meshlearn.geometry.section import (
    plane_section,
    polyline_section,
    section,
    section_stack,
)
from meshlearn.mesh import Mesh
from tests.shared_data import shared_data

UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


def sphere() -> Mesh:
    return icosphere(3).to(torch.float64)


@pytest.mark.parametrize("height", [-0.7, 0.0, 0.4])
def test_a_sphere_is_cut_in_a_circle(height):
    normal = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)
    unit = normal / normal.norm()
    segments = plane_section(sphere(), height * unit, 3 * normal)
    assert ((segments @ unit) - height).abs().max() < 1e-12
    length = float((segments[:, 1] - segments[:, 0]).norm(dim=1).sum())
    assert abs(length - 2 * math.pi * math.sqrt(1 - height**2)) < 0.02 * length


def test_lines_of_a_closed_mesh_are_closed_also_through_vertices():
    """Every end of a segment is the end of another one; the plane goes through vertices."""
    mesh = sphere()
    segments = plane_section(mesh, mesh.vertices[5], UP)
    ends = segments[(segments[:, 1] - segments[:, 0]).norm(dim=1) > 0].reshape(-1, 3)
    exact = "donot_use_mm_for_euclid_dist"  # a matrix product loses half of the digits
    away = torch.cdist(ends, ends, compute_mode=exact).fill_diagonal_(10.0)
    assert len(ends) > 10 and float(away.amin(1).max()) < 1e-12


def test_a_plane_beside_a_mesh_and_a_face_in_the_plane_give_nothing():
    assert plane_section(sphere(), 2 * UP, UP).shape == (0, 2, 3)
    flat = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2]]))
    assert plane_section(flat, torch.zeros(3), UP).shape == (0, 2, 3)


def test_gradients_reach_the_vertices():
    vertices = torch.tensor([[0.0, 0, -1], [1, 0, 1], [0, 1, 2]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2]])

    def cut(v):
        return plane_section(Mesh(v, faces), 0.1 * UP, UP)

    assert torch.autograd.gradcheck(cut, vertices.requires_grad_(True))


def test_a_line_is_cut_in_points():
    turn = torch.linspace(0, 2 * math.pi, 101, dtype=torch.float64)
    ring = torch.stack([turn.cos(), turn.sin(), 0 * turn], 1)
    points = polyline_section(ring, torch.tensor([0.5, 0, 0]), torch.tensor([1.0, 0, 0]))
    want = torch.tensor([[0.5, 0.75**0.5, 0], [0.5, -(0.75**0.5), 0]], dtype=torch.float64)
    assert torch.allclose(points, want, atol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plane_section(3, UP, UP), "mesh: expected a Mesh"),
        (lambda: plane_section(sphere(), UP[None], UP), r"origin: expected \(3,\)"),
        (lambda: plane_section(sphere(), UP, 0 * UP), "normal: expected a direction"),
        (lambda: polyline_section(UP, UP, UP), r"points: expected \(K, 3\)"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_lines_are_in_order_and_closed_with_the_inside_left():
    lines = section(torus(dtype=torch.float64), [0, 0, 0], [0, 0, 5])
    assert [line.closed for line in lines] == [True, True]
    areas = sorted(float(line.area) for line in lines)
    assert areas == pytest.approx([-math.pi * 0.36, math.pi * 1.96], rel=0.01)
    ball = sphere()
    (ring,) = section(ball, 0.4 * UP, UP)
    assert len(ring.points) == len(ring.faces) == len(ring.edges)
    step = (ring.points.roll(-1, 0) - ring.points).norm(dim=1)
    assert float(step.max()) < 0.2 and float(step.sum()) == pytest.approx(float(ring.length()))
    assert float(ring.area) == pytest.approx(math.pi * (1 - 0.16), rel=0.02)
    # each segment lies in its face: the edges of both ends are edges of that face
    corner = ball.faces[ring.faces]
    for edges in (ring.edges, ring.edges.roll(-1, 0)):
        assert bool((corner[:, :, None] == edges[:, None]).any(1).all())
    at = ball.vertices[ring.edges]
    mixed = at[:, 0] + ring.share[:, None] * (at[:, 1] - at[:, 0])
    assert torch.equal(mixed, ring.points)
    back = section(ball.flip().mesh, 0.4 * UP, UP)[0]
    assert float(back.area) == pytest.approx(-float(ring.area))


def test_open_lines_and_seams():
    flat = Mesh(
        [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], torch.tensor([[0, 1, 2], [0, 2, 3]])
    ).to(torch.float64)
    (line,) = section(flat, [0.3, 0, 0], [1, 0, 0])
    assert not line.closed and line.points.shape == (3, 3) and line.faces.shape == (2,)
    assert float(line.length()) == pytest.approx(1) and float(line.area) == 0
    ball = sphere()
    apart = Mesh(ball.triangles.reshape(-1, 3), torch.arange(3 * ball.num_faces).view(-1, 3))
    (one,), (two,) = (section(m, [0, 0, 0.1], [0, 0, 1]) for m in (ball, apart))
    assert two.closed and (one.points - two.points).abs().max() < 1e-12
    assert section(ball, [0, 0, 5], [0, 0, 1]) == []


def test_a_stack_holds_the_volume():
    ball = sphere()
    heights = (torch.arange(200) + 0.5) / 100
    layers = section_stack(ball, [0, 0, -1], [0, 0, 2], heights)
    total = sum(float(line.area) for layer in layers for line in layer) / 100
    assert len(layers) == 200 and total == pytest.approx(float(ball.volume()), rel=1e-3)
    single = section(ball, [0, 0, float(heights[30]) - 1], [0, 0, 1])
    assert (single[0].points - layers[30][0].points).abs().max() < 1e-7


def test_gradients_of_lines():
    mesh = sphere()

    def ring(v):
        (line,) = section(mesh.with_vertices(v), [0, 0, 0.1], [0, 0, 1])
        return line.points, line.area

    vertices = mesh.vertices.clone().requires_grad_(True)
    area = ring(vertices)[1]
    (grad,) = torch.autograd.grad(area, vertices)
    step = 1e-6 * torch.randn(grad.shape, generator=torch.Generator().manual_seed(2)).double()
    ahead, behind = (ring(mesh.vertices + s * step)[1] for s in (1, -1))
    assert float(ahead - behind) / 2 == pytest.approx(float((grad * step).sum()), rel=1e-4)


@pytest.mark.parametrize("name", ["spot.obj", "3holes.off", "rocker-arm.obj", "block.obj"])
def test_stacks_of_real_meshes_hold_their_volume(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    low, high = mesh.bounds()[:, 1].tolist()
    heights = low + (torch.arange(100, dtype=torch.float64) + 0.5) / 100 * (high - low)
    layers = section_stack(mesh, [0, 0, 0], [0, 1, 0], heights)
    assert all(line.closed for layer in layers for line in layer)
    total = sum(float(line.area) for layer in layers for line in layer) * (high - low) / 100
    assert total == pytest.approx(float(mesh.volume()), rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 0], UP), r"origin: expected \(3,\), got \(2,\)"),
        (([0, 0, 0], [0, 0, 0]), "normal: expected a direction, got zeros"),
        ((["a"], UP), "origin: expected a tensor, an array or a list"),
    ],
)
def test_bad_planes_are_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        section(sphere(), *arguments)
