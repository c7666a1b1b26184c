"""Remeshing: even triangles on the same surface, features where they were, attributes along."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere, plane
from meshlearn.geometry import remesh
from meshlearn.metrics import self_intersections
from tests.shared_data import shared_data


def lengths(mesh: ml.Mesh) -> torch.Tensor:
    ends = mesh.vertices[mesh.topology.edges]
    return (ends[:, 0] - ends[:, 1]).norm(dim=1)


def test_a_ball_becomes_even_and_stays_a_ball():
    ball = icosphere(4).scale((1.0, 1.0, 1.6))
    made = remesh(ball, 0.12)
    assert made.is_watertight and made.is_vertex_manifold and made.is_consistently_oriented
    length = lengths(made) / 0.12
    assert float(length.mean()) == pytest.approx(1.0, abs=0.06)
    assert float(length.std()) < 0.14 and float(length.max()) < 1.6
    valence = torch.bincount(made.topology.edges.reshape(-1))
    assert float((valence == 6).float().mean()) > 0.7 and int(valence.max()) <= 8
    assert float(made.volume()) == pytest.approx(float(ball.volume()), rel=0.015)
    assert float(ml.point_mesh_distance(made.vertices, ball)[0].max()) ** 0.5 < 1e-5
    assert not bool((self_intersections(made) >= 0).any())


def test_edges_and_corners_of_a_box_stay():
    made = remesh(box((1.0, 1.0, 1.0)), 0.15)
    assert made.is_watertight
    assert float(made.volume()) == pytest.approx(1.0, abs=1e-6)
    assert float(made.face_areas().sum()) == pytest.approx(6.0, abs=1e-5)
    corners = box((1.0, 1.0, 1.0)).vertices
    assert float(ml.knn(corners, made.vertices)[0].max()) < 1e-10
    # without features the corners are given up
    assert float(remesh(box((1.0, 1.0, 1.0)), 0.15, sharp=180).volume()) < 0.999


def test_borders_stay_and_holes_too():
    sheet = plane()
    area = float(sheet.face_areas().sum())
    made = remesh(sheet, 0.07)
    assert not made.is_watertight and len(made.topology.boundary_loops()) == 1
    assert float(made.face_areas().sum()) == pytest.approx(area, rel=1e-5)
    assert torch.allclose(made.bounds(), sheet.bounds(), atol=1e-6)


def test_coarser_and_finer():
    ball = icosphere(5)
    coarse, fine = remesh(ball, 0.3), remesh(ball, 0.04)
    assert coarse.num_faces < 500 and fine.num_faces > 10_000
    wanted = 4 * math.pi / (math.sqrt(3) / 4 * 0.04**2)
    assert fine.num_faces == pytest.approx(wanted, rel=0.15)


def test_attributes_and_borders_between_materials_are_kept():
    ball = icosphere(4)
    north = ball.vertices[ball.faces].mean(1)[:, 2] > 0
    mesh = ml.Mesh(
        ball.vertices,
        ball.faces,
        vertex_attributes={"place": ball.vertices.clone()},
        face_attributes={"material": north.long()},
        materials=("south", "north"),
    )
    made = remesh(mesh, 0.15)
    assert made.materials == ("south", "north")
    assert float((made.vertex_attributes["place"] - made.vertices).abs().max()) < 0.02
    shares = [
        float(m.face_areas()[m.face_attributes["material"] == 1].sum() / m.face_areas().sum())
        for m in (made, mesh)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_anything_is_taken():
    ball = icosphere(3)
    # three sheets on one edge, a face twice, one without area, a vertex that no face uses
    extra = torch.tensor([[0, 1, 700], [0, 1, 2], [5, 5, 6]])
    vertices = torch.cat([ball.vertices, torch.zeros(60, 3), 2 * ball.vertices[:1]])
    extra[0, 2] = len(vertices) - 1
    odd = ml.Mesh(vertices, torch.cat([ball.faces, extra]))
    made = remesh(odd, 0.2)
    assert made.num_faces > 300 and bool(torch.isfinite(made.vertices).all())
    shift = torch.tensor([5e5, 4e6, 0.0], dtype=torch.float64)
    far = remesh(ball.to(torch.float64).translate(shift), 0.2)
    near = remesh(ball, 0.2)
    assert far.num_faces == near.num_faces and far.vertices.dtype == torch.float64
    assert float((far.vertices - shift - near.vertices).abs().max()) < 1e-5
    for scale in (1e-6, 1e9):
        scaled = remesh(ball.scale(scale), 0.2 * scale)
        assert abs(scaled.num_faces - near.num_faces) < 0.05 * near.num_faces


def test_the_same_twice_and_on_any_number_of_threads():
    before, made = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            made.append(remesh(icosphere(4), 0.1))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(made[0].faces, made[1].faces)
    assert torch.equal(made[0].vertices, made[1].vertices)


def test_refusals():
    ball = icosphere(2)
    for length in (0, -1.0, math.nan, math.inf, "fine"):
        with pytest.raises(ValueError, match="edge_length"):
            remesh(ball, length)
    with pytest.raises(ValueError, match=r"would make .* faces; take .* or more"):
        remesh(ball, 1e-6)
    with pytest.raises(ValueError, match="at least one face"):
        remesh(ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)), 1.0)
    with pytest.raises(ValueError, match="finite"):
        remesh(ball.with_vertices(ball.vertices * math.nan), 1.0)
    with pytest.raises(ValueError, match="rounds"):
        remesh(ball, 1.0, rounds=-1)
    with pytest.raises(ValueError, match="sharp"):
        remesh(ball, 1.0, sharp=0)


@pytest.mark.parametrize("name", ["spot.obj", "fandisk.obj", "3holes.off", "halftunnel.off"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name))
    joined = mesh.merge_vertices().mesh
    low, high = mesh.bounds()
    size = float((high - low).norm())
    made = remesh(mesh, 0.025 * size)
    assert made.is_watertight == joined.is_watertight
    assert made.topology.components().count == joined.topology.components().count
    euler = [
        m.topology.referenced.sum() - m.topology.num_edges + m.num_faces for m in (made, joined)
    ]
    assert int(euler[0]) == int(euler[1])
    crossing = [int((self_intersections(m) >= 0).sum()) for m in (made, joined)]
    assert crossing[0] <= crossing[1]
    points = ml.sample_points(made, 5000, generator=torch.Generator().manual_seed(0))
    assert float(ml.point_mesh_distance(points, joined)[0].max()) ** 0.5 < 0.02 * size
