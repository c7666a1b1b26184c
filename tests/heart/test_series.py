"""Series of hearts: frames are fitted again with their neighbours in time."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from meshlearn.heart import HeartFit, HeartSettings, fit_series
from meshlearn.heart.data import Contours
from meshlearn.heart.fit.series import expected, smoothed
from meshlearn.heart.learn.scanner import Acquisition, acquire
from meshlearn.heart.model.population import sample_heart

QUICK = HeartSettings(global_steps=4, local_steps=3, rows=8, columns=20)
CLEAN = Acquisition(noise=0.0, shift=0.0, missing=0.0, gap=(9.0, 10.0))


def noisy_frames(count: int, noise_seed: int = 2) -> list[Contours]:
    """A heart that moves 1 mm a frame, seen with noise of its own in each."""
    heart = sample_heart(flow=1.0, generator=torch.Generator().manual_seed(11))
    seen = acquire(heart, settings=CLEAN, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(noise_seed)
    frames = []
    for i in range(count):
        noise = torch.randn(seen.points.shape, generator=rng, dtype=seen.points.dtype)
        at = seen.points + 1.5 * noise + torch.tensor([0.0, 0.0, 1.0 * i])
        frames.append(replace(seen, points=at, frame=i))
    return frames


def paths(fits: list[HeartFit]) -> torch.Tensor:
    tess = fits[0].model.tessellation(8, 20)
    with torch.no_grad():
        return torch.stack([f.model.vertices(tess)[0] for f in fits])


def acceleration(at: torch.Tensor) -> float:
    return float((at[2:] - 2 * at[1:-1] + at[:-2]).square().sum(-1).mean())


def test_expected_vertices_make_second_differences_least():
    torch.manual_seed(0)
    at = list(torch.randn(6, 4, 3, dtype=torch.float64))
    for i in range(6):
        free = at[i].clone().requires_grad_(True)
        every = torch.stack([*at[:i], free, *at[i + 1 :]])
        cost = (every[2:] - 2 * every[1:-1] + every[:-2]).square().sum()
        (slope,) = torch.autograd.grad(cost, free)
        target, share = expected(at, i)
        # the cost is share |x - target|^2 and what does not depend on x
        torch.testing.assert_close(slope, 2 * share * (free.detach() - target))
    assert [expected(at, i)[1] for i in range(6)] == [1, 5, 6, 6, 5, 1]


def test_smoothed_paths_make_their_cost_least():
    torch.manual_seed(3)
    at = torch.randn(6, 4, 3, dtype=torch.float64)
    free = torch.stack(smoothed(list(at), 2.0)).requires_grad_(True)
    bent = (free[2:] - 2 * free[1:-1] + free[:-2]).square().sum()
    ((free - at).square().sum() + 2 * bent).backward()
    assert free.grad is not None
    torch.testing.assert_close(free.grad, torch.zeros_like(at), atol=1e-9, rtol=0)
    line = torch.arange(6.0)[:, None, None] * torch.randn(4, 3)
    torch.testing.assert_close(torch.stack(smoothed(list(line))), line, atol=1e-4, rtol=0)


def test_a_straight_motion_is_expected_to_go_on():
    start, step = torch.randn(5, 3), torch.randn(5, 3)
    at = [start + i * step for i in range(5)]
    for i in range(5):
        torch.testing.assert_close(expected(at, i)[0], at[i], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("noise_seed", [2, 5])
def test_frames_know_their_neighbours(noise_seed):
    """With the second noise the middle frames say that nothing moves."""
    frames = noisy_frames(4, noise_seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        alone = fit_series(frames, settings=replace(QUICK, still=0.0), progress=False)
        held = fit_series(frames, settings=QUICK, progress=False)
    assert acceleration(paths(held)) < 0.5 * acceleration(paths(alone))
    for number in held[0].shifts:  # one breath hold, one shift
        assert all(torch.equal(f.shifts[number], held[0].shifts[number]) for f in held[1:])
    moved = paths(held)
    step = (moved[-1] - moved[0]).mean(0) / 3
    torch.testing.assert_close(step, torch.tensor([0.0, 0.0, 1.0]), atol=0.35, rtol=0)


def test_a_frame_without_the_right_ventricle_does_not_pull_that_of_others():
    frames = noisy_frames(3)
    rv = frames[1].mask("rv_free", "rv_septum", "rv_endo", "rv_epi", "rv_insert", "tricuspid")
    frames[1] = frames[1].take(~rv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        alone = fit_series(frames, settings=replace(QUICK, still=0.0), progress=False)
        held = fit_series(frames, settings=replace(QUICK, still=50.0), progress=False)
    assert [f.model.has_rv for f in held] == [True, False, True]
    moved = (paths(held) - paths(alone)).norm(dim=-1)
    tess = held[0].model.tessellation(8, 20)
    left, right = tess.faces["lv"].unique(), tess.faces["free"].unique()
    assert acceleration(paths(held)[:, left]) < 0.1 * acceleration(paths(alone)[:, left])
    assert acceleration(paths(held)[:, right]) > 10 * acceleration(paths(held)[:, left])
    assert moved[[0, 2]].mean() < 3


def test_a_series_does_not_depend_on_threads():
    frames, found = noisy_frames(4), []
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(fit_series(frames, settings=QUICK, progress=False))
            assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    assert torch.equal(*(paths(fits) for fits in found))
