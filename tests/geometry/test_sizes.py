"""Geometry of a micrometre and of a million kilometres: that of size one, scaled."""

import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from meshlearn.data import shapes


def points(count: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, generator=generator, dtype=torch.float64) * 2.4 - 1.2


def goal() -> ml.Mesh:
    ball = shapes.icosphere(3, dtype=torch.float64)
    v = ball.vertices
    return ball.with_vertices(v * (1 + 0.1 * torch.sin(5 * v[:, :1]) * torch.cos(4 * v[:, 1:2])))


def field_surface(mesh: ml.Mesh, size: float) -> torch.Tensor:
    half = 1.3 * size
    grid = ml.VoxelGrid(10, bounds=((-half,) * 3, (half,) * 3), dtype=mesh.dtype)
    return ml.marching_cubes(grid, ml.signed_distance(grid.vertices, mesh)).vertices / size


def depth(mesh: ml.Mesh, size: float) -> torch.Tensor:
    eye = torch.tensor([0.5, 0.4, 3.5], dtype=mesh.dtype) * size
    cam = ml.Camera.look_at(eye, 0 * eye, near=0.5 * size, far=10 * size).to(mesh.dtype)
    return ml.render(mesh, cam, 24, channels=("depth",))["depth"] / size


WORK = {
    "signed distance": lambda m, p, s: ml.signed_distance(p * s, m) / s,
    "winding number": lambda m, p, s: ml.winding_number(p * s, m),
    "closest": lambda m, p, s: ml.point_mesh_distance(p * s, m).squared_distance.sqrt() / s,
    "neighbours": lambda m, p, s: ml.knn(p * s, p[:50] * s, 2).squared_distance.sqrt() / s,
    "chamfer": lambda m, p, s: ml.chamfer_distance(p * s, p[:50] * s)[None].sqrt() / s,
    "section": lambda m, p, s: geometry.plane_section(m, p[0] * s / 9, p[1]).sum(1) / s,
    "samples": lambda m, p, s: (
        ml.sample_points(m, 50, generator=torch.Generator().manual_seed(1)) / s
    ),
    "rays": lambda m, p, s: geometry.ray_mesh_intersection(3 * p * s, -p, m).distance / s,
    "marching cubes": lambda m, p, s: field_surface(m, s),
    "render": lambda m, p, s: depth(m, s),
    "volume": lambda m, p, s: m.volume()[None] / s**3,
    "simplify": lambda m, p, s: geometry.simplify(m, 200).vertices / s,
}


@pytest.mark.parametrize("size", [1e-6, 1e9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", WORK)
def test_a_shape_of_any_size_gives_what_that_of_size_one_does(name, dtype, size):
    work, mesh, at = WORK[name], goal().to(dtype), points().to(dtype)
    right = work(mesh, at, 1.0)
    found = work(mesh.with_vertices(mesh.vertices * size), at, size)
    bound = 1e-9 if dtype == torch.float64 else 2e-5
    if name == "simplify" and dtype == torch.float32:  # which edges go first is rounding
        assert abs(len(found) - len(right)) <= 2
        return
    torch.testing.assert_close(found, right, rtol=bound, atol=bound)
