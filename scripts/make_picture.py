#!/usr/bin/env python3
"""Makes the README's pictures: `python scripts/make_picture.py [FOLDER]`, default assets.

gear_fit.png: the sample gear, marching cubes of its exact signed distance and the FlexiCubes fit.
open_fit.png: an open shirt, what a closed method makes of it, and G-Shell's fit to 48 images of it.
All on grids of 64³. Takes about a minute.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import meshlearn as ml
from meshlearn.data import open_shapes
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.targets import FromMesh
from meshlearn.render import contact_sheet, render_images
from meshlearn.representations.flexicubes import cubic_grid

ROOT = Path(__file__).resolve().parents[1]


def main(folder: Path) -> None:
    """Draws and writes both."""
    closed(folder / "gear_fit.png")
    opened(folder / "open_fit.png")


def closed(path: Path) -> None:
    """A gear and two extractions."""
    gear = ml.load(ROOT / "assets" / "gear.obj")
    target = FromMesh(gear)
    grid = cubic_grid(64, target.bounds)
    plain = ml.marching_cubes(grid, target.field(grid.vertices))
    fitted = reconstruct(gear, resolution=64).mesh
    meshes = {"input": gear, "marching cubes, 64³": plain, "meshlearn fit, 64³": fitted}
    draw(meshes, gear, path, view=(35.0, 22.0))


def opened(path: Path) -> None:
    """A shirt and two fits."""
    shirt = open_shapes.shirt()
    images = render_images(shirt, 48, size=192, samples=2).only(("masks", "normals"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the shirt is open
        shell = reconstruct(shirt, resolution=64).mesh
    single = reconstruct(images, method="gshell", resolution=64).mesh
    meshes = {"input": shirt, "FlexiCubes closes the openings": shell, "G-Shell, 48 images": single}
    draw(meshes, shirt, path, view=(110.0, 25.0))


def draw(meshes: dict[str, ml.Mesh], goal: ml.Mesh, path: Path, view: tuple[float, float]) -> None:
    """Meshes by name in a row, each with its distance from `goal`."""
    contact_sheet(
        list(meshes.values()),
        path,
        labels=list(meshes),
        captions=[
            "" if mesh is goal else f"distance {distance(mesh, goal):.1e} of the diagonal"
            for mesh in meshes.values()
        ],
        views=[view],
        size=330,
        columns=3,
    )


def distance(mesh: ml.Mesh, target: ml.Mesh) -> float:
    """Mean distance of surface samples, both ways averaged, in bounding box diagonals."""
    return ml.metrics.compare(mesh, target)["chamfer"]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "assets")
