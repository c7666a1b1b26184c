"""Slices that moved between breath holds are found, moved back, and told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from shared_data import shared_data

from meshlearn.heart import HeartSettings, fit_heart, load_contours, read_out
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit import consensus
from meshlearn.heart.fit.consensus import SliceMove, find_moves, moved, sentence, settle_slices
from meshlearn.heart.fit.initial_pose import slice_axes
from meshlearn.heart.learn.scanner import Acquisition, acquire
from meshlearn.heart.model.population import sample_heart

QUICK = HeartSettings(global_steps=6, local_steps=4, rows=8, columns=20)


@cache
def seen(seed: int = 3) -> Contours:
    heart = sample_heart(flow=1.0, generator=torch.Generator().manual_seed(seed))
    clean = Acquisition(noise=0.3, shift=1.0, missing=0.0, gap=(9.0, 10.0))
    return acquire(heart, settings=clean, generator=torch.Generator().manual_seed(1))


def step(given: Contours, number: int, size: float, turn: float) -> torch.Tensor:
    numbers, axes = slice_axes(given)
    angle = torch.tensor([turn]).double()
    return axes[numbers.index(number)] @ (size * torch.cat([angle.cos(), angle.sin()]))


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("views", ["all", "short axis"])
def test_moved_slices_are_found_and_others_left(seed, views):
    given = seen(seed)
    if views != "all":
        given = given.without_slices(given.slices("lax"))
    assert find_moves(given) == []
    sax = given.slices("sax")
    steps = {sax[2]: step(given, sax[2], 26.0, 0.4)}
    if views == "all":
        steps[sax[4]] = step(given, sax[4], 18.0, 2.0)
    found = find_moves(moved(given, steps))
    assert [m.number for m in found] == list(steps)
    for move in found:
        assert float((move.by + steps[move.number]).norm()) < 4
        assert move.confidence > 0.7 and move.witnesses >= 2


def test_a_real_patient_with_slices_that_were_moved():
    given = load_contours(shared_data("heart", "patient1", "contours", "GPFile_000.txt"))
    assert find_moves(given) == []
    sax = given.slices("sax")
    steps = {sax[1]: step(given, sax[1], 18.0, 1.0), sax[3]: step(given, sax[3], 26.0, 4.0)}
    found = find_moves(moved(given, steps))
    assert [m.number for m in found] == list(steps)
    assert all(float((m.by + steps[m.number]).norm()) < 4 for m in found)


def test_a_fit_moves_them_and_says_so():
    given = seen()
    number = given.slices("sax")[3]
    by = step(given, number, 20.0, 1.0)
    with pytest.warns(UserWarning, match=rf"slice {number} lies (19|20|21) mm from where"):
        fit = fit_heart(moved(given, {number: by}), settings=QUICK)
    assert float((fit.shifts[number].double() + by).norm()) < 4
    report = read_out(fit)
    told = report["moved_slices"][str(number)]
    assert told["mm"] == pytest.approx(20, abs=3) and not told["left_out"]
    after = report["contour_distance_after_shifts"]["lv"]["mean_mm"]
    assert after < 0.7 * report["contour_distance"]["lv"]["mean_mm"]


def test_slices_of_a_series_move_in_all_frames_or_in_none():
    given = seen()
    number = given.slices("sax")[3]
    apart = moved(given, {number: step(given, number, 20.0, 1.0)})
    frames, moves = settle_slices([apart, apart, given])
    assert [m.number for m in moves] == [number]
    assert frames[0].points.allclose(frames[1].points)
    assert not frames[2].points.allclose(given.points)
    frames, moves = settle_slices([apart, given, given])
    assert moves == [] and frames[0] is not None
    assert frames[0].points.allclose(apart.points)


def test_slices_that_contradict_each_other_are_refused_with_the_list(monkeypatch):
    given = seen()
    sax = given.slices("sax")

    def all_apart(contours):
        return [SliceMove(n, torch.tensor([9.0, 0, 0]).double(), 1.0, 3) for n in sax[:-1]]

    monkeypatch.setattr(consensus, "find_moves", all_apart)
    with pytest.raises(ValueError, match=rf"contradict each other, {len(sax) - 1} of {len(sax)}"):
        settle_slices([given])


def test_a_slice_that_no_move_helps_is_left_out_and_told(monkeypatch):
    given = seen()
    number = given.slices("sax")[2]
    move = SliceMove(number, torch.tensor([9.0, 0, 0]).double(), 0.2, 3)
    monkeypatch.setattr(consensus, "find_moves", lambda contours: [move])
    (left,), moves = settle_slices([given])
    assert number not in left.slices() and moves[0].number == number
    assert "it is left out" in sentence(move)
    with pytest.warns(UserWarning, match="it is left out"):
        fit = fit_heart(given, settings=replace(QUICK, global_steps=1, local_steps=0))
    assert number not in fit.shifts and read_out(fit)["moved_slices"][str(number)]["left_out"]
