"""Batches: packed, listed, padded."""

from __future__ import annotations

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes


def batch() -> ml.Meshes:
    triangle = ml.Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
    empty = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    return ml.Meshes([shapes.tetrahedron(), empty, triangle])


def test_worked_example():
    meshes = batch()
    assert len(meshes) == 3 and [m.num_faces for m in meshes] == [4, 0, 1]
    assert meshes.vertices_ptr.tolist() == [0, 4, 4, 7]
    assert meshes.faces_ptr.tolist() == [0, 4, 4, 5]
    assert meshes.vertices_mesh.tolist() == [0] * 4 + [2] * 3
    assert meshes.faces_packed[-1].tolist() == [4, 5, 6]
    assert meshes.faces_padded().shape == (3, 4, 3)
    assert meshes.faces_padded()[2].tolist() == [[0, 1, 2]] + [[-1, -1, -1]] * 3
    padded = meshes.vertices_padded()
    assert padded.shape == (3, 4, 3)
    assert (
        torch.equal(padded[2, :3], torch.eye(3)) and not padded[1].any() and not padded[2, 3].any()
    )
    assert [v.shape[0] for v in meshes.vertices_list] == [4, 0, 3]
    assert torch.equal(meshes[2].faces, torch.tensor([[0, 1, 2]]))
    assert len(meshes[1:]) == 2
    packed = ml.Mesh(meshes.vertices_packed, meshes.faces_packed)
    assert torch.allclose(packed.area(), sum(m.area() for m in meshes))


def test_gradients_reach_members():
    vertices = shapes.tetrahedron(dtype=torch.float64).vertices.requires_grad_()
    mesh = shapes.tetrahedron(dtype=torch.float64).with_vertices(vertices)
    meshes = ml.Meshes([mesh, mesh])
    (meshes.vertices_padded() ** 2).sum().backward()
    torch.testing.assert_close(vertices.grad, 4 * vertices.detach())


def test_without_members_and_conversions():
    none = ml.Meshes([])
    assert len(none) == 0 and none.vertices_packed.shape == (0, 3)
    assert none.vertices_padded().shape == (0, 0, 3) and none.vertices_list == []
    meshes = batch()
    assert meshes.to(torch.float64).vertices_packed.dtype == torch.float64
    assert meshes.to(torch.float32) is meshes
    moved = meshes.with_vertices(meshes.vertices_packed * 2)
    assert moved[0].topology is meshes[0].topology
    assert torch.equal(moved[2].vertices, 2 * torch.eye(3))


def test_messages():
    with pytest.raises(ValueError, match=r"meshes\[1\]: expected a Mesh, got Tensor"):
        ml.Meshes([shapes.box(), torch.zeros(3)])
    with pytest.raises(ValueError, match=r"meshes\[1\]: expected torch.float32"):
        ml.Meshes([shapes.box(), shapes.box(dtype=torch.float64)])
    with pytest.raises(ValueError, match=r"pass \[mesh\]"):
        ml.Meshes(shapes.box())
    with pytest.raises(ValueError, match="vertices: expected packed positions"):
        batch().with_vertices(torch.zeros(3, 3))
