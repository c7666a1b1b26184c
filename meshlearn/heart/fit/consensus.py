"""Slices that moved between breath holds, found before any fit by what the other slices say.

Where a short-axis and a long-axis slice meet, in a line, both show the LV: the middles of what they
cut off of it agree along that line. The middles of neighbouring short-axis slices lie on a smooth
axis. Shifts d of the slices in their planes make both as true as possible:

    Σ ρ(u · (m_s + d_s - m_l - d_l); σ)  +  Σ ρ(|second difference of m_s + d_s|; σ)  +  Σ ρ(|d|; τ)

with Cauchy's ρ(r; σ) = log(1 + r² / σ²), under which few slices may lie far off, so that the many
decide which; minimised by reweighted least squares from a wide σ down (Blake and Zisserman, Visual
reconstruction, 1987), the middles taken anew at each step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.initial_pose import slice_axes
from meshlearn.heart.fit.settings import (
    AGREE,
    LEAST_FRAMES,
    LEAST_MOVED,
    LEAST_ON_SLICE,
    LEAST_SURE,
    LEAST_WITNESSES,
    MOST_MOVED,
    NEAR_PLANE,
    SPREAD_MIDDLE,
    SPREAD_SLICE,
    WIDE,
)

WALLS = ("lv_endo", "lv_epi")


@dataclass(frozen=True)
class SliceMove:
    """A slice that lies apart from the others.

    Attributes:
        number: of the slice.
        by: (3,) mm that put it where the others want it, in its plane.
        confidence: share in [0, 1] of what the others say of it that agrees once it is moved.
        witnesses: how many middles of others it was held against.
    """

    number: int
    by: Tensor
    confidence: float
    witnesses: int


def find_moves(contours: Contours) -> list[SliceMove]:
    """The slices that moved by `LEAST_MOVED` or more, against the others; none where fewer than
    three short-axis slices are seen."""
    numbers, axes = slice_axes(contours)
    sax = [
        i
        for i, n in enumerate(numbers)
        if n in contours.slices("sax") and _middle(contours, n) is not None
    ]
    lax = [i for i, n in enumerate(numbers) if n in contours.slices("lax")]
    if len(sax) < 3:
        return []
    shifts = torch.zeros(len(numbers), 2, dtype=torch.float64)
    for width in WIDE:
        rows, right = _constraints(contours, numbers, axes, shifts, sax, lax)
        for _ in range(8):
            shifts = _solve(rows, right, shifts, width)
    rows, right = _constraints(contours, numbers, axes, shifts, sax, lax)
    left = [(_residual(r, b, shifts), r) for r, b in zip(rows, right, strict=True)]
    found = []
    for i, number in enumerate(numbers):
        off = [float(e.norm()) for e, r in left if float(r[:, i].abs().sum()) > 0]
        if float(shifts[i].norm()) < LEAST_MOVED or len(off) < LEAST_WITNESSES:
            continue
        share = sum(e < AGREE for e in off) / len(off)
        found.append(SliceMove(number, axes[i] @ shifts[i], share, len(off)))
    return found


def moved(contours: Contours, by: dict[int, Tensor]) -> Contours:
    """Contours with some slices moved by (3,) mm."""
    points = contours.points.clone()
    for number, step in by.items():
        points[contours.slice == number] += step.to(points)
    return replace(contours, points=points)


def _middle(contours: Contours, number: int) -> Tensor | None:
    """Middle (3,) of the LV on a short-axis slice: of its cavity's points, each weighted by the
    length of contour that it stands for; None where too few are drawn."""
    points = contours.take(contours.slice == number).of("lv_endo").points
    if len(points) < LEAST_ON_SLICE:
        return None
    away = points - points.mean(0)
    flat = away @ torch.linalg.svd(away, full_matrices=False)[2][:2].T
    order = torch.atan2(flat[:, 1], flat[:, 0]).argsort()
    ring = points[order]
    length = (ring.roll(-1, 0) - ring.roll(1, 0)).norm(dim=1)
    return (ring * length[:, None]).sum(0) / length.sum().clamp(min=1e-9)


def _constraints(
    contours: Contours,
    numbers: list[int],
    axes: Tensor,
    shifts: Tensor,
    sax: list[int],
    lax: list[int],
) -> tuple[list[Tensor], list[Tensor]]:
    """Rows (K, S, 2) and right sides (K,): rows · shifts + right is what should vanish."""
    steps = {n: axes[i] @ shifts[i] for i, n in enumerate(numbers)}
    now = moved(contours, steps)
    rows: list[Tensor] = []
    right: list[Tensor] = []
    for s in sax:
        for k in lax:
            for label in WALLS:
                found = _meeting(now, numbers[s], numbers[k], label)
                if found is None:
                    continue
                line, gap = found
                row = torch.zeros(1, len(numbers), 2, dtype=torch.float64)
                row[0, s], row[0, k] = line @ axes[s], -(line @ axes[k])
                rows.append(row)
                right.append(torch.tensor([gap]).double() - (row * shifts).sum((1, 2)))
    middles = {s: m for s in sax if (m := _middle(now, numbers[s])) is not None}
    normal = torch.linalg.cross(axes[sax[0]][:, 0], axes[sax[0]][:, 1])
    order = sorted(middles, key=lambda s: float(middles[s] @ normal))
    for a, b, c in zip(order, order[1:], order[2:], strict=False):
        low, at, high = (float(middles[s] @ normal) for s in (a, b, c))
        if high - low < 1e-3:
            continue
        share = (at - low) / (high - low)
        apart = middles[b] - (1 - share) * middles[a] - share * middles[c]
        row = torch.zeros(2, len(numbers), 2, dtype=torch.float64)
        basis = axes[b].T
        row[:, b] = basis @ axes[b]
        row[:, a], row[:, c] = -(1 - share) * basis @ axes[a], -share * basis @ axes[c]
        rows.append(row)
        right.append(basis @ apart - (row * shifts).sum((1, 2)))
    return rows, right


def _meeting(contours: Contours, short: int, long: int, label: str) -> tuple[Tensor, float] | None:
    """Direction (3,) of the line in which two slices meet, and how far the middle of a wall on the
    first lies beyond that on the second along it; None where either is not cut on both sides."""
    parts = [contours.take(contours.slice == n) for n in (short, long)]
    planes = []
    for part in parts:
        middle = part.points.mean(0)
        planes.append((middle, torch.linalg.svd(part.points - middle, full_matrices=False)[2][2]))
    line = torch.linalg.cross(planes[0][1], planes[1][1])
    if float(line.norm()) < 0.3:
        return None
    line = line / line.norm()
    ends = []
    for part, (at, normal) in zip(parts, reversed(planes), strict=True):
        points = part.of(label).points
        points = points[((points - at) @ normal).abs() < NEAR_PLANE]
        if len(points) < 2:
            return None
        along = (points @ line).sort().values
        jump = along.diff()
        cut = int(jump.argmax())
        if float(jump[cut]) < 2 * NEAR_PLANE:
            return None
        ends.append((along[: cut + 1].mean() + along[cut + 1 :].mean()) / 2)
    return line, float(ends[0] - ends[1])


def _residual(row: Tensor, right: Tensor, shifts: Tensor) -> Tensor:
    return (row * shifts).sum((1, 2)) + right


def _solve(rows: list[Tensor], right: list[Tensor], shifts: Tensor, width: float) -> Tensor:
    """One step of reweighted least squares, of spreads that are `width` times the final ones."""
    size = shifts.numel()
    matrix = torch.zeros(size, size, dtype=torch.float64)
    vector = torch.zeros(size, dtype=torch.float64)
    spread = (width * SPREAD_MIDDLE) ** 2
    for row, b in zip(rows, right, strict=True):
        weight = 1 / (spread + float(_residual(row, b, shifts).square().sum()))
        flat = row.reshape(len(row), -1)
        matrix += weight * flat.T @ flat
        vector -= weight * flat.T @ b
    own = 1 / ((width * SPREAD_SLICE) ** 2 + shifts.square().sum(1, keepdim=True))
    matrix += torch.diag(own.expand(-1, 2).reshape(-1))
    return torch.linalg.solve(matrix, vector).reshape(-1, 2)


def settle_slices(frames: Sequence[Contours]) -> tuple[list[Contours], list[SliceMove]]:
    """Frames of one heart with the slices moved that lie apart from the others, in all frames alike
    as they are of one breath hold, and those left out that no move brings to agree.

    Returns:
        The frames, and the moves; those of slices that were left out have a confidence below
        `LEAST_SURE`.

    Raises:
        ValueError: more than `MOST_MOVED` of the short-axis slices lie apart.
    """
    seen: dict[int, list[SliceMove]] = {}
    drawn: Counter[int] = Counter()
    short: set[int] = set()
    for contours in frames:
        drawn.update(contours.slices())
        short.update(contours.slices("sax"))
        for move in find_moves(contours):
            seen.setdefault(move.number, []).append(move)
    moves = []
    for number, found in sorted(seen.items()):
        if len(found) >= LEAST_FRAMES * drawn[number]:
            by = torch.stack([m.by for m in found]).median(0).values
            sure = sum(m.confidence for m in found) / len(found)
            moves.append(SliceMove(number, by, sure, max(m.witnesses for m in found)))
    apart = [m for m in moves if m.number in short]
    if moves and len(apart) > MOST_MOVED * len(short):
        listed = ", ".join(f"{m.number} by {float(m.by.norm()):.0f} mm" for m in apart)
        raise ValueError(
            f"{frames[0].source}: the short-axis slices contradict each other, {len(apart)} of "
            f"{len(short)} lie apart from the rest ({listed}); check their positions"
        )
    steps = {m.number: m.by for m in moves if m.confidence >= LEAST_SURE}
    out = [m.number for m in moves if m.confidence < LEAST_SURE]
    return [moved(c, steps).without_slices(out) for c in frames], moves


def sentence(move: SliceMove) -> str:
    """What a reader is told of a slice that moved."""
    x, y, z = (f"{v:+.0f}" for v in move.by.tolist())
    off = f"slice {move.number} lies {float(move.by.norm()):.0f} mm from where the others want it"
    if move.confidence < LEAST_SURE:
        return f"{off}, and no move brings it to agree: it is left out"
    return (
        f"{off}; it is moved by ({x}, {y}, {z}) mm, as {move.confidence:.0%} of the "
        f"{move.witnesses} comparisons with them agree to"
    )
