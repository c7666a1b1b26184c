"""Scans of shapes where the truth is known, and how far a surface is from it."""

from __future__ import annotations

import torch

import meshlearn as ml
from meshlearn.data import shapes


def scan(
    mesh: ml.Mesh, count: int, noise: float = 0.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (P, 3) on a mesh, off it by `noise`, and the normals (P, 3) that it has there."""
    g = torch.Generator().manual_seed(seed)
    points, normals = ml.sample_points(mesh, count, normals=True, generator=g)
    return points + noise * torch.randn(points.shape, generator=g), normals


def bumpy() -> ml.Mesh:
    """A ball of radius 1 with hills of a quarter of it."""
    ball = shapes.icosphere(4)
    v = ball.vertices
    return ball.with_vertices(v * (1 + 0.25 * torch.sin(3 * v[:, :1]) * torch.cos(4 * v[:, 2:])))


def off(mesh: ml.Mesh, target: ml.Mesh, samples: int = 10_000) -> tuple[float, float]:
    """The chamfer distance and the normal consistency."""
    found = ml.metrics.compare(mesh, target, samples=samples, quality=False)
    chamfer, agree = found["chamfer"], found["normal_consistency"]
    assert chamfer is not None and agree is not None
    return float(chamfer), float(agree)
