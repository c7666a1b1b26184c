"""Faces and normals that look the wrong way in a part of what is fitted, by every method."""

from __future__ import annotations

import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.mesh import cat
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.targets import FromPoints
from meshlearn.reconstruct.targets.mesh_sides import agreeing_faces
from meshlearn.reconstruct.targets.point_normals import agreeing_normals

BALL = shapes.icosphere(2)
HOLLOW = shapes.icosphere(2, radius=0.5).flip().mesh
TINY = shapes.icosphere(1, radius=0.2)


def beside(mesh, by=3.0):
    return mesh.translate((by, 0.0, 0.0))


def some_turned(mesh, share=0.3):
    drawn = torch.rand(mesh.num_faces, generator=torch.Generator().manual_seed(0)) < share
    return ml.Mesh(mesh.vertices, torch.where(drawn[:, None], mesh.faces.flip(1), mesh.faces))


def cloud(radius=1.0, at=0.0, count=700):
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(BALL, count, normals=True, generator=generator)
    return radius * points + torch.tensor([at, 0.0, 0.0]), normals


RIGHT = {
    "a ball": BALL,
    "a shell": cat([BALL, HOLLOW]).mesh,
    "a ball beside a shell": cat([beside(BALL), BALL, HOLLOW]).mesh,
    "a ball in a shell": cat([BALL, HOLLOW, TINY]).mesh,
    "balls that meet": cat([BALL, beside(BALL, 1.0)]).mesh,
    "a ball in the hole of a ring": cat([shapes.torus(), TINY]).mesh,
}


@pytest.mark.parametrize("name", RIGHT)
def test_faces_look_outward_and_hollows_stay(name):
    right = RIGHT[name]
    assert agreeing_faces(right)[1] == []
    labels, count = right.topology.components()
    mixed = agreeing_faces(some_turned(right))
    torch.testing.assert_close(mixed[0].volume(), right.volume())
    assert mixed[0].is_consistently_oriented and "against their neighbours" in mixed[1][0]
    whole = agreeing_faces(right.flip().mesh)
    torch.testing.assert_close(whole[0].volume(), right.volume())
    assert "inward" in whole[1][0]
    if count > 1 and "shell" not in name:  # a part with what lies in it, and no other
        given = torch.where((labels == count - 1)[:, None], right.faces.flip(1), right.faces)
        found, said = agreeing_faces(ml.Mesh(right.vertices, given))
        torch.testing.assert_close(found.volume(), right.volume())
        assert len(said) == 1 and f"1 of its {count} parts" in said[0]


def test_a_part_is_turned_with_its_hollow():
    shell = cat([BALL, HOLLOW]).mesh
    for other in (beside(shapes.icosphere(2, radius=1.5), 4.0), beside(TINY)):
        given = cat([other, shell.flip().mesh]).mesh
        found, said = agreeing_faces(given)
        torch.testing.assert_close(found.volume(), other.volume() + shell.volume())
        assert said


def test_what_has_one_side_stays():
    band = shapes.moebius()
    assert torch.equal(agreeing_faces(band)[0].faces, band.faces)


@pytest.mark.parametrize("method", ["flexicubes", "bspnet"])
@pytest.mark.parametrize(
    ("given", "said", "parts"),
    [
        (some_turned(BALL), "against their neighbours", 1),
        (BALL.flip().mesh, "inward", 1),
        (cat([BALL, beside(BALL).flip().mesh]).mesh, "1 of its 2 parts", 2),
    ],
    ids=["some", "all", "a part"],
)
def test_a_fit_to_turned_faces_is_that_to_the_mesh_itself(method, given, said, parts):
    if method == "bspnet":
        pytest.importorskip("manifold3d")
    with pytest.warns(UserWarning) as told:
        made = reconstruct(given, method=method, resolution=16, steps=2, progress=False).mesh
    assert any(said in str(w.message) for w in told)
    volume = float(made.volume())
    assert made.topology.components().count == parts
    assert abs(volume / (parts * float(BALL.volume())) - 1) < 0.2


@pytest.mark.parametrize("turned", [(1, -1), (-1, 1), (-1, -1)])
def test_each_part_of_a_cloud_is_turned_by_itself(turned):
    parts = [cloud(), cloud(0.5, 3.0, 300)]
    points = torch.cat([part[0] for part in parts])
    right = torch.cat([part[1] for part in parts])
    given = torch.cat([side * part[1] for side, part in zip(turned, parts, strict=True)])
    found, said = agreeing_normals(points, given)
    torch.testing.assert_close(found, right)
    assert said and all("turned around" in sentence for sentence in said)
    assert agreeing_normals(points, right)[1] == []


@pytest.mark.parametrize("turned", [(1, 1, 1), (-1, -1, -1), (1, -1, 1), (-1, 1, -1)])
def test_normals_of_clouds_in_clouds_line_hollows(turned):
    parts = [cloud(2.0, count=1500), cloud(1.2, count=700), cloud(0.5, count=300)]
    points = torch.cat([part[0] for part in parts])
    right = torch.cat([side * part[1] for side, part in zip((1, -1, 1), parts, strict=True)])
    given = torch.cat([side * part[1] for side, part in zip(turned, parts, strict=True)])
    torch.testing.assert_close(agreeing_normals(points, given)[0], right)


@pytest.mark.parametrize("method", ["flexicubes", "poisson"])
def test_a_fit_to_a_cloud_of_which_a_part_is_turned(method):
    (a, m), (b, n) = cloud(), cloud(0.5, 3.0)
    source = PointCloud(torch.cat([a, b]), torch.cat([m, -n]))
    options = {"steps": 3, "resolution": 32} if method == "flexicubes" else {}
    with pytest.warns(UserWarning, match="parts .* point inward"):
        made = reconstruct(source, method=method, progress=False, **options).mesh
    assert made.topology.components().count == 2 and made.topology.euler_number == 4
    assert abs(float(made.volume()) / (1.125 * float(BALL.volume())) - 1) < 0.15


def test_points_in_double_precision_become_convexes():
    pytest.importorskip("manifold3d")
    points, normals = (given.double() for given in cloud())
    for shift in (0.0, 4e6):
        source = PointCloud(points + shift, normals)
        made = reconstruct(source, method="bspnet", resolution=16, steps=2, progress=False).mesh
        assert abs(float(made.volume()) / float(BALL.volume()) - 1) < 0.2
        assert float((made.vertices.double().mean(0) - shift).abs().max()) < 0.1


def test_convexes_that_lost_a_part_say_so():
    """As every fit to a closed mesh does."""
    pytest.importorskip("manifold3d")
    given = cat([BALL, beside(shapes.icosphere(1, radius=0.02), 1.5)]).mesh
    with pytest.warns(UserWarning, match="component.*its target has 2"):
        reconstruct(given, method="bspnet", resolution=12, steps=0, progress=False)


def test_points_that_are_there_many_times_are_named():
    points, normals = cloud(count=80)
    with pytest.raises(ValueError, match="several times at one place; keep one of each"):
        FromPoints(points.repeat(10, 1), normals.repeat(10, 1))


def test_a_right_mesh_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agreeing_faces(RIGHT["a ball in a shell"])
