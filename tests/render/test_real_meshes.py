"""What the rasteriser sees of real meshes against rays through the triangle tree."""

import pytest
import torch

import meshlearn as ml
from meshlearn import Camera, rasterize
from meshlearn.geometry import MeshBVH
from meshlearn.render import peel
from tests.shared_data import shared_data

SMALL = ["spot.obj", "suzanne.obj", "beetle.obj", "truck.obj", "fandisk.obj", "horse_quad.obj"]
LARGE = ["rocker-arm.obj", "armadillo.obj", "cheburashka.obj", "camelhead.off", "block.obj"]


def silhouette_band(face: torch.Tensor) -> torch.Tensor:
    """Pixels with a neighbour, of the eight, on the other side of the mask's border."""
    mask = (face >= 0).float()[None, None]
    high = torch.nn.functional.max_pool2d(mask, 3, 1, 1)
    low = -torch.nn.functional.max_pool2d(-mask, 3, 1, 1)
    return (high != low)[0, 0]


def compare(name: str, size: int) -> None:
    mesh = ml.load(shared_data("meshes", name))
    cam = Camera.framing(*mesh.bounds())
    out = rasterize(mesh, cam, size)
    origin, ray = cam.rays(size)
    hits = MeshBVH(mesh).rays(origin.reshape(-1, 3), ray.reshape(-1, 3))
    face = hits.face.view(size, size)
    depth = hits.distance.view(size, size) * (ray * cam.forward).sum(-1)
    inner = ~silhouette_band(out.face) & ~silhouette_band(face)
    assert torch.equal((face >= 0)[inner], out.mask[inner])
    both = inner & (face >= 0) & out.mask
    assert int(both.sum()) > 1000
    assert float((face == out.face)[both].double().mean()) > 0.999
    close = (out.depth[both] / depth[both] - 1).abs() < 1e-4
    assert float(close.double().mean()) > 0.999  # the rest: rays along an inner silhouette
    assert bool(close[(face == out.face)[both]].all())


@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_rays(name: str) -> None:
    compare(name, 192)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_agrees_with_rays_on_large_meshes(name: str) -> None:
    compare(name, 256)


def test_second_layer_agrees_with_rays_that_begin_behind_the_first() -> None:
    mesh = ml.load(shared_data("meshes", "spot.obj"), dtype=torch.float64)
    cam = Camera.framing(*mesh.bounds()).to(torch.float64)
    front, back = peel(mesh, cam, 96, 2)
    origin, ray = (t.reshape(-1, 3) for t in cam.rays(96))
    first = MeshBVH(mesh).rays(origin, ray)
    past = first.distance.nan_to_num(0, 0, 0) + 1e-9
    second = MeshBVH(mesh).rays(origin + past[:, None] * ray, ray).face
    second = torch.where(first.face >= 0, second, -1).view(96, 96)
    assert float((second == back.face).double().mean()) > 0.999
    assert bool((back.depth >= front.depth)[back.mask].all())
