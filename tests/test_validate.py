"""Checks of arguments: what is not finite is found, what only adds up to too much is not."""

import pytest
import torch

from meshlearn._validate import check_tensor


@pytest.mark.parametrize("bad", [[float("nan")], [float("inf")], [float("inf"), -float("inf")]])
def test_what_is_not_finite_is_counted(bad):
    value = torch.tensor([1.0, *bad, 2.0])
    with pytest.raises(ValueError, match=f"x: {len(bad)} of {len(value)} values are NaN"):
        check_tensor(value, "x", finite=True)


def test_large_values_are_finite():
    check_tensor(torch.full((4,), 3e38), "x", finite=True)
    check_tensor(torch.zeros(0), "x", finite=True)
    check_tensor(torch.ones(3, dtype=torch.int64), "x", finite=True)
