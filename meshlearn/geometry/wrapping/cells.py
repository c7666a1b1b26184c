"""Cells around a surface: which of them a ball reaches from outside, and their boundary.

Three operators on grids (X, Y, Z) uint8, compiled for the CPU (`csrc/kernels/wrap.h`) and for CUDA
(`wrap_lines.h`: floods go line by line until nothing changes, with the same results), and in torch:

1. `cells_inside`: cells that no ball reaches, by the code of the distance of each cell's centre.
2. `mend_cells`: more of them, until their boundary passes each corner in one sheet; sequential by
   nature, since which cell is filled depends on those before, so on the CPU only.
3. `cell_surface`: that boundary, as corners and squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d, pad

from meshlearn._native import HAS_NATIVE, use_native

NEAR, BAND, FREE = range(3)  # codes of a cell, see csrc/kernels/wrap.h
BLOCK = 8  # cells along the blocks of which whole ones are decided by one distance
SLACK = math.sqrt(3) / 2  # cells from a centre to a corner


class Distance(Protocol):
    """Points (P, 3) -> distances (P,) to what is wrapped."""

    def __call__(self, points: Tensor, /) -> Tensor: ...


def codes(
    distance: Distance,
    low: Tensor,
    cell: float,
    size: list[int],
    bounds: Tensor,
    *,
    reach: float | None = None,
) -> Tensor:
    """Codes of cells: how many of `bounds` (ascending) the distance of a centre is above.

    Blocks of cells whose distances cannot differ in that are decided at once, so the work is that
    of the cells near a bound.

    Args:
        low: (3,) lowest corner of the grid, in the dtype that `distance` takes.
        cell: width of a cell.
        size: cells along each axis, multiples of `BLOCK`.
        reach: of `cells_inside`, if only what it opens from the border is asked for: other cells
            may then be NEAR without having been looked at.
    """
    last = len(bounds)
    out = torch.full(size, last, dtype=torch.uint8)
    width = BLOCK
    place = torch.cartesian_prod(*(torch.arange(n // width) for n in size)).reshape(-1, 3)
    halves = torch.cartesian_prod(*(torch.arange(2),) * 3)
    while True:
        centre = low + (place.to(low.dtype) + 0.5) * (cell * width)
        found = distance(centre)
        if width == 1:
            code = torch.bucketize(found, bounds)
            out[place[:, 0], place[:, 1], place[:, 2]] = code.to(torch.uint8)
            return out
        # a distance changes by no more than the way between two points
        way = SLACK * (width - 1) * cell * 1.0001
        least, most = torch.bucketize(found - way, bounds), torch.bucketize(found + way, bounds)
        same = least == most
        _fill(out, width, place[same & (least < last)], least[same & (least < last)])
        open_ = ~same
        if width == 2 and reach is not None:
            coarse = out[::2, ::2, ::2].clamp(max=FREE)
            coarse[tuple(place.T)] = most.clamp(max=FREE).to(torch.uint8)
            coarse.clamp_(min=BAND)
            # centres of two cells are further apart than those of their blocks by 2 SLACK at most
            shut = cells_inside(coarse, (reach + 2 * SLACK) / 2)[tuple(place.T)] > 0
            _fill(out, width, place[open_ & shut], torch.zeros_like(least[open_ & shut]))
            open_ &= ~shut
        place = (place[open_][:, None] * 2 + halves).reshape(-1, 3)
        width //= 2


def _fill(cells: Tensor, width: int, place: Tensor, code: Tensor) -> None:
    """Sets blocks of cells, `place` (N, 3) in blocks, to codes (N,)."""
    blocks = cells.view(*(n for axis in cells.shape for n in (axis // width, width)))
    i, j, k = place.unbind(1)
    blocks[i, :, j, :, k, :] = code.to(torch.uint8)[:, None, None, None].expand(-1, *(width,) * 3)


_HALVINGS = 2  # of a cell in which a ball's centre may be, until it is decided


def settle(code: Tensor, distance: Distance, low: Tensor, cell: float, least: float) -> Tensor:
    """Codes with a decision on cells whose middle is no centre of a ball, but another place may be.

    Only cells that lead on are looked at, in passages and holes as wide as the ball and at ends of
    them: elsewhere a place of the next cell is as good.

    Args:
        code: (X, Y, Z) uint8 by `codes`, where the bound before FREE is the least distance in the
            middle of a cell with a centre in it: so FREE is "perhaps", FREE + 1 a centre, and so
            on. Overwritten.
        least: distance of the centre of a ball.

    Returns:
        Codes for `cells_inside`.
    """
    perhaps = code == FREE
    reached = cells_inside((code > FREE).byte() * FREE, 0.0) == 0
    further = cells_inside((code >= FREE).byte() * FREE, 0.0) == 0
    ends = further & perhaps & ~_around(reached, edges=False)
    further &= ~_around(reached)
    if further.any():
        ends |= _around(_around(further)) & perhaps
    place = ends.nonzero()
    code.sub_((code >= FREE).byte())
    if len(place):
        held = _reaches(distance, low + (place.to(low.dtype) + 0.5) * cell, cell, least)
        code[tuple(place[held].T)] = FREE
    return code


def _reaches(distance: Distance, middle: Tensor, cell: float, least: float) -> Tensor:
    """(P,) bool: cells about `middle` (P, 3) that have a place further than `least`, nearly."""
    found = torch.zeros(len(middle), dtype=torch.bool)
    halves = torch.cartesian_prod(*(torch.tensor([-0.5, 0.5], dtype=middle.dtype),) * 3)
    owner, width = torch.arange(len(middle)), cell
    for _ in range(_HALVINGS):
        width /= 2
        middle = (middle[:, None] + width * halves).reshape(-1, 3)
        owner = owner.repeat_interleave(8)
        away = distance(middle)
        found[owner[away > least]] = True
        open_ = (away > least - SLACK * width) & ~found[owner]
        middle, owner = middle[open_], owner[open_]
    return found


def _around(mask: Tensor, *, edges: bool = True) -> Tensor:
    """A mask (X, Y, Z) with the 26 neighbours of its cells, or without `edges` with the 6."""
    out = mask.clone()
    for axis in range(3):
        count, given = mask.shape[axis] - 1, out.clone() if edges else mask
        out.narrow(axis, 1, count).logical_or_(given.narrow(axis, 0, count))
        out.narrow(axis, 0, count).logical_or_(given.narrow(axis, 1, count))
    return out


def cells_inside(
    code: Tensor, reach: float, *, wide: Sequence[float] = (), cavities: bool = False
) -> Tensor:
    """Cells (X, Y, Z) uint8, 1 where no ball comes.

    Args:
        code: (X, Y, Z) uint8: NEAR is inside whatever is reached; a ball's centre may be in cells
            from FREE on and opens those within `reach` cells of it that are not NEAR. FREE + j is
            for cells where the j-th of some wider balls fits.
        wide: rooms of FREE + j + 1 that cells from FREE + j on do not join to the border, but
            those from FREE on do, are behind a hole: cells within wide[j - 1] of them are shut.
        cavities: balls start in all cells from FREE on, not only at the border.
    """
    if use_native(code):
        return torch.ops.meshlearn.wrap_cells(code, reach, list(wide), cavities)
    return cells_inside_reference(code, reach, wide=wide, cavities=cavities)


def mend_cells(inside: Tensor) -> Tensor:
    """`inside` with more cells filled, so that the boundary is a closed 2-manifold."""
    near = inside.cpu()
    made = torch.ops.meshlearn.wrap_mend(near) if HAS_NATIVE else mend_reference(near)
    return made.to(inside.device)


def cell_surface(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Corners (V, 3) int32 of the boundary of cells, and its squares (Q, 4), outward."""
    if use_native(inside):
        return torch.ops.meshlearn.wrap_surface(inside)
    return surface_reference(inside)


# --- in torch -----------------------------------------------------------------------------------


def _grown(seed: Tensor, within: Tensor) -> Tensor:
    """What is reached from `seed` through faces of cells, within a mask; both (X, Y, Z) bool."""
    reached = seed & within
    while True:
        now = reached.float()[None, None]
        spread = torch.stack(
            [
                max_pool3d(now, size, 1, [s // 2 for s in size])[0, 0]
                for size in ([3, 1, 1], [1, 3, 1], [1, 1, 3])
            ]
        )
        grown = (spread.amax(0) > 0) & within
        if torch.equal(grown, reached):
            return reached
        reached = grown


def _dilated(seed: Tensor, reach: float) -> Tensor:
    r = int(reach)
    out = torch.zeros_like(seed)
    steps = torch.cartesian_prod(*(torch.arange(-r, r + 1),) * 3)
    padded = pad(seed, (r,) * 6)
    for i, j, k in steps[(steps**2).sum(1) <= reach * reach].tolist():
        x, y, z = seed.shape
        out |= padded[r - i : r - i + x, r - j : r - j + y, r - k : r - k + z]
    return out


def cells_inside_reference(
    code: Tensor, reach: float, *, wide: Sequence[float] = (), cavities: bool = False
) -> Tensor:
    """Torch reference of the operator `wrap_cells`."""
    border = torch.ones_like(code, dtype=torch.bool)
    border[1:-1, 1:-1, 1:-1] = False
    free = code >= FREE
    reached = _grown(border, free)
    shut = torch.zeros_like(free)
    for own, width in enumerate(wide, FREE + 1):
        far = _grown(border, code >= own)
        room = _grown((code > own) & reached & ~far, code >= own)
        shut |= room | (_dilated(room, width) & (code > NEAR) & ~far)
    centre = _grown(border, free & ~shut)
    if cavities:
        centre = centre | (free & ~reached)
    opened = _dilated(centre, reach) & (code > NEAR) & ~shut
    return (~_grown(centre, centre | opened)).to(torch.uint8)


_CORNERS = [(b >> 2, b >> 1 & 1, b & 1) for b in range(8)]


def _joined(cells: set[int]) -> bool:
    seen: set[int] = set()
    stack = sorted(cells)[:1]
    while stack:
        b = stack.pop()
        if b not in seen:
            seen.add(b)
            stack += [b ^ step for step in (1, 2, 4) if b ^ step in cells]
    return seen == cells


@cache
def _mend_of(mask: int) -> int:
    """Bit of the cell to fill next among the 8 at a corner; -1 where one sheet passes there."""

    def good(mask: int) -> bool:
        filled = {b for b in range(8) if mask >> b & 1}
        return _joined(filled) and _joined(set(range(8)) - filled)

    if good(mask):
        return -1
    ways = [more for more in range(256) if not more & mask and good(mask | more)]
    best = min(ways, key=lambda more: (bin(more).count("1"), more))
    return (best & -best).bit_length() - 1


def mend_reference(inside: Tensor) -> Tensor:
    """Torch reference of the operator `wrap_mend`: the same cells in the same order."""
    cells = inside.tolist()
    size = inside.shape
    stack: list[tuple[int, int, int]] = []

    def visit(i: int, j: int, k: int) -> None:
        mask = sum(
            cells[i - 1 + a][j - 1 + b][k - 1 + c] << n for n, (a, b, c) in enumerate(_CORNERS)
        )
        bit = _mend_of(mask)
        if bit >= 0:
            a, b, c = _CORNERS[bit]
            cells[i - 1 + a][j - 1 + b][k - 1 + c] = 1
            stack.append((i - 1 + a, j - 1 + b, k - 1 + c))

    for i in range(1, size[0]):
        for j in range(1, size[1]):
            for k in range(1, size[2]):
                visit(i, j, k)
                while stack:
                    place = stack.pop()
                    for step in _CORNERS:
                        at = [p + s for p, s in zip(place, step, strict=True)]
                        if all(0 < p < n for p, n in zip(at, size, strict=True)):
                            visit(*at)
    return torch.tensor(cells, dtype=torch.uint8).reshape(size)


def surface_reference(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Torch reference of the operator `wrap_surface`: same corners, squares in another order."""
    padded = pad(inside.bool(), (1,) * 6)
    x, y, z = (n + 1 for n in inside.shape)
    around = torch.stack([padded[a : a + x, b : b + y, c : c + z] for a, b, c in _CORNERS])
    corner = (around.any(0) & ~around.all(0)).nonzero()
    where = inside.device
    number = torch.full((x, y, z), -1, device=where)
    number[corner[:, 0], corner[:, 1], corner[:, 2]] = torch.arange(len(corner), device=where)
    squares = []
    for axis in range(3):
        ahead, behind = (
            padded.narrow(axis, 1, padded.shape[axis] - 1),
            padded.narrow(axis, 0, padded.shape[axis] - 1),
        )
        face = (ahead != behind).nonzero()
        if not len(face):
            continue
        others = [d for d in range(3) if d != axis]
        base = face.clone()
        base[:, others] -= 1  # of the padded cells, whose own lowest corner is one lower
        u, v = torch.eye(3, dtype=torch.int64, device=where)[[(axis + 1) % 3, (axis + 2) % 3]]
        ring = torch.stack([base, base + u, base + u + v, base + v], 1)
        turned = ahead[face[:, 0], face[:, 1], face[:, 2]]
        named = number[ring[..., 0], ring[..., 1], ring[..., 2]]
        squares.append(torch.where(turned[:, None], named[:, [0, 3, 2, 1]], named))
    made = torch.cat(squares) if squares else corner.new_zeros(0, 4)
    return corner.to(torch.int32), made


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::wrap_cells")
    def _(code: Tensor, reach: float, wide: list[float], cavities: bool) -> Tensor:
        return torch.empty_like(code)

    @torch.library.register_fake("meshlearn::wrap_mend")
    def _(inside: Tensor) -> Tensor:
        return torch.empty_like(inside)

    @torch.library.register_fake("meshlearn::wrap_surface")
    def _(inside: Tensor) -> tuple[Tensor, Tensor]:
        context = torch.library.get_ctx()
        corners, squares = context.new_dynamic_size(), context.new_dynamic_size()
        return (
            inside.new_empty(corners, 3, dtype=torch.int32),
            inside.new_empty(squares, 4, dtype=torch.int64),
        )
