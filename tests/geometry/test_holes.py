"""Holes filled, islands dropped."""

import math
import time
import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh, geometry
from meshlearn.data import shapes
from tests.shared_data import shared_data


def without(mesh: Mesh, cut: torch.Tensor) -> Mesh:
    """The mesh without faces of a mask."""
    return mesh.submesh(~cut).mesh


def cap(height: float, subdivisions: int = 4) -> Mesh:
    """A unit sphere that ends at a height."""
    ball = shapes.icosphere(subdivisions, dtype=torch.float64)
    return without(ball, (ball.triangles[:, :, 2] > height).all(1))


def sound(made: Mesh) -> None:
    assert made.is_watertight and made.is_vertex_manifold and made.is_consistently_oriented
    assert not bool((ml.metrics.self_intersections(made) >= 0).any())


def test_a_square_is_two_triangles():
    box = shapes.box(dtype=torch.float64)
    opened = without(box, (box.triangles[:, :, 0] > 0.49).all(1))
    made = geometry.fill_holes(opened)
    sound(made)
    assert made.num_faces == 12 and made.num_vertices == 8
    assert float(made.volume()) == pytest.approx(1.0)


def test_the_least_area_is_found():
    """Of all ways to span a bent rim, counted one by one."""
    rng = torch.Generator().manual_seed(0)
    n = 7
    angle = 2 * math.pi * torch.arange(n) / n
    rim = torch.stack([angle.cos(), angle.sin(), torch.rand(n, generator=rng)], 1).double()
    rim = torch.cat([rim, torch.tensor([[0.0, 0, -3]], dtype=torch.float64)])
    cone = Mesh(rim, torch.tensor([[i, n, (i + 1) % n] for i in range(n)]))
    made = geometry.fill_holes(cone, smooth=False)
    found = float(made.face_areas()[n:].sum())

    def ways(loop):
        if len(loop) < 3:
            return [0.0]
        out = []
        for k in range(1, len(loop) - 1):
            corner = rim[[loop[0], loop[k], loop[-1]]]
            area = float(torch.linalg.cross(corner[1] - corner[0], corner[2] - corner[0]).norm())
            rest = (ways(loop[: k + 1]), ways(loop[k:]))
            out += [area / 2 + a + b for a in rest[0] for b in rest[1]]
        return out

    assert made.is_watertight and found == pytest.approx(min(ways(list(range(n)))))


@pytest.mark.parametrize("height", [0.9, 0.6])
def test_a_sphere_goes_on_round(height):
    opened = cap(height)
    flat, round_ = geometry.fill_holes(opened, smooth=False), geometry.fill_holes(opened)
    for made in (flat, round_):
        sound(made)
        assert torch.equal(made.vertices[: opened.num_vertices], opened.vertices)
    off = (round_.vertices.norm(dim=1) - 1).abs().max()
    assert float(off) < 0.03 * (1 - height)  # a flat fill is off by 1 - height
    edges = round_.vertices[round_.topology.edges]
    length = (edges[:, 0] - edges[:, 1]).norm(dim=1)
    assert float(length.max()) < 3 * float(length.median())
    assert round_.num_vertices > opened.num_vertices and flat.num_vertices == opened.num_vertices


def test_by_size():
    ball = cap(0.95)
    two = without(ball, (ball.triangles[:, :, 2] < -0.5).all(1))
    made = geometry.fill_holes(two, up_to=1.0)
    assert len(two.topology.boundary_loops()) == 2 and len(made.topology.boundary_loops()) == 1
    assert float(made.vertices[made.topology.boundary_loops()[0], 2].max()) < -0.4
    assert geometry.fill_holes(two, up_to=0.0) is two


def test_nothing_is_filled_across_what_is_there():
    """A ball in the opening of a cup, through which every fill would pass."""
    cup = cap(0.3, 3)
    ball = shapes.icosphere(3, radius=0.6, dtype=torch.float64).translate((0.0, 0.0, 0.5))
    both = Mesh(
        torch.cat([cup.vertices, ball.vertices]),
        torch.cat([cup.faces, ball.faces + cup.num_vertices]),
    )
    with pytest.warns(UserWarning, match="is left, since what fills it would cross"):
        made = geometry.fill_holes(both)
    assert made is both


def cut_at(mesh: Mesh, place: torch.Tensor, radius: float) -> Mesh:
    return without(mesh, (mesh.triangles.mean(1) - place).norm(dim=1) < radius)


@pytest.mark.parametrize("turned", [0.0, 0.4])
def test_a_jagged_rim_is_not_folded_back(turned):
    """A corner of a box cut off: the least area lies in part on the faces around the hole."""
    box = geometry.subdivide(shapes.box(dtype=torch.float64), 4).mesh
    corner = torch.full((3,), 0.5, dtype=torch.float64)
    jag = 0.06 * torch.sin(40 * box.triangles.mean(1).sum(1) + turned)
    opened = without(box, (box.triangles.mean(1) - corner).norm(dim=1) + jag < 0.35)
    opened = geometry.drop_islands(opened, 9.0)
    for smooth in (True, False):
        made = geometry.fill_holes(opened, smooth=smooth)
        sound(made)
        assert 0.95 < float(made.volume()) < 1.01


@pytest.mark.parametrize(
    ("name", "share", "at"),
    [("fandisk.obj", 0.08, 3210), ("fandisk.obj", 0.15, 900), ("rocker-arm.obj", 0.15, 4000)],
)
def test_holes_cut_into_real_shapes(name, share, at):
    mesh = ml.load(shared_data("meshes", name)).to(torch.float64)
    size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).norm())
    opened = cut_at(mesh, mesh.vertices[at], share * size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = geometry.fill_holes(opened)
    sound(made)
    assert float(made.volume()) == pytest.approx(float(mesh.volume()), rel=0.15)


def test_a_rim_that_meets_itself_is_of_two_holes():
    ball = shapes.icosphere(2, dtype=torch.float64)
    vertex = 7
    fan = (ball.faces == vertex).any(1).nonzero().squeeze(1)
    common = torch.isin(ball.faces[fan], ball.faces[fan[0]]).sum(1)
    cut = torch.zeros(ball.num_faces, dtype=torch.bool)
    cut[fan[[0, int(common.argmin())]]] = True
    opened = without(ball, cut)
    assert not opened.is_vertex_manifold
    made = geometry.fill_holes(opened)
    sound(made)
    assert float(made.volume()) == pytest.approx(float(ball.volume()), rel=1e-9)


def test_many_faces_missing_come_back():
    ball = shapes.icosphere(4, dtype=torch.float64)
    gone = torch.rand(ball.num_faces, generator=torch.Generator().manual_seed(0)) < 0.02
    made = geometry.fill_holes(geometry.drop_islands(without(ball, gone), 1.0))
    sound(made)
    assert float(made.volume()) == pytest.approx(float(ball.volume()), rel=3e-3)


def test_a_long_rim_takes_no_longer_than_its_edges_ask():
    """Equations of a patch are sparse: three thousand of them are no matter of minutes."""
    opened = cap(0.6, 5)
    begin = time.process_time()
    made = geometry.fill_holes(opened)
    assert time.process_time() - begin < 20
    sound(made)
    assert made.num_vertices - opened.num_vertices > 1000
    assert float((made.vertices.norm(dim=1) - 1).abs().max()) < 0.02


def test_attributes_go_on():
    opened = cap(0.6, 3)
    opened.vertex_attributes["height"] = opened.vertices[:, 2:].clone()
    opened.face_attributes["part"] = torch.full((opened.num_faces,), 7)
    opened.corner_attributes["uv"] = CornerAttribute(opened.vertices[:, :2], opened.faces)
    made = geometry.fill_holes(opened)
    assert made.vertex_attributes["height"].shape == (made.num_vertices, 1)
    new = made.vertex_attributes["height"][opened.num_vertices :]
    assert len(new) and 0.4 < float(new.min()) and float(new.max()) < 0.8
    assert bool((made.face_attributes["part"] == 7).all())
    uv = made.corner_attributes["uv"]
    assert uv.index.shape == made.faces.shape
    rim = made.faces < opened.num_vertices
    assert torch.equal(uv.index[rim], made.faces[rim])


def test_real_holes():
    bunny = ml.load(shared_data("meshes", "stanford-bunny.obj"))
    holes = len(bunny.topology.boundary_loops())
    made = geometry.fill_holes(bunny)
    assert holes >= 5 and made.is_watertight and made.is_vertex_manifold
    assert float(made.volume()) == pytest.approx(7.5e-4, rel=0.03)


def test_islands():
    ball, dust = shapes.icosphere(3), shapes.icosphere(1, radius=0.05).translate((2.0, 0.0, 0.0))
    both = Mesh(
        torch.cat([ball.vertices, dust.vertices]),
        torch.cat([ball.faces, dust.faces + ball.num_vertices]),
    )
    made = geometry.drop_islands(both, 0.5)
    assert torch.equal(made.faces, ball.faces) and torch.equal(made.vertices, ball.vertices)
    assert geometry.drop_islands(both, 0.05) is both
    assert geometry.drop_islands(both, 99.0).num_faces == ball.num_faces  # the largest stays


def test_what_is_refused():
    ball = shapes.icosphere(1)
    for wrong in (-1.0, math.nan, "large"):
        with pytest.raises(ValueError, match="up_to: expected a length of at least 0"):
            geometry.fill_holes(ball, wrong)
        with pytest.raises(ValueError, match="below: expected a length of at least 0"):
            geometry.drop_islands(ball, wrong)
    with pytest.raises(ValueError, match="mesh: expected a Mesh"):
        geometry.fill_holes(ball.vertices)
    bad = cap(0.6, 2)
    bad.vertices[0] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        geometry.fill_holes(bad)


@pytest.mark.parametrize(("name", "seed"), [("horse_quad.obj", 10), ("hand.mesh", 12)])
def test_nothing_crosses_after_rounding(name, seed):
    """What fills a hole is looked at as the numbers that the mesh has."""
    whole = ml.load(shared_data("meshes", name))
    at = whole.vertices
    rng = torch.Generator().manual_seed(seed)
    middle = at[torch.randint(0, len(at), (6,), generator=rng)]
    radius = 0.08 * float((at.amax(0) - at.amin(0)).norm())
    keep = (torch.cdist(at, middle) > radius).all(1)
    holed = Mesh(at, whole.faces[keep[whole.faces].all(1)]).remove_unreferenced().mesh
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        made = geometry.fill_holes(holed)
    assert made.is_watertight or left
    assert made.is_consistently_oriented and made.is_edge_manifold
    assert not bool((ml.metrics.self_intersections(made) >= 0).any())


def test_many_small_holes_see_each_other(monkeypatch):
    """Patches are looked up by their boxes, old ones and those just made."""
    whole = shapes.icosphere(3)
    rng = torch.Generator().manual_seed(0)
    keep = torch.rand(whole.num_faces, generator=rng) > 0.2
    holed = Mesh(whole.vertices, whole.faces[keep]).remove_unreferenced().mesh
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a hole that is left
        one = geometry.fill_holes(holed)
        monkeypatch.setattr("meshlearn.geometry.holes._MERGED", 3)
        two = geometry.fill_holes(holed)
    assert torch.equal(one.faces, two.faces) and torch.equal(one.vertices, two.vertices)
    assert not bool((ml.metrics.self_intersections(one) >= 0).any())
    assert one.num_faces > 0.97 * whole.num_faces
