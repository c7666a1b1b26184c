"""Shapes of triangles and soundness of meshes, on those where every figure is known."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.metrics import dihedral_angles, mesh_quality, tet_quality, triangle_shapes

DOUBLE = torch.float64
EQUILATERAL = [[0, 0, 0], [1, 0, 0], [0.5, math.sqrt(3) / 2, 0]]
RIGHT = [[0, 0, 0], [4, 0, 0], [0, 3, 0]]  # sides 3, 4, 5
ISOSCELES = [[0, 0, 0], [2, 0, 0], [1, 1, 0]]  # 45°, 45°, 90°
FLAT = [[0, 0, 0], [1, 0, 0], [3, 0, 0]]


def of(*triangles: list[list[float]]) -> ml.Mesh:
    """Triangles apart from one another."""
    corner = torch.tensor(triangles, dtype=DOUBLE)
    corner = corner + 10 * torch.arange(len(triangles), dtype=DOUBLE)[:, None, None]
    return ml.Mesh(corner.reshape(-1, 3), torch.arange(3 * len(triangles)).view(-1, 3))


@pytest.mark.parametrize(
    ("triangle", "aspect", "radius", "angle", "area"),
    [
        (EQUILATERAL, 1.0, 1.0, 60.0, math.sqrt(3) / 4),
        # longest side 5 over its altitude 12/5, times √3/2; radii 5/2 and 1
        (RIGHT, 5 / 2.4 * math.sqrt(3) / 2, 1.25, math.degrees(math.atan2(3, 4)), 6.0),
        # longest side 2 over 1; radii 1 and √2 - 1
        (ISOSCELES, math.sqrt(3), 1 / (2 * (math.sqrt(2) - 1)), 45.0, 1.0),
        (FLAT, math.inf, math.inf, 0.0, 0.0),
    ],
    ids=["equilateral", "3-4-5", "isosceles", "flat"],
)
def test_shapes_of_triangles(triangle, aspect, radius, angle, area):
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        found = triangle_shapes(of([triangle[k] for k in order]))
        for name, value in (("aspect_ratio", aspect), ("radius_ratio", radius),
                            ("min_angle", angle), ("area", area)):  # fmt: skip
            assert float(found[name]) == pytest.approx(value, rel=1e-12, abs=1e-12), name


def tall(height: float) -> list[list[float]]:
    """A triangle of base 1 and two equal sides."""
    return [[0, 0, 0], [1, 0, 0], [0.5, height, 0]]


def height_where(value, wanted: float) -> float:
    """Where a figure that grows with the height takes a value."""
    low, high = 1.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) < wanted else (low, middle)
    return low


def aspect_of(h: float) -> float:  # side s over its altitude h / s
    return (0.25 + h * h) / h * math.sqrt(3) / 2


def radius_of(h: float) -> float:  # s² / 2h over twice h / (1 + 2s)
    side = math.sqrt(0.25 + h * h)
    return side**2 / (2 * h) / (2 * h / (1 + 2 * side))


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("aspect_ratio_gt4_percent", height_where(aspect_of, 4.0)),
        ("radius_ratio_gt4_percent", height_where(radius_of, 4.0)),
        ("min_angle_lt10_percent", 0.5 / math.tan(math.radians(5.0))),
    ],
)
def test_shares_of_bad_triangles_begin_at_their_limits(name, limit):
    assert mesh_quality(of(tall(0.999 * limit), EQUILATERAL))[name] == 0
    assert mesh_quality(of(tall(1.001 * limit), EQUILATERAL, EQUILATERAL, RIGHT))[name] == 25


def test_a_mesh_of_known_triangles():
    found = mesh_quality(of(EQUILATERAL, RIGHT, ISOSCELES, FLAT))
    angles = 60 + math.degrees(math.atan2(3, 4)) + 45
    assert found["min_angle_mean"] == pytest.approx(angles / 4, rel=1e-12)
    assert found["degenerate_percent"] == 25
    assert (found["vertices"], found["faces"], found["components"]) == (12, 4, 4)
    assert (found["boundary_edges"], found["euler_number"]) == (12, 4)


def test_crossing_triangles_are_counted_both():
    a = [[-1, 0, 0], [1, 0, 0], [0, 2, 0]]
    b = [[0, 1, -1], [0, 1, 1], [0, 5, 0]]
    corner = torch.tensor([a, b, [[9, 0, 0], [9, 1, 0], [9, 0, 1]]], dtype=DOUBLE)
    mesh = ml.Mesh(corner.reshape(-1, 3), torch.arange(9).view(3, 3))
    assert mesh_quality(mesh)["self_intersecting_percent"] == pytest.approx(200 / 3, rel=1e-12)


SOUND = {"watertight": True, "edge_manifold": True, "vertex_manifold": True, "manifold": True,
         "oriented": True, "boundary_edges": 0, "components": 1}  # fmt: skip


def pinched() -> ml.Mesh:
    """Two tetrahedra that share one corner."""
    one = shapes.tetrahedron(dtype=DOUBLE)
    other = 2 * one.vertices[:1] - one.vertices
    index = torch.tensor([0, 4, 5, 6])
    faces = torch.cat([one.faces, index[one.faces].flip(1)])
    return ml.Mesh(torch.cat([one.vertices, other[1:]]), faces)


def finned() -> ml.Mesh:
    """A tetrahedron with one face more at one of its edges."""
    one = shapes.tetrahedron(dtype=DOUBLE)
    tip = one.vertices[:2].mean(0, keepdim=True) * 3
    return ml.Mesh(
        torch.cat([one.vertices, tip]), torch.cat([one.faces, torch.tensor([[0, 1, 4]])])
    )


def half_turned() -> ml.Mesh:
    box = shapes.box(dtype=DOUBLE)
    return ml.Mesh(box.vertices, torch.cat([box.faces[:1].flip(1), box.faces[1:]]))


def opened() -> ml.Mesh:
    box = shapes.box(dtype=DOUBLE)
    return ml.Mesh(box.vertices, box.faces[1:])


@pytest.mark.parametrize(
    ("make", "differs"),
    [
        (lambda: shapes.box(dtype=DOUBLE), {"euler_number": 2, "vertices": 8, "faces": 12}),
        (lambda: shapes.torus(dtype=DOUBLE), {"euler_number": 0}),
        (opened, {"watertight": False, "boundary_edges": 3, "euler_number": 1}),
        (half_turned, {"oriented": False, "watertight": None, "euler_number": 2}),
        (pinched, {"vertex_manifold": False, "manifold": False, "watertight": None,
                   "euler_number": 3, "components": 2}),
        (finned, {"edge_manifold": False, "manifold": False, "watertight": False,
                  "boundary_edges": 2, "oriented": None, "vertex_manifold": None,
                  "euler_number": 2}),
    ],
    ids=["box", "torus", "opened", "half turned", "pinched", "finned"],
)  # fmt: skip
def test_soundness(make, differs):
    """What is known; None where this shape decides nothing that is asked here."""
    found = mesh_quality(make())
    for name, value in {**SOUND, **differs}.items():
        assert value is None or found[name] == value, name


def test_an_empty_mesh():
    found = mesh_quality(ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)))
    assert [found[k] for k in ("vertices", "faces", "components", "min_angle_mean")] == [0] * 4
    assert all(v == 0 for k, v in found.items() if k.endswith("_percent"))


def tets(*corners: list[list[float]]) -> ml.TetMesh:
    """Tetrahedra apart from one another."""
    corner = torch.tensor(corners, dtype=DOUBLE)
    return ml.TetMesh(corner.reshape(-1, 3), torch.arange(4 * len(corners)).view(-1, 4))


REGULAR = [[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]
CORNER = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
TURNED = [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
THIN = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.3, 0.3, 1e-4]]


def test_shape_of_tetrahedra():
    # six edges of √8 and the volume 8/3; three of 1 and three of √2 with the volume 1/6
    quality = tets(REGULAR, CORNER, TURNED).quality()
    known = 12 * 0.5 ** (2 / 3) / 9
    assert quality.tolist() == pytest.approx([1.0, known, -known])
    angles = dihedral_angles(tets(REGULAR, CORNER))
    slope = math.degrees(math.atan(math.sqrt(2)))
    assert angles[0].tolist() == pytest.approx([math.degrees(math.acos(1 / 3))] * 6)
    assert sorted(angles[1].tolist()) == pytest.approx([slope] * 3 + [90.0] * 3)


def test_quality_of_tetrahedra():
    found = tet_quality(tets(REGULAR, CORNER, TURNED, THIN))
    assert (found["tets"], found["inverted"], found["flat"]) == (4, 1, 1)
    assert found["volume"] == pytest.approx(8 / 3 + 1e-4 / 6)
    assert found["quality_least"] == pytest.approx(-12 * 0.5 ** (2 / 3) / 9)
    assert 0 < found["dihedral_least"] < 0.1 and found["dihedral_largest"] > 179
    none = tet_quality(ml.TetMesh(torch.zeros(0, 3), torch.zeros(0, 4, dtype=torch.int64)))
    assert none["tets"] == 0 and none["quality_least"] == 0.0


def test_size_does_not_tell_on_the_quality_of_tetrahedra():
    mesh = tets(CORNER)
    small = ml.TetMesh(mesh.vertices * 1e-9, mesh.tets)
    assert float(small.quality()) == pytest.approx(float(mesh.quality()))
