"""Meshes and clouds that searches must survive."""

import torch

from meshlearn import Mesh


def octahedron(dtype=torch.float64, scale=1.0) -> Mesh:
    v = torch.tensor(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=dtype
    )
    f = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return Mesh(v * scale, torch.tensor(f))


def sphere(rings=12, dtype=torch.float64, bumps=0.1) -> Mesh:
    """A closed, bumpy sphere with outward normals."""
    around = 2 * rings
    a = torch.pi * torch.arange(1, rings).double() / rings
    b = 2 * torch.pi * torch.arange(around).double() / around
    a, b = (t.reshape(-1) for t in torch.meshgrid(a, b, indexing="ij"))
    r = 1 + bumps * torch.sin(5 * a) * torch.cos(3 * b)
    ring = torch.stack([a.sin() * b.cos(), a.sin() * b.sin(), a.cos()], 1) * r[:, None]
    ends = torch.tensor([[0, 0, 1.0], [0, 0, -1.0]], dtype=torch.float64)
    i, j = torch.meshgrid(torch.arange(rings - 2), torch.arange(around), indexing="ij")
    p, q = (i * around + j).reshape(-1), (i * around + (j + 1) % around).reshape(-1)
    sides = torch.cat(
        [torch.stack([p, p + around, q], 1), torch.stack([q, p + around, q + around], 1)]
    )
    j = torch.arange(around)
    n, last = ring.shape[0], (rings - 2) * around
    top = torch.stack([torch.full_like(j, n), j, (j + 1) % around], 1)
    low = torch.stack([torch.full_like(j, n + 1), last + (j + 1) % around, last + j], 1)
    return Mesh(torch.cat([ring, ends]).to(dtype), torch.cat([sides, top, low]))


def soup(faces=300, dtype=torch.float64, seed=0) -> Mesh:
    """Random triangles, some without area: points, segments, doubled and needle ones."""
    g = torch.Generator().manual_seed(seed)
    v = torch.rand(faces, 3, 3, dtype=torch.float64, generator=g)
    v = v[:, :1] + 0.2 * (v - 0.5)
    v[0:10, 1:] = v[0:10, :1]  # points
    v[10:20, 2] = 2 * v[10:20, 1] - v[10:20, 0]  # segments
    v[20:30, 2] = v[20:30, 1]
    v[30:40] = v[40:50]  # doubled
    v[50:60, 2] = v[50:60, 1] + 1e-9  # needles
    return Mesh(v.reshape(-1, 3).to(dtype), torch.arange(3 * faces).reshape(-1, 3))


def random_points(n=400, dtype=torch.float64, seed=1, spread=1.5) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return ((torch.rand(n, 3, dtype=torch.float64, generator=g) - 0.5) * 2 * spread).to(dtype)


def clouds(dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Clouds that ruin a uniform grid: clusters, outliers, duplicates, lines, planes, lattices."""
    g = torch.Generator().manual_seed(7)
    base = torch.randn(300, 3, dtype=torch.float64, generator=g)
    line = torch.zeros(200, 3, dtype=torch.float64)
    line[:, 0] = torch.linspace(0, 1, 200, dtype=torch.float64)
    flat = base.clone()
    flat[:, 2] = 0.25
    axis = torch.arange(6, dtype=torch.float64)
    made = {
        "normal": base,
        "clustered": torch.cat([base[:150] * 1e-4, 5 + base[150:] * 1e-3]),
        "outlier": torch.cat([base * 1e-3, torch.tensor([[1e6, 1e6, -1e6]], dtype=torch.float64)]),
        "duplicates": base[:7].repeat(40, 1),
        "all equal": base[:1].repeat(100, 1),
        "collinear": line,
        "planar": flat,
        "lattice": torch.cartesian_prod(axis, axis, axis),
        "one": base[:1],
        "far from origin": base + 1e3,
    }
    return {name: cloud.to(dtype) for name, cloud in made.items()}
