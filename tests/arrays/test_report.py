"""Facts and defects from plain arrays: equal to the data model's topology, compiled or not."""

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn._compiled import HAS_COMPILED
from meshlearn.arrays import connectivity
from meshlearn.arrays.report import report_of
from meshlearn.data import shapes
from meshlearn.mesh.repair import component_volumes, duplicate_faces, same_position

compiled = pytest.mark.skipif(not HAS_COMPILED, reason="the compiled readers are not built")


@pytest.fixture(params=[pytest.param(True, marks=compiled), False], ids=["compiled", "numpy"])
def either(request, monkeypatch):
    monkeypatch.setattr(connectivity, "HAS_COMPILED", request.param)


def nasty(seed: int, dtype: torch.dtype) -> ml.Mesh:
    """Faces between random vertices: edges of many faces, repeated corners, NaN, indices that are
    out of range."""
    generator = torch.Generator().manual_seed(seed)
    vertices = torch.randn(12, 3, generator=generator, dtype=dtype)
    if seed % 3 == 0:
        vertices[torch.randint(0, 12, (1,), generator=generator)] = float("nan")
    if seed % 4 == 0:
        vertices[3] = vertices[5]
    if seed % 5 == 0:
        vertices[7] = float("inf")
    low, high = (-1, 13) if seed % 2 else (0, 12)
    faces = torch.randint(low, high, (2 * seed, 3), generator=generator)
    return ml.Mesh(vertices, faces, validate=False)


def known() -> dict[str, ml.Mesh]:
    outer, inner = shapes.icosphere(1), shapes.icosphere(1)
    faces = (outer.faces, inner.faces.flip(1) + 42, inner.faces.flip(1) + 84)
    places = (outer.vertices, 0.5 * inner.vertices + 0.1, 0.3 * inner.vertices + 5)
    return {
        "sphere": shapes.icosphere(2),
        "torus": shapes.torus(dtype=torch.float64),
        "plane": shapes.plane(),
        "box": shapes.box(),
        "a cavity, and a sphere inside out": ml.Mesh(torch.cat(places), torch.cat(faces)),
        "two triangles at a vertex": ml.Mesh(
            torch.eye(5)[:, :3].contiguous(), torch.tensor([[0, 1, 2], [0, 3, 4]])
        ),
        "nothing": ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64)),
        "points": ml.Mesh(torch.ones(4, 3), torch.zeros(0, 3, dtype=torch.int64)),
    }


MESHES = {
    **known(),
    **{f"nasty {k} {d}": nasty(k, d) for k in range(1, 31) for d in (torch.float32, torch.float64)},
}


@pytest.mark.parametrize("name", MESHES)
def test_it_says_what_the_topology_says(name, either):
    mesh = MESHES[name]
    report = report_of(mesh.vertices.numpy(), mesh.faces.numpy())
    valid = ((mesh.faces >= 0) & (mesh.faces < mesh.num_vertices)).all(1)
    kept = valid.nonzero().squeeze(1)
    sound = ml.Mesh(mesh.vertices, mesh.faces[kept])
    topology = sound.topology
    finite = mesh.vertices.isfinite().all(1)
    corners = mesh.vertices[sound.faces].double()
    a, b, c = sound.faces.unbind(1)
    p, q, r = corners.unbind(1)
    flat = (p == q).all(1) | (q == r).all(1) | (r == p).all(1)
    own = torch.arange(mesh.num_vertices)
    expected = {
        "non_finite_vertices": (~finite).nonzero().squeeze(1),
        "out_of_range_faces": (~valid).nonzero().squeeze(1),
        "degenerate_faces": kept[(a == b) | (b == c) | (c == a) | flat],
        "duplicate_faces": kept[duplicate_faces(topology)],
        "non_manifold_edges": topology.non_manifold_edges,
        "non_manifold_vertices": topology.non_manifold_vertices,
        "inconsistent_edges": topology.inconsistent_edges,
        "duplicate_vertices": (same_position(mesh.vertices) != own).nonzero().squeeze(1),
        "unreferenced_vertices": (~topology.referenced).nonzero().squeeze(1),
        "boundary_edges": topology.boundary_edges,
    }
    found = {key: index.tolist() for key, index in report.defects.items()}
    inside_out = found.pop("inside_out_components")
    assert found == {key: index.tolist() for key, index in expected.items()}
    volume, closed = component_volumes(mesh.vertices, topology)
    negative = (closed & (volume < 0)).nonzero().squeeze(1).tolist()
    assert inside_out == ([2] if name.startswith("a cavity") else negative)
    assert report.edges.tolist() == topology.edges.tolist()
    facts = dict(report.facts)
    used = bool((finite | ~topology.referenced).all())
    for key, value in (("area", sound.area()), ("volume", sound.volume())):
        got = facts.pop(key)
        if not used:
            assert got is None
        elif len(kept):
            assert got == pytest.approx(float(value), rel=1e-5, abs=1e-5)
        else:
            assert got == 0.0
    bounds = mesh.vertices[finite]
    assert facts == {
        "vertices": mesh.num_vertices,
        "faces": mesh.num_faces,
        "edges": topology.num_edges,
        "components": topology.components().count,
        "boundary_loops": len(topology.boundary_loops()),
        "euler_number": topology.euler_number,
        "genus": topology.genus,
        "watertight": topology.is_watertight and bool(valid.all()),
        "edge_manifold": topology.is_edge_manifold,
        "vertex_manifold": topology.is_vertex_manifold,
        "consistently_oriented": topology.is_consistently_oriented,
        "bounds": [bounds.amin(0).tolist(), bounds.amax(0).tolist()] if len(bounds) else None,
    }


def test_the_mesh_reports_the_same(either):
    mesh = MESHES["nasty 8 torch.float32"]
    of_mesh, of_arrays = mesh.check(), report_of(mesh.vertices.numpy(), mesh.faces.numpy())
    assert of_mesh.to_dict() == of_arrays.to_dict() and str(of_mesh) == str(of_arrays)
    assert all(isinstance(index, torch.Tensor) for index in of_mesh.defects.values())
    assert of_mesh.counts["degenerate_faces"] > 0 and not of_mesh.ok


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parallel_edges_have_no_area(dtype):
    # a fused multiply-add leaves the rounding error of one of two equal products
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(1000, 3, 3)).astype(dtype)
    corners[:, 2] = corners[:, 1]
    vertices, faces = corners.reshape(-1, 3), np.arange(3000).reshape(-1, 3)
    assert len(report_of(vertices, faces).defects["degenerate_faces"]) == 1000
    mesh = ml.Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))
    assert mesh.remove_degenerate().mesh.num_faces == 0


def test_areas_do_not_overflow_on_the_way():
    corners = np.array([[[0, 0, 0], [1e18, 0, 0], [0, 1e18, 0]]], np.float32)
    report = report_of(corners[0], np.array([[0, 1, 2]]))
    assert report.facts["area"] == pytest.approx(5e35, rel=1e-6)
