"""Winding numbers of oriented points: native against torch, and where they are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from meshlearn._native import HAS_NATIVE
from meshlearn.reconstruct.targets.dipoles import dipole_sum, dipole_sum_reference

native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def ball(count: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of a ball of radius 1, and its area vectors over 4 pi."""
    g = torch.Generator().manual_seed(0)
    out = normalize(torch.randn(count, 3, generator=g, dtype=dtype), dim=1)
    return out, out / count


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 7, 1001])
def test_native_equals_reference(dtype: torch.dtype, count: int) -> None:
    source, dipole = ball(count, dtype)
    g = torch.Generator().manual_seed(1)
    query = torch.cat((1.5 * torch.randn(200, 3, generator=g, dtype=dtype), source[:5] * 1.001))
    found = dipole_sum(query, source, dipole, 0.01)
    right = dipole_sum_reference(query.double(), source.double(), dipole.double(), 0.01)
    tolerance = 2e-4 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(found.double(), right, rtol=tolerance, atol=tolerance)


def test_a_ball_is_one_inside_and_nothing_outside() -> None:
    source, dipole = ball(4000, torch.float32)
    inside = dipole_sum(0.5 * source[:100], source, dipole, 0.01)
    outside = dipole_sum(2 * source[:100], source, dipole, 0.01)
    assert float((inside - 1).abs().max()) < 0.1 and float(outside.abs().max()) < 0.05
    one = dipole_sum(torch.zeros(1, 3), source[:1], dipole[:1], math.inf)
    assert float(one) == 0.0  # no way is as long


@native_only
def test_operator_passes_opcheck_and_does_not_depend_on_threads() -> None:
    source, dipole = ball(500, torch.float32)
    rows = source.T.contiguous(), dipole.T.contiguous()
    torch.library.opcheck(torch.ops.meshlearn.dipole_sum, (2 * source, *rows, 0.1))
    one, before = dipole_sum(2 * source, source, dipole, 0.1), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(one, dipole_sum(2 * source, source, dipole, 0.1))
    finally:
        torch.set_num_threads(before)
    assert dipole_sum(source[:0], source, dipole, 0.1).shape == (0,)
