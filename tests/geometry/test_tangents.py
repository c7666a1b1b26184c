"""Tangents of texture coordinates, and directions in their frames."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import plane, uv_sphere
from meshlearn.geometry import bake, tangents
from meshlearn.geometry.texturing import shared_texels, texels
from meshlearn.mesh.tangents import from_tangent_space, to_tangent_space
from tests.geometry.test_texturing import sheet


def frames(mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normals, tangents (F, 3, 3) and sides (F,) of corners."""
    found = tangents(mesh)
    at = found.values[found.index].double()
    return mesh.vertex_normals().double()[mesh.faces], at[..., :3], at[:, 0, 3]


def test_they_lie_along_u_and_bitangents_along_v():
    flat = sheet().rotate((0, 0, 1), 30)
    _, along, side = frames(flat)
    turn = math.radians(30)
    want = torch.tensor([math.cos(turn), math.sin(turn), 0], dtype=torch.float64)
    assert (along - want).abs().max() < 1e-6 and (side == 1).all()
    # a texture that is mirrored in u, and one in v
    for axis, sign in ((0, -1.0), (1, 1.0)):
        mirrored = sheet()
        item = mirrored.corner_attributes["uv"]
        values = item.values.clone()
        values[:, axis] = 1 - values[:, axis]
        mirrored.corner_attributes["uv"] = CornerAttribute(values, item.index)
        normal, along, side = frames(mirrored)
        assert (side == -1).all()
        assert (along[..., 0] - sign).abs().max() < 1e-6
        across = side[:, None, None] * torch.linalg.cross(normal, along)
        assert (across[..., 1] - (1.0 if axis == 0 else -1.0)).abs().max() < 1e-6


def test_corners_that_are_alike_share_one_weighted_by_angles():
    # two faces at one vertex, of which u runs differently, on a plane
    flat = Mesh([[0, 0, 0.0], [1, 0, 0], [1, 0.5, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    flat.vertex_attributes["uv"] = torch.tensor([[0, 0], [1, 0], [1, 0.5], [-0.5, 0.7]])
    found = tangents(flat)
    first = found.values[found.index[0, 0]]
    # the first has uv = xy, the second uv = M xy by its corners (1, 0.5) and (0, 1)
    one = torch.tensor([1.0, 0, 0])
    matrix = torch.tensor([[1, -0.5], [0.5, 0.7]]) @ torch.linalg.inv(
        torch.tensor([[1.0, 0], [0.5, 1]])
    )
    two = torch.cat((torch.linalg.inv(matrix)[:, 0], torch.zeros(1)))
    two = torch.nn.functional.normalize(two, dim=0)
    angle = math.atan(0.5)
    both = angle * one + (math.pi / 2 - angle) * two
    assert torch.equal(found.index[0, 0], found.index[1, 0])
    assert (first[:3] - torch.nn.functional.normalize(both, dim=0)).abs().max() < 1e-6
    assert (found.values[:, :3].norm(dim=1) - 1).abs().max() < 1e-6


def test_they_are_square_to_normals_on_a_ball_and_known_where_the_texture_is_flat():
    ball = uv_sphere().to(torch.float64)
    x, y, z = ball.vertices.unbind(1)
    ball.vertex_attributes["uv"] = torch.stack((torch.atan2(y, x) / (2 * math.pi), z), 1)
    normal, along, _ = frames(ball)
    assert (normal * along).sum(2).abs().max() < 1e-6
    assert (along.norm(dim=2) - 1).abs().max() < 1e-6
    ball.vertex_attributes["uv"] = torch.zeros(ball.num_vertices, 2).double()
    normal, along, _ = frames(ball)
    assert (along.norm(dim=2) - 1).abs().max() < 1e-6
    assert (normal * along).sum(2).abs().max() < 1e-6


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_directions_come_back_out_of_their_frames(side):
    generator = torch.Generator().manual_seed(0)
    normal, tangent, way = torch.randn(3, 200, 3, generator=generator, dtype=torch.float64)
    hand = torch.full((200,), side, dtype=torch.float64)
    way = torch.nn.functional.normalize(way, dim=1)
    there = to_tangent_space(way, normal, tangent, hand)
    assert (from_tangent_space(there, normal, tangent, hand) - way).abs().max() < 1e-9
    own = to_tangent_space(normal, normal, tangent, hand)
    assert (own - torch.tensor([0.0, 0, 1])).abs().max() < 1e-12


def test_a_bump_is_red_to_the_right_and_green_up():
    fine = plane((2.0, 2.0), segments=(60, 60))
    x, y, _ = fine.vertices.unbind(1)
    fine = fine.with_vertices(torch.stack((x, y, 0.1 * torch.exp(-8 * (x * x + y * y))), 1))
    image = bake(fine, sheet(), "normal", size=64, space="tangent", reach=1)
    assert image[32, 44, 0] > 0.15 and image[32, 20, 0] < -0.15  # columns run along u
    assert image[20, 32, 1] > 0.15 and image[44, 32, 1] < -0.15  # rows down from v = 1
    assert (image.norm(dim=2) - 1).abs().max() < 1e-6 and image[..., 2].min() > 0
    own = bake(fine, sheet(), "normal", size=64, reach=1)
    assert (own - image).abs().max() < 1e-6  # here both frames are one
    turned = [m.rotate((1, 2, 3), 100) for m in (fine, sheet())]
    again = bake(*turned, "normal", size=64, space="tangent", reach=1)
    assert (again - image).abs().max() < 1e-4
    # what the texture has no surface for is neutral
    half = sheet()
    item = half.corner_attributes["uv"]
    half.corner_attributes["uv"] = CornerAttribute(item.values / 2, item.index)
    empty = bake(fine, half, "normal", size=64, space="tangent", reach=1)[:20, 40:]
    assert (empty == torch.tensor([0.0, 0, 1])).all()


def test_shared_texels_are_counted():
    flat = sheet()
    assert shared_texels(flat) < 1e-3
    twice = ml.mesh.cat([flat, flat.translate((0, 0, 1))]).mesh
    assert shared_texels(twice) > 0.9
    item = flat.corner_attributes["uv"]
    flat.corner_attributes["uv"] = CornerAttribute(2 * item.values, item.index)
    assert shared_texels(flat) == pytest.approx(0.75, abs=0.01)
    assert texels(flat, 16).mask.all()


def test_bad_input_is_told():
    with pytest.raises(ValueError, match='mesh: expected texture coordinates, an attribute "uv"'):
        tangents(plane())
    with pytest.raises(ValueError, match="space: expected 'mesh' or 'tangent', got 'object'"):
        bake(sheet(), sheet(), "normal", size=16, space="object")
