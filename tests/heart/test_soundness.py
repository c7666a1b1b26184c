"""Contours that are no heart's are refused, and fits that came out oddly are told."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from meshlearn.heart.data.contours import Contours, from_arrays
from meshlearn.heart.fit.data_term import bulge
from meshlearn.heart.fit.soundness import check_drawn_once, check_fit, check_shape, disc_sum
from meshlearn.heart.model import HeartModel, part_of


def tube(radii=(25.0,), heights=range(0, 50, 10), wall=10.0) -> Contours:
    """Circles on short-axis slices, of each radius one, and the wall outside."""
    rows, labels, numbers = [], [], []
    for k, h in enumerate(heights):
        for label, sizes in (("lv_endo", radii), ("lv_epi", (radii[0] + wall,))):
            for radius in sizes:
                for i in range(48):
                    a = i * math.pi / 24
                    rows.append([radius * math.cos(a), radius * math.sin(a), float(h)])
                    labels.append(label)
                    numbers.append(k)
    points = torch.tensor(rows, dtype=torch.float64)
    return from_arrays(points, labels, view=["sax"] * len(rows), slice=numbers)


def test_flat_contours_are_refused():
    check_shape(tube())
    for heights, where in ((range(1), "in one plane"), ((0, 0.1, 0.2), "in one plane")):
        with pytest.raises(ValueError, match=where):
            check_shape(tube(heights=heights))
    given = tube(radii=(1e-3,), heights=range(0, 50, 10))
    with pytest.raises(ValueError, match="on one line"):
        check_shape(given)
    with pytest.raises(ValueError, match="at one point"):
        check_shape(tube(radii=(1e-3,), heights=range(1)))


def test_two_frames_without_a_time_are_refused():
    with pytest.raises(ValueError, match="drawn twice, one inside the other, on 5 of 5"):
        check_drawn_once(tube(radii=(25.0, 18.0)))
    noisy = tube(radii=(12.0,))
    noise = 1.5 * torch.randn(noisy.points.shape, generator=torch.Generator().manual_seed(0))
    check_drawn_once(replace(noisy, points=noisy.points + noise))
    check_drawn_once(tube(radii=(25.0, 24.0)))  # two readers


def test_the_sum_of_discs():
    assert disc_sum(tube(), ("lv_endo",)) == pytest.approx(5 * 10 * math.pi * 0.625, rel=0.01)
    assert disc_sum(tube(heights=range(1)), ("lv_endo",)) is None


def surface_points(model: HeartModel) -> Contours:
    tess = model.tessellation()
    with torch.no_grad():
        vertices = model.vertices(tess)[0].double()
    parts = [
        (part_of(vertices, tess, name, closed=False).vertices, label)
        for name, label in (("lv", "lv_endo"), ("wall", "lv_epi"), ("rv", "rv_endo"))
    ]
    labels = [label for points, label in parts for _ in points]
    return from_arrays(torch.cat([points for points, _ in parts]), labels)


def test_a_fit_is_held_against_its_contours():
    model = HeartModel()
    given = surface_points(model)
    assert check_fit(model, given, {}) == []
    far = Contours(given.points + 30, given.label, given.view, given.slice, given.weight)
    with pytest.raises(ValueError, match="no heart fits these contours"):
        check_fit(model, far, {})
    low = given.take(given.points[:, 2] < given.points[:, 2].amax() - 25)
    assert any("mm beyond the highest contour" in text for text in check_fit(model, low, {}))
    odd = given.points.clone()
    odd[::15] *= 1.6
    stray = Contours(odd, given.label, given.view, given.slice, given.weight)
    assert any("one in twenty" in text for text in check_fit(model, stray, {}))
    with torch.no_grad():
        model.theta[0, 0] = math.nan
    with pytest.raises(ValueError, match="no finite shape"):
        check_fit(model, given, {})


def test_bulge_meets_a_sphere():
    """Facets lie inside the sphere; with what is added they lie on it."""
    from meshlearn.data.shapes import icosphere

    mesh = icosphere(2)
    vertices, faces = 20 * mesh.vertices.double(), mesh.faces
    share = torch.full((len(faces), 3), 1 / 3, dtype=torch.float64)
    foot = vertices[faces].mean(1)
    added = foot + bulge(vertices, faces, faces, share)
    inside, left = 20 - foot.norm(dim=1), (20 - added.norm(dim=1)).abs()
    assert inside.min() > 0 and left.mean() < 0.1 * inside.mean()
    flat = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]).double()
    none = bulge(flat, torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2]]), share[:1])
    assert none.abs().max() < 1e-12
