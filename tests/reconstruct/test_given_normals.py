"""Normals as files have them: inward, mixed, zero; and fits that have nothing to show."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import open_shapes, shapes
from meshlearn.geometry import MeshBVH
from meshlearn.io.points import PointCloud
from meshlearn.mesh import cat
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.fitting import EmptyFit
from meshlearn.reconstruct.targets.mesh_sides import inside_out
from meshlearn.reconstruct.targets.point_normals import agreeing_normals
from tests.cli.runner import meshlearn


def cloud(mesh=None, count=3000):
    generator = torch.Generator().manual_seed(0)
    mesh = shapes.icosphere(4) if mesh is None else mesh
    return ml.sample_points(mesh, count, normals=True, generator=generator)


def signs(count, share):
    drawn = torch.rand(count, 1, generator=torch.Generator().manual_seed(1))
    return torch.where(drawn < share, -1.0, 1.0)


def test_normals_are_turned_outward():
    points, normals = cloud()
    for given, word in ((-normals, "inward"), (normals * signs(len(points), 0.5), "directions")):
        found, said = agreeing_normals(points, 3 * given)
        torch.testing.assert_close(found, normals, atol=1e-6, rtol=0)
        assert len(said) == 1 and word in said[0]
    assert agreeing_normals(points, normals)[1] == []


def test_the_hollow_of_a_shell_keeps_its_side():
    """Normals of an inner wall point into the hollow, which is outside."""
    outer, inner = cloud(count=4000), cloud(count=4000)
    points = torch.cat([outer[0], 0.6 * inner[0]])
    normals = torch.cat([outer[1], -inner[1]])
    found, said = agreeing_normals(points, normals)
    assert said == []
    torch.testing.assert_close(found, normals, atol=1e-6, rtol=0)


def test_either_side_of_a_dish_is_kept_and_a_deep_bowl_is_turned():
    points, normals = cloud()
    keep = points[:, 2] < -0.5  # as a valley, seen from above
    found, said = agreeing_normals(points[keep], -normals[keep])
    assert said == []
    torch.testing.assert_close(found, -normals[keep], atol=1e-6, rtol=0)
    keep = points[:, 2] < 0.4
    found, said = agreeing_normals(points[keep], -normals[keep])
    assert len(said) == 1 and "inward" in said[0]
    torch.testing.assert_close(found, normals[keep], atol=1e-6, rtol=0)
    assert agreeing_normals(points[keep], normals[keep])[1] == []


@pytest.mark.parametrize("method", ["gshell", "flexicubes"])
@pytest.mark.parametrize("kind", ["mesh", "points"])
def test_an_open_shirt_inside_out_is_fitted_as_the_right_way_round(kind, method):
    shirt = open_shapes.shirt(subdivisions=3)
    points, normals = cloud(shirt, 2000)
    given = {
        "mesh": (shirt, shirt.flip().mesh),
        "points": (PointCloud(points, normals), PointCloud(points, -normals)),
    }[kind]
    options = {"method": method, "resolution": 12, "steps": 3, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = reconstruct(given[0], **options).mesh
    with pytest.warns(UserWarning, match="inward; they are turned around"):
        found = reconstruct(given[1], **options).mesh
    assert found.topology.components().count == right.topology.components().count == 1
    torch.testing.assert_close(found.vertices, right.vertices, rtol=0, atol=1e-4)


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_inside_out_is_seen_for_meshes_of_all_kinds(turned):
    ball, hollow = shapes.icosphere(2), shapes.icosphere(2, radius=0.5).flip().mesh
    for mesh, told in (
        (ball, True),
        (cat([ball, hollow]).mesh, True),
        (open_shapes.shirt(subdivisions=3), True),
        (open_shapes.leaf(), False),
        (shapes.plane(), False),
        (ball.submesh(ball.triangles.mean(1)[:, 2] < -0.5).mesh, False),
        (shapes.box((1.0, 1.0, 0.01)), True),
    ):
        given = mesh.flip().mesh if turned else mesh
        assert inside_out(MeshBVH(given)) == (turned and told)


def test_zero_normals():
    points, normals = cloud()
    found, said = agreeing_normals(points, 0 * normals)
    assert found is None and "all are zero" in said[0]
    some = normals.clone()
    some[::4] = 0
    found, said = agreeing_normals(points, some)
    assert "750 of 3000 are zero" in said[0]
    assert float((found * normals).sum(1).min()) > math.cos(math.radians(25))


@pytest.mark.parametrize("level", [2, 3, 4])
def test_vertices_of_a_mesh_are_turned_too(level):
    """Points on a regular lattice, around which there is less area than around random ones."""
    ball = shapes.icosphere(level).vertices
    found, said = agreeing_normals(ball, -ball)
    assert torch.equal(found, torch.nn.functional.normalize(ball, dim=1)) and len(said) == 1


@pytest.mark.parametrize("thickness", [0.04, 0.01])
def test_two_sheets_back_to_back_keep_their_normals(thickness):
    """Neighbours across a thin wall point against each other, and rightly so."""
    plate = shapes.box()
    plate = plate.with_vertices(plate.vertices * plate.vertices.new_tensor([1, 1, thickness]))
    points, normals = cloud(plate, 2000)
    found, said = agreeing_normals(points, normals)
    assert said == []
    torch.testing.assert_close(found, normals, atol=1e-6, rtol=0)


def test_mixed_signs_of_a_noisy_box_are_seen():
    points, normals = cloud(shapes.box(), 4000)
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(3))
    points = points + 0.005 * noise
    found, said = agreeing_normals(points, normals * signs(len(points), 0.4))
    assert len(said) == 1 and "directions are kept" in said[0]
    assert float(((found * normals).sum(1) > 0).float().mean()) > 0.98


@pytest.mark.parametrize("kind", ["inward", "mixed", "zero"])
def test_a_ball_is_fitted_whatever_its_normals(kind):
    points, normals = cloud()
    change = {"inward": -1, "mixed": signs(len(points), 0.5), "zero": 0}[kind]
    with pytest.warns(UserWarning, match="normals: "):
        found = reconstruct(
            PointCloud(points, normals * change), resolution=20, steps=20, progress=False
        )
    volume = 4 / 3 * math.pi
    assert abs(float(found.mesh.volume()) - volume) < 0.02 * volume
    assert found.mesh.topology.components()[1] == 1


def test_nothing_to_fit_is_an_error_that_says_why():
    generator = torch.Generator().manual_seed(2)
    sheet = torch.rand(2000, 3, generator=generator) * torch.tensor([1, 1, 0.0])
    box = shapes.box()
    plate = box.with_vertices(box.vertices * box.vertices.new_tensor([1, 1, 0.015]))
    square = ml.Mesh(sheet.new_tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]),
                     torch.tensor([[0, 1, 2], [0, 2, 3]]))  # fmt: skip
    points, _ = cloud()
    for given, reason in (
        (PointCloud(sheet), "method 'gshell' fits open ones"),
        (PointCloud(points[points[:, 2] < 0.3]), "method 'gshell' fits open ones"),
        (plate, "thinner than a cell of .*raise the resolution"),
        (square, "method 'gshell' fits it open"),
    ):
        # said before the first step, and of what is not fitted at all
        for steps, when in ((5, "nothing to fit: "), (0, "the fit has no faces: ")):
            with (
                warnings.catch_warnings(),
                pytest.raises(EmptyFit, match=f"^{when}.*{reason}"),
            ):
                warnings.simplefilter("ignore")
                reconstruct(given, resolution=20, steps=steps, progress=False)


def test_the_command_writes_nothing_empty(tmp_path):
    box = shapes.box()
    box.with_vertices(box.vertices * box.vertices.new_tensor([1, 1, 0.015])).save(
        tmp_path / "plate.obj"
    )
    call = ["reconstruct", tmp_path / "plate.obj", tmp_path / "out.obj", "--resolution", "16"]
    call += ["--steps", "3"]
    done = meshlearn(*call)
    assert done.returncode == 1 and not (tmp_path / "out.obj").exists()
    assert "thinner than a cell" in done.stderr and "--allow-empty" in done.stderr
    assert "Traceback" not in done.stderr
    done = meshlearn(*call, "--allow-empty")
    assert done.returncode == 0 and (tmp_path / "out.obj").exists()
