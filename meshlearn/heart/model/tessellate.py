"""Dense tessellations quickly: a fitted heart as grids of points, and cubics between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from meshlearn.heart.model.lattice import LID_RINGS, Lattice, lattice
from meshlearn.heart.model.primitive import SHEETS

if TYPE_CHECKING:
    from meshlearn.heart.model.model import HeartModel

WRAP = 3  # columns on either side of a sheet that goes around


class Tessellator:
    """Answers for one heart at any density; build once, ask often.

    The heart is evaluated on a lattice of `rows` and `columns`; other lattices are interpolated in
    it by cubics. A snapshot: build it anew when the heart moves. Not differentiable.

    Args:
        model: the heart.
        rows, columns: of the lattice that is evaluated; columns a multiple of five.

    Example:
        >>> fine = Tessellator(heart)
        >>> vertices = fine.vertices(lattice(170, 180))      # (V, 3), 110,000 in some 20 ms
    """

    @torch.no_grad()
    def __init__(self, model: HeartModel, *, rows: int = 80, columns: int = 160) -> None:
        if columns % 5:
            raise ValueError(f"columns: expected a multiple of 5, got {columns}")
        self.columns = columns
        lat = model.lattice(rows, columns)
        points = model.vertices(lat)[0]
        self.grids = {name: _padded(_grid(points, lat, name), name) for name in (*SHEETS, *LIDS)}

    @torch.no_grad()
    def vertices(self, lat: Lattice) -> Tensor:
        """Vertices (V, 3) of a lattice, in its order, in the patient's frame."""
        like = self.grids["lv"]
        made = like.new_empty(lat.num_vertices, 3)
        for index, name in enumerate(SHEETS):
            here = torch.nonzero(lat.sheet == index)[:, 0]
            made[here] = self._sample(name, lat.row[here], lat.column[here])
        on_rv = len(lat.rims["septum"]) - 1
        ring = torch.arange(LID_RINGS, dtype=like.dtype) / LID_RINGS
        around = lat.column[lat.rims["epi"]].to(like)  # the same columns for all that go around
        row = torch.cat([ring[:1], ring[1:].repeat_interleave(lat.columns)])
        column = torch.cat([around[:1], around.repeat(LID_RINGS - 1)])
        first = lat.ptr["lv_lid"]
        made[first : first + len(row)] = self._sample("lv_lid", row, column)
        across = torch.arange(1, on_rv, dtype=like.dtype) / on_rv
        row = ring[1:].repeat_interleave(on_rv - 1)
        made[lat.ptr["rv_lid"] :] = self._sample("rv_lid", row, across.repeat(LID_RINGS - 1))
        return made

    def _sample(self, name: str, row: Tensor, column: Tensor) -> Tensor:
        grid = self.grids[name]  # (1, 3, R, C)
        across = column * 2 - 1
        if name in AROUND:
            across = 2 * (column * self.columns + WRAP) / (grid.shape[3] - 1) - 1
        at = torch.stack([across, row * 2 - 1], -1)[None, None].to(grid)
        found = grid_sample(grid, at, mode="bicubic", padding_mode="border", align_corners=True)
        return found[0, :, 0].T


AROUND = ("lv", "wall", "epi", "lv_lid")
LIDS = ("lv_lid", "rv_lid")


def _padded(grid: Tensor, name: str) -> Tensor:
    """(R, C, 3) as (1, 3, R, C), with columns of the other side where it goes around."""
    if name in AROUND:
        grid = torch.cat([grid[:, -WRAP:], grid, grid[:, : WRAP + 1]], 1)
    return grid.permute(2, 0, 1)[None].contiguous()


def _grid(points: Tensor, lat: Lattice, name: str) -> Tensor:
    """Points of a sheet or lid (V, 3) as a grid over its rows and columns (R, C, 3)."""
    rows, columns = lat.rows, lat.columns
    if name in ("lv", "wall", "epi"):
        at = lat.ptr[name]
        body = points[at + 1 : at + 1 + rows * columns].reshape(rows, columns, 3)
        return torch.cat([points[at].expand(1, columns, 3), body])
    if name == "lv_lid":
        at = lat.ptr[name]
        rings = points[at + 1 : at + 1 + (LID_RINGS - 1) * columns]
        rings = rings.reshape(LID_RINGS - 1, columns, 3)
        rim = points[lat.rims["lv"]][None]
        return torch.cat([points[at].expand(1, columns, 3), rings, rim])
    on_rv = len(lat.rims["septum"]) - 1
    septum = points[lat.ptr["septum"] : lat.ptr["free"]].reshape(rows + 1, on_rv + 1, 3)
    if name == "septum":
        return septum
    at = lat.ptr["free"]
    inner = points[at : at + rows * (on_rv - 1)].reshape(rows, on_rv - 1, 3)
    free = torch.cat([septum[1:, :1], inner, septum[1:, -1:]], 1)
    if name == "free":
        return torch.cat([septum[:1], free])
    strips = points[lat.ptr["rv_lid"] :].reshape(LID_RINGS - 1, on_rv - 1, 3)
    sides = septum[-1][None].expand(LID_RINGS - 1, -1, 3)
    strips = torch.cat([sides[:, :1], strips, sides[:, -1:]], 1)
    return torch.cat([free[-1:], strips, septum[-1:]])


def tessellate(model: HeartModel, rows: int, columns: int) -> Tensor:
    """Vertices (V, 3) of the lattice of so many rows and columns, by a `Tessellator`."""
    return Tessellator(model).vertices(lattice(rows, columns, dtype=model.theta.dtype))
