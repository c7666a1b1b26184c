"""Hearts: slices left out of the fit, and how far their contours then lie from the surface, in mm.

"Middle": of all 25 frames of the real patient the same two slices are left out, the middle one of
the short-axis stack and a long-axis slice, with the valve points on them; a row for each long-axis
slice that shows the LV, and one for all of them; the frames are fitted as a series, and each by
itself. "All slices": of every third frame pairs of a
short-axis and a long-axis slice, so that each slice is left out at least once. The ellipsoid, nine
numbers to the LV cavity's contours, says how hard the question is.

Distances run to surfaces that are open at the valves ("open"), or closed by their lids ("lidded",
as the ellipsoid is). "mean", with its quantiles, is open but for the few points a frame that are
drawn on the wall between the mitral and the aortic valve, which the lid of the LV stands for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import torch
from _common import Bench, main
from heart import DATA, LABELS, NAMES, distances, surfaces
from heart_baselines import fit_ellipsoid

import meshlearn as ml
from meshlearn._threads import side_by_side
from meshlearn.heart import HeartFit, HeartSettings, fit_heart, fit_series
from meshlearn.heart.data import Contours, load_contour_series
from meshlearn.heart.fit.valves import curtain

Both = tuple[dict[str, ml.Mesh], dict[str, ml.Mesh]]  # surfaces, open and with lids
Fit = Callable[[list[Contours]], list[Both]]


def pairs(contours: Contours) -> list[tuple[int, int]]:
    short, long = contours.slices("sax"), contours.slices("lax")
    count = max(len(short), len(long))
    return [(short[i % len(short)], long[i % len(long)]) for i in range(count)]


def middles(frames: list[Contours]) -> list[tuple[int, int]]:
    """The middle short-axis slice of the stack with each long-axis slice that shows the LV."""
    endo = frames[0].of("lv_endo")
    short, long = endo.slices("sax"), endo.slices("lax")
    return [(short[len(short) // 2], number) for number in long]


def left_out(
    fit: Fit, frames: list[Contours], which: Callable[[Contours], list[tuple[int, int]]]
) -> dict[str, torch.Tensor]:
    """All left-out contour points by surface, (P, 4): distances to the open one, to the one with
    lids, and to that of both which the point was drawn on; and the frame."""
    gaps: dict[str, list[torch.Tensor]] = {}
    tasks = [(contours, pair) for contours in frames for pair in which(contours)]
    made = fit([contours.without_slices(pair) for contours, pair in tasks])
    for (contours, pair), (opened, lidded) in zip(tasks, made, strict=True):
        between = curtain(contours)
        for number in pair:
            for name in opened:
                here = (contours.slice == number) & contours.mask(*LABELS[name])
                if here.any():
                    points = contours.points[here]
                    bare, lids = (distances(points, m[name]) for m in (opened, lidded))
                    mixed = torch.where(between[here], lids, bare)
                    frame = torch.full_like(bare, contours.frame)
                    gaps.setdefault(name, []).append(torch.stack([bare, lids, mixed, frame], 1))
    return {name: torch.cat(parts) for name, parts in gaps.items()}


def alone(settings: HeartSettings | None = None) -> Fit:
    """Each by itself."""
    return lambda some: [both(f) for f in side_by_side(partial(fit_heart, settings=settings), some)]


def together(frames: list[Contours]) -> list[Both]:
    """As frames of one cycle."""
    return [both(f) for f in fit_series(frames)]


def both(fit: HeartFit) -> Both:
    return surfaces(fit, False), surfaces(fit, True)


def ellipsoids(frames: list[Contours]) -> list[Both]:
    made = [{"lv": fit_ellipsoid(contours.of("lv_endo").points)} for contours in frames]
    return [(m, m) for m in made]


def run(bench: Bench) -> None:
    if not DATA.is_dir():
        bench.value("real patient", note="the shared data is absent")
        return
    warnings.simplefilter("ignore", UserWarning)
    frames = load_contour_series(DATA / "patient1" / "contours")
    methods: dict[str, Fit] = {
        "ellipsoid": ellipsoids,
        "parameter functions": alone(HeartSettings(local_steps=0)),
        "parameter functions and flow": alone(),
        "the same, as a series": together,
    }
    some = frames[:1] if bench.quick else frames
    for name, fit in methods.items():
        parts = []
        for pair in middles(frames):
            found = left_out(fit, some, lambda _, pair=pair: [pair])
            tell(bench, f"middle, slices {pair[0]} and {pair[1]} left out, {name}", found)
            parts.append(found)
        joined = {n: torch.cat([p[n] for p in parts]) for n in parts[0]}
        tell(bench, f"middle, all long-axis slices in turn, {name}", joined)
        if fit is not together and not bench.quick:
            tell(bench, f"all slices left out, {name}", left_out(fit, frames[::3], pairs))


def tell(bench: Bench, title: str, found: dict[str, torch.Tensor]) -> None:
    for surface in (n for n in NAMES if n in found):
        bare, lids, away, frame = found[surface].unbind(1)
        by_frame = [float(lids[frame == f].mean()) for f in frame.unique()]
        bench.value(
            f"{title}, {surface}",
            mean=float(away.mean()),
            median=float(away.median()),
            p95=float(away.quantile(0.95)),
            mean_open=float(bare.mean()),
            mean_lidded=float(lids.mean()),
            mean_lidded_over_frames=sum(by_frame) / len(by_frame),
        )


if __name__ == "__main__":
    main(run)
