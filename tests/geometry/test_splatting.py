"""Values between points and grid nodes: native against torch, gradients, what they conserve."""

from __future__ import annotations

import pytest
import torch

from meshlearn._native import HAS_NATIVE
from meshlearn._segment import Incidence
from meshlearn.geometry.splatting import gather_at, gather_at_reference, splat, splat_reference

native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
SHAPE = (5, 4, 6)


def places(count: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, generator=g, dtype=dtype) * (torch.tensor(SHAPE) - 1)


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_native_equals_reference(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    values = torch.randn(300, 2, generator=g, dtype=dtype)
    field = torch.randn(2, *SHAPE, generator=g, dtype=dtype)
    at = places(300, dtype)
    at[:4] = torch.tensor([[0, 0, 0], [4, 3, 5], [-0.3, 1, 2], [4.2, 3.1, 5.5]], dtype=dtype)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-12
    for out, reference, given in (
        (splat, lambda a, v: splat_reference(a, v, SHAPE), values),
        (gather_at, gather_at_reference, field),
    ):
        found = []
        for function in (out, reference):
            a, v = at.clone().requires_grad_(), given.clone().requires_grad_()
            result = function(a, v, SHAPE) if function is splat else function(a, v)
            found.append((result, *torch.autograd.grad(result.sin().sum(), (a, v))))
        for one, other in zip(*found, strict=True):
            assert torch.allclose(one, other, rtol=tolerance, atol=tolerance)


def test_gradcheck_in_places_and_values() -> None:
    at = (places(7, torch.float64).floor() + 0.3).requires_grad_()
    values = torch.randn(7, 2, dtype=torch.float64).requires_grad_()
    field = torch.randn(2, *SHAPE, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, v: splat(a, v, SHAPE), (at, values))
    assert torch.autograd.gradcheck(gather_at, (at, field))


def test_each_is_the_transpose_of_the_other() -> None:
    g = torch.Generator().manual_seed(2)
    at = places(50, torch.float64)
    values = torch.randn(50, 3, generator=g, dtype=torch.float64)
    field = torch.randn(3, *SHAPE, generator=g, dtype=torch.float64)
    out, back = splat(at, values, SHAPE), gather_at(at, field)
    assert torch.allclose((out * field).sum(), (back * values).sum())
    assert torch.allclose(out.sum((1, 2, 3)), values.sum(0))


def test_a_linear_field_is_read_exactly() -> None:
    lines = torch.meshgrid(*(torch.arange(float(n)) for n in SHAPE), indexing="ij")
    at = places(40, torch.float32)
    assert torch.allclose(gather_at(at, torch.stack(lines)), at, atol=1e-5)


@native_only
def test_operators_pass_opcheck_and_do_not_depend_on_threads() -> None:
    op = torch.ops.meshlearn
    at, values = places(2000, torch.float32), torch.randn(2000, 2)
    cell = at.floor().long()
    rows = Incidence(cell[:, 0] * 3 + cell[:, 1], 12)
    field = torch.randn(2, *SHAPE)
    torch.library.opcheck(op.splat, (at, values, rows.start, rows.order, list(SHAPE)))
    torch.library.opcheck(op.splat_gather, (at, field))
    torch.library.opcheck(op.splat_slope, (at, field, values))
    one = splat(at, values, SHAPE)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(one, splat(at, values, SHAPE))
    finally:
        torch.set_num_threads(before)


def test_no_points_give_zero_and_bad_input_is_named() -> None:
    none = torch.zeros(0, 3)
    assert torch.equal(splat(none, torch.zeros(0, 2), SHAPE), torch.zeros(2, *SHAPE))
    assert gather_at(none, torch.zeros(2, *SHAPE)).shape == (0, 2)
    with pytest.raises(ValueError, match=r"shape: expected three numbers of nodes"):
        splat(none, torch.zeros(0, 1), (1, 4, 4))
    with pytest.raises(ValueError, match=r"field: expected 2 nodes or more"):
        gather_at(none, torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"at: .*finite"):
        splat(torch.full((1, 3), torch.nan), torch.zeros(1, 1), SHAPE)
