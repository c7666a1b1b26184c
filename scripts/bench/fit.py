"""Fits: FlexiCubes at 64³ to meshes, beside marching cubes of their exact signed distance.

The sample of assets/ always, and block, fandisk, rocker-arm and armadillo where they lie in the
folder MESHLEARN_SHARED_DATA/meshes (default ../shared/data/meshes). Distances are means over
100,000 samples each way in units of the bounding box's diagonal.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from _common import ROOT, Bench, main

import meshlearn as ml
from meshlearn import metrics
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.targets import FromMesh
from meshlearn.representations.flexicubes import cubic_grid

NAMES = ("block", "fandisk", "rocker-arm", "armadillo")
RATIOS = ("chamfer", "edge_chamfer", "inaccurate_normals_percent")
COLUMNS = (
    "chamfer",
    "f1",
    "edge_chamfer",
    "edge_f1",
    "inaccurate_normals_percent",
    "aspect_ratio_gt4_percent",
    "radius_ratio_gt4_percent",
    "min_angle_lt10_percent",
    "self_intersecting_percent",
    "watertight",
    "manifold",
    "euler_number",
    "faces",
)


def figures(mesh: ml.Mesh, target: ml.Mesh, samples: int) -> dict[str, float]:
    """The paper's columns; yes/no as words."""
    found = metrics.compare(mesh, target, samples=samples)
    return {
        key: ("yes" if found[key] else "no") if isinstance(found[key], bool) else found[key]
        for key in COLUMNS
    }


def sources() -> list[Path]:
    """The meshes that are fitted."""
    folder = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    paths = [folder / "meshes" / f"{name}.obj" for name in NAMES]
    return [ROOT / "assets" / "gear.obj", *(path for path in paths if path.is_file())]


def run(bench: Bench) -> None:
    resolution, steps, samples = (24, 40, 10_000) if bench.quick else (64, None, 100_000)
    for path in sources()[: 1 if bench.quick else None]:
        target = ml.load(path)
        source = FromMesh(target)
        grid = cubic_grid(resolution, source.bounds)
        plain = ml.marching_cubes(grid, source.field(grid.vertices))
        begin = time.perf_counter()
        fitted = reconstruct(target, resolution=resolution, steps=steps, progress=False).mesh
        seconds = time.perf_counter() - begin
        both = [figures(mesh, target, samples) for mesh in (fitted, plain)]
        case = f"{path.stem} {resolution}³"
        bench.value(f"{case}, fit", seconds=seconds, **both[0])
        bench.value(f"{case}, marching cubes", **both[1])
        bench.value(
            f"{case}, fit / marching cubes",
            **{key: both[0][key] / both[1][key] for key in RATIOS if both[1][key]},
        )


if __name__ == "__main__":
    main(run)
