"""Hearts fitted to the contours of a real patient, beside another program's surfaces."""

from __future__ import annotations

import pytest
import torch
from shared_data import shared_data

from meshlearn.geometry import point_mesh_distance
from meshlearn.heart import dense, fit_heart, fit_series, over_cycle, read_out
from meshlearn.heart.data import Contours, load_contour_series, load_contours
from meshlearn.heart.model import SIZE, part_of
from meshlearn.io import load

NAMES = {"lv": "LV_ENDOCARDIAL", "rv": "RV_ENDOCARDIAL", "epi": "EPICARDIAL"}


def real(frame: int) -> tuple[Contours, dict[str, object]]:
    folder = shared_data("heart", "patient1")
    given = load_contours(folder / "contours" / f"GPFile_{frame:03d}.txt")
    files = {k: folder / "fitted" / f"patient1_{n}_{frame:03d}.obj" for k, n in NAMES.items()}
    return given, {k: load(path).to(torch.float64) for k, path in files.items()}


@pytest.mark.parametrize(("frame", "lv", "rv"), [(0, 174.5, 170.1), (9, 72.0, 76.7)])
def test_real_frame(frame, lv, rv):
    """Volumes within 6 % and near the surfaces that another program fitted."""
    given, reference = real(frame)
    fit = fit_heart(given)
    report = read_out(fit)
    assert abs(report["lv_volume_ml"] - lv) < 0.06 * lv
    assert abs(report["rv_volume_ml"] - rv) < 0.06 * rv
    assert report["contour_distance"]["lv"]["mean_mm"] < 1.6
    assert report["contour_distance"]["rv"]["mean_mm"] < 1.6
    made = dense(fit.model)
    for name, most in (("lv", 1.5), ("rv", 1.6), ("epi", 1.6)):
        ours = part_of(made.vertices, made.tessellation, name, closed=False)
        away = point_mesh_distance(ours.vertices, reference[name]).squared_distance.sqrt()
        assert away.mean() < most, name


def test_slices_that_were_left_out_are_met():
    """The middle short-axis slice and the three-chamber view at end-diastole, and their valves."""
    given, _ = real(0)
    pair = (given.slices("sax")[2], given.slices("lax")[1])
    made = dense(fit_heart(given.without_slices(pair)).model)
    left = given.take(torch.isin(given.slice, torch.tensor(pair)) & given.mask("lv_endo"))
    surface = part_of(made.vertices, made.tessellation, "lv", closed=True)
    assert len(left) > 100
    assert point_mesh_distance(left.points, surface).squared_distance.sqrt().mean() < 1.3


@pytest.mark.slow
def test_real_series():
    frames = load_contour_series(shared_data("heart", "patient1", "contours"))
    fits = fit_series(frames, progress=False)
    cycle = over_cycle([read_out(f) for f in fits])
    assert abs(cycle["lv"]["ejection_fraction_percent"] - 59.8) < 3
    assert abs(cycle["lv"]["first_frame_ejection_fraction_percent"] - 58.7) < 3
    assert abs(cycle["rv"]["ejection_fraction_percent"] - 54.9) < 3
    assert abs(cycle["rv"]["first_frame_ejection_fraction_percent"] - 54.9) < 3
    for frame, lv, rv in ((0, 174.5, 170.1), (9, 72.0, 76.7)):
        report = read_out(fits[frame])
        assert abs(report["lv_volume_ml"] - lv) < 0.06 * lv
        assert abs(report["rv_volume_ml"] - rv) < 0.06 * rv
    assert SIZE == fits[0].model.theta.shape[1]
