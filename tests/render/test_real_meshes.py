"""What the rasteriser sees of real meshes against rays: ours, trimesh's (Embree), Open3D's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

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


def by_tree(mesh: ml.Mesh, origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    """Face (-1: none) and distance that this project's own tree finds."""
    hits = MeshBVH(mesh).rays(origin, ray)
    return hits.face, hits.distance


def by_trimesh(mesh: ml.Mesh, origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    pytest.importorskip("embreex", reason="embreex, trimesh's ray caster, is not installed")
    theirs = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    # Embree's own rays are float32: its faces, and the distance to their planes in float64
    face = torch.from_numpy(theirs.ray.intersects_first(origin.numpy(), ray.numpy())).long()
    corner = mesh.vertices.double()[mesh.faces[face.clamp(min=0)]]
    normal = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    ahead = ((corner[:, 0] - origin.double()) * normal).sum(1)
    return face, (ahead / (ray.double() * normal).sum(1)).to(ray.dtype)


def by_open3d(mesh: ml.Mesh, origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    try:
        import open3d
    except (ImportError, OSError) as error:
        pytest.skip(f"Open3D does not load here: {error}")
    scene = open3d.t.geometry.RaycastingScene()
    faces = mesh.faces.numpy().astype(np.uint32)
    scene.add_triangles(open3d.core.Tensor(mesh.vertices.numpy()), open3d.core.Tensor(faces))
    hits = scene.cast_rays(open3d.core.Tensor(torch.cat([origin, ray], 1).numpy()))
    face = torch.from_numpy(hits["primitive_ids"].numpy().astype(np.int64))
    missed = open3d.t.geometry.RaycastingScene.INVALID_ID
    return torch.where(face == missed, -1, face), torch.from_numpy(hits["t_hit"].numpy())


CASTERS = [by_tree, by_trimesh, by_open3d]


def compare(name: str, size: int, cast: Callable) -> None:
    mesh = ml.load(shared_data("meshes", name))
    cam = Camera.framing(*mesh.bounds())
    out = rasterize(mesh, cam, size)
    origin, ray = cam.rays(size)
    face, distance = cast(mesh, origin.reshape(-1, 3), ray.reshape(-1, 3))
    face = face.view(size, size)
    depth = distance.view(size, size) * (ray * cam.forward).sum(-1)
    inner = ~silhouette_band(out.face) & ~silhouette_band(face)
    assert torch.equal((face >= 0)[inner], out.mask[inner])
    both = inner & (face >= 0) & out.mask
    assert int(both.sum()) > 1000
    assert float((face == out.face)[both].double().mean()) > 0.999
    close = (out.depth[both] / depth[both] - 1).abs() < 1e-4
    assert float(close.double().mean()) > 0.999  # the rest: rays along an inner silhouette
    assert bool(close[(face == out.face)[both]].all())


@pytest.mark.parametrize("cast", CASTERS)
@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_rays(name: str, cast: Callable) -> None:
    compare(name, 192, cast)


@pytest.mark.slow
@pytest.mark.parametrize("cast", CASTERS)
@pytest.mark.parametrize("name", LARGE)
def test_agrees_with_rays_on_large_meshes(name: str, cast: Callable) -> None:
    compare(name, 256, cast)


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
