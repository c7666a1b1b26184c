"""Nearest neighbours and chamfer distance: against all pairs, scipy, and finite differences."""

import math

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from meshlearn._native import HAS_NATIVE
from meshlearn.geometry import _space
from meshlearn.geometry.reference import nearest_points
from tests.geometry.shapes import clouds, random_points

DTYPES = (torch.float32, torch.float64)
native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


@pytest.mark.parametrize("name", clouds())
@pytest.mark.parametrize("dtype", DTYPES)
def test_matches_all_pairs(name, dtype):
    y = clouds(dtype)[name]
    queries = torch.cat([y, y + 0.01, random_points(50, dtype) * y.abs().max()])
    for k in sorted({min(k, len(y)) for k in (1, 2, 9, 24, 90, 256, len(y))}):
        squared, index = ml.knn(queries, y, k)
        distance, order = nearest_points(queries, y, k)
        assert torch.equal(index, order)
        torch.testing.assert_close(squared, distance, rtol=1e-6, atol=0)
        if k <= 9:
            exact = ((queries[:, None] - y[index]) ** 2).sum(-1)
            torch.testing.assert_close(squared, exact, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 16, 17, 63, 64, 65, 128, 129, 513])
def test_trees_of_every_shape(size):
    y, x = random_points(size, seed=size), random_points(100, seed=2)
    for k in {1, min(3, size)}:
        assert torch.equal(ml.knn(x, y, k).index, nearest_points(x, y, k)[1])


def test_against_scipy():
    spatial = pytest.importorskip("scipy.spatial")
    x, y = random_points(5000, seed=3), random_points(20_000, seed=4)
    distance, index = spatial.cKDTree(y.numpy()).query(x.numpy(), k=5)
    found = ml.knn(x, y, 5)
    torch.testing.assert_close(found.squared_distance.sqrt(), torch.from_numpy(distance))
    assert torch.equal(found.index, torch.from_numpy(index))


def test_duplicates_by_the_million_are_quick():
    """Equal points answer by their index: no query may walk through all of them."""
    y = torch.zeros(200_000, 3)
    for k in (3, 30):
        found = ml.knn(y[:: k // 3], y, k) if HAS_NATIVE else ml.knn(y[:5], y[:50], k)
        assert torch.equal(found.index, torch.arange(k).expand_as(found.index))


@pytest.mark.parametrize("name", clouds())
def test_points_around_are_the_nearest_in_any_order(name):
    y = clouds(torch.float32)[name]
    x = torch.cat([y, random_points(50, torch.float32) * y.abs().max()])
    tree = geometry.PointTree(y)
    for k in sorted({min(k, len(y)) for k in (1, 24, 90, len(y))}):
        found = tree.around(x, k)
        assert torch.equal(found.sort(1).values, ml.knn(x, y, k).index.sort(1).values)


@pytest.mark.parametrize("scale", [1e-18, 1e15])
def test_any_unit(scale):
    x, y = random_points(200, torch.float32), random_points(300, torch.float32, seed=5)
    assert torch.equal(ml.knn(x * scale, y * scale, 4).index, ml.knn(x, y, 4).index)


def test_answer_does_not_depend_on_the_order_of_points():
    x, y = random_points(500, torch.float32), random_points(600, torch.float32, seed=6)
    turn = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    a, b = ml.knn(x, y, 3), ml.knn(x, y[turn], 3)
    assert torch.equal(a.squared_distance, b.squared_distance)
    assert torch.equal(a.index, turn[b.index])


def test_gradients():
    x = random_points(15).requires_grad_()
    y = random_points(20, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: ml.knn(x, y, 3).squared_distance, (x, y))
    assert torch.autograd.gradgradcheck(lambda x, y: ml.knn(x, y, 3).squared_distance, (x, y))
    for options in ({}, {"norm": 1}, {"single_directional": True}):
        assert torch.autograd.gradcheck(
            lambda x, y, o=options: ml.chamfer_distance(x, y, **o), (x, y)
        )


def test_gradient_of_touching_clouds_is_zero():
    x = random_points(20).requires_grad_()
    ml.chamfer_distance(x, x.detach(), norm=1).backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_chamfer_is_the_sum_of_two_means():
    x, y = random_points(300), random_points(200, seed=2)
    d = torch.cdist(x, y)
    there, back = d.amin(1), d.amin(0)
    torch.testing.assert_close(ml.chamfer_distance(x, y), (there**2).mean() + (back**2).mean())
    torch.testing.assert_close(ml.chamfer_distance(x, y, norm=1), there.mean() + back.mean())
    torch.testing.assert_close(
        ml.chamfer_distance(x, y, single_directional=True), (there**2).mean()
    )
    u, v = (torch.nn.functional.normalize(random_points(n, seed=9), dim=1) for n in (300, 200))
    cosine = 1 - (u @ v.T).abs()
    normals = cosine.gather(1, d.argmin(1, keepdim=True)).mean()
    normals = normals + cosine.gather(0, d.argmin(0, keepdim=True)).mean()
    torch.testing.assert_close(
        ml.chamfer_distance(x, y, x_normals=u, y_normals=v, normal_weight=0.5),
        (there**2).mean() + (back**2).mean() + 0.5 * normals,
    )


def test_chamfer_of_a_batch():
    x, y = random_points(60).view(3, 20, 3), random_points(90, seed=2).view(3, 30, 3)
    each = torch.stack([ml.chamfer_distance(a, b) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(ml.chamfer_distance(x, y), each.mean())


def test_chamfer_of_clouds_of_their_own_sizes():
    """As a list, or padded with lengths: as one after another, and no gradient to padding."""
    sizes, others = (5, 20, 1), (7, 3, 11)
    xs = [random_points(n, seed=n).requires_grad_() for n in sizes]
    ys = [random_points(n, seed=n + 50) for n in others]
    each = torch.stack([ml.chamfer_distance(a, b) for a, b in zip(xs, ys, strict=True)])
    for reduction, right in (("none", each), ("sum", each.sum()), ("mean", each.mean())):
        found = ml.chamfer_distance(xs, ys, reduction=reduction)
        torch.testing.assert_close(found, right)
    padded = torch.full((3, 22, 3), torch.nan, dtype=xs[0].dtype)
    for row, cloud in zip(padded, xs, strict=True):
        row[: len(cloud)] = cloud.detach()
    padded.requires_grad_()
    batch = ml.chamfer_distance(padded, ys, x_lengths=torch.tensor(sizes), reduction="none")
    torch.testing.assert_close(batch, each)
    batch.sum().backward()
    each.sum().backward()
    for row, cloud in zip(padded.grad, xs, strict=True):
        torch.testing.assert_close(row[: len(cloud)], cloud.grad)
        assert not row[len(cloud) :].any()
    units = [torch.nn.functional.normalize(p.detach(), dim=1) for p in xs]
    theirs = [torch.nn.functional.normalize(p, dim=1) for p in ys]
    both = ml.chamfer_distance(xs, ys, x_normals=units, y_normals=theirs, reduction="none")
    one = ml.chamfer_distance(xs[1], ys[1], x_normals=units[1], y_normals=theirs[1])
    torch.testing.assert_close(both[1], one)
    with pytest.raises(ValueError, match="y: expected as many clouds as in x, 3, got 2"):
        ml.chamfer_distance(xs, ys[:2])
    with pytest.raises(ValueError, match="x: expected at least one point, got none in cloud 1"):
        ml.chamfer_distance(padded, ys, x_lengths=[5, 0, 1])
    with pytest.raises(ValueError, match="x_lengths: expected 3 integers of 0 to 22"):
        ml.chamfer_distance(padded, ys, x_lengths=[5, 23, 1])
    with pytest.raises(ValueError, match=r"x_normals: expected .*float64"):
        single = [u.float() for u in units]
        ml.chamfer_distance(xs, ys, x_normals=single, y_normals=theirs)
    with pytest.raises(ValueError, match="reduction: expected"):
        ml.chamfer_distance(xs, ys, reduction="max")


@native
def test_threads():
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            x = random_points(20_000, torch.float32).requires_grad_()
            y = random_points(30_000, torch.float32, seed=2).requires_grad_()
            loss = ml.chamfer_distance(x, y)
            loss.backward()
            tree = geometry.PointTree(y)
            found = [*ml.knn(x, y, 5), *ml.knn(x, y, 40), tree.around(x, 40)]
            results.append([*tree._tree, *found, loss, x.grad, y.grad])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@native
@pytest.mark.parametrize("size", [1, 8, 17, 70])
def test_operators(size):
    points = random_points(size)
    box = _space.frame(points)
    ops = torch.ops.meshlearn
    torch.library.opcheck(ops.spatial_order, (points, box))
    torch.library.opcheck(ops.point_tree, (points, box))
    *tree, order = ops.point_tree(points, box)
    for k, sort in ((1, True), (min(40, size), False)):
        torch.library.opcheck(ops.nearest_points, (points, order, *tree, box[4], k, sort))
    curve = ops.spatial_order(points, box)
    assert torch.equal(curve.sort().values, torch.arange(size, dtype=torch.int32))
    assert torch.equal(order.sort().values, torch.arange(size, dtype=torch.int32))


def test_none_to_ask_for():
    found = ml.knn(torch.empty(0, 3), torch.zeros(4, 3), 2)
    assert found.squared_distance.shape == found.index.shape == (0, 2)


def test_bad_input():
    x = random_points(5)
    for k in (0, 6, 1.0, True):
        with pytest.raises(ValueError, match="k: expected 1 to 5, the number of points in y"):
            ml.knn(x, x, k)
    with pytest.raises(ValueError, match="y: expected dtype float64"):
        ml.knn(x, x.float())
    with pytest.raises(ValueError, match="points: expected at least one point"):
        geometry.PointTree(x[:0])
    with pytest.raises(ValueError, match="y: expected at least one point, got none"):
        ml.chamfer_distance(x, x[:0])
    with pytest.raises(ValueError, match="x: expected at least one point, got none"):
        ml.chamfer_distance(x[:0], x)
    with pytest.raises(ValueError, match="norm: expected 1 or 2, got 3"):
        ml.chamfer_distance(x, x, norm=3)
    with pytest.raises(ValueError, match="x_normals, y_normals: expected both or neither"):
        ml.chamfer_distance(x, x, x_normals=x)
    with pytest.raises(ValueError, match="y: expected as many clouds as in x, 2, got 3"):
        ml.chamfer_distance(torch.zeros(2, 4, 3), torch.zeros(3, 4, 3))
    bad = x.clone()
    bad[2, 1] = float("nan")
    for call in (ml.knn, ml.chamfer_distance, lambda a, b: ml.knn(b, a)):
        with pytest.raises(ValueError, match=r"[xy]: 1 of 15 values are NaN or infinite"):
            call(x, bad)


@pytest.mark.parametrize(
    "lengths", [[5.5, 3], torch.tensor([2.5, 3.0]), [True, 3], ["5", 3], [math.nan, 3], [11, 3]]
)
def test_lengths_that_are_no_counts_are_refused(lengths):
    with pytest.raises(ValueError, match="x_lengths: expected 2 integers of 0 to 10"):
        ml.chamfer_distance(torch.rand(2, 10, 3), torch.rand(2, 4, 3), x_lengths=lengths)


@pytest.mark.parametrize(
    "lengths",
    [[5, 3], np.array([5, 3]), torch.tensor([5.0, 3.0]), [torch.tensor(5), np.int32(3)]],
)
def test_lengths_are_counts_of_any_kind(lengths):
    x, y = torch.rand(2, 10, 3), torch.rand(2, 4, 3)
    found = ml.chamfer_distance(x, y, x_lengths=lengths, reduction="none")
    assert torch.equal(found[0], ml.chamfer_distance(x[0, :5], y[0]))
    assert torch.equal(found[1], ml.chamfer_distance(x[1, :3], y[1]))
