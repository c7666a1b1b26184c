"""Faults of arrays."""

from __future__ import annotations

from faults.mutant import Mutant

ARRAYS: list[Mutant] = [
    Mutant(
        "arrays: an edge of three faces is not manifold",
        "meshlearn/arrays/connectivity.py",
        "np.nonzero(self.edge_face_counts > 2)[0]",
        "np.nonzero(self.edge_face_counts > 3)[0]",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: a loop passes nodes of two ends",
        "meshlearn/arrays/connectivity.py",
        "minlength=len(node)) != 2]",
        "minlength=len(node)) > 2]",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: a half-edge runs to the next corner",
        "meshlearn/arrays/connectivity.py",
        "np.where(corner % 3 == 2, corner - 2, corner + 1)",
        "np.where(corner % 3 == 2, corner - 1, corner + 1)",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: area is half of the cross product",
        "meshlearn/arrays/report.py",
        "scale.dtype.type(0.5) * length",
        "scale.dtype.type(0.6) * length",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: volume is a sixth",
        "meshlearn/arrays/report.py",
        "(a * cross(b, c)).sum()) / 6",
        "(a * cross(b, c)).sum()) / 3",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: a cavity may be held by a positive component",
        "meshlearn/arrays/report.py",
        "return negative[~np.array(held)]",
        "return negative",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: the shorter diagonal of a quadrilateral, in numpy",
        "meshlearn/arrays/triangulation.py",
        "longer = ~(_square(",
        "longer = (_square(",
        ("tests/arrays",),
    ),
    Mutant(
        "arrays: a mirrored part keeps its outside",
        "meshlearn/io/surface.py",
        ".reshape(-1, 3)[:, ::-1].reshape(-1)",
        ".reshape(-1, 3)[:, ::1].reshape(-1)",
        ("tests/arrays",),
    ),
    Mutant(
        "readers: the line of a fault counts from the file's beginning",
        "csrc/io/pieces.h",
        "line_number(data, piece.problem.at)",
        "line_number(data, piece.problem.at) - 1",
        ("tests/io/test_threads.py",),
    ),
]
