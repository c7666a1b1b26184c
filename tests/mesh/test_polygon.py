"""Polygons and their triangulation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.data import shapes
from meshlearn.mesh._triangulate import triangle_offsets, triangulate_reference

FLOATS = [torch.float32, torch.float64]
native = pytest.mark.skipif(not HAS_NATIVE, reason="the extension was not built")

SHAPES = {
    "arrow": "00 42 04 12",
    "arrow from another corner": "42 04 12 00",
    "L": "00 20 21 11 13 03",
    "comb": "00 70 73 63 61 51 53 43 41 31 33 23 21 11 13 03",
    "collinear": "00 10 20 21 22 12 02 01",
    "spiral": "00 60 66 16 12 42 44 34 33 23 25 55 51 01",
    "with a bridge": "00 30 33 03 00 11 12 22 21 11",
}
# The planes a polygon lies in: columns of a rotation, seen from in front and from behind.
FRAMES = [
    ((1, 0, 0), (0, 1, 0)),
    ((0, 1, 0), (1, 0, 0)),
    ((0, 1, 0), (0, 0, 1)),
    ((0, 0, 1), (1, 0, 0)),
    ((0.6, 0.8, 0), (0, 0, -1)),
    ((2 / 3, 2 / 3, 1 / 3), (-2 / 3, 1 / 3, 2 / 3)),
]


def shoelace(points: list[tuple[float, float]]) -> float:
    turned = points[1:] + points[:1]
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(points, turned, strict=True)) / 2


def lay(points: list[tuple[float, float]], frame, dtype) -> torch.Tensor:
    flat = torch.tensor(points, dtype=torch.float64)
    return (flat @ torch.tensor(frame, dtype=torch.float64)).to(dtype)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", SHAPES)
def test_triangles_cover_the_polygon(name, frame):
    points = [(float(x), float(y)) for x, y in SHAPES[name].split()]
    vertices = lay(points, frame, torch.float64)
    mesh = ml.PolygonMesh(vertices, [list(range(len(points)))]).triangulate()
    assert mesh.num_faces == len(points) - 2
    normal = torch.linalg.cross(*(torch.tensor(f, dtype=torch.float64) for f in frame))
    signed = mesh.face_areas() * (mesh.face_normals() @ normal)
    # All on one side and summing to the area: they cover the polygon without overlap.
    assert float(signed.min()) >= 0
    assert float(signed.sum()) == pytest.approx(shoelace(points), rel=1e-12)
    if name != "with a bridge":
        assert float(signed.min()) > 1e-9


@given(st.lists(st.floats(0.2, 1.0), min_size=3, max_size=40), st.sampled_from(FRAMES))
@settings(max_examples=60, deadline=None)
def test_star_polygons(radii, frame):
    step = 2 * math.pi / len(radii)
    points = [(r * math.cos(i * step), r * math.sin(i * step)) for i, r in enumerate(radii)]
    vertices = lay(points, frame, torch.float64)
    polygon = ml.PolygonMesh(vertices, [list(range(len(points)))])
    triangles = polygon.triangulate()
    assert float(triangles.area()) == pytest.approx(shoelace(points), rel=1e-9)
    if HAS_NATIVE:
        target = triangle_offsets(polygon.start)
        expected = triangulate_reference(
            vertices, polygon.start, polygon.index, target, len(points) - 2
        )
        assert torch.equal(triangles.faces, expected)


@native
@pytest.mark.parametrize("dtype", FLOATS)
def test_operator_equals_reference(dtype):
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([3, 4, 4, 0, 5, 1, 7, 4, 2, 12, 4, 4, 3, 30])
    start = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
    vertices = torch.randn(int(start[-1]), 3, generator=generator, dtype=dtype)
    index = torch.randperm(int(start[-1]), generator=generator)
    target = triangle_offsets(start)
    args = (vertices, start, index, target, int(target[-1]))
    out = torch.ops.meshlearn.triangulate_polygons(*args)
    assert torch.equal(out, triangulate_reference(*args))
    torch.library.opcheck(torch.ops.meshlearn.triangulate_polygons, args)


def test_quads_take_the_inner_then_the_shorter_diagonal():
    vertices = torch.tensor([[0.0, 0, 0], [3, 0, 0], [4, 1, 0], [1, 1, 0]])
    assert ml.PolygonMesh(vertices, [[0, 1, 2, 3]]).triangulate().faces.tolist() == [
        [0, 1, 3],
        [1, 2, 3],
    ]


def test_maps_and_attributes():
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]])
    corner = ml.CornerAttribute(torch.arange(14.0).view(7, 2), torch.tensor([0, 1, 2, 3, 4, 5, 6]))
    mesh = ml.PolygonMesh(
        square,
        [[0, 1, 2, 3], [1, 4, 2]],
        vertex_attributes={"heat": torch.arange(6.0)},
        face_attributes={"part": torch.tensor([7, 8])},
        corner_attributes={"uv": corner},
        materials=["steel"],
    )
    assert mesh.sizes.tolist() == [4, 3] and mesh.polygons == [[0, 1, 2, 3], [1, 4, 2]]
    triangles, face_map, corner_map = mesh.triangulation()
    assert face_map.tolist() == [0, 0, 1]
    assert torch.equal(mesh.index[corner_map], triangles.faces)
    assert triangles.face_attributes["part"].tolist() == [7, 7, 8]
    uv = triangles.corner_attributes["uv"]
    assert torch.equal(uv.index, corner_map) and uv.dense().shape == (3, 3, 2)
    assert triangles.materials == ("steel",)
    assert mesh.to(torch.float64).corner_attributes["uv"].values.dtype == torch.float64


def test_round_trip_through_triangles():
    box = shapes.box()
    again = ml.PolygonMesh.from_mesh(box).triangulate()
    assert torch.equal(again.faces, box.faces) and again.vertices is box.vertices


def test_gradients_flow():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], requires_grad=True)
    ml.PolygonMesh(vertices, [[0, 1, 2, 3]]).triangulate().area().backward()
    assert vertices.grad[2, 0] == pytest.approx(0.5)


def test_cube_of_quads_is_closed():
    corners = torch.tensor([[x, y, z] for x in (0.0, 1) for y in (0.0, 1) for z in (0.0, 1)])
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    mesh = ml.PolygonMesh(corners, torch.tensor(quads)).triangulate()
    assert mesh.is_watertight and mesh.is_consistently_oriented
    assert float(mesh.volume()) == pytest.approx(1)


def test_odd_polygons():
    none = ml.PolygonMesh(torch.zeros(0, 3), [])
    assert none.num_polygons == 0 and none.triangulate().num_faces == 0
    flat = torch.tensor([[float(i), 0, 0] for i in range(6)])
    assert ml.PolygonMesh(flat, [[0, 1, 2, 3, 4, 5]]).triangulate().num_faces == 4
    nan = torch.full((6, 3), float("nan"))
    assert ml.PolygonMesh(nan, [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3]]).triangulate().num_faces == 6


@pytest.mark.parametrize(
    ("polygons", "words"),
    [
        ([[0, 1, 9]], "polygons: index 9 is out of range for 4 vertices"),
        ([[0, 1.5, 2]], r"polygons\[0\]: expected a list of integer"),
        ("abc", "polygons: expected a list of lists"),
        ((torch.tensor([0, 5]), torch.tensor([0, 1, 2])), "polygons.start: expected ascending"),
        ((torch.tensor([0.0, 3]), torch.tensor([0, 1, 2])), "polygons.start: expected dtype int64"),
    ],
)
def test_messages(polygons, words):
    with pytest.raises(ValueError, match=words):
        ml.PolygonMesh(torch.zeros(4, 3), polygons)
