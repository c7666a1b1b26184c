"""Layers behind the first, and batches of meshes."""

import pytest
import torch

from meshlearn import Camera, Mesh, Meshes, rasterize
from meshlearn._native import HAS_NATIVE
from meshlearn.render import interpolate, peel
from meshlearn.render.rasterize import rasterize_homogeneous
from tests.render.shapes import box, plane, sphere
from tests.render.test_rasterize import soup

BACKENDS = ["reference", *(["native"] if HAS_NATIVE else [])]
CAM = Camera.look_at((0.3, 0.5, 3.0))


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_equals_reference(dtype: torch.dtype) -> None:
    mesh, cams = soup(200, 1, dtype), Camera.orbit(2, elevation=15.0)
    both = [peel(mesh, cams, (41, 53), 4, backend=b) for b in ("native", "reference")]
    tolerance = 1e-6 if dtype == torch.float32 else 1e-13
    for got, want in zip(*both, strict=True):
        assert bool(got.mask.any())
        assert torch.equal(got.face, want.face)
        assert torch.allclose(got.barycentric, want.barycentric, rtol=0, atol=tolerance)
        assert torch.allclose(got.depth, want.depth, rtol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_layers_are_the_faces_at_a_pixel_in_order(backend: str) -> None:
    mesh = soup(40, 3, torch.float64)
    clip, near = (
        CAM.to(torch.float64).homogeneous(mesh.vertices, 24)[None],
        torch.tensor([CAM.near]),
    )
    alone = [
        rasterize_homogeneous(clip, face[None], near.double(), (24, 24)) for face in mesh.faces
    ]
    depth = torch.stack([torch.where(f.mask[0], f.depth[0], torch.inf) for f in alone])
    want = depth.sort(dim=0, stable=True)
    layers = peel(mesh, CAM.to(torch.float64), 24, 12, backend=backend)
    for k, layer in enumerate(layers):
        there = torch.isfinite(want.values[k])
        assert torch.equal(layer.mask, there)
        assert torch.equal(layer.face[there], want.indices[k][there])
        assert torch.allclose(layer.depth[there], want.values[k][there])
    assert not bool(layers[-1].mask.any())  # and none is left


@pytest.mark.parametrize("backend", BACKENDS)
def test_faces_at_one_depth_are_peeled_one_by_one(backend: str) -> None:
    mesh = plane(3)
    three = Mesh(mesh.vertices, mesh.faces.repeat(3, 1))
    cam = Camera.look_at((0, 0, 3))
    layers = peel(three, cam, 20, 4, backend=backend)
    for k in range(3):
        assert torch.equal(layers[k].mask, layers[0].mask)
        assert torch.equal(
            layers[k].face[layers[k].mask], (layers[0].face + 18 * k)[layers[0].mask]
        )
    assert not bool(layers[3].mask.any())


def test_second_layer_of_a_sphere_is_its_back_and_has_gradients() -> None:
    mesh = sphere(40, 60, torch.float64)
    leaf = mesh.vertices.clone().requires_grad_()
    cam = Camera.look_at((0, 0, 3), height=3.0).to(torch.float64)
    front, back = peel(mesh.with_vertices(leaf), cam, 48, 2)
    inner = back.mask
    assert torch.equal(front.mask, inner)
    z = interpolate(mesh.vertices, back, mesh.faces)[..., 2]
    assert bool((z[inner] < 0).all())
    (grad,) = torch.autograd.grad(back.depth.sum(), leaf)
    assert not bool(grad[mesh.vertices[:, 2] > 0.2].any()) and bool(grad.any())


def test_batches_of_meshes() -> None:
    empty = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    batch, cams = Meshes([sphere(), empty, box()]), Camera.orbit(3)
    leaf = batch.vertices_packed.clone().requires_grad_()
    moving = batch.with_vertices(leaf)
    every = rasterize(moving, cams, 20)
    assert every.face.shape == (3, 3, 20, 20)
    one = rasterize(moving, cams[1], 20)
    pairs = rasterize(moving, cams, 20, paired=True)
    second = rasterize(moving, cams, 20, behind=every)
    for i, mesh in enumerate(batch):
        for j in range(3):
            alone = rasterize(mesh, cams[j], 20)
            face = torch.where(alone.mask, alone.face + batch.faces_ptr[i], -1)
            assert torch.equal(every.face[i, j], face)
            assert torch.equal(every.depth[i, j], alone.depth)
            after = rasterize(mesh, cams[j], 20, behind=alone)
            assert torch.equal(second.depth[i, j], after.depth)
        assert torch.equal(one.face[i], every.face[i, 1])
        assert torch.equal(pairs.barycentric[i], every.barycentric[i, i])
    colors = interpolate(leaf, every, batch.faces_packed)
    alone = rasterize(batch[2], cams[1], 20)
    want = interpolate(batch[2].vertices, alone, batch[2].faces)
    assert torch.equal(colors[2, 1], want)
    (grad,) = torch.autograd.grad(colors.sum() + pairs.depth.sum(), leaf)
    assert bool(torch.isfinite(grad).all()) and bool(grad.any())


def test_bad_input_is_one_sentence() -> None:
    mesh, cam = box(), CAM
    out = rasterize(mesh, cam, 8)
    with pytest.raises(ValueError, match="layers: expected an int of 1 or more, got 0"):
        peel(mesh, cam, 8, 0)
    with pytest.raises(ValueError, match=r"behind\.face: expected shape"):
        rasterize(mesh, cam, 9, behind=out)
    with pytest.raises(ValueError, match=r"behind\.face: face 11 is not one of the mesh's 1"):
        rasterize(
            Mesh(mesh.vertices, mesh.faces[:1]), cam, 8,
            behind=out._replace(face=torch.full((8, 8), 11)),
        )  # fmt: skip
    with pytest.raises(ValueError, match="paired: expected a batch"):
        rasterize(mesh, cam, 8, paired=True)
    with pytest.raises(ValueError, match="cam: expected 2 cameras"):
        rasterize(Meshes([mesh, mesh]), Camera.orbit(3), 8, paired=True)
