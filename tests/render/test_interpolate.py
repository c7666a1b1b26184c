"""Attributes of vertices, corners and faces at pixels, and their image-space derivatives."""

import pytest
import torch
from torch import Tensor

from meshlearn import Camera, Mesh, rasterize
from meshlearn._native import HAS_NATIVE
from meshlearn.render import Fragments, barycentric_derivatives, interpolate
from meshlearn.render.weighted_rows import mix_rows, mix_rows_reference
from tests.render.shapes import box, sphere

native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
CAMERAS = [Camera.look_at((0.4, 0.9, 3.0)), Camera.look_at((0.4, 0.9, 3.0), height=2.5)]


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_equals_reference(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    rows = torch.randint(-1, 9, (500, 3), generator=g)
    results = []
    for mix in (mix_rows, mix_rows_reference):
        g.manual_seed(1)
        values = torch.randn(9, 4, generator=g, dtype=dtype).requires_grad_()
        weight = torch.randn(500, 3, generator=g, dtype=dtype).requires_grad_()
        out = mix(values, rows, weight)
        results.append((out, *torch.autograd.grad(out.sin().sum(), (values, weight))))
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def test_gradcheck_through_vertices_and_values() -> None:
    mesh, cam = sphere(4, 5, torch.float64), CAMERAS[0].to(torch.float64)
    values = torch.rand(mesh.num_vertices, 2, dtype=torch.float64)

    def image(vertices: Tensor, values: Tensor) -> Tensor:
        shape = mesh.with_vertices(vertices)
        return interpolate(values, rasterize(shape, cam, 10), mesh.faces)

    leaves = (mesh.vertices.clone().requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(image, leaves, eps=1e-7)


def test_face_attributes_are_shown_unmixed() -> None:
    mesh = box()
    out = rasterize(mesh, CAMERAS[0], 24)
    values = torch.rand(12, 3).requires_grad_()
    image = interpolate(values, out, background=2.0)
    assert torch.equal(image[out.mask], values[out.face[out.mask]])
    assert bool((image[~out.mask] == 2).all())
    (grad,) = torch.autograd.grad(image.sum(), values)
    count = torch.bincount(out.face[out.mask], minlength=12)
    assert torch.equal(grad, count[:, None].expand(12, 3).float())


@pytest.mark.parametrize("cam", CAMERAS, ids=["perspective", "orthographic"])
def test_derivatives_against_neighbouring_points(cam: Camera) -> None:
    # the plane of each face carries its values on: b at a neighbouring point by finite differences
    mesh, cam, size = sphere(6, 8, torch.float64), cam.to(torch.float64), 20
    out = rasterize(mesh, cam, size)
    values = torch.rand(mesh.num_vertices, 2, dtype=torch.float64)
    change = barycentric_derivatives(out, mesh, cam)
    image, slope = interpolate(values, out, mesh.faces, derivatives=change)
    clip = cam.homogeneous(mesh.vertices, size)
    corner = clip[mesh.faces[out.face[out.mask]]][..., [0, 1, 3]]
    row, col = (t.double() for t in torch.nonzero(out.mask, as_tuple=True))

    def at(dx: float, dy: float) -> Tensor:
        pixel = torch.stack((col + 0.5 + dx, row + 0.5 + dy, torch.ones_like(row)), 1)
        weight = torch.linalg.solve(corner.transpose(1, 2), pixel)
        weight = weight / weight.sum(1, keepdim=True)
        return (weight[..., None] * values[mesh.faces[out.face[out.mask]]]).sum(1)

    assert torch.allclose(image[out.mask], at(0, 0))
    step = 1e-5
    for k, (dx, dy) in enumerate(((step, 0), (0, step))):
        want = (at(dx, dy) - at(-dx, -dy)) / (2 * step)
        assert torch.allclose(slope[out.mask][..., k], want, rtol=1e-5, atol=1e-8)
    assert not bool(slope[~out.mask].any())


def test_derivatives_gradcheck_and_batches() -> None:
    mesh = sphere(4, 5, torch.float64)
    cams = Camera.orbit(2).to(torch.float64)
    out = rasterize(mesh, cams, 8)

    def change(vertices: Tensor) -> Tensor:
        return barycentric_derivatives(out, mesh.with_vertices(vertices), cams)

    leaf = mesh.vertices.clone().requires_grad_()
    assert torch.autograd.gradcheck(change, leaf, eps=1e-7)
    one = barycentric_derivatives(Fragments(*(t[1] for t in out)), mesh, cams[1])
    assert torch.equal(change(mesh.vertices)[1], one)


@native_only
def test_threads_do_not_change_the_result() -> None:
    mesh, results, threads = sphere(30, 40), [], torch.get_num_threads()
    leaf = mesh.vertices.clone().requires_grad_()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            shape = mesh.with_vertices(leaf)
            out = rasterize(shape, Camera.orbit(2), 96)
            change = barycentric_derivatives(out, shape, Camera.orbit(2))
            image, slope = interpolate(leaf, out, mesh.faces, derivatives=change)
            loss = image.sin().sum() + slope.sin().sum()
            results.append((image, slope, torch.autograd.grad(loss, leaf)[0]))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_empty_mesh() -> None:
    mesh = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    out = rasterize(mesh, CAMERAS[0], 6)
    values = torch.zeros(0, 2).requires_grad_()
    change = barycentric_derivatives(out, mesh, CAMERAS[0])
    image, slope = interpolate(values, out, mesh.faces, derivatives=change)
    assert image.shape == (6, 6, 2) and slope.shape == (6, 6, 2, 2) and not bool(image.any())
    (image.sum() + slope.sum()).backward()
    assert values.grad is not None


def test_bad_input_is_one_sentence() -> None:
    mesh = box()
    out = rasterize(mesh, CAMERAS[0], 8)
    with pytest.raises(ValueError, match="attributes: expected a row for each face, got 2"):
        interpolate(torch.zeros(2, 3), out)
    with pytest.raises(ValueError, match="index: index 7 is out of range for 3 attributes"):
        interpolate(torch.zeros(3, 3), out, mesh.faces)
    with pytest.raises(ValueError, match=r"fragments\.face: index"):
        interpolate(torch.zeros(8, 3), out, mesh.faces[:1])
    with pytest.raises(ValueError, match="derivatives: expected shape"):
        interpolate(torch.zeros(8, 3), out, mesh.faces, derivatives=torch.zeros(8, 8))
    with pytest.raises(ValueError, match="fragments: expected of one mesh"):
        barycentric_derivatives(Fragments(*(t[0] for t in out)), mesh, CAMERAS[0])
