"""Open surfaces: G-Shell at 64³ fitted to images, points and meshes; FlexiCubes beside it.

The shirt of `meshlearn.data.open_shapes` always, and halftunnel, lilium, camelhead, spot and
fandisk where they lie in the folder MESHLEARN_SHARED_DATA/meshes (default ../shared/data/meshes).
Distances are means over 100,000 samples in units of the bounding box's diagonal. Where
MESHLEARN_PICTURES names a folder, every fit is drawn there beside its target. MESHLEARN_CASES
picks cases by parts of their names, separated by commas.
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import torch
from _common import ROOT, Bench, main

import meshlearn as ml
from meshlearn.data import open_shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.sources import Input
from meshlearn.reconstruct.targets import FromImages
from meshlearn.render import render_images
from meshlearn.render.picture import contact_sheet

DATA = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data") / "meshes"
PICTURES = os.environ.get("MESHLEARN_PICTURES")
CASES = [part for part in os.environ.get("MESHLEARN_CASES", "").split(",") if part]
FROM_IMAGES = ("halftunnel.off", "lilium.obj", "camelhead.off")
CLOSED = ("spot.obj", "fandisk.obj")
KINDS = (("masks", "normals"), ("masks", "depth"), ("masks", "normals", "colors"))


def length(mesh: ml.Mesh) -> list[float]:
    """Lengths of boundary loops, in diagonals of the bounding box, longest first."""
    low, high = mesh.bounds()
    size = float((high - low).norm())
    loops = [mesh.vertices[loop] for loop in mesh.topology.boundary_loops()]
    found = [float((v - v.roll(1, 0)).norm(dim=1).sum()) / size for v in loops]
    return sorted(found, reverse=True)


def fitted(bench: Bench, case: str, goal: ml.Mesh, given: Input, method: str = "gshell") -> None:
    """One fit, its row and its picture."""
    if CASES and not any(part in case for part in CASES):
        return
    cells, steps = (24, 30) if bench.quick else (64, None)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of open meshes for FlexiCubes
        mesh = reconstruct(given, method=method, resolution=cells, steps=steps, progress=False).mesh
    seconds = time.perf_counter() - begin
    found = ml.metrics.compare(
        mesh, goal, samples=10_000 if bench.quick else 100_000, quality=False
    )
    keys = ("chamfer", "accuracy", "completeness", "boundary_chamfer", "normal_consistency")
    values: dict[str, float | str] = {k: v for k in keys if (v := found.get(k)) is not None}
    loops = length(mesh)
    values["boundary_edges"] = mesh.topology.boundary_edges.shape[0]
    values["loops"] = len(loops)
    values["large_loops"] = sum(size > 0.1 for size in loops)
    values["large_loops_of_target"] = sum(size > 0.1 for size in length(goal))
    values["parts"] = mesh.topology.components().count
    values["faces"] = mesh.num_faces
    sound = mesh.is_edge_manifold and mesh.is_consistently_oriented
    bench.value(case, **values, sound="yes" if sound else "no", seconds=seconds)
    if PICTURES:
        path = Path(PICTURES) / (case.replace(",", "").replace(" ", "_") + ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet([goal, mesh], path, labels=["target", case])
        mesh.save(path.with_suffix(".ply"))
        if hasattr(given, "cameras"):
            FromImages(given).write_sheet(mesh, path.with_suffix(".views.png"))


def run(bench: Bench) -> None:
    """Images, points, meshes; then closed targets; then what a closed method makes of a shirt."""
    views, size = (12, 64) if bench.quick else (48, 192)
    shirt = open_shapes.shirt()
    goals = {"shirt": shirt}
    if not bench.quick:
        goals |= {Path(n).stem: ml.load(DATA / n) for n in FROM_IMAGES if (DATA / n).is_file()}
    for name, goal in goals.items():
        images = render_images(goal, views, size=size, samples=2, progress=False)
        kinds = KINDS if name == "shirt" and not bench.quick else KINDS[:1]
        for kind in kinds:
            what = f"{name}, {views} views of {' and '.join(kind)}"
            fitted(bench, what, goal, images.only(kind))
    low, high = shirt.bounds()
    noise = 0.005 * float((high - low).norm())
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(shirt, 20_000, normals=True, generator=generator)
    points = points + noise * torch.randn(points.shape, generator=generator)
    fitted(bench, "shirt, 20k points of 0.5 % noise", shirt, PointCloud(points, None))
    fitted(bench, "shirt, the same with normals", shirt, PointCloud(points, normals))
    for method in ("gshell", "flexicubes"):
        fitted(bench, f"shirt, its mesh, {method}", shirt, shirt, method)
    closed = [DATA / name for name in CLOSED if (DATA / name).is_file() and not bench.quick]
    for path in closed:
        goal = ml.load(path)
        for method in ("gshell", "flexicubes"):
            fitted(bench, f"{path.stem}, its mesh, {method}", goal, goal, method)


if __name__ == "__main__":
    main(run)
