"""What holds of functions of the toolbox on real meshes, of which nothing else is known."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from tests.shared_data import shared_data

CLOSED = ["spot.obj", "block.obj", "3holes.off", "rocker-arm.obj"]


def loaded(name: str) -> Mesh:
    """In a box of size one about the origin."""
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64).merge_vertices().mesh
    low, high = mesh.bounds()
    return Mesh((mesh.vertices - (low + high) / 2) / (high - low).max(), mesh.faces)


@pytest.mark.parametrize("name", CLOSED)
def test_sections_add_up_to_the_volume(name):
    """Cavalieri: the area of sections along z, signed by their winding, is the volume."""
    mesh = loaded(name)
    low, high = (float(x[2]) for x in mesh.bounds())
    step = (high - low) / 40
    heights = [low + (k + 0.5) * step for k in range(40)]
    total = 0.0
    for lines in ml.geometry.section_stack(mesh, [0, 0, 0], [0, 0, 1], heights):
        for line in lines:
            assert line.closed
            x, y = line.points[:, 0], line.points[:, 1]
            total += step * float((x * y.roll(-1) - x.roll(-1) * y).sum()) / 2
    assert abs(total) == pytest.approx(float(mesh.volume()), rel=0.06)


@pytest.mark.parametrize("name", CLOSED)
def test_gaussian_curvature_is_that_of_the_topology(name):
    """Gauss and Bonnet: over the surface it adds up to 2 π times the Euler number."""
    mesh = loaded(name)
    angles = ml.mesh.measure.corner_angles(mesh.vertices, mesh.topology)
    missing = 2 * math.pi * mesh.num_vertices - float(angles.sum())
    assert missing == pytest.approx(2 * math.pi * mesh.topology.euler_number, abs=1e-6)
    found = ml.geometry.curvature(mesh)
    assert all(bool(torch.isfinite(x).all()) for x in (found.mean, found.gaussian))
    assert bool((found.maximum >= found.minimum - 1e-9).all())


@pytest.mark.parametrize("name", ["spot.obj", "3holes.off"])
def test_distances_along_the_surface_are_no_shorter_than_straight_and_close_to_edges(name):
    mesh = loaded(name)
    found = ml.geodesic(mesh, [0])
    straight = (mesh.vertices - mesh.vertices[0]).norm(dim=1)
    reached = found.isfinite()
    size = float(straight.max())
    assert reached.all() and found[0] == 0
    assert (found > 0.93 * straight - 0.02 * size).all()
    edges = mesh.topology.edges
    length = (mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]]).norm(dim=1)
    step = (found[edges[:, 0]] - found[edges[:, 1]]).abs()
    assert (step < 1.6 * length + 0.01 * size).all()


@pytest.mark.parametrize("name", CLOSED)
def test_a_solid_and_its_rest_are_the_whole(name):
    pytest.importorskip("manifold3d")
    mesh = loaded(name)
    cutter = mesh.rotate((1, 2, 3), 40).translate((0.2, 0.1, 0))
    both = ml.boolean(mesh, cutter, "intersection")
    rest = ml.boolean(mesh, cutter, "difference")
    union = ml.boolean(mesh, cutter, "union")
    assert both.is_watertight and rest.is_watertight and union.is_watertight
    volume = float(mesh.volume())
    assert float(both.volume() + rest.volume()) == pytest.approx(volume, rel=1e-6)
    assert float(union.volume() + both.volume()) == pytest.approx(2 * volume, rel=1e-6)


@pytest.mark.parametrize("name", ["spot.obj", "block.obj"])
def test_finer_triangles_are_the_same_surface(name):
    mesh = loaded(name)
    plain = ml.geometry.subdivide(mesh, 1).mesh
    assert float(plain.volume()) == pytest.approx(float(mesh.volume()), rel=1e-9)
    assert float(plain.area()) == pytest.approx(float(mesh.area()), rel=1e-9)
    loop = ml.geometry.subdivide(mesh, 1, method="loop").mesh
    for fine in (plain, loop):
        assert fine.num_faces == 4 * mesh.num_faces and fine.is_watertight
        assert fine.topology.euler_number == mesh.topology.euler_number
    away = ml.point_mesh_distance(loop.vertices, mesh)[0].sqrt()
    assert away.max() < 0.05


@pytest.mark.parametrize("name", ["spot.obj", "block.obj"])
def test_thickness_goes_through_the_solid_and_no_further(name):
    mesh = loaded(name)
    found = ml.geometry.thickness(mesh)
    assert bool((found > 0).all()) and float(found.max()) < math.sqrt(3) + 1e-6
    assert ml.geometry.thickness(mesh.scale(3.0)).median() == pytest.approx(
        float(3 * found.median()), rel=1e-6
    )


@pytest.mark.parametrize("name", ["spot.obj", "block.obj"])
def test_voxels_hold_the_solid(name):
    mesh = loaded(name)
    voxels = ml.geometry.voxelize(mesh, 0.02)
    volume = float(mesh.volume())
    # all cells that the surface crosses, so about half a cell of the surface is too much
    more = float(mesh.area()) * 0.02
    assert volume < voxels.volume() < volume + 1.5 * more
    shell = ml.geometry.voxelize(mesh, 0.02, fill=False)
    assert bool((voxels.filled | ~shell.filled).all())
    inside = ml.signed_distance(voxels.centres(), mesh)
    assert float(inside.max()) < 0.02 * math.sqrt(3) / 2 + 1e-9


@pytest.mark.parametrize("name", ["spot.obj", "fandisk.obj"])
def test_offsets_are_as_far_off_as_they_say(name):
    mesh = loaded(name)
    made = ml.geometry.offset(mesh, 0.04, pitch=0.02)
    assert made.is_watertight
    away = ml.signed_distance(made.vertices.double(), mesh)
    assert (away - 0.04).abs().mean() < 0.004 and (away - 0.04).abs().max() < 0.03


@pytest.mark.parametrize("name", ["spot.obj", "rocker-arm.obj"])
def test_a_turned_copy_is_laid_back(name):
    mesh = loaded(name)
    moved = mesh.rotate((3, 1, 2), 140).translate((5.0, 1.0, -2.0)).scale(2.0)
    back = moved.transform(ml.register(moved, mesh, scale=True))
    assert (back.vertices - mesh.vertices).abs().max() < 1e-3
