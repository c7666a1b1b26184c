"""An auto-decoder of many shapes: shapes it has not seen, fitted from 2,000 points.

Trains on 200 shapes of the five families (25,000 steps, about 10 minutes on two cores), or takes
the ``model.safetensors`` that MESHLEARN_DEEPMESH names, which must come from the same shapes
(``meshlearn train deepmesh families:all:40 OUT --steps 25000``). The peer is the training shape
nearest to what is wanted: what retrieval would give.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from _common import Bench, main

import meshlearn as ml
from meshlearn import metrics
from meshlearn.data.families import FAMILIES, shape
from meshlearn.geometry import knn
from meshlearn.reconstruct import fit, targets
from meshlearn.render import contact_sheet
from meshlearn.representations import DeepMesh
from meshlearn.train import PrepareOptions, open_data
from meshlearn.train.deepmesh import make_network, train_deepmesh

PICTURES = os.environ.get("MESHLEARN_PICTURES")
POINTS = 2000
FIRST = 1000  # number of the first shape that was held out


def trained(quick: bool) -> DeepMesh:
    path = os.environ.get("MESHLEARN_DEEPMESH")
    if path:
        return DeepMesh.load(path)
    options = PrepareOptions(3000, 1500, 0, ()) if quick else PrepareOptions()
    count = 2 if quick else 40
    data = open_data(f"families:all:{count}", options=options, points=256, near=0.875)
    network = make_network(32, hidden=64, layers=4) if quick else make_network()
    with tempfile.TemporaryDirectory() as folder:
        done = train_deepmesh(
            data, network=network, steps=100 if quick else 25_000, folder=Path(folder) / "run"
        )
    assert isinstance(done.model, DeepMesh)
    return done.model


def chamfer(mesh: ml.Mesh, truth: ml.Mesh) -> float:
    return metrics.compare(mesh, truth, samples=20_000, quality=False)["chamfer"]


def nearest(wanted: ml.Mesh, known: list[ml.Mesh]) -> ml.Mesh:
    """The known mesh with the least chamfer distance: all by few samples, the best ten by many."""
    generator = torch.Generator().manual_seed(0)
    points = ml.sample_points(wanted, POINTS, generator=generator)
    rough = []
    for mesh in known:
        others = ml.sample_points(mesh, POINTS, generator=generator)
        there = [knn(a, b, 1)[0].sqrt().mean() for a, b in ((points, others), (others, points))]
        rough.append(float(sum(there)))
    order = sorted(range(len(known)), key=rough.__getitem__)[:10]
    return known[min(order, key=lambda k: chamfer(known[k], wanted))]


def fitted(model: DeepMesh, points: torch.Tensor, *, weights: bool, steps: int) -> ml.Mesh:
    """A code, or a code and the network too, fitted to points without normals."""
    candidate = model.fitting(weights=weights)
    target = targets.FromPoints(points, samples=2 * POINTS, noise=0.0)
    return fit(candidate, target, steps=steps, progress=False).mesh


def run(bench: Bench) -> None:
    model = trained(bench.quick)
    known = [shape(f, k).mesh for f in FAMILIES for k in range(2 if bench.quick else 40)]
    each = 1 if bench.quick else int(os.environ.get("MESHLEARN_HELD_OUT", "8"))
    steps = 5 if bench.quick else 150
    ways: dict[str, Callable[[ml.Mesh, torch.Tensor], ml.Mesh]] = {
        "nearest": lambda truth, points: nearest(truth, known),
        "code": lambda truth, points: fitted(model, points, weights=False, steps=steps),
        "code and weights": lambda truth, points: fitted(model, points, weights=True, steps=steps),
    }
    found: dict[str, list[float]] = {way: [] for way in ways}
    families: list[str] = []
    pictures: list[ml.Mesh] = []
    for family in FAMILIES:
        for k in range(each):
            truth = shape(family, FIRST + k).mesh
            generator = torch.Generator().manual_seed(k)
            points = ml.sample_points(truth, POINTS, generator=generator)
            families.append(family)
            meshes = [make(truth, points) for make in ways.values()]
            for way, mesh in zip(ways, meshes, strict=True):
                found[way].append(chamfer(mesh, truth) if mesh.num_faces else 1.0)
            if k == 0:
                pictures += [truth, *meshes]
    report(bench, found, families)
    if PICTURES:
        picture = Path(PICTURES) / "auto_decoder.png"
        contact_sheet(
            pictures, picture, labels=["truth", *ways] * len(FAMILIES), columns=4, views=1
        )


def report(bench: Bench, found: dict[str, list[float]], families: list[str]) -> None:
    """Medians of all and by family, and how many times below that of the nearest they are."""
    for only in (None, *FAMILIES):
        rows = [k for k, f in enumerate(families) if only in (None, f)]
        table = torch.tensor([[values[k] for k in rows] for values in found.values()])
        middle = table.median(1).values
        values: dict[str, float | str] = {}
        for n, way in enumerate(found):
            values[way] = float(1e3 * middle[n])
            if n:
                values[f"{way}, nearest over it"] = float(middle[0] / middle[n])
                values[f"{way}, median ratio"] = float((table[0] / table[n]).median())
        bench.value(f"chamfer of {only or 'all'} (1e-3), {len(rows)} held out", **values)


if __name__ == "__main__":
    main(run)
