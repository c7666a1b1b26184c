"""Metrics of open surfaces."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data import open_shapes, shapes
from meshlearn.metrics.boundary import boundary_points


def figures(pred, target):
    return ml.metrics.compare(pred, target, samples=4000, quality=False)


def test_equal_and_shifted_boundaries():
    bowl = open_shapes.bowl()
    found = figures(bowl, bowl)
    assert found["boundary_chamfer"] == 0
    assert (found["boundary_loops_pred"], found["boundary_loops_target"]) == (1, 1)
    assert (found["euler_pred"], found["euler_target"]) == (1, 1)
    shifted = bowl.with_vertices(bowl.vertices + torch.tensor([0.0, 0.0, 0.1]))
    assert figures(shifted, bowl)["boundary_chamfer"] * found["scale"] == pytest.approx(
        0.1, rel=0.01
    )


def test_where_one_or_both_are_closed():
    ball, holed = shapes.icosphere(3), open_shapes.sphere_with_holes(3)
    assert figures(ball, ball)["boundary_chamfer"] == 0
    found = figures(ball, holed)
    assert math.isinf(found["boundary_chamfer"])
    assert (found["boundary_loops_pred"], found["boundary_loops_target"]) == (0, 3)
    assert (found["euler_pred"], found["euler_target"]) == (2, -1)


def test_an_empty_prediction():
    nothing = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    found = figures(nothing, open_shapes.bowl())
    assert math.isinf(found["boundary_chamfer"]) and found["boundary_loops_target"] == 1
    assert figures(nothing, shapes.icosphere(1))["boundary_chamfer"] == 0


def test_normals_are_compared_without_their_sign():
    bowl = open_shapes.bowl()
    turned = ml.Mesh(bowl.vertices, bowl.faces.flip(1))
    found = figures(turned, bowl)
    assert found["normal_consistency"] == pytest.approx(1, abs=1e-3)
    assert found["flipped_normals_percent"] == pytest.approx(100)


def test_points_lie_evenly_on_the_boundary():
    points = boundary_points(shapes.plane(segments=(3, 5)), 400)
    assert bool((points.abs().amax(1) > 0.4999).all())
    assert torch.allclose(points.mean(0), torch.zeros(3), atol=1e-3)
