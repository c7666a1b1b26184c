"""The surface of a sampled volume, placed in the world by the volume's affine."""

from __future__ import annotations

import torch

from meshlearn.io.volume import Volume
from meshlearn.mesh import Mesh, far_middle, moved
from meshlearn.reconstruct.methods import EXTRACTIONS


def extract_volume(
    volume: Volume,
    *,
    level: float = 0.0,
    method: str = "mc",
    above: bool = False,
    close: bool = False,
) -> Mesh:
    """The surface where a volume passes `level`, in the world's coordinates, normals outward.

    Args:
        volume: (X, Y, Z) samples and their affine, which may scale, rotate, shear and mirror, or
            their positions on a curved grid.
        level: the iso value; a sample equal to it is outside.
        method: "mc" marching cubes; "dmc" dual marching cubes; "flexicubes" the same with each
            vertex at the minimum of its tangent planes' quadric (gradients by central
            differences), which keeps edges sharp; "net" a surface net of what is inside,
            whatever the values are, for labels and masks (`isosurface.surface_net`).
        above: the inside is where values are above `level`, as bone in a CT; default: below, as in
            a signed distance.
        close: surround the volume by samples outside, so that a surface that leaves it is capped;
            default: it is open there.

    Returns:
        The mesh, in the dtype and on the device of the samples (float64 where the volume lies far
        from the origin); empty, with a RuntimeWarning, where
        nothing passes the level.

    Example:
        >>> mesh = extract_volume(load_volume("ct.nii.gz"), level=300, above=True)
    """
    from meshlearn import isosurface

    if method not in EXTRACTIONS:
        raise ValueError(f"method: expected one of {', '.join(EXTRACTIONS)}, got {method!r}")
    middle = far_middle(volume.bounds())
    if middle is not None:
        near = volume.moved(-middle)
        mesh = extract_volume(near, level=level, method=method, above=above, close=close)
        return moved(mesh, middle)
    values = -volume.values if above else volume.values
    level = -float(level) if above else float(level)
    affine = volume.affine.clone()
    if close and volume.points is not None:
        raise ValueError("close: expected a lattice, the samples lie on a curved grid")
    if close:
        peak = max(float(values.amax()), level + max(1e-3, abs(level) * 1e-3))
        values = torch.nn.functional.pad(values, (1,) * 6, value=peak)
        affine[:3, 3] -= affine[:3, :3].sum(1)
    # a box along the axes is the grid itself; anything else is extracted in index space
    linear = affine[:3, :3]
    steps = torch.diag(linear)
    plain = bool(torch.equal(torch.diag(steps), linear) and (steps > 0).all())
    plain &= volume.points is None
    last = torch.tensor(values.shape, dtype=torch.float64) - 1
    bounds = torch.stack([torch.zeros(3, dtype=torch.float64), last])
    if plain:
        bounds = bounds * steps + affine[:3, 3]
    grid = isosurface.VoxelGrid(
        tuple(n - 1 for n in values.shape), bounds=bounds, device=values.device, dtype=values.dtype
    )
    if method == "mc":
        mesh = isosurface.marching_cubes(grid, values, level=level)
    elif method == "dmc":
        mesh = isosurface.dual_marching_cubes(grid, values, level=level)
    elif method == "net":
        mesh = isosurface.surface_net(grid, (values < level).contiguous())
    else:
        slopes = torch.gradient(values, spacing=list(grid.spacing))
        gradient = torch.stack(slopes, dim=-1).reshape(-1, 3)
        mesh = isosurface.flexicubes(grid, values, level=level, gradient=gradient).mesh
    if plain:
        return mesh
    placed = Volume(values, affine, points=volume.points)
    turned = _mirrors(placed)
    mesh = mesh.with_vertices(placed.to_world(mesh.vertices))
    return Mesh(mesh.vertices, mesh.faces.flip(1)) if turned else mesh


def _mirrors(volume: Volume) -> bool:
    """Whether index to world turns right hands into left ones."""
    points = volume.points
    if points is None:
        return bool(torch.linalg.det(volume.affine[:3, :3]) < 0)
    first = points[:-1, :-1, :-1]
    steps = [points[1:, :-1, :-1], points[:-1, 1:, :-1], points[:-1, :-1, 1:]]
    edges = torch.stack([(p - first).reshape(-1, 3) for p in steps], dim=1)
    return float(torch.linalg.det(edges).sum()) < 0
