"""Remeshing: even triangles on the same surface, features where they were, attributes along."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere, plane, torus
from meshlearn.geometry import remesh, remesh_edit
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
    with pytest.raises(ValueError, match=r"edge_length: 1e-06 would make .* faces; take"):
        # no area, but sides
        thin = ml.Mesh([[0.0, 0, 0], [1e4, 0, 0], [0, 1e-5, 0]], [[0, 1, 2]])
        remesh(thin, 1e-6)
    with pytest.raises(ValueError, match="got none"):
        remesh(ball)
    for faces in (0, 3, -5, 1.5, True, 10**9):
        with pytest.raises(ValueError, match="faces: expected a whole number from 4"):
            remesh(ball, faces=faces)
    for other in ({"edge_length": 0.1}, {"error": 0.1}):
        with pytest.raises(ValueError, match="faces: expected no other size"):
            remesh(ball, faces=100, **other)
    for error in (0, -1.0, math.nan, math.inf, "fine"):
        with pytest.raises(ValueError, match="error"):
            remesh(ball, error=error)
    with pytest.raises(ValueError, match="adaptive"):
        remesh(ball, error=0.1, adaptive=True)
    with pytest.raises(ValueError, match=r"would make .* faces"):
        remesh(ball, 1e-4, error=1e-12)
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


@pytest.mark.parametrize("name", ["armadillo.obj", "block.obj", "camelhead.off", "lilium.obj"])
def test_what_is_a_manifold_stays_one(name):
    mesh = ml.load(shared_data("meshes", name)).merge_vertices().mesh
    low, high = mesh.bounds()
    size = float((high - low).norm())
    assert mesh.is_vertex_manifold
    for length in (0.04, 0.015):
        made = remesh(mesh, length * size)
        assert made.is_vertex_manifold and made.is_consistently_oriented
        assert made.is_watertight == mesh.is_watertight
        assert made.topology.euler_number == mesh.topology.euler_number
        assert float(lengths(made).mean()) == pytest.approx(length * size, rel=0.12)
        far = ml.point_mesh_distance(made.vertices, mesh)[0].sqrt()
        assert float(far.max()) < 0.3 * length * size  # on features; else on the surface
        assert float((far < 1e-5 * size).float().mean()) > 0.85
        # no face looks to the other side
        place = ml.point_mesh_distance(made.triangles.mean(1), mesh)
        alike = (made.face_normals() * mesh.face_normals()[place.face]).sum(1) > 0
        assert float(alike.float().mean()) > 0.98


def test_a_number_of_faces():
    ball = icosphere(4)
    for faces in (400, 3001, 20_000):
        for adaptive in (False, True):
            made = remesh(ball, faces=faces, adaptive=adaptive)
            assert abs(made.num_faces - faces) <= 2
            assert made.is_watertight and made.is_vertex_manifold
    assert remesh(plane(), faces=333).num_faces == pytest.approx(333, abs=1)


def test_a_number_of_faces_that_features_do_not_allow_is_told():
    with pytest.warns(UserWarning, match=r"remesh: \d+ faces, not 4: "):
        made = remesh(torus(segments=40, rings=20), faces=4)
    assert made.is_watertight and made.topology.euler_number == 0


def egg() -> ml.Mesh:
    """Strongly bent at both ends, nearly straight between."""
    return icosphere(5).scale((1.0, 1.0, 6.0))


def test_edges_are_short_where_the_surface_bends():
    made, even = remesh(egg(), 0.3, adaptive=True), remesh(egg(), 0.3)
    assert made.is_watertight and made.is_vertex_manifold
    assert made.num_faces == pytest.approx(even.num_faces, rel=0.3)
    ends = made.vertices[made.topology.edges]
    height, length = ends.mean(1)[:, 2].abs(), (ends[:, 0] - ends[:, 1]).norm(dim=1)
    tip, side = length[height > 5.8].mean(), length[height < 3].mean()
    assert float(tip) < 0.6 * float(side)
    # graded: both ends of an edge have edges of nearly one length
    faces = made.face_areas()
    left, right = faces[made.topology.face_pairs].unbind(1)
    ratio = torch.maximum(left, right) / torch.minimum(left, right)
    assert float(ratio.quantile(0.99)) < 2.5
    far = [float(ml.point_mesh_distance(egg().vertices, m)[0].sqrt().max()) for m in (made, even)]
    assert far[0] < 0.7 * far[1]


@pytest.mark.parametrize("error", [0.02, 0.004])
def test_an_error_is_about_kept(error):
    made = remesh(egg(), error=error)
    assert made.is_watertight and made.is_vertex_manifold
    points = ml.sample_points(made, 20_000, generator=torch.Generator().manual_seed(0))
    far = ml.point_mesh_distance(points, egg())[0].sqrt()
    assert error / 8 < float(far.quantile(0.99)) < 1.1 * error and float(far.max()) < 2 * error
    # as coarse as that allows, and no coarser than is asked
    assert made.num_faces < remesh(egg(), error=error / 4).num_faces / 2
    assert float(lengths(remesh(egg(), 0.2, error=error)).max()) < 0.2 * 1.7


def test_where_vertices_and_faces_lie_is_told():
    ball = icosphere(4).translate((3.0, 0.0, 0.0)).to(torch.float64)
    doubled = ml.mesh.cat([ball, ball]).mesh  # each face twice, each vertex too
    found = remesh_edit(doubled, 0.1)
    assert torch.equal(found.mesh.vertices, remesh(doubled, 0.1).vertices)
    corners = doubled.vertices[doubled.faces[found.face]]
    place = (corners * found.barycentric[:, :, None]).sum(1)
    assert torch.allclose(place, found.mesh.vertices, atol=1e-9)
    assert torch.allclose(found.barycentric.sum(1), torch.ones(len(place), dtype=torch.float64))
    middle = doubled.triangles[found.face_index].mean(1)
    assert float((middle - found.mesh.triangles.mean(1)).norm(dim=1).max()) < 0.08


def split_uv(rings: int = 24) -> ml.Mesh:
    """A tube whose texture coordinates jump along one line."""
    turn = torch.arange(rings + 1) / rings * 2 * math.pi
    x, y = turn.cos(), turn.sin()
    x[-1], y[-1] = x[0], y[0]
    rows = [torch.stack([x, y, torch.full_like(x, 0.25 * k)], 1) for k in range(13)]
    vertices = torch.cat(rows)
    a = (torch.arange(12)[:, None] * (rings + 1) + torch.arange(rings)).reshape(-1)
    b, c, d = a + 1, a + rings + 2, a + rings + 1
    faces = torch.cat([torch.stack([a, b, c], 1), torch.stack([a, c, d], 1)])
    uv = torch.stack([(turn / (2 * math.pi)).repeat(13), vertices[:, 2] / 3], 1)
    return ml.Mesh(vertices, faces, vertex_attributes={"uv": uv})


def test_seams_of_textures_stay_where_they_are():
    tube = split_uv()
    made = remesh(tube, 0.15)
    uv = made.corner_attributes["uv"].dense()
    at = made.triangles
    # each corner has the coordinates of its place, 0 and 1 being apart
    turn = torch.atan2(at[..., 1], at[..., 0]) / (2 * math.pi) % 1
    off = (uv[..., 0] - turn).abs()
    assert float(torch.minimum(off, 1 - off).max()) < 0.01
    assert float((uv[..., 0].amax(1) - uv[..., 0].amin(1)).max()) < 0.1  # no face crosses
    line = made.vertices[(made.vertices[:, :2] - torch.tensor([1.0, 0])).norm(dim=1) < 1e-5]
    assert len(line) > 15


def test_small_charts_do_not_keep_their_seams():
    ball = icosphere(3)
    # each face a chart of its own
    index = torch.arange(3 * ball.num_faces).view(-1, 3)
    uv = ml.CornerAttribute(torch.rand(3 * ball.num_faces, 2), index)
    mesh = ml.Mesh(ball.vertices, ball.faces, corner_attributes={"uv": uv})
    made = remesh(mesh, 0.3)
    assert torch.equal(made.faces, remesh(ball, 0.3).faces)


def test_edges_of_many_faces_are_cut_and_stay():
    one = box((1.0, 1.0, 1.0))
    both = ml.mesh.cat([one, one.translate((1.0, 1.0, 0.0))]).mesh.merge_vertices().mesh
    made = remesh(both, 0.12)
    topology = made.topology
    many = topology.edges[topology.edge_face_counts > 2]
    assert bool((topology.edge_face_counts[topology.edge_face_counts > 2] == 4).all())
    at = made.vertices[many]
    assert torch.allclose(at[..., :2], torch.full_like(at[..., :2], 0.5), atol=1e-6)
    length = (at[:, 0] - at[:, 1]).norm(dim=1)
    assert float(length.sum()) == pytest.approx(1.0, abs=1e-5) and float(length.max()) < 0.17
    assert float(made.face_areas().sum()) == pytest.approx(12.0, abs=1e-4)
