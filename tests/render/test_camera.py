"""Conventions of cameras."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from meshlearn import Camera
from meshlearn._native import HAS_NATIVE
from meshlearn.render.camera import image_size
from meshlearn.render.homogeneous import Projection, homogeneous, homogeneous_reference


def test_look_at_puts_things_where_they_belong() -> None:
    cam = Camera.look_at((0, 0, 3), fov=90.0)
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [3, 3, 0]])
    u, v, depth = cam.project(points, 100).unbind(1)
    assert torch.allclose(depth, torch.full((4,), 3.0))
    assert float(u[0]) == pytest.approx(50) and float(v[0]) == pytest.approx(50)
    assert float(u[1]) > 50  # x to the right
    assert float(v[2]) < 50  # y up in the world is up in the image
    assert float(u[3]) == pytest.approx(100) and float(v[3]) == pytest.approx(0, abs=1e-4)
    assert torch.allclose(cam.position, torch.tensor([0.0, 0, 3]))
    assert torch.allclose(cam.forward, torch.tensor([0.0, 0, -1]))


def test_orthographic_height() -> None:
    cam = Camera.look_at((0, 5, 0), up=(0, 0, -1), height=4.0)
    place = cam.project(torch.tensor([[2.0, 0, 0], [2.0, 3, 0]]), (100, 200))
    assert torch.allclose(place[:, 0], torch.full((2,), 150.0))
    assert torch.allclose(place[:, 2], torch.tensor([5.0, 2.0]))


@pytest.mark.parametrize("height", [None, 2.0])
def test_rays_and_project_are_inverse(height: float | None) -> None:
    cam = Camera.look_at((1, 2, 3), (0.1, 0, 0), height=height).to(torch.float64)
    origin, ray = cam.rays((6, 9))
    assert torch.allclose(ray.norm(dim=-1), torch.ones(6, 9, dtype=torch.float64))
    place = cam.project((origin + 2.5 * ray).reshape(-1, 3), (6, 9)).view(6, 9, 3)
    v, u = torch.meshgrid(torch.arange(6) + 0.5, torch.arange(9) + 0.5, indexing="ij")
    assert torch.allclose(place[..., 0], u.double())
    assert torch.allclose(place[..., 1], v.double())


def test_opengl_clip_space_agrees_with_pixels() -> None:
    for height in (None, 2.0):
        cam = Camera.look_at((1, 2, 3), height=height, near=0.5, far=20.0).to(torch.float64)
        points = torch.rand(20, 3, generator=torch.Generator().manual_seed(0)).double() - 0.5
        ones = torch.ones(20, 1, dtype=torch.float64)
        clip = torch.cat((points, ones), 1) @ (cam.projection((30, 50)) @ cam.view).T
        ndc = clip[:, :3] / clip[:, 3:]
        place = cam.project(points, (30, 50))
        assert torch.allclose((ndc[:, 0] + 1) * 25, place[:, 0])
        assert torch.allclose((1 - ndc[:, 1]) * 15, place[:, 1])
        for depth, want in ((0.5, -1.0), (20.0, 1.0)):
            at = cam.position + depth * cam.forward
            z = cam.projection((30, 50)) @ cam.view @ torch.cat((at, ones[0]))
            assert float(z[2] / z[3]) == pytest.approx(want, abs=1e-5)


def test_from_opengl() -> None:
    cam = Camera.look_at((1, 2, 3), fov=50.0)
    flip = torch.diag(torch.tensor([1.0, -1, -1, 1]))
    again = Camera.from_opengl(flip @ cam.view, fov=50.0)
    points = torch.rand(5, 3)
    assert torch.allclose(again.project(points, 64), cam.project(points, 64))


def test_orbit_is_a_circle_and_can_be_indexed() -> None:
    cams = Camera.orbit(4, radius=2.0, elevation=30.0, target=(1, 1, 1))
    assert len(cams) == 4 and cams.batched
    offset = cams.position - 1
    assert torch.allclose(offset.norm(dim=1), torch.full((4,), 2.0), atol=1e-6)
    assert torch.allclose(offset[:, 1], torch.ones(4), atol=1e-6)
    assert torch.allclose(offset[0], torch.tensor([0, 1, math.sqrt(3)]), atol=1e-6)
    assert torch.allclose(offset.sum(0), torch.tensor([0.0, 4, 0]), atol=1e-5)
    points = torch.rand(3, 3)
    assert torch.equal(cams[2].project(points, 8), cams.project(points, 8)[2])
    assert len(cams[1:3]) == 2


def test_framing_sees_the_box() -> None:
    low, high = torch.tensor([-1.0, 2, 3]), torch.tensor([4.0, 2.5, 9])
    corners = torch.cartesian_prod(*torch.stack((low, high), 1))
    place = Camera.framing(low, high).project(corners, 100)
    assert bool((place[:, :2] > 0).all() and (place[:, :2] < 100).all())


def test_homogeneous_is_differentiable_in_points_and_view() -> None:
    cam = Camera.look_at((1, 2, 3)).to(torch.float64)
    points = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: cam.homogeneous(p, 16), points)
    assert torch.autograd.gradgradcheck(lambda p: cam.project(p, 16), points)
    view = cam.view.clone().requires_grad_()

    def moved(view: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
        return homogeneous(points, Projection(view, focal, cam.centre, False, 16, 12))

    assert torch.autograd.gradcheck(moved, (view, cam.focal.clone().requires_grad_()))


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_homogeneous_points_are_the_bits_of_the_reference(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    points = torch.randn(50, 3, generator=g, dtype=dtype)
    one, flat = Camera.look_at((0.5, 0.8, 3.0)), Camera.look_at((1, 2, 3), height=2.2)
    many = Camera.orbit(3)
    zoomed = replace(
        many, focal=torch.rand(3, 2, generator=g) + 1, centre=torch.rand(3, 2, generator=g)
    )
    for cam in (one, flat, many, zoomed, one.to(torch.float64)):
        frame = Projection(cam.view, cam.focal, cam.centre, cam.orthographic, 37, 91)
        found = []
        for work in (homogeneous, homogeneous_reference):
            leaf = points.clone().requires_grad_()
            out = work(leaf, frame)
            found.append((out, torch.autograd.grad(out.sin().sum(), leaf)[0]))
        (out, slope), (out1, slope1) = found
        assert torch.equal(out, out1)
        most = 1e-4 if dtype == torch.float32 else 1e-12  # its terms cancel
        torch.testing.assert_close(slope, slope1, rtol=most, atol=most)
        op, args = torch.ops.meshlearn, (frame[0].contiguous(), *frame[1:])
        torch.library.opcheck(op.homogeneous, (points, *args))
        grad = torch.randn(len(cam), 50, 4, dtype=dtype)
        torch.library.opcheck(op.homogeneous_backward, (grad, *args))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Camera.look_at((0, 0, 0)), "eye: equals target"),
        (lambda: Camera.look_at((0, 2, 0)), "up: is parallel"),
        (lambda: Camera.look_at((0, 0, 2), fov=180.0), "fov: expected degrees"),
        (lambda: Camera.look_at((0, 0, 2), near=0.0), "near: expected a positive"),
        (lambda: Camera.look_at((0, 0, float("nan"))), "eye: holds NaN"),
        (lambda: Camera.look_at((0, 2)), r"eye: expected \(\.\.\., 3\)"),
        (lambda: Camera.look_at((0, 0, 2), height=0.0), "height: expected a positive"),
        (lambda: Camera.orbit(0), "n: expected a positive int"),
        (lambda: Camera.orbit(3, elevation=90.0), "elevation: expected degrees"),
        (lambda: Camera.from_opengl(torch.diag(torch.tensor([-1.0, 1, 1, 1]))), "mirrors"),
        (lambda: Camera.from_opengl(2 * torch.eye(4)), "not a rotation"),
        (lambda: Camera.from_opengl(torch.eye(3)), r"view: expected \(4, 4\)"),
        (lambda: Camera.look_at((0, 0, 2)).project(torch.zeros(1, 3), (4, 0)), "size: expected"),
    ],
)
def test_bad_input_is_one_sentence(make, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "size", [[4, 6], np.array([4, 6]), torch.tensor([4, 6]), (np.int64(4), torch.tensor(6))]
)
def test_sizes_of_any_kind(size):
    assert image_size(size) == (4, 6)
    assert image_size(np.int64(5)) == (5, 5) and image_size(torch.tensor(5)) == (5, 5)


@pytest.mark.parametrize(
    "size", [4.0, True, (4.5, 6), np.array([4.0, 6.0]), (1, 2, 3), 0, None, "44"]
)
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="size: expected a positive int"):
        image_size(size)
