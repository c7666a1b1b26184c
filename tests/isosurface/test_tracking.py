"""Evaluating near the surface only: the mesh of the full lattice, from a part of its points."""

import pytest
import torch

import meshlearn as ml
from meshlearn.fields import DeepSDF
from meshlearn.isosurface import SurfaceTracker, VoxelGrid, marching_cubes

from .fields import sphere, torus

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def same(tracker, found, field, level=0.0):
    grid, values = found
    full = VoxelGrid(tracker.resolution, bounds=tracker.bounds, dtype=tracker.dtype)
    wanted = marching_cubes(full, full.evaluate(field), level=level)
    mesh = marching_cubes(grid, values, level=level)
    return torch.equal(mesh.vertices, wanted.vertices) and torch.equal(mesh.faces, wanted.faces)


def counted(field):
    def counting(p):
        counting.points += len(p)
        return field(p)

    counting.points = 0
    return counting


@pytest.mark.parametrize("lipschitz", [None, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mesh_of_the_full_lattice(lipschitz, dtype):
    field = counted(torus)
    tracker = SurfaceTracker(
        (64, 64, 32), bounds=((-1, -1, -0.5), (1, 1, 0.5)), dtype=dtype, lipschitz=lipschitz
    )
    found = tracker.sample(field)
    assert tracker.report.evaluations == field.points < tracker.dense / 3
    assert not tracker.report.warm and tracker.report.missed == 0
    assert same(tracker, found, torus)
    assert same(tracker, tracker.sample(torus, level=0.1), torus, level=0.1)


def test_fewer_than_a_twenty_fifth_at_256():
    tracker = SurfaceTracker(256)
    tracker.sample(lambda p: torus(p, 0.55, 0.2))
    assert tracker.report.evaluations * 25 < tracker.dense
    tracker.sample(lambda p: torus(p, 0.553, 0.2))
    assert tracker.report.warm and tracker.report.evaluations * 50 < tracker.dense


def solid(*sides):
    """Signed distance of a body whose distances along two or three orthogonal axes are `sides`."""
    q = torch.stack(sides, 1)
    return q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)


def tube(p, thick):
    """A wall of `thick`, inside and outside, open at both ends: a mug without bottom."""
    return solid((p[:, :2].norm(dim=1) - 0.6).abs() - thick / 2, p[:, 2].abs() - 0.7)


def tilted_plate(p, thick):
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))[0]
    q = (p @ turn.to(p)).abs()
    return solid(q[:, 0] - thick / 2, q[:, 1] - 0.6, q[:, 2] - 0.5)


@pytest.mark.parametrize("body", [tube, tilted_plate])
@pytest.mark.parametrize("cells", [0.7, 1.5, 4, 10])
def test_thin_walls_are_those_of_the_full_lattice(body, cells):
    """From less than a cell to ten of 96 an axis, so that inner and outer side share a search."""
    tracker = SurfaceTracker(96)
    found = tracker.sample(lambda p: body(p, cells * 2 / 96))
    assert found[0].num_cells > 5000
    assert same(tracker, found, lambda p: body(p, cells * 2 / 96))
    assert tracker.report.evaluations < (1.6 if cells > 5 else 2.6) * found[0].num_vertices


@pytest.mark.parametrize("draw", range(6))
def test_small_parts_beside_a_large_one_are_found(draw):
    """Balls of 1 to 3 cells, some of which touch the surface of a large one: all of them where the
    slope's bound is given; where it is measured a ball of a cell may be missed, whole."""
    generator = torch.Generator().manual_seed(draw)
    centres = torch.rand(30, 3, generator=generator) * 1.8 - 0.9
    radii = (0.5 + torch.rand(30, generator=generator)) * 2 / 64

    def field(p):
        return torch.minimum(((p[:, None] - centres).norm(dim=2) - radii).amin(1), sphere(p))

    tracker = SurfaceTracker(64, lipschitz=1.0)
    found = tracker.sample(field)
    assert same(tracker, found, field)
    whole = marching_cubes(*found)
    _, parts = whole.topology.components()
    assert parts > 12
    measured = marching_cubes(*SurfaceTracker(64).sample(field))
    assert measured.is_watertight == whole.is_watertight
    assert measured.num_vertices > 0.99 * whole.num_vertices
    assert parts - 2 <= measured.topology.components().count <= parts


def test_following_a_surface_that_moves_grows_and_changes_topology():
    tracker = SurfaceTracker(32, check_every=0)
    warm = 0
    for k in range(20):  # the hole of the torus closes on the way

        def field(p, k=k):
            return torus(p, 0.5 - 0.02 * k, 0.25 + 0.01 * k)

        assert same(tracker, tracker.sample(field), field)
        warm += tracker.report.warm
    assert warm >= 18


def test_a_jump_is_searched_from_scratch():
    tracker = SurfaceTracker(32)
    tracker.sample(sphere)

    def away(p):
        return (p - 0.5).norm(dim=1) - 0.3

    assert same(tracker, tracker.sample(away), away)
    assert not tracker.report.warm


def two(p, small):
    first = (p + 0.3).norm(dim=1) - 0.4
    second = (p - torch.tensor([0.6, 0.6, 0.55])).norm(dim=1) - small
    return torch.minimum(first, second)


def test_a_component_that_appears_is_found_and_told():
    """At once when the coarse lattice sees it, else by the search that is made now and then."""
    for small, calls in ((0.2, 1), (0.045, 3)):
        tracker = SurfaceTracker(64, check_every=3)
        tracker.sample(lambda p: two(p, -0.1))
        found = []
        for _ in range(calls):
            last = tracker.sample(lambda p: two(p, small))  # noqa: B023
            found.append(tracker.report.missed)
        assert found[:-1] == [0] * (calls - 1) and found[-1] > 10
        assert same(tracker, last, lambda p: two(p, small))  # noqa: B023


def test_what_leaves_the_cells_of_the_search_is_followed():
    """A bound that is far too small finds a part of a steep field; the rest is reached from it."""

    def steep(p):  # slope 1 above, 8 below
        value = sphere(p, 0.6)
        return torch.where(p[:, 2] > 0, value, 8 * value)

    tracker = SurfaceTracker(64, lipschitz=1.0)
    found = tracker.sample(steep)
    assert tracker.report.rounds > 3
    assert same(tracker, found, steep)


def test_a_surface_at_the_border_is_open_there():
    def plane(p):
        return p[:, 0] - 0.101

    tracker = SurfaceTracker(16)
    assert same(tracker, tracker.sample(plane), plane)


def test_a_network_is_tracked_while_it_changes():
    torch.manual_seed(0)
    field = DeepSDF(4, hidden=32, layers=4, skip=2, activation="softplus", radius=0.5)
    tracker, code = SurfaceTracker(32), torch.zeros(4)
    for k in range(4):
        code = code + 0.05
        found = tracker.sample(field, latent=code)
        full = VoxelGrid(32)
        wanted = marching_cubes(full, full.evaluate(lambda p: field(p, code))).detach()  # noqa: B023
        mesh = marching_cubes(*found)
        assert torch.equal(mesh.faces, wanted.faces)
        torch.testing.assert_close(mesh.vertices, wanted.vertices, atol=1e-5, rtol=0)
        assert tracker.report.warm == (k > 0)


def test_an_empty_field_and_back():
    tracker = SurfaceTracker(16)
    grid, values = tracker.sample(lambda p: sphere(p) + 5)
    assert grid.num_cells == 0 and len(values) == 0
    assert same(tracker, tracker.sample(sphere), sphere)
    tracker.reset()
    tracker.sample(sphere)
    assert not tracker.report.warm


def test_bad_options():
    for options, word in (
        ({"lipschitz": 0.0}, "lipschitz"),
        ({"margin": 0.5}, "margin"),
        ({"check_every": -1}, "check_every"),
        ({"resolution": 0}, "resolution"),
    ):
        with pytest.raises(ValueError, match=word):
            SurfaceTracker(**{"resolution": 16, **options})
    with pytest.raises(ValueError, match="latents"):
        ml.isosurface.level_set_meshes(lambda *a: a[0][:, 0], torch.zeros(0, 3), 8)
