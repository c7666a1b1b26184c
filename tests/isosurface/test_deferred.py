"""Gradients put off until the backward pass are those of the operator that takes them at once."""

import pytest
import torch

import meshlearn as ml
from meshlearn.fields import SIREN, DeepSDF, NonFiniteField, Occupancy
from meshlearn.isosurface import (
    VoxelGrid,
    level_set_mesh,
    level_set_meshes,
    level_set_vertices,
)
from meshlearn.representations import DeepMesh


def fields():
    torch.manual_seed(5)
    return {
        "relu": DeepSDF(4, hidden=16, layers=4, skip=2, radius=0.5),
        "softplus": DeepSDF(4, hidden=16, layers=4, skip=2, activation="softplus", radius=0.5),
        "siren": SIREN(4, hidden=16, layers=2, omega=4),
        "occupancy": Occupancy(DeepSDF(4, hidden=16, layers=3, skip=1, radius=0.4)),
    }


def level_of(field, code) -> float:
    with torch.no_grad():
        return field(torch.tensor([[0.5, 0.0, 0.0]], dtype=code.dtype), code).item()


def upstream(mesh: ml.Mesh, part: float) -> torch.Tensor:
    """A gradient at some of the vertices, as of a loss on samples."""
    g = torch.Generator().manual_seed(0)
    some = torch.rand(mesh.num_vertices, 1, generator=g) < part
    return (some * torch.randn(mesh.num_vertices, 3, generator=g)).to(mesh.dtype)


@pytest.mark.parametrize("kind", ["relu", "softplus", "siren", "occupancy"])
@pytest.mark.parametrize("part", [1.0, 0.1, 0.0])
def test_all_tensors_get_the_gradients_taken_at_once(kind, part, monkeypatch):
    """Once, and once more differentiated in the gradients that come in."""
    monkeypatch.setattr(
        "meshlearn.isosurface.deferred.TYPICAL_VERTICES", 10**6 if part == 1 else 40
    )
    field = fields()[kind].double()
    code = (0.3 * torch.ones(4)).double().requires_grad_()
    level = level_of(field, code)
    mesh = level_set_mesh(field, VoxelGrid(16, dtype=torch.float64), level=level, latent=code)
    assert mesh.num_vertices > 100
    eager, _ = level_set_vertices(field, mesh.vertices, level=level, latent=code, min_slope=0.0)
    inputs, found = [code, *field.parameters()], []
    for vertices in (mesh.vertices, eager):
        weight = upstream(mesh, part).requires_grad_()
        once = torch.autograd.grad(vertices, inputs, weight, retain_graph=True)
        graph = torch.autograd.grad(vertices, inputs, weight, create_graph=True)
        again = sum(g.square().sum() for g in graph)
        twice = torch.autograd.grad(again, [weight, *inputs], materialize_grads=True)
        found.append([*once, *graph, *twice])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)
    assert all(float(g.abs().max()) > 0 for g in found[0][:3]) == (part > 0)


def test_only_vertices_with_a_gradient_are_evaluated(monkeypatch):
    monkeypatch.setattr("meshlearn.isosurface.deferred.TYPICAL_VERTICES", 20)
    field = DeepSDF(0, hidden=16, layers=3, skip=1, radius=0.5)
    reports = []
    mesh = level_set_mesh(field, VoxelGrid(32), report=reports.append)
    assert not reports  # nothing is known before the backward pass
    mesh.vertices[:7].sum().backward()
    (report,) = reports
    assert 7 < report.vertices <= 60 < mesh.num_vertices and report.clamped == 0
    assert field.last.bias.grad.abs() > 0


def test_frozen_weights_and_a_code_alone():
    field = fields()["relu"].requires_grad_(False)
    code = torch.zeros(4, requires_grad=True)
    mesh = level_set_mesh(field, VoxelGrid(16), latent=code)
    mesh.volume().backward()
    eager, _ = level_set_vertices(field, mesh.vertices, latent=code)
    (wanted,) = torch.autograd.grad(mesh.with_vertices(eager).volume(), code)
    torch.testing.assert_close(code.grad, wanted)
    assert all(p.grad is None for p in field.parameters())
    plain = level_set_mesh(field, VoxelGrid(16), latent=code.detach())
    assert not plain.vertices.requires_grad


def test_several_codes_at_once():
    field, codes = fields()["relu"], 0.1 * torch.randn(3, 4)
    codes.requires_grad_()
    meshes = level_set_meshes(field, codes, 32)
    loss = sum((k + 1) * m.vertices[::9].square().sum() for k, m in enumerate(meshes))
    found = torch.autograd.grad(loss, [codes, *field.parameters()])
    index = torch.arange(3).repeat_interleave(torch.tensor([m.num_vertices for m in meshes]))
    every = torch.cat([m.vertices for m in meshes])
    eager, _ = level_set_vertices(field, every, latent=codes, index=index)
    parts = eager.split([m.num_vertices for m in meshes])
    loss = sum((k + 1) * v[::9].square().sum() for k, v in enumerate(parts))
    wanted = torch.autograd.grad(loss, [codes, *field.parameters()])
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


def test_a_shape_in_the_world_with_its_wall():
    """A ball that leaves its lattice: where the wall cuts it, the network moves nothing."""
    torch.manual_seed(0)
    network = DeepSDF(4, hidden=16, layers=4, skip=2, radius=0.56).double()
    shape = DeepMesh(
        network, codes=2, bounds=((0, 0, 0), (4, 4, 3)), resolution=16, weights=True
    ).train()
    field, inputs = shape.field(0), [shape.codes, *network.parameters()]
    mesh, _ = shape()
    values, slopes = field.values_and_slopes(mesh.vertices)
    at = mesh.vertices.detach().requires_grad_()
    wanted = field(at)
    torch.testing.assert_close(values, wanted)
    torch.testing.assert_close(slopes, torch.autograd.grad(wanted.sum(), at)[0])
    cut = (slopes.abs() == 1).any(1)
    assert 0 < int(cut.sum()) < len(cut)
    weight = upstream(mesh, 0.3)
    eager, _ = level_set_vertices(lambda p: field(p), mesh.vertices)  # by autograd alone
    for mine, theirs in zip(
        torch.autograd.grad(mesh.vertices, inputs, weight),
        torch.autograd.grad(eager, inputs, weight),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)


def test_a_slope_that_vanishes_is_clamped_in_the_backward_pass():
    """The loss touches the flat vertex alone; what is typical comes from the others."""
    field = DeepSDF(0, hidden=8, layers=1, skip=None, tanh=False, weight_norm=False)
    with torch.no_grad():  # max(x, 0) - max(-x, 0) / 1000
        field.hidden_layers[0].direction.zero_()[:2, 0] = torch.tensor([1.0, -1.0])
        field.hidden_layers[0].bias.zero_()
        field.last.weight.zero_()[0, :2] = torch.tensor([1.0, -1e-3])
        field.last.bias.zero_()
    points = torch.tensor([[-1e-3, 0, 0], [1e-3, 0, 1], [1e-3, 1, 0], [1e-3, 1, 1]])
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])

    def method(grid, values, level):
        return ml.Mesh(points, faces)

    mesh = level_set_mesh(field, VoxelGrid(4), method=method)
    with pytest.warns(RuntimeWarning, match="vanishes at 1 of 4"):
        mesh.vertices[0].sum().backward()
    assert field.last.bias.grad.abs() < 1  # 1000 without the clamp


def test_nan_at_the_vertices_names_the_tensor_in_the_backward_pass():
    field = DeepSDF(0, hidden=8, layers=2, skip=None, radius=0.5)
    mesh = level_set_mesh(field, VoxelGrid(16))
    field.last.bias.data.fill_(torch.nan)
    with pytest.raises(NonFiniteField, match=r"'last\.bias' of DeepSDF"):
        mesh.vertices.sum().backward()


def test_weights_changed_before_the_backward_pass_are_told():
    field = DeepSDF(0, hidden=8, layers=2, skip=None, radius=0.5)
    mesh = level_set_mesh(field, VoxelGrid(16))
    with torch.no_grad():
        field.last.bias.add_(0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        mesh.vertices.sum().backward()


def test_a_field_of_another_kind_of_evaluation_is_taken_as_it_is():
    class Shifted(DeepSDF):
        def evaluate(self, points, latent):
            return super().evaluate(points + 0.1, latent)

    torch.manual_seed(0)
    field = Shifted(0, hidden=16, layers=2, skip=None, radius=0.5).double()
    mesh = level_set_mesh(field, VoxelGrid(12, dtype=torch.float64))
    found = torch.autograd.grad(mesh.area(), list(field.parameters()))
    eager, _ = level_set_vertices(lambda p: field(p), mesh.vertices)
    wanted = torch.autograd.grad(mesh.with_vertices(eager).area(), list(field.parameters()))
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)
