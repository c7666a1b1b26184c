"""Families: closed shapes with parts, the same for a seed, different for others."""

import math
import subprocess
import sys

import pytest
import torch

from meshlearn import Mesh
from meshlearn.data.families import FAMILIES, shape
from meshlearn.data.families.shape import cell_centres, occupied
from meshlearn.data.families.solids import airfoil, loft, moved, revolved, rod, slab, sweep, union
from meshlearn.geometry import MeshBVH
from meshlearn.metrics import self_intersections

pytest.importorskip("manifold3d")


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_are_closed_and_lie_in_the_box(family):
    for number in range(8):
        one = shape(family, number)
        assert one.mesh.is_watertight and one.mesh.topology.is_edge_manifold, one.name
        assert one.mesh.is_consistently_oriented and float(one.mesh.volume()) > 1e-4
        low, high = one.mesh.vertices.amin(0), one.mesh.vertices.amax(0)
        torch.testing.assert_close(float((high - low).max()), 0.9, rtol=1e-5, atol=0)
        torch.testing.assert_close(low + high, torch.zeros(3), rtol=0, atol=1e-5)
        assert one.part.shape == (one.mesh.num_faces,)
        assert set(one.part.tolist()) <= set(range(len(one.parts)))
        assert 0 in one.part
        # one piece: nothing floats
        assert int(one.mesh.topology.components()[1]) == 1, one.name


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES)
def test_hundreds_of_different_shapes(family, count):
    """No two have nearly the same distances at a hundred points."""
    points = torch.rand(100, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    values = torch.stack([shape(family, k).sdf(points) for k in range(count)])
    apart = torch.cdist(values, values, p=torch.inf).fill_diagonal_(1.0)
    assert float(apart.min()) > 2e-3 and float(apart.amin(1).median()) > 0.01


def test_same_seed_same_shape_in_any_process():
    code = (
        "from meshlearn.data.families import shape; m = shape('chairs', 4).mesh;"
        "print(m.vertices.double().sum().item(), m.faces.sum().item())"
    )
    words = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    mesh = shape("chairs", 4).mesh
    assert words.stdout.split() == [
        str(mesh.vertices.double().sum().item()), str(mesh.faces.sum().item())
    ]  # fmt: skip
    other = shape("chairs", 4, seed=1).mesh
    assert other.num_vertices != mesh.num_vertices or not torch.equal(other.vertices, mesh.vertices)


def test_distances_are_exact():
    """Against the brute distance to all faces, and against the volume."""
    one = shape("mugs", 3, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(60, 3, dtype=torch.float64, generator=generator) - 0.5
    from meshlearn.geometry.reference import closest_reference, winding_reference

    face, weights = closest_reference(points, one.mesh.vertices, one.mesh.faces)
    foot = (one.mesh.vertices[one.mesh.faces[face]] * weights[..., None]).sum(1)
    sign = 1 - 2 * (winding_reference(points, one.mesh.vertices, one.mesh.faces) > 0.5).double()
    torch.testing.assert_close(
        one.sdf(points), sign * (points - foot).norm(dim=1), rtol=0, atol=1e-9
    )
    car = shape("cars", 2)
    share = float(car.voxels(64).double().mean())
    assert share == pytest.approx(float(car.mesh.volume()), rel=0.02)


def test_voxels_equal_the_dense_answer():
    chair = shape("chairs", 1)
    for resolution in (16, 24, 32):
        dense = chair.tree.winding_number(cell_centres(resolution, chair.mesh.vertices)) > 0.5
        assert torch.equal(chair.voxels(resolution).reshape(-1), dense)
    half = Mesh(chair.mesh.vertices, chair.mesh.faces[::2])  # open: asked everywhere
    tree = MeshBVH(half)
    dense = tree.winding_number(cell_centres(16, half.vertices)).abs() > 0.5
    assert torch.equal(occupied(tree, 16).reshape(-1), dense)
    with pytest.raises(ValueError, match="resolution: expected 1"):
        occupied(tree, 0)


def test_labels_are_where_the_parts_are():
    chair = shape("chairs", 8)  # four legs, no arms
    low = chair.mesh.vertices[:, 1].amin()
    high = chair.mesh.vertices[:, 1].amax()
    points = torch.stack([torch.tensor([0.0, 1.0, 0.0]) * (high - 0.02), torch.zeros(3)])
    points[1, 1] = low
    points[0, 2] = chair.mesh.vertices[:, 2].amin()
    assert [chair.parts[k] for k in chair.labels(points)] == ["back", "legs"]
    mug = shape("mugs", 0)
    right = torch.tensor([[float(mug.mesh.vertices[:, 0].amax()), 0.0, 0.0]])
    assert mug.parts[int(mug.labels(right))] == "handle"
    # the handle is cut off where it would stand in the hollow
    inside = torch.linalg.vector_norm(mug.mesh.vertices[mug.mesh.faces[mug.part == 1]], dim=-1)
    assert float(inside.min()) > 0.1


def test_no_faces_cross():
    for family in FAMILIES:
        for number in range(3):
            crossing = int(self_intersections(shape(family, number).mesh).ge(0).sum())
            assert crossing == 0, f"{family} {number}: {crossing}"


def test_pieces_are_closed_and_outward():
    path = torch.tensor([[0.0, 0, 0], [0.5, 0.2, 0], [1.0, 0.0, 0.3]], dtype=torch.float64)
    rings = torch.stack([torch.cat((airfoil(0.04, 0.4, 0.12), torch.full((41, 1), z)), 1).double()
                         for z in (0.0, 1.0)])  # fmt: skip
    pieces = {
        "slab": (slab(0.5, 0.4, 0.0, 0.1, corner=0.05, bevel=0.0), 0.08),
        "rod": (rod((0, 0, 0), (0, 2, 0), 0.5, segments=64), 0.5 * math.pi),
        "ball": (revolved([(0, -1), (1, 0), (0, 1)], 64), 2 * math.pi / 3),
        "sweep": (sweep(path, [(0.1, 0.05)] * 3), None),
        "wing": (loft(rings), None),
        "turned": (moved(rod((0, 0, 0), (0, 1, 0), 0.1), (1, 0, 0), turn=("z", 90)), None),
    }
    for name, (mesh, volume) in pieces.items():
        assert mesh.is_watertight and mesh.is_consistently_oriented, name
        assert float(mesh.volume()) > 0, name
        if volume:
            assert float(mesh.volume()) == pytest.approx(volume, rel=0.03), name


def test_union_and_cut():
    block = slab(0.5, 0.5, 0, 1, corner=0.001, bevel=0.001)
    post = rod((0, -0.5, 0), (0, 1.5, 0), 0.2, segments=64)
    mesh, part = union([(0, block), (1, post)])
    circle = 0.04 * math.pi
    assert float(mesh.volume()) == pytest.approx(1 + circle, rel=0.01)
    assert set(part.tolist()) == {0, 1}
    assert float(mesh.vertices[mesh.faces[part == 0]][..., 1].max()) < 1.01
    drilled, _ = union([(0, block)], [(0, post)])
    assert float(drilled.volume()) == pytest.approx(1 - circle, rel=0.01)
    with pytest.raises(ValueError, match="no closed surface"):
        union([(0, Mesh(block.vertices, block.faces[1:]))])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("boats", 0), "family: expected one of cars"),
        (("cars", -1), "number, seed: expected 0"),
    ],
)
def test_bad_input(options, words):
    with pytest.raises(ValueError, match=words):
        shape(*options)
    with pytest.raises(ValueError, match="dtype: expected"):
        shape("cars", 0, dtype=torch.float16)
