"""Fits to the surface of a mesh."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import Incidence, gather, stable_mean
from meshlearn.geometry.intersections import self_intersections
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import Target, surface_distance
from meshlearn.reconstruct.targets.boundary import (
    MeshBoundary,
    boundary_loss,
    is_open,
    template_field,
)
from meshlearn.reconstruct.targets.mesh_sides import agreeing_faces
from meshlearn.reconstruct.targets.support import (
    Doubt,
    data_missed,
    supported,
    surface_samples,
)


class FromMesh(Target):
    """Fit to the surface of a mesh, closed or not quite.

    Args:
        mesh: the target; its inside is decided by the generalised winding number. Faces that point
            inward, or against their neighbours, are turned around, with a warning.
        samples: points drawn on each surface at each step.
        sharp_angle: degrees between faces from which an edge counts as sharp. Sharp edges are
            sampled too, so that the fit keeps them.

    Loss terms, all in cells: ``distance`` (mean distance of samples of the fit to the target, and
    the other way round), ``normal`` (1 - cosine between normals at the same pairs of points),
    ``sharp`` (mean distance of points on sharp edges to the fit); of an open mesh also ``boundary``
    (mean distance between its boundary and that of the fit, both ways, where a `GShell` marks
    one).

    Example:
        >>> target = FromMesh(meshlearn.load("part.obj"))
    """

    default_weights = settings.MESH_WEIGHTS
    mesh: Mesh

    def __init__(
        self,
        mesh: Mesh,
        *,
        samples: int = settings.SAMPLES,
        sharp_angle: float = settings.SHARP_ANGLE,
    ) -> None:
        wrong = int((~torch.isfinite(mesh.vertices)).any(1).sum())
        if wrong:
            raise ValueError(
                f"mesh: expected finite vertices to fit to, got {wrong} of {mesh.num_vertices} "
                "with NaN or infinite coordinates; remove them first"
            )
        self._given = mesh.faces
        mesh, said = agreeing_faces(mesh)
        for sentence in said:
            warnings.warn(sentence, stacklevel=2)
        self.bvh = geometry.MeshBVH(mesh)
        if samples < 1:
            raise ValueError(f"samples: expected at least 1, got {samples}")
        self.mesh, self.samples = self.bvh.mesh, int(samples)
        self.sharp_angle = float(sharp_angle)
        self.normals = self.mesh.face_normals()
        self._bounds = self.mesh.vertices[self.mesh.faces.reshape(-1).unique()]
        self._bounds = torch.stack([self._bounds.amin(0), self._bounds.amax(0)])
        self._sharp, self._sharp_length = self._sharp_edges(sharp_angle)
        self.is_open = is_open(self.mesh)
        self.boundary = MeshBoundary(self.mesh)

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """See `Target.given`."""
        return self.mesh.vertices, self._given

    def why_empty(self, scale: float) -> str:
        """See `Target.why_empty`."""
        if self.is_open:
            return (
                f"the mesh is open and encloses nothing that cells of {scale:.4g} show; method "
                "'gshell' fits it open"
            )
        return f"the mesh is thinner than a cell of {scale:.4g} everywhere; raise the resolution"

    def options(self) -> dict[str, object]:
        """See `Target.options`."""
        return {"samples": self.samples, "sharp_angle": self.sharp_angle}

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    @cached_property
    def solid(self) -> Mesh | None:
        """The mesh, where it is closed and its components are the walls of one solid: the union of
        components that meet, or that lie within others, may have another topology."""
        closed = self.mesh.topology.is_watertight
        return self.mesh if closed and are_walls(self.bvh) else None

    def finish(self, mesh: Mesh) -> Mesh:
        """Without the parts that are nearest to no place of the target."""
        return supported(mesh, self._everywhere)

    @property
    def _everywhere(self) -> Tensor:
        """Samples, and the middle of each face, so that each component has some."""
        middle = self.mesh.vertices[self.mesh.faces].mean(1)
        return torch.cat([middle, surface_samples(self.mesh)])

    def doubts(self, mesh: Mesh, scale: float) -> list[Doubt]:
        """See `Target.doubts`: of parts that meet, their union's places that the fit misses."""
        places = self._everywhere
        if not self.is_open:  # walls within other parts are no surface of the union
            normals = self.normals[self.bvh.closest(places).face]
            step = settings.BESIDE * scale * normals
            winding = self.bvh.winding_number(torch.cat([places + step, places - step]))
            outer, inner = (winding.abs() > settings.WINDING_INSIDE).chunk(2)
            places = places[outer != inner]
        limit = settings.FAR_OFF * scale
        return data_missed(places, mesh, limit, scale, "places of the target")

    @property
    def knows_sides(self) -> bool:
        """See `Target.knows_sides`: of a mesh that is not open."""
        return not self.is_open

    def _sharp_edges(self, angle: float) -> tuple[Tensor, Tensor]:
        """Ends (S, 2, 3) of the edges between two faces that meet at more than `angle`."""
        faces, normals = self.mesh.faces, self.normals
        half = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
        owner = torch.arange(len(faces), device=faces.device).repeat(3)
        key = half[:, 0] * self.mesh.num_vertices + half[:, 1]
        order = torch.argsort(key, stable=True)
        key, owner, half = key[order], owner[order], half[order]
        pair = (key[1:] == key[:-1]).nonzero().squeeze(1)
        cosine = (normals[owner[pair]] * normals[owner[pair + 1]]).sum(1)
        sharp = half[pair[cosine < math.cos(math.radians(angle))]]
        ends = self.mesh.vertices[sharp]
        return ends, (ends[:, 1] - ends[:, 0]).norm(dim=1)

    def field(self, points: Tensor) -> Tensor:
        return self.bvh.signed_distance(points.to(self.mesh.vertices))

    def shell(self, points: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """See `Target.shell`: a template through the mesh that spans its openings, and the
        distance to its boundary."""
        if not self.is_open:
            return super().shell(points, scale)
        points = points.to(self.mesh.vertices)
        size = float((self._bounds[1] - self._bounds[0]).max())
        distance = self.bvh.closest(points).squared_distance.clamp(min=0).sqrt()
        field = template_field(self.bvh.winding_number, distance, points, size)
        return field, self._msdf(points, scale)

    def _msdf(self, points: Tensor, scale: float) -> Tensor:
        found = self.bvh.closest(points)
        corners = self.mesh.vertices[self.mesh.faces[found.face]]
        closest = (corners * found.barycentric[..., None].to(corners)).sum(1)
        return self.boundary.msdf(points, closest, settings.TEMPLATE_REACH * scale)

    def evidence(self, template: Mesh, scale: float) -> Tensor:
        """See `Target.evidence`: whether the template's vertices lie beyond the boundary."""
        if not self.is_open:
            return torch.ones_like(template.vertices[:, 0])
        return (self._msdf(template.vertices, scale) / scale).clamp(-1, 1)

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        mine = geometry.sample_surface(mesh, self.samples, generator=generator)
        to_target = self.bvh.closest(mine.points)
        theirs = geometry.sample_surface(self.mesh, self.samples, generator=generator)
        bvh = geometry.MeshBVH(mesh)
        to_fit = bvh.closest(theirs.points)
        normals = mesh.face_normals()
        cosines = (
            (
                gather(normals, Incidence(mine.faces, mesh.num_faces))
                * self.normals[to_target.face]
            ).sum(1),
            (
                gather(normals, Incidence(to_fit.face, mesh.num_faces)) * self.normals[theirs.faces]
            ).sum(1),
        )
        terms = {
            "distance": surface_distance(to_target.squared_distance, scale)
            + surface_distance(to_fit.squared_distance, scale),
            "normal": stable_mean(1 - cosines[0]) + stable_mean(1 - cosines[1]),
        }
        if len(self._sharp):
            points = self._sample_sharp(generator)
            terms["sharp"] = surface_distance(bvh.closest(points).squared_distance, scale)
        rim = boundary_loss(mesh, self.boundary, scale)
        if rim is not None:
            terms["boundary"] = rim
        return terms

    def _sample_sharp(self, generator: torch.Generator) -> Tensor:
        n = max(1, self.samples // settings.SHARP_SHARE)
        total = torch.cumsum(self._sharp_length.double(), 0)
        u = torch.rand(n, generator=generator, dtype=torch.float64).to(total.device) * total[-1]
        edge = torch.searchsorted(total, u, right=True).clamp(max=len(total) - 1)
        t = torch.rand(n, 1, generator=generator).to(self._sharp)
        ends = self._sharp[edge]
        return ends[:, 0] + (ends[:, 1] - ends[:, 0]) * t


def are_walls(bvh: geometry.MeshBVH) -> bool:
    """Whether the components of a closed mesh bound one solid as they are: outside of each nothing
    is, and within it the solid, as of parts side by side, and of cavities.

    False for more components than are compared, and where boxes meet and any faces intersect.
    """
    mesh = bvh.mesh
    found = mesh.topology.components()
    if not boxes_meet(mesh):
        return True
    if found.count > settings.COMPONENTS_COMPARED or bool((self_intersections(mesh) >= 0).any()):
        return False
    area = mesh.face_areas().double()
    order = torch.argsort(area, stable=True)
    by_part = order[torch.argsort(found.labels[order], stable=True)]
    last = torch.bincount(found.labels, minlength=found.count).cumsum(0) - 1
    widest = by_part[last]  # the largest face of each part
    middle = mesh.vertices[mesh.faces[widest]].mean(1)
    step = settings.BESIDE * area[widest].sqrt()[:, None].to(middle) * mesh.face_normals()[widest]
    outer, inner = bvh.winding_number(torch.cat([middle + step, middle - step])).chunk(2)
    return bool((outer.round() == 0).all() and (inner.round() == 1).all())


def boxes_meet(mesh: Mesh) -> bool:
    """Whether the boxes of two components of a mesh meet; True for more components than are
    compared."""
    found = mesh.topology.components()
    if found.count < 2:
        return False
    if found.count > settings.COMPONENTS_COMPARED:
        return True
    corner = mesh.vertices[mesh.faces].double()
    place = found.labels[:, None].expand(-1, 3)
    low = corner.new_full((found.count, 3), torch.inf)
    low = low.scatter_reduce(0, place, corner.amin(1), "amin")
    high = torch.full_like(low, -torch.inf).scatter_reduce(0, place, corner.amax(1), "amax")
    meets = ((low[:, None] <= high[None]) & (low[None] <= high[:, None])).all(2)
    return bool(meets.fill_diagonal_(False).any())
