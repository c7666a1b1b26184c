"""Offsets from planes of near points: native against torch, edges, threads."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from meshlearn import geometry
from meshlearn._native import HAS_NATIVE
from meshlearn.reconstruct.poisson import local_offsets
from meshlearn.reconstruct.poisson.planes import plane_offsets, plane_offsets_reference

native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
RULES = [0.4, 0.01, 0.02, 0.05, 0.7, 1.0, 1.6, 2.4, 3.3]


def ball(count: int, dtype: torch.dtype = torch.float32, noise: float = 0.02):
    """Points near a ball of radius 1, their normals, and normals that are guessed."""
    g = torch.Generator().manual_seed(0)
    out = normalize(torch.randn(count, 3, generator=g, dtype=dtype), dim=1)
    off = noise * torch.randn(count, 1, generator=g, dtype=dtype)
    guess = normalize(out + 0.2 * torch.randn(count, 3, generator=g, dtype=dtype), dim=1)
    return out * (1 + off), out, guess


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 3, 16, 50, 142])
def test_native_equals_reference(dtype: torch.dtype, count: int) -> None:
    points, normals, guess = ball(1500, dtype)
    index = geometry.PointTree(points).around(points, count)
    for rules in (RULES, RULES[:5]):
        found = plane_offsets(points, guess, points, normals, index, rules)
        right = plane_offsets_reference(points, guess, points, normals, index, rules)
        same = (found[2] - right[2]).abs() < 1e-6  # two widths may agree to rounding
        assert float(same.double().mean()) > 0.995
        tolerance = 1e-5 if dtype == torch.float32 else 1e-12
        for one, other in zip(found[:2], right[:2], strict=True):
            torch.testing.assert_close(one[same], other[same], rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_ball_is_met_from_any_place_near_it(dtype: torch.dtype) -> None:
    points, normals, _ = ball(8000, dtype, noise=0.0)
    away = torch.linspace(-0.01, 0.01, 200, dtype=dtype)
    places, direction = normals[:200] * (1 + away)[:, None], normals[:200]
    offset, turned, width = local_offsets(
        places, direction, geometry.PointTree(points), normals,
        widths=(0.7, 1.0), noise=0.01, spacing=0.04, neighbours=24,
    )  # fmt: skip
    assert float((offset - away).abs().max()) < 1e-3
    assert float((offset - away).abs().mean()) < 2e-4
    assert float((turned * direction).sum(1).min()) > 0.998
    assert set(width.unique().tolist()) <= {torch.tensor(w, dtype=dtype).item() for w in (0.7, 1.0)}


def test_places_with_gradients_and_many_neighbours_go_by_the_reference() -> None:
    points, normals, guess = ball(300)
    tree, given = geometry.PointTree(points), points.clone().requires_grad_()
    how = {"widths": (1.0, 2.0), "noise": 0.02, "spacing": 0.2}
    offset, turned, _ = local_offsets(given, guess, tree, normals, neighbours=30, **how)
    (grad,) = torch.autograd.grad(offset.sum(), given)
    assert float((grad * turned.detach()).sum(1).mean()) > 0.5
    assert torch.allclose(
        offset, local_offsets(points, guess, tree, normals, neighbours=30, **how)[0], atol=1e-5
    )
    wide = local_offsets(points, guess, tree, normals, neighbours=300, **how)[0]
    assert float((wide.abs() < 0.2).double().mean()) > 0.9


@native_only
def test_operator_passes_opcheck_and_does_not_depend_on_threads() -> None:
    points, normals, guess = ball(3000)
    index = geometry.PointTree(points).around(points, 30)
    given = (points, guess, points, normals, index, RULES)
    torch.library.opcheck(torch.ops.meshlearn.plane_offsets, given)
    one, before = plane_offsets(*given), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert all(map(torch.equal, one, plane_offsets(*given)))
    finally:
        torch.set_num_threads(before)
    none = plane_offsets(points[:0], guess[:0], points, normals, index[:0], RULES)
    assert [len(t) for t in none] == [0, 0, 0]
