"""Half-space intersection against qhull, exact arithmetic and its reference; bad input."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.convex import Convexes, constants, intersect_halfspaces
from meshlearn.convex.packed import Packed
from meshlearn.convex.reference import intersect_reference

from .nasty import KINDS, nasty
from .oracle import deepest, exact_volume, qhull_volume, with_box

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
FLAT = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]


def random_planes(rng: np.random.Generator, count: int) -> np.ndarray:
    n = rng.normal(size=(count, 3)) * 10.0 ** rng.uniform(-2, 2, (count, 1))
    offset = rng.normal(-0.5, 0.3, (count, 1))
    return np.hstack([n, offset * np.linalg.norm(n, axis=1, keepdims=True)])


def assert_closed(found: Convexes, planes: torch.Tensor, tolerance: float) -> None:
    """Each convex: every edge once each way; Euler 2; vertices on their planes, behind all."""
    for i in range(len(found)):
        mesh = found[i]
        if mesh.num_polygons == 0:
            assert mesh.num_vertices == 0
            continue
        edges = {}
        for loop in mesh.polygons:
            assert len(loop) >= 3 and len(set(loop)) == len(loop)
            for a, b in zip(loop, [*loop[1:], loop[0]], strict=True):
                assert (a, b) not in edges, "an edge twice the same way"
                edges[a, b] = True
        assert all((b, a) in edges for a, b in edges), "an edge with one face"
        assert mesh.num_vertices - len(edges) // 2 + mesh.num_polygons == 2
        assert set(range(mesh.num_vertices)) == {a for a, _ in edges}
        own = planes[i].double()
        length = own[:, :3].norm(dim=1, keepdim=True)
        unit = own[length[:, 0] > 0] / length[length[:, 0] > 0]
        x = mesh.vertices.double()
        assert len(unit) == 0 or float((x @ unit[:, :3].T + unit[:, 3]).amax()) <= tolerance
        assert float(x.abs().amax()) <= 1 + tolerance
        plane = mesh.face_attributes["plane"]
        assert len(plane.unique()) == len(plane), "two faces of one plane"
        for k, loop in zip(plane.tolist(), mesh.polygons, strict=True):
            if k >= 0:
                row = own[k] / own[k, :3].norm()
                assert float((x[loop] @ row[:3] + row[3]).abs().amax()) <= tolerance


def compare_with_qhull(cases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, cases)
    planes = np.zeros((cases, 40, 4))
    mask = np.zeros((cases, 40), bool)
    for k, size in enumerate(sizes):
        planes[k, :size] = random_planes(rng, size)
        mask[k, :size] = True
    found = intersect_halfspaces(torch.tensor(planes), mask=torch.tensor(mask), bounds=BOX)
    volumes = found.volumes().numpy()
    given = np.where(mask[..., None], planes, 0.0)
    assert_closed(found, torch.tensor(given), 2e-13)
    compared = 0
    for k, size in enumerate(sizes):
        full = with_box(planes[k, :size])
        centre, radius = deepest(full)
        if radius < 1e-12:
            assert volumes[k] == 0
            continue
        expected = qhull_volume(full, centre)
        if radius > 1e-6:
            assert expected is not None
            assert volumes[k] == pytest.approx(expected, rel=1e-9)
            compared += 1
    assert compared > 0.5 * cases


def test_agrees_with_qhull():
    compare_with_qhull(600, seed=0)


@pytest.mark.slow
def test_agrees_with_qhull_on_ten_thousand():
    compare_with_qhull(10_000, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_exact_arithmetic(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    some = tried = 0
    while tried < 20 or (some < 4 and tried < 500):  # planes at random leave nothing now and then
        tried += 1
        planes = nasty(kind, rng)
        found = intersect_halfspaces(torch.tensor(planes)[None], bounds=BOX)
        assert_closed(found, torch.tensor(planes)[None], 1e-13)
        volume, expected = float(found.volumes()), float(exact_volume(with_box(planes)))
        if volume == 0:
            assert expected < 1e-13  # thinner than the tolerance
        else:
            assert volume == pytest.approx(expected, rel=1e-9)
            some += 1
    assert some >= 4


@pytest.mark.parametrize("dtype,wide", [(torch.float32, 5e-5), (torch.float64, 1e-12)])
def test_planes_about_the_tolerance_leave_closed_meshes(dtype, wide):
    """Planes that nearly agree, over and over: what rounding could leave open."""
    generator = torch.Generator().manual_seed(5)
    step = 40 * torch.finfo(dtype).eps
    base = torch.randn(300, 6, 1, 4, generator=generator, dtype=dtype)
    base = base / base[..., :3].norm(dim=-1, keepdim=True)
    base[..., 3] = -0.4
    noise = torch.randn(300, 6, 7, 4, generator=generator, dtype=dtype) * step
    planes = (base + noise).reshape(300, 42, 4)
    assert_closed(intersect_halfspaces(planes, bounds=BOX), planes, wide)


@native
@pytest.mark.parametrize("dtype,tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_reference(dtype, tolerance):
    rng = np.random.default_rng(3)
    rows = [random_planes(rng, 20) for _ in range(12)] + [nasty(k, rng) for k in KINDS]
    planes = torch.tensor(np.concatenate(rows), dtype=dtype)
    start = torch.tensor([0, *np.cumsum([len(r) for r in rows])])
    index = torch.arange(len(planes))
    a, b = planes.clone().requires_grad_(), planes.clone().requires_grad_()
    slack = 32 * torch.finfo(dtype).eps
    mine = Packed(*torch.ops.meshlearn.halfspace_intersection(a, start, index, FLAT, slack))
    theirs = intersect_reference(b, start, index, FLAT, slack)
    for name in Packed._fields[1:]:
        assert torch.equal(getattr(mine, name), getattr(theirs, name)), name
    assert len(mine.vertices) > 200
    assert float((mine.vertices - theirs.vertices).abs().max()) < tolerance
    w = torch.randn(mine.vertices.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    (mine.vertices * w).sum().backward()
    (theirs.vertices * w).sum().backward()
    scale = b.grad.abs().amax(1, keepdim=True).clamp(min=1e-3)
    assert float(((a.grad - b.grad).abs() / scale).max()) < 1e-3
    assert float(a.grad.abs().max()) > 0


@pytest.mark.parametrize("shared", [False, True])
def test_gradcheck(shared):
    generator = torch.Generator().manual_seed(2)
    shape = (9, 4) if shared else (3, 9, 4)
    planes = torch.randn(shape, generator=generator, dtype=torch.float64)
    planes[..., 3] = -0.3 - 0.3 * planes[..., 3].abs()
    mask = torch.rand(3, 9, generator=generator) < 0.8
    planes.requires_grad_()

    def run(p):
        found = intersect_halfspaces(p, mask=mask, bounds=BOX)
        return found.vertices, found.volumes()

    assert torch.autograd.gradcheck(run, planes, eps=1e-7, atol=1e-6)


@native
def test_opcheck():
    planes = torch.tensor(random_planes(np.random.default_rng(0), 20)).requires_grad_()
    start, index = torch.tensor([0, 8, 8, 20]), torch.arange(20)
    torch.library.opcheck(
        torch.ops.meshlearn.halfspace_intersection.default, (planes, start, index, FLAT, 1e-14)
    )


@native
def test_the_same_bits_on_any_number_of_threads():
    planes = torch.tensor(random_planes(np.random.default_rng(4), 200 * 24)).view(200, 24, 4)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            p = planes.clone().requires_grad_()
            found = intersect_halfspaces(p, bounds=BOX)
            found.volumes().square().sum().backward()
            results.append([found.vertices, found.index, found.face_plane, p.grad])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_cube_cut_by_its_corner():
    planes = torch.tensor([[[1.0, 1, 1, -1], [1, 0, 0, -5], [1, 1, 1, -1]]])
    (mesh,) = ml.convexes_from_halfspaces(planes, bounds=((0, 0, 0), (1, 1, 1)))
    assert mesh.num_vertices == 4 and mesh.num_polygons == 4
    assert sorted(mesh.face_attributes["plane"].tolist()) == [-5, -3, -1, 0]  # the second drops out
    assert float(mesh.triangulate().volume()) == pytest.approx(1 / 6, rel=1e-5)


def test_empty_unbounded_and_none():
    one = torch.tensor([[1.0, 0, 0, 0.5], [-1, 0, 0, 0.5]])  # x <= -0.5 and x >= 0.5
    assert ml.convexes_from_halfspaces(one[None], bounds=BOX)[0].num_vertices == 0
    unbounded = intersect_halfspaces(one[None, :1], bounds=BOX)
    assert float(unbounded.volumes()) == pytest.approx(2.0)
    nothing = torch.zeros(2, 0, 4)
    assert intersect_halfspaces(nothing, bounds=BOX).volumes().tolist() == [8.0, 8.0]
    assert ml.convexes_from_halfspaces(torch.zeros(0, 5, 4), bounds=BOX) == []
    zero = torch.tensor([[[0.0, 0, 0, -1]], [[0, 0, 0, 1]]])
    assert intersect_halfspaces(zero, bounds=BOX).empty.tolist() == [False, True]
    beyond = torch.tensor(
        [[[1e-30, 0, 0, -1.0], [0, 1e-38, 0, 1.0]]]
    )  # far away, one way and the other
    assert intersect_halfspaces(beyond[:, :1], bounds=BOX).volumes().tolist() == [8.0]
    assert intersect_halfspaces(beyond, bounds=BOX).empty.tolist() == [True]


def test_masked_planes_may_hold_anything():
    planes = torch.tensor([[[1.0, 0, 0, 0], [float("nan")] * 4]])
    mask = torch.tensor([[True, False]])
    found = intersect_halfspaces(planes.requires_grad_(), mask=mask, bounds=BOX)
    assert found.volumes().tolist() == [4.0]
    found.volumes().sum().backward()
    assert bool(torch.isfinite(planes.grad).all())


def test_a_shared_table_of_planes():
    planes = torch.tensor(random_planes(np.random.default_rng(8), 12))
    mask = torch.rand(5, 12, generator=torch.Generator().manual_seed(0)) < 0.6
    shared = intersect_halfspaces(planes, mask=mask, bounds=BOX)
    apart = intersect_halfspaces(planes.expand(5, 12, 4), mask=mask, bounds=BOX)
    assert torch.equal(shared.vertices, apart.vertices)
    assert torch.equal(shared.face_plane, apart.face_plane)


@pytest.mark.parametrize(
    "planes,options,words",
    [
        (torch.zeros(3, 4), {}, "planes: expected shape"),
        (torch.zeros(1, 3, 5), {}, "planes: expected shape"),
        (torch.zeros(1, 3, 4, dtype=torch.int64), {}, "planes: expected dtype"),
        (torch.full((1, 3, 4), float("nan")), {}, "planes: 12 of 12 values are NaN"),
        ([[1, 2, 3, 4]], {}, "planes: expected a torch.Tensor"),
        (
            torch.zeros(2, 3, 4),
            {"mask": torch.ones(2, 4, dtype=torch.bool)},
            "mask: expected shape",
        ),
        (torch.zeros(2, 3, 4), {"mask": torch.ones(2, 3)}, "mask: expected dtype"),
        (torch.zeros(1, 3, 4), {"bounds": ((0, 0, 0), (1, 1, 0))}, "bounds: expected a lower"),
        (torch.zeros(1, 3, 4), {"bounds": (0, 1)}, "bounds: expected shape"),
        (torch.zeros(1, 3, 4), {"tolerance": 0.0}, "tolerance: expected a positive"),
    ],
)
def test_bad_input(planes, options, words):
    with pytest.raises(ValueError, match=words):
        intersect_halfspaces(planes, **{"bounds": BOX, **options})


def test_the_kernel_has_the_numbers_of_constants():
    text = (Path(__file__).parents[2] / "csrc/kernels/halfspace.h").read_text(encoding="utf-8")
    found = dict(re.findall(r"(k[A-Z]\w+) = ([-0-9.e]+);", text))
    for name, value in {
        "kCutAttempts": constants.CUT_ATTEMPTS,
        "kToleranceGrowth": constants.TOLERANCE_GROWTH,
        "kLeastDeterminant": constants.LEAST_DETERMINANT,
        "kMostStep": constants.MOST_STEP,
    }.items():
        assert float(found[name]) == value, name
