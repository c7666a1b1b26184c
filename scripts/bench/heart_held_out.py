"""Hearts: slices left out of the fit, and how far their contours then lie from the surface, in mm.

In every third of the real patient's 25 frames pairs of a short-axis and a long-axis slice are left
out together, with the valve points on them, so that each slice is left out at least once. "Middle"
is the pair of the middle short-axis slice and the three-chamber view alone. The ellipsoid, nine
numbers to the LV cavity's contours, says how hard the question is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from _common import Bench, main
from heart import DATA, LABELS, NAMES, distances, surfaces

import meshlearn as ml
from meshlearn.io import Contours, load_contour_series
from meshlearn.reconstruct.heart import HeartSettings, fit_heart
from meshlearn.reconstruct.heart.baselines import fit_ellipsoid

Surfaces = dict[str, ml.Mesh]


def pairs(contours: Contours) -> list[tuple[int, int]]:
    short, long = contours.slices("sax"), contours.slices("lax")
    count = max(len(short), len(long))
    return [(short[i % len(short)], long[i % len(long)]) for i in range(count)]


def middle(contours: Contours) -> list[tuple[int, int]]:
    short, long = contours.slices("sax"), contours.slices("lax")
    return [(short[len(short) // 2], long[1])]


def left_out(
    fit: Callable[[Contours], Surfaces],
    frames: list[Contours],
    which: Callable[[Contours], list[tuple[int, int]]],
) -> dict[str, torch.Tensor]:
    """Distances of all left-out contour points, by surface."""
    gaps: dict[str, list[torch.Tensor]] = {}
    for contours in frames:
        for pair in which(contours):
            meshes = fit(contours.without_slices(pair))
            for number in pair:
                for name, mesh in meshes.items():
                    left = contours.take(contours.slice == number).of(*LABELS[name])
                    if len(left):
                        gaps.setdefault(name, []).append(distances(left.points, mesh))
    return {name: torch.cat(parts) for name, parts in gaps.items()}


def run(bench: Bench) -> None:
    if not DATA.is_dir():
        bench.value("real patient", note="the shared data is absent")
        return
    warnings.simplefilter("ignore", UserWarning)
    frames = load_contour_series(DATA / "patient1" / "contours")[::3]
    plain = HeartSettings(local_steps=0)
    methods: dict[str, Callable[[Contours], Surfaces]] = {
        "ellipsoid": lambda c: {"lv": fit_ellipsoid(c.of("lv_endo").points)},
        "parameter functions": lambda c: surfaces(fit_heart(c, settings=plain), False),
        "parameter functions and flow": lambda c: surfaces(fit_heart(c), False),
    }
    if bench.quick:
        frames = frames[:1]
    for title, which in (("middle pair", middle), ("all slices", pairs)):
        if bench.quick and which is pairs:
            break
        for name, fit in methods.items():
            found = left_out(fit, frames, which)
            for surface in (n for n in NAMES if n in found):
                away = found[surface]
                bench.value(
                    f"{title} left out, {name}, {surface}",
                    mean=float(away.mean()),
                    median=float(away.median()),
                    p95=float(away.quantile(0.95)),
                )


if __name__ == "__main__":
    main(run)
