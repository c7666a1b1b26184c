"""Readable torch references of the queries on a mesh: every point against every face, in pieces."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_PAIRS = 1 << 22  # point-face pairs held at once


def _pieces(points: Tensor, faces: Tensor) -> tuple[Tensor, ...]:
    return points.split(max(1, _PAIRS // max(1, len(faces))))


def _segment(p: Tensor, a: Tensor, b: Tensor) -> Tensor:
    length = ((b - a) ** 2).sum(-1)
    t = ((p - a) * (b - a)).sum(-1) / torch.where(length > 0, length, 1)
    return (t * (length > 0)).clamp(0, 1)


def closest_on_triangles(p: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances (P, F) and barycentric coordinates (P, F, 3) of points (P, 3) on (F, 3,
    3)."""
    p = p[:, None]
    a, b, c = corners.unbind(1)
    ab, ac = b - a, c - a
    normal = torch.linalg.cross(ab, ac)
    area = (normal**2).sum(-1)
    safe = torch.where(area > 0, area, 1)
    v = (torch.linalg.cross(p - a, ac.expand_as(p - a)) * normal).sum(-1) / safe
    w = (torch.linalg.cross(ab.expand_as(p - a), p - a) * normal).sum(-1) / safe
    face = torch.stack([1 - v - w, v, w], -1)
    choices = [face]
    for k in range(3):
        s, e = corners[:, k], corners[:, (k + 1) % 3]
        t = _segment(p, s, e)
        edge = torch.zeros_like(face)
        edge[..., k], edge[..., (k + 1) % 3] = 1 - t, t
        choices.append(edge)
    barycentric = torch.stack(choices)  # (4, P, F, 3)
    points = (barycentric[..., None] * corners).sum(-2)
    squared = ((points - p) ** 2).sum(-1)
    within = (area > 0) & (v >= 0) & (w >= 0) & (v + w <= 1)
    squared[0] = torch.where(within, squared[0], math.inf)
    squared = torch.nan_to_num(squared, nan=math.inf)
    best = squared.argmin(0)
    barycentric = barycentric.gather(0, best[None, ..., None].expand(1, *face.shape))[0]
    return squared.amin(0), barycentric


def closest_reference(points: Tensor, vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Closest face (P,) and barycentric coordinates (P, 3); -1 for points that are not finite."""
    corners = vertices[faces]
    found = []
    for part in _pieces(points, faces):
        squared, barycentric = closest_on_triangles(part, corners)
        face = squared.argmin(1)
        rows = torch.arange(len(part), device=part.device)
        bad = ~torch.isfinite(squared[rows, face])
        found.append((torch.where(bad, -1, face), barycentric[rows, face]))
    if not found:
        return faces.new_zeros(0), points.new_zeros(0, 3)
    face, barycentric = (torch.cat(x) for x in zip(*found, strict=True))
    return face, barycentric


def winding_reference(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    """Exact winding numbers (P,): the sum of signed solid angles over 4 pi."""
    corners = vertices[faces].double()
    found = []
    for part in _pieces(points, faces):
        u, v, w = (corners[:, k] - part.double()[:, None] for k in range(3))
        lu, lv, lw = u.norm(dim=-1), v.norm(dim=-1), w.norm(dim=-1)
        top = (u * torch.linalg.cross(v, w)).sum(-1)
        bottom = lu * lv * lw
        bottom = bottom + (u * v).sum(-1) * lw + (v * w).sum(-1) * lu + (w * u).sum(-1) * lv
        angle = torch.nan_to_num(torch.atan2(top, bottom)) / (2 * math.pi)
        found.append(angle.sum(1))
    return torch.cat(found).to(points) if found else points.new_zeros(0)


def rays_reference(
    origins: Tensor, directions: Tensor, vertices: Tensor, faces: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """First face (R,), distance (R,) and barycentric coordinates (R, 3) of rays."""
    corners = vertices[faces]
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    found = []
    for o, d in zip(_pieces(origins, faces), _pieces(directions, faces), strict=True):
        h = torch.linalg.cross(d[:, None].expand(-1, len(faces), -1), ac[None])
        det = (ab * h).sum(-1)
        f = 1 / torch.where(det != 0, det, 1)
        s = o[:, None] - a
        u = f * (s * h).sum(-1)
        q = torch.linalg.cross(s, ab[None].expand_as(s))
        v, at = f * (d[:, None] * q).sum(-1), f * (ac * q).sum(-1)
        hit = (det != 0) & (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (at >= 0)
        distance, face = torch.where(hit, at, math.inf).min(1)
        rows = torch.arange(len(o), device=o.device)
        barycentric = torch.stack([1 - u - v, u, v], -1)[rows, face]
        miss = ~hit[rows, face]
        found.append((face.masked_fill(miss, -1), distance, barycentric * ~miss[:, None]))
    if not found:
        return faces.new_zeros(0), origins.new_zeros(0), origins.new_zeros(0, 3)
    face, distance, barycentric = (torch.cat(x) for x in zip(*found, strict=True))
    return face, distance, barycentric


def nearest_points(x: Tensor, y: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Squared distance (P, k), index (P, k), in the order (distance, index)."""
    squared, index = [], []
    for part in _pieces(x, y):
        d = y - part[:, None]
        square = d * d
        distance = square[..., 0] + square[..., 1] + square[..., 2]
        value, order = torch.sort(distance, dim=1, stable=True)
        squared.append(value[:, :k])
        index.append(order[:, :k])
    if not squared:
        return x.new_empty(0, k), x.new_empty(0, k, dtype=torch.int64)
    return torch.cat(squared), torch.cat(index)
