"""The mesh: construction, copies, measures, against facts known by hand."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml

FLOATS = [torch.float32, torch.float64]


def tetrahedron(dtype: torch.dtype = torch.float64) -> ml.Mesh:
    vertices = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=dtype)
    return ml.Mesh(vertices, torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_tetrahedron_measures(dtype):
    mesh = tetrahedron(dtype)
    assert float(mesh.volume()) == pytest.approx(1 / 6, rel=1e-6)
    assert float(mesh.area()) == pytest.approx(1.5 + math.sqrt(3) / 2, rel=1e-6)
    assert mesh.bounds().tolist() == [[0, 0, 0], [1, 1, 1]]
    assert mesh.face_normals()[0].tolist() == [0, 0, -1]
    assert mesh.area().dtype == mesh.volume().dtype == mesh.vertex_normals().dtype == dtype
    # The right angles at the origin weigh the three coordinate planes alike.
    corner = mesh.vertex_normals("angle")[0]
    torch.testing.assert_close(corner, torch.full((3,), -1 / math.sqrt(3), dtype=dtype))


@pytest.mark.parametrize("weighting", ["area", "angle", "uniform"])
def test_gradcheck_vertex_normals(weighting):
    mesh = tetrahedron()
    vertices = mesh.vertices.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: mesh.with_vertices(v).vertex_normals(weighting), vertices
    )


def test_gradcheck_measures():
    mesh = tetrahedron()
    vertices = mesh.vertices.clone().requires_grad_()

    def measures(v):
        moved = mesh.with_vertices(v)
        return moved.area(), moved.volume(), moved.face_normals(), moved.centroid()

    assert torch.autograd.gradcheck(measures, vertices)
    assert torch.autograd.gradgradcheck(measures, vertices)


def test_empty():
    mesh = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert float(mesh.area()) == float(mesh.volume()) == 0
    assert bool(mesh.bounds().isnan().all())
    assert mesh.vertex_normals().shape == mesh.face_normals().shape == (0, 3)
    assert not mesh.is_watertight and mesh.topology.euler_number == 0
