"""Virtual magnetic resonance: slices of a heart as a scanner and a reader would give them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.geometry import plane_section, polyline_section
from meshlearn.heart.data.contours import LABELS, VIEWS, Contours
from meshlearn.heart.learn.settings import (
    AIM,
    BESIDE,
    FIRST,
    LONG_AXES,
    OUTFLOW_FRONT,
    SEEN,
    TILT,
    TOP_GAP,
    Acquisition,
)
from meshlearn.heart.model import HeartModel, rotation
from meshlearn.mesh import Mesh


def _points(segments: Tensor, spacing: float, generator: torch.Generator | None) -> Tensor:
    """Points (P, 3) along segments, about one every `spacing`."""
    length = (segments[:, 1] - segments[:, 0]).norm(dim=1)
    total = float(length.sum())
    count = int(total / spacing)
    if count < 3:
        return segments.new_zeros(0, 3)
    where = (torch.arange(count) + torch.rand(1, generator=generator)) * (total / count)
    along = length.cumsum(0)
    index = torch.searchsorted(along, where.to(along)).clamp(max=len(length) - 1)
    before = along[index] - length[index]
    share = ((where.to(along) - before) / length[index].clamp(min=1e-9)).clamp(0, 1)
    return segments[index, 0] + share[:, None] * (segments[index, 1] - segments[index, 0])


@torch.no_grad()
def acquire(
    model: HeartModel,
    *,
    settings: Acquisition | None = None,
    generator: torch.Generator | None = None,
) -> Contours:
    """Contours of a heart on a short-axis stack and three to four long-axis slices.

    Slices shift in their plane, points carry noise, slices can be missing, as `settings` say. The
    contours lie in the frame of the model's pose.
    """
    s = settings or Acquisition()
    tess = model.tessellation(*SEEN)
    vertices = model.vertices(tess)[0]
    meshes = {
        "lv_endo": ["lv"],
        "rv_free": ["free"],
        "rv_septum": ["septum"],
        "epi": ["epi"],
    }
    surfaces = {n: Mesh(vertices, torch.cat([tess.faces[f] for f in m])) for n, m in meshes.items()}
    axes, zero = rotation(model.quaternion)[0].T, model.centre[0]  # rows: x, y, z of the heart

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    lv = vertices[tess.ptr["lv"] : tess.ptr["epi"]]
    height = (lv - zero) @ axes[2]
    gap = uniform(*s.gap)
    span, share = FIRST
    level = float(height.amin()) + uniform(*span) * gap * share
    planes = []
    tilt = axes[2] + TILT * torch.randn(3, generator=generator)
    tilt = tilt / tilt.norm()
    while level < float(height.amax()) - TOP_GAP * gap:
        planes.append(("sax", zero + level * axes[2], tilt))
        level += gap
    for degrees in LONG_AXES:
        turn = math.radians(degrees + uniform(-AIM, AIM))
        normal = -math.sin(turn) * axes[0] + math.cos(turn) * axes[1]
        origin = zero + uniform(-BESIDE, BESIDE) * normal
        if degrees == LONG_AXES[-1]:
            origin = origin + OUTFLOW_FRONT * axes[1]
        planes.append(("lax", origin, normal))
    lost = torch.rand(len(planes), generator=generator) < s.missing
    first_lax = len(planes) - len(LONG_AXES)
    lost[[first_lax, first_lax // 3, max(first_lax - 2, 0)]] = False
    parts: list[tuple[Tensor, str, str, int]] = []
    for number, (view, origin, normal) in enumerate(planes):
        if lost[number]:
            continue
        basis = torch.linalg.svd(normal[None])[2][1:]
        moved = s.shift * torch.randn(2, generator=generator) @ basis
        for name, mesh in surfaces.items():
            points = _points(plane_section(mesh, origin, normal), s.spacing, generator)
            pieces = [(points, name)]
            if name == "epi":
                over = _on_rv(points, surfaces)
                pieces = [(points[~over], "lv_epi"), (points[over], "rv_epi")]
            for piece, label in pieces:
                drawn = _noisy(piece, basis, s.noise, generator) + moved
                parts.append((drawn, label, view, number))
        if view == "lax":
            for label, lid in (("mitral", "lv"), ("tricuspid", "rv")):
                rim = vertices[tess.lines[f"{lid}_rim"]]
                points = polyline_section(rim, origin, normal)[:2]
                if len(points) == 2:
                    parts.append((points + moved, label, view, number))
    parts = [p for p in parts if len(p[0])]
    count = torch.tensor([len(p[0]) for p in parts])

    def spread(values: list[int]) -> Tensor:
        return torch.tensor(values).repeat_interleave(count)

    points = torch.cat([p[0] for p in parts]).double()
    return Contours(
        points,
        spread([LABELS.index(p[1]) for p in parts]),
        spread([VIEWS.index(p[2]) for p in parts]),
        spread([p[3] for p in parts]),
        torch.ones(len(points), dtype=torch.float64),
        source="virtual acquisition",
    )


def _noisy(points: Tensor, basis: Tensor, noise: float, generator) -> Tensor:
    return points + noise * torch.randn(len(points), 2, generator=generator) @ basis


def _on_rv(points: Tensor, surfaces: dict[str, Mesh]) -> Tensor:
    """Which points of the epicardium lie over the RV: nearer to its free wall than to the LV."""
    if not len(points):
        return torch.zeros(0, dtype=torch.bool)
    rv, lv = surfaces["rv_free"], surfaces["lv_endo"]
    used = torch.unique(rv.faces)
    to_rv = torch.cdist(points, rv.vertices[used]).amin(1)
    to_lv = torch.cdist(points, lv.vertices[torch.unique(lv.faces)]).amin(1)
    return to_rv < to_lv
