"""Tetrahedra and their boundary."""

from __future__ import annotations

import pytest
import torch

import meshlearn as ml

CUBE = torch.tensor(
    [[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)], dtype=torch.float64
)
# Kuhn's cut of a cube along its diagonal: one tetrahedron for each order of the axes.
KUHN = torch.tensor(
    [[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]]
)


@pytest.mark.parametrize("mixed", [False, True])
def test_cube(mixed):
    tets = KUHN.clone()
    if mixed:
        tets[::2] = tets[::2][:, [1, 0, 2, 3]]
    mesh = ml.TetMesh(CUBE, tets)
    assert mesh.volumes().abs().tolist() == pytest.approx([1 / 6] * 6)
    assert bool((mesh.volumes() > 0).all()) is not mixed
    boundary = mesh.boundary()
    assert boundary.num_faces == 12
    assert boundary.is_watertight and boundary.is_consistently_oriented
    assert float(boundary.volume()) == pytest.approx(1)


def test_inner_vertices_stay_and_attributes_follow():
    vertices = torch.cat([CUBE[[0, 1, 2, 4]], CUBE.new_full((1, 3), 0.2)])
    tets = torch.tensor([[4, 1, 2, 3], [0, 4, 2, 3], [0, 1, 4, 3], [0, 1, 2, 4]])
    heat = {"heat": torch.arange(5.0)}
    mesh = ml.TetMesh(vertices, tets, vertex_attributes=heat, tet_attributes={"id": tets[:, 0]})
    boundary = mesh.boundary()
    assert boundary.num_faces == 4 and boundary.num_vertices == 5
    assert not boundary.topology.referenced[4]
    assert float(boundary.volume()) == pytest.approx(1 / 6)
    assert torch.equal(boundary.vertex_attributes["heat"], heat["heat"])
    assert mesh.to(torch.float32).dtype == torch.float32


def test_gradcheck():
    vertices = CUBE.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: ml.TetMesh(v, KUHN).volumes(), vertices)
    assert torch.autograd.gradcheck(lambda v: ml.TetMesh(v, KUHN).boundary().area(), vertices)


def test_empty_and_messages():
    none = ml.TetMesh(torch.zeros(0, 3), torch.zeros(0, 4, dtype=torch.int64))
    assert float(none.volume()) == 0 and none.boundary().num_faces == 0
    with pytest.raises(ValueError, match=r"tets: expected shape \(T, 4\), got \(2, 3\)"):
        ml.TetMesh(CUBE, torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="tets: index 8 is out of range for 8 vertices"):
        ml.TetMesh(CUBE, torch.tensor([[0, 1, 2, 8]]))
