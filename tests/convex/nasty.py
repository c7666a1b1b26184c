"""Planes that half-space intersection trips over: degenerate, near-parallel, thin, tiny."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

KINDS = (
    "integers",
    "apex",
    "near parallel",
    "repeated",
    "box",
    "thin",
    "tiny",
    "regular",
    "slabs",
    "collinear",
)


def nasty(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Planes (P, 4) of one kind, around the origin in the cube of +-1."""
    return np.array(list(_rows(kind, rng)), float).reshape(-1, 4)


def _random(rng: np.random.Generator, count: int, offset: float = 0.5) -> np.ndarray:
    n = rng.normal(size=(count, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    return np.hstack([n, -offset * rng.uniform(0.5, 1.5, (count, 1))])


def _rows(kind: str, rng: np.random.Generator) -> Iterator:
    if kind == "integers":  # many planes through many of the same points and lines
        yield from (
            (*rng.integers(-2, 3, 3), -int(rng.integers(0, 3))) for _ in range(rng.integers(3, 14))
        )
    elif kind == "apex":  # all through one point that doubles hold, exactly or up to rounding
        at = rng.integers(-3, 4, 3) / 4
        for _ in range(rng.integers(4, 13)):
            n = rng.integers(-8, 9, 3) if rng.random() < 0.7 else rng.normal(size=3)
            yield (*n, -float(n @ at))
    elif kind == "near parallel":
        base = _random(rng, 5)
        for row in base:
            yield row
            near = row.copy()
            near[: int(rng.integers(1, 5))] += rng.normal() * 10.0 ** -rng.uniform(3, 12)
            yield near
    elif kind == "repeated":
        base = _random(rng, 6)
        for row in base:
            yield from (row, row, 4.0 * row, 2.0**-20 * row)
        yield (0, 0, 0, -1.0)
        yield (0, 0, 0, 0)
        if rng.random() < 0.2:
            yield tuple(-base[0])  # leaves a face without volume
        if rng.random() < 0.1:
            yield (0, 0, 0, 1e-9)
    elif kind == "box":  # through corners, edges and sides of the box
        sides = np.array([[1, 0, 0, -1], [0, 1, 0, -1], [0, 0, 1, -1], [-1, 0, 0, -1]])
        yield from sides[rng.permutation(4)[:2]]
        for _ in range(5):
            n = rng.integers(-1, 2, 3)
            yield (*n, -int(np.abs(n).sum()) + int(rng.integers(0, 2)))
    elif kind == "thin":
        yield from _random(rng, 6)
        n = rng.normal(size=3)
        n /= np.linalg.norm(n)
        h = 10.0 ** -rng.uniform(1, 5)
        yield (*n, -h)
        yield (*-n, -h / 2)
    elif kind == "tiny":
        yield from _random(rng, 9, 10.0 ** -rng.uniform(1, 4))
    elif kind == "regular":  # icosahedron and cones, whose vertices are of many planes, rounded
        if rng.random() < 0.5:
            g = (1 + math.sqrt(5)) / 2
            for a in (-1, 1):
                for b in (-1, 1):
                    for c in (-1, 1):
                        yield (a, b, c, -1)
                    for k in range(3):
                        yield (*np.roll((0, a / g, b * g), k), -1)
        else:
            count = int(rng.integers(5, 14))
            turn = rng.uniform(0, 1)
            for k in range(count):
                t = turn + 2 * math.pi * k / count
                yield (math.cos(t), math.sin(t), 0.8, -0.4)
    elif kind == "slabs":
        for axis in range(3):
            for _ in range(3):
                n = np.eye(3)[axis] * (1 if rng.random() < 0.5 else -1) * 2.0 ** rng.integers(-9, 9)
                yield (*n, -np.abs(n).sum() * rng.integers(0, 4) / 4)
    elif kind == "collinear":  # a fan of planes about one line
        a, b = rng.normal(size=(2, 3))
        at = rng.uniform(-0.5, 0.5, 3)
        for t in np.linspace(0, 1.5, int(rng.integers(4, 12))):
            n = a * math.cos(t) + b * math.sin(t)
            yield (*n, -float(n @ at))
