"""Open surfaces whole: real and made ones from 48 views, from points; closed ones lose nothing."""

import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn.data import open_shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.render import render_images

pytestmark = pytest.mark.slow


def compared(mesh, source):
    assert mesh.is_edge_manifold and mesh.is_consistently_oriented
    return ml.metrics.compare(mesh, source, samples=50_000, quality=False)


def large_loops(mesh, share=0.1):
    """Boundary loops longer than a share of the diagonal."""
    low, high = mesh.bounds()
    size = float((high - low).norm())
    rings = [mesh.vertices[loop] for loop in mesh.topology.boundary_loops()]
    return sum(float((r - r.roll(1, 0)).norm(dim=1).sum()) > share * size for r in rings)


@pytest.mark.parametrize(
    "name,loops", [("halftunnel.off", 3), ("lilium.obj", 1), ("camelhead.off", 1), ("shirt", 4)]
)
def test_views_of_masks_and_normals(name, loops):
    source = open_shapes.shirt() if name == "shirt" else ml.load(shared_data("meshes", name))
    images = render_images(source, 48, size=192, samples=2, progress=False)
    given = images.only(("masks", "normals"))
    mesh = reconstruct(given, method="gshell", resolution=64, progress=False).mesh
    found = compared(mesh, source)
    assert found["accuracy"] < 2.5e-3 and found["completeness"] < 2.5e-3
    assert found["accuracy"] < 1.5 * found["completeness"]  # no doubled shell
    assert large_loops(mesh) == large_loops(source) == loops


@pytest.mark.parametrize("oriented", [True, False])
def test_noisy_points_of_a_shirt(oriented):
    source = open_shapes.shirt()
    low, high = source.bounds()
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(source, 20_000, normals=True, generator=generator)
    noise = torch.randn(points.shape, generator=generator)
    points = points + 0.005 * float((high - low).norm()) * noise
    cloud = PointCloud(points, normals if oriented else None)
    mesh = reconstruct(cloud, method="gshell", resolution=64, progress=False).mesh
    found = compared(mesh, source)
    assert len(mesh.topology.boundary_loops()) == 4 == large_loops(mesh)
    assert found["chamfer"] < 2e-3 and found["normal_consistency"] > 0.98


@pytest.mark.parametrize("name", ["spot.obj", "fandisk.obj"])
def test_closed_targets_lose_nothing(name):
    source = ml.load(shared_data("meshes", name))
    options = {"resolution": 64, "steps": 150, "progress": False}
    both = [reconstruct(source, method=m, **options).mesh for m in ("gshell", "flexicubes")]
    mine, plain = (compared(mesh, source)["chamfer"] for mesh in both)
    assert mine <= 1.05 * plain
    assert both[0].is_watertight and len(both[0].topology.boundary_edges) == 0


def test_a_closed_method_doubles_the_shell_of_a_shirt():
    source = open_shapes.shirt()
    options = {"resolution": 48, "steps": 100, "progress": False}
    single = compared(reconstruct(source, method="gshell", **options).mesh, source)
    with pytest.warns(UserWarning, match="4 boundary loops"):
        doubled = compared(reconstruct(source, method="flexicubes", **options).mesh, source)
    assert single["accuracy"] < 1.5 * single["completeness"]
    assert doubled["accuracy"] > 20 * single["accuracy"]
