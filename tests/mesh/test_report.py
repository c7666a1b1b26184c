"""The report: every kind of defect is found, with its indices, and can be carried as JSON."""

from __future__ import annotations

import json

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.mesh import cat

KINDS = {
    "non_finite_vertices",
    "out_of_range_faces",
    "degenerate_faces",
    "duplicate_faces",
    "non_manifold_edges",
    "non_manifold_vertices",
    "inconsistent_edges",
    "inside_out_components",
    "duplicate_vertices",
    "unreferenced_vertices",
    "boundary_edges",
}


def found(mesh: ml.Mesh) -> dict[str, list[int]]:
    report = mesh.check()
    assert set(report.defects) == KINDS
    return {name: index.tolist() for name, index in report.defects.items() if index.numel()}


def with_faces(*faces: list[int]) -> ml.Mesh:
    base = shapes.tetrahedron()
    return ml.Mesh(base.vertices, torch.cat([base.faces, torch.tensor(faces)]))


def test_sound_mesh():
    report = shapes.torus(dtype=torch.float64).check()
    assert report.ok and set(report.counts.values()) == {0}
    facts = report.facts
    assert facts["watertight"] and facts["genus"] == 1 and facts["euler_number"] == 0
    assert facts["bounds"] == [[-1.4, -1.4, -0.4], [1.4, 1.4, 0.4]]
    assert facts["components"] == 1 and facts["boundary_loops"] == 0


def test_degenerate_and_duplicate_faces():
    assert found(with_faces([0, 0, 1]))["degenerate_faces"] == [4]
    assert found(with_faces([2, 0, 1]))["duplicate_faces"] == [4]
    flat = ml.Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), torch.tensor([[0, 1, 2]]))
    assert found(flat)["degenerate_faces"] == [0]


def test_manifoldness_and_orientation():
    box = shapes.box()
    turned = torch.zeros(12, dtype=torch.bool)
    turned[0] = True
    report = box.flip(turned).mesh.check()
    assert report.counts["inconsistent_edges"] == 3 and not report.ok
    edges = report.edges[report.defects["inconsistent_edges"]]
    corners = set(box.faces[0].tolist())
    assert all(set(edge) <= corners for edge in edges.tolist())
    fin = cat([shapes.tetrahedron(), ml.Mesh(torch.rand(1, 3), torch.zeros(0, 3).long())]).mesh
    fin = ml.Mesh(fin.vertices, torch.cat([fin.faces, torch.tensor([[0, 1, 4]])]))
    report = fin.check()
    assert report.edges[report.defects["non_manifold_edges"]].tolist() == [[0, 1]]
    assert report.defects["non_manifold_vertices"].tolist() == [0, 1]
    assert report.counts["boundary_edges"] == 2


def test_inside_out_but_not_a_cavity():
    assert found(shapes.box().flip().mesh) == {"inside_out_components": [0]}
    hollow = cat([shapes.box((2.0, 2, 2)), shapes.box().flip().mesh]).mesh
    assert hollow.check().ok
    beside = shapes.box().flip().mesh
    beside = beside.with_vertices(beside.vertices + 5)
    assert found(cat([shapes.box(), beside]).mesh)["inside_out_components"] == [1]


def test_vertices():
    base = shapes.tetrahedron(dtype=torch.float64)
    extra = torch.stack([base.vertices[1], torch.tensor([float("nan"), 0, 0]).double()])
    mesh = ml.Mesh(torch.cat([base.vertices, extra]), base.faces)
    report = mesh.check()
    assert report.defects["duplicate_vertices"].tolist() == [4]
    assert report.defects["non_finite_vertices"].tolist() == [5]
    assert report.defects["unreferenced_vertices"].tolist() == [4, 5]
    assert not report.ok and report.facts["watertight"]
    # The NaN is in no face: area, volume and bounds are those of the rest.
    assert report.facts["volume"] == pytest.approx(float(base.volume()))
    assert report.facts["bounds"] == base.bounds().tolist()
    broken = base.vertices.clone()
    broken[0, 0] = float("inf")
    facts = base.with_vertices(broken).check().facts
    assert facts["area"] is None and facts["volume"] is None and facts["euler_number"] == 2


def test_indices_out_of_range():
    base = shapes.tetrahedron()
    faces = torch.cat([torch.tensor([[0, 1, 99], [-1, 0, 1]]), base.faces, base.faces[:1]])
    mesh = ml.Mesh(base.vertices, faces, validate=False)
    report = mesh.check()
    assert report.defects["out_of_range_faces"].tolist() == [0, 1]
    assert report.defects["duplicate_faces"].tolist() == [6]
    assert not report.ok and not report.facts["watertight"]


def test_json_and_text():
    mesh = with_faces([0, 0, 1], [1, 0, 2])
    report = mesh.check()
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is False and data["faces"] == 6
    assert data["defects"]["degenerate_faces"] == {"count": 1, "of": "faces", "indices": [4]}
    edges = data["defects"]["non_manifold_edges"]
    assert edges["vertices"] == report.edges[edges["indices"]].tolist()
    plane = shapes.plane(segments=(200, 200)).check()
    short = plane.to_dict(max_indices=7)["defects"]["boundary_edges"]
    assert short["count"] == 800 and len(short["indices"]) == len(short["vertices"]) == 7
    text = str(report)
    assert "1  faces that name a vertex twice, or without area (4)" in text
    assert "watertight" in text and "errors:" in text
    assert "errors: none" in str(plane) and "800  edges of one face" in str(plane)


def test_empty():
    mesh = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    report = mesh.check()
    assert report.ok and report.facts["bounds"] is None and report.facts["area"] == 0
    assert json.dumps(report.to_dict()) and str(report)
