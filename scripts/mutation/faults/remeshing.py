"""Faults of remeshing."""

from __future__ import annotations

from faults.mutant import Mutant

REMESHING: list[Mutant] = [
    Mutant(
        "fitting: half a step is not kept",
        "meshlearn/reconstruct/fitting.py",
        "if state.folder is not None and not state.under_way:",
        "if state.folder is not None:",
        ("tests/reconstruct/test_interrupted.py",),
    ),
    Mutant(
        "remeshing: no edge goes whose ends have more neighbours in common than its faces",
        "csrc/kernels/remesh.h",
        "return apart && common == (t >= 0 ? 2 : 1);",
        "return apart;",
        ("tests/geometry/test_edge_passes.py",),
    ),
    Mutant(
        "remeshing: an edge whose number changed is looked for again",
        "meshlearn/geometry/edge_passes_reference.py",
        "named = [g, following(g)]",
        "named = [g]",
        ("tests/geometry/test_edge_passes.py",),
    ),
    Mutant(
        "remeshing: features keep their vertices",
        "csrc/kernels/remesh.h",
        "if (kind_[u] == CURVE && !feature_[h]) return false;",
        "",
        ("tests/geometry/test_edge_passes.py",),
    ),
    Mutant(
        "remeshing: vertices go back onto the surface",
        "csrc/kernels/remesh.h",
        "target_[v] = place.point;",
        "target_[v] = here + step;",
        ("tests/geometry/test_edge_passes.py",),
    ),
    Mutant(
        "remeshing: charts that are small hold no vertices",
        "meshlearn/geometry/remesh_features.py",
        "return found if large else torch.zeros_like(found)",
        "return found",
        ("tests/geometry/test_remesh.py",),
    ),
    Mutant(
        "remeshing: lengths change slowly",
        "meshlearn/geometry/remesh_sizes.py",
        "return _slowly(mesh, (high * shape).clamp(1 / SPREAD, SPREAD))",
        "return torch.where(shape > 2, SPREAD, 1 / SPREAD)",
        ("tests/geometry/test_remesh.py",),
    ),
    Mutant(
        "remeshing: the longest edges are within the error, too",
        "meshlearn/geometry/remesh_sizes.py",
        ".clamp(min=0).sqrt() / LONG  # (I6)",
        ".clamp(min=0).sqrt()  # (I6)",
        ("tests/geometry/test_remesh.py",),
    ),
]
