"""Closed, manifold, oriented: for smooth fields, for noise, for exact zeros."""

import pytest
import torch

from meshlearn.isosurface import VoxelGrid, dual_marching_cubes, flexicubes, marching_cubes

from .fields import noise_grid, random_parameters, sphere, topology_defect, torus


def meshes_of(grid, sdf, seed):
    weights = random_parameters(grid, seed)
    yield "marching cubes", marching_cubes(grid, sdf)
    yield "dual", dual_marching_cubes(grid, sdf)
    yield "flexicubes", flexicubes(grid, sdf, **weights).mesh
    yield "flexicubes, training", flexicubes(grid, sdf, training=True, **weights).mesh


def check_noise(seeds):
    for seed in seeds:
        grid, sdf = noise_grid(seed)
        for name, mesh in meshes_of(grid, sdf, seed):
            assert mesh.num_faces > 0
            defect = topology_defect(mesh.num_vertices, mesh.faces)
            assert not defect, f"{name}, seed {seed}: {defect}"


def test_noise_is_manifold():
    check_noise(range(40))


@pytest.mark.slow
def test_a_thousand_noise_fields_are_manifold():
    check_noise(range(1000))


def test_small_blobs_and_thin_walls_are_manifold():
    """All fields of one or two inside vertices in a 2 x 2 x 2 neighbourhood, and their
    complements."""
    grid = VoxelGrid(5, dtype=torch.float64)
    for case in range(1, 256):
        sdf = torch.ones(grid.shape, dtype=torch.float64)
        for corner in range(8):
            if case >> corner & 1:
                sdf[2 + (corner & 1), 2 + (corner >> 1 & 1), 2 + (corner >> 2)] = -0.7
        inverse = -sdf
        inverse[[0, -1]] = 1.0
        inverse[:, [0, -1]] = 1.0
        inverse[:, :, [0, -1]] = 1.0
        for field in (sdf, inverse):
            for name, mesh in meshes_of(grid, field, case):
                defect = topology_defect(mesh.num_vertices, mesh.faces)
                assert not defect, f"{name}, case {case}: {defect}"


def test_exact_zeros_give_no_nan_and_stay_manifold():
    grid = VoxelGrid(16, dtype=torch.float64)
    _, sdf = noise_grid(1, 16, 16)
    sdf = sdf.clone()
    sdf[torch.rand(sdf.shape, generator=torch.Generator().manual_seed(0)) < 0.3] = 0.0
    weights = random_parameters(grid)
    for name, mesh in meshes_of(grid, sdf, 0):
        assert bool(torch.isfinite(mesh.vertices).all()), name
        assert not topology_defect(mesh.num_vertices, mesh.faces), name
    sdf.requires_grad_()
    out = flexicubes(grid, sdf, training=True, **weights)
    (out.mesh.vertices.square().sum() + out.dev_loss).backward()
    assert bool(torch.isfinite(sdf.grad).all())


def test_exact_zero_is_outside():
    grid = VoxelGrid(2, dtype=torch.float64)
    sdf = torch.ones(grid.num_vertices, dtype=torch.float64)
    sdf[13] = 0.0
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        assert marching_cubes(grid, sdf).num_faces == 0
    sdf[13] = -1e-300
    assert marching_cubes(grid, sdf).num_faces == 8


@pytest.mark.parametrize("value", [1.0, -1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_and_empty_fields(value, dtype):
    grid = VoxelGrid(4, dtype=dtype)
    sdf = torch.full((grid.num_vertices,), value, dtype=dtype, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        out = flexicubes(grid, sdf, training=True)
    assert out.mesh.vertices.shape == (0, 3) and out.mesh.vertices.dtype == dtype
    assert out.mesh.faces.shape == (0, 3) and out.mesh.faces.dtype == torch.int64
    (out.mesh.vertices.sum() + out.dev_loss).backward()
    assert float(sdf.grad.abs().sum()) == 0


def test_open_where_the_surface_leaves_the_grid():
    grid = VoxelGrid(8)
    for mesh in (
        marching_cubes(grid, grid.vertices[:, 0] - 0.1),
        dual_marching_cubes(grid, grid.vertices[:, 0] - 0.1),
    ):
        assert mesh.num_faces > 0 and not mesh.is_watertight
        assert torch.allclose(mesh.vertices[:, 0], torch.tensor(0.1), atol=1e-6)
        assert torch.allclose(mesh.face_normals(), torch.tensor([1.0, 0.0, 0.0]), atol=1e-5)


def test_known_genus_and_second_order_volume():
    exact = {"sphere": 4 / 3 * torch.pi * 0.6**3, "torus": 2 * torch.pi**2 * 0.5 * 0.25**2}
    fields = {"sphere": sphere, "torus": torus}
    for name, field in fields.items():
        for extract in (marching_cubes, dual_marching_cubes):
            errors = []
            for n in (16, 32, 64):
                grid = VoxelGrid(n, dtype=torch.float64)
                mesh = extract(grid, field(grid.vertices))
                assert mesh.topology.euler_number == (2 if name == "sphere" else 0)
                errors.append(abs(float(mesh.volume()) - exact[name]) / exact[name])
            assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3, (name, errors)


def test_moves_with_the_grid():
    """Translating, scaling and permuting the axes of the grid does the same to the mesh."""
    base = VoxelGrid((9, 12, 15), bounds=((-1, -1, -1), (1, 1, 1)), dtype=torch.float64)
    sdf = torus(base.vertices)
    mesh = dual_marching_cubes(base, sdf)
    moved = VoxelGrid((9, 12, 15), bounds=((1, 2, 3), (5, 6, 7)), dtype=torch.float64)
    other = dual_marching_cubes(moved, sdf)
    shift = torch.tensor([3.0, 4.0, 5.0], dtype=torch.float64)
    assert torch.allclose(other.vertices, mesh.vertices * 2 + shift)
    assert torch.equal(other.faces, mesh.faces)

    turned = VoxelGrid((15, 9, 12), dtype=torch.float64)  # z, x, y
    field = sdf.view(base.shape).permute(2, 0, 1).reshape(-1)
    again = dual_marching_cubes(turned, field)
    assert again.num_faces == mesh.num_faces
    a = again.vertices[:, [1, 2, 0]].sort(0).values
    assert torch.allclose(a, mesh.vertices.sort(0).values)
    assert torch.allclose(again.volume(), mesh.volume())
