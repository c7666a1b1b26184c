"""Dense tessellations quickly: a fitted heart as grids of points, and cubics between them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from meshlearn.heart.model.constants import LID_RINGS
from meshlearn.heart.model.heart_model import HeartModel
from meshlearn.heart.model.primitive import SHEETS
from meshlearn.heart.model.tessellation import Tessellation

WRAP = 3  # columns on either side of a sheet that goes around


class Tessellator:
    """Answers for one heart at any density; build once, ask often.

    The heart is evaluated on a tessellation of `rows` and `columns`; others are interpolated in it
    by cubics. A snapshot: build it anew when the heart moves. Not differentiable.

    Args:
        model: the heart.
        rows, columns: of the tessellation that is evaluated; columns a multiple of five.

    Example:
        >>> fine = Tessellator(heart)
        >>> vertices = fine.vertices(tessellation(170, 180))      # (V, 3), 110,000 in some 20 ms
    """

    @torch.no_grad()
    def __init__(self, model: HeartModel, *, rows: int = 80, columns: int = 160) -> None:
        if columns % 5:
            raise ValueError(f"columns: expected a multiple of 5, got {columns}")
        self.columns = columns
        tess = model.tessellation(rows, columns)
        points = model.vertices(tess)[0]
        self.grids = {name: _padded(_grid(points, tess, name), name) for name in (*SHEETS, *LIDS)}

    @torch.no_grad()
    def vertices(self, tess: Tessellation) -> Tensor:
        """Vertices (V, 3) of a tessellation, in its order, in the patient's frame."""
        like = self.grids["lv"]
        made = like.new_empty(tess.num_vertices, 3)
        for index, name in enumerate(SHEETS):
            here = torch.nonzero(tess.sheet == index)[:, 0]
            made[here] = self._sample(name, tess.row[here], tess.column[here])
        on_rv = len(tess.rims["septum"]) - 1
        ring = torch.arange(LID_RINGS, dtype=like.dtype) / LID_RINGS
        around = tess.column[tess.rims["epi"]].to(like)  # the same columns for all that go around
        row = torch.cat([ring[:1], ring[1:].repeat_interleave(tess.columns)])
        column = torch.cat([around[:1], around.repeat(LID_RINGS - 1)])
        first = tess.ptr["lv_lid"]
        made[first : first + len(row)] = self._sample("lv_lid", row, column)
        across = torch.arange(1, on_rv, dtype=like.dtype) / on_rv
        row = ring[1:].repeat_interleave(on_rv - 1)
        made[tess.ptr["rv_lid"] :] = self._sample("rv_lid", row, across.repeat(LID_RINGS - 1))
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


def _grid(points: Tensor, tess: Tessellation, name: str) -> Tensor:
    """Points of a sheet or lid (V, 3) as a grid over its rows and columns (R, C, 3)."""
    rows, columns = tess.rows, tess.columns
    if name in ("lv", "wall", "epi"):
        at = tess.ptr[name]
        body = points[at + 1 : at + 1 + rows * columns].reshape(rows, columns, 3)
        return torch.cat([points[at].expand(1, columns, 3), body])
    if name == "lv_lid":
        at = tess.ptr[name]
        rings = points[at + 1 : at + 1 + (LID_RINGS - 1) * columns]
        rings = rings.reshape(LID_RINGS - 1, columns, 3)
        rim = points[tess.rims["lv"]][None]
        return torch.cat([points[at].expand(1, columns, 3), rings, rim])
    on_rv = len(tess.rims["septum"]) - 1
    septum = points[tess.ptr["septum"] : tess.ptr["free"]].reshape(rows + 1, on_rv + 1, 3)
    if name == "septum":
        return septum
    at = tess.ptr["free"]
    inner = points[at : at + rows * (on_rv - 1)].reshape(rows, on_rv - 1, 3)
    free = torch.cat([septum[1:, :1], inner, septum[1:, -1:]], 1)
    if name == "free":
        return torch.cat([septum[:1], free])
    strips = points[tess.ptr["rv_lid"] :].reshape(LID_RINGS - 1, on_rv - 1, 3)
    sides = septum[-1][None].expand(LID_RINGS - 1, -1, 3)
    strips = torch.cat([sides[:, :1], strips, sides[:, -1:]], 1)
    return torch.cat([free[-1:], strips, septum[-1:]])
