"""Representations side by side: the same images, losses, steps and grid; the paper's columns.

A representation is a line of `REPRESENTATIONS`: a name, and a function of the box that the shape
lies in and of the number of cells along its longest side, which gives a `Representation` or None
where there is none yet.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from _common import ROOT, Bench, main

import meshlearn as ml
from meshlearn import isosurface
from meshlearn.data import shapes
from meshlearn.metrics.table import COLUMNS
from meshlearn.reconstruct import fit, targets
from meshlearn.render import render_images
from meshlearn.representations import FlexiCubes, MarchingCubes, Representation
from meshlearn.representations.base import RepresentationOutput

DATA = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data") / "meshes"
Make = Callable[[torch.Tensor, int], "Representation | None"]


class Tetrahedra(Representation):
    """Marching tetrahedra on a deformable grid, where the library has them."""

    default_weights = {}  # noqa: RUF012

    def __init__(self, bounds: torch.Tensor, resolution: int) -> None:
        super().__init__()
        extent = float((bounds[1] - bounds[0]).max()) * resolution / (resolution - 4)
        middle = bounds.mean(0)
        box = torch.stack((middle - extent / 2, middle + extent / 2))
        self.size = extent / resolution
        self.grid = isosurface.TetGrid.from_voxels(resolution, bounds=box.tolist())
        place = self.grid.vertices
        low, high = place.amin(0), place.amax(0)
        close = 1e-3 * self.size
        self.rim = ((place < low + close) | (place > high - close)).any(1)
        self.sdf = torch.nn.Parameter(torch.ones(len(place)))
        self.deform = torch.nn.Parameter(torch.zeros(len(place), 3))

    @property
    def scale(self) -> float:
        return self.size

    def forward(self) -> RepresentationOutput:
        mesh = isosurface.marching_tetrahedra(self.grid, self.sdf, deform=self.deform)
        return RepresentationOutput(mesh, {})

    @torch.no_grad()
    def initialize(self, field) -> None:
        self.sdf.copy_(field(self.grid.vertices) / self.size)
        self.after_step()

    @torch.no_grad()
    def after_step(self) -> None:
        self.sdf[self.rim] = self.sdf[self.rim].clamp(min=0.1)


def tetrahedra(bounds: torch.Tensor, resolution: int) -> Representation | None:
    """About as many grid vertices as a grid of cubes: two a cube, so fewer cubes a side."""
    if not hasattr(isosurface, "marching_tetrahedra"):
        return None
    return Tetrahedra(bounds, round(resolution / 2 ** (1 / 3)))


REPRESENTATIONS: dict[str, Make] = {
    "FlexiCubes": lambda box, n: FlexiCubes(n, bounds=box),
    "dual marching cubes": lambda box, n: FlexiCubes(n, bounds=box, weights=False, deform=False),
    "marching cubes": lambda box, n: MarchingCubes(n, bounds=box),
    "marching tetrahedra": tetrahedra,
}


def run(bench: Bench) -> None:
    """Fits each representation to masks and depth of each shape, in turn."""
    cells, steps, views = (24, 40, 12) if bench.quick else (64, 150, 40)
    goals = {"gear": shapes.gear()}
    if not bench.quick:
        found = {n: DATA / f"{n}.obj" for n in ("block", "spot", "armadillo")}
        goals = {n: ml.load(p) for n, p in found.items() if p.is_file()} or goals
    columns = [c for c in COLUMNS if c not in ("watertight", "manifold")]
    for name, goal in goals.items():
        images = render_images(goal, views, size=96 if bench.quick else 256, progress=False)
        images = images.only(("masks", "depth"))
        for method, make in REPRESENTATIONS.items():
            target = targets.FromImages(images)
            shape = make(target.bounds, cells)
            case = f"{name}, {method}, {cells}³, {steps} steps"
            if shape is None:
                bench.value(case, note="not built")
                continue
            begin = time.perf_counter()
            mesh = fit(shape, target, steps=steps, progress=False).mesh
            seconds = time.perf_counter() - begin
            figures = ml.metrics.compare(mesh, goal, samples=10_000 if bench.quick else 100_000)
            values = {COLUMNS[c]: figures[c] for c in columns if figures.get(c) is not None}
            whole = all(figures[k] for k in ("watertight", "manifold"))
            values = {k: float(v) if isinstance(v, float) else int(v) for k, v in values.items()}
            bench.value(case, **values, sound="yes" if whole else "no", seconds=seconds)


if __name__ == "__main__":
    main(run)
