"""Extraction: marching cubes, dual marching cubes, FlexiCubes with gradients; time and memory."""

from __future__ import annotations

import torch
from _common import Bench, main, optional, peak_memory, version

import meshlearn as ml

FLEXICUBES = """
import torch, meshlearn as ml
grid = ml.VoxelGrid({n})
x, y, z = torch.meshgrid(*grid.axes(), indexing="ij")
sdf = (((x * x + y * y).sqrt() - 0.55).square() + z * z).sqrt().sub(0.25).reshape(-1)
del x, y, z
generator = torch.Generator().manual_seed(0)
make = lambda *shape: (0.1 * torch.randn(*shape, generator=generator)).requires_grad_()
N, C = sdf.numel(), grid.num_cells
weights = dict(deform=make(N, 3), alpha=make(C, 8), beta=make(C, 12), gamma=make(C))
sdf.requires_grad_()
def step():
    out = ml.flexicubes(grid, sdf, training=True, **weights)
    (out.mesh.vertices.square().sum() + out.dev_loss.sum()).backward()
    return out
"""


def torus(n: int) -> tuple[ml.VoxelGrid, torch.Tensor]:
    """The field of a torus on a grid of n³ cells."""
    grid = ml.VoxelGrid(n)
    x, y, z = torch.meshgrid(*grid.axes(), indexing="ij")
    return grid, (((x * x + y * y).sqrt() - 0.55).square() + z * z).sqrt().sub(0.25)


def run(bench: Bench) -> None:
    measure = optional("skimage.measure")
    for n in (32,) if bench.quick else (64, 128, 256):
        grid, sdf = torus(n)
        array = sdf.numpy()
        theirs = (lambda a=array: measure.marching_cubes(a, 0.0)) if measure else None
        faces = ml.marching_cubes(grid, sdf).num_faces
        bench.compare(
            f"marching cubes, torus {n}³",
            lambda g=grid, s=sdf: ml.marching_cubes(g, s),
            {version("scikit-image"): theirs},
            faces=faces,
        )
        bench.compare(
            f"dual marching cubes, torus {n}³", lambda g=grid, s=sdf: ml.dual_marching_cubes(g, s)
        )
    for n in (32,) if bench.quick else (64, 128):
        names: dict = {}
        exec(FLEXICUBES.format(n=n), names)
        bench.compare(
            f"FlexiCubes, all weights, training, forward + backward, torus {n}³",
            names["step"],
            faces=names["step"]().mesh.num_faces,
        )
    for n in (32,) if bench.quick else (64, 128, 256):
        # gradients of the inputs are as large as the inputs: made before, so that they do not count
        warm = "\nfor p in (sdf, *weights.values()): p.grad = torch.zeros_like(p)"
        found = peak_memory(FLEXICUBES.format(n=n) + warm, "out = step()")
        bench.value(
            f"FlexiCubes forward + backward, torus {n}³: memory above inputs and gradients",
            MB=round(found["above"], 1),
            inputs_MB=round(found["before"], 1),
        )


if __name__ == "__main__":
    main(run)
