"""Faces that cross are cut exactly; solids are united, open surfaces taken apart along the cut."""

import pytest
import torch

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere, torus
from meshlearn.geometry.arrangement import cut_crossing
from meshlearn.geometry.intersections import crossing


def joined(*meshes):
    return ml.mesh.cat(list(meshes)).mesh


def crossings(mesh):
    return int((crossing(mesh.vertices, mesh.faces) >= 0).sum())


BLADES = [box((1.6, 0.05, 0.7)).translate((0.07 * k, 0.3 * k, 1)) for k in range(-2, 3)]


@pytest.mark.parametrize(
    "mesh, in_common_planes",
    [
        (joined(box(), box().translate((0.3, 0.4, 0.5))), False),
        (joined(box(), box().translate((0.5, 0, 0))), True),
        (joined(box(), box((3, 0.2, 0.2))), False),  # through and through
        (joined(box(), box().scale(0.5).translate((0.25, 0.25, 0.75))), True),  # one on the other
        (
            joined(
                icosphere(2), torus(segments=16, rings=8), icosphere(2).translate((0.3, 0.1, 0))
            ),
            False,
        ),
        (joined(box((2, 2, 2)), *BLADES), False),  # long cuts close to each other
    ],
)
def test_parts_fill_what_was_cut(mesh, in_common_planes):
    mesh = mesh.to(torch.float64)
    which = (crossing(mesh.vertices, mesh.faces) >= 0).nonzero().squeeze(1)
    made = cut_crossing(mesh.vertices.numpy(), mesh.faces.numpy(), which.numpy())
    vertices = torch.cat([mesh.vertices, torch.from_numpy(made.points)])
    parts = ml.Mesh(vertices, torch.from_numpy(made.faces))
    source = torch.from_numpy(made.source)
    area = torch.zeros(mesh.num_faces, dtype=torch.float64).index_add(0, source, parts.face_areas())
    assert torch.allclose(area[which], mesh.face_areas()[which], rtol=1e-12)
    across = (parts.face_normals() * mesh.face_normals()[source]).sum(1)
    wide = parts.face_areas() > 1e-9  # normals of thinner ones are rounding
    assert float(across[wide].min()) > 1 - 1e-6  # turned as the face was
    # each cut face keeps its rim: what was closed is closed still, edge by edge
    whole = mesh.submesh(crossing(mesh.vertices, mesh.faces) < 0).mesh
    both = joined(parts, whole).merge_vertices().mesh
    assert not len(both.topology.boundary_edges)
    if not in_common_planes:
        assert not crossings(both)  # edges of parts are where faces crossed


def test_solids_are_united():
    pytest.importorskip("manifold3d")
    a, b = icosphere(3), icosphere(3).translate((0.3, 0.4, 0.5))
    made = ml.geometry.repair(joined(a, b))
    assert made.mesh.is_watertight and made.mesh.check().ok and not crossings(made.mesh)
    assert made.mesh.dtype == torch.float32 and made.left == 0
    expected = float(ml.boolean(a.to(torch.float64), b.to(torch.float64)).volume())
    assert float(made.mesh.volume()) == pytest.approx(expected, rel=1e-5)
    old = made.vertex_index >= 0
    given = joined(a, b).vertices
    assert torch.equal(made.mesh.vertices[old], given[made.vertex_index[old]])
    assert set(made.counts) <= {"crossing", "inner", "edges_turned", "flat", "vertices"}


def test_glued_boxes_lose_their_wall_and_a_card_with_two_sides_keeps_one():
    glued = ml.geometry.repair(joined(box(), box().translate((1, 0, 0)))).mesh
    assert glued.is_watertight and float(glued.volume()) == pytest.approx(2)
    card = ml.data.shapes.plane()
    both = ml.geometry.repair(joined(card, card.flip().mesh)).mesh
    assert both.check().ok and both.num_faces == card.num_faces
    shifted = ml.geometry.repair(joined(box(), box().translate((0.5, 0, 0)))).mesh
    assert shifted.is_watertight and float(shifted.volume()) == pytest.approx(1.5)


def test_open_sheets_are_taken_apart_and_attributes_mixed():
    sheet = ml.data.shapes.plane(segments=(3, 3)).to(torch.float64)
    other = sheet.rotate("x", 90).translate((0.01, 0.02, 0.05))
    both = joined(sheet, other)
    height = both.vertices[:, 2].clone()
    both = ml.Mesh(
        both.vertices,
        both.faces,
        vertex_attributes={"height": height},
        face_attributes={"number": torch.arange(both.num_faces)},
    )
    made = ml.geometry.repair(both)
    fixed = made.mesh
    assert fixed.check().ok and not crossings(fixed) and made.counts["crossing"] > 0
    assert float(fixed.area()) == pytest.approx(float(both.area()))
    assert torch.equal(fixed.face_attributes["number"], made.face_index)
    assert torch.allclose(fixed.vertex_attributes["height"], fixed.vertices[:, 2], atol=1e-9)
    kept = ml.geometry.repair(both, crossings=False)
    assert kept.mesh.num_faces == both.num_faces and "crossing" not in kept.counts
