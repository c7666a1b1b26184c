"""Places and sizes: the same fit and the same geometry wherever a shape lies and whatever its unit.

Sphere, spot (where it lies in MESHLEARN_SHARED_DATA/meshes) and the open shirt, from a mesh, from
points with and without normals, and from masks and depth, at the origin and 1e4, 5e5 and 4e6
away, of sizes 1e-3, 1 and 1e3: "distance" is the mean distance of what was fitted from its target,
both ways, in thousandths of its size; "relative" is that over the origin's. And operators of
geometry at 4e6 and of sizes 1e-6 and 1e9, in float64: "apart" is the largest difference from the
origin's, in its own unit. Fits are cheap ones, since only their equality is asked for.
MESHLEARN_CASES picks cases by parts of their names, separated by commas.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from _common import ROOT, Bench, main
from torch import Tensor

import meshlearn as ml
from meshlearn import geometry
from meshlearn.data import open_shapes, shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.sources import Input
from meshlearn.render import render_images

DATA = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data") / "meshes"
CASES = [part for part in os.environ.get("MESHLEARN_CASES", "").split(",") if part]
D = torch.float64
PLACES = (0.0, 1e4, 5e5, 4e6)
SIZES = (1.0, 1e-3, 1e3)
KINDS = ("mesh", "points with normals", "points", "masks and depth")
EXTREMES = ((4e6, 1.0), (0.0, 1e-6), (0.0, 1e9), (4e6, 1e-3))
TOWARD = torch.tensor([0.6, -0.8, 0.3], dtype=D)  # so that no two coordinates are alike


def goals() -> dict[str, ml.Mesh]:
    """Shapes of size about one, in float64."""
    made = {"sphere": shapes.icosphere(4, dtype=D), "shirt": open_shapes.shirt(dtype=D)}
    if (DATA / "spot.obj").is_file():
        made["spot"] = ml.load(DATA / "spot.obj", dtype=D)
    return {name: ml.Mesh(mesh.vertices, mesh.faces) for name, mesh in made.items()}


def there(points: Tensor, place: float, size: float) -> Tensor:
    """Points of float64 in that size at that place."""
    return points.to(D) * size + place * TOWARD


def back(points: Tensor, place: float, size: float) -> Tensor:
    """The same the other way."""
    return (points.to(D) - place * TOWARD) / size


def source(kind: str, goal: ml.Mesh, place: float, size: float) -> Input:
    """What is fitted to."""
    moved = goal.with_vertices(there(goal.vertices, place, size))
    if kind == "mesh":
        return moved
    if kind == "masks and depth":
        images = render_images(moved, 8, size=48, samples=1, progress=False)
        return images.only(("masks", "depth"))
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(goal, 3000, normals=True, generator=generator)
    return PointCloud(there(points, place, size), normals if "normals" in kind else None)


def distance(made: ml.Mesh, goal: ml.Mesh) -> float:
    """Mean distance of samples, both ways, in diagonals of the goal's box."""
    total = 0.0
    for one, other in ((made, goal), (goal, made)):
        points = ml.sample_points(one, 4000, generator=torch.Generator().manual_seed(1))
        total += float(geometry.point_mesh_distance(points, other).squared_distance.sqrt().mean())
    low, high = goal.bounds()
    return total / 2 / float((high - low).norm())


def fits(bench: Bench) -> None:
    """One row a shape, kind, place and size."""
    cells, steps = (12, 6) if bench.quick else (16, 15)
    for name, goal in goals().items():
        method = "gshell" if name == "shirt" else "flexicubes"
        for kind in KINDS:
            first = None
            for place in PLACES[:: 3 if bench.quick else 1]:
                for size in SIZES[: 1 if bench.quick else None]:
                    case = f"{name}, {kind}, at {place:g}, size {size:g}"
                    if CASES and not any(part in case for part in CASES):
                        continue
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of fits so cheap
                        given = source(kind, goal, place, size)
                        found = reconstruct(
                            given, method=method, resolution=cells, steps=steps, progress=False
                        ).mesh
                    made = ml.Mesh(back(found.vertices, place, size), found.faces)
                    apart = distance(made, goal)
                    first = apart if first is None else first
                    bench.value(
                        case,
                        distance=1e3 * apart,
                        relative=apart / first,
                        parts=made.topology.components().count,
                        faces=made.num_faces,
                    )


def operators() -> dict[str, Callable[[ml.Mesh, Callable, float], Tensor]]:
    """Each takes a mesh, what moves points there and the size; gives values in units of the size,
    places moved back by the caller where it says so."""
    generator = torch.Generator().manual_seed(2)
    points = torch.rand(500, 3, generator=generator, dtype=D) * 2.4 - 1.2
    other = torch.rand(400, 3, generator=generator, dtype=D) * 2 - 1
    ahead = torch.nn.functional.normalize(other, dim=1)

    def sampled(mesh, move, size):
        return ml.sample_points(mesh, 300, generator=torch.Generator().manual_seed(3))

    def extracted(extract):
        def run(mesh, move, size):
            low, high = move(torch.tensor([[-1.3] * 3, [1.3] * 3], dtype=D))
            grid = ml.VoxelGrid(24, bounds=(low.tolist(), high.tolist()), dtype=D)
            made = extract(grid, ml.signed_distance(grid.vertices, mesh))
            return (made if isinstance(made, ml.Mesh) else made.mesh).vertices

        return run

    def rendered(mesh, move, size):
        eye, middle = move(torch.tensor([[0.5, 0.4, 3.5], [0.0, 0.0, 0.0]], dtype=D))
        cam = ml.Camera.look_at(eye, middle, near=0.5 * size, far=10 * size).to(D)
        return ml.render(mesh, cam, 48, channels=("depth",))["depth"] / size

    return {
        "signed distance": lambda m, move, s: ml.signed_distance(move(points), m) / s,
        "winding number": lambda m, move, s: ml.winding_number(move(points), m, beta=math.inf),
        "closest points": lambda m, move, s: (
            geometry.point_mesh_distance(move(points), m).squared_distance.sqrt() / s
        ),
        "rays": lambda m, move, s: (
            geometry.ray_mesh_intersection(move(3 * ahead), -ahead, m).distance.nan_to_num(0, 0) / s
        ),
        "nearest neighbours": lambda m, move, s: (
            ml.knn(move(points), move(other), 3).squared_distance.sqrt() / s
        ),
        "chamfer distance": lambda m, move, s: (
            ml.chamfer_distance(move(points), move(other))[None].sqrt() / s
        ),
        "section": lambda m, move, s: torch.cat(
            [
                *geometry.plane_section(
                    m, move(torch.tensor([[0.1, 0.2, 0.3]], dtype=D))[0], ahead[0]
                )
            ]
        ),
        "samples": sampled,
        "simplification": lambda m, move, s: geometry.simplify(m, 300).vertices,
        "render": rendered,
        "marching cubes": extracted(ml.marching_cubes),
        "dual marching cubes": extracted(ml.dual_marching_cubes),
        "flexicubes": extracted(ml.flexicubes),
        "volume": lambda m, move, s: m.volume()[None] / s**3,
        "area": lambda m, move, s: m.area()[None] / s**2,
        "normals": lambda m, move, s: m.vertex_normals(),
    }


MOVED = (
    "section",
    "samples",
    "simplification",
    "marching cubes",
    "dual marching cubes",
    "flexicubes",
)


def moving(bench: Bench) -> None:
    """One row an operator, place and size."""
    ball = shapes.icosphere(3, dtype=D)
    bumps = 1 + 0.1 * torch.sin(5 * ball.vertices[:, :1]) * torch.cos(4 * ball.vertices[:, 1:2])
    goal = ball.with_vertices(ball.vertices * bumps)
    for name, work in operators().items():
        case = f"{name}, at the origin"
        if CASES and not any(part in case for part in CASES):
            continue
        right = work(goal, lambda p: p, 1.0)
        for place, size in EXTREMES:

            def move(p: Tensor, place: float = place, size: float = size) -> Tensor:
                return there(p, place, size)

            found = work(goal.with_vertices(move(goal.vertices)), move, size)
            if name in MOVED:
                found = back(found, place, size)
            same = found.shape == right.shape
            apart = float((found.double() - right.double()).abs().max()) if same else float("inf")
            bench.value(f"{name}, at {place:g}, size {size:g}", apart=apart)


def run(bench: Bench) -> None:
    """Operators, then fits."""
    moving(bench)
    fits(bench)


if __name__ == "__main__":
    main(run)
