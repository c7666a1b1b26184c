"""The short names of the toolbox: what they give, and that it is what the rooms give."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere


def test_solids_and_hulls_are_meshes():
    pytest.importorskip("manifold3d")
    a, b = icosphere(2), icosphere(2).translate((0.5, 0, 0))
    for operation in ("union", "difference", "intersection"):
        made = ml.boolean(a, b, operation)
        assert isinstance(made, ml.Mesh)
        assert torch.equal(made.faces, ml.geometry.boolean(a, b, operation).mesh.faces)
    hull = ml.convex_hull([[x, y, z] for x in (0.0, 1) for y in (0, 1) for z in (0, 2)])
    assert hull.is_watertight and float(hull.volume()) == pytest.approx(2.0)


def test_simplified_by_number_and_by_error():
    ball = icosphere(5)
    assert ml.simplify(ball, 500).num_faces <= 500
    near, far = ml.simplify(ball, error=0.002), ml.simplify(ball, error=0.02)
    assert far.num_faces < near.num_faces < ball.num_faces
    for made, error in ((near, 0.002), (far, 0.02)):
        points = ml.sample_points(made, 5000)
        assert float(ml.point_mesh_distance(points, ball)[0].max()) ** 0.5 <= error * 1.05
    assert ml.simplify(ball, 9000, error=0.5).num_faces in range(8900, 9100)
    with pytest.raises(ValueError, match="got neither"):
        ml.simplify(ball)
    for error in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive distance"):
            ml.simplify(ball, error=error)


def test_smooth_and_fine():
    ball = icosphere(3)
    noise = torch.randn(ball.num_vertices, 1, generator=torch.Generator().manual_seed(0))
    noisy = ball.with_vertices(ball.vertices * (1 + 0.03 * noise))
    rough, calm = ((m.vertices.norm(dim=1) - 1).std() for m in (noisy, ml.smooth(noisy, steps=20)))
    assert float(calm) < 0.5 * float(rough)
    assert ml.subdivide(ball, steps=2).num_faces == 16 * ball.num_faces


def test_curvature_distance_and_section():
    ball = icosphere(4)
    found = ml.curvature(ball)
    assert float((found.k1 - 1).abs().median()) < 0.02 and bool((found.k1 >= found.k2).all())
    assert torch.allclose(found.mean, found.gaussian.sqrt(), atol=0.05)
    assert float((found.d1 * found.d2).sum(1).abs().max()) < 1e-3
    distance = ml.geodesic(ball, [0])
    angle = torch.acos((ball.vertices @ ball.vertices[0]).clamp(-1, 1))
    assert float((distance - angle).abs().max()) < 0.08
    (loop,) = ml.section(ball, [0, 0, 0.1], [0, 0, 1])
    assert loop.shape[1] == 3
    assert torch.allclose(loop[:, :2].norm(dim=1), torch.tensor(0.99**0.5), atol=5e-3)
    assert ml.section(box(), [0, 0, 9], [0, 0, 1]) == []


def test_holes_and_places():
    ball = icosphere(3)
    open_ball = ball.submesh(ball.vertices[ball.faces].mean(1)[:, 2] < 0.8).mesh
    assert ml.fill_holes(open_ball).is_watertight
    assert not ml.fill_holes(open_ball, max_size=0.1).is_watertight
    pear = ball.with_vertices(ball.vertices * torch.tensor([1.0, 0.6, 0.3]) + ball.vertices**2 / 5)
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    turn[:3, 3] = torch.tensor([0.3, -0.2, 0.1])
    laid = ml.register(pear, pear.transform(turn))
    assert laid.shape == (4, 4) and float((laid.to(turn) - turn).abs().max()) < 0.02
