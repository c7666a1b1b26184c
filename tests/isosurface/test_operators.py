"""Native operators against their references: values, gradients, threads, dtypes."""

import re
from pathlib import Path

import pytest
import torch

from meshlearn._native import HAS_NATIVE
from meshlearn.isosurface import VoxelGrid, constants, flexicubes, marching_cubes, sign_regularizer
from meshlearn.isosurface import flexicubes as flexicubes_function
from meshlearn.isosurface._ops import FlexiCubesTensors
from meshlearn.isosurface.flexicubes_parts import flexicubes_parts, split_quads
from meshlearn.isosurface.reference import marching_cubes_reference
from meshlearn.isosurface.tables import dual_table, triangle_table

from .fields import noise_grid, random_parameters, torus

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
CPU = torch.device("cpu")
CSRC = Path(__file__).resolve().parents[2] / "csrc"


def problem(kind: str, dtype=torch.float64):
    if kind == "noise":
        grid, sdf = noise_grid(3, 6, 10, dtype)
    else:  # rows of more than one word
        grid = VoxelGrid((9, 10, 130), bounds=((-1, -1, -1.5), (1, 1, 1.5)), dtype=dtype)
        sdf = torus(grid.vertices)
    return grid, sdf, random_parameters(grid)


def leaf(*tensors):
    return [t.detach().clone().requires_grad_() for t in tensors]


@native
@pytest.mark.parametrize("kind", ["noise", "long rows"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-10), (torch.float32, 2e-4)])
def test_flexicubes_equals_reference(kind, training, dtype, tol):
    grid, sdf, p = problem(kind, dtype)
    names = ["deform", "alpha", "beta", "gamma"]
    inputs = leaf(sdf, *(p[k] for k in names))
    out = FlexiCubesTensors(
        *torch.ops.meshlearn.flexicubes(
            *inputs, dual_table(CPU), list(grid.resolution), grid.flat_bounds, training
        )
    )
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(out.vertices.shape, generator=generator, dtype=dtype)
    wd = torch.randn(out.deviation.shape, generator=generator, dtype=dtype)
    ((out.vertices * w).sum() + (out.deviation * wd).sum()).backward()
    found = [t.grad for t in inputs]

    inputs = leaf(*inputs)
    parts = flexicubes_parts(grid, *inputs)
    vertices, faces = split_quads(parts, training)
    assert torch.equal(faces, out.faces)
    assert torch.allclose(vertices, out.vertices, atol=tol)
    assert torch.allclose(parts.deviation, out.deviation, atol=tol)
    ((vertices * w).sum() + (parts.deviation * wd).sum()).backward()
    for name, mine, theirs in zip(["sdf", *names], found, inputs, strict=True):
        if theirs.grad is None:
            assert not training and name == "gamma" and float(mine.abs().max()) == 0
            continue
        scale = float(theirs.grad.abs().max())
        assert float((mine - theirs.grad).abs().max()) < 50 * tol * scale, name


@native
@pytest.mark.parametrize("kind", ["noise", "long rows"])
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_marching_cubes_equals_reference(kind, dtype, tol):
    grid, sdf, p = problem(kind, dtype)
    a, d = leaf(sdf, p["deform"])
    table = triangle_table(CPU)
    vertices, faces, _, _ = torch.ops.meshlearn.marching_cubes(
        a, d, table, list(grid.resolution), grid.flat_bounds
    )
    w = torch.randn(vertices.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    (vertices * w).sum().backward()
    b, e = leaf(sdf, p["deform"])
    expected, expected_faces = marching_cubes_reference(grid, b, e)
    (expected * w).sum().backward()
    assert torch.equal(faces, expected_faces)
    assert torch.allclose(vertices, expected, atol=tol)
    for mine, theirs in ((a.grad, b.grad), (d.grad, e.grad)):
        assert float((mine - theirs).abs().max()) < 50 * tol * float(theirs.abs().max())


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck_flexicubes(training):
    grid, sdf = noise_grid(5, 3, 3)
    p = random_parameters(grid)

    def run(s, deform, alpha, beta, gamma):
        out = flexicubes(
            grid, s, deform=deform, alpha=alpha, beta=beta, gamma=gamma, training=training
        )
        return out.mesh.vertices, out.dev_loss

    inputs = leaf(sdf, p["deform"], p["alpha"], p["beta"], p["gamma"])
    assert torch.autograd.gradcheck(run, inputs, eps=1e-7, atol=1e-5)


def test_gradcheck_marching_cubes():
    grid, sdf = noise_grid(5, 3, 4)
    deform = random_parameters(grid)["deform"]
    assert torch.autograd.gradcheck(
        lambda s, d: marching_cubes(grid, s, deform=d).vertices,
        leaf(sdf, deform),
        eps=1e-7,
        atol=1e-5,
    )


def test_gradcheck_sign_regularizer():
    grid, sdf = noise_grid(5, 3, 4)
    assert torch.autograd.gradcheck(lambda s: sign_regularizer(grid, s), leaf(sdf))


@native
def test_opcheck():
    grid, sdf = noise_grid(5, 3, 4)
    p = random_parameters(grid)
    shape = (list(grid.resolution), grid.flat_bounds)
    weights = leaf(p["deform"], p["alpha"], p["beta"], p["gamma"])
    torch.library.opcheck(
        torch.ops.meshlearn.flexicubes.default,
        (*leaf(sdf), *weights, dual_table(CPU), *shape, True),
    )
    torch.library.opcheck(
        torch.ops.meshlearn.flexicubes.default,
        (*leaf(sdf), None, None, None, None, dual_table(CPU), *shape, False),
    )
    torch.library.opcheck(
        torch.ops.meshlearn.marching_cubes.default,
        (*leaf(sdf), None, triangle_table(CPU), *shape),
    )


@native
def test_the_same_bits_on_any_number_of_threads():
    grid = VoxelGrid(48)
    sdf = torus(grid.vertices)
    p = random_parameters(grid)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            inputs = leaf(sdf, *p.values())
            out = flexicubes(
                grid, inputs[0], **dict(zip(p, inputs[1:], strict=True)), training=True
            )
            (
                out.mesh.vertices.square().mean(1) @ torch.ones(out.mesh.num_vertices)
                + out.dev_loss
            ).backward()
            results.append(
                [out.mesh.vertices, out.mesh.faces, out.dev_loss, *(t.grad for t in inputs)]
            )
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_gradients_reach_only_what_asks_for_them():
    grid, sdf = noise_grid(2, 5, 6)
    gamma = random_parameters(grid)["gamma"].requires_grad_()
    out = flexicubes_function(grid, sdf, gamma=gamma, training=True)
    out.mesh.vertices.sum().backward()
    assert float(gamma.grad.abs().sum()) > 0


def test_outputs_have_one_order():
    """The names of `FlexiCubesTensors` are those of the struct that fills the list."""
    text = (CSRC / "drivers" / "flexicubes.h").read_text(encoding="utf-8")
    order = text[text.index("in_order()") : text.index("list() {")]
    assert tuple(re.findall(r"&(\w+)", order)) == FlexiCubesTensors._fields


def test_kernels_and_references_share_their_numbers():
    text = "".join(
        (CSRC / "kernels" / name).read_text(encoding="utf-8")
        for name in ("flexicubes.h", "lattice.h")
    )
    found = dict(re.findall(r"(k[A-Z]\w+) = ([-0-9.e ]+)[,;]", text))
    for name, value in {
        "kWeightRange": constants.WEIGHT_RANGE,
        "kGammaLeast": constants.GAMMA_LEAST,
        "kDisplacement": constants.DISPLACEMENT,
    }.items():
        first, *rest = found[name].split(" - ")
        assert float(first) - sum(float(x) for x in rest) == value, name
