"""Every operator of the compiled extension held equal on two machines, by whatever test calls it.

`Mirror` repeats each call that an operator of meshlearn gets with tensors of the CPU on another
device and compares: integers and flags exactly, floats to the last few digits.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from meshlearn import _native

# what orders items in space does so in another way on a GPU; what is asked of a tree is compared
ORDERS = {"point_tree", "triangle_tree", "spatial_order"}
# of the largest value of a tensor: sine, exponential and the like differ by their libraries
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def device() -> str | None:
    """The device of the second run: "cuda" where compiled operators and a GPU are there."""
    return "cuda" if _native.HAS_CUDA and torch.cuda.is_available() else None


class Mirror(TorchDispatchMode):
    """Inside it operators of meshlearn run twice; a difference is an AssertionError.

    ``calls`` counts what was compared, by the operator's name.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.calls: Counter[str] = Counter()
        self.supports_higher_order_operators = True

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "namespace", "") != "meshlearn" or not self._serves(func, (args, kwargs)):
            return func(*args, **kwargs)
        there = tree_map(self._send, (args, kwargs))  # before: an operator may write to these
        out = func(*args, **kwargs)
        other = func(*there[0], **there[1])
        name = func._schema.name.split("::")[1]
        self.calls[name] += 1
        if name in ORDERS:
            order = (tree_leaves(out)[-1], tree_leaves(other)[-1])
            compare(f"{name}, items", *(rows.sort().values for rows in order))
            return out
        compare(f"{name}, result", out, other)
        compare(f"{name}, arguments", (args, kwargs), there)
        return out

    def _serves(self, func, arguments) -> bool:
        key = self.device.type.upper()
        if not torch._C._dispatch_has_kernel_for_dispatch_key(func._schema.name, key):
            return False
        tensors = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor)]
        return all(type(t) is torch.Tensor and t.device.type == "cpu" for t in tensors)

    def _send(self, leaf):
        return leaf.to(self.device, copy=True) if isinstance(leaf, torch.Tensor) else leaf


def compare(what: str, expected, found) -> None:
    """Raises an AssertionError that names the first tensor that differs, and by how much."""
    pairs = list(zip(tree_leaves(expected), tree_leaves(found), strict=True))
    for i, (a, b) in enumerate(pairs):
        if not isinstance(a, torch.Tensor):
            continue
        b, label = b.cpu(), f"{what} {i}"
        assert a.shape == b.shape and a.dtype == b.dtype, f"{label}: {a.shape} against {b.shape}"
        if not a.is_floating_point():
            off = int((a != b).sum())
            assert off == 0, f"{label}: {off} of {a.numel()} entries differ"
            continue
        same = (a == b) | (a.isnan() & b.isnan())
        size = a[a.isfinite()].abs().max().item() if a.isfinite().any() else 0.0
        bad = ~same & ~((a - b).abs() <= TOLERANCE[a.dtype] * size)
        worst = (a - b)[bad].abs().max().item() if bad.any() else 0.0
        assert not bad.any(), f"{label}: {int(bad.sum())} of {a.numel()} differ, by up to {worst:g}"
