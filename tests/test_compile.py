"""`torch.compile` around public operators gives the eager result; torch.func is refused plainly."""

from __future__ import annotations

import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes

BALL = shapes.icosphere(2)
GRID = ml.VoxelGrid(10)
SDF = GRID.vertices.norm(dim=1) - 0.6
CAMERA = ml.Camera.look_at((0, 0, 3))
CLOUD = torch.rand(60, 3, generator=torch.Generator().manual_seed(0))
TETS = ml.TetGrid.from_voxels(4)
TET_SDF = TETS.vertices.norm(dim=1) - 0.6


def ball(vertices):
    return BALL.with_vertices(vertices)


def seeded():
    return torch.Generator().manual_seed(3)


# name: (function of one tensor, that tensor)
CALLS = {
    "marching_cubes": (lambda q: ml.marching_cubes(GRID, q).area(), SDF),
    "dual_marching_cubes": (lambda q: ml.dual_marching_cubes(GRID, q).area(), SDF),
    "flexicubes": (lambda q: ml.flexicubes(GRID, q, training=True).mesh.area(), SDF),
    "gshell": (lambda q: ml.gshell(GRID, q, q + 0.3).mesh.area(), SDF),
    "marching_tetrahedra": (lambda q: ml.marching_tetrahedra(TETS, q).area(), TET_SDF),
    "rasterize": (lambda v: ml.rasterize(ball(v), CAMERA, 24).depth.sum(), BALL.vertices),
    "render": (
        lambda v: ml.render(ball(v), CAMERA, 24, antialias=True)["mask"].sum(), BALL.vertices,
    ),
    "sample_points": (
        lambda v: ml.sample_points(ball(v), 50, generator=seeded()).square().mean(), BALL.vertices,
    ),
    "chamfer_distance": (lambda x: ml.chamfer_distance(x, x * 1.1 + 0.1), CLOUD),
    "knn": (lambda x: ml.knn(x, CLOUD + 0.1, 2).squared_distance.sum(), CLOUD),
    "point_mesh_distance": (
        lambda x: ml.point_mesh_distance(x, BALL).squared_distance.sum(), CLOUD,
    ),
    "signed_distance": (lambda x: ml.signed_distance(x, BALL).sum(), CLOUD),
    "winding_number": (lambda x: ml.winding_number(x, BALL).sum(), CLOUD),
    "laplacian_loss": (lambda v: ml.losses.laplacian_loss(ball(v)), BALL.vertices),
    "normal_consistency_loss": (
        lambda v: ml.losses.normal_consistency_loss(ball(v)), BALL.vertices,
    ),
    "edge_length_loss": (lambda v: ml.losses.edge_length_loss(ball(v)), BALL.vertices),
    "vertex_normals": (lambda v: ball(v).vertex_normals().sum(), BALL.vertices),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_compiled_functions_give_the_eager_result(name):
    """Value and gradient; that it takes seconds is held by what it looks into: what stands around
    the operator is compiled, and the operator is not."""
    function, given = CALLS[name]
    torch._dynamo.reset()
    frames = []

    def backend(graph, inputs):
        frames.append(len(graph.graph.nodes))
        return graph.forward

    compiled = torch.compile(lambda x: function(x) * 2 + 1, backend=backend)
    found = []
    for call in (compiled, lambda x: function(x) * 2 + 1):
        x = given.clone().requires_grad_()
        with warnings.catch_warnings():
            # nor is there a word on what cannot be traced
            warnings.filterwarnings("error", message="Dynamo does not know")
            value = call(x)
        if value.requires_grad:
            value.backward()
        found.append((value.detach(), x.grad))
    assert torch.equal(found[0][0], found[1][0])
    if found[1][1] is not None:
        assert torch.equal(found[0][1], found[1][1])
    assert 1 <= len(frames) <= 6 and sum(frames) < 80, f"nodes of graphs: {frames}"


def test_transforms_of_torch_func_are_refused_by_name():
    with pytest.raises(RuntimeError, match=r"chamfer_distance: torch.func .* use torch.autograd"):
        torch.func.grad(lambda x: ml.chamfer_distance(x, CLOUD))(CLOUD + 0.1)
    with pytest.raises(RuntimeError, match=r"marching_cubes: torch.func .* a loop over a batch"):
        torch.func.vmap(lambda q: ml.marching_cubes(GRID, q).area())(SDF[None])


def test_batches_of_meshes():
    meshes = ml.Meshes([BALL, shapes.box()])
    points = ml.sample_points(meshes, 30, generator=seeded())
    assert points.shape == (2, 30, 3)
    assert torch.equal(points[0], ml.sample_points(BALL, 30, generator=seeded()))
    on_box = ml.point_mesh_distance(points[1], meshes[1]).squared_distance
    assert float(on_box.max()) < 1e-10 and not torch.equal(points[0], points[1])
    points, normals = ml.sample_points(meshes, 5, normals=True)
    assert points.shape == normals.shape == (2, 5, 3)
    cams = ml.Camera.orbit(2)
    images = ml.render(meshes, cams, 24, channels=("mask", "normal"))
    assert images["mask"].shape == (2, 24, 24)
    for i in range(2):
        alone = ml.render(meshes[i], cams[i], 24, channels=("mask", "normal"))
        assert torch.equal(images["normal"][i], alone["normal"])
    assert ml.render(meshes, CAMERA, 24, channels=("mask",))["mask"].shape == (2, 24, 24)
    with pytest.raises(ValueError, match="cam: expected one camera or 2, one for each mesh, got 3"):
        ml.render(meshes, ml.Camera.orbit(3), 24)
