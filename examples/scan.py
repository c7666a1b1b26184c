"""A surface from a bad scan: noise, 10 % outliers, a third of the object never seen.

    python examples/scan.py mesh.obj out
    python examples/scan.py mesh.obj out --small     # coarse: seconds

The scan is simulated from a mesh, which is then only used to measure: points on two thirds of its
surface with noise, each with the direction that it was seen from, and outliers anywhere.

A network (`SIREN`) starts as the winding number of the points that have close neighbours. It is
fitted by field losses: values 0 at the points, positive along the rays they were seen by, slope 1
everywhere, gradients along normals estimated from neighbours, and far from the points the values of
the start. From its half-way it goes on in two ways, for the same time of the processor:

- by the same losses;
- end to end, by losses on its level set as a mesh, whose gradients `level_set_mesh` carries to the
  weights, beside them. Distances of the points to the mesh and of the mesh to the points go through
  a kernel that is flat beyond some noise: outliers, and surface that nobody saw, pull at nothing;
  there the smoothness of the mesh decides.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import meshlearn as ml
from meshlearn import Mesh, metrics
from meshlearn.fields import SIREN
from meshlearn.geometry import knn, sample_surface
from meshlearn.isosurface import SurfaceTracker, level_set_mesh
from meshlearn.losses import normal_consistency_loss
from meshlearn.reconstruct.targets import FromPoints
from meshlearn.render import contact_sheet

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


@dataclass
class Scan:
    """What the scanner gave, in the unit box.

    Attributes:
        points: (P, 3), outliers among them.
        seen_from: (P, 3) unit directions from each point to the scanner.
        noise: standard deviation of the points that are none, as known of the scanner.
    """

    points: Tensor
    seen_from: Tensor
    noise: float


def normalised(mesh: Mesh) -> Mesh:
    """Centred, its longest side 0.9."""
    used = mesh.vertices[torch.unique(mesh.faces)]
    low, high = used.amin(0), used.amax(0)
    return Mesh((mesh.vertices - (low + high) / 2) * (0.9 / (high - low).max()), mesh.faces)


def simulate(
    mesh: Mesh, *, count: int = 12_000, noise: float = 0.004, outliers: float = 0.1,
    missing: float = 1 / 3, patches: int = 1, seed: int = 0,
) -> Scan:  # fmt: skip
    """Scans a mesh in the unit box.

    Args:
        count: points in all.
        outliers: share of them that lies anywhere in the box.
        missing: share of the surface that is not seen.
        patches: how many holes it makes: 1 is all that is furthest towards (1, 1, 0.5), more are
            round about random points.
    """
    generator = torch.Generator().manual_seed(seed)
    found = sample_surface(mesh, round(1.6 * count), generator=generator)
    toward = found.points @ torch.tensor([1.0, 1.0, 0.5])
    if patches > 1:
        middles = sample_surface(mesh, patches, generator=generator).points
        toward = -torch.cdist(found.points, middles).amin(1)
    kept = torch.nonzero(toward <= toward.quantile(1 - missing))[:, 0]
    kept = kept[torch.randperm(len(kept), generator=generator)][: round(count * (1 - outliers))]
    points, normal = found.points[kept], mesh.face_normals()[found.faces[kept]]
    view = torch.nn.functional.normalize(
        normal + 0.6 * torch.randn(normal.shape, generator=generator), dim=1
    )
    view = torch.where((view * normal).sum(1, keepdim=True) > 0, view, -view)
    points = points + noise * torch.randn(points.shape, generator=generator)
    extra = count - len(points)
    wrong = torch.rand(extra, 3, generator=generator) - 0.5
    away = torch.nn.functional.normalize(torch.randn(extra, 3, generator=generator), dim=1)
    return Scan(torch.cat((points, wrong)), torch.cat((view, away)), noise)


def estimated_normals(scan: Scan, neighbours: int = 24) -> Tensor:
    """(P, 3): the direction of least variance of the neighbours, turned to the scanner."""
    near = scan.points[knn(scan.points, scan.points, neighbours).index]
    offset = near - near.mean(1, keepdim=True)
    normal = torch.linalg.eigh(offset.mT @ offset)[1][..., 0]
    sign = (normal * scan.seen_from).sum(1, keepdim=True).sign()
    return normal * torch.where(sign == 0, 1, sign)


def robust(squared: Tensor, width: float) -> Tensor:
    """Geman-McClure: the squared distance over width² where small, towards 1 where large."""
    return squared / (squared + width * width)


def surface(network: SIREN, tracker: SurfaceTracker) -> Mesh:
    """The level set; where its gradient vanishes vertices hold still."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the field's gradient vanishes")
        return level_set_mesh(network, tracker, min_slope=0.2)


class Fit:
    """One network and its two kinds of losses."""

    def __init__(self, scan: Scan, resolution: int, *, seed: int = 0, batch: int = 3000) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = SIREN(hidden=96, layers=3, omega=12.0)
        self.scan, self.batch = scan, batch
        self.normals = estimated_normals(scan)
        self.generator = torch.Generator().manual_seed(seed)
        self.tracker = SurfaceTracker(resolution, bounds=BOX)
        self.cell = 1 / resolution
        self.width = 3 * scan.noise

    def start(self, steps: int = 400) -> None:
        """The field of the oriented points, outliers left out, by regression."""
        close = knn(self.scan.points, self.scan.points, 9).squared_distance[:, 1:].mean(1).sqrt()
        kept = close < 2.5 * close.median()
        given = FromPoints(self.scan.points[kept], self.normals[kept])
        near = self.scan.points[kept].repeat(2, 1)
        near = near + 0.03 * torch.randn(near.shape, generator=self.generator)
        space = 1.04 * (torch.rand(12_000, 3, generator=self.generator) - 0.5)
        points = torch.cat((near, space))
        values = given.field(points).clamp(-0.15, 0.15)
        far = values.abs() > 0.04
        self.far, self.far_values = points[far], values[far]
        adam = torch.optim.Adam(self.network.parameters(), lr=2e-3)
        for step in range(steps):
            adam.param_groups[0]["lr"] = 2e-3 * (1 - 0.9 * step / steps)
            pick = torch.randint(len(points), (2000,), generator=self.generator)
            loss = (self.network(points[pick]).clamp(-0.2, 0.2) - values[pick]).abs().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()

    def field_loss(self) -> Tensor:
        """At a random part of the points, along their rays, and anywhere in the box."""
        half = self.batch // 2
        pick = torch.randint(len(self.scan.points), (self.batch,), generator=self.generator)
        on = self.scan.points[pick]
        reach = 0.01 + 0.03 * torch.rand(half, 1, generator=self.generator)
        free = on[:half] + reach * self.scan.seen_from[pick[:half]]
        there = torch.randint(len(self.far), (half,), generator=self.generator)
        points = torch.cat((on, free, self.far[there])).requires_grad_()
        value = self.network(points)
        (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
        at, outside, other = value.split((self.batch, half, half))
        aligned = torch.cosine_similarity(slope[: self.batch], self.normals[pick], dim=1)
        return (
            3 * robust(at**2, self.width).mean()
            + (0.5 * reach[:, 0] - outside).clamp(min=0, max=0.02).mean()
            + 5 * (other.clamp(-0.15, 0.15) - self.far_values[there]).abs().mean()
            + 0.3 * (slope.norm(dim=1) - 1).abs().mean()
            + 0.2 * (1 - aligned).mean()
        )

    def surface_loss(self) -> Tensor | None:
        """On the level set as a mesh; None where there is none."""
        mesh = surface(self.network, self.tracker)
        if mesh.num_faces == 0:
            return None
        pick = torch.randint(len(self.scan.points), (self.batch,), generator=self.generator)
        squared = ml.point_mesh_distance(self.scan.points[pick], mesh).squared_distance
        on = sample_surface(mesh, self.batch, generator=self.generator).points
        nearest = knn(on.detach(), self.scan.points, 1).index[:, 0]
        back = ((on - self.scan.points[nearest]) ** 2).sum(1)
        return (
            3 * robust(squared, self.width).mean()
            + robust(back, 2 * self.width).mean()
            + 0.5 * normal_consistency_loss(mesh)
        )

    def mesh(self, resolution: int) -> Mesh:
        """The surface, with all its pieces, smaller ones than 2 % of the faces left out."""
        with torch.no_grad():
            mesh = surface(self.network, SurfaceTracker(resolution, bounds=BOX))
        if mesh.num_faces == 0:
            return mesh
        label, count = mesh.topology.components()
        size = torch.bincount(label, minlength=count)
        keep = (size > 0.02 * mesh.num_faces)[label]
        used, faces = torch.unique(mesh.faces[keep], return_inverse=True)
        return Mesh(mesh.vertices[used], faces)


def descend(
    fit: Fit, loss: Callable[[], Tensor], rate: float, *, seconds: float = 0, steps: int = 0
) -> int:
    """Adam for so long (of the processor), or for `steps` where given -> steps; the rate falls to
    a twentieth."""
    adam = torch.optim.Adam(fit.network.parameters(), lr=rate)
    begin, count, done = time.process_time(), 0, 0.0
    while done < 1:
        adam.param_groups[0]["lr"] = rate * (1 - 0.95 * done)
        value = loss()
        adam.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(fit.network.parameters(), 1.0)
        adam.step()
        count += 1
        done = count / steps if steps else (time.process_time() - begin) / seconds
    return count


def both(fit: Fit) -> Tensor:
    """Surface losses beside field losses, which hold what the surface losses alone let tear: a
    wall that opens loses its points to their kernel."""
    found = fit.surface_loss()
    if found is None:
        raise RuntimeError("the field has no surface any more")
    return found + 2 * fit.field_loss()


def compare(mesh: Mesh, target: Mesh, scan: Scan) -> dict[str, float]:
    """Chamfer (mean distance both ways, per mille of the box) and normals, all over, and where it
    was seen."""
    whole = metrics.compare(mesh, target, samples=20_000)
    generator = torch.Generator().manual_seed(1)
    truth = sample_surface(target, 20_000, generator=generator).points
    seen = knn(truth, scan.points[: round(0.9 * len(scan.points))], 1).squared_distance[:, 0]
    seen = seen < (0.015 + 3 * scan.noise) ** 2
    there = ml.point_mesh_distance(truth, mesh).squared_distance.sqrt()
    made = sample_surface(mesh, 20_000, generator=generator).points
    back = ml.point_mesh_distance(made, target).squared_distance.sqrt()
    return {
        "chamfer_permille": 500 * float(there.mean() + back.mean()),
        "seen_permille": 1000 * float(there[seen].mean()),
        "unseen_permille": 1000 * float(there[~seen].mean()),
        "normal_consistency": float(whole["normal_consistency"] or 0),
        "pieces": int(mesh.topology.components()[1]),
    }


def main(argv: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Runs the example; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mesh", type=Path, help="what is scanned")
    parser.add_argument("out", type=Path, help="folder for picture and table")
    parser.add_argument("--seconds", type=float, default=120, help="of the processor, for each fit")
    parser.add_argument("--patches", type=int, default=1, help="holes that the missing third makes")
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--small", action="store_true", help="test-sized: coarse, seconds")
    args = parser.parse_args(argv)
    resolution = 32 if args.small else args.resolution
    # test-sized runs count steps, so that what they give does not hang on the machine's load
    budget = {"steps": 300} if args.small else {"seconds": args.seconds / 2}
    surface_budget = {"steps": 120} if args.small else budget
    target = normalised(ml.load(args.mesh))
    scan = simulate(target, count=4000 if args.small else 12_000, patches=args.patches)
    args.out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, float]] = {}
    meshes = []
    fit = Fit(scan, resolution, batch=1000 if args.small else 3000)
    fit.start()
    first = descend(fit, fit.field_loss, 1e-3, **budget)
    middle = {k: v.clone() for k, v in fit.network.state_dict().items()}
    for name, loss, given in (
        ("field losses", fit.field_loss, budget),
        ("with surface losses", lambda: both(fit), surface_budget),
    ):
        fit.network.load_state_dict(middle)
        steps = descend(fit, loss, 5e-4, **given)
        mesh = fit.mesh(resolution)
        rows[name] = {**compare(mesh, target, scan), "first_steps": first, "steps": steps}
        meshes.append(mesh)
    (args.out / "scan.json").write_text(json.dumps(rows, indent=1))
    marks = Mesh(*_dots(scan.points, 0.004))
    contact_sheet(
        [marks, *meshes, target],
        args.out / "scan.png",
        labels=["scan", *rows, "truth"],
        captions=[
            f"{len(scan.points):,} points, 10 % outliers, {args.patches} hole(s) of a third",
            *(
                f"chamfer {r['chamfer_permille']:.2f} of 1000, seen {r['seen_permille']:.2f}, "
                f"unseen {r['unseen_permille']:.1f}"
                for r in rows.values()
            ),
            args.mesh.name,
        ],
        views=[(35.0, 22.0), (215.0, 22.0)],
        columns=2,
        size=300,
        smooth=False,
    )
    for name, row in rows.items():
        print(name, json.dumps({k: round(v, 4) for k, v in row.items()}))
    return rows


def _dots(points: Tensor, size: float) -> tuple[Tensor, Tensor]:
    """A small tetrahedron at each point."""
    corner = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * size / 2
    face = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
    vertices = (points[:, None] + corner).reshape(-1, 3)
    return vertices, (face + 4 * torch.arange(len(points))[:, None, None]).reshape(-1, 3)


if __name__ == "__main__":
    main()
