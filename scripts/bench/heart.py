"""Hearts: the real patient's 25 frames, the average heart on them, robustness, speed.

Contours and the surfaces that another program fitted to them lie in the shared data
(MESHLEARN_SHARED_DATA, default ../shared/data). Distances are mm, volumes mL. Symmetric distances
run from our surface, open at the valves, to theirs, and from theirs to ours with its lids, which
stand for the wall between their valves.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch
from _common import ROOT, Bench, main
from heart_baselines import TESSELLATION, fit_mean_shape

import meshlearn as ml
from meshlearn.heart import HeartFit, dense, fit_heart, fit_series
from meshlearn.heart.data import Contours, load_contour_series
from meshlearn.heart.model import part_of, tessellation
from meshlearn.heart.model.tessellator import Tessellator

DATA = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data") / "heart"
NAMES = {"lv": "LV_ENDOCARDIAL", "rv": "RV_ENDOCARDIAL", "epi": "EPICARDIAL"}
LABELS = {
    "lv": ("lv_endo",),
    "rv": ("rv_free", "rv_septum"),
    "epi": ("lv_epi", "rv_epi"),
}
REFERENCE = {"lv": {0: 174.5, 9: 72.0, 24: 179.0}, "rv": {0: 170.1, 9: 76.7}}


def reference(frame: int) -> dict[str, ml.Mesh]:
    folder = DATA / "patient1" / "fitted"
    return {
        key: ml.load(folder / f"patient1_{name}_{frame:03d}.obj").to(torch.float64)
        for key, name in NAMES.items()
    }


def surfaces(fit: HeartFit, closed: bool) -> dict[str, ml.Mesh]:
    made = dense(fit.model, rows=24, columns=60)
    return {n: part_of(made.vertices, made.tessellation, n, closed=closed) for n in NAMES}


def distances(points: torch.Tensor, mesh: ml.Mesh) -> torch.Tensor:
    return ml.point_mesh_distance(points, mesh).squared_distance.sqrt()


def to_surface(contours: Contours, meshes: dict[str, ml.Mesh]) -> dict[str, float]:
    found = {}
    for name, labels in LABELS.items():
        points = contours.of(*labels).points
        found[name] = float(distances(points, meshes[name]).mean()) if len(points) else math.nan
    return found


def symmetric(ours: ml.Mesh, lidded: ml.Mesh, theirs: ml.Mesh) -> tuple[float, float]:
    """Mean symmetric distance, and the larger of both 95th percentiles."""

    def sampled(mesh: ml.Mesh) -> torch.Tensor:
        return ml.sample_points(mesh, 6000, generator=torch.Generator().manual_seed(0))

    a = distances(sampled(ours), theirs)
    b = distances(sampled(theirs), lidded)
    return float(a.mean() + b.mean()) / 2, max(float(a.quantile(0.95)), float(b.quantile(0.95)))


def volume(fit: HeartFit, name: str) -> float:
    made = dense(fit.model)
    return float(part_of(made.vertices, made.tessellation, name).volume()) / 1000


Surfaces = dict[str, ml.Mesh]


def tell(
    bench: Bench, name: str, frames: list[Contours], opened: list[Surfaces], lidded: list[Surfaces]
) -> None:
    """A row a surface: distances of contours and of the other program's surfaces; the volumes."""
    rows: dict[str, dict[str, list[float]]] = {n: {} for n in NAMES}
    for contours, bare, lids in zip(frames, opened, lidded, strict=True):
        theirs = reference(contours.frame)
        ours, biv = to_surface(contours, bare), to_surface(contours, theirs)
        for n in NAMES:
            assd, hd95 = symmetric(bare[n], lids[n], theirs[n])
            for key, value in (("ours", ours[n]), ("biv", biv[n]), ("assd", assd), ("hd95", hd95)):
                rows[n].setdefault(key, []).append(value)
    for n, row in rows.items():
        bench.value(
            f"{name}, {len(frames)} frames, {n}",
            contour_to_surface=statistics.fmean(row["ours"]),
            worst_frame=max(row["ours"]),
            biv_me_contour_to_surface=statistics.fmean(row["biv"]),
            assd=statistics.fmean(row["assd"]),
            assd_worst=max(row["assd"]),
            hd95=statistics.fmean(row["hd95"]),
        )
    for n, known in REFERENCE.items():
        made = zip(frames, lidded, strict=True)
        volumes = {c.frame: float(lids[n].volume()) / 1000 for c, lids in made}
        values = {f"frame_{k}": volumes[k] for k in known if k in volumes}
        values |= {f"reference_{k}": v for k, v in known.items()}
        big, small = max(volumes.values()), min(volumes.values())
        first = next(iter(volumes.values()))
        bench.value(
            f"{name}, volumes, {n}",
            **values,
            ef_from_largest=100 * (1 - small / big),
            ef_from_first=100 * (1 - small / first),
        )


def series(bench: Bench, frames: list[Contours]) -> list[HeartFit]:
    begin = time.perf_counter()
    fits = fit_series(frames, progress=False)
    seconds = time.perf_counter() - begin
    made = ([surfaces(fit, closed) for fit in fits] for closed in (False, True))
    tell(bench, "fit", frames, *made)
    bench.value("time of the series", seconds=seconds, a_frame=seconds / len(fits))
    return fits


def mean_shape(bench: Bench, frames: list[Contours]) -> None:
    """The average heart, turned, moved and scaled onto the contours of each frame."""
    tess = tessellation(*TESSELLATION)
    found = [fit_mean_shape(contours).double() for contours in frames]
    made = (
        [{n: part_of(v, tess, n, closed=closed) for n in NAMES} for v in found]
        for closed in (False, True)
    )
    tell(bench, "mean shape", frames, *made)


def robustness(bench: Bench, frames: list[Contours]) -> None:
    def shifted(contours: Contours) -> Contours:
        generator = torch.Generator().manual_seed(contours.frame)
        points = contours.points.clone()
        for number in contours.slices():
            here = contours.slice == number
            plane = torch.linalg.svd(points[here] - points[here].mean(0), full_matrices=False)[2]
            turn = 2 * math.pi * float(torch.rand(1, generator=generator))
            points[here] += 3 * (math.cos(turn) * plane[0] + math.sin(turn) * plane[1])
        return Contours(
            points, contours.label, contours.view, contours.slice, contours.weight, contours.frame
        )

    cases = {
        "all contours": lambda c: c,
        "every second short-axis slice": lambda c: c.without_slices(c.slices("sax")[1::2]),
        "no long-axis slices": lambda c: c.without_slices(c.slices("lax")),
        "slices shifted by 3 mm": shifted,
    }
    for name, change in cases.items():
        rows = []
        for contours in frames:
            fit = fit_heart(change(contours))
            theirs = reference(contours.frame)
            opened, lidded = surfaces(fit, False), surfaces(fit, True)
            row = [symmetric(opened[n], lidded[n], theirs[n])[0] for n in NAMES]
            row += list(to_surface(contours, opened).values())
            row += [volume(fit, n) - REFERENCE[n][contours.frame] for n in ("lv", "rv")]
            rows.append(row)
        mean = [statistics.fmean(map(abs, column)) for column in zip(*rows, strict=True)]
        keys = [f"assd_{n}" for n in NAMES] + [f"contours_{n}" for n in NAMES]
        keys += ["lv_volume_error", "rv_volume_error"]
        bench.value(f"robust: {name}", **dict(zip(keys, mean, strict=True)))


def run(bench: Bench) -> None:
    if not DATA.is_dir():
        bench.value("real patient", note="the shared data is absent")
        return
    warnings.simplefilter("ignore", UserWarning)
    frames = load_contour_series(DATA / "patient1" / "contours")
    parts = [a.removeprefix("--only=") for a in sys.argv if a.startswith("--only=")]
    if not parts or "series" in parts:
        fits = series(bench, frames[:10:9] if bench.quick else frames)
        tess = fits[0].model.tessellation(170, 180)
        fine = Tessellator(fits[0].model)
        bench.compare(f"tessellation, {tess.num_vertices:,} vertices", lambda: fine.vertices(tess))
    if bench.quick:
        return
    ends = [frames[0], frames[9]]
    if not parts or "mean-shape" in parts:
        mean_shape(bench, frames)
    if not parts or "robust" in parts:
        robustness(bench, ends)


if __name__ == "__main__":
    sys_args = [a for a in sys.argv[1:] if not a.startswith("--only=")]
    main(run, sys_args)
