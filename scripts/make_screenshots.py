#!/usr/bin/env python3
"""Makes screenshots of the viewer: `python scripts/make_screenshots.py [FOLDER [NAME...]]`.

Every mode on shapes that the project makes itself; needs a Chromium and takes about three minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import meshlearn as ml
from meshlearn import viewer
from meshlearn.data import open_shapes
from meshlearn.data.families import shape
from meshlearn.reconstruct import fit, targets
from meshlearn.representations import FlexiCubes, GShell
from meshlearn.representations.flexicubes import cubic_grid
from meshlearn.viewer.draw import EDGES, Look
from meshlearn.viewer.gather_items import gather
from meshlearn.viewer.items import Item, item_of
from meshlearn.viewer.look_panel import LookPanel
from meshlearn.viewer.pick_panel import PickPanel
from meshlearn.viewer.runs import Run
from meshlearn.viewer.shot import take_shot

ROOT = Path(__file__).resolve().parents[1]
GEAR, BLOB = ROOT / "assets" / "gear.obj", ROOT / "assets" / "blob.ply"
SIZE, WIDTH, LARGEST = (1280, 800), 900, 190_000


def meshlearn(*words: object) -> None:
    """The command line."""
    subprocess.run([sys.executable, "-m", "meshlearn", *map(str, words)], check=True, cwd=ROOT)


def shown(
    items: list[Item],
    path: Path,
    *,
    run: Run | None = None,
    then: Callable[[viewer.App], object] = lambda app: None,
    **options: object,
) -> None:
    """A picture of the page, made smaller."""
    with viewer.App(items, viewer.Options(port=18700, **options), run=run) as app:
        then(app)
        take_shot(app, path, size=SIZE)
    with Image.open(path) as image:
        small = image.convert("RGB").resize((WIDTH, WIDTH * SIZE[1] // SIZE[0]), Image.LANCZOS)
    small.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        small.quantize(256).save(path, optimize=True)


def mesh(path: Path, folder: Path) -> None:
    """A mesh with its sharp edges, and what was picked."""

    def pick(app: viewer.App) -> None:
        eye = np.array(app.page.initial_camera.position)
        app.panel(PickPanel).pick(eye, np.array([-0.25, 0.15, 0.1]) - eye)

    look = Look(shading="flat", edges=frozenset(EDGES))
    shown([viewer.read_item(GEAR)], path, look=look, then=pick)


def field(path: Path, folder: Path) -> None:
    """A field with its histogram."""
    blob = ml.load(BLOB)
    away = (blob.vertices - blob.vertices.mean(0)).norm(dim=1)
    named = ml.Mesh(blob.vertices, blob.faces, vertex_attributes={"radius": away})
    shown([item_of("blob.ply", named)], path, field="radius")


def compare(path: Path, folder: Path) -> None:
    """Marching cubes against the mesh it came from, by distance."""
    gear = ml.load(GEAR)
    target = targets.FromMesh(gear)
    grid = cubic_grid(32, target.bounds)
    made = ml.marching_cubes(grid, target.field(grid.vertices))

    def distances(app: viewer.App) -> None:
        app.fields.choose("distance")

    shown([item_of("marching cubes 32³", made), item_of("gear.obj", gear)], path,
          compare=True, then=distances)  # fmt: skip


def run(path: Path, folder: Path) -> None:
    """A fit of FlexiCubes, step by step, beside its target."""
    target = targets.FromMesh(ml.load(GEAR))
    fitted = FlexiCubes(32, bounds=target.bounds)
    fit(fitted, target, steps=60, progress=False, checkpoint=folder / "gear", snapshot_every=5)
    shown([], path, run=Run(folder / "gear"))


def gshell(path: Path, folder: Path) -> None:
    """The watertight template of an open fit with its field, and the cut."""
    target = targets.FromMesh(open_shapes.bowl())
    fitted = GShell(24, bounds=target.bounds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(fitted, target, steps=60, progress=False, checkpoint=folder / "bowl", snapshot_every=20)
    shown([], path, run=Run(folder / "bowl"), field="msdf", azimuth=100.0, elevation=30.0)


def convexes(path: Path, folder: Path) -> None:
    """The convexes of a BSP-Net, taken apart, in their colours."""
    parts, chair = folder / "parts.ply", folder / "chair.ply"
    shape("chairs", 4).mesh.save(chair)
    meshlearn("reconstruct", chair, folder / "union.ply", "--method", "bspnet", "--no-picture",
              "--parts", parts)  # fmt: skip

    def apart(app: viewer.App) -> None:
        app.panel(LookPanel).apart.value = 0.3
        app.panel(LookPanel).take_apart(0.3)

    shown([viewer.read_item(parts)], path, then=apart)


def heart(path: Path, folder: Path) -> None:
    """A heart of the generated population, fitted to its virtual contours: the wall's thickness."""
    meshlearn("heart", "sample", folder / "hearts", "-n", 1, "--contours", "--seed", 3)
    contours = sorted((folder / "hearts").glob("*.txt"))[0]
    meshlearn("heart", "fit", contours, folder / "heart")
    items, _, name, _ = gather([folder / "heart"])
    shown(items, path, field=name)


def cameras(path: Path, folder: Path) -> None:
    """The cameras of a set of images around their mesh."""
    meshlearn("render", GEAR, folder / "views", "--views", 24, "--size", 64)
    items = [viewer.read_item(GEAR), viewer.read_item(folder / "views")]
    shown(items, path, dark=True)


MODES = {
    f"view_{f.__name__}": f
    for f in (mesh, field, compare, run, gshell, convexes, heart, cameras)
}  # fmt: skip


def main(out: Path, names: list[str]) -> None:
    """Makes them all, or those that are named."""
    for name in names or MODES:
        with tempfile.TemporaryDirectory() as folder:
            MODES[name](out / f"{name}.png", Path(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "assets", sys.argv[2:])
