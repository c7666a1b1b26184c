"""Solids put together, cut and wrapped in hulls; what their attributes become."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import box, icosphere
from meshlearn.geometry import boolean, convex_hull, split_by_plane
from tests.shared_data import shared_data

pytest.importorskip("manifold3d")

SHIFT = (0.5, 0.25, 0.125)
LEFT = (1 - 0.5) * (1 - 0.25) * (1 - 0.125)  # volume that two unit boxes share


def painted(mesh: Mesh, color, material="m", **more) -> Mesh:
    """A mesh with an attribute on every domain, and one that is its own position."""
    color = torch.tensor(color).expand(mesh.num_vertices, 3).contiguous()
    return Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={"color": color, "place": mesh.vertices.clone(), **more},
        face_attributes={
            "material": torch.zeros(mesh.num_faces, dtype=torch.int64),
            "number": torch.arange(mesh.num_faces),
        },
        corner_attributes={"uv": CornerAttribute(mesh.vertices[:, :2].clone(), mesh.faces)},
        materials=[material],
    )


@pytest.mark.parametrize(
    ("operation", "volume"),
    [("union", 2 - LEFT), ("difference", 1 - LEFT), ("intersection", LEFT)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_volumes_of_two_boxes(operation, volume, dtype):
    a = box(dtype=dtype)
    made = boolean(a, a.translate(SHIFT), operation).mesh
    assert made.dtype == dtype and made.is_watertight and made.is_consistently_oriented
    assert float(made.volume()) == pytest.approx(volume, rel=1e-6)


def test_each_corner_lies_where_its_old_face_says():
    a, b = icosphere(3).to(torch.float64), icosphere(2).to(torch.float64).translate(SHIFT)
    made = boolean(a, b, "difference")
    for number, old in enumerate((a, b)):
        mine = made.source == number
        corners = old.triangles[made.face_index[mine]]
        at = (corners[:, None] * made.barycentric[mine][..., None]).sum(2)
        assert mine.any() and (at - made.mesh.triangles[mine]).abs().max() < 1e-12
    assert set(made.source.tolist()) == {0, 1}
    assert (made.barycentric.sum(2) - 1).abs().max() < 1e-12


def test_attributes_are_carried_on_every_domain():
    a, b = painted(icosphere(3), [1.0, 0, 0], "red"), painted(icosphere(2), [0, 0, 1.0], "blue")
    b = b.translate(SHIFT)
    b.vertex_attributes["place"] = b.vertices.clone()
    made = boolean(a, b, "union")
    mesh = made.mesh
    assert mesh.materials == ("red", "blue")
    assert torch.equal(mesh.face_attributes["material"], made.source)
    assert torch.equal(mesh.face_attributes["number"], made.face_index)
    # both agree on the place, so that it stays one of vertices; on the colour they do not
    assert (mesh.vertex_attributes["place"] - mesh.vertices).abs().max() < 1e-6
    color = mesh.corner_attributes["color"].dense()
    want = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[made.source]
    assert (color - want[:, None]).abs().max() < 1e-6
    uv, at = mesh.corner_attributes["uv"].dense(), mesh.triangles[..., :2].clone()
    at[made.source == 1] -= torch.tensor(SHIFT[:2])
    assert (uv - at).abs().max() < 1e-6
    touched = torch.zeros(2, mesh.num_vertices, dtype=torch.bool)
    for number in (0, 1):
        touched[number, mesh.faces[made.source == number]] = True
    both = int(touched.all(0).sum())  # where the surfaces meet, there are two values, else one
    assert both > 50 and len(mesh.corner_attributes["uv"].values) == mesh.num_vertices + both


def test_what_one_mesh_lacks_is_filled_and_said_by_its_material():
    made = boolean(painted(icosphere(2), [1.0, 0, 0], "red"), box((1, 1, 3)), "difference")
    mesh = made.mesh
    assert mesh.materials == ("red", "default")
    assert torch.equal(mesh.face_attributes["material"], made.source)
    color = mesh.corner_attributes["color"].dense()
    assert (color[made.source == 1] - 1).abs().max() < 1e-6
    assert (color[made.source == 0] - torch.tensor([1.0, 0, 0])).abs().max() < 1e-6
    assert bool((mesh.corner_attributes["uv"].dense()[made.source == 1] == 0).all())
    same = boolean(*[painted(m, [1.0, 0, 0], "red") for m in (icosphere(2), box())]).mesh
    assert same.materials == ("red",) and not same.face_attributes["material"].any()


def test_normals_of_what_is_taken_away_turn_round():
    a, b = box(segments=2), icosphere(3).scale(0.6)
    b.vertex_attributes["normal"] = b.vertices / b.vertices.norm(dim=1, keepdim=True)
    made = boolean(a, b, "difference")
    normal = made.mesh.corner_attributes["normal"].dense()
    along = (normal * made.mesh.face_normals()[:, None]).sum(2)[made.source == 1]
    assert along.min() > 0.9
    assert (normal.norm(dim=2) - 1).abs().max() < 1e-5


def test_several_are_joined_or_taken_away_at_once():
    parts = [box().translate((1.5 * i, 0, 0)) for i in range(3)]
    whole = boolean(parts[0], parts[1:])
    assert float(whole.mesh.volume()) == pytest.approx(3) and set(whole.source.tolist()) == {
        0,
        1,
        2,
    }
    rod = box((10, 0.5, 0.5))
    left = boolean(rod, parts, "difference").mesh
    assert float(left.volume()) == pytest.approx(10 * 0.25 - 3 * 0.25)


def test_nothing_left_is_an_empty_mesh_with_the_names():
    a = painted(box(), [1.0, 0, 0])
    made = boolean(a, a.translate((5, 0, 0)), "intersection")
    assert made.mesh.num_faces == 0 and made.source.shape == (0,)
    assert made.barycentric.shape == (0, 3, 3)
    assert "number" in made.mesh.face_attributes


def test_vertices_apart_along_seams_are_taken_together():
    a = box()
    apart = Mesh(a.triangles.reshape(-1, 3), torch.arange(3 * a.num_faces).view(-1, 3))
    made = boolean(apart, box().translate(SHIFT))
    assert float(made.mesh.volume()) == pytest.approx(2 - LEFT)
    assert made.mesh.is_watertight


def test_the_same_twice():
    a, b = icosphere(3), icosphere(3).translate(SHIFT)
    one, two = boolean(a, b), boolean(a, b)
    assert torch.equal(one.mesh.vertices, two.mesh.vertices)
    assert torch.equal(one.mesh.faces, two.mesh.faces)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda m: m.submesh(torch.arange(1, m.num_faces)).mesh, "3 edges have one face only"),
        (lambda m: m.flip().mesh, "its volume is negative, so that it is inside out; mesh.flip"),
        (lambda m: m.flip(torch.arange(m.num_faces) < 1).mesh, "turn against each other.*orient"),
        (lambda m: m.submesh(torch.zeros(0, dtype=torch.int64)).mesh, "at least one face"),
        (lambda m: m.with_vertices(m.vertices / 0), "NaN or infinite"),
        (
            lambda m: Mesh(m.vertices, torch.cat((m.faces, m.faces[:1]))),
            "an odd number of faces",
        ),
    ],
)
def test_what_encloses_no_solid_is_refused_with_the_mend(broken, words):
    good = icosphere(1)
    with pytest.raises(ValueError, match="b.*" + words) as caught:
        boolean(good, broken(good))
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="operation: expected one of union"):
        boolean(good, good, "xor")


def test_halves_of_a_ball():
    ball = painted(icosphere(4), [1.0, 0, 0])
    up = torch.tensor([0.0, 0.6, 0.8])
    top, low = split_by_plane(ball, 0.3 * up, 5 * up)
    assert top.mesh.is_watertight and low.mesh.is_watertight
    assert float((top.mesh.vertices @ up).min()) > 0.3 - 1e-6
    cap = math.pi * 0.7**2 / 3 * (3 - 0.7)
    assert float(top.mesh.volume()) == pytest.approx(cap, rel=0.01)
    whole = float(top.mesh.volume() + low.mesh.volume())
    assert whole == pytest.approx(float(ball.volume()), rel=1e-5)
    lid = top.source == -1
    area = float(top.mesh.face_areas()[lid].sum())
    assert area == pytest.approx(math.pi * (1 - 0.09), rel=0.01)
    assert bool((top.face_index[lid] == -1).all())
    # the rim's colour is the lid's, its material is its own
    assert (top.mesh.vertex_attributes["color"] - torch.tensor([1.0, 0, 0])).abs().max() < 1e-6
    assert top.mesh.materials == ("m", "default")
    assert torch.equal(top.mesh.face_attributes["material"] == 1, lid)
    with pytest.raises(ValueError, match="normal: expected a direction"):
        split_by_plane(ball, up, 0 * up)


def test_a_hull_has_points_that_were_given():
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(500, 3, generator=generator)
    hull = convex_hull(points)
    assert torch.equal(hull.mesh.vertices, points[hull.vertex_index])
    assert hull.mesh.is_watertight and float(hull.mesh.volume()) > 0
    heights = (points[:, None] - hull.mesh.triangles[None, :, 0]) * hull.mesh.face_normals()[None]
    assert float(heights.sum(2).max()) < 1e-5
    whole = convex_hull(painted(icosphere(2), [1.0, 0, 0]))
    assert whole.mesh.num_vertices == 162
    assert torch.equal(whole.mesh.vertex_attributes["place"], whole.mesh.vertices)
    for flat in (torch.rand(3, 3), torch.rand(50, 3) * torch.tensor([1.0, 1, 0])):
        with pytest.raises(ValueError, match="do not lie in one plane"):
            convex_hull(flat)


@pytest.mark.parametrize("name", ["spot.obj", "block.obj", "rocker-arm.obj"])
def test_real_meshes_with_themselves_moved(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    size = float((mesh.bounds()[1] - mesh.bounds()[0]).max())
    other = mesh.rotate("y", 30, about=mesh.centroid()).translate([0.1 * size, 0, 0])
    volumes = {}
    for operation in ("union", "difference", "intersection"):
        made = boolean(mesh, other, operation)
        assert made.mesh.is_watertight and made.mesh.is_consistently_oriented
        assert set(made.mesh.corner_attributes) >= set(mesh.corner_attributes)
        volumes[operation] = float(made.mesh.volume())
    both = float(mesh.volume() + other.volume())
    assert volumes["union"] + volumes["intersection"] == pytest.approx(both, rel=1e-6)
    assert volumes["difference"] + volumes["intersection"] == pytest.approx(
        float(mesh.volume()), rel=1e-6
    )


def test_a_hull_far_from_the_origin_has_the_same_points():
    points = ml.data.shapes.icosphere(2).vertices.double()
    shift = torch.tensor([5e5, 4e6, -2e7], dtype=torch.float64)
    near, far = ml.geometry.convex_hull(points), ml.geometry.convex_hull(points + shift)
    assert far.mesh.num_vertices == near.mesh.num_vertices == len(points)
    assert abs(float(far.mesh.volume()) - float(near.mesh.volume())) < 1e-6


def beside(one: Mesh, other: Mesh) -> Mesh:
    faces = torch.cat([one.faces, other.faces + one.num_vertices])
    return Mesh(torch.cat([one.vertices, other.vertices]), faces)


def test_a_part_that_is_inside_out_beside_others_is_refused():
    ball = icosphere(1, dtype=torch.float64)
    far = ball.translate((3.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"1 of its 2 parts are inside out.*repair"):
        boolean(beside(ball, far.flip().mesh), far, "union")
    hollow = beside(ball, ball.scale(0.5).flip().mesh)
    made = boolean(hollow, far, "union")  # a cavity looks inward
    assert float(made.mesh.volume()) == pytest.approx(float(hollow.volume()) + float(far.volume()))
