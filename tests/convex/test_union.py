"""Union, inside tests, removal of inner convexes, files."""

import builtins
import re

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import convex
from meshlearn.convex import intersect_halfspaces
from meshlearn.io import load_document

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def boxes(*corners, dtype=torch.float64) -> convex.Convexes:
    """Axis-aligned boxes by lower and upper corner."""
    rows = torch.cat([torch.eye(3), -torch.eye(3)]).to(dtype)
    planes = []
    for low, high in corners:
        d = torch.tensor([*(-h for h in high), *low], dtype=dtype)
        planes.append(torch.cat([rows, d[:, None]], 1))
    return intersect_halfspaces(torch.stack(planes), bounds=BOX)


def scattered(count=30, planes=10, seed=1, dtype=torch.float64) -> convex.Convexes:
    generator = torch.Generator().manual_seed(seed)
    n = torch.randn(count, planes, 3, generator=generator, dtype=dtype)
    n = n / n.norm(dim=-1, keepdim=True)
    centre = torch.rand(count, 1, 3, generator=generator, dtype=dtype) * 1.6 - 0.8
    d = -(n * centre).sum(-1, keepdim=True) - 0.25
    return intersect_halfspaces(torch.cat([n, d], -1), bounds=BOX)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_union_is_one_watertight_mesh(dtype):
    pytest.importorskip("manifold3d")
    found = scattered(dtype=dtype)
    mesh = convex.union_convexes(found)
    assert mesh.is_watertight and mesh.is_vertex_manifold and mesh.is_consistently_oriented
    assert mesh.dtype == dtype
    points = torch.rand(40_000, 3, generator=torch.Generator().manual_seed(0), dtype=dtype) * 2 - 1
    inside = convex.contains(found, points).any(1)
    assert torch.equal(ml.winding_number(points[:4000], mesh) > 0.5, inside[:4000])
    assert float(mesh.volume()) == pytest.approx(8 * float(inside.double().mean()), rel=0.02)
    # every triangle is of the convex and lies in the plane that it says
    corners = mesh.vertices[mesh.faces].double()
    own, plane = mesh.face_attributes["convex"], mesh.face_attributes["plane"]
    rows = convex.face_planes(found)
    key = found.face_convex * 100 + found.face_plane
    at = torch.searchsorted(key.sort().values, own * 100 + plane)
    row = rows[key.argsort()[at]]
    off = (corners * row[:, None, :3]).sum(2) + row[:, None, 3]
    assert float(off.abs().max()) < (1e-5 if dtype == torch.float32 else 1e-12)


def test_union_of_touching_nested_and_separate_boxes():
    pytest.importorskip("manifold3d")
    parts = boxes(
        ((0, 0, 0), (0.5, 0.5, 0.5)),
        ((0.5, 0, 0), (0.9, 0.5, 0.5)),  # shares a face with the first
        ((0.1, 0.1, 0.1), (0.2, 0.2, 0.2)),  # inside the first
        ((-0.9, -0.9, -0.9), (-0.8, -0.8, -0.8)),  # apart
        ((0.3, 0.3, 0.3), (0.2, 0.4, 0.4)),  # empty
    )
    mesh = convex.union_convexes(parts)
    assert mesh.is_watertight
    assert float(mesh.volume()) == pytest.approx(0.9 * 0.25 + 0.001)
    assert set(mesh.face_attributes["convex"].tolist()) == {0, 1, 3}
    fewest = convex.union_convexes(parts, simplify=True)
    assert fewest.is_watertight and fewest.num_faces == 24
    assert float(fewest.volume()) == pytest.approx(float(mesh.volume()))


def test_union_of_nothing_is_empty():
    pytest.importorskip("manifold3d")
    assert convex.union_convexes(boxes(((0.3, 0, 0), (0.2, 1, 1)))).num_faces == 0


def test_union_without_the_library(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "manifold3d":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'meshlearn\[union\]'"):
        convex.union_convexes(scattered(2))


def test_inner_convexes_and_select():
    big, small = ((0, 0, 0), (0.5, 0.5, 0.5)), ((0.1, 0.1, 0.1), (0.5, 0.2, 0.2))
    across = ((0.4, 0.4, 0.4), (0.6, 0.5, 0.5))
    parts = boxes(small, big, across, big, ((0.3, 0.3, 0.3), (0.2, 0.4, 0.4)))
    inner = convex.inner_convexes(parts)
    assert inner.tolist() == [True, False, False, True, False]
    kept = convex.select(parts, ~inner)
    assert kept.empty.tolist() == [True, False, False, True, True]
    assert torch.equal(kept[2].vertices, parts[2].vertices)
    assert kept[2].polygons == parts[2].polygons
    assert kept.volumes().tolist() == pytest.approx([0, 0.125, 0.002, 0, 0])


def test_contains_equals_the_planes():
    generator = torch.Generator().manual_seed(3)
    planes = torch.randn(20, 8, 4, generator=generator, dtype=torch.float64)
    planes[..., 3] -= 1
    found = intersect_halfspaces(planes, bounds=BOX)
    points = torch.rand(3000, 3, generator=generator, dtype=torch.float64) * 2 - 1
    value = torch.einsum("nk,cpk->ncp", points, planes[..., :3]) + planes[..., 3]
    assert torch.equal(convex.contains(found, points), (value <= 0).all(2))
    assert not bool(convex.contains(found, points * 0 + 5).any())


def test_centres_and_list():
    parts = boxes(((0, 0, 0), (0.5, 0.5, 0.5)), ((0.3, 0, 0), (0.2, 1, 1)))
    assert parts.centres()[0].tolist() == pytest.approx([0.25] * 3)
    assert bool(parts.centres()[1].isnan().all())
    assert [m.num_polygons for m in parts.list()] == [6, 0]
    assert parts.mesh().num_faces == 12
    with pytest.raises(IndexError):
        parts[2]


def test_obj_and_ply_have_one_group_and_colour_a_convex(tmp_path):
    parts = boxes(
        ((0, 0, 0), (0.5, 0.5, 0.5)), ((0.3, 0, 0), (0.2, 1, 1)), ((-0.5, 0, 0), (-0.25, 1, 1))
    )
    convex.save_convexes(parts, tmp_path / "a.obj")
    document = load_document(tmp_path / "a.obj")
    (part,) = document.parts
    assert part.groups == ["convex_0", "convex_2"]
    assert (part.sizes == 4).all() and part.num_faces == 12
    assert part.face_fields["group"].tolist() == [0] * 6 + [1] * 6
    colours = [m.values["base_color"][:3] for m in document.materials]
    assert np.allclose(colours, convex.convex_colors(3)[[0, 2]], atol=1e-6)
    convex.save_convexes(parts, tmp_path / "a.ply")
    (part,) = load_document(tmp_path / "a.ply").parts
    assert part.face_fields["convex"].tolist() == [0] * 6 + [2] * 6
    assert len(np.unique(part.face_fields["color"], axis=0)) == 2
    with pytest.raises(ValueError, match="colors: expected shape"):
        convex.save_convexes(parts, tmp_path / "b.ply", colors=torch.zeros(2, 3))


def test_colours_differ():
    colours = convex.convex_colors(60)
    apart = (colours[:, None] - colours[None]).abs().sum(2) + torch.eye(60) * 9
    assert float(apart.min()) > 0.01
    assert float(apart.diagonal(1).min()) > 0.2


def test_openscad(tmp_path):
    """The text's polyhedra, read back and turned, have the volumes of the convexes."""
    parts = scattered(6)
    path = tmp_path / "a.scad"
    convex.save_convexes(parts, path)
    found = re.findall(r"polyhedron\(points = (.*), faces = (.*)\);", path.read_text())
    assert len(found) == 6
    for (points, faces), volume in zip(found, parts.volumes().tolist(), strict=True):
        mesh = ml.PolygonMesh(torch.tensor(eval(points), dtype=torch.float64), eval(faces))
        assert float(mesh.triangulate().volume()) == pytest.approx(-volume, rel=1e-6)  # clockwise
    with pytest.raises(ValueError, match="it exists"):
        convex.save_convexes(parts, path, overwrite=False)
