"""Level sets of networks: evaluations, a fitting step and its gradient against the dense recipe.

The field is that of a DeepSDF network (6 layers of 160) fitted to the sample of assets/, and of a
trained auto-decoder, five of its shapes, where MESHLEARN_DEEPMESH names its model.safetensors. The
dense recipe is that of public code, written out here: the network at every lattice point, in
batches of 32³, marching cubes of scikit-image, one evaluation for the normals and another for the
hand-made backward. It is run with the network as public code writes it, and with the one of
meshlearn, whose layers stay in the cache: the second tells how much of the speed is fewer points.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

import torch
from _common import ROOT, Bench, main, optional, version
from torch import Tensor

import meshlearn as ml
from meshlearn.fields import DeepSDF
from meshlearn.isosurface import SurfaceTracker, VoxelGrid, level_set_mesh
from meshlearn.isosurface.searching import evaluate_quietly
from meshlearn.reconstruct.targets import FromMesh
from meshlearn.representations import DeepMesh

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


def fields(quick: bool) -> dict[str, tuple[DeepSDF, Tensor | None]]:
    """Networks, in the box of `BOX`, with a code where they have one."""
    torch.manual_seed(0)
    target = FromMesh(ml.load(ROOT / "assets" / "gear.obj"))
    network = DeepSDF(0, hidden=160, layers=6, skip=3)
    shape = DeepMesh(network, bounds=target.bounds, resolution=32)
    shape.initialize(target.field, steps=60 if quick else 400)
    found: dict[str, tuple[DeepSDF, Tensor | None]] = {"gear": (network, None)}
    path = os.environ.get("MESHLEARN_DEEPMESH")
    if path:
        model = DeepMesh.load(path)
        for share in (0.1, 0.3, 0.5, 0.7, 0.9):  # one of each family, where it knows all five
            row = int(share * len(model.codes))
            found[f"auto-decoder, row {row}"] = (model.network, model.codes[row].detach())
    return {k: (n.requires_grad_(), c) for k, (n, c) in found.items()}


def loss_of(mesh: ml.Mesh, target: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return ml.losses.chamfer_loss(mesh, target, samples=len(target), generator=generator)


def plain(network: DeepSDF, points: Tensor, code: Tensor | None) -> Tensor:
    """The same values as public code computes them: code and point side by side, layer by layer."""
    entering = points if code is None else torch.cat([code.expand(len(points), -1), points], 1)
    x = entering
    for k, layer in enumerate(network.hidden_layers):
        if k == network.skip:
            x = torch.cat([x, entering], 1)
        x = torch.relu(torch.nn.functional.linear(x, layer.weight, layer.bias))
    return torch.tanh(network.last(x)[:, 0])


def ours(network: DeepSDF, points: Tensor, code: Tensor | None) -> Tensor:
    return network(points, *(() if code is None else (code,)))


def dense_step(
    value: Callable[..., Tensor],
    network: DeepSDF,
    code: Tensor | None,
    cells: int,
    target: Tensor,
) -> None:
    """One step of the public recipe: gradients of the loss in the weights."""
    from skimage.measure import marching_cubes

    grid = VoxelGrid(cells, bounds=BOX)
    with torch.no_grad():
        values = torch.cat([value(network, part, code) for part in grid.vertices.split(32**3)])
    corners, faces, _, _ = marching_cubes(
        values.view(grid.shape).numpy(), 0.0, spacing=grid.spacing
    )
    vertices = torch.from_numpy(corners.copy()) + torch.tensor(BOX[0])
    mesh = ml.Mesh(vertices.float().requires_grad_(), torch.from_numpy(faces.copy()).long())
    (upstream,) = torch.autograd.grad(loss_of(mesh, target), mesh.vertices)
    at = mesh.vertices.detach().requires_grad_()
    (slope,) = torch.autograd.grad(value(network, at, code).sum(), at)
    normal = torch.nn.functional.normalize(slope, dim=1)
    weight = -(upstream * normal).sum(1)
    (value(network, at.detach(), code) * weight).sum().backward()
    network.zero_grad()


def our_step(
    network: DeepSDF, code: Tensor | None, tracker: SurfaceTracker, target: Tensor
) -> None:
    loss_of(level_set_mesh(network, tracker, latent=code), target).backward()
    network.zero_grad()


def shortest(run: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def count_evaluations(bench: Bench, name: str, network: DeepSDF, code: Tensor | None) -> None:
    """Points of the network that a surface takes: from scratch, and after a small move."""
    sizes = (64,) if bench.quick else (128, 256)
    for cells in sizes:
        tracker = SurfaceTracker(cells, bounds=BOX, check_every=0)
        tracker.sample(network, latent=code)
        first = tracker.report
        with torch.no_grad():
            network.last.bias += 0.25 / cells  # a quarter of a cell
        tracker.sample(network, latent=code)
        second = tracker.report
        with torch.no_grad():
            network.last.bias -= 0.25 / cells
        bench.value(
            f"{name} {cells}³, evaluations",
            dense=first.dense,
            scratch=first.evaluations,
            dense_over_scratch=first.dense / first.evaluations,
            warm=second.evaluations,
            dense_over_warm=second.dense / second.evaluations,
        )


def run(bench: Bench) -> None:
    cells = 32 if bench.quick else 128
    for name, (network, code) in fields(bench.quick).items():
        count_evaluations(bench, name, network, code)
        tracker = SurfaceTracker(cells, bounds=BOX)
        grid, values = tracker.sample(network, latent=code)
        mesh = ml.marching_cubes(grid, values)
        full = VoxelGrid(cells, bounds=BOX)
        dense = ml.marching_cubes(full, evaluate_quietly(network, full.vertices, latent=code))
        generator = torch.Generator().manual_seed(0)
        target = ml.sample_points(mesh, 5000, generator=generator) * 1.02
        peers: dict[str, Callable[[], object] | None] = {}
        for kind, value in (("public", plain), ("meshlearn's", ours)):
            peers[f"dense, {kind} network, {version('scikit-image')}"] = optional(
                "skimage"
            ) and partial(dense_step, value, network, code, cells, target)
        bench.compare(
            f"{name} {cells}³, fitting step",
            partial(our_step, network, code, tracker, target),
            peers,
            repeats=3,
            vertices=mesh.num_vertices,
            same_faces="yes" if torch.equal(mesh.faces, dense.faces) else "no",
        )
        gradient_cost(bench, f"{name} {cells}³", network, code, mesh)


def gradient_cost(
    bench: Bench, name: str, network: DeepSDF, code: Tensor | None, mesh: ml.Mesh
) -> None:
    """What the gradient costs beyond the mesh, in forward and backward passes at its vertices."""
    from meshlearn.isosurface import level_set_vertices

    more = () if code is None else (code,)
    at, upstream = mesh.vertices.detach(), torch.ones_like(mesh.vertices)

    def one_pass() -> None:
        network(at, *more).sum().backward()
        network.zero_grad()

    def gradient() -> None:
        vertices, _ = level_set_vertices(network, at, latent=code)
        vertices.backward(upstream)
        network.zero_grad()

    one_pass()
    unit = shortest(one_pass)
    bench.value(
        f"{name}, gradient beyond the mesh",
        vertices=len(at),
        pass_ms=1e3 * unit,
        gradient_ms=1e3 * shortest(gradient),
        passes=shortest(gradient) / unit,
    )


if __name__ == "__main__":
    main(run)
