"""What a mesh is fitted to: a mesh, points, a field, images. Each gives a start and losses.

Distances are divided by the representation's `scale` (the edge of a cell), so that weights and
learning rates hold for any size of object and grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import Incidence, gather, stable_mean
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.isosurface import VoxelGrid
from meshlearn.losses import normal_consistency_loss
from meshlearn.mesh import Mesh
from meshlearn.reconstruct.contours import FromContours
from meshlearn.reconstruct.images import FromImages
from meshlearn.reconstruct.open_surfaces import (
    MeshBoundary,
    boundary_loss,
    is_open,
    template_field,
)
from meshlearn.reconstruct.point_normals import (
    estimate_normals,
    flooded,
    point_noise,
    smooth_points,
)
from meshlearn.reconstruct.target import Target, surface_distance

__all__ = ["FromContours", "FromField", "FromImages", "FromMesh", "FromPoints", "Target"]


class FromMesh(Target):
    """Fit to the surface of a mesh, closed or not quite.

    Args:
        mesh: the target; its inside is decided by the generalised winding number.
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

    default_weights = dict(distance=1.0, normal=0.1, sharp=0.1, boundary=0.2)  # noqa: RUF012

    def __init__(self, mesh: Mesh, *, samples: int = 20_000, sharp_angle: float = 30.0) -> None:
        wrong = int((~torch.isfinite(mesh.vertices)).any(1).sum())
        if wrong:
            raise ValueError(
                f"mesh: expected finite vertices to fit to, got {wrong} of {mesh.num_vertices} "
                "with NaN or infinite coordinates; remove them first"
            )
        self.bvh = geometry.MeshBVH(mesh.detach())
        if samples < 1:
            raise ValueError(f"samples: expected at least 1, got {samples}")
        self.mesh, self.samples = self.bvh.mesh, int(samples)
        self.normals = self.mesh.face_normals()
        self._bounds = self.mesh.vertices[self.mesh.faces.reshape(-1).unique()]
        self._bounds = torch.stack([self._bounds.amin(0), self._bounds.amax(0)])
        self._sharp, self._sharp_length = self._sharp_edges(sharp_angle)
        self.is_open = is_open(self.mesh)
        self.boundary = MeshBoundary(self.mesh)

    @property
    def bounds(self) -> Tensor:
        return self._bounds

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
        return self.boundary.msdf(points, closest, 1.5 * scale)

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
        n = max(1, self.samples // 4)
        total = torch.cumsum(self._sharp_length.double(), 0)
        u = torch.rand(n, generator=generator, dtype=torch.float64).to(total.device) * total[-1]
        edge = torch.searchsorted(total, u, right=True).clamp(max=len(total) - 1)
        t = torch.rand(n, 1, generator=generator).to(self._sharp)
        ends = self._sharp[edge]
        return ends[:, 0] + (ends[:, 1] - ends[:, 0]) * t


class FromField(Target):
    """Fit to the zero set of a field.

    Args:
        field: a function of points (P, 3) -> (P,), negative inside, differentiable by autograd.
        bounds: (2, 3) box that holds the surface.
        samples: points drawn on the fit at each step.

    Loss terms, in cells: ``distance`` (|f| / |grad f| at samples, the distance to first order),
    ``normal`` (1 - cosine to the field's gradient).

    Example:
        >>> target = FromField(lambda p: p.norm(dim=1) - 0.5, bounds=((-1, -1, -1), (1, 1, 1)))
    """

    default_weights = {"distance": 1.0, "normal": 0.1}  # noqa: RUF012

    def __init__(
        self,
        field: Callable[[Tensor], Tensor],
        *,
        bounds: Sequence[Sequence[float]] | Tensor,
        samples: int = 20_000,
    ) -> None:
        if not callable(field):
            raise ValueError(f"field: expected a function of points, got {type(field).__name__}")
        if samples < 1:
            raise ValueError(f"samples: expected at least 1, got {samples}")
        self._field, self.samples = field, int(samples)
        self._bounds = torch.as_tensor(bounds, dtype=torch.float64)
        if self._bounds.shape != (2, 3):
            raise ValueError(f"bounds: expected shape (2, 3), got {tuple(self._bounds.shape)}")

    @classmethod
    def from_grid(cls, grid: VoxelGrid, values: Tensor, *, samples: int = 20_000) -> FromField:
        """The field that interpolates `values` (N,) on a grid trilinearly."""
        volume = grid.check_field(values, "values").detach().view(1, 1, *grid.shape)
        low = torch.tensor(grid.bounds[0], dtype=grid.dtype, device=grid.device)
        high = torch.tensor(grid.bounds[1], dtype=grid.dtype, device=grid.device)

        def field(points: Tensor) -> Tensor:
            at = ((points - low) / (high - low) * 2 - 1).flip(1)
            found = torch.nn.functional.grid_sample(
                volume, at[None, :, None, None], align_corners=True, padding_mode="border"
            )
            return found.reshape(-1)

        return cls(field, bounds=grid.bounds, samples=samples)

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    def field(self, points: Tensor) -> Tensor:
        with torch.no_grad():
            return self._field(points).reshape(-1)

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        mine = geometry.sample_surface(mesh, self.samples, generator=generator)
        probe = mine.points.detach().requires_grad_()
        with torch.enable_grad():
            value = self._field(probe).reshape(-1)
            gradient = torch.autograd.grad(value.sum(), probe)[0]
        length = gradient.norm(dim=1).clamp(min=1e-6)
        direction = gradient / length[:, None]
        # Distance to first order, as a function of the sample: f(p0) + grad f . (p - p0), over
        # |grad f|.
        moved = ((mine.points - probe.detach()) * direction).sum(1)
        distance = (value.detach() / length).clamp(-4 * scale, 4 * scale) + moved
        normals = mesh.face_normals()[mine.faces]
        return {
            "distance": surface_distance(distance**2, scale),
            "normal": stable_mean(1 - (normals * direction).sum(1)),
        }


class FromPoints(Target):
    """Fit to a point cloud, with or without normals.

    Args:
        points: (P, 3) float32 or float64, at least 16.
        normals: (P, 3) outward; None for unoriented points.
        samples: points drawn on the fit at each step.
        noise: standard deviation of the points, in their own unit; distances within it cost less.
            None: estimated, and points that are noisier than a third of their spacing are first
            moved onto the planes of their neighbours, see `smooth_points`.

    The starting field comes from the winding number of the oriented points; without normals from
    what lies behind the cloud seen from outside (a flood fill around the dilated points).

    Loss terms, in cells: ``points`` (distance of the points to the fit), ``surface`` (distance of
    samples of the fit to the points, beyond the spacing of the points), ``normal`` (with normals),
    ``smooth`` (1 - cosine between neighbouring faces).

    Source: Barill et al. (2018) for the winding number of points.
    """

    default_weights = {"points": 1.0, "surface": 0.5, "normal": 0.05, "smooth": 0.1}  # noqa: RUF012

    def __init__(
        self,
        points: Tensor,
        normals: Tensor | None = None,
        *,
        samples: int = 20_000,
        noise: float | None = None,
    ) -> None:
        check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
        if len(points) < 16:
            raise ValueError(f"points: expected at least 16 to fit a surface to, got {len(points)}")
        if normals is not None:
            check_tensor(normals, "normals", shape=tuple(points.shape), finite=True)
            normals = torch.nn.functional.normalize(normals.to(points), dim=1)
        self.points, self.normals, self.samples = points.detach(), normals, int(samples)
        self._unoriented = normals is None
        self._bounds = torch.stack([points.amin(0), points.amax(0)])
        near, _ = geometry.knn(self.points, self.points, 7)
        self._area = math.pi * near[:, 6] / 6  # of a disc that holds six neighbours
        self.spacing = float(near[:, 1:].sqrt().mean(1).median())
        if not self.spacing > 0:
            raise ValueError("points: expected distinct points, got mostly one place")
        self.noise = point_noise(self.points) if noise is None else float(noise)
        if noise is None and self.noise > 0.33 * self.spacing:
            self.points = smooth_points(self.points, self.noise)
            self.noise *= 0.25

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    def field(self, points: Tensor) -> Tensor:
        points = points.to(self.points)
        squared, index = geometry.knn(points, self.points, 1)
        distance = squared[:, 0].sqrt()
        if self.normals is not None:
            inside = self._winding(points) > 0.5
            near = distance < 2 * self.spacing
            offset = points - self.points[index[:, 0]]
            behind = (offset * self.normals[index[:, 0]]).sum(1)
            return torch.where(near, behind, torch.where(inside, -distance, distance))
        return self._flooded(points, distance)

    def shell(self, points: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """See `Target.shell`: a template through the points by their winding number, and how much
        nearer than their reach the points are. Unoriented points are oriented first."""
        points = points.to(self.points)
        if self.normals is None:
            self.normals = estimate_normals(self.points)
            self._unoriented = True
        squared, index = geometry.knn(points, self.points, 4)
        distance = squared[:, 0].sqrt()
        offset = points[:, None] - self.points[index]
        behind = (offset * self.normals[index]).sum(2).mean(1)
        size = float((self._bounds[1] - self._bounds[0]).max())
        field = template_field(self._winding, distance, points, size)
        near = distance < 2 * self.spacing
        return torch.where(near, behind, field), self._reach(scale) - distance

    def _reach(self, scale: float) -> float:
        """How far from a point the surface may go on: gaps of the sampling are no openings."""
        return max(1.5 * self.spacing, 0.75 * scale) + 2 * self.noise

    def evidence(self, template: Mesh, scale: float) -> Tensor:
        """See `Target.evidence`: whether points are near the template's vertices."""
        distance = geometry.knn(template.vertices, self.points, 1)[0][:, 0].sqrt()
        reach = self._reach(scale)
        return (2 * (reach - distance) / reach).clamp(-1, 1)

    def _winding(self, query: Tensor, most: int = 4000) -> Tensor:
        """Winding number of the oriented points; of `most` of them, their areas scaled up."""
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(self.points), generator=generator)[:most]
        assert self.normals is not None
        weight = self._area[chosen] * (len(self.points) / len(chosen))
        source, dipole = self.points[chosen], self.normals[chosen] * weight[:, None]
        closest = (self._area[chosen].mean() / math.pi * len(self.points) / len(chosen)).sqrt()
        found = []
        for part in query.split(4096):
            r = source - part[:, None]
            far = r.norm(dim=2).clamp(min=float(closest))
            found.append(((r * dipole).sum(2) / far**3).sum(1) / (4 * math.pi))
        return torch.cat(found) if found else query[:, 0]

    def _flooded(self, query: Tensor, distance: Tensor) -> Tensor:
        """Distance, negative where a flood from outside does not come."""
        reach = 1.5 * self.spacing
        box = self._bounds.double().cpu()
        size = float((box[1] - box[0]).max())
        for cells in (96, 64, 48, 32, 24, 16):
            pad = max(3 * reach, 3 * size / cells)
            low, high = box[0] - pad, box[1] + pad
            step = float((high - low).max()) / cells
            shape = [int(n) for n in torch.ceil((high - low) / step).long() + 1]
            lines = [low[a] + step * torch.arange(n) for a, n in enumerate(shape)]
            lattice = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).view(-1, 3)
            near, _ = geometry.knn(lattice.to(self.points), self.points, 1)
            wall = (near[:, 0].sqrt() < max(reach, 0.87 * step)).view(shape)
            free = flooded(~wall)
            enclosed = ~wall & ~free
            if int(enclosed.sum()) > 0:
                break
        outside = torch.nn.functional.max_pool3d(free[None, None].float(), 3, 1, 1)[0, 0] > 0
        at = torch.round((query.double() - low.to(query.device)) / step).long()
        index = torch.stack([at[:, a].clamp(0, shape[a] - 1) for a in range(3)], 1)
        out = outside[index[:, 0], index[:, 1], index[:, 2]].to(query.device)
        return torch.where(out, distance, -distance) - 0.5 * step * (~out)

    def distance(self, points: Tensor) -> tuple[Tensor, Tensor] | None:
        """Distance to the points, less their spacing and as it is, where no normals tell sides."""
        if self.normals is not None:
            return None
        found = geometry.knn(points.to(self.points), self.points, 1)[0][:, 0].sqrt()
        return (found - self.spacing).clamp(min=0), found

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        count = min(self.samples, len(self.points))
        chosen = torch.randperm(len(self.points), generator=generator)[:count]
        bvh = geometry.MeshBVH(mesh)
        to_fit = bvh.closest(self.points[chosen])
        mine = geometry.sample_surface(mesh, self.samples, generator=generator)
        near, _ = geometry.knn(mine.points, self.points, 1)
        beyond = (near[:, 0] - self.spacing**2).clamp(min=0)
        soft = (self.noise / scale) ** 2 + 1e-4
        terms = {
            "points": stable_mean((to_fit.squared_distance / scale**2 + soft).sqrt()),
            "surface": stable_mean((beyond / scale**2 + 1e-4).sqrt()),
            "smooth": normal_consistency_loss(mesh),
        }
        if self.normals is not None and not self._unoriented:
            normals = mesh.face_normals()[to_fit.face]
            terms["normal"] = stable_mean(1 - (normals * self.normals[chosen]).sum(1))
        return terms
