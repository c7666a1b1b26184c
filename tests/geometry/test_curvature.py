"""Curvatures where they are known in closed form."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data.shapes import box, cylinder, icosphere, torus
from meshlearn.geometry import curvature
from tests.shared_data import shared_data


@pytest.mark.parametrize("radius", [1.0, 250.0])
def test_a_sphere(radius):
    ball = icosphere(4).scale(radius)
    found = curvature(ball)
    for value in (found.mean, found.minimum, found.maximum):
        assert value.dtype == torch.float32
        assert (value * radius - 1).abs().max() < 0.03
    assert (found.gaussian * radius**2 - 1).abs().max() < 0.01
    assert float(found.area.sum()) == pytest.approx(float(ball.area()), rel=1e-5)
    assert (curvature(ball.flip().mesh).mean * radius + 1).abs().max() < 0.03


def test_a_torus_with_its_directions():
    mesh = torus(segments=96, rings=48, dtype=torch.float64)
    found = curvature(mesh)
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
    out = torch.hypot(x, y)
    around = (out - 1) / 0.4 / out  # along the large circle; 1 / 0.4 along the small one
    assert (found.minimum - around).abs().max() < 0.01
    assert (found.maximum - 2.5).abs().max() < 0.01
    assert (found.mean - (around + 2.5) / 2).abs().max() < 0.01
    assert (found.gaussian - around * 2.5).abs().max() < 0.02
    circle = torch.stack((-y, x, 0 * x), 1) / out[:, None]
    assert (found.min_direction * circle).sum(1).abs().min() > 0.9999
    for one, two in (("min_direction", "max_direction"), ("max_direction", "max_direction")):
        product = (getattr(found, one) * getattr(found, two)).sum(1)
        assert (product - float(one == two)).abs().max() < 1e-9


def test_the_sum_of_gaussian_curvature_is_the_euler_number():
    for mesh in (torus(), box(segments=3), icosphere(1)):
        found = curvature(mesh.to(torch.float64))
        total = float((found.gaussian * found.area).sum()) / (2 * math.pi)
        assert total == pytest.approx(mesh.topology.euler_number, abs=1e-9)


def test_the_side_of_a_cylinder_up_to_its_border():
    whole = cylinder(1.0, 2.0, segments=64).to(torch.float64)
    side = whole.submesh(whole.face_normals()[:, 2].abs() < 0.5).mesh
    fine = ml.geometry.subdivide(side, 2).mesh
    at = fine.vertices
    at = torch.cat((at[:, :2] / torch.hypot(at[:, 0], at[:, 1])[:, None], at[:, 2:]), 1)
    found = curvature(fine.with_vertices(at))
    assert (found.mean - 0.5).abs().max() < 0.05
    assert (found.maximum - 1).abs().max() < 0.1 and found.minimum.abs().max() < 0.1
    assert (found.min_direction[:, 2].abs()).min() > 0.98


def test_nothing_is_made_of_nothing():
    flat = Mesh([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]], [[0, 1, 2]])
    found = curvature(flat)
    for value in found:
        assert bool(torch.isfinite(value).all()) and not value.any()
    with pytest.raises(ValueError, match="NaN or infinite"):
        curvature(flat.with_vertices(flat.vertices / 0))
    with pytest.raises(ValueError, match="at least one face"):
        curvature(Mesh(torch.zeros(3, 3), []))


def test_gradients_of_mean_and_gaussian():
    ball = icosphere(0).to(torch.float64)
    ball = ball.with_vertices(ball.vertices + 0.05 * ball.vertices.roll(1, 0))

    def both(v):
        found = curvature(ball.with_vertices(v))
        return found.mean, found.gaussian

    assert torch.autograd.gradcheck(both, ball.vertices.clone().requires_grad_())


@pytest.mark.parametrize("name", ["spot.obj", "3holes.off", "rocker-arm.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64).merge_vertices().mesh
    found = curvature(mesh)
    total = float((found.gaussian * found.area).sum()) / (2 * math.pi)
    if mesh.is_watertight:
        assert total == pytest.approx(mesh.topology.euler_number, abs=1e-6)
    assert bool((found.minimum <= found.maximum).all())
    normal = mesh.vertex_normals("angle")
    assert (found.max_direction * normal).sum(1).abs().max() < 1e-6
    agree = torch.corrcoef(torch.stack((found.mean, (found.minimum + found.maximum) / 2)))
    assert float(agree[0, 1]) > 0.7
