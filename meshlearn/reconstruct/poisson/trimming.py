"""The rim of an open scan: a surface that goes on beyond its points, cut back to where they end.

(T1) what is farther from all points than a reach goes; what is left goes on beyond the outermost
     points by that reach, with a rim of arcs around each of them
(T2) what is nearer to that rim than the reach less an inset goes: gaps narrower than twice the
     reach stay closed, and the rim is as a ball of that radius rolls along the points, an inset
     beyond them
(T3) where points are noisy, more goes, and as much comes back as is near to the rest: spikes that
     single points make are narrower than twice that, and do not

All cuts go through faces, at places between vertices.

Source: (T1, T2) are the closing, (T3) the opening of mathematical morphology (Serra, "Image
Analysis and Mathematical Morphology", 1982), on a surface.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import Incidence, segment_sum
from meshlearn.mesh import Mesh
from meshlearn.mesh.cut import cut_faces
from meshlearn.reconstruct import settings


def trimmed(
    mesh: Mesh, tree: geometry.PointTree, *, reach: float, inset: float, frayed: float = 0.0
) -> Mesh:
    """The part of a surface that points lie on.

    Args:
        mesh: a closed surface; attributes are not kept.
        tree: of the points.
        reach: half of the widest gap that stays closed, a length.
        inset: how far the rim is beyond the outermost points; the reach at most counts.
        frayed: half of the widest spike of the rim that goes, a length.

    Example:
        >>> half = trimmed(ball, geometry.PointTree(points), reach=0.3, inset=0.05)
    """
    away = tree.knn(mesh.vertices, 1)[0][:, 0].sqrt()
    part = _cut(mesh, reach - away)  # (T1)
    back = max(0.0, reach - inset)
    deep = _from_rim(part, back + frayed) - (back + frayed)  # (T2, T3)
    if frayed > 0:
        core = _cut(part, deep)
        if core.num_faces:
            near = frayed - _from_rim(part, 2 * frayed, core)
            deep = torch.where(deep > 0, frayed, near)
        # else: all of it is spikes
    return _without_crumbs(_cut(part, deep), inset**2)


def _without_crumbs(mesh: Mesh, least: float) -> Mesh:
    """Without parts of less area: where the rim passes a vertex, corners of faces are cut off."""
    if not mesh.num_faces:
        return mesh
    labels, count = mesh.topology.components()
    areas = segment_sum(mesh.face_areas()[:, None], Incidence(labels, count))[:, 0]
    keep = (areas >= least)[labels]
    return mesh if bool(keep.all()) else mesh.submesh(keep.nonzero()[:, 0]).mesh


def _cut(mesh: Mesh, value: Tensor) -> Mesh:
    return cut_faces(mesh.vertices, value, mesh.faces).mesh


def _from_rim(mesh: Mesh, most: float, other: Mesh | None = None) -> Tensor:
    """(V,) distance of vertices from the rim of their mesh, or of another on it; twice `most` if
    that is farther away. The rim of a sheet that faces another way does not count.
    """
    cut = mesh if other is None else other
    topology = cut.topology
    rim = torch.unique(topology.edges[topology.boundary_edges])
    if not len(rim):
        return torch.full_like(mesh.vertices[:, 0], 2 * most)
    facing = cut.vertex_normals()[rim]
    tree = geometry.PointTree(cut.vertices[rim])
    squared, index = tree.knn(mesh.vertices, min(settings.TRIM_RIMS, len(rim)))
    agree = (facing[index] * mesh.vertex_normals()[:, None]).sum(2) > settings.PARALLEL
    return torch.where(agree, squared.sqrt(), 2 * most).amin(1).clamp(max=2 * most)
