"""Connected components of a graph given by its edges."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE


class Components(NamedTuple):
    """Labels 0 … count - 1 in the order of each component's smallest member, and their number."""

    labels: Tensor
    count: int  # type: ignore[assignment]  # the name that tuple.count had


def roots_reference(links: Tensor, size: int) -> Tensor:
    """Smallest node of each node's component, by hooking and pointer jumping."""
    root = torch.arange(size, dtype=torch.int64, device=links.device)
    a, b = links.unbind(1)
    while a.numel():
        ra, rb = root[a], root[b]
        differs = ra != rb
        a, b, ra, rb = a[differs], b[differs], ra[differs], rb[differs]
        if not a.numel():
            break
        low, high = torch.minimum(ra, rb), torch.maximum(ra, rb)
        root = root.scatter_reduce(0, high, low, "amin")
        while True:
            jumped = root[root]
            if torch.equal(jumped, root):
                break
            root = jumped
    return root


def connected_components(links: Tensor, size: int) -> Components:
    """Components of `size` nodes joined by `links` (M, 2) int64; a lone node is a component."""
    if HAS_NATIVE and links.device.type == "cpu":
        root = torch.ops.meshlearn.component_roots(links.contiguous(), size)
    else:
        root = roots_reference(links, size)
    return label_roots(root)


def label_roots(root: Tensor) -> Components:
    """Components from the smallest member of each node's component (N,)."""
    is_root = root == torch.arange(root.numel(), device=root.device)
    rank = torch.cumsum(is_root, 0) - 1
    return Components(rank[root], int(is_root.sum()))


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::component_roots")
    def _(links: Tensor, size: int) -> Tensor:
        return links.new_empty(size)
