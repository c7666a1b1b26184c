"""Sparse grids: extraction of a signed distance at an effective 512³ against dense grids."""

from __future__ import annotations

import os
from pathlib import Path

from _common import Bench, main, peak_memory

MESHES = Path(os.environ.get("MESHLEARN_MESHES", Path(__file__).parents[3] / "shared/data/meshes"))
SETUP = """
import time, torch, meshlearn as ml
from meshlearn.geometry import MeshBVH
mesh = {mesh}
low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
mesh = mesh.with_vertices((mesh.vertices - (low + high) / 2) / (high - low).max() * 1.8)
bvh = MeshBVH(mesh)
bounds = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
field = bvh.signed_distance
"""
SPARSE = """
begin = time.perf_counter()
grid, sdf = ml.SparseVoxelGrid.sample(field, {n}, bounds=bounds)
sampled = time.perf_counter() - begin
"""
DENSE = """
begin = time.perf_counter()
grid = ml.VoxelGrid({n}, bounds=bounds)
sdf = grid.evaluate(field)
sampled = time.perf_counter() - begin
"""
REST = """
out = ml.marching_cubes(grid, sdf)
first = time.perf_counter() - begin - sampled
begin = time.perf_counter()
ml.marching_cubes(grid, sdf)
again = time.perf_counter() - begin
begin = time.perf_counter()
dual = ml.dual_marching_cubes(grid, sdf)
dual_s = time.perf_counter() - begin
"""
MORE = {
    "cells": "grid.num_cells",
    "faces": "out.num_faces",
    "sampled": "sampled",
    "first": "first",
    "again": "again",
    "dual": "dual_s",
}


def run(bench: Bench) -> None:
    path = MESHES / "armadillo.obj"
    name, mesh = "torus", "ml.data.shapes.torus()"
    if path.is_file():
        name, mesh = "armadillo", f"ml.load({str(path)!r})"
    sizes = (64, 128) if bench.quick else (256, 512)
    cases = [("dense", DENSE, sizes[0]), *(("sparse", SPARSE, n) for n in sizes)]
    for kind, code, n in cases:
        statement = code.format(n=n) + REST
        found = peak_memory(SETUP.format(mesh=mesh), statement, more=MORE)
        bench.value(
            f"{name} from its signed distance, {kind} {n}³",
            cells=int(found["cells"]),
            faces=int(found["faces"]),
            field_s=round(found["sampled"], 2),
            marching_cubes_s=round(found["again"], 3),
            first_marching_cubes_s=round(found["first"], 3),
            dual_s=round(found["dual"], 3),
            MB_above_mesh=round(found["above"]),
        )


if __name__ == "__main__":
    main(run)
