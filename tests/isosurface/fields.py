"""Fields with known surfaces, and checks of mesh topology that use no code under test."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.isosurface import VoxelGrid


def torus(points: Tensor, major: float = 0.5, minor: float = 0.25) -> Tensor:
    ring = points[:, :2].norm(dim=1) - major
    return (ring**2 + points[:, 2] ** 2).sqrt() - minor


def sphere(points: Tensor, radius: float = 0.6) -> Tensor:
    return points.norm(dim=1) - radius


def noise(
    shape: tuple[int, int, int], seed: int, dtype=torch.float64, shift: float = 0.0
) -> Tensor:
    """Random values on grid vertices, positive on the border."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=dtype) - shift
    for axis in range(3):
        for side in (0, shape[axis] - 1):
            border = values.select(axis, side)
            border.copy_(border.abs() + 0.1)
    return values.reshape(-1)


def noise_grid(
    seed: int, low: int = 8, high: int = 24, dtype=torch.float64
) -> tuple[VoxelGrid, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    res = [int(v) for v in torch.randint(low, high + 1, (3,), generator=generator)]
    grid = VoxelGrid(res, dtype=dtype)
    shift = (0.0, 0.6, -0.6)[seed % 3]  # few and many inside corners too
    return grid, noise(grid.shape, seed, dtype, shift)


def random_parameters(grid: VoxelGrid, seed: int = 0, scale: float = 0.5) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=grid.dtype) * scale

    n, c = grid.num_vertices, grid.num_cells
    return {"deform": draw(n, 3), "alpha": draw(c, 8), "beta": draw(c, 12), "gamma": draw(c)}


def topology_defect(num_vertices: int, faces: Tensor) -> str:
    """Empty if the mesh is closed, manifold, oriented and uses every vertex; else what is wrong."""
    if faces.numel() == 0:
        return "" if num_vertices == 0 else "vertices without faces"
    if int((faces[:, 0] == faces[:, 1]).sum() + (faces[:, 1] == faces[:, 2]).sum()):
        return "degenerate faces"
    a, b = faces, faces.roll(-1, 1)
    forward = (a * num_vertices + b).reshape(-1).sort().values
    backward = (b * num_vertices + a).reshape(-1).sort().values
    if bool((forward[1:] == forward[:-1]).any()):
        return "an edge with two faces on the same side"
    if not torch.equal(forward, backward):
        return "an edge with one face"
    # One fan a vertex: corners (half edges out of v) joined across shared edges form one cycle.
    corner = torch.arange(3 * len(faces))
    tail, head = a.reshape(-1), b.reshape(-1)
    order = torch.argsort(tail * num_vertices + head)
    keys = (tail * num_vertices + head)[order]
    previous = corner.view(-1, 3).roll(1, 1).reshape(-1)  # half edge that ends where this starts
    wanted = tail[previous] * num_vertices + head[previous]
    reverse = (wanted % num_vertices) * num_vertices + wanted // num_vertices
    following = order[torch.searchsorted(keys, reverse)]  # next half edge out of the same vertex
    label = corner.clone()
    jump = following
    for _ in range(40):  # pointer jumping: minimum over the cycle
        new = torch.minimum(label, label[jump])
        jump = jump[jump]
        if torch.equal(new, label) and bool((label == label[following]).all()):
            break
        label = new
    fans = torch.bincount(tail[torch.unique(label)], minlength=num_vertices)
    if bool((fans > 1).any()):
        return "a vertex with two fans"
    if bool((fans == 0).any()):
        return "a vertex without faces"
    return ""
