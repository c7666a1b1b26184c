"""Walls too thin for a grid are noticed, and `wrap` is named."""

import warnings

import pytest
import torch

from meshlearn import Mesh, geometry
from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.shells import thin_wall


def double(thick: float) -> Mesh:
    outer = shapes.icosphere(3)
    inner = outer.vertices * (1 - thick)
    faces = torch.cat([outer.faces, outer.faces.flip(1) + outer.num_vertices])
    return Mesh(torch.cat([outer.vertices, inner]), faces)


def test_walls_are_measured():
    shell = double(0.02)
    assert thin_wall(shell, 32) == pytest.approx(0.02, rel=0.05)
    assert thin_wall(shell, 256) is None
    far = shell.with_vertices(shell.vertices.double() + 1e6)
    assert thin_wall(far, 32) == pytest.approx(0.02, rel=0.05)
    turned = Mesh(shell.vertices, shell.faces.flip(1))
    assert thin_wall(turned, 32) == pytest.approx(0.02, rel=0.05)


def test_solids_have_none():
    for solid in (shapes.icosphere(3), shapes.torus(), shapes.box()):
        assert thin_wall(solid, 16) is None
    assert thin_wall(Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)), 16) is None


def test_reconstruct_says_so():
    shell = double(0.02)
    with pytest.warns(UserWarning, match=r"walls about 0\.02 thick, a double shell perhaps"):
        reconstruct(shell, resolution=16, steps=0)
    assert thin_wall(geometry.wrap(shell, 0.1), 16) is None
    lid = Mesh(shell.vertices, shell.faces[20:])
    with pytest.warns(
        UserWarning, match=r"wrap=True \(--wrap\) makes a solid of it first, its holes closed"
    ):
        reconstruct(lid, resolution=16, steps=0)


def test_reconstruct_wraps_first():
    """A double shell with faces missing becomes the solid that it shows; without it is a sieve."""
    shell = double(0.02)
    drop = torch.arange(0, shell.num_faces, 97)
    keep = torch.ones(shell.num_faces, dtype=torch.bool)
    keep[drop] = False
    broken = Mesh(shell.vertices, shell.faces[keep])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = reconstruct(broken, resolution=16, steps=20, wrap=True).mesh
    assert made.topology.topological_type == (1, 2)
    assert float(made.volume()) == pytest.approx(4 / 3 * torch.pi, rel=0.05)


def test_what_is_not_wrapped():
    with pytest.raises(ValueError, match="wrap: expected a mesh with faces"):
        reconstruct(PointCloud(double(0.02).vertices), resolution=16, steps=0, wrap=True)
    shell = double(0.02)
    lid = Mesh(shell.vertices, shell.faces[(shell.triangles.mean(1)[:, 2] < 0.5)])
    with pytest.warns(UserWarning, match="holes are wider than the ball that wrapped it: close"):
        reconstruct(lid, resolution=16, steps=0, wrap=True)
