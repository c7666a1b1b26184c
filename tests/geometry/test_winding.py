"""The winding number far away: its expansion is of second order, and errors fall as that says."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.geometry import winding_number

needs_expansion = pytest.mark.skipif(not HAS_NATIVE, reason="the reference has no far field")


def soup(faces: int, seed: int) -> ml.Mesh:
    """Triangles here and there in a ball of radius 1, so that no moment vanishes."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(faces, 3, 3, generator=generator, dtype=torch.float64) - 0.5
    return ml.Mesh(corners.reshape(-1, 3), torch.arange(3 * faces).view(-1, 3))


def largest_error(mesh: ml.Mesh, distance: float) -> float:
    """Of the expansion at points around, at a distance from the middle of the mesh."""
    around = ml.data.shapes.icosphere(2).vertices.double()
    points = mesh.centroid() + distance * around
    exact = winding_number(points, mesh, beta=math.inf)
    return float((winding_number(points, mesh, beta=2.0) - exact).abs().max())


@needs_expansion
@pytest.mark.parametrize("faces", [1, 3, 40, 700])
def test_error_falls_with_the_fifth_power_of_the_distance(faces):
    """The field of area vectors falls with the square of the distance. Each order of the expansion
    takes one power more, so that with the second what is left falls with the fifth: by 32 from one
    distance to twice as far. Without one of its terms it would be 16, 8 or 4."""
    for seed in range(3):
        mesh = soup(faces, seed)
        near, far, farther = (largest_error(mesh, d) for d in (12.0, 24.0, 48.0))
        assert near / far > 25 and far / farther > 25, (near, far, farther)


@needs_expansion
def test_moments_do_not_depend_on_where_the_tree_is_split():
    """Two triangles far apart and their expansion about one common centre."""
    one, other = soup(1, 5), soup(1, 6)
    shifted = other.with_vertices(other.vertices + torch.tensor([0.7, -0.3, 0.5]))
    both = ml.Mesh(
        torch.cat([one.vertices, shifted.vertices]), torch.cat([one.faces, other.faces + 3])
    )
    points = 30 * ml.data.shapes.icosphere(1).vertices.double()
    apart = winding_number(points, one) + winding_number(points, shifted)
    assert torch.allclose(winding_number(points, both), apart, rtol=1e-3, atol=0)
