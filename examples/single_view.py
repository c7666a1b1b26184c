"""A shape from one view: a network's first guess of the code, then refined by rendering the mesh.

    python examples/single_view.py out                     # trains on cars first, some minutes
    python examples/single_view.py out --model runs/cars   # a folder of `meshlearn train deepmesh`
    python examples/single_view.py out --small             # a few cars, coarse

An encoder learns from pictures (mask and normals, 64 × 64, seen from anywhere around) of the shapes
that the auto-decoder was trained on to give their codes. For a shape that neither has seen, its
guess is refined on that one picture: the level set is rendered from the known camera, and the
differences of silhouette and normals reach the code through renderer, vertices and network.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from drag import Family, learned
from torch import Tensor, nn

from meshlearn import Mesh, metrics
from meshlearn.data.families import shape
from meshlearn.render import Camera, contact_sheet, render
from meshlearn.train import Stage, train

SIZE = 64


def camera(azimuth: float, elevation: float) -> Camera:
    """Around the unit box, in degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    eye = (1.9 * math.cos(e) * math.sin(a), 1.9 * math.sin(e), 1.9 * math.cos(e) * math.cos(a))
    return Camera.look_at(eye, fov=36.0)


def picture(mesh: Mesh, cam: Camera) -> Tensor:
    """(4, SIZE, SIZE): coverage, and normals in the world; differentiable."""
    seen = render(mesh, cam, SIZE, channels=("mask", "normal"), antialias=True)
    return torch.cat((seen["mask"][None], seen["normal"].permute(2, 0, 1)))


class Pictures:
    """Pictures of shapes from random views and the places of their codes, drawn ready-made."""

    def __init__(self, meshes: list[Mesh], places: Tensor, views: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.items = []
        for mesh, place in zip(meshes, places, strict=True):
            turns = torch.rand(views, 2, generator=generator)
            for a, e in turns.tolist():
                self.items.append((picture(mesh, camera(360 * a, 10 + 25 * e)), place))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.items[index]


class Encoder(nn.Module):
    """A picture (B, 4, 64, 64) -> the place of its code (B, K)."""

    def __init__(self, outputs: int, width: int = 24, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = (4, width, 2 * width, 3 * width, 4 * width)
            layers: list[nn.Module] = []
            for a, b in pairwise(sizes):
                layers += [nn.Conv2d(a, b, 3, 2, 1), nn.GroupNorm(4, b), nn.SiLU()]
            self.layers = nn.Sequential(
                *layers, nn.Flatten(), nn.Linear(16 * sizes[-1], 128), nn.SiLU(), nn.Dropout(0.2),
                nn.Linear(128, outputs),
            )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures)


def encoder_loss(model: nn.Module, batch: tuple[Tensor, Tensor], _: torch.Generator) -> dict:
    pictures, places = batch
    return {"code": (model(pictures) - places).square().mean()}


def refine(
    family: Family, start: Tensor, wanted: Tensor, cam: Camera, *, steps: int = 60, lr: float = 0.05
) -> tuple[Tensor, list[float]]:
    """Moves a place towards one picture (4, SIZE, SIZE) -> the best place, losses.

    Minimises 3 |mask difference| + |normal difference| where both are seen, means over the pixels
    of the silhouette, + 0.02 |place - start|² / K.
    """
    place = start.clone().requires_grad_()
    adam = torch.optim.Adam([place], lr=lr)
    covered = wanted[0].sum().clamp(min=1)
    best, lowest, losses = start.clone(), math.inf, []
    for step in range(steps):
        adam.param_groups[0]["lr"] = lr * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps)))
        mesh = family.mesh(place)
        if mesh.num_faces == 0:
            break
        seen = picture(mesh, cam)
        common = (seen[0].detach() > 0.5) & (wanted[0] > 0.5)
        off = (seen[1:] - wanted[1:]).abs().sum(0)
        loss = (
            3 * (seen[0] - wanted[0]).abs().sum() / covered
            + (off * common).sum() / covered
            + 0.02 * (place - start).square().mean()
        )
        losses.append(float(loss.detach()))
        if losses[-1] < lowest:
            best, lowest = place.detach().clone(), losses[-1]
        adam.zero_grad()
        loss.backward()
        if place.grad is None or not bool(torch.isfinite(place.grad).all()):
            raise RuntimeError(f"step {step}: the gradient of the code is not finite")
        adam.step()
    return best, losses


def scores(mesh: Mesh, truth: Mesh) -> dict[str, float]:
    """Mean distance both ways (per mille of the truth's diagonal) and normal consistency."""
    found = metrics.compare(mesh, truth, samples=10_000, quality=False)
    return {
        "chamfer_permille": 1000 * float(found["chamfer"] or 0),
        "normal_consistency": float(found["normal_consistency"] or 0),
    }


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Runs the example; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for pictures and figures")
    parser.add_argument("--model", type=Path, help="folder of a trained DeepMesh")
    parser.add_argument("--family", default="cars", help="the family it was trained on")
    parser.add_argument("--count", type=int, default=12, help="held-out shapes")
    parser.add_argument("--small", action="store_true", help="test-sized: few shapes, coarse")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    model = learned(args, args.out)
    network = model.network.eval().requires_grad_(False)
    family = Family(network, model.codes, 32 if args.small else 64)
    known = [shape(args.family, k).mesh for k in range(len(family.known))]
    data = Pictures(known, family.known, 4 if args.small else 12)
    stage = Stage(encoder_loss, data, steps=60 if args.small else 1200, batch=32, lr=2e-3)
    encoder = train(Encoder(family.known.shape[1]), stage).model
    rows, shown = [], []
    for k in range(2 if args.small else args.count):
        truth = shape(args.family, len(known) + k).mesh  # the auto-decoder stopped before it
        cam = camera(30.0 + 137.5 * k, 22.0)
        wanted = picture(truth, cam)
        with torch.no_grad():
            guess = encoder(wanted[None])[0]
            first = family.mesh(guess)
        place, losses = refine(family, guess, wanted, cam, steps=6 if args.small else 60)
        with torch.no_grad():
            last = family.mesh(place)
        row: dict[str, Any] = {"first": scores(first, truth), "refined": scores(last, truth)}
        row["losses"] = [losses[0], min(losses)]
        rows.append(row)
        if k < 3:
            shown += [truth, first, last]
    figures: dict[str, float] = {"shapes": len(rows)}
    for name in ("chamfer_permille", "normal_consistency"):
        for key in ("first", "refined"):
            values = torch.tensor([row[key][name] for row in rows])
            figures[f"{key}_{name}_median"] = float(values.quantile(0.5))
    ratio = [r["refined"]["chamfer_permille"] / r["first"]["chamfer_permille"] for r in rows]
    figures["chamfer_lower_percent_median"] = 100 * (1 - float(torch.tensor(ratio).quantile(0.5)))
    (args.out / "single_view.json").write_text(json.dumps({**figures, "rows": rows}, indent=1))
    contact_sheet(
        shown,
        args.out / "single_view.png",
        labels=["held out", "first guess", "refined"] * (len(shown) // 3),
        views=[(-55.0, 18.0), (130.0, 18.0)],
        columns=3,
        size=240,
        title="From one view",
    )
    print(json.dumps(figures, indent=1))
    return figures


if __name__ == "__main__":
    main()
