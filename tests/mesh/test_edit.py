"""Edits: what they keep, and the maps they give."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.data import shapes
from meshlearn.mesh import cat
from meshlearn.mesh.repair import same_position, same_position_reference


def soup(mesh: ml.Mesh) -> ml.Mesh:
    """Every face with vertices of its own."""
    return ml.Mesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), torch.arange(mesh.num_faces * 3).view(-1, 3)
    )


def decorated(mesh: ml.Mesh) -> ml.Mesh:
    v, f = mesh.num_vertices, mesh.num_faces
    return ml.Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={"id": torch.arange(v)},
        face_attributes={"id": torch.arange(f), "material": torch.zeros(f, dtype=torch.int64)},
        corner_attributes={
            "uv": ml.CornerAttribute(torch.rand(3 * f, 2), torch.arange(3 * f).view(f, 3))
        },
        materials=["clay"],
    )


def assert_maps(old: ml.Mesh, edit: ml.mesh.Edit) -> None:
    """Maps agree with the attributes that travelled."""
    new = edit.mesh
    kept = (edit.vertex_map >= 0).nonzero().squeeze(1)
    assert torch.equal(new.vertices[edit.vertex_map[kept]], old.vertices[kept])
    faces = (edit.face_map >= 0).nonzero().squeeze(1)
    assert faces.numel() == new.num_faces
    assert torch.equal(new.face_attributes["id"][edit.face_map[faces]], faces)
    turned = edit.vertex_map[old.faces[faces]]
    assert torch.equal(new.faces[edit.face_map[faces]].sort(1).values, turned.sort(1).values)
    old_uv, new_uv = (m.corner_attributes["uv"].dense() for m in (old, new))
    assert torch.equal(new_uv[edit.face_map[faces]].sum(1), old_uv[faces].sum(1)) or torch.allclose(
        new_uv[edit.face_map[faces]].sum(1), old_uv[faces].sum(1)
    )
    assert new.materials == old.materials


def test_merge_of_a_soup_gives_the_mesh_back():
    mesh = shapes.icosphere(2)
    old = decorated(soup(mesh))
    edit = old.merge_vertices()
    assert edit.mesh.num_vertices == mesh.num_vertices and edit.mesh.is_watertight
    assert_maps(old, edit)
    first = edit.mesh.vertex_attributes["id"]
    assert torch.equal(first, first.sort().values)
    assert torch.equal(edit.mesh.vertices[edit.vertex_map], old.vertices)


def test_merge_keeps_zeros_together_and_nan_apart():
    vertices = torch.tensor([[0.0, 0, 0], [-0.0, 0, 0], [float("nan"), 0, 0], [float("nan"), 0, 0]])
    mesh = ml.Mesh(vertices, torch.zeros(0, 3, dtype=torch.int64))
    assert mesh.merge_vertices().vertex_map.tolist() == [0, 0, 1, 2]
    assert mesh.merge_vertices(0.1).vertex_map.tolist() == [0, 0, 1, 2]


@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0])] * 3), max_size=40),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=60, deadline=None)
def test_same_position(points, dtype):
    vertices = torch.tensor(points, dtype=dtype).view(-1, 3)
    expected = [points.index(p) for p in points]
    assert same_position(vertices).tolist() == expected
    assert same_position_reference(vertices).tolist() == expected


@given(st.integers(0, 10_000), st.floats(0.01, 0.6), st.sampled_from([1.0, 1e-9, 1e9]))
@settings(max_examples=25, deadline=None)
def test_merge_by_distance_equals_all_pairs(seed, tol, scale):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(40, 3, generator=generator, dtype=torch.float64)
    points[:10] = (
        points[0]
        + tol * 0.999 * torch.eye(3, dtype=torch.float64)[seed % 3] * torch.arange(10)[:, None]
    )
    points, tol = points * scale, tol * scale
    near = torch.linalg.vector_norm(points[:, None] - points, dim=2) <= tol
    group = torch.arange(40)
    for _ in range(40):
        group = torch.where(near, group[None], 40).amin(1)
    mesh = ml.Mesh(points, torch.zeros(0, 3, dtype=torch.int64))
    edit = mesh.merge_vertices(tol)
    assert torch.equal(edit.mesh.vertices[edit.vertex_map], points[group])


def test_merge_by_distance_mends_a_soup_with_noise():
    mesh = shapes.gear(dtype=torch.float64)
    torn = soup(mesh)
    noise = torch.rand(torn.vertices.shape, generator=torch.Generator().manual_seed(0)).double()
    torn = torn.with_vertices(torn.vertices + (noise - 0.5) * 1e-6)
    assert not torn.merge_vertices().mesh.is_watertight
    assert torn.merge_vertices(1e-5).mesh.topology.genus == 1


def test_submesh():
    old = decorated(shapes.icosphere(2))
    mask = old.face_normals()[:, 2] > 0.3
    edit = old.submesh(mask)
    assert_maps(old, edit)
    assert bool(edit.mesh.topology.referenced.all())
    index = torch.tensor([5, 2, 9])
    by_index = old.submesh(index)
    assert by_index.mesh.face_attributes["id"].tolist() == [5, 2, 9]
    assert by_index.face_map[index].tolist() == [0, 1, 2]


def test_remove_unreferenced_and_degenerate_and_duplicates():
    base = shapes.tetrahedron()
    old = decorated(
        ml.Mesh(
            torch.cat([torch.zeros(1, 3), base.vertices, torch.ones(2, 3)]),
            torch.cat([base.faces + 1, torch.tensor([[1, 1, 2], [3, 1, 2], [0, 0, 0]])]),
        )
    )
    edit = old.remove_unreferenced()
    assert edit.vertex_map.tolist() == [0, 1, 2, 3, 4, -1, -1]
    assert_maps(old, edit)
    edit = old.remove_degenerate()
    assert edit.face_map.tolist() == [0, 1, 2, 3, -1, 4, -1]
    assert_maps(old, edit)
    edit = edit.mesh.remove_duplicate_faces()
    assert edit.mesh.num_faces == 4
    assert edit.mesh.remove_unreferenced().mesh.is_watertight


def test_flip():
    old = decorated(shapes.box(dtype=torch.float64))
    edit = old.flip()
    assert_maps(old, edit)
    assert float(edit.mesh.volume()) == pytest.approx(-1)
    uv = edit.mesh.corner_attributes["uv"].index
    assert torch.equal(uv, old.corner_attributes["uv"].index[:, [0, 2, 1]])
    torch.testing.assert_close(edit.mesh.face_normals(), -old.face_normals())


def test_cat_then_split():
    parts = [decorated(shapes.box()), decorated(shapes.torus()), decorated(shapes.tetrahedron())]
    joined = cat(parts)
    assert joined.vertex_ptr.tolist() == [0, 8, 1160, 1164]
    assert joined.mesh.materials == ("clay",) * 3
    assert joined.mesh.face_attributes["material"].unique_consecutive().tolist() == [0, 1, 2]
    pieces = joined.mesh.split()
    assert len(pieces) == 3
    for piece, part, first in zip(pieces, parts, joined.vertex_ptr.tolist(), strict=False):
        assert torch.equal(piece.mesh.vertices, part.vertices)
        assert torch.equal(piece.mesh.faces, part.faces)
        assert torch.equal(piece.vertex_index, torch.arange(part.num_vertices) + first)
        assert torch.equal(
            piece.mesh.corner_attributes["uv"].dense(), part.corner_attributes["uv"].dense()
        )


def test_split_of_components_that_share_a_vertex():
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [0, 6, 7], [2, 1, 8]])
    parts = ml.Mesh(torch.rand(10, 3), faces).split()
    assert [p.face_index.tolist() for p in parts] == [[0, 3], [1], [2]]
    assert [p.vertex_index.tolist() for p in parts] == [[0, 1, 2, 8], [3, 4, 5], [0, 6, 7]]
    assert parts[2].mesh.faces.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", ["icosphere", "gear", "torus"])
def test_orient(name):
    mesh = getattr(shapes, name)(dtype=torch.float64)
    turn = torch.rand(mesh.num_faces, generator=torch.Generator().manual_seed(0)) < 0.7
    old = decorated(mesh.flip(turn).mesh)
    assert not old.is_consistently_oriented
    edit = old.orient()
    assert_maps(old, edit)
    assert edit.mesh.is_consistently_oriented
    assert float(edit.mesh.volume()) == pytest.approx(float(mesh.volume()))
    kept = old.orient(outward=False).mesh
    # Fewest faces turned: the larger part, here the turned one, stays.
    assert kept.is_consistently_oriented and float(kept.volume()) < 0


def test_orient_leaves_what_has_no_orientation():
    band = shapes.moebius()
    both = cat([band, shapes.box().flip().mesh]).mesh
    mended = both.orient().mesh
    assert torch.equal(mended.faces[: band.num_faces], band.faces)
    assert float(mended.split()[1].mesh.volume()) == pytest.approx(1)


def test_gradients_flow_through_edits():
    vertices = shapes.box(dtype=torch.float64).vertices.requires_grad_()
    mesh = shapes.box(dtype=torch.float64).with_vertices(vertices)
    mesh.submesh(torch.arange(4)).mesh.area().backward()
    assert bool(vertices.grad.abs().sum() > 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.merge_vertices(-1), "tol: expected a finite distance"),
        (lambda m: m.merge_vertices(float("nan")), "tol: expected a finite distance"),
        (lambda m: m.submesh(torch.tensor([0, 0])), "faces: expected distinct indices"),
        (lambda m: m.submesh(torch.tensor([99])), "faces: index 99 is out of range for 12 faces"),
        (lambda m: m.submesh(torch.zeros(3, dtype=torch.bool)), r"faces: expected shape \(12,\)"),
        (lambda m: m.submesh(torch.zeros(3)), "faces: expected dtype int64 or bool"),
        (lambda m: cat([]), "meshes: expected at least one"),
        (lambda m: cat([m, decorated(m)]), r"meshes\[1\].vertex_attributes: expected the names"),
        (lambda m: cat([m, m.to(torch.float64)]), r"meshes\[1\]: expected torch.float32"),
    ],
)
def test_messages(call, words):
    with pytest.raises(ValueError, match=words):
        call(shapes.box())


@pytest.mark.skipif(not HAS_NATIVE, reason="the extension was not built")
def test_opcheck():
    torch.library.opcheck(torch.ops.meshlearn.first_equal, (torch.rand(9, 3),))
