"""Tessellations of the heart: its surfaces over (row, column), joined and closed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from meshlearn.heart.model.constants import LID_RINGS, RV_SHARE
from meshlearn.heart.model.primitive import SHEETS, Primitive


def _quads(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Triangles of quads a b c d, counter-clockwise, cut so that mirrored halves match."""
    a, b, c, d = (x.reshape(-1) for x in (a, b, c, d))
    return torch.cat([torch.stack([a, b, c], 1), torch.stack([a, c, d], 1)])


def _grid(index: Tensor, wrap: bool = False) -> Tensor:
    """Faces of a grid of vertex indices (R, C), outward for columns that run counter-clockwise
    around an axis along the rows."""
    if wrap:
        index = torch.cat([index, index[:, :1]], 1)
    return _quads(index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])


@dataclass(frozen=True)
class Tessellation:
    """Which points of which sheets are vertices, and the faces over them.

    Attributes:
        rows, columns: how many; a share of the columns lies on the RV.
        sheet, row, column: (K,) where each vertex but those of the lids lies.
        ptr: name -> where its vertices begin in the packed array.
        faces: name -> (F, 3) int64 in packed numbering: "lv", "septum", "free", "epi" (open),
            "lv_lid", "rv_lid", "epi_lid", "wall", "base" (the rims of the muscle).
        lines: name -> indices of vertices along a line: "insertion_back", "insertion_front", and
            the rims "lv_rim" and "rv_rim" (closed); "rv_floor", the RV's lower edge.
        rims: name -> the last row of a sheet.
        num_vertices: of all sheets and lids.
    """

    rows: int
    columns: int
    sheet: Tensor
    row: Tensor
    column: Tensor
    ptr: dict[str, int]
    faces: dict[str, Tensor]
    lines: dict[str, Tensor]
    rims: dict[str, Tensor]
    num_vertices: int


@lru_cache(maxsize=16)
def tessellation(
    rows: int = 16, columns: int = 40, *, dtype: torch.dtype = torch.float32
) -> Tessellation:
    """The tessellation of that many rows and columns (at least 4 and 10)."""
    if rows < 4 or columns < 10:
        raise ValueError(f"rows, columns: expected at least 4 and 10, got {rows} and {columns}")
    on_rv = round(columns * RV_SHARE)
    around = torch.cat(
        [
            torch.arange(on_rv, dtype=torch.float64) / on_rv * RV_SHARE,
            RV_SHARE
            + (1 - RV_SHARE)
            * torch.arange(columns - on_rv, dtype=torch.float64)
            / (columns - on_rv),
        ]
    )
    up = torch.arange(1, rows + 1, dtype=torch.float64) / rows
    sheets, ptr, faces, lines, rims = {}, {}, {}, {}, {}
    at = 0
    for name in ("lv", "epi", "wall"):
        ptr[name] = at
        row = torch.cat([torch.zeros(1, dtype=torch.float64), up.repeat_interleave(columns)])
        column = torch.cat([torch.zeros(1, dtype=torch.float64), around.repeat(rows)])
        sheets[name] = (row, column)
        body = at + 1 + torch.arange(rows * columns).reshape(rows, columns)
        apex = torch.stack([torch.full((columns,), at), body[0].roll(-1), body[0]], 1)
        faces[name] = torch.cat([apex, _grid(body, wrap=True)])
        rims[name] = body[-1]
        if name == "wall":
            lines["insertion_back"], lines["insertion_front"] = body[:, 0], body[:, on_rv]
        at += 1 + rows * columns
    # the RV: all of the septum, and of the free wall what is not on its edges
    height = torch.arange(rows + 1, dtype=torch.float64) / rows
    across = torch.arange(on_rv + 1, dtype=torch.float64) / on_rv
    ptr["septum"] = at
    sheets["septum"] = (height.repeat_interleave(on_rv + 1), across.repeat(rows + 1))
    septum = at + torch.arange((rows + 1) * (on_rv + 1)).reshape(rows + 1, on_rv + 1)
    at += septum.numel()
    ptr["free"] = at
    sheets["free"] = (height[1:].repeat_interleave(on_rv - 1), across[1:-1].repeat(rows))
    inner = at + torch.arange(rows * (on_rv - 1)).reshape(rows, on_rv - 1)
    at += inner.numel()
    free = torch.cat([septum[1:, :1], inner, septum[1:, -1:]], 1)
    free = torch.cat([septum[:1], free])
    # diagonals that end on the free wall, or a corner's triangle would be one of the septum too
    half = on_rv // 2
    right = free[:, half:]
    other = _quads(right[:-1, 1:], right[1:, 1:], right[1:, :-1], right[:-1, :-1])
    faces["septum"] = _grid(septum).flip(1)
    faces["free"] = torch.cat([_grid(free[:, : half + 1]), other])
    rims["septum"], rims["free"] = septum[-1], free[-1]
    lines["lv_rim"] = torch.cat([rims["lv"], rims["lv"][:1]])
    lines["rv_floor"] = septum[0]
    lines["rv_rim"] = torch.cat([septum[-1], free[-1].flip(0)])
    # lids: of the LV rings about a centre, of the RV strips between its walls
    ptr["lv_lid"] = at
    rings = at + 1 + torch.arange((LID_RINGS - 1) * columns).reshape(LID_RINGS - 1, columns)
    body = torch.cat([rims["lv"][None], rings.flip(0)])  # rim first, then inward
    hub = torch.stack([body[-1], body[-1].roll(-1), torch.full((columns,), at)], 1)
    faces["lv_lid"] = torch.cat([_grid(body, wrap=True), hub])
    at += 1 + rings.numel()
    ptr["rv_lid"] = at
    strips = at + torch.arange((LID_RINGS - 1) * (on_rv - 1)).reshape(LID_RINGS - 1, on_rv - 1)
    middle = torch.cat([free[-1][None, 1:-1], strips, septum[-1][None, 1:-1]])
    ends = [septum[-1, 0], septum[-1, -1]]
    lid = [_grid(middle)]
    n = len(middle) - 1
    first, last = middle[:, 0], middle[:, -1]
    lid.append(torch.stack([ends[0].expand(n), first[:-1], first[1:]], 1))
    lid.append(torch.stack([ends[1].expand(n), last[1:], last[:-1]], 1))
    faces["rv_lid"] = torch.cat(lid)
    at += strips.numel()
    # the base of the muscle: from the epicardium to the RV and the LV
    e, w, f, s = rims["epi"], rims["lv"], rims["free"], rims["septum"]
    lv_side = torch.arange(on_rv, columns)
    after = (lv_side + 1) % columns
    base = [_quads(e[lv_side], e[after], w[after], w[lv_side])]
    k = torch.arange(on_rv)
    e_next, w_next = e[(k + 1) % columns], w[(k + 1) % columns]
    base.append(_quads(e[k], e_next, f[k + 1], f[k]))
    base.append(_quads(s[k], s[k + 1], w_next, w[k]))
    # at the insertions the rims of the RV end beside the columns of both: two triangles close
    base.append(torch.stack([e[0], s[0], w[0]])[None])
    base.append(torch.stack([s[-1], e[on_rv], w[on_rv]])[None])
    faces["base"] = torch.cat(base)
    wall = rims["wall"]
    faces["wall_base"] = _quads(wall, wall.roll(-1), w.roll(-1), w)
    order = sorted(sheets, key=ptr.__getitem__)
    kind = [torch.full((len(sheets[n][0]),), SHEETS.index(n)) for n in order]
    row, column = (torch.cat([sheets[n][i] for n in order]).to(dtype) for i in (0, 1))
    return Tessellation(rows, columns, torch.cat(kind), row, column, ptr, faces, lines, rims, at)


def primitive_vertices(heart: Primitive, tess: Tessellation) -> Tensor:
    """All vertices (B, V, 3) of a tessellation, before any flow (H2 to H6)."""
    like = heart.length
    row, column = tess.row.to(like)[None], tess.column.to(like)[None]
    so_far = heart.at(tess.sheet.to(like.device), row, column)
    dome = heart.p["lid"]
    up = torch.zeros(3, dtype=like.dtype, device=like.device)
    up[2] = 1
    rim = so_far[:, tess.rims["lv"]]  # (B, C, 3)
    centre = rim.mean(1, keepdim=True)
    lid = [centre + dome[:, :1, None] * up]
    for ring in range(1, LID_RINGS):
        share = ring / LID_RINGS
        lid.append(centre + share * (rim - centre) + dome[:, :1, None] * (1 - share**2) * up)
    septum, free = so_far[:, tess.rims["septum"][1:-1]], so_far[:, tess.rims["free"][1:-1]]
    for strip in range(1, LID_RINGS):
        share = strip / LID_RINGS
        bow = dome[:, 1:, None] * 4 * share * (1 - share)
        lid.append(free + share * (septum - free) + bow * up)
    return torch.cat([so_far, *lid], 1)
