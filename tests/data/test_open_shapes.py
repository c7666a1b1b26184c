"""Open shapes have the openings that they say."""

import math

import pytest
import torch

from meshlearn.data import open_shapes

SHAPES = [
    ("skirt", {}, 2, 0),
    ("skirt", {"folds": 0, "segments": 9, "rings": 1}, 2, 0),
    ("sleeve", {}, 2, 0),
    ("sleeve", {"bend": -20.0}, 2, 0),
    ("bowl", {}, 1, 1),
    ("leaf", {}, 1, 1),
    ("shirt", {}, 4, -2),
    ("shirt", {"subdivisions": 4}, 4, -2),
    *(("sphere_with_holes", {"holes": n}, n, 2 - n) for n in (0, 1, 2, 3, 6)),
]


@pytest.mark.parametrize("name,options,loops,euler", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_openings(name, options, loops, euler, dtype):
    mesh = getattr(open_shapes, name)(**options, dtype=dtype)
    assert mesh.dtype == dtype
    assert len(mesh.topology.boundary_loops()) == loops
    assert mesh.topology.euler_number == euler
    assert mesh.is_edge_manifold and mesh.is_vertex_manifold and mesh.is_consistently_oriented
    assert mesh.topology.components().count == 1
    assert float(mesh.area()) > 0 and bool(torch.isfinite(mesh.vertices).all())


@pytest.mark.parametrize("name", ["skirt", "sleeve", "bowl", "shirt", "sphere_with_holes"])
def test_normals_point_outward(name):
    mesh = getattr(open_shapes, name)()
    middle = mesh.vertices[mesh.faces].mean(1)
    if name == "sleeve":
        middle = middle * torch.tensor([0.0, 1.0, 0.0])  # bent: only across it
    outward = (mesh.face_normals() * middle).sum(1)
    assert float((outward > 0).float().mean()) > 0.9


def test_areas():
    bowl = open_shapes.bowl(opening=60.0, segments=200, rings=100)
    assert float(bowl.area()) == pytest.approx(math.pi, rel=1e-3)
    ball = open_shapes.sphere_with_holes(2, opening=30.0, subdivisions=5)
    lost = 2 * 2 * math.pi * (1 - math.cos(math.radians(30)))
    assert float(ball.area()) == pytest.approx(4 * math.pi - lost, rel=2e-3)
    tube = open_shapes.skirt(0.5, 0.5, folds=0, rings=3)
    assert float(tube.area()) == pytest.approx(math.pi, rel=1e-3)


BAD = [
    ("skirt", {"waist": -1.0}, "waist: expected a positive number"),
    ("bowl", {"opening": 190.0}, "opening: expected degrees"),
    ("sphere_with_holes", {"holes": 40, "opening": 30.0}, "opening: expected below"),
    ("shirt", {"subdivisions": 1}, "subdivisions: expected an integer of at least 3"),
]


@pytest.mark.parametrize("name,options,message", BAD)
def test_bad_input_is_one_sentence(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(open_shapes, name)(**options)
