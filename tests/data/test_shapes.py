"""Procedural shapes against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from meshlearn.data import shapes

CLOSED = {
    "box": (0, 1.0),
    "cone": (0, 32 * math.sin(2 * math.pi / 32) / 3),
    "cylinder": (0, 32 * math.sin(2 * math.pi / 32)),
    "gear": (1, None),
    "icosphere": (0, None),
    "tetrahedron": (0, 8 * math.sqrt(3) / 27),
    "torus": (1, None),
    "uv_sphere": (0, None),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_shapes(name):
    genus, volume = CLOSED[name]
    mesh = getattr(shapes, name)(dtype=torch.float64)
    assert mesh.dtype == torch.float64
    assert mesh.is_watertight and mesh.is_vertex_manifold and mesh.is_consistently_oriented
    assert mesh.topology.genus == genus
    assert mesh.topology.components().count == 1
    assert bool(mesh.topology.referenced.all())
    assert float(mesh.face_areas().min()) > 0
    assert float(mesh.volume()) > 0
    if volume is not None:
        assert float(mesh.volume()) == pytest.approx(volume, rel=1e-12)


def test_sphere_volume_converges():
    errors = [
        abs(float(shapes.icosphere(n, dtype=torch.float64).volume()) - 4 * math.pi / 3)
        for n in (2, 3, 4)
    ]
    # Second order: each split of the edges quarters the error.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.05)
    assert shapes.icosphere(2).num_faces == 20 * 4**2


def test_torus_volume():
    mesh = shapes.torus(2.0, 0.5, 256, 128, dtype=torch.float64)
    assert float(mesh.volume()) == pytest.approx(2 * math.pi**2 * 2 * 0.25, rel=1e-3)
    assert float(mesh.area()) == pytest.approx(4 * math.pi**2 * 2 * 0.5, rel=1e-3)


def test_box_segments():
    mesh = shapes.box((1.0, 2.0, 3.0), segments=4, dtype=torch.float64)
    assert mesh.num_faces == 12 * 16
    assert float(mesh.volume()) == pytest.approx(6)
    assert float(mesh.area()) == pytest.approx(22)
    assert mesh.bounds().tolist() == [[-0.5, -1, -1.5], [0.5, 1, 1.5]]


def test_gear_volume():
    mesh = shapes.gear(10, 1.0, 0.7, 0.3, 0.5, dtype=torch.float64)
    step = math.sin(2 * math.pi / 40)
    outline = 10 * step * (0.7 * 1.0 + 1.0 * 1.0 + 1.0 * 0.7 + 0.7 * 0.7) / 2
    assert float(mesh.volume()) == pytest.approx(0.5 * (outline - 40 * step * 0.09 / 2))


def test_open_shapes():
    plane = shapes.plane((2.0, 3.0), (4, 5))
    assert float(plane.area()) == pytest.approx(6)
    assert plane.num_faces == 40 and bool((plane.face_normals()[:, 2] == 1).all())
    assert [loop.numel() for loop in plane.topology.boundary_loops()] == [18]
    band = shapes.moebius(segments=20, rings=3)
    assert band.topology.euler_number == 0 and not band.is_consistently_oriented
    assert band.is_vertex_manifold and band.topology.genus is None
    assert [loop.numel() for loop in band.topology.boundary_loops()] == [40]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: shapes.box((1, 2)), "extents"),
        (lambda: shapes.box((1, 2, -1)), "extents"),
        (lambda: shapes.icosphere(-1), "subdivisions"),
        (lambda: shapes.torus(segments=2), "segments"),
        (lambda: shapes.gear(root=2.0), "bore < root < outer"),
        (lambda: shapes.cone(dtype=torch.float16), "dtype"),
    ],
)
def test_messages(call, words):
    with pytest.raises(ValueError, match=words):
        call()
