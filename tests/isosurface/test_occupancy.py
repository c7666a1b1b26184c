"""Surfaces of an occupancy function and of labels: nearness, sharp edges, refusals."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.isosurface import (
    SparseVoxelGrid,
    VoxelGrid,
    dual_marching_cubes,
    occupancy_dual_contouring,
    surface_net,
)
from meshlearn.metrics import self_intersections

TURN = torch.tensor([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def ball(p: torch.Tensor) -> torch.Tensor:
    return p.norm(dim=1) < 0.7


def cube(p: torch.Tensor) -> torch.Tensor:
    return (p @ TURN.T.to(p)).abs().amax(1) < 0.55


def torus(p: torch.Tensor) -> torch.Tensor:
    return (p[:, :2].norm(dim=1) - 0.6) ** 2 + p[:, 2] ** 2 < 0.2**2


def good(mesh: ml.Mesh) -> bool:
    manifold = mesh.is_edge_manifold and mesh.is_vertex_manifold
    return bool(mesh.is_watertight and manifold and mesh.is_consistently_oriented)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_ball_lies_within_the_sagitta_of_its_faces(dtype):
    grid = VoxelGrid(24, dtype=dtype)
    mesh = occupancy_dual_contouring(grid, ball)
    cell = grid.spacing[0]
    assert good(mesh) and mesh.dtype == dtype
    off = (mesh.vertices.norm(dim=1) - 0.7).abs() / cell
    assert float(off.mean()) < 0.03 and float(off.max()) < 0.06
    assert float(mesh.volume()) == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=4e-3)
    # signs alone give stairs ten times as far off
    stairs = dual_marching_cubes(grid, torch.where(ball(grid.vertices), -1.0, 1.0).to(dtype))
    assert float((stairs.vertices.norm(dim=1) - 0.7).abs().mean()) / cell > 0.1


def test_a_turned_cube_has_flat_sides_and_sharp_edges():
    grid = VoxelGrid(32)
    mesh = occupancy_dual_contouring(grid, cube)
    assert good(mesh)
    turned = (mesh.vertices @ TURN.T).abs()
    off = (turned.amax(1) - 0.55).abs() / grid.spacing[0]
    assert float(off.median()) < 2e-3 and float(off.mean()) < 0.02
    edges = (turned > 0.55 - 0.05 * grid.spacing[0]).sum(1) >= 2  # vertices on an edge of the cube
    assert int(edges.sum()) > 100
    assert float(mesh.volume()) == pytest.approx(1.1**3, rel=5e-3)


def test_boxes_of_unlike_spacing_have_true_normals():
    grid = VoxelGrid((12, 24, 40), bounds=((-1, -1, -1), (1, 1.2, 1.4)))
    mesh = occupancy_dual_contouring(grid, ball)
    assert good(mesh)
    assert float((mesh.vertices.norm(dim=1) - 0.7).abs().mean()) < 0.005


@pytest.mark.parametrize("seed", range(6))
def test_random_occupancy_is_manifold(seed):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(6, 6, 6, generator=generator) < 0.4
    noise = torch.nn.functional.pad(noise, (1,) * 6)

    def inside(p: torch.Tensor) -> torch.Tensor:
        at = ((p + 1) / 2 * 8).floor().long().clamp(0, 7)
        return noise[at[:, 0], at[:, 1], at[:, 2]]

    grid = VoxelGrid(11)
    for mesh in (
        occupancy_dual_contouring(grid, inside),
        surface_net(grid, inside(grid.vertices)),
    ):
        assert mesh.num_faces > 100 and good(mesh)


def test_topology_is_that_of_the_shape():
    mesh = occupancy_dual_contouring(VoxelGrid(24), torus)
    assert good(mesh) and mesh.num_vertices - mesh.num_faces // 2 == 0
    assert int((self_intersections(mesh) >= 0).sum()) == 0


def test_probabilities_and_sparse_grids_are_taken():
    def network(p: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(40 * (0.7 - p.norm(dim=1)))[:, None]

    whole = occupancy_dual_contouring(VoxelGrid(32), network)
    grid = SparseVoxelGrid.from_field(lambda p: p.norm(dim=1) - 0.7, 32)
    sparse = occupancy_dual_contouring(grid, network)
    assert whole.num_faces == sparse.num_faces
    assert torch.allclose(whole.vertices, sparse.vertices, atol=1e-6)
    assert float((whole.vertices.norm(dim=1) - 0.7).abs().mean()) < 2e-3


def test_a_net_has_no_stairs_and_keeps_every_label():
    grid = VoxelGrid(40)
    inside = ball(grid.vertices)
    net, stairs = surface_net(grid, inside), surface_net(grid, inside, rounds=0)
    cell = grid.spacing[0]
    assert good(net) and torch.equal(net.faces.unique(), torch.arange(net.num_vertices))
    off = [(m.vertices.norm(dim=1) - 0.7).abs() / cell for m in (net, stairs)]
    assert float(off[0].mean()) < 0.085 < 0.11 < float(off[1].mean())
    assert float(net.volume()) == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=4e-3)
    assert torch.equal(ml.winding_number(grid.vertices, net) > 0.5, inside)
    # a rod of one label is thinner than a net would like to be
    rod = torch.zeros(grid.shape, dtype=torch.bool)
    rod[20, 20, 4:36] = rod[20, 4:36, 20] = True
    thin = surface_net(grid, rod, rounds=200)
    assert good(thin) and torch.equal(ml.winding_number(grid.vertices, thin) > 0.5, rod.reshape(-1))


def test_labels_of_a_volume_are_extracted_as_a_net(tmp_path, capsys):
    from meshlearn.io.volume import Volume
    from meshlearn.reconstruct.volume import extract_volume

    axes = torch.linspace(-1, 1, 33)
    points = torch.stack(torch.meshgrid(axes, axes, axes, indexing="ij"), -1).reshape(-1, 3)
    labels = torch.where(ball(points), -5.0, 7.0).view(33, 33, 33)
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] *= 2 / 32
    affine[:3, 3] = -1
    mesh = extract_volume(Volume(labels, affine), method="net")
    assert good(mesh)
    assert float((mesh.vertices.norm(dim=1) - 0.7).abs().mean()) < 0.1 * 2 / 32


def test_bad_input_is_told():
    grid = VoxelGrid(4)
    with pytest.raises(ValueError, match="expected \\(125,\\)"):
        occupancy_dual_contouring(grid, lambda p: p > 0)
    with pytest.raises(ValueError, match="NaN"):
        occupancy_dual_contouring(grid, lambda p: p[:, 0] * torch.nan)
    with pytest.raises(ValueError, match="inside"):
        surface_net(grid, grid.vertices[:, 0])
    with pytest.raises(ValueError, match="rounds"):
        surface_net(grid, ball(grid.vertices), rounds=-1)
    with pytest.warns(RuntimeWarning):
        assert occupancy_dual_contouring(grid, lambda p: p[:, 0] > 9).num_faces == 0
    with pytest.warns(RuntimeWarning):
        assert surface_net(grid, grid.vertices[:, 0] > 9).num_faces == 0
    with pytest.warns(RuntimeWarning, match="reaches the border"):
        occupancy_dual_contouring(grid, lambda p: p[:, 0] > 0.1)
