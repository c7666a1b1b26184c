"""Convexes fitted to one shape, in its own frame."""

import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn import convex
from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.convexes import fit_convexes

pytest.importorskip("manifold3d")


def iou(mesh: ml.Mesh, convexes: convex.Convexes, cells: int = 64) -> float:
    """Over the cells of a cube around the mesh."""
    low, high = mesh.bounds()
    line = (torch.arange(cells) + 0.5) / cells - 0.5
    points = torch.cartesian_prod(line, line, line) * (high - low).max() + (low + high) / 2
    inside = ml.winding_number(points, mesh) > 0.5
    found = convex.contains(convexes, points).any(1)
    return float((inside & found).sum() / (inside | found).sum())


def test_a_gear_far_from_the_origin():
    mesh = shapes.gear(teeth=8)
    mesh = mesh.with_vertices(mesh.vertices * 30 + torch.tensor([500.0, -200, 70]))
    found = fit_convexes(mesh, resolution=48, steps=30, progress=False)
    assert iou(mesh, found.convexes, 48) > 0.9
    assert found.mesh.is_watertight and found.mesh.is_vertex_manifold
    assert float(found.mesh.volume()) == pytest.approx(float(mesh.volume()), rel=0.1)
    colored = found.colored()
    assert colored.face_attributes["color"].shape == (colored.num_faces, 3)
    assert int(colored.face_attributes["convex"].max()) < len(found.convexes)


def test_reconstruct_takes_meshes_points_and_volumes():
    mesh = shapes.box((1.0, 0.6, 0.4), segments=2)
    result = reconstruct(mesh, method="bspnet", resolution=24, steps=0, progress=False)
    assert result.mesh.num_vertices == 8 and result.mesh.is_watertight
    points, normals = ml.sample_points(
        mesh, 3000, normals=True, generator=torch.Generator().manual_seed(0)
    )
    cloud = PointCloud(points, normals)
    cloud = reconstruct(cloud, method="bspnet", resolution=32, steps=0, progress=False)
    assert float(cloud.mesh.volume()) == pytest.approx(0.24, rel=0.25)


def test_bad_input():
    mesh = shapes.box()
    for option in ({"sparse": True}, {"checkpoint": "run"}, {"network": "model.safetensors"}):
        with pytest.raises(ValueError, match=f"{next(iter(option))}: expected with method '"):
            reconstruct(mesh, method="bspnet", **option)
    with pytest.raises(ValueError, match="expected a mesh with faces"):
        fit_convexes(ml.Mesh(torch.rand(3, 3), torch.zeros(0, 3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="no sample lies inside"):
        fit_convexes(shapes.plane(), resolution=16, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name,least", [("block.obj", 0.96), ("featuretype.STL", 0.9), ("chair", 0.9)]
)
def test_parts_of_machines_and_a_chair(name, least):
    if name == "chair":
        from meshlearn.data.families import shape

        mesh = shape("chairs", 3).mesh
    else:
        mesh = ml.load(shared_data("meshes", name))
    found = fit_convexes(mesh, progress=False)
    assert iou(mesh, found.convexes) >= least
    assert int((~found.convexes.empty).sum()) <= 100
    assert found.mesh.is_watertight and found.mesh.is_vertex_manifold
