"""Faults of fields."""

from __future__ import annotations

from faults.mutant import Mutant

FIELDS: list[Mutant] = [
    Mutant(
        "fields: distance inside a box",
        "meshlearn/fields/analytic.py",
        "            q = p.abs() - as_like(half, p)\n"
        "            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)\n",
        "            q = p.abs() - as_like(half, p)\n            return length(q.clamp(min=0))\n",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: a turn is counter-clockwise",
        "meshlearn/fields/analytic.py",
        "angle = -as_like(degrees, p)",
        "angle = as_like(degrees, p)",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: fillet of a smooth union",
        "meshlearn/fields/analytic.py",
        "overlap * overlap / (4 * k)",
        "overlap * overlap / (2 * k)",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: gradient of an ellipsoid by one step of Newton",
        "meshlearn/fields/analytic.py",
        "t = root - left / slope",
        "t = root",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: interpolation in a hash grid",
        "meshlearn/fields/hashgrid.py",
        "part[:, a] if c else 1 - part[:, a]",
        "1 - part[:, a] if c else part[:, a]",
        ("tests/fields/test_neural.py",),
    ),
    Mutant(
        "fields: slope of tanh",
        "meshlearn/fields/slopes.py",
        "seed = 1 - value * value if tanh",
        "seed = 1 - value if tanh",
        ("tests/fields",),
    ),
]
