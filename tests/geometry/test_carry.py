"""Attributes that a simplified mesh takes over: seams of texture coordinates stay seams."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.geometry.carry import carry_attributes, charts
from meshlearn.geometry.simplification import simplify
from meshlearn.io import Material

SIDES = 6


def simplified(mesh: ml.Mesh, faces: int) -> ml.Mesh:
    made = simplify(mesh, faces)
    assert 0.8 * faces < made.num_faces <= faces
    return made


def globe(*, by_vertex: bool = False) -> ml.Mesh:
    """A sphere with u the longitude / 2π, which jumps from 1 to 0, and v the latitude / π."""
    ball = shapes.icosphere(4)
    uv = longitude(ball.vertices[ball.faces])
    around = uv[..., 0]
    wide = around.amax(1, keepdim=True) - around > 0.5
    uv = torch.stack((around + wide, uv[..., 1]), -1)  # each face whole, beyond 1 at the seam
    index = torch.arange(3 * ball.num_faces).view(-1, 3)
    label = (ball.triangles.mean(1)[:, 2] > 0).long()
    if by_vertex:
        return ml.Mesh(
            ball.triangles.reshape(-1, 3),
            index,
            vertex_attributes={"uv": uv.reshape(-1, 2), "heat": ball.triangles[..., 1].reshape(-1)},
            face_attributes={"material": label},
            materials=["south", "north"],
        )
    return ml.Mesh(
        ball.vertices,
        ball.faces,
        vertex_attributes={"heat": ball.vertices[:, 1]},
        face_attributes={"material": label},
        corner_attributes={"uv": ml.CornerAttribute(uv.reshape(-1, 2), index)},
        materials=["south", "north"],
    )


def longitude(points: torch.Tensor) -> torch.Tensor:
    u = torch.atan2(points[..., 1], points[..., 0]) / (2 * math.pi) % 1
    v = torch.asin(torch.nn.functional.normalize(points, dim=-1)[..., 2].clamp(-1, 1)) / math.pi
    return torch.stack((u, v + 0.5), -1)


@pytest.mark.parametrize("by_vertex", [False, True])
def test_a_seam_stays_a_seam(by_vertex):
    """No corner is looked up on the far side of the texture, as it is when vertices are mixed."""
    made = simplified(globe(by_vertex=by_vertex), 800)
    uv = made.corner_attributes["uv"].dense()
    off = uv - longitude(made.triangles)
    off[..., 0] -= off[..., 0].round()  # a turn more or less is the same place
    away = made.triangles[..., 2].abs() < 0.8  # where a step of longitude is long
    assert off[away].abs().max() < 0.06 and off[away].abs().mean() < 0.003
    span = uv[..., 0].amax(1) - uv[..., 0].amin(1)
    assert span[away.all(1)].max() < 0.25
    assert made.is_watertight and made.materials == ("south", "north")
    centre = made.triangles.mean(1)[:, 2]
    clear = centre.abs() > 0.15
    assert torch.equal(made.face_attributes["material"][clear] == 1, centre[clear] > 0)
    assert (made.vertex_attributes["heat"] - made.vertices[:, 1]).abs().max() < 0.03


def boxed() -> ml.Mesh:
    """A box of many triangles, each of whose sides is a square of the texture, three across."""
    mesh = shapes.box()
    for _ in range(3):
        mesh = divided(mesh)
    normal = mesh.face_normals()
    side = 2 * normal.abs().argmax(1) + (normal.sum(1) > 0)
    return ml.Mesh(mesh.vertices, mesh.faces, face_attributes={"side": side}, corner_attributes={
        "uv": ml.CornerAttribute(*atlas(mesh.triangles, side)),
        "normal": ml.CornerAttribute(normal, torch.arange(mesh.num_faces)[:, None].expand(-1, 3)),
    })  # fmt: skip


def divided(mesh: ml.Mesh) -> ml.Mesh:
    a, b, c = mesh.triangles.unbind(1)
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    points = torch.stack([torch.stack(p, 1) for p in parts], 1).reshape(-1, 3)
    return ml.Mesh(points, torch.arange(len(points)).view(-1, 3)).merge_vertices().mesh


def atlas(triangles: torch.Tensor, side: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    axis = side // 2
    other = torch.stack(((axis + 1) % 3, (axis + 2) % 3), 1)[:, None].expand(-1, 3, 2)
    low = triangles.reshape(-1, 3).amin(0)
    place = (triangles - low).gather(2, other) / (triangles - low).amax()
    corner = torch.stack((side % 3, side // 3), 1)[:, None]
    uv = (place * 0.9 + 0.05 + corner) / 3
    return uv.reshape(-1, 2), torch.arange(uv.shape[0] * 3).view(-1, 3)


def test_sides_of_a_box_keep_their_own_square():
    whole = boxed()
    assert charts(whole, whole.corner_attributes["uv"])[1] == SIDES
    made = simplified(whole, 100)
    side = made.face_attributes["side"]
    wanted, index = atlas(made.triangles, side)
    found = made.corner_attributes["uv"]
    assert (found.dense() - wanted[index]).abs().max() < 1e-5
    normal = made.corner_attributes["normal"].dense()
    solid = made.face_areas() > 0
    assert (normal - made.face_normals()[:, None])[solid].abs().max() < 1e-4
    assert len(found.values) < 0.6 * found.index.numel()  # shared within a side


def test_a_surface_carries_to_itself_exactly():
    whole = boxed()
    bare = ml.Mesh(whole.vertices, whole.faces)
    made = carry_attributes(whole, bare)
    for name, item in whole.corner_attributes.items():
        assert (made.corner_attributes[name].dense() - item.dense()).abs().max() < 1e-5
    assert torch.equal(made.face_attributes["side"], whole.face_attributes["side"])


def test_labels_of_corners_are_not_mixed():
    whole = boxed()
    values = torch.arange(3)[:, None]
    index = (whole.triangles[..., 0] > 0).long() + (whole.triangles[..., 1] > 0).long()
    whole.corner_attributes["label"] = ml.CornerAttribute(values, index)
    made = simplified(whole, 100)
    assert made.corner_attributes["label"].values.unique().tolist() == [0, 1, 2]


def test_what_has_no_attributes_stays_bare():
    made = simplified(shapes.icosphere(3), 100)
    assert not (made.vertex_attributes or made.face_attributes or made.corner_attributes)


def test_materials_are_kept_without_any_attribute():
    ball = shapes.icosphere(3)
    given = ml.Mesh(ball.vertices, ball.faces, materials=[Material("steel")])
    assert [m.name for m in simplified(given, 100).materials] == ["steel"]
