#!/usr/bin/env python3
"""Makes the README's picture, assets/gear_fit.png: `python scripts/make_picture.py [FILE]`.

The sample gear, marching cubes of its exact signed distance and the FlexiCubes fit, on the same
64³ grid. Takes about half a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

import meshlearn as ml
from meshlearn.reconstruct.run import reconstruct
from meshlearn.reconstruct.targets import FromMesh
from meshlearn.render import contact_sheet
from meshlearn.representations.flexicubes import cubic_grid

ROOT = Path(__file__).resolve().parents[1]


def main(path: Path) -> None:
    """Draws the three and writes the picture."""
    gear = ml.load(ROOT / "assets" / "gear.obj")
    target = FromMesh(gear)
    grid = cubic_grid(64, target.bounds)
    plain = ml.marching_cubes(grid, target.field(grid.vertices))
    fitted = reconstruct(gear, resolution=64).mesh
    meshes = {"input": gear, "marching cubes, 64³": plain, "meshlearn fit, 64³": fitted}
    contact_sheet(
        list(meshes.values()),
        path,
        labels=list(meshes),
        captions=[
            "" if mesh is gear else f"distance {distance(mesh, gear):.1e} of the diagonal"
            for mesh in meshes.values()
        ],
        views=[(35.0, 22.0)],
        size=330,
        columns=3,
    )


def distance(mesh: ml.Mesh, target: ml.Mesh) -> float:
    """Mean distance of surface samples, both ways averaged, in bounding box diagonals."""
    return ml.metrics.compare(mesh, target)["chamfer"]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "assets" / "gear_fit.png")
