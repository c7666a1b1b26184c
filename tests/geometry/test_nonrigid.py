"""A mesh bent onto another one: known bends are found back, and what is no match is left alone."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.geometry import deform, nonrigid, register_nonrigid
from meshlearn.geometry.nonrigid import _Blend, _folds, _stretch
from meshlearn.geometry.registration import Target
from meshlearn.geometry.rigid_cells import RigidCells
from tests.geometry.shapes import sphere
from tests.geometry.test_registration import bean
from tests.shared_data import shared_data


def bent(mesh: Mesh, degrees: float = 30.0) -> Mesh:
    """The mesh with its one end turned."""
    low, high = mesh.bounds()
    axis = int((high - low).argmax())
    share = (mesh.vertices[:, axis] - low[axis]) / (high - low)[axis]
    handles = (share < 0.2) | (share > 0.8)
    about = ((low + high) / 2).tolist()
    turned = mesh.rotate([0.3, 1, 0.2] if axis != 1 else [1, 0.2, 0], degrees, about=about)
    where = torch.where(share[:, None] > 0.5, turned.vertices, mesh.vertices)
    return deform(mesh, handles, where[handles])


def diagonal(mesh: Mesh) -> float:
    return float((mesh.bounds()[1] - mesh.bounds()[0]).norm())


def away(mesh: Mesh, truth: Mesh) -> torch.Tensor:
    return (mesh.vertices - truth.vertices).norm(dim=1) / diagonal(truth)


@pytest.fixture(scope="module")
def pair() -> tuple[Mesh, Mesh]:
    mesh = bean()
    return mesh, bent(mesh)


def test_a_bend_is_found_back_from_any_pose(pair):
    mesh, goal = pair
    far = goal.rotate([1, 2, 3], 130).translate([5, -3, 2])
    found = register_nonrigid(mesh, far)
    rigid = mesh.transform(found.matrix)
    assert away(rigid, far).mean() > 0.01
    assert away(found.mesh, far).mean() < 0.4 * away(rigid, far).mean()
    assert found.error < 1e-3 * diagonal(goal) and found.overlap > 0.99
    assert torch.equal(found.mesh.faces, mesh.faces) and found.folds == 0
    assert 0.001 < found.stretch < 0.08 and found.matched.float().mean() > 0.98
    # the target's place in space does not matter
    near = register_nonrigid(mesh, goal)
    back = near.mesh.rotate([1, 2, 3], 130).translate([5, -3, 2])
    assert away(back, found.mesh).max() < 5e-3
    assert away(back, found.mesh).mean() < 5e-4


def test_itself_stays_as_it_is(pair):
    mesh, _ = pair
    found = register_nonrigid(mesh, mesh)
    assert (found.mesh.vertices - mesh.vertices).abs().max() < 1e-6
    assert found.error < 1e-6 and found.converged and found.stretch < 1e-6
    again = register_nonrigid(mesh, mesh)
    assert torch.equal(found.mesh.vertices, again.mesh.vertices)


def test_a_rigid_motion_stays_one(pair):
    mesh, _ = pair
    moved = mesh.rotate([1, 2, 3], 77).translate([431000.0, 5398000.0, 7])
    found = register_nonrigid(mesh, moved)
    assert away(found.mesh, moved).max() < 1e-6 and found.stretch < 1e-5


def test_correspondences_lead_where_the_nearest_points_would_not(pair):
    mesh, _ = pair
    goal = bent(mesh, 75.0).rotate([1, 0, 0], 180)
    marks = torch.randperm(mesh.num_vertices, generator=torch.Generator().manual_seed(0))[:12]
    found = register_nonrigid(mesh, goal, (marks, goal.vertices[marks]))
    assert away(found.mesh, goal).mean() < 0.01
    assert away(found.mesh, goal)[marks].max() < 0.01
    alone = register_nonrigid(mesh, goal, start="none")
    assert away(alone.mesh, goal).mean() > 3 * away(found.mesh, goal).mean()
    assert found.factor == pytest.approx(1)
    larger = register_nonrigid(mesh, goal.scale(4), (marks, 4 * goal.vertices[marks]), scale=True)
    assert away(larger.mesh, goal.scale(4)).mean() < 0.01
    assert larger.factor == pytest.approx(4, rel=0.05) and larger.stretch < 0.1


@pytest.mark.parametrize("kind", ["points", "noise", "part"])
def test_targets_of_every_kind(pair, kind):
    mesh, goal = pair
    points = ml.sample_points(goal, 4000, generator=torch.Generator().manual_seed(1))
    if kind == "noise":
        noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(2)).double()
        points = points + 0.003 * diagonal(goal) * noise
    target: Mesh | torch.Tensor = points
    if kind == "part":
        keep = goal.vertices[goal.faces].mean(1)[:, 0] > -1.2
        target = goal.submesh(keep).mesh
    found = register_nonrigid(mesh, target, start="none")
    assert away(found.mesh, goal).mean() < 0.02
    if kind != "part":
        assert found.overlap > 0.97
        return
    # what the part lacks has no match, and no vertex is drawn to its border
    near = Target(target)
    border = near.counterparts((found.mesh.vertices - near.middle) / near.size)[2]
    assert border.any() and not (border & found.matched).any()
    beyond = goal.vertices[:, 0] < -1.7
    assert (
        not found.matched[beyond].any()
        and found.matched[goal.vertices[:, 0] > -1].double().mean() > 0.98
    )
    assert found.stretch < 0.05 and found.overlap < 0.95
    assert away(found.mesh, goal)[goal.vertices[:, 0] > -1].mean() < 0.015


def test_large_meshes_are_bent_by_a_simplified_copy(pair, monkeypatch):
    mesh, goal = pair
    plain = register_nonrigid(mesh, goal)
    monkeypatch.setattr(nonrigid, "_COARSE", 150)  # of 482 vertices
    found = register_nonrigid(mesh, goal)
    assert away(found.mesh, plain.mesh).mean() < 0.01
    assert found.error < 1e-3 * diagonal(goal) and found.folds == 0 and found.stretch < 0.06
    # it comes over smooth already, before the last steps on the whole mesh
    monkeypatch.setattr(nonrigid, "_FINE_STEPS", 0)
    begun = register_nonrigid(mesh, goal)
    assert begun.error < 6e-3 * diagonal(goal) and begun.stretch < 0.06
    marks = torch.randperm(mesh.num_vertices, generator=torch.Generator().manual_seed(0))[:12]
    led = register_nonrigid(mesh, goal, (marks, goal.vertices[marks]))
    assert away(led.mesh, goal).mean() < 0.01


def test_attributes_seams_and_dtype_stay(pair):
    mesh, goal = pair
    soup = Mesh(
        mesh.triangles.reshape(-1, 3).float(),
        torch.arange(3 * mesh.num_faces).view(-1, 3),
        vertex_attributes={"heat": mesh.triangles.reshape(-1, 3)[:, 0].float()},
        face_attributes={"normal": mesh.face_normals().float()},
    )
    found = register_nonrigid(soup, goal)
    assert found.mesh.dtype == torch.float32
    assert torch.equal(found.mesh.vertex_attributes["heat"], soup.vertex_attributes["heat"])
    assert found.mesh.merge_vertices().mesh.num_vertices == mesh.num_vertices
    way = (found.mesh.face_attributes["normal"] * found.mesh.face_normals()).sum(1)
    assert way.min() > 0.999
    assert found.distance.shape == found.matched.shape == (soup.num_vertices,)
    far = ml.point_mesh_distance(found.mesh.vertices.double(), goal)[0].sqrt()
    assert (found.distance - far).abs().max() < 1e-5


def test_the_report_counts():
    ball = sphere(12, bumps=0)
    assert _folds(ball, ball) == 0 and _stretch(ball, 1.5 * ball.vertices) == pytest.approx(0.5)
    folded = ball.vertices.clone()
    folded[40] = ball.rotate("z", 40).vertices[40]  # over its neighbours
    assert _folds(ball, ball.with_vertices(folded)) > 0
    assert _folds(ball.with_vertices(folded), ball.with_vertices(folded)) == 0


@pytest.mark.parametrize(
    "name", ["spot.obj", pytest.param("armadillo.obj", marks=pytest.mark.slow)]
)
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    goal = bent(mesh)
    target = ml.simplify(Mesh(goal.vertices, goal.faces), goal.num_faces // 2)
    target = target.rotate([1, 2, 0.5], 50).translate([diagonal(mesh), 0, 0])
    truth = goal.rotate([1, 2, 0.5], 50).translate([diagonal(mesh), 0, 0])
    found = register_nonrigid(mesh, target)
    assert away(found.mesh, truth).mean() < 0.003
    assert found.error < 5e-4 * diagonal(mesh) and found.overlap > 0.99
    if name == "spot.obj":
        assert torch.equal(
            found.mesh.corner_attributes["uv"].values, mesh.corner_attributes["uv"].values
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": Mesh(torch.zeros(3, 3), [])}, "source: .*face"),
        ({"target": [[0, 0, 0], [1, 0, 0]]}, "target: expected three points or more, got 2"),
        ({"target": [[0, 0, math.nan]] * 3}, "target: .*NaN or infinite"),
        ({"correspondences": ([0, 1], torch.eye(3)[:2])}, "expected three or more, got 2"),
        ({"correspondences": [0, 1, 2]}, "correspondences: expected a pair"),
        ({"correspondences": ([0, 1, 9999], torch.eye(3))}, "index 9999 is out of range"),
        ({"correspondences": ([0, 1, 2], torch.eye(3)[:2])}, r"expected shape \(3, 3\)"),
        ({"correspondences": ([0, 1, 2], math.nan * torch.eye(3))}, "are NaN or infinite"),
        (
            {"correspondences": ([0, 1, 2], torch.arange(3.0)[:, None].expand(3, 3))},
            "expected positions that are not all in one line",
        ),
        ({"stiffness": (0.1, 1.0)}, "stiffness: expected two lengths above 0"),
        ({"stiffness": 1}, "stiffness: expected two lengths"),
        ({"max_distance": 0}, "max_distance: expected a number above 0"),
        ({"start": "pca"}, "start: expected 'moments', 'none' or a matrix"),
        (
            {"source": bean().translate((90, 0, 0)), "start": "none", "max_distance": 1},
            "no point of the source comes within 1 of the target",
        ),
        (
            {
                "source": bean(),
                "correspondences": ([0, 100, 200], 50 + bean().vertices[[0, 100, 200]]),
                "max_distance": 0.1,
            },
            "no vertex of the source has a counterpart within 0.1",
        ),
    ],
)
def test_bad_input_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        register_nonrigid(**{"source": bean(), "target": bean(), **arguments})


def test_what_a_coarse_mesh_carries_turns_with_it():
    coarse = sphere(8, bumps=0)
    turned = coarse.rotate((1, 2, 3), 70)
    points = 1.1 * sphere(20, bumps=0).vertices  # above it
    turn, _ = RigidCells(coarse).rotations(turned.vertices)
    found = _Blend(coarse, points).carried(points, turned.vertices, turn)
    want = Mesh(points, []).rotate((1, 2, 3), 70).vertices
    assert (found - want).abs().max() < 1e-9
