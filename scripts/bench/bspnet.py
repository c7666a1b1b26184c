"""BSP-Net: the training step at the paper's sizes, from a code to a mesh, fits of one shape."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import torch
from _common import ROOT, Bench, main, peak_memory

import meshlearn as ml
from meshlearn import convex
from meshlearn.representations import BSPNet

STEP = """
import torch
from meshlearn.representations.bspnet import convex_distances, phase_losses
from meshlearn.representations.bspnet.start import first_connection
generator = torch.Generator().manual_seed(0)
B, N, P, C = {sizes}
points = torch.rand(B, N, 3, generator=generator) - 0.5
inside = (points.norm(dim=2) < 0.3).float()
planes = torch.randn(B, P, 4, generator=generator).requires_grad_()
T = torch.randn(P, C, generator=generator).mul(0.02).requires_grad_()
W = torch.full((C,), 0.1).requires_grad_()
of_0_and_1 = first_connection(P, C)
def plain(x, planes, T):
    d = torch.cat([x, torch.ones_like(x[..., :1])], -1) @ planes.transpose(1, 2)
    return torch.relu(d) @ T
def step(distances, phase):
    for p in (planes, T, W): p.grad = None
    connection = of_0_and_1 if phase else T
    terms = phase_losses(distances(points, planes, connection), inside, connection, W, phase)
    sum(terms.values()).backward()
"""


def small_chamfer(mesh: ml.Mesh, target: ml.Mesh) -> float:
    """Mean distance, both ways averaged, in diagonals of the target."""
    return float(ml.metrics.compare(mesh, target, samples=20_000, quality=False)["chamfer"])


def fits(bench: Bench) -> None:
    """Vertices and faces of the union beside marching cubes that come as near."""
    from meshlearn.data.families import shape
    from meshlearn.reconstruct.convexes import fit_convexes

    folder = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    targets = {"chair 3 of the families": shape("chairs", 3).mesh}
    for name in ("block.obj", "featuretype.STL"):
        if (folder / "meshes" / name).is_file():
            targets[name] = ml.load(folder / "meshes" / name)
    for name, target in targets.items():
        found = fit_convexes(target, progress=False)
        fewest = convex.union_convexes(found.convexes, simplify=True)
        mine = small_chamfer(found.mesh, target)
        bench.value(
            f"{name}: union of {int((~found.convexes.empty).sum())} convexes",
            chamfer=mine,
            vertices=found.mesh.num_vertices,
            faces=found.mesh.num_faces,
            vertices_joined=fewest.num_vertices,
            faces_joined=fewest.num_faces,
            seconds=round(found.seconds, 1),
        )
        theirs, cells, mesh = like_by_marching_cubes(target, mine)
        bench.value(
            f"{name}: marching cubes of the exact distance, {cells} cells along the side",
            chamfer=theirs,
            vertices=mesh.num_vertices,
            faces=mesh.num_faces,
        )


def like_by_marching_cubes(target: ml.Mesh, chamfer: float) -> tuple[float, int, ml.Mesh]:
    """The coarsest marching cubes of the target's exact distance that come as near: their chamfer,
    cells along the longest side, mesh."""
    low, high = target.bounds().unbind(0)
    pad = 0.03 * (high - low).max()
    tree = ml.geometry.MeshBVH(target)

    def extracted(cells: int) -> tuple[float, int, ml.Mesh]:
        size = (high - low + 2 * pad) / float((high - low).max()) * cells
        counts = [max(4, round(float(s))) for s in size]
        grid = ml.VoxelGrid(counts, bounds=torch.stack([low - pad, high + pad]))
        mesh = ml.marching_cubes(grid, tree.signed_distance(grid.vertices))
        return small_chamfer(mesh, target), cells, mesh

    few, many = 8, 128
    while many - few > max(1, few // 16):
        middle = round((few * many) ** 0.5)
        few, many = (few, middle) if extracted(middle)[0] <= chamfer else (middle, many)
    return extracted(many)


def code_to_mesh(bench: Bench) -> None:
    """The paper's decoder and 256 convexes of about 32 planes."""
    generator = torch.Generator().manual_seed(0)
    model = BSPNet(encoder="voxels", generator=generator).eval()
    with torch.no_grad():
        model.connection.copy_((torch.rand(4096, 256, generator=generator) < 32 / 4096).float())
        rows = torch.randn(4096, 4, generator=generator)
        rows[:, 3] = -0.25 * rows[:, :3].norm(dim=1)
        model.decoder.layers[-1].bias.copy_(rows.reshape(-1))
    code = torch.rand(1, 256, generator=generator)
    with torch.no_grad():
        bench.compare(
            "code to mesh, p 4096, c 256: decoder, intersection, triangles",
            lambda: model.meshes(code),
        )
        found = model.convexes(code)[0]
        bench.compare(
            f"  of that: intersection, {int((~found.empty).sum())} convexes",
            lambda: model.convexes(code),
        )


def training_step(bench: Bench, sizes: tuple[int, int, int, int]) -> None:
    """Fields and losses, forward and backward, beside the equations as they stand."""
    setup = STEP.format(sizes=sizes)
    names: dict = {}
    exec(setup, names)
    step, mine, plain = names["step"], names["convex_distances"], names["plain"]
    for phase, kind in ((0, "T learned"), (1, "T of 0 and 1")):
        title = "training step, phase {} ({}), batch {}, {} points, p {}, c {}"
        title = title.format(phase, kind, *sizes)
        peers = {"plain torch": partial(step, plain, phase)}
        bench.compare(title, partial(step, mine, phase), peers, repeats=2)
        for name, peer in (("convex_distances", None), ("plain", "plain torch")):
            found = peak_memory(setup, f"step({name}, {phase})")
            bench.value(f"{title}: peak memory above inputs", peer=peer, MB=round(found["above"]))


def run(bench: Bench) -> None:
    code_to_mesh(bench)
    training_step(bench, (2, 512, 512, 64) if bench.quick else (24, 4096, 4096, 256))
    if not bench.quick:
        fits(bench)


if __name__ == "__main__":
    main(run)
