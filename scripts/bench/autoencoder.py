"""BSP-Net against an implicit decoder: same encoder, data, samples and steps; two families.

A fifth of each family is held out, encoded and decoded: IoU at voxels, chamfer and edge chamfer to
it, counts of vertices and faces; labels carried from four shapes by shared convexes; shapes drawn
by a VAE.

Environment: AUTOENCODER_DATA, a folder that `meshlearn prepare` made; AUTOENCODER_OUT, where models
and pictures stay and a run that was stopped goes on; AUTOENCODER_SHARE, of the steps (0.25 is a
quarter).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import torch
from _common import Bench, main

from meshlearn import convex, metrics
from meshlearn.render.picture import contact_sheet
from meshlearn.representations.bspnet import (
    BSPNet,
    CodeVAE,
    ImplicitAutoencoder,
    interpolate_codes,
    part_iou,
    transfer_labels,
    vote_labels,
)
from meshlearn.train import PrepareOptions, ShapeSet, open_data, train
from meshlearn.train.bspnet import bspnet_stages, colored, train_bspnet

FAMILIES = "families:chairs+cars:100"
FIFTH = 5  # of the shapes of each family, in turn, one is held out


def family_of(name: str) -> str:
    return name.split("-")[0].split("/")[0]


def held_out(data: ShapeSet) -> tuple[ShapeSet, ShapeSet]:
    """To learn from and to test on: the same share of each family."""
    learn: list[int] = []
    test: list[int] = []
    seen: dict[str, int] = {}
    for k, name in enumerate(data.names):
        seen[family_of(name)] = turn = seen.get(family_of(name), 0) + 1
        (learn if turn % FIFTH else test).append(k)
    return data.subset(learn), data.subset(test)


def voxels_of(data: ShapeSet, resolution: int) -> torch.Tensor:
    return torch.stack([data[i].voxels(resolution)[None].float() for i in range(len(data))])


def compare_with(
    bench: Bench, title: str, model, code: torch.Tensor, test: ShapeSet, meshes: list, **more
) -> None:
    """Rows of all shapes that were held out, and of each family."""
    rows = []
    r = 32
    line = (torch.arange(r) + 0.5) / r - 0.5
    points = torch.cartesian_prod(line, line, line)[None]
    for i, mesh in enumerate(meshes):
        inside = test[i].voxels(r).reshape(1, -1)
        found = model.occupancy(points, code[i : i + 1])
        iou = float((inside & found).sum() / (inside | found).sum())
        near = metrics.compare(mesh, test.mesh(i), samples=20_000, quality=False)
        rows.append([iou, near["chamfer"], near["edge_chamfer"], mesh.num_vertices, mesh.num_faces])
    table = torch.tensor(rows, dtype=torch.float64)
    of = [family_of(name) for name in test.names]
    for family in (None, *sorted(set(of))):
        some = table[[family in (None, f) for f in of]]
        told = "" if family is None else f", {family}"
        bench.value(f"{title}{told}, {len(some)} held out", **more, **medians(some))


def medians(table: torch.Tensor) -> dict[str, float]:
    """Of rows of IoU, chamfer, edge chamfer and counts."""
    names = ["iou", "chamfer", "edge_chamfer", "vertices", "faces"]
    # an empty mesh, and for edges one without any, is infinitely far: the median says what most
    # are like, and of edges those that have some
    found = dict(zip(names, table.median(0).values.tolist(), strict=True))
    sharp = table[:, 2].isfinite()
    if bool(sharp.any()):
        found["edge_chamfer"] = float(table[sharp, 2].median())
    return {**found, "share_with_edges": float(sharp.double().mean())}


def run(bench: Bench) -> None:
    quick = bench.quick
    source = os.environ.get("AUTOENCODER_DATA") or ("families:chairs+cars:5" if quick else FAMILIES)
    given = 16 if quick else 32
    levels = (16,) if quick else (16, 32, 64)
    options = PrepareOptions(voxels=tuple(sorted({16, 32, *levels})))
    data = open_data(source, options=options, voxels=given)
    learn, test = held_out(data)
    out = Path(os.environ.get("AUTOENCODER_OUT") or tempfile.mkdtemp())
    share = float(os.environ.get("AUTOENCODER_SHARE") or 1)
    schedule = {
        "steps": [round(share * n) for n in ((20, 20) if quick else (800, 2000, 2400, 4000))],
        "resolutions": levels,
        "batch": 4 if quick else 8,
        "points": 128 if quick else 768,
        "lr": 1e-3,
    }
    code = 16 if quick else 128
    model = BSPNet(
        64 if quick else 384, 8 if quick else 48, encoder="voxels", resolution=given, code=code,
        hidden=(32, 32) if quick else (256, 512), width=4 if quick else 16,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    first = train_bspnet(
        learn, model, folder=out / "bspnet", resume=(out / "bspnet").is_dir(), progress=False,
        **schedule,
    )  # fmt: skip
    other = ImplicitAutoencoder(
        resolution=given, code=code, width=4 if quick else 16,
        hidden=(32, 32) if quick else (256, 256, 128), generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    stages = bspnet_stages(learn, given=given, **schedule)
    second = train(
        other, stages, folder=out / "implicit", resume=(out / "implicit").is_dir(), progress=False
    )

    voxels = voxels_of(test, given)
    with torch.no_grad():
        codes = model.encode(voxels)
        unions = [convex.union_convexes(found) for found in model.convexes(codes)]
        implicit = other.encode(voxels)
    title = f"auto-encoder of {source}, {len(learn)} shapes (medians)"
    compare_with(bench, f"{title}: BSP-Net", model, codes, test, unions, seconds=first.seconds)
    for cells in (20, 64):  # 20: as far from the shapes as BSP-Net comes
        compare_with(
            bench, f"{title}: implicit decoder, marching cubes {cells}", other, implicit, test,
            other.meshes(implicit, resolution=cells), seconds=second.seconds,
            peer="same encoder, steps and samples",
        )  # fmt: skip
    parts_and_samples(bench, model, learn, test, out, given)


def parts_and_samples(
    bench: Bench, model: BSPNet, learn: ShapeSet, test: ShapeSet, out: Path, given: int
) -> None:
    """Label transfer from four shapes a family, and what a VAE of codes draws."""
    families = sorted({family_of(name) for name in learn.names})
    for family in families:
        few = learn.subset([k for k, n in enumerate(learn.names) if n.startswith(family)][:4])
        rest = test.subset([k for k, n in enumerate(test.names) if n.startswith(family)])
        if not len(rest) or few[0].label is None:
            continue
        parts = few[0].parts

        def surface(some: ShapeSet) -> tuple[torch.Tensor, torch.Tensor]:
            count = min(2000, *(len(some[i].surface) for i in range(len(some))))
            order = torch.randperm(len(some[0].surface), generator=torch.Generator())[:count]
            points = torch.stack([some[i].surface[order, :3] for i in range(len(some))])
            return points, torch.stack([some[i].label[order] for i in range(len(some))])

        with torch.no_grad():
            points, labels = surface(few)
            code = model.encode(voxels_of(few, given))
            of_convex = vote_labels(model, code, points, labels, len(parts))
            points, labels = surface(rest)
            found = transfer_labels(model, model.encode(voxels_of(rest, given)), points, of_convex)
        share = part_iou(found, labels, len(parts))
        named = {n: v for n, v in zip(parts, share, strict=True) if v is not None}
        most = torch.bincount(labels.reshape(-1)).max() / labels.numel()
        bench.value(
            f"labels of {family} from 4 shapes: IoU of each part",
            mean=sum(named.values()) / max(1, len(named)),
            accuracy=float((found == labels).float().mean()),
            share_of_the_commonest=float(most),
            **named,
        )
    with torch.no_grad():
        codes = model.encode(voxels_of(learn, given))
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    vae = CodeVAE(codes.shape[1], 16)
    vae.fit(codes, steps=200 if bench.quick else 2000, generator=generator)
    drawn = [convex.union_convexes(f) for f in model.convexes(vae.sample(8, generator=generator))]
    path = interpolate_codes(codes[0], codes[-1], 8)
    between = [convex.union_convexes(found) for found in model.convexes(path)]
    some = [m for m in [*drawn, *between] if m.num_faces]
    bench.value(
        "8 shapes drawn by a VAE of the codes",
        not_empty=sum(m.num_faces > 0 for m in drawn),
        watertight=sum(m.is_watertight for m in drawn if m.num_faces),
    )
    if some:
        count = model.options["convexes"]
        contact_sheet(
            [colored(m, count) for m in some], out / "drawn_and_between.png", views=1, size=220,
            columns=8, frame="each",
        )  # fmt: skip


if __name__ == "__main__":
    main(run)
