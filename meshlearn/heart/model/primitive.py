"""The bi-ventricular primitive: one chart of the solid heart, and the surfaces in it.

The chart takes a height t (apex 0, base of the LV 1), an angle v about the long axis (0 towards the
RV, positive to the front) and a depth ρ outward from the LV cavity to a point. Rays of growing ρ
diverge, so the surfaces, which are ρ(t, v) = 0 (LV cavity) ≤ w (LV wall, and the septum of the RV)
≤ w + b (free wall of the RV) ≤ w + b + w_RV (epicardium), cannot cross: the wall is positive by
construction, and both ventricles meet in the one septum. Source: Terzopoulos and Metaxas, Dynamic
3D models with local and global deformations (1991); Park, Metaxas and Axel (1996).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.heart.model.constants import (
    BULGE_APEX,
    BULGE_EDGE,
    BULGE_LOG,
    COVER_BELOW,
    COVER_BESIDE,
    EPI_BESIDE,
    FAN,
    INSERTION,
    POWER,
    POWER_FLOOR,
    RV_APEX_LEAST,
    RV_HEIGHT_LEAST,
    RV_POWER,
    RV_SHARE,
    TOP,
    U_BASE,
    WALL_LOG,
)
from meshlearn.heart.model.parameters import named, spline, spline_basis

SHEETS = ("lv", "wall", "septum", "free", "epi")  # ascending depth
LV, WALL, SEPTUM, FREE, EPI = range(5)


def _power(x: Tensor, exponent: Tensor) -> Tensor:
    """sgn(x)|x|^e with a bounded gradient at 0, the powers in (H2)."""
    return x * (x * x + POWER_FLOOR) ** ((exponent - 1) / 2)


def _smooth(x: Tensor) -> Tensor:
    """1 at x ≤ 0 down to 0 at x ≥ 1, without a kink."""
    x = x.clamp(0, 1)
    return 1 - x * x * (3 - 2 * x)


def _waves(angle: Tensor) -> Tensor:
    """Harmonics 1, cos, sin, cos 2, sin 2 of angles (...), (..., 5)."""
    parts = [torch.cos(angle), torch.sin(angle), torch.cos(2 * angle), torch.sin(2 * angle)]
    return torch.stack([torch.ones_like(angle), *parts], -1)


def angle_from_apex(t: Tensor) -> Tensor:
    """u in radians at heights t: -π/2 at the apex, `U_BASE` at the average base."""
    return t * (math.pi / 2 + U_BASE) - math.pi / 2


class _Splines:
    """Parameter functions at heights t (B, K): each family of knots has its basis once."""

    def __init__(self, p: dict[str, Tensor], t: Tensor) -> None:
        self.p, self.t = p, t
        self.bases: dict[int, Tensor] = {}

    def __call__(self, name: str) -> Tensor:
        coefficients = self.p[name]
        n = coefficients.shape[1]
        if n not in self.bases:
            self.bases[n] = spline_basis(self.t, n)
        flat = coefficients.reshape(*coefficients.shape[:2], -1)
        return (self.bases[n] @ flat).reshape(*self.t.shape, *coefficients.shape[2:])


class Primitive:
    """Surfaces of the heart of θ (B, N), in its own frame: mm, z along the LV from apex to base
    with 0 in its middle, x towards the RV, y to the front.

    Example:
        >>> rows, columns = torch.rand(1, 100), torch.rand(1, 100)
        >>> Primitive(theta).sheet("epi", rows, columns)      # (B, 100, 3)
    """

    def __init__(self, theta: Tensor) -> None:
        p = self.p = named(theta)
        for name in ("bend_x", "bend_y"):
            p[name] = p[name] - p[name].mean(1, keepdim=True)
        base = spline(p["twist"], torch.ones_like(theta[:, :1]))
        p["twist"] = p["twist"] - base
        self.length = p["length"].exp()[:, None]
        self.power = POWER[0] + POWER[1] * torch.tanh(p["power"])[:, None]
        self.rv_power = RV_POWER[0] + RV_POWER[1] * torch.tanh(p["rv_power"])[:, None]
        self.fan = FAN[0] + FAN[1] * torch.tanh(p["fan"])[:, None]

    # --- the chart ------------------------------------------------------------------------------

    def chart(self, t: Tensor, v: Tensor, depth: Tensor) -> Tensor:
        """Points (B, K, 3) at height t, angle v and depth, (B, K) each."""
        return self._chart(_Splines(self.p, t), v, depth)

    def _chart(self, at: _Splines, v: Tensor, depth: Tensor) -> Tensor:
        # (H2): the superquadric with radii that are functions of t
        u = angle_from_apex(at.t)
        waves = torch.stack([torch.sin(2 * v), torch.cos(3 * v), torch.sin(3 * v)], -1)
        mod = (at("mod") * waves).sum(-1)
        around = torch.cos(u).clamp(min=0)
        x = (at("r1") + mod).exp() * around * _power(torch.cos(v), self.power)
        y = (at("r2") + mod).exp() * around * _power(torch.sin(v), self.power)
        z = self.length * ((1 + torch.sin(u)) / (1 + math.sin(U_BASE)) - 0.5)
        # (H4): along the ray outward from it
        back, front = self._insertions(at)
        turn = v + self.fan * torch.sin(v - (back + front) / 2)
        down = -math.pi / 2 * (1 - at.t.clamp(max=1)) ** 2
        out = depth * torch.cos(down)
        x = x + out * torch.cos(turn)
        y = y + out * torch.sin(turn)
        z = z + depth * torch.sin(down)
        # (H3): twist and bending of the axis
        c, s = torch.cos(at("twist")), torch.sin(at("twist"))
        return torch.stack([c * x - s * y + at("bend_x"), s * x + c * y + at("bend_y"), z], -1)

    def insertions(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Angles v of the inferior and the anterior insertion of the RV at heights t (B, K)."""
        return self._insertions(_Splines(self.p, t))

    def _insertions(self, at: _Splines) -> tuple[Tensor, Tensor]:
        return -at("back").clamp(*INSERTION), at("front").clamp(*INSERTION)

    # --- depths ---------------------------------------------------------------------------------

    def thickness(self, t: Tensor, v: Tensor) -> Tensor:
        """The LV wall w (B, K) along the rays, mm; positive (H5)."""
        return self._thickness(_Splines(self.p, t), v)

    def _thickness(self, at: _Splines, v: Tensor) -> Tensor:
        return (at("wall") * _waves(v)).sum(-1).clamp(*WALL_LOG).exp()

    def _rv_rows(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Heights t of the RV's lower and upper edge at s (B, K) in [0, 1], back to front."""
        apex, top = self.p["rv_apex"], self.p["rv_top"]
        low = apex[:, :1].clamp(min=RV_APEX_LEAST) + apex[:, 1:].clamp(min=0) * (2 * s - 1) ** 2
        waves = torch.stack([torch.cos(k * math.pi * s) for k in range(top.shape[1])], -1)
        high = (waves @ top[..., None]).squeeze(-1)
        return low, torch.maximum(high.clamp(max=TOP[1]), low + RV_HEIGHT_LEAST)

    def _bulge(self, row: Tensor, s: Tensor) -> Tensor:
        """Depth b of the RV cavity (B, K) at its own height row in [0, 1]; 0 on its edges."""
        waves = torch.stack([torch.cos(k * math.pi * s) for k in (1, 2, 3)], -1)
        skew = (spline(self.p["skew"], row, 1.0) * waves).sum(-1)
        across = torch.sin(math.pi * s).clamp(min=0) ** 2
        power = self.rv_power / 2
        across = (across + BULGE_EDGE) ** power - BULGE_EDGE**power
        along = (row * (2 - row) + BULGE_APEX).sqrt() - BULGE_APEX**0.5
        return (spline(self.p["bulge"], row, 1.0) + skew).clamp(*BULGE_LOG).exp() * across * along

    def _depth(self, sheet: Tensor, at: _Splines, v: Tensor, s: Tensor, ins) -> Tensor:
        """Depth ρ (B, K) of the sheets (K,) at heights, angles and places s across the RV
        (H5, H6)."""
        low, high = self._rv_rows(s)
        row = ((at.t - low) / (high - low)).clamp(0, 1)
        beside = torch.minimum(v - ins[1], ins[0] + 2 * math.pi - v)
        cover = _smooth(beside / COVER_BESIDE) * _smooth((low - at.t) / COVER_BELOW)
        wall = self.p["rv_wall"]
        wall = (wall[:, :1] + wall[:, 1:] * (row - 0.5)).exp() * cover
        depth = torch.where(sheet >= WALL, self._thickness(at, v), 0.0)
        depth = depth + torch.where(sheet >= FREE, self._bulge(row, s), 0.0)
        return depth + torch.where(sheet == EPI, wall, 0.0)

    # --- surfaces -------------------------------------------------------------------------------

    def coordinates(
        self, sheet: Tensor, row: Tensor, column: Tensor
    ) -> tuple[_Splines, Tensor, Tensor]:
        """Splines at the heights t, angles v and depths (B, K) of points of sheets, see `at`."""
        on_rv = (sheet == SEPTUM) | (sheet == FREE)
        s = torch.where(on_rv, column, (column / RV_SHARE).clamp(0, 1))
        low, high = self._rv_rows(s)
        top = (_waves(2 * math.pi * column) @ self.p["top"][..., None]).squeeze(-1)
        beside = torch.minimum(column - RV_SHARE, 1 - column) * 2 * math.pi
        near = torch.where(
            sheet == EPI, _smooth(beside / EPI_BESIDE), 0.0
        )  # up to the RV's base there
        top = (top + near * (high - top)).clamp(*TOP)
        t = torch.where(on_rv, low + row * (high - low), row * top)
        at = _Splines(self.p, t)
        ins = back, front = self._insertions(at)
        rest = ((column - RV_SHARE) / (1 - RV_SHARE)).clamp(min=0)
        v = back + s * (front - back)
        v = v + torch.where(on_rv, 0.0, rest * (2 * math.pi + back - front))
        return at, v, self._depth(sheet, at, v, s, ins)

    def at(self, sheet: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Points (B, K, 3) at (row, column) (B, K) of sheets (K,), indices into `SHEETS`."""
        return self._chart(*self.coordinates(sheet, row, column))

    def sheet(self, sheet: str, row: Tensor, column: Tensor) -> Tensor:
        """Points (B, K, 3) of a surface.

        Args:
            sheet: "lv" the LV cavity, "wall" its outer surface all around, "septum" and "free" the
                two walls of the RV cavity, "epi" the epicardium of both ventricles.
            row: (B, K) in [0, 1], apex to base of that surface (of the RV for its walls).
            column: (B, K) in [0, 1]: around from the inferior insertion of the RV over the septum
                to the anterior one (`RV_SHARE` of a turn) and back over the free wall of the LV;
                for "septum" and "free" from the inferior to the anterior insertion.
        """
        if sheet not in SHEETS:
            raise ValueError(f"sheet: expected one of {', '.join(SHEETS)}, got {sheet!r}")
        kind = torch.full(row.shape[-1:], SHEETS.index(sheet), device=row.device)
        return self.at(kind, row, column)
