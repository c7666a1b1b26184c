"""Extraction: marching cubes, dual marching cubes, FlexiCubes with gradients; time and memory.

Peers: scikit-image, and the authors' pure-torch FlexiCubes where its folder is on PYTHONPATH.
"""

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
    for p in (sdf, *weights.values()): p.grad = None  # as zero_grad does
    out = ml.flexicubes(grid, sdf, training=True, **weights)
    (out.mesh.vertices.square().sum() + out.dev_loss.sum()).backward()
    return out
"""


GSHELL = """
msdf = (grid.vertices[:, 0] + 0.2).requires_grad_()
def open_step():
    for p in (sdf, msdf, *weights.values()): p.grad = None
    out = ml.gshell(grid, sdf, msdf, training=True, **weights)
    (out.mesh.vertices.square().sum() + out.dev_loss.sum()).backward()
    return out
"""
TETS = """
tets = ml.TetGrid.from_voxels({n})
x, y, z = tets.vertices.unbind(1)
tet_sdf = (((x * x + y * y).sqrt() - 0.55).square() + z * z).sqrt().sub(0.25).requires_grad_()
tets.neighbours
def tet_step():
    mesh = ml.marching_tetrahedra(tets, tet_sdf)
    mesh.vertices.square().sum().backward()
    return mesh
"""
PUBLIC = """
import torch, flexicubes
n = {n}
public = flexicubes.FlexiCubes(device="cpu")
line = torch.linspace(-1, 1, n + 1)
points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3)
i, j, k = torch.meshgrid(*[torch.arange(n)] * 3, indexing="ij")
at = lambda c: ((i + (c & 1)) * (n + 1) + j + (c >> 1 & 1)) * (n + 1) + k + (c >> 2)
cells = torch.stack([at(c) for c in range(8)], -1).view(-1, 8)
del i, j, k, line
x, y, z = points.unbind(1)
sdf = (((x * x + y * y).sqrt() - 0.55).square() + z * z).sqrt().sub(0.25)
generator = torch.Generator().manual_seed(0)
make = lambda *shape: (0.1 * torch.randn(*shape, generator=generator)).requires_grad_()
N, C = len(points), len(cells)
deform, alpha, beta, gamma = make(N, 3), make(C, 8), make(C, 12), make(C)
weights = dict(deform=deform, alpha=alpha, beta=beta, gamma=gamma)
sdf.requires_grad_()
def step():
    for p in (sdf, *weights.values()): p.grad = None
    moved = points + (1 - 1e-8) / n * torch.tanh(deform)
    vertices, faces, deviation = public(moved, sdf, cells, n, beta_fx12=beta, alpha_fx8=alpha,
                                        gamma_f=gamma, training=True)
    (vertices.square().sum() + deviation.sum()).backward()
    return faces
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
        theirs: dict = {}
        if optional("flexicubes"):
            exec(PUBLIC.format(n=n), theirs)
        bench.compare(
            f"FlexiCubes, all weights, training, forward + backward, torus {n}³",
            names["step"],
            {"public FlexiCubes (pure torch)": theirs.get("step")},
            faces=names["step"]().mesh.num_faces,
        )
        exec(GSHELL, names)
        bench.compare(
            f"G-Shell on FlexiCubes, the same and an msdf, cut by a plane, torus {n}³",
            names["open_step"],
            {"FlexiCubes alone": names["step"]},
            faces=names["open_step"]().mesh.num_faces,
        )
    for n in (16,) if bench.quick else (64,):
        names = {"ml": ml}
        exec(TETS.format(n=n), names)
        bench.compare(
            f"marching tetrahedra, forward + backward, torus {n}³",
            names["tet_step"],
            faces=names["tet_step"]().num_faces,
        )
    for n in (32,) if bench.quick else (64, 128, 256):
        open_, public = FLEXICUBES.format(n=n) + GSHELL, PUBLIC.format(n=n)
        cases = [
            ("FlexiCubes", None, FLEXICUBES.format(n=n), "out = step()"),
            ("G-Shell", None, open_, "out = open_step()"),
        ]
        if optional("flexicubes") and n < 256:  # beyond, it takes more than most machines have
            cases.append(("FlexiCubes", "public FlexiCubes (pure torch)", public, "out = step()"))
        for name, peer, setup, step in cases:
            found = peak_memory(setup, step)
            bench.value(
                f"{name} forward + backward, torus {n}³: peak memory above inputs, with gradients",
                peer=peer,
                MB=round(found["above"], 1),
                peak_MB=round(found["peak"], 1),
            )


if __name__ == "__main__":
    main(run)
