"""Walls too thin for a grid are noticed, and `wrap` is named."""

import pytest
import torch

from meshlearn import Mesh, geometry
from meshlearn.data import shapes
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
    with pytest.warns(UserWarning, match=r"makes a solid of it first, its holes closed"):
        reconstruct(lid, resolution=16, steps=0)
