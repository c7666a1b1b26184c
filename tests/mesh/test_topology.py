"""Topology against facts known by hand and against another library."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn._segment import Incidence
from meshlearn.data import shapes
from meshlearn.mesh import cat
from meshlearn.mesh.connected import connected_components, roots_reference
from meshlearn.mesh.topology import edge_table_reference, edge_unions_reference
from tests.shared_data import shared_data

native = pytest.mark.skipif(not HAS_NATIVE, reason="the extension was not built")


def topology(*faces: tuple[int, int, int], vertices: int | None = None) -> ml.Topology:
    table = torch.tensor(faces, dtype=torch.int64).view(-1, 3)
    return ml.Topology(table, int(table.max()) + 1 if vertices is None else vertices)


TETRAHEDRON = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]


def shifted(mapping: dict[int, int]) -> list[tuple[int, int, int]]:
    return [tuple(mapping[v] for v in face) for face in TETRAHEDRON]


def test_tetrahedron():
    t = topology(*TETRAHEDRON)
    assert t.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert t.face_edges.tolist() == [[1, 3, 0], [0, 4, 2], [3, 5, 4], [2, 5, 1]]
    start, face = t.edge_faces
    assert start.tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert face.tolist() == [0, 1, 0, 3, 1, 3, 0, 2, 1, 2, 2, 3]
    start, face = t.vertex_faces
    assert face[start[3] : start[4]].tolist() == [1, 2, 3]
    assert t.face_pairs.tolist() == [[0, 1], [0, 3], [1, 3], [0, 2], [1, 2], [2, 3]]
    assert t.euler_number == 2 and t.genus == 0 and t.components().count == 1
    assert t.is_watertight and t.is_edge_manifold and t.is_vertex_manifold
    assert t.is_consistently_oriented and t.boundary_loops() == []


def test_two_tetrahedra_share_an_edge():
    t = topology(*TETRAHEDRON, *shifted({0: 0, 1: 1, 2: 4, 3: 5}))
    assert t.edges[t.non_manifold_edges].tolist() == [[0, 1]]
    assert not t.is_edge_manifold and not t.is_vertex_manifold and not t.is_watertight
    assert t.non_manifold_vertices.tolist() == [0, 1]
    assert t.is_consistently_oriented and t.genus is None
    assert t.components().count == 1


def test_two_tetrahedra_share_a_vertex():
    t = topology(*TETRAHEDRON, *shifted({0: 0, 1: 4, 2: 5, 3: 6}))
    assert t.is_watertight and t.is_edge_manifold and not t.is_vertex_manifold
    assert t.non_manifold_vertices.tolist() == [0]
    assert t.components().labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert t.vertex_components().count == 1 and t.euler_number == 3 and t.genus is None


def test_orientation():
    assert topology((0, 1, 2), (0, 2, 3)).is_consistently_oriented
    t = topology((0, 1, 2), (0, 3, 2))
    assert t.edges[t.inconsistent_edges].tolist() == [[0, 2]]
    # Three pages of a book: whatever their orientation two traverse the spine alike.
    assert topology((0, 1, 2), (1, 0, 3), (0, 1, 4)).is_consistently_oriented
    assert not topology((0, 1, 2), (0, 1, 3), (0, 1, 4)).is_consistently_oriented


def test_boundary_loops_follow_the_faces():
    loop = topology((0, 1, 2), (0, 2, 3)).boundary_loops()
    assert [x.tolist() for x in loop] == [[0, 1, 2, 3]]
    box = shapes.box()
    opened = ml.Topology(box.faces[1:], 8)
    (loop,) = opened.boundary_loops()
    missing = box.faces[0].flip(0).tolist()
    assert loop.tolist() in [missing[i:] + missing[:i] for i in range(3)]


def test_two_loops_that_touch_stay_two():
    # Two triangles in one vertex: the walk along the boundary turns back at it.
    t = topology((0, 1, 2), (0, 3, 4))
    assert [x.tolist() for x in t.boundary_loops()] == [[0, 1, 2], [0, 3, 4]]
    assert t.non_manifold_vertices.tolist() == [0]


def test_holes_of_a_plane():
    plane = shapes.plane(segments=(6, 5))
    centre = plane.vertices[plane.faces].mean(1)
    keep = (centre[:, :2].abs() > 0.2).any(1)
    t = plane.submesh(keep).mesh.topology
    loops = t.boundary_loops()
    assert len(loops) == 2 and sum(x.numel() for x in loops) == t.boundary_edges.numel()
    directed = {tuple(e) for e in t.half_edges[t.boundary_half_edges].tolist()}
    for loop in loops:
        pairs = zip(loop.tolist(), loop.roll(-1).tolist(), strict=True)
        assert all(pair in directed for pair in pairs)


def test_moebius_loop_is_closed():
    t = shapes.moebius(segments=10, rings=2).topology
    (loop,) = t.boundary_loops()
    edges = {tuple(e) for e in t.edges[t.boundary_edges].tolist()}
    pairs = zip(loop.tolist(), loop.roll(-1).tolist(), strict=True)
    assert {tuple(sorted(pair)) for pair in pairs} == edges


def test_chains_that_end_at_a_non_manifold_edge_are_left_out():
    t = topology((0, 1, 2), (1, 0, 3), (0, 1, 4), (5, 6, 7))
    assert [x.tolist() for x in t.boundary_loops()] == [[5, 6, 7]]


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=14))
@settings(max_examples=150, deadline=None)
def test_any_faces_agree_with_plain_counting(faces):
    t = topology(*faces, vertices=7)
    uses: dict[tuple[int, int], list[int]] = {}
    for a, b, c in faces:
        for u, v in ((a, b), (b, c), (c, a)):
            uses.setdefault((min(u, v), max(u, v)), []).append(1 if u < v else -1)
    assert t.edges.tolist() == sorted(map(list, uses))
    assert t.edge_face_counts.tolist() == [len(uses[e]) for e in sorted(uses)]
    assert t.is_edge_manifold == all(len(x) <= 2 for x in uses.values())
    assert t.is_watertight == all(len(x) == 2 for x in uses.values())
    assert t.is_consistently_oriented == all(
        abs(sum(x)) <= 1 for e, x in uses.items() if e[0] != e[1]
    )
    used = {v for face in faces for v in face}
    assert t.euler_number == len(used) - len(uses) + len(faces)
    # Faces at a vertex, joined where they share an edge at it, are its fans.
    if all(len(set(face)) == 3 for face in faces):
        bad = {v for e, x in uses.items() if len(x) > 2 for v in e}
        for v in used:
            around = [set(face) - {v} for face in faces if v in face]
            group = [around.pop()]
            while joined := [x for x in around if any(x & g for g in group)]:
                around = [x for x in around if x not in joined]
                group += joined
            bad |= {v} if around else set()
        assert set(t.non_manifold_vertices.tolist()) == bad
    for loop in t.boundary_loops():
        pairs = zip(loop.tolist(), loop.roll(-1).tolist(), strict=True)
        assert all(len(uses[min(p), max(p)]) == 1 for p in pairs)
    mesh = ml.Mesh(torch.rand(7, 3), t.faces)
    mesh.check().to_dict()
    oriented = mesh.orient(outward=False).mesh
    assert oriented.topology.inconsistent_edges.numel() <= t.inconsistent_edges.numel() or not (
        t.is_edge_manifold
    )


def test_degenerate_faces_do_not_break_anything():
    t = topology((0, 0, 1), (2, 2, 2), (0, 1, 3))
    assert t.edges.tolist() == [[0, 0], [0, 1], [0, 3], [1, 3], [2, 2]]
    assert not t.is_watertight and isinstance(t.boundary_loops(), list)
    assert t.fans.labels.numel() == 9 and t.is_consistently_oriented in (True, False)


def test_unreferenced_vertices_do_not_count():
    t = topology(*TETRAHEDRON, vertices=10)
    assert t.euler_number == 2 and t.referenced.sum() == 4
    assert t.vertex_components().count == 7


def test_empty():
    t = ml.Topology(torch.zeros(0, 3, dtype=torch.int64), 0)
    assert t.edges.shape == (0, 2) and t.face_edges.shape == (0, 3)
    assert t.components().count == 0 and t.boundary_loops() == [] and t.euler_number == 0
    assert not t.is_watertight and t.is_vertex_manifold and t.is_consistently_oriented


def test_shared_by_with_vertices():
    mesh = shapes.icosphere(1)
    edges = mesh.topology.edges
    moved = mesh.with_vertices(mesh.vertices * 2)
    assert moved.topology is mesh.topology and moved.topology.edges is edges
    assert mesh.to(torch.float64).topology is mesh.topology


links = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60)
    )
)


@given(links)
@settings(max_examples=100, deadline=None)
def test_components_equal_a_search(case):
    size, pairs = case
    table = torch.tensor(pairs, dtype=torch.int64).view(-1, 2)
    group = list(range(size))
    for a, b in pairs:
        old, new = max(group[a], group[b]), min(group[a], group[b])
        group = [new if g == old else g for g in group]
    assert roots_reference(table, size).tolist() == group
    labels, count = connected_components(table, size)
    assert count == len(set(group))
    assert labels.tolist() == [sorted(set(group)).index(g) for g in group]
    if HAS_NATIVE:
        assert torch.ops.meshlearn.component_roots(table, size).tolist() == group


@native
def test_operators_equal_references():
    generator = torch.Generator().manual_seed(1)
    # A soup with edges of many faces: buckets long enough for both sorts, faces with equal indices.
    faces = torch.randint(0, 40, (2000, 3), generator=generator)
    faces[:300, 0] = 7
    for got, want in zip(
        torch.ops.meshlearn.edge_table(faces, 45), edge_table_reference(faces, 45), strict=True
    ):
        assert torch.equal(got, want)
    index = faces.reshape(-1)
    start, order = torch.ops.meshlearn.incidence(index, 45)
    assert torch.equal(order, torch.argsort(index, stable=True))
    assert torch.equal(start.diff(), torch.bincount(index, minlength=45))
    torch.library.opcheck(torch.ops.meshlearn.incidence, (index, 45))
    torch.library.opcheck(torch.ops.meshlearn.component_roots, (faces[:, :2].contiguous(), 45))
    for soup in (faces, shapes.torus().flip().mesh.faces.contiguous()):
        _, edge_start, edge_order, _ = edge_table_reference(soup, 2000)
        for corners in (False, True):
            args = (soup, edge_start, edge_order, corners)
            got = torch.ops.meshlearn.edge_unions(*args)
            assert torch.equal(got, edge_unions_reference(*args))
    torch.library.opcheck(torch.ops.meshlearn.edge_unions, args)
    torch.library.opcheck(torch.ops.meshlearn.edge_table, (faces, 45))
    assert Incidence(index[:0], 0).start.tolist() == [0]


@pytest.mark.parametrize("name", ["spot.obj", "block.obj", "3holes.off", "halftunnel.off"])
def test_against_trimesh(name):
    trimesh = pytest.importorskip("trimesh")
    numpy = pytest.importorskip("numpy")
    other = trimesh.load(shared_data("meshes", name), process=False, force="mesh")
    other.merge_vertices(merge_tex=True, merge_norm=True)
    mesh = ml.Mesh(torch.tensor(other.vertices).double(), torch.tensor(other.faces).long())
    t = mesh.topology
    assert torch.equal(t.edges, torch.tensor(other.edges_unique).sort(1).values.unique(dim=0))
    assert t.euler_number == other.euler_number
    assert mesh.is_watertight == other.is_watertight
    assert mesh.is_consistently_oriented == other.is_winding_consistent
    assert t.components().count == len(
        trimesh.graph.connected_components(
            other.face_adjacency, nodes=numpy.arange(len(other.faces)), min_len=1
        )
    )
    assert float(mesh.area()) == pytest.approx(other.area, rel=1e-9)
    if mesh.is_watertight:
        assert float(mesh.volume()) == pytest.approx(other.volume, rel=1e-9)
    sizes = sorted(x.numel() for x in t.boundary_loops())
    assert sum(sizes) == len(trimesh.grouping.group_rows(other.edges_sorted, require_count=1))
    torch.testing.assert_close(
        mesh.face_normals(), torch.tensor(other.face_normals).double(), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(
        mesh.vertex_normals("angle"), torch.tensor(other.vertex_normals), atol=1e-6, rtol=0
    )


def test_genus_is_summed_over_components():
    """Euler number 2 a sphere, 0 a torus, whatever else is there: no part hides a handle."""
    sphere, torus = shapes.icosphere(1), shapes.torus(segments=16, rings=8)
    for parts, genus, euler in (
        ([sphere, sphere], 0, 4),
        ([torus, torus], 2, 0),
        ([sphere, torus, sphere], 1, 4),
    ):
        topology = cat(parts).mesh.topology
        assert (topology.genus, topology.euler_number) == (genus, euler)
