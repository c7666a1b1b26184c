"""Sections of meshes and lines by planes."""

from __future__ import annotations

import math

import pytest
import torch

from meshlearn.data.shapes import icosphere
from meshlearn.geometry.section import plane_section, polyline_section
from meshlearn.mesh import Mesh

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
