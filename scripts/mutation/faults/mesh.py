"""Faults of the mesh model."""

from __future__ import annotations

from faults.mutant import Mutant

MESH: list[Mutant] = [
    Mutant(
        "mesh: area is half the cross product",
        "meshlearn/mesh/measure.py",
        "return 0.5 * safe_norm(",
        "return 0.25 * safe_norm(",
        ("tests/mesh/test_mesh.py",),
    ),
    Mutant(
        "mesh: volume by the divergence theorem",
        "meshlearn/mesh/measure.py",
        ".sum(1)) / 6",
        ".sum(1)) / 3",
        ("tests/mesh/test_mesh.py",),
    ),
    Mutant(
        "mesh: vertex normals by area",
        "meshlearn/mesh/measure.py",
        "normals = torch.linalg.cross((b - a) / scale, (c - a) / scale)",
        "normals = safe_normalize(torch.linalg.cross((b - a) / scale, (c - a) / scale))",
        ("tests/mesh/test_mesh.py",),
    ),
    Mutant(
        "mesh: angle at the second corner",
        "meshlearn/mesh/measure.py",
        "-(u * w).sum(1), (v * w).sum(1)], 1)",
        "(u * w).sum(1), (v * w).sum(1)], 1)",
        ("tests/mesh/test_mesh.py",),
    ),
    Mutant(
        "mesh: Euler number counts used vertices",
        "meshlearn/mesh/topology.py",
        "return int(self.referenced.sum()) - self.num_edges + self.num_faces",
        "return self.num_vertices - self.num_edges + self.num_faces",
        ("tests/mesh/test_topology.py",),
    ),
    Mutant(
        "mesh: genus of several components",
        "meshlearn/mesh/topology.py",
        "return (2 * self.components().count - self.euler_number) // 2",
        "return (2 - self.euler_number) // 2",
        ("tests/mesh/test_topology.py",),
    ),
    Mutant(
        "mesh: non-manifold edges have more than two faces",
        "meshlearn/mesh/topology.py",
        "(self.edge_face_counts > 2).nonzero()",
        "(self.edge_face_counts > 3).nonzero()",
        ("tests/mesh/test_topology.py", "tests/mesh/test_report.py"),
    ),
    Mutant(
        "mesh: merging at exactly the tolerance",
        "meshlearn/mesh/repair.py",
        ".square().sum(1) <= tol * tol",
        ".square().sum(1) <= 4 * tol * tol",
        ("tests/mesh/test_edit.py",),
    ),
    Mutant(
        "mesh: closed components turn outward",
        "meshlearn/mesh/repair.py",
        "turn ^= (closed & (volume < 0))",
        "turn ^= (closed & (volume > 0))",
        ("tests/mesh/test_edit.py",),
    ),
    Mutant(
        "mesh: the smaller class of a component turns",
        "meshlearn/mesh/repair.py",
        "turn = (sizes[kept] < sizes[turned])",
        "turn = (sizes[kept] > sizes[turned])",
        ("tests/mesh/test_edit.py",),
    ),
    Mutant(
        "mesh: corner attributes turn with their face",
        "meshlearn/mesh/mesh.py",
        "index=lambda index: index.gather(1, order)",
        "index=lambda index: index",
        ("tests/mesh/test_edit.py",),
    ),
    Mutant(
        "csrc: corners joined around their vertex",
        "csrc/kernels/topology.h",
        "unite(parent, a, same ? b : next_b);",
        "unite(parent, a, same ? next_b : b);",
        ("tests/mesh/test_topology.py",),
    ),
    Mutant(
        "csrc: minus zero equals zero",
        "csrc/kernels/topology.h",
        "double value = static_cast<double>(p[k]) + 0.0;  // -0 to 0",
        "double value = static_cast<double>(p[k]);  // -0 to 0",
        ("tests/mesh/test_edit.py",),
    ),
    Mutant(
        "csrc: edges in the order of their larger vertex",
        "csrc/kernels/topology.h",
        "(high[a] == high[b] && a < b);",
        "(high[a] == high[b] && a > b);",
        ("tests/mesh/test_topology.py",),
    ),
]
