"""Half-space intersection in batch against qhull one by one and a plain Python transcription."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from _common import Bench, main, optional, version

import meshlearn as ml

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


def problem(convexes: int, planes: int, dtype: torch.dtype) -> torch.Tensor:
    """Random planes (C, P, 4) about the origin, which every convex holds."""
    generator = torch.Generator().manual_seed(0)
    n = torch.randn(convexes, planes, 3, generator=generator, dtype=dtype)
    n = torch.nn.functional.normalize(n, dim=-1)
    d = -0.1 - 0.3 * torch.rand(convexes, planes, 1, generator=generator, dtype=dtype)
    return torch.cat([n, d], -1)


def by_triples(planes: np.ndarray) -> list[np.ndarray]:
    """One convex as vertices in order around each plane: all triples of planes, in plain Python.

    What a direct reading of the paper's "intersect the planes" does.
    """
    rows, points, owners = planes.tolist(), [], []
    for a, b, c in itertools.combinations(range(len(rows)), 3):
        (ax, ay, az, ad), (bx, by, bz, bd), (cx, cy, cz, cd) = rows[a], rows[b], rows[c]
        ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        det = ax * ux + ay * uy + az * uz
        if abs(det) < 1e-9:
            continue
        vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        x = -(ad * ux + bd * vx + cd * wx) / det
        y = -(ad * uy + bd * vy + cd * wy) / det
        z = -(ad * uz + bd * vz + cd * wz) / det
        if all(p * x + q * y + r * z + s <= 1e-7 for p, q, r, s in rows):
            points.append((x, y, z))
            owners.append((a, b, c))
    out = []
    for k in range(len(rows)):
        loop = np.array([p for p, o in zip(points, owners, strict=True) if k in o])
        if len(loop) < 3:
            continue
        n = np.array(rows[k][:3])
        u = np.cross(n, np.eye(3)[np.abs(n).argmin()])
        centred = loop - loop.mean(0)
        out.append(loop[np.arctan2(centred @ np.cross(n, u), centred @ u).argsort()])
    return out


def run(bench: Bench) -> None:
    spatial = optional("scipy.spatial")
    sides = np.array([[*(s * np.eye(3)[a]), -0.5] for a in range(3) for s in (-1, 1)])
    for convexes, count in ((32, 16),) if bench.quick else ((256, 32), (256, 16), (2048, 32)):
        planes = problem(convexes, count, torch.float64)
        full = [np.concatenate([p, sides]) for p in planes.numpy()]
        peers = {
            f"{version('scipy')} qhull, one by one": (
                lambda f=full: [spatial.HalfspaceIntersection(p, np.zeros(3)) for p in f]
            )
            if spatial
            else None
        }
        name = f"half-space intersection, {convexes} convexes x {count} planes"
        single = planes.float()
        bench.compare(name, lambda p=planes: ml.intersect_halfspaces(p, bounds=BOX), peers)
        bench.compare(f"{name}, float32", lambda p=single: ml.intersect_halfspaces(p, bounds=BOX))

        def step(p: torch.Tensor = planes) -> None:
            leaf = p.clone().requires_grad_()
            ml.intersect_halfspaces(leaf, bounds=BOX).volumes().sum().backward()

        bench.compare(f"{name}, volumes forward + backward", step)
    if not bench.quick:
        one = np.concatenate([problem(256, 32, torch.float64).numpy()[0], sides])
        eight = problem(8, 32, torch.float64)
        bench.compare(
            "half-space intersection, 8 convexes x 32 planes",
            lambda: ml.intersect_halfspaces(eight, bounds=BOX),
            {"all triples in plain Python": lambda: [by_triples(one) for _ in range(8)]},
            repeats=3,
        )


if __name__ == "__main__":
    main(run)
