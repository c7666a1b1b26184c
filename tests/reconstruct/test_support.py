"""What the data speak for: parts that nothing supports go, and places far from data are told."""

from __future__ import annotations

import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.io.volume import Volume
from meshlearn.mesh.join import cat
from meshlearn.reconstruct import fit, reconstruct, targets
from meshlearn.reconstruct.agreement import disagreements, told
from meshlearn.reconstruct.targets.support import supported
from meshlearn.render import render_images
from meshlearn.representations import FlexiCubes

BALL = shapes.icosphere(3)


def ball(radius=1.0, at=(0.0, 0.0, 0.0), *, inward=False):
    faces = BALL.faces.flip(1) if inward else BALL.faces
    return Mesh(radius * BALL.vertices + torch.tensor(at), faces)


def joined(*meshes):
    return cat(meshes).mesh


def places(count=3000):
    generator = torch.Generator().manual_seed(0)
    return ml.sample_points(shapes.icosphere(4), count, normals=True, generator=generator)


def sentences(target, mesh, scale=0.1):
    return told(target.doubts(mesh, scale), scale)


def fitted(representation, target, steps=30):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        made = fit(representation, target, steps=steps, progress=False).mesh
    return made, " ".join(str(w.message) for w in found)


# --- points -------------------------------------------------------------------------------------


def test_crumbs_and_bubbles_beside_points_go():
    points, normals = places()
    target = targets.FromPoints(points, normals)
    made = joined(ball(), ball(0.05, (1.3, 0, 0)), ball(0.5, inward=True))
    kept = target.finish(made)
    assert kept.topology.topological_type == (1, 2)
    assert float(kept.volume()) == pytest.approx(float(BALL.volume()), rel=1e-5)
    assert target.finish(ball()).num_faces == BALL.num_faces


def test_parts_that_have_points_stay():
    points, normals = places()
    both = torch.cat([points, 0.1 * points[:60] + torch.tensor([2.0, 0, 0])])
    target = targets.FromPoints(both, torch.cat([normals, normals[:60]]))
    made = joined(ball(), ball(0.1, (2.0, 0, 0)))
    assert target.finish(made).topology.topological_type == (2, 4)
    assert sentences(target, made) == []
    far = 10 * BALL.vertices + 100
    assert supported(made, far, least=10**6) is made  # what would leave nothing leaves all


def test_what_the_points_do_not_tell_of_is_told_with_its_place():
    points, normals = places()
    target = targets.FromPoints(points, normals)
    assert sentences(target, ball()) == []
    (said,) = sentences(target, joined(ball(), ball(0.1, (1.0, 1.0, 0))), 0.05)
    assert "1.0 % of the fit is more than" in said and "cells from any of the points" in said
    assert "at (1.0" in said
    keep = points[:, 2] < 0.2
    cut = targets.FromPoints(points[keep], normals[keep])
    (said,) = sentences(cut, ball(), 0.05)
    assert "of the fit" in said and "an opening that was closed" in said


def test_points_that_the_fit_misses_are_told_with_their_place():
    points, normals = places()
    both = torch.cat([points, 0.2 * points[:100] + torch.tensor([3.0, 0, 0])])
    target = targets.FromPoints(both, torch.cat([normals, normals[:100]]))
    (said,) = sentences(target, ball())
    assert said.startswith("100 of 3,100 points are more than 3.0 cells from the fit")
    assert "at (2.9" in said or "at (3." in said


def test_an_outlier_makes_no_part_and_is_told():
    points, normals = places()
    far = torch.cat([points, torch.tensor([[2.0, 2.0, 2.0]])])
    target = targets.FromPoints(far, torch.cat([normals, normals[:1]]))
    made, said = fitted(FlexiCubes(16, bounds=target.bounds), target, 5)
    assert made.topology.topological_type == (1, 2)
    assert "1 of 3,001 points" in said and "at (2, 2, 2)" in said and "outliers" in said


def test_places_far_from_the_origin_are_those_of_the_input():
    points, normals = places()
    far = torch.cat([points, torch.tensor([[2.0, 2.0, 2.0]])]).double()
    cloud = PointCloud(far + 5e5, torch.cat([normals, normals[:1]]).double())
    with pytest.warns(UserWarning, match=r"at \(500002\.0"):
        reconstruct(cloud, resolution=16, steps=5, progress=False)


# --- fields -------------------------------------------------------------------------------------


def ring(p):
    return ((p[:, :2].norm(dim=1) - 0.7) ** 2 + p[:, 2] ** 2).sqrt() - 0.2


def test_a_field_tells_what_a_grid_can_show_of_it():
    target = targets.FromField(ring, bounds=((-1, -1, -0.3), (1, 1, 0.3)))
    shape = FlexiCubes(16, bounds=target.bounds)
    assert target.solid is None
    assert target.solid_on(shape.grid).topology.topological_type == (1, 0)
    shape.initialize(target.field)
    shape.train()
    shape.hold(target)
    shape()
    x, y, z = shape.grid.vertices.T
    hole = ((x * x + y * y).sqrt() < 0.6) & (z.abs() < 0.15) & (shape.sdf > 0)
    with torch.no_grad():
        shape.sdf[hole] = -1.0
    shape.after_step()
    assert shape().mesh.topology.topological_type == (1, 0)


def test_a_field_that_nothing_encloses_holds_nothing():
    target = targets.FromField(lambda p: p[:, 0] + 9, bounds=((-1, -1, -1), (1, 1, 1)))
    shape = FlexiCubes(8, bounds=target.bounds)
    assert target.solid_on(shape.grid) is None and target.solid_on(None) is None


def volume(field, cells=32):
    grid = ml.VoxelGrid(cells)
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] *= 2 / cells
    affine[:3, 3] = -1
    return Volume(field(grid.vertices).view(grid.shape), affine)


def test_a_volume_knows_its_parts():
    def field(p):
        away = p - torch.tensor([0.75, 0.75, 0.75])
        return torch.minimum(p.norm(dim=1) - 0.6, away.norm(dim=1) - 0.07)

    source = volume(field)
    target = targets.FromField(source, bounds=source.bounds())
    assert target.solid.topology.topological_type == (2, 4)
    middle = target.solid.vertices.max(0).values
    torch.testing.assert_close(middle, torch.full((3,), 0.82), atol=0.03, rtol=0)
    with pytest.warns(UserWarning) as found:
        reconstruct(source, resolution=10, steps=10, progress=False)
    said = " ".join(str(w.message) for w in found)
    assert "1 component; its target has 2" in said and "most apart at (0.7" in said


def test_noise_of_a_volume_is_not_compared():
    noise = torch.randn(21**3, generator=torch.Generator().manual_seed(0))
    source = volume(lambda p: noise + 0.8, 20)
    target = targets.FromField(source, bounds=source.bounds())
    count = ml.marching_cubes(ml.VoxelGrid(20), noise + 0.8, close=True).topology.components().count
    assert (target.solid is None) == (count > 1000)


# --- meshes -------------------------------------------------------------------------------------


def test_walls_of_one_solid_are_known():
    """Nested shells, whose boxes meet; but not parts that run into or lie within each other."""
    wall = joined(ball(1.0), ball(0.9, inward=True), ball(0.85), ball(0.75, inward=True))
    assert targets.FromMesh(wall).solid is not None
    for other in (
        joined(ball(1.0), ball(0.5)),
        joined(ball(1.0), ball(0.9, (0.5, 0, 0))),
    ):
        assert targets.FromMesh(other).solid is None


@pytest.mark.parametrize("gap", [1.25, 1.0])
def test_double_walls_stay_apart(gap):
    cell = 2 / 28
    radii = [1, 1 - 1.5 * cell, 1 - (1.5 + gap) * cell, 1 - (3 + gap) * cell]
    wall = joined(*(ball(r, inward=bool(k % 2)) for k, r in enumerate(radii)))
    target = targets.FromMesh(wall, samples=4000)
    made, said = fitted(FlexiCubes(32, bounds=target.bounds), target)
    assert made.topology.topological_type == (4, 8) and said == ""


def test_double_walls_closer_than_the_grid_shows_are_told():
    radii = (1.0, 0.9, 0.87, 0.77)
    wall = joined(*(ball(r, inward=bool(k % 2)) for k, r in enumerate(radii)))
    target = targets.FromMesh(wall, samples=4000)
    made, said = fitted(FlexiCubes(24, bounds=target.bounds), target, 10)
    assert made.topology.topological_type != (4, 8) and "its target has 4" in said


def test_what_stands_beyond_a_closed_target_is_told():
    spike = BALL.vertices.clone()
    spike[0] *= 3
    (said,) = disagreements(BALL.with_vertices(spike), BALL, 0.1)
    assert "cells beyond its target at" in said


def test_parts_of_a_union_that_are_missed_are_told():
    both = joined(ball(), ball(1.0, (1.2, 0, 0)))
    target = targets.FromMesh(both)
    assert sentences(target, both) == []
    (said,) = sentences(target, ball())
    assert "places of the target" in said and "at (2.1" in said


# --- images -------------------------------------------------------------------------------------


def seen(mesh, depth=False):
    images = render_images(mesh, 8, size=96, samples=2)
    return targets.FromImages(
        images.cameras, masks=images.masks, depth=images.depth if depth else None
    )


def test_parts_outside_all_silhouettes_go():
    target = seen(ball(0.6))
    made = joined(ball(0.6), ball(0.05, (0.9, 0.3, 0.2)))
    assert target.finish(made).topology.topological_type == (1, 2)
    beside = joined(ball(0.5), ball(0.05, (0.56, 0, 0)))
    assert target.finish(beside).topology.topological_type == (2, 4)


@pytest.mark.parametrize("depth", [False, True])
def test_silhouettes_far_apart_are_told(depth):
    target = seen(ball(0.6), depth)
    for radius in (0.57, 0.6, 0.63):  # within 3 cells
        assert sentences(target, ball(radius), 0.05) == []
    said = sentences(target, joined(ball(0.6), ball(0.1, (0.6, 0.6, 0))), 0.05)
    assert "stands out of the silhouette of view" in said[0]
    other = seen(joined(ball(0.6), ball(0.15, (0.7, 0.6, 0))), depth)
    said = sentences(other, ball(0.6), 0.05)
    assert "leaves the silhouette of view" in said[0] and ("seen in depth" in said[-1]) == depth
