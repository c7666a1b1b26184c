"""`geometry.repair`: index maps that hold, attributes carried, and real meshes made sound."""

import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn.data.shapes import box, icosphere


def soup(mesh):
    """Each face with vertices of its own, a UV of each and a number of each face."""
    triangles = mesh.triangles.reshape(-1, 3)
    faces = torch.arange(len(triangles)).view(-1, 3)
    uv = ml.CornerAttribute(torch.rand(len(triangles), 2), faces.clone())
    return ml.Mesh(
        triangles,
        faces,
        vertex_attributes={
            "height": triangles[:, 2].clone(),
            "side": torch.arange(len(faces)).repeat_interleave(3),
        },
        face_attributes={"number": torch.arange(len(faces))},
        corner_attributes={"uv": uv},
    )


def test_index_maps_and_attributes():
    good = soup(icosphere(2))
    wrong = torch.rand(len(good.faces), generator=torch.Generator().manual_seed(0)) < 0.3
    mesh = good.flip(wrong).mesh
    made = ml.geometry.repair(mesh)
    fixed = made.mesh
    assert fixed.check().ok and fixed.is_watertight and fixed.num_vertices == 162
    assert made.counts == {"merged": 960 - 162, "turned": int(wrong.sum())} or (
        made.counts["turned"] == len(mesh.faces) - int(wrong.sum())
    )
    assert torch.equal(fixed.vertices, mesh.vertices[made.vertex_index])
    assert torch.equal(fixed.face_attributes["number"], made.face_index)
    assert torch.equal(fixed.vertex_attributes["height"], fixed.vertices[:, 2])
    side = fixed.corner_attributes["side"].dense().squeeze(2)  # differs where vertices meet
    assert torch.equal(side, made.face_index[:, None].expand(-1, 3))
    # corners stay with their places, whichever way a face was turned
    old, new = mesh.corner_attributes["uv"].dense(), fixed.corner_attributes["uv"].dense()
    at = (fixed.triangles[:, :, None] == mesh.triangles[made.face_index][:, None]).all(3)
    assert torch.equal(at.long().sum(2), torch.ones(len(fixed.faces), 3, dtype=torch.int64))
    place = at.long().argmax(2)
    assert torch.equal(new, old[made.face_index].gather(1, place[..., None].expand(-1, -1, 2)))


def test_vertices_that_are_not_finite_and_what_is_no_mesh():
    mesh = box()
    vertices = torch.cat([mesh.vertices, torch.tensor([[float("nan"), 0, 0]])])
    faces = torch.cat([mesh.faces, torch.tensor([[0, 1, len(mesh.vertices)]])])
    made = ml.geometry.repair(ml.Mesh(vertices, faces))
    assert made.mesh.check().ok and made.counts == {"not_finite": 1, "unused": 1}
    assert ml.geometry.repair(ml.Mesh(vertices[:3], faces[:0])).mesh.num_faces == 0
    with pytest.raises(ValueError, match="mesh: expected a Mesh"):
        ml.geometry.repair(vertices)


@pytest.mark.parametrize(
    "name, edges",
    [("beetle.obj", 47), ("truck.obj", 54), ("suzanne.obj", 1), ("falconstatue_boundary.obj", 0)],
)
def test_real_meshes(name, edges):
    mesh = ml.load(shared_data("meshes", name))
    assert not mesh.check().ok
    made = ml.geometry.repair(mesh, crossings=False)
    assert made.mesh.check().ok and made.counts.get("edges", 0) == edges
    gone = made.counts.get("repeated", 0) + made.counts.get("flat", 0)
    assert made.mesh.num_faces == mesh.num_faces - gone
    assert torch.allclose(made.mesh.area(), mesh.area(), rtol=1e-3)
    whole = ml.geometry.repair(mesh.to(torch.float64))
    assert whole.mesh.check().ok and whole.left == 0
    assert not bool((ml.metrics.self_intersections(whole.mesh) >= 0).any())
