"""The part of a lattice that is near a surface, as bricks of 8 x 8 x 8 nodes.

A field has one value for each node of each brick, (B, 8, 8, 8), and steps to neighbouring nodes
are steps within an array nearly everywhere: cheaper than an index for each node, at about twice the
nodes of the thinnest band.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native

SIDE = 8  # nodes along a brick
NODES = SIDE**3
_AT_ONCE = 1 << 14  # bricks whose surroundings are gathered at once: 100 MB


class Bricks:
    """Some bricks of a lattice.

    Args:
        wanted: (S, S, S) bool, the bricks that are held, of S = `bricks_along(nodes)`.

    Attributes:
        at: (B, 3) int64 place of each brick, x slowest: its first node is at 8 times that.
        table: (S + 2, S + 2, S + 2) int32 number of each brick, one aside of its place as there is
            a layer of none around; -1 for none.
        near: (B, 27) int32 numbers of the bricks around and itself (13), -1 for none.
    """

    def __init__(self, wanted: Tensor) -> None:
        self.at = wanted.nonzero().contiguous()
        side = wanted.shape[0] + 2
        self.table = torch.full((side,) * 3, -1, dtype=torch.int32, device=wanted.device)
        number = torch.arange(len(self.at), dtype=torch.int32, device=wanted.device)
        self.table[tuple((self.at + 1).T)] = number
        shifts = torch.tensor(list(product((0, 1, 2), repeat=3)), device=wanted.device)
        around = self.at[:, None] + shifts
        flat = (around[..., 0] * side + around[..., 1]) * side + around[..., 2]
        self.near = self.table.reshape(-1)[flat].contiguous()

    def __len__(self) -> int:
        return len(self.at)

    def place(self, nodes: Tensor) -> Tensor:
        """(...,) places of lattice nodes (..., 3) in a flat field, -1 where no brick holds them."""
        brick = (nodes >> 3) + 1
        side = self.table.shape[0]
        flat = (brick[..., 0] * side + brick[..., 1]) * side + brick[..., 2]
        number = self.table.reshape(-1)[flat.clamp(0, side**3 - 1)].long()
        low = nodes & 7
        local = (low[..., 0] * SIDE + low[..., 1]) * SIDE + low[..., 2]
        return torch.where(number < 0, -1, number * NODES + local)

    def around(self, field: Tensor, numbers: Tensor, none: float | int) -> Tensor:
        """(K, 9, 9, 9) values of bricks (K,) and of the nodes that follow them, `none` where no
        brick holds those."""
        out = field.new_full((len(numbers), SIDE + 1, SIDE + 1, SIDE + 1), none)
        for dx, dy, dz in product((0, 1), repeat=3):
            other = self.near[numbers, 13 + 9 * dx + 3 * dy + dz].long()
            held = other >= 0
            part = field[other.clamp(min=0)][:, _first(dx), :, :][:, :, _first(dy), :]
            part = part[..., _first(dz)]
            part = torch.where(held[:, None, None, None], part, none) if dx | dy | dz else part
            out[:, _last(dx), _last(dy), _last(dz)] = part
        return out

    def mixed_cells(self, field: Tensor) -> Tensor:
        """(M, 3) cells, by their first node, whose corners are held and differ in sign."""
        found = [self.at.new_zeros(0, 3)]
        side = torch.where(field < 0, 1, 2).to(torch.uint8)
        for part in torch.arange(len(self), device=self.at.device).split(_AT_ONCE):
            sides = self.around(side, part, 0)
            both = sides[:, :SIDE, :SIDE, :SIDE]
            all_held = both > 0
            for dx, dy, dz in product((0, 1), repeat=3):
                one = sides[:, dx : dx + SIDE, dy : dy + SIDE, dz : dz + SIDE]
                both = both | one
                all_held = all_held & (one > 0)
            index = ((both == 3) & all_held).nonzero()
            found.append(self.at[part[index[:, 0]]] * SIDE + index[:, 1:])
        return torch.cat(found)

    def rim(self) -> Tensor:
        """(B, 8, 8, 8) bool: nodes next to one, also across an edge or a corner, of no brick."""
        out = torch.zeros(len(self), SIDE, SIDE, SIDE, dtype=torch.bool, device=self.at.device)
        for k, (dx, dy, dz) in enumerate(product((-1, 0, 1), repeat=3)):
            rows = (self.near[:, k] < 0).nonzero()[:, 0]
            if len(rows):
                part = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.bool, device=out.device)
                part[_facing(dx), _facing(dy), _facing(dz)] = True
                out[rows] |= part
        return out


def bricks_along(nodes: int) -> int:
    """How many bricks hold so many nodes along an axis."""
    return -(-nodes // SIDE)


def mark(wanted: Tensor, nodes: Tensor, count: int, reach: int) -> None:
    """Marks in (S, S, S) bool the bricks of the nodes up to `reach` around cubes of nodes.

    Args:
        nodes: (M, 3) first node of each cube.
        count: its cells along each axis; with `reach` on both sides at most 8.
    """
    assert count + 2 * reach <= SIDE  # so that two bricks along each axis are all
    most = wanted.shape[0]
    for shift in product((-reach, count + reach), repeat=3):
        brick = ((nodes + torch.tensor(shift, device=nodes.device)) >> 3).clamp(0, most - 1)
        wanted.view(-1)[(brick[:, 0] * most + brick[:, 1]) * most + brick[:, 2]] = True


def laplacian_reference(field: Tensor, near: Tensor) -> Tensor:
    """Torch reference of `laplacian`."""
    out = 6 * field
    for axis, (before, after) in enumerate(((4, 22), (10, 16), (12, 14))):
        d = axis + 1
        out.narrow(d, 1, SIDE - 1).sub_(field.narrow(d, 0, SIDE - 1))
        out.narrow(d, 0, SIDE - 1).sub_(field.narrow(d, 1, SIDE - 1))
        for k, own, theirs in ((before, 0, SIDE - 1), (after, SIDE - 1, 0)):
            rows = (near[:, k] >= 0).nonzero()[:, 0]
            values = field.select(d, theirs)[near[rows, k].long()]
            out.select(d, own).index_add_(0, rows, values, alpha=-1)
    return out


def laplacian(field: Tensor, near: Tensor) -> Tensor:
    """Six times each value less those of the six nodes next to it, 0 for those of no brick.

    Args:
        field: (B, 8, 8, 8).
        near: (B, 27) int32, see `Bricks`.
    """
    if use_native(field):
        return torch.ops.meshlearn.brick_laplacian(field, near)
    return laplacian_reference(field, near)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::brick_laplacian")
    def _(field: Tensor, near: Tensor) -> Tensor:
        return torch.empty_like(field)


def _first(shift: int) -> slice:
    return slice(0, 1) if shift else slice(0, SIDE)


def _last(shift: int) -> slice:
    return slice(SIDE, SIDE + 1) if shift else slice(0, SIDE)


def _facing(shift: int) -> slice:
    return (slice(0, SIDE), slice(SIDE - 1, SIDE), slice(0, 1))[shift]
