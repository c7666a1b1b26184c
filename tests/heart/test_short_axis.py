"""Hearts seen on short-axis slices alone: they end where the slices do."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest
import torch
from heart_phantom import heart, renamed, write

from meshlearn.heart import HeartFit, HeartSettings, dense, fit_heart, read_out
from meshlearn.heart.data.contours import Contours, from_arrays
from meshlearn.heart.data.segmentation import load_segmentation
from meshlearn.heart.fit.bases import short_axis_bases
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.model import part_of


def fit_of(path: Path) -> HeartFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit_heart(load_segmentation(path))


@pytest.mark.parametrize(
    ("base", "widest", "numbers"),
    [
        (88.0, 110.0, (3, 2, 1)),
        pytest.param(62.0, 40.0, (1, 2, 4), marks=pytest.mark.slow),
        pytest.param(75.0, 60.0, (1, 2, 3), marks=pytest.mark.slow),
    ],
)
def test_volumes_are_those_of_the_voxels(tmp_path, base, widest, numbers):
    """The first has its widest slice last."""
    made = heart(base=base, widest=widest)
    fit = fit_of(write(tmp_path / "a.nii.gz", renamed(made.labels, *numbers), made.affine))
    report = read_out(fit)
    assert not any("discs" in text for text in report["remarks"])
    assert report["lv_volume_ml"] == pytest.approx(made.lv_ml, rel=0.03)
    assert report["rv_volume_ml"] == pytest.approx(made.rv_ml, rel=0.05)
    assert report["lv_mass_g"] == pytest.approx(made.mass_g, rel=0.06)
    surfaces = dense(fit.model)
    last = float(fit.contours.points[:, 2].amax())
    for name in ("lv", "rv", "muscle"):
        top = float(part_of(surfaces.vertices, surfaces.tessellation, name).vertices[:, 2].amax())
        assert 2 < top - last < 6.5, name


def circles(*heights: float, view: str = "sax", **more: list) -> Contours:
    rows, labels, numbers = [], [], []
    for k, h in enumerate(heights):
        for label, radius in (("lv_endo", 20.0 + 0.1 * h), ("lv_epi", 30.0 + 0.1 * h)):
            for i in range(12):
                a = i * math.pi / 6
                rows.append([radius * math.cos(a), radius * math.sin(a), h])
                labels.append(label)
                numbers.append(k)
    for label, points in more.items():
        rows += points
        labels += [label] * len(points)
        numbers += [0] * len(points)
    points = torch.tensor(rows, dtype=torch.float64)
    return from_arrays(points, labels, view=[view] * len(rows), slice=numbers)


def test_a_base_lies_half_a_gap_above_the_last_slice():
    base = short_axis_bases(circles(0.0, 10.0, 20.0, 30.0))["lv"]
    assert (base.first, base.last, base.gap) == (0, 3, pytest.approx(10))
    assert base.rim[:, 2].allclose(torch.tensor(35.0).double())
    assert base.rim[:, :2].norm(dim=1).allclose(torch.tensor(23.0).double())
    assert base.lid[:, 2].allclose(torch.tensor(35.0).double())
    assert base.lid[:, :2].norm(dim=1).max() < 18


def test_seen_valves_and_long_axes_are_the_base():
    assert not short_axis_bases(circles(0.0, 10.0, 20.0, mitral=[[0.0, 20.0, 30.0]]))
    assert not short_axis_bases(circles(0.0, 10.0, 20.0, view="lax"))
    assert not short_axis_bases(circles(0.0))


def test_the_lid_of_a_crescent_lies_within_it(tmp_path):
    made = heart(rv=16.0)
    path = write(tmp_path / "a.nii.gz", made.labels, made.affine)
    with pytest.warns(UserWarning, match="labels taken"):
        given = load_segmentation(path)
    base = short_axis_bases(given)["rv"]
    voxel = torch.tensor([1.5, 1.5], dtype=torch.float64)
    offset = torch.tensor([-80.0, -90.0], dtype=torch.float64)
    at = ((base.lid[:, :2] - offset) / voxel).round().long()
    inside = torch.from_numpy(made.labels[:, :, -1])[at[:, 0], at[:, 1]] == 3
    assert len(at) > 100 and inside.double().mean() > 0.9


def test_a_last_slice_that_shows_the_septum_alone_is_fitted(tmp_path):
    made = heart(pixel=3.0, size=60)
    path = write(tmp_path / "a.nii.gz", made.labels, made.affine)
    with pytest.warns(UserWarning, match="labels taken"):
        given = load_segmentation(path)
    last = given.slice == given.slices()[-1]
    given = given.take(~(last & given.mask("rv_free")))
    assert len(short_axis_bases(given)["rv"].lid) == 0
    data = DataTerm(given, HeartSettings(), rv=True)
    assert all(len(points) for _, points, _, _ in data.groups)
