"""Points: nearest neighbours, chamfer distance, samples and Laplacians beside other libraries."""

from __future__ import annotations

import torch
from _common import Bench, main, optional, version
from torch import Tensor

import meshlearn as ml
from meshlearn.geometry import PointTree, laplacian_matrix


def shell(n: int, seed: int) -> Tensor:
    """Points about a sphere, as two scans of one surface would be."""
    generator = torch.Generator().manual_seed(seed)
    p = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=1)
    return p * (1 + 0.01 * torch.randn(n, 1, generator=generator))


def neighbours(bench: Bench, n: int) -> None:
    spatial = optional("scipy.spatial")
    x, y = shell(n, 0), shell(n, 1)
    a, b = x.numpy(), y.numpy()
    scipy = version("scipy") + " cKDTree"
    repeats = 5 if n < 100_000 else 3
    bench.compare(
        f"k-d tree of {n:,} points",
        lambda: PointTree(y),
        {scipy: spatial and (lambda: spatial.cKDTree(b))},
        repeats=repeats,
    )
    tree, theirs = PointTree(y), spatial and spatial.cKDTree(b)
    for k in (1, 8):
        bench.compare(
            f"{k} nearest of {n:,} to {n:,}",
            lambda k=k: tree.knn(x, k),
            {scipy: theirs and (lambda k=k: theirs.query(a, k, workers=torch.get_num_threads()))},
            repeats=repeats,
        )


def chamfer(bench: Bench, n: int) -> None:
    spatial, peer = optional("scipy.spatial"), optional("pytorch3d.loss")
    x, y = shell(n, 0).requires_grad_(), shell(n, 1).requires_grad_()
    a, b = x.detach().numpy(), y.detach().numpy()

    def trees() -> None:
        workers = torch.get_num_threads()
        spatial.cKDTree(a).query(b, workers=workers)
        spatial.cKDTree(b).query(a, workers=workers)

    def all_pairs() -> None:
        peer.chamfer_distance(x[None], y[None])[0].backward()

    pairs = all_pairs if peer and n <= 20_000 else None  # it takes minutes for a million points
    bench.compare(
        f"chamfer {n:,} × {n:,}, forward + backward",
        lambda: ml.chamfer_distance(x, y).backward(),
        {
            version("pytorch3d"): pairs,
            version("scipy") + " two trees, forward only": spatial and trees,
        },
        repeats=5 if n < 100_000 else 2,
    )


def samples(bench: Bench, n: int) -> None:
    trimesh = optional("trimesh")
    mesh = ml.data.shapes.icosphere(6)
    peer = trimesh and trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    if peer:
        peer.area_faces  # noqa: B018  kept by it from then on
    bench.compare(
        f"{n:,} samples on {mesh.num_faces:,} faces",
        lambda: ml.sample_points(mesh, n),
        {version("trimesh"): peer and (lambda: peer.sample(n))},
    )


def laplacians(bench: Bench) -> None:
    igl = optional("igl")
    mesh = ml.data.shapes.icosphere(6, dtype=torch.float64)
    v, f = mesh.vertices.numpy(), mesh.faces.numpy()
    bench.compare(
        f"cotangent matrix of {mesh.num_faces:,} faces, edges known",
        lambda: laplacian_matrix(mesh, "cotangent"),
        {version("libigl"): igl and (lambda: igl.cotmatrix(v, f))},
    )


def run(bench: Bench) -> None:
    for n in (20_000,) if bench.quick else (20_000, 1_000_000):
        neighbours(bench, n)
        chamfer(bench, n)
    samples(bench, 100_000)
    laplacians(bench)


if __name__ == "__main__":
    main(run)
