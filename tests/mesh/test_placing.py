"""Meshes moved, turned and scaled."""

import pytest
import torch

from meshlearn import CornerAttribute, Mesh
from meshlearn.data.shapes import box, icosphere


def test_a_turn_goes_counter_clockwise_and_is_exact_by_right_angles():
    mesh = box((1, 2, 3)).rotate("z", 90)
    assert torch.equal(mesh.bounds(), torch.tensor([[-1, -0.5, -1.5], [1, 0.5, 1.5]]))
    point = Mesh(torch.tensor([[1.0, 0, 0]]), torch.zeros(0, 3, dtype=torch.int64))
    assert torch.equal(point.rotate("z", 90).vertices, torch.tensor([[0.0, 1, 0]]))
    assert torch.equal(point.rotate([0, 0, -2], 90).vertices, torch.tensor([[0.0, -1, 0]]))
    about = point.rotate("z", 180, about=[2, 0, 0])
    assert torch.equal(about.vertices, torch.tensor([[3.0, 0, 0]]))


def test_moves_scales_and_matrices_agree():
    mesh = icosphere(1).to(torch.float64)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] *= 2
    matrix[:3, 3] = torch.tensor([1, 2, 3])
    by_parts = mesh.scale(2).translate((1, 2, 3))
    for given in (matrix, matrix[:3], matrix.tolist(), matrix.numpy()):
        assert torch.equal(mesh.transform(given).vertices, by_parts.vertices)
    assert mesh.scale((1, 2, 3)).volume() == pytest.approx(6 * float(mesh.volume()))
    far = mesh.scale(2, about=(1e6, 0, 0)).translate((1e6, 0, 0))
    assert float((far.vertices - mesh.scale(2).vertices).abs().max()) < 1e-8


def test_mirrors_stay_outward_and_corners_follow():
    mesh = icosphere(1)
    mesh = Mesh(
        mesh.vertices,
        mesh.faces,
        corner_attributes={"uv": CornerAttribute(mesh.vertices[:, :2].clone(), mesh.faces)},
    )
    made = mesh.scale((-1, 1, 1))
    assert float(made.volume()) == pytest.approx(float(mesh.volume()))
    uv = made.corner_attributes["uv"].dense()
    assert torch.equal(uv * torch.tensor([-1.0, 1]), made.triangles[..., :2])


@pytest.mark.parametrize("factor", [(1, 2, 4), (-1, 2, 4)])
def test_normals_stay_upright_and_tangents_in_the_surface(factor):
    ball = icosphere(3).to(torch.float64)
    normal = ball.vertices.clone()
    up = normal.new_tensor([[0.0, 0, 1]]).expand_as(normal)
    tangent = torch.linalg.cross(up, normal)
    hand = torch.ones(len(normal), 1, dtype=torch.float64)
    tangent = torch.cat((tangent / tangent.norm(dim=1, keepdim=True).clamp(min=1e-9), hand), 1)
    ball.vertex_attributes = {"normal": normal, "tangent": tangent, "heat": normal[:, 0]}
    turned = ball.scale(factor).rotate((1, 2, 3), 40)
    found = turned.vertex_attributes
    assert (found["normal"] * turned.vertex_normals()).sum(1).min() > 0.98
    assert (found["normal"] * found["tangent"][:, :3]).sum(1).abs().max() < 1e-12
    assert bool((found["tangent"][:, 3] == (1 if factor[0] > 0 else -1)).all())
    assert torch.equal(found["heat"], normal[:, 0])


def test_gradients_reach_vertices_and_matrix():
    mesh = box().to(torch.float64)
    matrix = torch.eye(4, dtype=torch.float64) + 0.1
    matrix[3] = torch.tensor([0, 0, 0, 1])

    def volume(vertices, top):
        return mesh.with_vertices(vertices).transform(top).vertices

    args = mesh.vertices.clone().requires_grad_(), matrix[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(volume, args)


def test_a_copy_is_its_own():
    mesh = icosphere(1)
    mesh.vertex_attributes["heat"] = torch.zeros(mesh.num_vertices)
    copy = mesh.copy()
    copy.vertices += 1
    copy.vertex_attributes["heat"] += 1
    assert float(mesh.vertices.max()) <= 1 and not mesh.vertex_attributes["heat"].any()


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda m: m.transform(torch.eye(2)), r"matrix: expected shape \(4, 4\)"),
        (lambda m: m.transform(2 * torch.eye(4)), "matrix: expected the last row 0 0 0 1"),
        (lambda m: m.translate((0, 1)), r"offset: expected shape \(3,\)"),
        (lambda m: m.translate("up"), "offset: expected a tensor, .*, got str"),
        (lambda m: m.translate((0, 1, float("nan"))), "offset: expected finite"),
        (lambda m: m.scale(0), "factor: expected one number or three, none of them 0"),
        (lambda m: m.rotate("w", 3), "axis: expected x, y, z"),
        (lambda m: m.rotate((0, 0, 0), 3), "axis: expected x, y, z"),
        (lambda m: m.rotate("x", float("inf")), "degrees: expected a finite number"),
    ],
)
def test_bad_input_is_told(do, words):
    with pytest.raises(ValueError, match=words):
        do(box())
