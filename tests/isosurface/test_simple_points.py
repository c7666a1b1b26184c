"""Sign changes that keep the topology: by the definition, and by the meshes that come out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import ndimage

from meshlearn.isosurface import SparseVoxelGrid, VoxelGrid, dual_marching_cubes, flexicubes
from meshlearn.isosurface.simple_points import euler_change, is_simple, kept_signs

BY_CORNERS, BY_FACES = np.ones((3, 3, 3)), ndimage.generate_binary_structure(3, 1)


def cubes(count: int, share: float, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 27, generator=rng) < share


def without_middle(cube: torch.Tensor) -> torch.Tensor:
    return torch.cat([cube[:, :13], cube[:, 14:]], 1)


def parts_reference(cube: np.ndarray, by_faces: bool) -> int:
    """T6 or T26 by labels of another library."""
    cube = cube.copy()
    cube[1, 1, 1] = False
    if not by_faces:
        return int(ndimage.label(cube, BY_CORNERS)[1])
    for at in product((0, 2), repeat=3):
        cube[at] = False
    label, _ = ndimage.label(cube, BY_FACES)
    faces = [label[0, 1, 1], label[2, 1, 1], label[1, 0, 1], label[1, 2, 1], label[1, 1, 0]]
    return len({int(x) for x in (*faces, label[1, 1, 2])} - {0})


def topology(grid: VoxelGrid, inside: torch.Tensor) -> tuple[int, int]:
    """Components and Euler number of the extracted mesh."""
    mesh = dual_marching_cubes(grid, torch.where(inside, -1.0, 1.0))
    return int(mesh.topology.components().count), mesh.topology.euler_number


def border(grid: VoxelGrid, inside: torch.Tensor) -> torch.Tensor:
    """With the border outside."""
    volume = inside.clone().view(grid.shape)
    for axis in range(3):
        volume.select(axis, 0).fill_(False)
        volume.select(axis, -1).fill_(False)
    return volume.view(-1)


def blob(grid: VoxelGrid, seed: int) -> torch.Tensor:
    """Smooth noise: several parts, handles and cavities."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal(grid.shape), 1.5)
    noise += 0.5 * ndimage.gaussian_filter(rng.standard_normal(grid.shape), 3)
    return border(grid, torch.from_numpy(noise < 0).view(-1))


def parts_and_euler(grid: VoxelGrid, inside: torch.Tensor) -> tuple[int, ...]:
    """Parts of both sides and Euler numbers (of the surface) by both ways of joining, from labels
    and counts of cubes, as another library has them."""
    volume = inside.view(grid.shape).numpy()
    found = []
    for side, structure in product((volume, ~volume), (BY_CORNERS, BY_FACES)):
        found.append(int(ndimage.label(side, structure)[1]))
    found += [euler_of_cubes(volume), euler_of_cubes(np.pad(~volume, 1, constant_values=True))]
    return tuple(found)


def euler_of_cubes(side: np.ndarray) -> int:
    """V - E + F - C of the closed unit cubes: a cell of each dimension is there where a cube that
    has it is; cells along an axis number one more where they do not lie in it."""
    total, side = 0, np.pad(side, 1)
    for across in product((False, True), repeat=3):  # the axes that the cells do not lie in
        there = side
        for axis in (a for a in range(3) if across[a]):
            there = there | np.roll(there, 1, axis)
        total += (-1) ** (3 - sum(across)) * int(there.sum())
    return total


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_simple_by_the_definition(share):
    found = cubes(300, share)
    simple = is_simple(without_middle(found))
    for cube, got in zip(found.view(-1, 3, 3, 3).numpy(), simple.tolist(), strict=True):
        hole = ~cube
        first = parts_reference(cube, False) == 1 and parts_reference(hole, True) == 1
        second = parts_reference(cube, True) == 1 and parts_reference(hole, False) == 1
        assert got == (first and second)
    assert simple.any() and not simple.all()


def test_plain_cases_are_simple_or_not():
    flat = torch.zeros(3, 3, 3, dtype=torch.bool)
    flat[0] = True  # a vertex above a plane: the plane grows
    alone, cavity = torch.zeros_like(flat), torch.ones_like(flat)
    bridge = torch.zeros_like(flat)
    bridge[0, 1, 1] = bridge[2, 1, 1] = True
    ring = torch.zeros_like(flat)
    ring[1] = True
    every = torch.stack([flat, alone, cavity, bridge, ring]).view(-1, 27)
    assert is_simple(without_middle(every)).tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("seed", range(6))
def test_a_side_keeps_its_topology_on_its_way_to_another(seed):
    """By counts of parts and of cells, both ways of joining corners."""
    grid = VoxelGrid(14)
    before, wanted = blob(grid, seed), blob(grid, seed + 100)
    assert parts_and_euler(grid, before) != parts_and_euler(grid, wanted)
    kept = kept_signs(grid, before, wanted)
    assert parts_and_euler(grid, kept) == parts_and_euler(grid, before)
    moved, way = int((kept != before).sum()), int((wanted != before).sum())
    assert moved > 0.2 * way  # it goes where it can
    assert bool(((kept == before) | (kept == wanted)).all())


def test_a_thin_tunnel_is_neither_filled_nor_cut():
    grid = VoxelGrid(12, bounds=((-1, -1, -1), (1, 1, 1)))
    x, y, z = grid.vertices.T
    ring = (x * x + y * y).sqrt()
    torus = ((ring - 0.55) ** 2 + z * z).sqrt() < 0.26
    disc = (ring < 0.8) & (z.abs() < 0.2)
    kept = kept_signs(grid, torus, disc)
    assert topology(grid, torus) == topology(grid, kept) == (1, 0)
    assert topology(grid, disc) == (1, 2)
    half = torus & (x > -0.3)
    assert topology(grid, kept_signs(grid, torus, half)) == (1, 0)
    assert topology(grid, kept_signs(grid, half, torus)) == (1, 2)


def test_only_births_are_stopped_where_all_else_is_free():
    grid = VoxelGrid(10)
    before = torch.zeros(grid.num_vertices, dtype=torch.bool).view(grid.shape)
    before[2:5, 2:8, 2:8] = True
    wanted = before.clone()
    wanted[3, 5, 5] = False  # a cavity
    wanted[8, 8, 8] = True  # a crumb
    wanted[5, 3, 3] = True  # a bump
    kept = kept_signs(grid, before.view(-1), wanted.view(-1), only_births=True).view(grid.shape)
    assert kept[3, 5, 5] and not kept[8, 8, 8] and kept[5, 3, 3]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
def test_the_euler_number_changes_as_counts_of_cells_say(share):
    grid = VoxelGrid(6)
    for cube in cubes(60, share, seed=int(100 * share)).view(-1, 3, 3, 3):
        volume = torch.zeros(grid.shape, dtype=torch.bool)
        volume[2:5, 2:5, 2:5] = cube
        volume[3, 3, 3] = False
        other = volume.clone()
        other[3, 3, 3] = True
        around = without_middle(cube.reshape(1, 27))
        first, second = euler_change(around, torch.ones(1, dtype=torch.bool))
        back, _ = euler_change(around, torch.zeros(1, dtype=torch.bool))
        assert back == -first
        was, now = parts_and_euler(grid, volume.view(-1)), parts_and_euler(grid, other.view(-1))
        assert 2 * (now[4] - was[4]) == int(first)
        assert 2 * (now[5] - was[5]) == int(second)


def test_handles_come_where_they_are_asked_for():
    grid = VoxelGrid(12, bounds=((-1, -1, -1), (1, 1, 1)))
    x, y, z = grid.vertices.T
    ring = (x * x + y * y).sqrt()
    disc = (ring < 0.8) & (z.abs() < 0.1)
    torus = disc & (ring > 0.3)
    free = torch.ones_like(disc)
    assert topology(grid, kept_signs(grid, disc, torus)) == (1, 2)
    assert topology(grid, kept_signs(grid, disc, torus, free=free, euler=-2)) == (1, 0)
    assert topology(grid, kept_signs(grid, torus, disc, free=free, euler=2)) == (1, 2)


def test_a_sparse_grid_keeps_what_a_dense_one_keeps():
    dense = VoxelGrid(16, bounds=((-1, -1, -1), (1, 1, 1)))
    value = dense.vertices.norm(dim=1) - 0.6
    sparse = SparseVoxelGrid.from_grid(dense, value, band=1)
    before = value < 0
    rng = torch.Generator().manual_seed(3)
    wanted = before ^ ((torch.rand(len(value), generator=rng) < 0.2) & (value.abs() < 0.07))
    kept = kept_signs(dense, before, wanted)
    keys = sparse.vertex_keys
    assert torch.equal(kept_signs(sparse, before[keys], wanted[keys]), kept[keys])


def test_the_training_surface_has_the_same_topology():
    grid = VoxelGrid(12)
    inside = kept_signs(grid, blob(grid, 1), blob(grid, 2))
    values = torch.where(inside, -1.0, 1.0)
    for training in (False, True):
        mesh = flexicubes(grid, values, training=training).mesh
        found = int(mesh.topology.components().count), mesh.topology.euler_number
        assert found == topology(grid, inside)
