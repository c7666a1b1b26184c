"""Faults of depth images and simplification."""

from __future__ import annotations

from faults.mutant import Mutant

FUSION: list[Mutant] = [
    Mutant(
        "occupancy: slopes over an edge are those of the surface",
        "meshlearn/isosurface/occupancy.py",
        "normal[rows, other] = -slope / spacing[other]",
        "normal[rows, other] = slope / spacing[other]",
        ("tests/isosurface/test_occupancy.py",),
    ),
    Mutant(
        "occupancy: vertices of a net stay in their cells",
        "meshlearn/isosurface/occupancy.py",
        "at = torch.minimum(torch.maximum(at, low), high)",
        "at = torch.minimum(torch.maximum(at, low - 9), high + 9)",
        ("tests/isosurface/test_occupancy.py",),
    ),
    Mutant(
        "fusion: distances are across the surface",
        "csrc/kernels/fusion.h",
        "out[0] = 1 / sqrt(lean);",
        "out[0] = 1 / lean;",
        ("tests/reconstruct/test_fusion.py",),
    ),
    Mutant(
        "fusion: corners that no image tells of make no surface",
        "meshlearn/reconstruct/fusion/blocks.py",
        "keep = (share > 1 - 1e-4)[mesh.faces].all(1)",
        "keep = (share > -1)[mesh.faces].all(1)",
        ("tests/reconstruct/test_fusion.py",),
    ),
    Mutant(
        "fusion: the unit of depth is that of the cameras",
        "meshlearn/reconstruct/fusion/agreement.py",
        "    for factor in _UNITS:",
        "    for factor in ():",
        ("tests/reconstruct/test_fusion.py",),
    ),
    Mutant(
        "thinning: sheets back to back stay apart",
        "meshlearn/reconstruct/poisson/thinning.py",
        "* _FACINGS + side",
        "* _FACINGS",
        ("tests/reconstruct/test_thinning.py",),
    ),
    Mutant(
        "thinning: lines that a block of text cuts are whole",
        "meshlearn/io/point_blocks.py",
        "body, rest = body[:cut], body[cut:]",
        "body, rest = body[:cut], b''",
        ("tests/reconstruct/test_thinning.py",),
    ),
    Mutant(
        "fusion: cameras of other images are refused",
        "meshlearn/reconstruct/fusion/agreement.py",
        "(at > 0) & (gap > _THROUGH)",
        "(at > 0) & (gap > 9 * _THROUGH)",
        ("tests/reconstruct/test_fusion.py",),
    ),
    Mutant(
        "fusion: a block behind one view is not skipped before the surface",
        "csrc/kernels/fusion.h",
        "return !(most > 0) || away0 - most > reach * T(1.0001);",
        "return !(most > 0) || away0 - most > -reach;",
        ("tests/reconstruct/test_fusion.py",),
    ),
]
