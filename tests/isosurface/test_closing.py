"""Surfaces that reach the border of their grid are told, or capped there."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.io.volume import Volume
from meshlearn.isosurface import SparseVoxelGrid, dual_marching_cubes, flexicubes
from meshlearn.isosurface.closing import leaves
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.volume import extract_volume
from tests.cli.runner import meshlearn

GRID = ml.VoxelGrid((12, 12, 15), bounds=((-1, -1, -1), (1, 1, 1.5)))


def in_training(grid, sdf, **options):
    return flexicubes(grid, sdf, training=True, **options).mesh


EXTRACTORS = [ml.marching_cubes, dual_marching_cubes, in_training]


def tube(grid=GRID):
    """A cylinder of radius 0.6 along z, through both ends."""
    return grid.vertices[:, :2].norm(dim=1) - 0.6


@pytest.mark.parametrize("extract", EXTRACTORS)
def test_a_tube_through_both_ends(extract):
    with pytest.warns(RuntimeWarning, match=r"reaches the border of .*close=True"):
        is_open = extract(GRID, tube())
    assert not is_open.is_watertight
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = extract(GRID, 5 + 3 * tube(), level=5.0, close=True)
    assert made.is_watertight and made.topology.topological_type == (1, 2)
    z = made.vertices[:, 2]
    torch.testing.assert_close(
        torch.stack([z.min(), z.max()]), torch.tensor([-1, 1.5]), atol=1e-3, rtol=0
    )
    assert float(made.volume()) == pytest.approx(math.pi * 0.36 * 2.5, rel=0.05)


@pytest.mark.parametrize("extract", EXTRACTORS)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_stays_off_the_border_is_not_spoken_of(extract, sign):
    """Nor is the inside of all the border: a hollow, or a sign that is the other way round."""
    ball = sign * (GRID.vertices.norm(dim=1) - 0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert extract(GRID, ball).is_watertight
        made = extract(GRID, ball, close=True)
    assert made.topology.topological_type == ((1, 2) if sign > 0 else (2, 4))


def test_a_cap_has_gradients_and_takes_weights():
    sdf = tube().requires_grad_()
    rng = torch.Generator().manual_seed(0)
    more = {
        "deform": 0.1 * torch.randn(GRID.num_vertices, 3, generator=rng),
        "alpha": 0.1 * torch.randn(GRID.num_cells, 8, generator=rng),
        "beta": 0.1 * torch.randn(GRID.num_cells, 12, generator=rng),
        "gamma": 0.1 * torch.randn(GRID.num_cells, generator=rng),
    }
    made = flexicubes(GRID, sdf, close=True, tets=True, **more)
    assert made.mesh.is_watertight
    made.mesh.volume().backward()
    ends = sdf.grad.view(GRID.shape)[:, :, [0, -1]]
    assert bool(torch.isfinite(sdf.grad).all()) and float(ends.sum()) < 0
    filled, solid = made.tets.volumes().sum().detach(), made.mesh.volume().detach()
    torch.testing.assert_close(filled, solid, atol=0, rtol=1e-3)


def test_inside_the_weights_are_as_without_a_cap():
    """The new layer is put around, not in between: the side of the tube stays where it was."""
    beta = 0.5 * torch.randn(GRID.num_cells, 12, generator=torch.Generator().manual_seed(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = flexicubes(GRID, tube(), beta=beta).mesh.vertices
    made = flexicubes(GRID, tube(), beta=beta, close=True).mesh.vertices
    assert float((plain[:, None] - made).norm(dim=2).amin(1).max()) < 1e-5


def test_sparse_grids_say_it_too():
    grid = SparseVoxelGrid.from_field(lambda p: p[:, :2].norm(dim=1) - 0.6, 16)
    with pytest.warns(RuntimeWarning, match="reaches the border"):
        ml.marching_cubes(grid, tube(grid))
    with pytest.raises(ValueError, match="close: expected a full VoxelGrid"):
        ml.marching_cubes(grid, tube(grid), close=True)
    with pytest.raises(ValueError, match="close: expected without gradient"):
        dual_marching_cubes(GRID, tube(), gradient=lambda p: p, close=True)


def test_volumes(tmp_path):
    values = tube().view(GRID.shape)
    assert leaves(values) and not leaves(values, 9.0)
    volume = Volume(values, torch.eye(4, dtype=torch.float64))
    with pytest.warns(RuntimeWarning, match="close=True"):
        extract_volume(volume)
    with pytest.warns(UserWarning, match="border of the volume.*close=True"):
        reconstruct(volume, resolution=16, steps=0, progress=False)
    import numpy as np

    np.save(tmp_path / "tube.npy", values.numpy())
    done = meshlearn("extract", tmp_path / "tube.npy", tmp_path / "tube.obj")
    assert done.returncode == 0 and "--close" in done.stderr
    done = meshlearn("extract", tmp_path / "tube.npy", tmp_path / "capped.obj", "--close")
    assert done.returncode == 0 and "warning" not in done.stderr
    assert ml.load(tmp_path / "capped.obj").is_watertight


def test_a_grid_that_its_dtype_cannot_hold_is_told():
    bounds = ((4e6 - 1, -1, -1), (4e6 + 1, 1, 1))
    with pytest.warns(UserWarning, match="steps of 0.25 .* dtype=torch.float64"):
        assert len(ml.VoxelGrid(8, bounds=bounds).vertices) == 9**3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near = ml.VoxelGrid(64, bounds=((99.0,) * 3, (101.0,) * 3))
        tiny = ml.VoxelGrid(8, bounds=((-1e-9,) * 3, (1e-9,) * 3))
        for grid in (near, tiny, ml.VoxelGrid(8, bounds=bounds, dtype=torch.float64)):
            assert len(grid.vertices) == grid.num_vertices
