"""Tracing closed loops of boundary edges, without a walk: pointer doubling over darts."""

from __future__ import annotations

import torch
from torch import Tensor


def trace_loops(vertices: Tensor, nodes: Tensor) -> tuple[list[Tensor], int]:
    """Orders edges into loops.

    Args:
        vertices: (B, 2) int64 from and to vertex of each directed edge.
        nodes: (B, 2) int64 node (fan of corners) at its ends. Edges that meet in a node of exactly
            two ends follow each other, whatever their direction.

    Returns the loops, as vertices (n,) in the direction most of their edges have, and the number of
    edges in chains that do not close.
    """
    count = vertices.shape[0]
    if count == 0:
        return [], 0
    dart = torch.arange(2 * count, device=vertices.device)  # e runs along edge e, e + B against it
    reverse = dart.roll(count)
    start, end = torch.cat([nodes[:, 0], nodes[:, 1]]), torch.cat([nodes[:, 1], nodes[:, 0]])
    size = int(nodes.max()) + 1
    degree = torch.bincount(start, minlength=size)
    sum_of_two = torch.zeros(size, dtype=torch.int64, device=dart.device).index_add(0, start, dart)
    terminal = degree[end] != 2
    following = torch.where(terminal, dart, sum_of_two[end] - reverse)

    steps = (2 * count).bit_length()
    lowest, ahead, opened = torch.minimum(dart, following), following, terminal
    for _ in range(steps):
        lowest = torch.minimum(lowest, lowest[ahead])
        opened = opened | opened[ahead]
        ahead = ahead[ahead]

    # Each loop is there twice, once in each direction: keep the one along more of its edges.
    along = torch.zeros_like(dart).index_add(0, lowest, torch.where(dart < count, 1, -1))
    mine, other = along[lowest], along[lowest[reverse]]
    keep = ~opened & ((mine > other) | ((mine == other) & (lowest <= lowest[reverse])))

    last = following == lowest
    left = (~last).to(torch.int64)  # darts still to come in the loop
    ahead = torch.where(last, dart, following)
    for _ in range(steps):
        left = left + left[ahead]
        ahead = ahead[ahead]

    kept = keep.nonzero().squeeze(1)
    kept = kept[torch.argsort(lowest[kept] * (2 * count) - left[kept])]
    tails = torch.cat([vertices[:, 0], vertices[:, 1]])[kept]
    lengths = torch.unique_consecutive(lowest[kept], return_counts=True)[1].tolist()
    return list(torch.split(tails, lengths)) if lengths else [], int(opened.sum()) // 2
