"""Unoriented points that enclose a space but for an opening are fitted as oriented ones are."""

from __future__ import annotations

import warnings

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.geometry import sample_surface
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct, targets
from meshlearn.reconstruct.fitting import EmptyFit
from meshlearn.reconstruct.targets.flood import Flood
from meshlearn.representations import FlexiCubes


def box_points(faces: int, count: int = 3000, height: float = 1.0) -> torch.Tensor:
    """On so many faces of a unit box: five of a bin without its lid, six of a box."""
    generator = torch.Generator().manual_seed(0)
    face = torch.randint(0, faces, (count,), generator=generator)
    points = torch.rand(count, 3, generator=generator)
    points[torch.arange(count), face // 2] = (face % 2).float()
    return points * torch.tensor([1.0, 1.0, height])


def fitted(points):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        made = reconstruct(PointCloud(points, None), resolution=24, steps=15, progress=False).mesh
    return made, " ".join(str(w.message) for w in found)


def test_a_bin_is_closed_at_its_opening_and_that_is_told():
    made, said = fitted(box_points(5))
    assert made.topology.topological_type == (1, 2)
    assert float(made.volume()) == pytest.approx(1.0, abs=0.08)
    assert "points: they enclose a space but for an opening" in said
    assert "of the fit is more than" in said  # the lid


def test_a_box_needs_no_such_word():
    made, said = fitted(box_points(6))
    assert made.topology.topological_type == (1, 2) and said == ""
    assert float(made.volume()) == pytest.approx(1.0, abs=0.05)


def test_a_tray_is_open_and_refused():
    """Most directions lead out of it; a closed mesh is not what it is."""
    with pytest.raises(EmptyFit, match="method 'gshell' fits open ones"):
        fitted(box_points(5, height=0.3))


def test_pockets_within_a_wall_are_no_inside():
    """Balls of dense points leave some, which came out as a crust of many handles."""
    points = box_points(5, 10_000)
    bounds = torch.stack([points.amin(0), points.amax(0)])
    flood = Flood(points, bounds, 0.01)
    assert flood.enclosed <= 0.02 * flood.wall
    closed = Flood(box_points(6, 10_000), bounds, 0.01)
    assert closed.enclosed > 0.5 * closed.wall
    places, away = closed.lattice()
    deep = (places - 0.5).abs().amax(1) < 0.4
    assert bool((closed.signed(places[deep], away[deep]) < 0).all())


def test_thin_closed_shapes_are_still_flooded():
    ring = shapes.torus(major=1.0, minor=0.2)
    points = sample_surface(ring, 4000, generator=torch.Generator().manual_seed(0)).points
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target = targets.FromPoints(points)
        assert target._sides is None
        value = target.field(torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 1.0, 0]]))
    assert (value < 0).tolist() == [True, False, True]


def test_values_that_are_nearly_zero_have_gradients():
    """As where a plane of points is a plane of the grid but for rounding."""
    shape = FlexiCubes(8)
    shape.initialize(lambda p: p.norm(dim=1) - 0.5)
    value = torch.where(shape.grid.vertices[:, 2] == 0, 1e-30, shape.grid.vertices[:, 2])
    with torch.no_grad():
        shape._reset(torch.where(shape.grid.vertices.abs().amax(1) < 0.6, value, 1.0))
    shape().mesh.vertices.square().sum().backward()
    assert bool(torch.isfinite(shape.sdf.grad).all())
