"""Marching cubes as a representation."""

import torch

from meshlearn import marching_cubes
from meshlearn.reconstruct import fit, targets
from meshlearn.representations import MarchingCubes


def ball(points: torch.Tensor) -> torch.Tensor:
    return points.norm(dim=1) - 0.6


def test_it_is_marching_cubes_of_its_field():
    shape = MarchingCubes(16)
    shape.initialize(ball)
    assert [name for name, _ in shape.named_parameters()] == ["sdf"]
    mesh, losses = shape()
    own = marching_cubes(shape.grid, shape.sdf)
    assert torch.equal(mesh.vertices, own.vertices) and set(losses) == {"sign"}
    assert shape.final_mesh().is_watertight and not shape.final_mesh().vertices.requires_grad


def test_it_fits_and_refines():
    target = targets.FromField(ball, bounds=((-0.7,) * 3, (0.7,) * 3), samples=2000)
    shape = MarchingCubes(8, bounds=target.bounds)
    mesh = fit(shape, target, steps=24, resolution=(8, 16), progress=False).mesh
    assert mesh.is_watertight and mesh.topology.euler_number == 2
    assert (mesh.vertices.norm(dim=1) - 0.6).abs().max() < 0.02


def test_what_leaves_the_grid_is_capped():
    shape = MarchingCubes(12, bounds=((-0.3,) * 3, (0.3,) * 3))
    shape.initialize(ball)
    assert shape.final_mesh().is_watertight
