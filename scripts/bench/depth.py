"""Depth images fused, beside Open3D's grid of voxel blocks: time, and distance from the truth.

40 views of 512 x 512 of spot (256 with --quick) into 256 (128) cells along the longest side. The
mesh is one of `../shared/data/meshes` where that is there, else a sphere with waves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from _common import Bench, main, optional

import meshlearn as ml
from meshlearn.reconstruct.fusion import REACH, fuse_images
from meshlearn.render import ImageSet, render_images

_SPOT = Path(__file__).resolve().parents[3] / "shared/data/meshes/spot.obj"


def _object() -> ml.Mesh:
    if _SPOT.is_file():
        return ml.load(_SPOT)
    made = trimesh.creation.icosphere(subdivisions=6)
    waves = 1 + 0.1 * np.sin(5 * made.vertices).prod(1, keepdims=True)
    return ml.Mesh(torch.tensor(made.vertices * waves).float(), torch.tensor(made.faces))


def _open3d(images: ImageSet, cell: float) -> Callable[[], object] | None:
    o3d = optional("open3d")
    if o3d is None:
        return None
    core, geometry = o3d.core, o3d.t.geometry
    h, w = images.size
    farthest = float(images.depth.max()) * 1.01
    frames = []
    for i in range(len(images)):
        cam = images.cameras[i].to(torch.float64)
        lens, centre = torch.eye(3, dtype=torch.float64), cam.centre * cam.centre.new_tensor([w, h])
        lens[0, 0], lens[1, 1] = (cam.focal * h).tolist()
        lens[:2, 2] = centre - 0.5  # it counts from the middle of the first pixel
        depth = geometry.Image(
            core.Tensor(np.ascontiguousarray(images.depth[i].numpy())[..., None])
        )
        frames.append((depth, core.Tensor(lens.numpy()), core.Tensor(cam.view.numpy())))

    def fuse() -> object:
        grid = geometry.VoxelBlockGrid(
            ("tsdf", "weight"), (core.float32, core.float32), ((1), (1)), cell, 16, 10_000,
            core.Device("CPU:0"),
        )  # fmt: skip
        for frame in frames:
            blocks = grid.compute_unique_block_coordinates(*frame, 1.0, farthest, REACH)
            grid.integrate(blocks, *frame, 1.0, farthest, REACH)
        return grid.extract_triangle_mesh(weight_threshold=0.5)

    return fuse


def _off(mesh: ml.Mesh, truth: ml.Mesh, size: float) -> float:
    """Mean distance, both ways, over the diagonal."""
    both = ((mesh, truth), (truth, mesh))
    found = []
    for a, b in both:
        points = ml.sample_points(a, 50_000, generator=torch.Generator().manual_seed(0))
        distance = ml.point_mesh_distance(points, b)[0]
        found.append(float(distance.double().sqrt().mean()) / size)
    return sum(found) / 2


def run(bench: Bench) -> None:
    cells, pixels = (128, 256) if bench.quick else (256, 512)
    truth = _object()
    low, high = truth.vertices.amin(0), truth.vertices.amax(0)
    size = float((high - low).norm())
    images = render_images(truth, 40, size=pixels, samples=1, progress=False).only(["depth"])
    cell = max(fuse_images(images, resolution=cells).grid.spacing)
    made: dict[str, object] = {}

    def ours() -> None:
        made["ours"] = fuse_images(images, resolution=cells).mesh()

    fuse = _open3d(images, cell)

    def theirs() -> None:
        made["open3d"] = fuse()

    peers = {} if fuse is None else {"open3d": theirs}
    bench.compare(f"40 depth images of {pixels}² into {cells}³", ours, peers)
    values: dict[str, float | str] = {"ours": _off(made["ours"], truth, size)}
    if "open3d" in made:
        other = made["open3d"]
        mesh = ml.Mesh(
            torch.tensor(other.vertex.positions.numpy()),
            torch.tensor(other.triangle.indices.numpy()).long(),
        )
        values["open3d"] = _off(mesh, truth, size)
        values["ratio"] = values["open3d"] / values["ours"]
    assert all(math.isfinite(v) for v in values.values() if isinstance(v, float))
    bench.value("mean distance over the diagonal", **values)


if __name__ == "__main__":
    main(run)
