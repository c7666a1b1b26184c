"""Meshes whose walls are thinner than a grid resolves: double shells, sheets with a thickness."""

from __future__ import annotations

import torch

from meshlearn.geometry import MeshBVH, sample_surface
from meshlearn.mesh import Mesh

_RAYS = 1000
_THIN = 1.5  # cells, below which a wall is not resolved
_MOST = 0.8  # of the surface, above which the shape is one of such walls
_OFF = 1e-4  # of the diagonal, where rays begin


def thin_wall(mesh: Mesh, resolution: int) -> float | None:
    """How thick the walls of a mesh are, where nearly all of them are too thin for a grid.

    From points of the surface the nearest surface is looked for along the normal, to both sides, so
    that orientation does not matter.

    Args:
        mesh: any; without faces there are no walls.
        resolution: cells along the longest side of its box.

    Returns:
        The median thickness in the mesh's unit, or None where walls are thick enough.

    Example:
        >>> if (wall := thin_wall(mesh, 64)) is not None:
        ...     mesh = ml.geometry.wrap(mesh, alpha=2 * wall)
    """
    if not mesh.num_faces:
        return None
    near = mesh.detach().to("cpu")
    corner = near.triangles.reshape(-1, 3).double()
    if not bool(torch.isfinite(corner).all()):
        return None
    low, high = corner.amin(0), corner.amax(0)
    near = near.with_vertices((near.vertices.double() - (low + high) / 2).float())
    extent, diagonal = float((high - low).max()), float((high - low).norm())
    samples = sample_surface(near, _RAYS, generator=torch.Generator().manual_seed(0))
    normal = near.face_normals()[samples.faces]
    tree = MeshBVH(near)
    begin = _OFF * diagonal
    found = torch.stack(
        [tree.rays(samples.points + begin * way, way).distance for way in (normal, -normal)]
    )
    thick = found.amin(0) + begin
    thin = thick < _THIN * extent / resolution
    return float(thick.median()) if float(thin.double().mean()) > _MOST else None
