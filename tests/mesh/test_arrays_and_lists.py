"""Arrays of numpy and lists where a tensor is."""

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import icosphere
from meshlearn.geometry import MeshBVH, PointTree, plane_section, polyline_section

CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_lists_are_float32_and_arrays_keep_their_precision():
    mesh = Mesh([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    assert mesh.dtype == torch.float32 and mesh.faces.dtype == torch.int64
    assert float(mesh.area()) == 0.5
    for kind in (np.float32, np.float64):
        assert Mesh(np.array(CORNERS, kind), [[0, 1, 2]]).vertices.numpy().dtype == kind
    assert Mesh(CORNERS, [(0, 1, 2)]).dtype == torch.float32
    assert Mesh([], []).num_faces == 0 and Mesh(CORNERS, []).num_vertices == 3


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", ">i4"])
def test_faces_of_any_whole_numbers(kind):
    mesh = Mesh(CORNERS, np.array([[0, 1, 2]], kind))
    assert torch.equal(mesh.faces, torch.tensor([[0, 1, 2]]))
    assert Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]], dtype=torch.int32)).num_faces == 1


def test_attributes_of_arrays():
    uv = CornerAttribute(np.zeros((1, 2)), np.zeros((1, 3), np.int32))
    mesh = Mesh(
        CORNERS,
        [[0, 1, 2]],
        vertex_attributes={"heat": [1, 2, 3]},
        face_attributes={"number": np.array([7])},
        corner_attributes={"uv": uv},
    )
    assert mesh.vertex_attributes["heat"].tolist() == [1, 2, 3]
    assert mesh.face_attributes["number"].dtype == torch.int64
    assert mesh.corner_attributes["uv"].dense().shape == (1, 3, 2)


def test_views_that_torch_has_not_are_copied():
    back = np.arange(9.0).reshape(3, 3)[::-1]
    back.flags.writeable = False
    assert torch.equal(Mesh(back, [[0, 1, 2]]).vertices, torch.from_numpy(back.copy()))


def test_queries_take_points_in_the_dtype_of_what_they_ask():
    ball = icosphere(2)
    points = np.random.default_rng(0).normal(size=(20, 3))
    same = torch.from_numpy(points).float()
    for given in (points, points.tolist()):
        assert torch.equal(ml.signed_distance(given, ball), ml.signed_distance(same, ball))
        assert torch.equal(ml.winding_number(given, ball), ml.winding_number(same, ball))
        hits, want = (MeshBVH(ball).rays(p, q) for p, q in ((given, points), (same, same)))
        assert torch.equal(hits.face, want.face)
    squared, index = ml.knn(points, points.tolist(), 1)
    assert squared.dtype == torch.float64 and torch.equal(index[:, 0], torch.arange(20))
    assert torch.equal(PointTree(points).knn(points[:3], 1).index[:, 0], torch.arange(3))
    cloud = torch.from_numpy(points)
    assert ml.chamfer_distance(points, points + 1) == ml.chamfer_distance(cloud, cloud + 1)
    assert plane_section(ball, [0, 0, 0.1], (0, 0, 1)).shape[1:] == (2, 3)
    assert polyline_section([[0, 0, -1], [0, 0, 3]], [0, 0, 0], [0, 0, 1]).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("bad", [None, "abc", [[0, 1], [2]], [["a", "b", "c"]], {1: 2}])
def test_what_is_no_number_is_told(bad):
    with pytest.raises(ValueError, match="points: expected") as caught:
        ml.signed_distance(bad, icosphere(1))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"points: expected shape \(P, 3\)"):
        ml.signed_distance([[1, 2]], icosphere(1))
