"""Small shapes for the tests of rendering."""

from __future__ import annotations

import math
from pathlib import Path

import torch

import meshlearn as ml


def sphere(rings: int = 12, segments: int = 16, dtype: torch.dtype = torch.float32) -> ml.Mesh:
    """Closed unit sphere of latitude rings, normals outward."""
    points = [(0.0, 0.0, 1.0)]
    for i in range(1, rings):
        a = math.pi * i / rings
        for j in range(segments):
            b = 2 * math.pi * j / segments
            points.append((math.sin(a) * math.cos(b), math.sin(a) * math.sin(b), math.cos(a)))
    points.append((0.0, 0.0, -1.0))
    last = len(points) - 1

    def at(i: int, j: int) -> int:
        return 1 + (i - 1) * segments + j % segments

    faces = []
    for j in range(segments):
        faces.append((0, at(1, j), at(1, j + 1)))
        faces.append((last, at(rings - 1, j + 1), at(rings - 1, j)))
        for i in range(1, rings - 1):
            faces.append((at(i, j), at(i + 1, j), at(i + 1, j + 1)))
            faces.append((at(i, j), at(i + 1, j + 1), at(i, j + 1)))
    return ml.Mesh(torch.tensor(points, dtype=dtype), torch.tensor(faces))


def plane(n: int, dtype: torch.dtype = torch.float32) -> ml.Mesh:
    """n by n squares over [-1, 1]^2 at z = 0, both diagonals in turn."""
    line = torch.linspace(-1, 1, n + 1, dtype=dtype)
    x, y = torch.meshgrid(line, line, indexing="ij")
    vertices = torch.stack((x, y, torch.zeros_like(x)), -1).reshape(-1, 3)
    faces = []
    for i in range(n):
        for j in range(n):
            a, b = i * (n + 1) + j, (i + 1) * (n + 1) + j
            if (i + j) % 2:
                faces += [(a, b, b + 1), (a, b + 1, a + 1)]
            else:
                faces += [(a, b, a + 1), (b, b + 1, a + 1)]
    return ml.Mesh(vertices, torch.tensor(faces))


def box(low: tuple = (-0.5, -0.5, -0.5), high: tuple = (0.5, 0.5, 0.5), dtype=torch.float32):
    """A closed box of 12 faces, normals outward."""
    corners = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    lo, hi = torch.tensor(low, dtype=dtype), torch.tensor(high, dtype=dtype)
    vertices = lo + (hi - lo) * torch.tensor(corners, dtype=dtype)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return ml.Mesh(vertices, torch.tensor(faces))


def read(path: Path) -> ml.Mesh:
    """Positions and triangles of a plain OBJ or OFF file."""
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if path.suffix == ".off":
        count, faces_count = (int(v) for v in lines[1][:2])
        points = [[float(v) for v in line[:3]] for line in lines[2 : 2 + count]]
        polygons = [
            [int(v) for v in line[1 : 1 + int(line[0])]]
            for line in lines[2 + count : 2 + count + faces_count]
        ]
    else:
        points = [[float(v) for v in line[1:4]] for line in lines if line[0] == "v"]
        polygons = [
            [int(v.split("/")[0]) - 1 for v in line[1:]] for line in lines if line[0] == "f"
        ]
    faces = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    return ml.Mesh(torch.tensor(points), torch.tensor(faces))
