"""Convex parts of solids: convex, few, near, with limits that hold; other input told or mended."""

import math

import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere, plane, torus

pytest.importorskip("manifold3d")


def is_convex(mesh, room=1e-6):
    mesh = mesh.with_vertices(
        mesh.vertices.double()
    )  # those of thin faces are not known in float32
    normals = mesh.face_normals()
    corners = mesh.triangles.double()
    across = mesh.vertices.double() @ normals.T - (corners[:, 0] * normals).sum(1)
    size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).norm())
    return mesh.is_watertight and float(across.max()) <= room * size


def corner():
    """Three boxes in the shape of a corner: three convex parts, whichever way."""
    rows = [
        box((3, 1, 1)),
        box((1, 3, 1)).translate((-1, 1, 0)),
        box((1, 1, 3)).translate((-1, 0, 1)),
    ]
    made = rows[0]
    for other in rows[1:]:
        made = ml.boolean(made, other)
    return made


def test_what_is_convex_is_one_part():
    for mesh in (box(), icosphere(3)):
        found = ml.geometry.decompose(mesh)
        assert len(found.parts) == 1 and found.iou > 0.999 and found.overlap < 1e-9
    assert found.concavity < 0.02 and found.holes == (0, 0)


def test_boxes_come_apart_where_they_meet():
    found = ml.geometry.decompose(corner(), 3)
    assert len(found.parts) == 3 and all(map(is_convex, found.parts))
    assert found.iou == pytest.approx(1, abs=1e-6) and found.overlap < 1e-6
    volumes = [float(part.volume()) for part in found.parts]
    assert sum(volumes) == pytest.approx(7) and volumes == sorted(volumes, reverse=True)


def test_limits_hold_and_more_parts_are_nearer():
    ring = torus(segments=24, rings=10).to(torch.float64)
    few, more = ml.geometry.decompose(ring, 4), ml.geometry.decompose(ring, 10)
    assert len(few.parts) <= 4 and len(more.parts) <= 10
    assert 0.8 < few.iou < more.iou - 0.05 and more.overlap < 0.01
    assert few.parts[0].dtype == torch.float64 and few.holes == more.holes == (1, 1)
    thin = ml.decompose(ring, max_parts=10, max_vertices=12)
    assert len(thin) <= 10
    assert all(part.num_vertices <= 12 and is_convex(part) for part in thin)
    assert sum(float(part.volume()) for part in thin) > 0.7 * float(ring.volume())
    found = ml.geometry.decompose(ring, concavity=0.05)
    assert found.concavity <= 0.05 and few.concavity > 0.05 and len(found.parts) < 10


def test_hulls_hold_the_solid_and_the_frame_does_not_matter():
    mesh = ml.load(shared_data("meshes", "fuze.obj"))
    here = ml.geometry.decompose(mesh, 4)
    there = ml.geometry.decompose(mesh.to(torch.float64).scale(1000).translate((1e5, 0, 0)), 4)
    assert len(here.parts) == len(there.parts) and abs(here.iou - there.iou) < 0.02
    depth = torch.stack(
        [ml.signed_distance(mesh.vertices.double(), part.to(torch.float64)) for part in here.parts]
    ).amin(0)
    assert float(depth.max()) < 4e-3 * math.dist(*mesh.bounds().tolist())


def test_the_same_again():
    ring = torus(segments=16, rings=8)
    a, b = (ml.geometry.decompose(ring, 3).parts for _ in range(2))
    assert all(torch.equal(x.vertices, y.vertices) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name, parts, least", [("fandisk.obj", 28, 0.97), ("spot.obj", 34, 0.98)])
@pytest.mark.slow
def test_real_shapes(name, parts, least):
    found = ml.geometry.decompose(ml.load(shared_data("meshes", name)), parts)
    assert len(found.parts) <= parts and found.iou > least and found.overlap < 0.01
    assert all(map(is_convex, found.parts))


def test_what_is_no_solid_is_mended_or_told():
    ball = icosphere(2)
    turned = ball.flip(torch.arange(ball.num_faces) % 3 == 0).mesh
    assert len(ml.geometry.decompose(turned).parts) == 1
    both = ml.mesh.cat([box(), box().translate((0.5, 0, 0))]).mesh
    two = ml.geometry.decompose(both)
    assert len(two.parts) == 1 and float(two.parts[0].volume()) == pytest.approx(1.5)
    with pytest.warns(UserWarning, match="encloses no solid"):
        found = ml.geometry.decompose(plane(segments=(2, 2)), 2)
    assert found.parts
    for wrong, match in (
        ({"parts": 0}, "parts: expected a number of at least 1"),
        ({"vertices": 3}, "vertices: expected a number of at least 4"),
        ({"concavity": 0.0}, "concavity: expected a share"),
    ):
        with pytest.raises(ValueError, match=match):
            ml.geometry.decompose(ball, **wrong)
    bad = ball.with_vertices(torch.full_like(ball.vertices, torch.nan))
    with pytest.raises(ValueError, match="finite"):
        ml.geometry.decompose(bad)


def test_parts_are_convex_as_they_are_rounded():
    far = torus(segments=24, rings=10).translate((300.0, 0.0, 0.0))  # 3e-5 of its size, in float32
    made = ml.geometry.decompose(far, 6)
    assert made.parts[0].dtype == torch.float32 and all(map(is_convex, made.parts))
