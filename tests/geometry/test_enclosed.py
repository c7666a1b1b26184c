"""What nobody sees from outside: found whatever its place and size, and nothing else."""

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.geometry import enclosed_faces, remove_enclosed
from meshlearn.mesh import CornerAttribute, Mesh, cat

D = torch.float64


def nested(*radii: float, level: int = 2, dtype=D) -> Mesh:
    balls = [shapes.icosphere(level, radius=r, dtype=dtype) for r in radii]
    return cat(balls).mesh


def loose(mesh: Mesh) -> Mesh:
    """Each triangle with corners of its own, as an STL has them."""
    corners = mesh.triangles.reshape(-1, 3)
    return Mesh(corners, torch.arange(len(corners)).reshape(-1, 3))


def car() -> tuple[Mesh, int]:
    """A body of loose panels with an engine, a cabin shell and bolts in it; the body's faces."""
    body = loose(shapes.box((4.0, 1.5, 1.2), dtype=D))
    inner = [
        shapes.box((1.0, 1.0, 0.6), dtype=D),
        shapes.torus(0.4, 0.1, dtype=D),
        loose(shapes.icosphere(1, radius=0.2, dtype=D)),
    ]
    for k, mesh in enumerate(inner):
        place = torch.tensor([1.2 * (k - 1), 0.0, 0.0], dtype=D)
        inner[k] = mesh.with_vertices(mesh.vertices + place)
    return cat([body, *inner]).mesh, body.num_faces


@pytest.mark.parametrize("by", ["shells", "faces"])
@pytest.mark.parametrize(
    "place", [(0.0, 1.0), (4e6, 1.0), (0.0, 1e-6), (0.0, 1e9), (5e5, 1e-3)], ids=str
)
def test_of_nested_spheres_the_outermost_stays(by, place):
    where, size = place
    mesh = nested(1.0, 0.7, 0.3)
    mesh = mesh.with_vertices(mesh.vertices * size + where)
    edit = remove_enclosed(mesh, by=by, rays=8)
    assert edit.mesh.num_faces == 320 and edit.mesh.is_watertight
    assert torch.equal(edit.face_map[:320], torch.arange(320))
    assert bool((edit.face_map[320:] == -1).all()) and bool((edit.vertex_map[162:] == -1).all())
    assert torch.equal(edit.mesh.vertices, mesh.vertices[:162])


def test_single_precision_far_off_is_looked_at_in_double():
    mesh = nested(100.0, 70.0, dtype=torch.float32)
    mesh = mesh.with_vertices(mesh.vertices + torch.tensor([5e5, 4e6, 0.0]))
    assert remove_enclosed(mesh, rays=4).mesh.num_faces == 320


def test_spheres_beside_each_other_stay():
    mesh = nested(1.0, 0.5)
    v = mesh.vertices.clone()
    v[162:] += 3
    assert remove_enclosed(mesh.with_vertices(v)).mesh.num_faces == 640


@pytest.mark.parametrize("by", ["shells", "faces"])
def test_a_car_of_loose_panels_loses_what_is_in_it(by):
    mesh, body = car()
    hidden = enclosed_faces(mesh, by=by)
    assert not bool(hidden[:body].any()) and bool(hidden[body:].all())


def test_an_open_shell_is_seen_from_inside_and_shows_what_is_in_it():
    ball = shapes.icosphere(3, dtype=D)
    bowl = ball.submesh(ball.triangles.mean(1)[:, 2] < 0.5).mesh
    marble = shapes.icosphere(2, radius=0.2, dtype=D)
    mesh = cat([bowl, marble]).mesh
    for turned in (mesh, mesh.flip().mesh):  # from either side
        assert not bool(enclosed_faces(turned).any())
    lid = ball.submesh(ball.triangles.mean(1)[:, 2] >= 0.5).mesh
    shut = cat([bowl, marble, lid]).mesh
    hidden = enclosed_faces(shut)
    assert int(hidden.sum()) == marble.num_faces
    assert bool(hidden[bowl.num_faces : bowl.num_faces + marble.num_faces].all())


def test_a_small_opening_shows_a_shell_of_few_faces():
    ball = shapes.icosphere(4, dtype=D)
    hole = ball.triangles.mean(1)[:, 2] < 0.97
    mesh = cat([ball.submesh(hole).mesh, shapes.tetrahedron(0.3, dtype=D)]).mesh
    assert not bool(enclosed_faces(mesh).any())
    assert int(enclosed_faces(mesh, share=0.1).sum()) == 4
    assert not bool(enclosed_faces(mesh, share=1e-4).any())


def test_single_faces_go_where_asked_and_shells_stay_whole():
    """A rod through the wall of a ball: its inner half is enclosed, the shell is not."""
    outer = shapes.icosphere(3, dtype=D)
    rod = shapes.uv_sphere(16, 32, dtype=D)
    rod = rod.with_vertices(rod.vertices * torch.tensor([0.2, 0.2, 1.0], dtype=D))
    rod = rod.with_vertices(rod.vertices + torch.tensor([0.0, 0.0, 0.9], dtype=D))
    mesh = cat([outer, rod]).mesh
    assert not bool(enclosed_faces(mesh).any())
    hidden = enclosed_faces(mesh, by="faces")
    assert not bool(hidden[: outer.num_faces][outer.triangles.mean(1)[:, 2] < 0.9].any())
    radius = rod.triangles.norm(dim=2)
    inside, outside = (radius < 0.98).all(1), (radius > 1).all(1)
    assert bool(hidden[outer.num_faces :][inside].all())
    assert not bool(hidden[outer.num_faces :][outside].any())


def test_walls_of_a_deep_groove_are_found_from_their_neighbours():
    """A shaft ten times as deep as wide: its floor sees 0.25 % of all directions."""
    n = 40
    z = torch.linspace(0, -10, n + 1, dtype=D)
    ring = torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=D)
    v = torch.cat([torch.cat([ring, z[k].expand(4, 1)], 1) for k in range(n + 1)])
    faces = []
    for k in range(n):
        for i in range(4):
            a, b = 4 * k + i, 4 * k + (i + 1) % 4
            faces += [[a, b, a + 4], [b, b + 4, a + 4]]
    faces += [[4 * n, 4 * n + 1, 4 * n + 2], [4 * n, 4 * n + 2, 4 * n + 3]]
    shaft = Mesh(v, torch.tensor(faces))
    wide = v.clone()
    wide[:, :2] = (wide[:, :2] - 0.5) * 1.5 + 0.5
    wide[:, 2] = wide[:, 2] * 1.01
    around = Mesh(wide, shaft.faces)  # so that nothing is seen through the walls
    rim = torch.tensor([[i, (i + 1) % 4, i + len(v)] for i in range(4)])
    rest = torch.tensor([[(i + 1) % 4, (i + 1) % 4 + len(v), i + len(v)] for i in range(4)])
    mesh = Mesh(
        torch.cat([shaft.vertices, around.vertices]),
        torch.cat([shaft.faces, around.faces + len(v), rim, rest]),
    )
    assert mesh.is_watertight
    assert not bool(enclosed_faces(mesh, by="faces", rays=4).any())


def test_every_attribute_goes_along():
    mesh = nested(0.5, 1.0)
    count, faces = mesh.num_vertices, mesh.num_faces
    mesh = Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={"heat": torch.arange(count)},
        face_attributes={"material": torch.arange(faces) % 2},
        corner_attributes={"uv": CornerAttribute(torch.rand(3 * faces, 2), _corners(faces))},
        materials=["red", "blue"],
    )
    made, vertex_map, face_map = remove_enclosed(mesh)
    kept = (face_map >= 0).nonzero().squeeze(1)
    assert kept.tolist() == list(range(320, 640))
    assert torch.equal(made.vertex_attributes["heat"], (vertex_map >= 0).nonzero().squeeze(1))
    assert torch.equal(made.face_attributes["material"], mesh.face_attributes["material"][kept])
    was = mesh.corner_attributes["uv"].dense()[kept]
    assert torch.equal(made.corner_attributes["uv"].dense(), was)
    assert made.materials == ("red", "blue")


def _corners(faces: int) -> torch.Tensor:
    return torch.arange(3 * faces).reshape(-1, 3)


def test_flat_faces_stay_with_what_they_lie_on():
    ball = shapes.icosphere(2, dtype=D)
    flat = torch.stack([ball.faces[:, 0], ball.faces[:, 0], ball.faces[:, 1]], 1)
    mesh = Mesh(ball.vertices, torch.cat([ball.faces, flat]))
    for by in ("shells", "faces"):
        assert not bool(enclosed_faces(mesh, by=by).any())


def test_same_answer_each_time_and_by_ones_own_generator():
    mesh, _ = car()
    once = enclosed_faces(mesh, by="faces", rays=2)
    assert torch.equal(once, enclosed_faces(mesh, by="faces", rays=2))
    own = torch.Generator().manual_seed(5)
    assert int(enclosed_faces(mesh, by="shells", generator=own).sum()) == int(once.sum())


def test_empty_meshes_and_wrong_arguments():
    empty = Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert remove_enclosed(empty).mesh.num_faces == 0
    ball = shapes.icosphere(1)
    for wrong, text in (
        ({"by": "parts"}, "by: expected 'shells' or 'faces', got 'parts'"),
        ({"rays": 0}, "rays: expected a whole number of at least 1, got 0"),
        ({"share": 1.0}, "share: expected a number from 0 to below 1, got 1.0"),
    ):
        with pytest.raises(ValueError, match=text):
            remove_enclosed(ball, **wrong)
    with pytest.raises(ValueError, match="mesh: expected a Mesh"):
        remove_enclosed("ball")
    bad = ball.vertices.clone()
    bad[0] = float("nan")
    with pytest.raises(ValueError, match="finite"):
        remove_enclosed(ball.with_vertices(bad))
