"""A heart over its cycle: each frame by itself, then all with their neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from meshlearn._threads import one_thread, side_by_side
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.consensus import sentence, settle_slices
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import find_initial_pose
from meshlearn.heart.fit.one_frame import HeartFit, fit_from
from meshlearn.heart.fit.settings import (
    APART,
    SETTLE_STEPS,
    SHIFTING,
    SMOOTHING,
    SWEEPS,
    HeartSettings,
)
from meshlearn.heart.fit.soundness import check_fit, tell
from meshlearn.progress import progress_bar

LEFT = ("lv", "wall", "lv_lid")  # what a heart has without its RV


def fit_series(
    frames: Sequence[Contours],
    *,
    settings: HeartSettings | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> list[HeartFit]:
    """Fits the frames of one heart: each by itself, side by side, then again with its neighbours.

    The second time a slice keeps the mean of its shifts, since its frames are of one breath hold,
    and surfaces are held back where they would accelerate (`HeartSettings.still`), which evens out
    what single frames do not tell. Meshes of the fits correspond: one tessellation, one flow whose
    last layer differs from frame to frame.

    Args:
        frames: contours of each frame in order, evenly spaced in time; they need not close a cycle.
            The second time needs at least three.
        settings: of all frames, see `HeartSettings`.
        seed: of the flow's inner layers.
        progress: a bar; default on a terminal only.

    Returns:
        A fit for each frame; its `seconds` hold both times.

    Raises:
        ValueError: no frames, or one with too little to fit to; see `find_initial_pose`.

    Example:
        >>> fits = fit_series(load_contour_series("contours"))
    """
    if not frames:
        raise ValueError("frames: expected contours of at least one frame, got none")
    settings = settings or HeartSettings()
    settling = len(frames) > 2 and settings.still > 0 and settings.local_steps > 0
    total = len(frames) * (1 + SWEEPS * settling)
    given, moves = settle_slices(frames) if settings.consensus else (list(frames), [])
    with progress_bar("fitting frames", total, enabled=progress) as bar:
        found = {}
        for i, fit in _alone(given, settings, seed):
            found[i] = fit
            bar.update(len(found), f"loss {fit.history[-1]:.3g}")
        fits = [found[i] for i in range(len(frames))]
        for fit, contours in zip(fits, frames, strict=True):
            fit.drawn_on(contours, moves)
        if settling:
            for done, fit in enumerate(_settle(fits, settings), len(frames) + 1):
                bar.update(done, f"loss {fit.history[-1]:.3g}")
    with one_thread():
        for fit in fits:
            fit.remarks = check_fit(fit.model, fit.contours, fit.shifts)
    told = [f"{frames[0].source} and its series: {sentence(move)}" for move in moves]
    tell([*told, *(text for fit in fits for text in fit.remarks)], stacklevel=2)
    fits[0].remarks = [*told, *fits[0].remarks]
    return fits


def _alone(
    frames: Sequence[Contours], settings: HeartSettings, seed: int
) -> Iterator[tuple[int, HeartFit]]:
    """Each frame's number and fit, side by side; those with the RV first. The others do not tell
    how the heart is turned about its axis, and start from the fit of the next frame that does."""
    settings = replace(settings, shift_weight=SHIFTING * settings.shift_weight)
    poses = [find_initial_pose(contours) for contours in frames]
    seen = [i for i, pose in enumerate(poses) if pose.rv] or list(range(len(frames)))
    fits: dict[int, HeartFit] = {}

    def fit(i: int) -> HeartFit:
        near = None if i in seen else fits[min(seen, key=lambda k: abs(k - i))]
        return fit_from(poses[i], frames[i], settings, seed, like=near)

    for some in (seen, [i for i in range(len(frames)) if i not in seen]):
        for i, found in zip(some, side_by_side(fit, some), strict=True):
            fits[i] = found
            yield i, found


def _settle(fits: list[HeartFit], settings: HeartSettings) -> Iterator[HeartFit]:
    """Fits the frames again, in place and one a turn, now that their neighbours are known: slices
    keep the mean of their shifts over the cycle, and surfaces move on evenly."""
    shifts: dict[int, list[torch.Tensor]] = {}
    for f in fits:
        for number, by in f.shifts.items():
            shifts.setdefault(number, []).append(by)
    mean = {number: torch.stack(by).mean(0) for number, by in shifts.items()}
    tess = fits[0].model.tessellation(settings.rows, settings.columns)
    # without contours of the RV in one of the frames, its surface there says nothing to the others
    names = list(tess.faces) if all(f.model.has_rv for f in fits) else LEFT
    held = torch.unique(torch.cat([tess.faces[name] for name in names]))
    with one_thread():
        at = smoothed([f.model.vertices(tess)[0].detach()[held] for f in fits])

    def again(i: int) -> None:
        f, begin = fits[i], time.perf_counter()
        place, share = expected(at, i)
        data = DataTerm(f.used, replace(settings, still=settings.still * share), rv=f.model.has_rv)
        for k, number in enumerate(data.numbers):
            data.shifts[k] = mean[number].float() @ data.axes[k]
        f.model.requires_grad_(False)
        target = (held, place)
        solver = Solver(f.model, data, tess, flow=True, shifting=False, target=target)
        f.history += solver.run(SETTLE_STEPS)
        with torch.no_grad():
            at[i] = f.model.vertices(tess)[0][held]
        f.model.requires_grad_(True)
        f.shifts = {number: mean[number] for number in f.shifts}
        f.seconds += time.perf_counter() - begin

    for _ in range(SWEEPS):
        for first in range(APART):
            some = range(first, len(fits), APART)
            for i, _ in zip(some, side_by_side(again, some), strict=True):
                yield fits[i]


def smoothed(at: Sequence[torch.Tensor], weight: float = SMOOTHING) -> list[torch.Tensor]:
    """Paths x of vertices y (V, 3) that make Σ_t |x - y|² + weight Σ_t |second difference of x|²
    least (Whittaker and Henderson).

    Where the frames begin to hold each other: they move one at a time, and what the middle ones'
    noise says of the motion would else lead the others, at the ends of the series most of all.
    """
    count = len(at)
    second = torch.eye(count, dtype=torch.float64).diff(n=2, dim=0)
    matrix = torch.eye(count, dtype=torch.float64) + weight * second.T @ second
    return list(torch.tensordot(torch.linalg.inv(matrix).to(at[0]), torch.stack(list(at)), 1))


def expected(at: Sequence[torch.Tensor], i: int) -> tuple[torch.Tensor, float]:
    """Where the vertices of frame i make the sum of all squared second differences least; x̂ of
    (H11).

    Args:
        at: vertices (V, 3) of at least three frames, of which all but those of frame i stay.

    Returns:
        The place (V, 3), and the weight w with which the sum grows by w |x - place|²: 6 inside a
        series, less at its ends.
    """
    n = len(at)
    total, weight = torch.zeros_like(at[i]), 0.0
    for j, own in ((i - 1, 1.0), (i, -2.0), (i + 1, 1.0)):
        if 1 <= j < n - 1:
            steps = {j - 1: 1.0, j: -2.0, j + 1: 1.0}
            rest = sum(c * at[k] for k, c in steps.items() if k != i)
            total, weight = total - own * rest, weight + own * own
    return total / weight, weight


def volumes(fits: Sequence[HeartFit], surface: str = "lv") -> torch.Tensor:
    """Closed volumes (T,) of a surface, mL."""
    with torch.no_grad():
        return torch.stack([f.model.mesh(surface).volume() / 1000 for f in fits])
