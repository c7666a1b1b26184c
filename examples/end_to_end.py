"""An auto-decoder trained on by losses on its meshes, against field losses for the same time.

    python examples/end_to_end.py out                     # trains on cars first, some minutes
    python examples/end_to_end.py out --model runs/cars   # a folder of `meshlearn train deepmesh`
    python examples/end_to_end.py out --small             # a few cars, coarse

One trained network is first trained on by field losses, for some of its shapes, until these say
little new. From there it goes on in two ways, for the same time of the processor: by the clamped L1
on samples of distances, as before (also for the same number of steps); and by that beside losses on
the level sets as meshes: distances of points to the true surface and back, and the angle between
the normals where they meet. Compared are the meshes of the shapes that both trained on.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from drag import learned
from torch import Tensor

from meshlearn import Mesh, metrics
from meshlearn.geometry import knn, sample_surface
from meshlearn.isosurface import SurfaceTracker, level_set_mesh, level_set_vertices
from meshlearn.render import contact_sheet
from meshlearn.representations import DeepMesh
from meshlearn.train import PrepareOptions, ShapeSet, open_data
from meshlearn.train.deepmesh import sdf_loss

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


class Surfaces:
    """Level sets of the rows of a table. Each is extracted anew from time to time; between, its
    vertices follow the field by a Newton step, for a third of the cost."""

    def __init__(self, count: int, resolution: int, every: int = 1) -> None:
        self.trackers = [SurfaceTracker(resolution, bounds=BOX) for _ in range(count)]
        self.meshes: list[Mesh | None] = [None] * count
        self.used, self.every = [0] * count, every

    def __call__(self, model: DeepMesh, row: int) -> Mesh:
        """The mesh of a row; gradients reach network and codes."""
        code, tracker = model.codes[row], self.trackers[row]
        kept = self.meshes[row] if self.used[row] % self.every else None
        self.used[row] += 1

        def field(points: Tensor) -> Tensor:
            return model.network(points, code)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="the field's gradient vanishes")
            warnings.filterwarnings("ignore", message=".*no zero crossing.*")
            if kept is None:
                mesh = level_set_mesh(field, tracker, min_slope=0.2, project=True)
            else:
                cell = max(tracker.spacing)
                moved, _ = level_set_vertices(field, kept.vertices, min_slope=0.2, project=cell)
                mesh = Mesh(moved, kept.faces)
        self.meshes[row] = mesh.detach()
        return mesh


def mesh_loss(
    mesh: Mesh, truth: Tensor, generator: torch.Generator, count: int, angles: float = 1.0
) -> Tensor:
    """Squared distances both ways, to the planes of the true surface (in units of 0.01), and
    `angles` times 1 - cosine of the normals where both are close.

    Args:
        truth: (S, 6) points and normals of the surface.
    """
    drawn = sample_surface(mesh, count, generator=generator)
    points, normals = drawn.points, mesh.face_normals()[drawn.faces]
    there = knn(points.detach(), truth[:, :3], 1).index[:, 0]
    back = knn(truth[:, :3], points.detach(), 1).index[:, 0]
    forth = ((points - truth[there, :3]) * truth[there, 3:]).sum(1) ** 2
    missed = ((points[back] - truth[:, :3]) * truth[:, 3:]).sum(1) ** 2
    # beyond a few cells another part is meant: it pulls, but no harder
    near = [(d / (d + 0.01**2)).mean() for d in (forth, missed)]
    apart = (points.detach() - truth[there, :3]).square().sum(1)
    close = (apart < 0.03**2).float()
    angle = 1 - (normals * truth[there, 3:]).sum(1)
    return near[0] + near[1] + angles * (angle * close).sum() / close.sum().clamp(min=1)


def train_on(
    model: DeepMesh, loss: Callable[[DeepMesh, torch.Generator], Tensor], seconds: float,
    *, steps: int | None = None, rate: float = 3e-4,
) -> int:  # fmt: skip
    """Adam for so long (of the processor), or for so many steps -> steps; the rate falls to a
    tenth."""
    parameters = [*model.network.parameters(), model.codes]
    adam = torch.optim.Adam(parameters, lr=rate)
    generator = torch.Generator().manual_seed(0)
    begin, count, done = time.process_time(), 0, 0.0
    while done < 1:
        adam.param_groups[0]["lr"] = rate * (1 - 0.9 * done)
        value = loss(model, generator)
        adam.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        adam.step()
        count += 1
        done = count / steps if steps else (time.process_time() - begin) / seconds
    return count


def scores(model: DeepMesh, data: ShapeSet, resolution: int) -> tuple[dict[str, float], list[Mesh]]:
    """Medians over all shapes: chamfer (per mille of the diagonal), normals; and the meshes."""
    rows, meshes = [], []
    surfaces = Surfaces(len(data), resolution)
    for k in range(len(data)):
        with torch.no_grad():
            mesh = surfaces(model, k)
        meshes.append(mesh)
        found = metrics.compare(mesh, data.mesh(k), samples=8000, quality=False)
        rows.append([1000 * float(found["chamfer"] or 0), found["normal_consistency"],
                     found["inaccurate_normals_percent"]])  # fmt: skip
    middle = torch.tensor(rows, dtype=torch.float64).median(0).values.tolist()
    names = ("chamfer_permille", "normal_consistency", "inaccurate_normals_percent")
    return dict(zip(names, middle, strict=True)), meshes


def main(argv: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Runs the example; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for picture and table")
    parser.add_argument("--model", type=Path, help="folder of a trained DeepMesh")
    parser.add_argument("--family", default="cars", help="the family it was trained on")
    parser.add_argument("--count", type=int, default=4, help="of its shapes, from the first on")
    parser.add_argument("--first", type=float, default=60, help="seconds by field losses before")
    parser.add_argument("--seconds", type=float, default=40, help="of the processor, each way")
    parser.add_argument("--weight", type=float, default=0.005, help="of the mesh losses")
    parser.add_argument("--angles", type=float, default=20.0, help="of normals, within these")
    parser.add_argument("--small", action="store_true", help="test-sized: few shapes, coarse")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    first = learned(args, args.out)
    count = 3 if args.small else min(args.count, len(first.codes))
    seconds, resolution = (6.0, 32) if args.small else (args.seconds, 128)
    options = PrepareOptions(12_000, 6000, 6000, ())
    data = open_data(f"families:{args.family}:{count}", options=options, points=640, surface=2000)

    def draw(generator: torch.Generator, shapes: int) -> dict[str, Tensor]:
        picked = torch.randint(count, (shapes,), generator=generator).tolist()
        drawn = [data.sample(k, generator) for k in picked]
        return {key: torch.stack([d[key] for d in drawn]) for key in drawn[0]}

    def by_field(model: DeepMesh, generator: torch.Generator) -> Tensor:
        terms = sdf_loss(model, draw(generator, 4), generator)
        return terms["sdf"] + 1e-4 * terms["prior"]

    surfaces = Surfaces(count, 24 if args.small else 48, every=8)

    def by_mesh(model: DeepMesh, generator: torch.Generator) -> Tensor:
        batch = draw(generator, 3)
        terms = sdf_loss(model, batch, generator)
        loss = terms["sdf"] + 1e-4 * terms["prior"]
        mesh = surfaces(model, int(batch["index"][0]))
        if mesh.num_faces:
            truth = torch.cat((batch["surface"][0], batch["normals"][0]), 1)
            loss = loss + args.weight * mesh_loss(mesh, truth, generator, 2000, args.angles)
        return loss

    rows: dict[str, dict[str, float]] = {}
    columns = []
    first.network.requires_grad_(True)
    train_on(first, by_field, 3.0 if args.small else args.first)
    rows["before"], meshes = scores(first, data, resolution)
    columns.append(meshes)
    done: dict[str, int] = {}
    for name, loss, limit in (
        ("mesh losses", by_mesh, None),
        ("field, same time", by_field, None),
        ("field, same steps", by_field, "mesh losses"),
    ):
        model = copy.deepcopy(first)
        model.network.requires_grad_(True)
        done[name] = train_on(model, loss, seconds, steps=done[limit] if limit else None)
        rows[name], meshes = scores(model, data, resolution)
        rows[name]["steps"] = done[name]
        columns.append(meshes)
    (args.out / "end_to_end.json").write_text(json.dumps(rows, indent=1))
    shown, labels = [], []
    for k in range(min(3, count)):
        shown += [data.mesh(k), *(column[k] for column in columns)]
        labels += ["truth", *rows]
    contact_sheet(
        shown, args.out / "end_to_end.png", labels=labels, views=[(-55.0, 18.0)], columns=5,
        size=280, title="Trained on for the same time",
    )  # fmt: skip
    for name, row in rows.items():
        print(name, json.dumps({k: round(v, 4) for k, v in row.items()}))
    return rows


if __name__ == "__main__":
    main()
