"""Registration finds the move that was made."""

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.geometry import register
from tests.geometry.shapes import sphere
from tests.shared_data import shared_data


def bean() -> Mesh:
    """A closed shape without symmetries."""
    ball = sphere(16, bumps=0.1)
    x, y, z = ball.vertices.unbind(1)
    return ball.with_vertices(torch.stack((2 * x + 0.3 * z * z, y + 0.2 * x * x, 0.7 * z), 1))


def placed(mesh: Mesh, degrees=130.0) -> Mesh:
    return mesh.rotate([1, 2, 3], degrees).translate([5, -3, 2])


def cloud(mesh: Mesh, n=3000, seed=0) -> torch.Tensor:
    return ml.sample_points(mesh, n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", ["plane", "point"])
@pytest.mark.parametrize("scale", [False, True])
def test_a_far_move_is_found_back(method, scale):
    mesh = bean()
    moved = placed(mesh)
    moved = moved.scale(7.0) if scale else moved
    found = register(moved, mesh, scale=scale, method=method)
    back = moved.transform(found.matrix)
    assert (back.vertices - mesh.vertices).abs().max() < 1e-5
    assert found.error < 1e-5 and found.overlap > 0.99 and found.converged


@pytest.mark.parametrize("kind", ["tensor", "array", "mesh"])
def test_noisy_points_of_every_kind(kind):
    mesh = bean()
    one, two = cloud(mesh, seed=1), cloud(mesh, seed=2)
    noise = 0.01 * torch.randn(one.shape, generator=torch.Generator().manual_seed(3)).double()
    source = placed(Mesh(one + noise, []), 25).vertices
    target = {"tensor": two, "array": two.numpy(), "mesh": mesh}[kind]
    given = source.numpy() if kind == "array" else source
    found = register(given, target)
    back = Mesh(source, []).transform(found.matrix).vertices
    assert (back - one).norm(dim=1).mean() < 0.02
    assert (back - one - noise).norm(dim=1).max() < 0.02
    assert np.allclose(found.matrix[:3, :3].T @ found.matrix[:3, :3], np.eye(3), atol=1e-12)


def test_parts_that_one_alone_has_do_little_harm():
    mesh = bean()
    part = cloud(mesh, 4000)
    part = part[part[:, 0] > -0.8]
    junk = 3 + torch.rand(150, 3, generator=torch.Generator().manual_seed(0)).double()
    source = Mesh(torch.cat((part, junk)), []).rotate("y", 8).translate((0.05, 0.1, 0)).vertices
    found = register(source, mesh, start="none")
    back = Mesh(source, []).transform(found.matrix).vertices[: len(part)]
    assert (back - part).abs().max() < 2e-3
    assert 0.8 < found.overlap < len(part) / len(source) + 1e-6


def test_a_start_is_gone_out_from():
    mesh = bean()
    moved = placed(mesh)
    near = register(moved, mesh).matrix.clone()
    near[:3, 3] += 0.05
    again = register(moved, mesh, start=near)
    assert (moved.transform(again.matrix).vertices - mesh.vertices).abs().max() < 1e-5
    exact = register(mesh, mesh, start="none")
    assert (exact.matrix - torch.eye(4)).abs().max() < 1e-9
    one, two = register(moved, mesh), register(moved, mesh)
    assert torch.equal(one.matrix, two.matrix)


@pytest.mark.parametrize("name", ["spot.obj", "fandisk.obj"])
def test_real_meshes(name):
    mesh = ml.load(shared_data("meshes", name), dtype=torch.float64)
    size = float((mesh.bounds()[1] - mesh.bounds()[0]).max())
    moved = mesh.rotate([3, 1, 2], 77).translate([2 * size, 0, size])
    found = register(cloud(moved), mesh)
    back = moved.transform(found.matrix)
    assert (back.vertices - mesh.vertices).abs().max() < 1e-4 * size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"source": [[0, 0, 0], [1, 0, 0]]}, "source: expected three points or more, got 2"),
        (
            {"source": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
            "source: expected points",
        ),
        ({"source": [[0, 0, float("nan")]] * 3}, "source: .*NaN or infinite"),
        ({"method": "normal"}, "method: expected 'plane' or 'point'"),
        ({"start": "pca"}, "start: expected 'moments', 'none' or a matrix"),
        ({"start": torch.eye(2)}, "matrix: expected shape"),
        ({"max_distance": -1}, "max_distance: expected a number above 0"),
        ({"iterations": 0}, "iterations: expected a whole number"),
        (
            {"source": bean().translate((90, 0, 0)), "start": "none", "max_distance": 1},
            "no point of the source comes within 1 of the target",
        ),
    ],
)
def test_bad_input_is_told(arguments, words):
    with pytest.raises(ValueError, match=words):
        register(**{"source": bean(), "target": bean(), **arguments})
