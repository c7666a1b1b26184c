"""Voxels, thickness, offsets and even samples of shapes where they are known."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data.shapes import box, icosphere
from meshlearn.geometry import offset, sample_even, subdivide, thickness, voxelize
from tests.shared_data import shared_data


def test_voxels_of_a_box_on_the_grid_and_off_it():
    thin = box((1.0, 1.0, 1.0)).translate((0.55, 0.55, 0.55))  # from 0.05 to 1.05
    found = voxelize(thin, 0.1)
    assert found.filled.shape == (11, 11, 11) and bool(found.filled.all())
    assert found.origin.tolist() == pytest.approx([0, 0, 0])
    shell = voxelize(thin, 0.1, fill=False, pad=2)
    assert shell.filled.shape == (15, 15, 15) and int(shell.filled.sum()) == 11**3 - 9**3
    assert not shell.filled[:2].any() and shell.origin.tolist() == pytest.approx([-0.2] * 3)
    assert found.volume() == pytest.approx(1.331)
    assert (found.centres()[0] - 0.05).abs().max() < 1e-12


def test_voxels_crossed_are_those_that_a_face_touches():
    generator = torch.Generator().manual_seed(4)
    corner = torch.rand(30, 3, 3, generator=generator, dtype=torch.float64) * 6
    soup = Mesh(corner.reshape(-1, 3), torch.arange(90).view(-1, 3))
    found = voxelize(soup, 1.0, fill=False)
    filled = {tuple(c) for c in (found.filled.nonzero() + found.origin.long()).tolist()}
    inner = ml.geometry.sample_surface(soup, 200_000, generator=generator).points
    sampled = {tuple(c) for c in inner.floor().long().tolist()}
    assert sampled <= filled
    # what is filled beyond the samples is only just touched
    rest = torch.tensor(sorted(filled - sampled)).double() + 0.5
    assert len(rest) < 0.05 * len(filled)
    assert bool((ml.point_mesh_distance(rest, soup).squared_distance.sqrt() < 0.87).all())


def test_voxels_of_a_ball_have_its_volume():
    ball = icosphere(4)
    found = voxelize(ball, 0.04)
    outer, inner = found.volume(), found.volume() - voxelize(ball, 0.04, fill=False).volume()
    assert inner < float(ball.volume()) < outer
    assert (outer + inner) / 2 == pytest.approx(float(ball.volume()), rel=0.02)


@pytest.mark.parametrize("method", ["ray", "ball"])
def test_thickness_of_a_plate(method):
    plate = subdivide(box((1.0, 1.0, 0.2), dtype=torch.float64), 4).mesh
    found = thickness(plate, method=method)
    centre = plate.triangles.mean(1)
    top = (plate.face_normals()[:, 2] > 0.9) & (centre[:, :2].abs().amax(1) < 0.35)
    assert (found[top] - 0.2).abs().max() < 0.01
    side = plate.face_normals()[:, 0] > 0.9
    middle = side & (centre[:, 1].abs() < 0.3)
    wide = found[middle]
    if method == "ray":  # straight along the plate
        assert (wide - 1).abs().max() < 1e-6
    else:
        assert wide.max() < 0.23


def test_thickness_of_what_has_none():
    mesh = Mesh([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]], [[0, 1, 2], [0, 1, 3]])
    found = thickness(mesh)
    assert bool(found[0].isinf()) and bool(found[1].isnan())
    with pytest.raises(ValueError, match="method: expected 'ray' or 'ball'"):
        thickness(mesh, method="sphere")


@pytest.mark.parametrize("distance", [0.2, -0.2, 0.0])
def test_offsets_of_a_box(distance):
    cube = box().translate((50, 0, 0))
    made = offset(cube, distance)
    assert made.is_watertight and made.is_edge_manifold and made.is_consistently_oriented
    d = distance
    want = (1 + 2 * d) ** 3
    if d > 0:
        want = 1 + 6 * d + 3 * math.pi * d**2 + 4 / 3 * math.pi * d**3
    assert float(made.volume()) == pytest.approx(want, rel=2e-3)
    off = ml.signed_distance(made.vertices.double(), cube.to(torch.float64)) - d
    assert off.abs().max() < 0.01 and off.abs().mean() < 1e-4


def test_offsets_carry_attributes_and_shells_take_open_surfaces():
    ball = icosphere(3)
    ball.vertex_attributes["height"] = ball.vertices[:, 2:].clone()
    made = offset(ball, 0.1, pitch=0.08)
    height = made.vertices[:, 2:] / 1.1
    assert (made.vertex_attributes["height"] - height).abs().max() < 0.02
    cap = ball.submesh(ball.triangles.mean(1)[:, 2] > 0).mesh
    thick = offset(cap, 0.1, shell=True)
    assert thick.is_watertight and thick.topology.euler_number == 2
    assert float(thick.volume()) == pytest.approx(0.2 * float(cap.area()), rel=0.15)


def test_even_samples_are_far_apart_and_exactly_as_many():
    ball = icosphere(4)
    for n in (0, 1, 2, 500):
        made = sample_even(ball, n, generator=torch.Generator().manual_seed(0))
        assert made.points.shape == (n, 3) and made.barycentric.shape == (n, 3)
    corners = ball.triangles[made.faces]
    assert (made.points - (corners * made.barycentric[..., None]).sum(1)).abs().max() < 1e-6
    nearest = ml.knn(made.points, made.points, 2).squared_distance[:, 1].sqrt()
    best = math.sqrt(2 * 4 * math.pi / (math.sqrt(3) * 500))
    assert float(nearest.min()) > 0.55 * best and float(nearest.mean()) > 0.7 * best
    again = sample_even(ball, 500, generator=torch.Generator().manual_seed(0))
    assert torch.equal(made.points, again.points)
    octant = (made.points > 0).all(1).float().mean()
    assert float(octant) == pytest.approx(1 / 8, abs=0.02)


@pytest.mark.parametrize("name", ["spot.obj", "block.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    size = float((mesh.bounds()[1] - mesh.bounds()[0]).max())
    voxels = voxelize(mesh, size / 50)
    shell = voxelize(mesh, size / 50, fill=False).volume()
    assert voxels.volume() - shell < float(mesh.volume()) < voxels.volume()
    made = offset(mesh, 0.02 * size, pitch=size / 50)
    assert made.is_watertight and float(made.volume()) > float(mesh.volume())
    away = ml.signed_distance(made.vertices, mesh)
    assert (away - 0.02 * size).abs().max() < size / 50
    walls = thickness(mesh)
    assert 0 < float(walls.nanmedian()) < size


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda m: voxelize(m, 0), "pitch: expected a number above 0"),
        (lambda m: voxelize(m, 1e-6), "pitch: 1e-06 makes a grid of 1,000,000 x"),
        (lambda m: voxelize(m, 0.1, pad=-1), "pad: expected a whole number"),
        (lambda m: offset(m, -0.6), "leaves nothing of the mesh, whose inside is 0.[45]"),
        (lambda m: offset(m, math.nan), "distance: expected a number"),
        (lambda m: offset(m, -0.1, shell=True), "distance: expected a number, above 0 with shell"),
        (lambda m: offset(m, 0.1, pitch=1e-5), "makes a grid of"),
        (lambda m: sample_even(m, -1), "n: expected a number of points"),
        (lambda m: voxelize(m.with_vertices(m.vertices / 0), 0.1), "NaN or infinite"),
        (lambda m: thickness(Mesh(m.vertices, [])), "at least one face"),
    ],
)
def test_bad_input_is_told(do, words):
    with pytest.raises(ValueError, match=words):
        do(box())


@pytest.mark.parametrize("method", ["ray", "ball"])
def test_the_thickness_of_a_solid_that_is_inside_out_is_told(method):
    ball = icosphere(2)
    with pytest.warns(UserWarning, match="point inward"):
        turned = thickness(ball.flip().mesh, method=method)
    assert torch.allclose(turned, thickness(ball, method=method), rtol=1e-4)
