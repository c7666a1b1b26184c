"""The passes behind `remesh`: equal to their reference in plain Python, bit for bit."""

from __future__ import annotations

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh, geometry
from meshlearn.data import shapes
from meshlearn.geometry import edge_passes
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.edge_passes import Given, passes
from meshlearn.geometry.edge_passes_reference import passes_reference
from meshlearn.geometry.remesh_features import cut_odd_edges, features


def shaken(mesh: Mesh, by: float) -> Mesh:
    noise = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(0))
    return mesh.with_vertices(mesh.vertices + by * noise)


def touching() -> Mesh:
    """Two boxes that have an edge in common, along which four faces meet."""
    box = geometry.subdivide(shapes.box((1.0, 1.0, 1.0)), 3, method="midpoint").mesh
    other = box.translate((1.0, 1.0, 0.0))
    return ml.mesh.cat([box, other]).mesh.merge_vertices().mesh


def given(name: str) -> Given:
    kind = name.split()[0]
    mesh = {
        "ball": lambda: shaken(shapes.icosphere(3), 0.01),
        "box": lambda: geometry.subdivide(shapes.box((1.0, 1.0, 1.0)), 2, method="midpoint").mesh,
        "sheet": lambda: shaken(shapes.plane(segments=(8, 8)), 0.01),
        "touching": touching,
        # edges may go around the tube of one, and between the creases of the other
        "ring": lambda: shapes.torus(segments=24, rings=10),
        "slab": lambda: geometry.subdivide(shapes.box((1.0, 1.0, 0.06)), 3).mesh,
    }[kind]()
    length = {"touching": 0.3, "ring": 0.9, "slab": 0.22}.get(kind, 0.2)
    if "fine" in name:
        length /= 2.5
    mesh = mesh.to(torch.float64)
    mesh = mesh.with_vertices(mesh.vertices / length)
    kept = features(mesh, 40.0, [])
    size = None
    if "sized" in name:
        size = 1.2 + 0.6 * torch.sin(mesh.vertices[:, 0])
    return Given(*cut_odd_edges(mesh, kept, size, edge_passes.LONG))


NAMES = [
    "ball",
    "ball fine",
    "ball sized",
    "box",
    "sheet",
    "sheet fine sized",
    "touching",
    "ring",
    "slab",
]


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_the_reference(name):
    surface = given(name)
    tree = MeshBVH(Mesh(surface.vertices.float(), surface.faces))
    for rounds, target in ((1, 0), (2, 0), (3, len(surface.faces) // 3)):
        made = passes(surface, rounds, target)
        right = passes_reference(
            surface.vertices,
            surface.faces,
            surface.feature,
            surface.corner,
            surface.size,
            tree,
            edge_passes._RULES,
            rounds,
            target,
        )
        assert len(made[1]) != len(surface.faces)
        assert torch.equal(made[1], right[1])
        assert torch.equal(made[0], right[0])


def test_nothing_is_done_in_no_rounds():
    surface = given("touching")
    vertices, faces = passes(surface, 0)
    assert torch.equal(vertices, surface.vertices) and torch.equal(faces, surface.faces)


@pytest.mark.skipif(not edge_passes.HAS_NATIVE, reason="operators are not compiled here")
def test_operator_is_registered_well():
    surface = given("sheet sized")
    tree = MeshBVH(Mesh(surface.vertices.float(), surface.faces))
    torch.library.opcheck(
        torch.ops.meshlearn.remesh,
        (
            surface.vertices,
            surface.faces,
            surface.feature,
            surface.corner,
            surface.size,
            *tree._tree,
            tree._scale,
            list(edge_passes._RULES),
            2,
            0,
        ),
    )
