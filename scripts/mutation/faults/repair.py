"""Faults of repair."""

from __future__ import annotations

from faults.mutant import Mutant

REPAIR: list[Mutant] = [
    Mutant(
        "repair: what bounds a solid has its inside behind",
        "meshlearn/geometry/crossing.py",
        "keeps = (before < 0.5) & (behind > 0.5)",
        "keeps = behind > 0.5",
        ("tests/geometry/test_arrangement.py",),
    ),
    Mutant(
        "repair: a card of two sides keeps one",
        "meshlearn/arrays/mending.py",
        "doubled & (joins & ~stays)[root]",
        "doubled & ~(joins & stays)[root]",
        ("tests/geometry/test_arrangement.py",),
    ),
    Mutant(
        "repair: segments of a cut face are edges of its parts",
        "meshlearn/geometry/arrangement.py",
        "_force(axes, behind, u, v)\n    _improve",
        "pass\n    _improve",
        ("tests/geometry/test_arrangement.py",),
    ),
    Mutant(
        "decompose: what two hulls share is paid for",
        "meshlearn/geometry/convex_cuts.py",
        "added = both - a.hull - b.hull",
        "added = both + a.hull + b.hull",
        ("tests/geometry/test_decomposition.py",),
    ),
    Mutant(
        "decompose: inertia is about the common centre",
        "meshlearn/convex/bodies.py",
        "away = k.centre - centre",
        "away = 0 * centre",
        ("tests/cli/test_decompose.py",),
    ),
    Mutant(
        "repair: solids that touch are paired by their own wedge",
        "meshlearn/arrays/mending.py",
        "wedge = np.where(forward[i], angle[i] - angle[j], angle[j] - angle[i])",
        "wedge = np.where(forward[i], angle[j] - angle[i], angle[i] - angle[j])",
        ("tests/arrays/test_mending.py",),
    ),
    Mutant(
        "repair: a fin is the sheet that has a boundary",
        "meshlearn/arrays/mending.py",
        "is_open[patch[open_face]] = True",
        "is_open[patch[open_face]] = False",
        ("tests/arrays/test_mending.py",),
    ),
    Mutant(
        "repair: a flat triangle's longest edge is the one that is turned",
        "meshlearn/arrays/mending.py",
        "h = 3 * f + int(length[f].argmax())",
        "h = 3 * f + int(length[f].argmin())",
        ("tests/arrays/test_mending.py",),
    ),
]
