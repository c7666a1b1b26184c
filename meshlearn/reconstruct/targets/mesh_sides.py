"""Which way the faces of a mesh look, before it is fitted: neighbours alike, solids outward."""

from __future__ import annotations

import torch

from meshlearn import geometry
from meshlearn.geometry.nesting import inward_parts
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings


def agreeing_faces(mesh: Mesh) -> tuple[Mesh, list[str]]:
    """The mesh with faces that look outward, and a sentence for each thing that was changed.

    Faces that look against their neighbours are turned first, then a mesh that is inside out as a
    whole (see `inside_out`), then closed parts that are, with what lies within them; a part that
    lies in another one looks inward where it is its cavity, and stays. What cannot be oriented, as
    a Moebius band, stays too, and so does either side of a sheet or a dish.

    Args:
        mesh: finite, of one face at least, in its order of faces.

    Example:
        >>> mesh, changed = agreeing_faces(meshlearn.load("part.obj"))
    """
    mesh = mesh.detach()
    said = []
    if not mesh.is_consistently_oriented:
        agreed = mesh.orient(outward=False).mesh
        count = int((agreed.faces != mesh.faces).any(1).sum())
        if count:
            said.append(
                f"mesh: {count:,} of {mesh.num_faces:,} faces look against their neighbours; they "
                "are turned around"
            )
            mesh = agreed
    if inside_out(geometry.MeshBVH(mesh)):
        mesh = mesh.flip().mesh
        said.append(
            "mesh: its faces point inward; they are turned around, and those of the fit point "
            "outward"
        )
    turn = inward_parts(mesh)
    if len(turn):
        face = torch.isin(mesh.topology.components().labels, turn)[:, None]
        faces = torch.where(face, mesh.faces.flip(1), mesh.faces)
        said.append(
            f"mesh: the faces of {len(turn):,} of its {mesh.topology.components().count:,} parts "
            "point inward; they are turned around"
        )
        mesh = Mesh(mesh.vertices, faces)
    return mesh, said


def inside_out(bvh: geometry.MeshBVH) -> bool:
    """Whether the faces of a mesh, closed or open, point into what they go around: where the
    winding number is near 1 in magnitude, it is below 0. Of a sheet or a dish it nowhere is."""
    corners = bvh.mesh.vertices[bvh.mesh.faces.reshape(-1)]
    low, high = corners.amin(0), corners.amax(0)
    steps = (torch.arange(settings.INSIDE_LATTICE) + 0.5).to(low) / settings.INSIDE_LATTICE
    inner = bvh.mesh.triangles.mean(1)  # beside faces, for what no lattice point is inside of
    some = inner[:: max(1, len(inner) // settings.INSIDE_PROBES)]
    places = torch.cat([low + torch.cartesian_prod(steps, steps, steps) * (high - low), some])
    winding = bvh.winding_number(places)
    least, most = float(winding.amin()), float(winding.amax())
    return -least > max(settings.TURNED * most, settings.TURNED_LEAST)
