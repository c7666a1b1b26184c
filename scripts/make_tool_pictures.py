#!/usr/bin/env python3
"""Makes the pictures of `docs/tasks.md`: `python scripts/make_tool_pictures.py [FOLDER]`.

tool_simplify.png, tool_remesh.png, tool_repair.png, tool_decompose.png, tool_bake.png, each before
and after, of the sample meshes or of what is made here. Takes about a minute.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from PIL import Image

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.reconstruct.baking import baked
from meshlearn.render import Illumination, contact_sheet, load_light

ROOT = Path(__file__).resolve().parents[1]
_VIEW = (35.0, 22.0)


def main(folder: Path) -> None:
    """Draws and writes all."""
    warnings.simplefilter("ignore")
    simplified(folder / "tool_simplify.png")
    remeshed(folder / "tool_remesh.png")
    repaired(folder / "tool_repair.png")
    decomposed(folder / "tool_decompose.png")
    baking(folder / "tool_bake.png")


def draw(path: Path, meshes: dict[str, Mesh], size: int = 300, **options: object) -> None:
    """Meshes by name in a row, each with its number of faces."""
    contact_sheet(
        list(meshes.values()),
        path,
        labels=list(meshes),
        captions=[f"{mesh.num_faces:,} faces" for mesh in meshes.values()],
        views=[_VIEW],
        size=size,
        columns=len(meshes),
        samples=2,
        **options,  # type: ignore[arg-type]
    )
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(160, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def blob() -> Mesh:
    """The smooth sample, of which more faces are made, with waves."""
    mesh = ml.load(ROOT / "assets" / "blob.ply")
    fine = ml.geometry.subdivide(Mesh(mesh.vertices, mesh.faces), 2, method="loop").mesh
    x, y, z = (22 * fine.vertices).unbind(1)
    height = 0.012 * (x.sin() * y.sin() * z.sin())
    return fine.with_vertices(fine.vertices + height[:, None] * fine.vertex_normals())


def simplified(path: Path) -> None:
    """A texture through simplification."""
    fine = blob()
    low, high = fine.bounds()
    share = (fine.vertices - low) / (high - low)
    checks = ((8 * share).floor().sum(1) % 2)[:, None]
    fine.vertex_attributes["color"] = 0.25 + 0.5 * share * (0.5 + 0.5 * checks)
    whole = baked(fine, ml.geometry.unwrap(fine, size=512), ("color",), size=512)
    draw(
        path,
        {"a texture": whole} | {f"simplify to {n:,}": ml.simplify(whole, n) for n in (5000, 1000)},
    )


def remeshed(path: Path) -> None:
    """A part with thin triangles, even ones, and such as its curvature asks for."""
    gear = ml.load(ROOT / "assets" / "gear.obj")
    draw(
        path,
        {"input": gear, "remesh": ml.remesh(gear, 0.06)},
        380,
        wireframe=True,
    )


def repaired(path: Path) -> None:
    """Two boxes that cross, some faces turned and doubled, as `check` colours them."""
    one = ml.geometry.subdivide(ml.data.shapes.box((1.0, 1.0, 1.0)), 2).mesh
    two = one.rotate((1, 1, 0), 40).translate((0.45, 0.3, 0.2))
    both = ml.mesh.cat([one, two]).mesh
    some = torch.arange(0, both.num_faces, 9)
    turned = torch.zeros(both.num_faces, dtype=torch.bool)
    turned[some] = True
    both = both.flip(turned).mesh
    doubled = Mesh(both.vertices, torch.cat((both.faces, both.faces[:40])))
    mended = ml.geometry.repair(doubled).mesh
    red, grey = torch.tensor([0.85, 0.3, 0.25]), torch.tensor([0.72, 0.75, 0.8])
    bad = torch.zeros(doubled.num_faces, dtype=torch.bool)
    bad[some] = bad[:40] = bad[-40:] = True
    doubled.face_attributes["color"] = torch.where(bad[:, None], red, grey)
    mended.face_attributes["color"] = grey.expand(mended.num_faces, 3).clone()
    draw(path, {"turned, doubled, crossing": doubled, "repair": mended}, 340, wireframe=True)


def decomposed(path: Path) -> None:
    """A ring with a handle as convex parts, taken a little apart."""
    ring = ml.data.shapes.torus(segments=48, rings=20).to(torch.float64)
    parts = ml.decompose(ring, max_parts=12)
    middle = ring.vertices.mean(0)
    colors = 0.35 + 0.6 * torch.rand(
        len(parts), 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )
    apart = []
    for part, color in zip(parts, colors, strict=True):
        away = 0.2 * (part.vertices.mean(0) - middle)
        shown = Mesh(part.vertices + away, part.faces)
        shown.face_attributes["color"] = color.expand(part.num_faces, 3).clone()
        apart.append(shown)
    draw(
        path,
        {"input": ring, f"decompose, {len(parts)} parts": ml.mesh.cat(apart).mesh},
        340,
        smooth=False,
    )


def baking(path: Path) -> None:
    """Waves as faces, lost by simplification, and in a normal map."""
    fine = blob()
    plain = ml.simplify(fine, 600)
    clay = torch.tensor([0.85, 0.62, 0.48])
    for mesh in (fine, plain):
        mesh.vertex_attributes["color"] = clay.expand(mesh.num_vertices, 3).clone()
    mapped = baked(fine, plain, ("color", "normal"), size=512)
    draw(
        path,
        {"input": fine, "simplify": plain, "bake: a normal map": mapped},
        smooth=True,
        light=Illumination(load_light(ROOT / "assets" / "lights" / "studio.hdr")),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "assets")
