"""Fits to point clouds, with or without normals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import stable_mean
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.losses import normal_consistency_loss
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import Target
from meshlearn.reconstruct.targets.boundary import template_field
from meshlearn.reconstruct.targets.point_normals import (
    agreeing_normals,
    estimate_normals,
    flooded,
    point_noise,
    smooth_points,
)


class FromPoints(Target):
    """Fit to a point cloud, with or without normals.

    Args:
        points: (P, 3) float32 or float64, at least 16.
        normals: (P, 3) outward; None for unoriented points. Those that are zero, point inward or
            have mixed signs are mended where they can be, which is warned of; see
            `agreeing_normals`.
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

    default_weights = settings.POINT_WEIGHTS

    def __init__(
        self,
        points: Tensor,
        normals: Tensor | None = None,
        *,
        samples: int = settings.SAMPLES,
        noise: float | None = None,
    ) -> None:
        check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
        if len(points) < settings.LEAST_POINTS:
            raise ValueError(
                f"points: expected at least {settings.LEAST_POINTS} to fit a surface to, got "
                f"{len(points)}"
            )
        self._noise = None if noise is None else float(noise)
        self._given = (points.detach(), None if normals is None else normals.detach())
        if normals is not None:
            check_tensor(normals, "normals", shape=tuple(points.shape), finite=True)
            normals, said = agreeing_normals(points.detach(), normals.detach().to(points))
            for sentence in said:
                warnings.warn(sentence, stacklevel=2)
        self.points, self.normals, self.samples = points.detach(), normals, int(samples)
        self._unoriented = normals is None
        self._bounds = torch.stack([points.amin(0), points.amax(0)])
        ring = settings.RING
        near, _ = geometry.knn(self.points, self.points, ring + 1)
        self._area = math.pi * near[:, ring] / ring  # of a disc that holds so many neighbours
        self.spacing = float(near[:, 1:].sqrt().mean(1).median())
        if not self.spacing > 0:
            raise ValueError("points: expected distinct points, got mostly one place")
        self.noise = point_noise(self.points) if noise is None else float(noise)
        if noise is None and self.noise > settings.NOISY * self.spacing:
            self.points = smooth_points(self.points, self.noise)
            self.noise *= settings.NOISE_LEFT

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """See `Target.given`."""
        return self._given

    def why_empty(self, scale: float) -> str:
        """See `Target.why_empty`."""
        return (
            f"the points enclose nothing that cells of {scale:.4g} show: they are open (method "
            "'gshell' fits open ones), or walls are thinner than a cell (raise the resolution)"
        )

    def options(self) -> dict[str, object]:
        """See `Target.options`."""
        return {"samples": self.samples, "noise": self._noise}

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    @property
    def knows_sides(self) -> bool:
        """See `Target.knows_sides`: by normals, or where the points enclose something."""
        return True

    def field(self, points: Tensor) -> Tensor:
        points = points.to(self.points)
        squared, index = geometry.knn(points, self.points, 1)
        distance = squared[:, 0].sqrt()
        if self.normals is not None:
            inside = self._winding(points) > settings.WINDING_INSIDE
            near = distance < settings.NEAR_POINTS * self.spacing
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
        squared, index = geometry.knn(points, self.points, settings.SHEET_NEIGHBOURS)
        distance = squared[:, 0].sqrt()
        offset = points[:, None] - self.points[index]
        behind = (offset * self.normals[index]).sum(2).mean(1)
        size = float((self._bounds[1] - self._bounds[0]).max())
        field = template_field(self._winding, distance, points, size)
        near = distance < settings.NEAR_POINTS * self.spacing
        return torch.where(near, behind, field), self._reach(scale) - distance

    def _reach(self, scale: float) -> float:
        """How far from a point the surface may go on: gaps of the sampling are no openings."""
        gap = max(settings.GAP_SPACINGS * self.spacing, settings.GAP_CELLS * scale)
        return gap + settings.GAP_NOISE * self.noise

    def evidence(self, template: Mesh, scale: float) -> Tensor:
        """See `Target.evidence`: whether points are near the template's vertices."""
        distance = geometry.knn(template.vertices, self.points, 1)[0][:, 0].sqrt()
        reach = self._reach(scale)
        return (2 * (reach - distance) / reach).clamp(-1, 1)

    def _winding(self, query: Tensor, most: int = settings.WINDING_POINTS) -> Tensor:
        """Winding number of the oriented points; of `most` of them, their areas scaled up."""
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(self.points), generator=generator)[:most]
        assert self.normals is not None
        weight = self._area[chosen] * (len(self.points) / len(chosen))
        source, dipole = self.points[chosen], self.normals[chosen] * weight[:, None]
        closest = (self._area[chosen].mean() / math.pi * len(self.points) / len(chosen)).sqrt()
        found = []
        for part in query.split(settings.WINDING_CHUNK):
            r = source - part[:, None]
            far = r.norm(dim=2).clamp(min=float(closest))
            found.append(((r * dipole).sum(2) / far**3).sum(1) / (4 * math.pi))
        return torch.cat(found) if found else query[:, 0]

    def _flooded(self, query: Tensor, distance: Tensor) -> Tensor:
        """Distance, negative where a flood from outside does not come."""
        reach = settings.FLOOD_REACH * self.spacing
        box = self._bounds.double().cpu()
        size = float((box[1] - box[0]).max())
        for cells in settings.FLOOD_CELLS:
            pad = max(settings.FLOOD_PAD * reach, settings.FLOOD_PAD * size / cells)
            low, high = box[0] - pad, box[1] + pad
            step = float((high - low).max()) / cells
            shape = [int(n) for n in torch.ceil((high - low) / step).long() + 1]
            lines = [low[a] + step * torch.arange(n) for a, n in enumerate(shape)]
            lattice = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).view(-1, 3)
            near, _ = geometry.knn(lattice.to(self.points), self.points, 1)
            wall = (near[:, 0].sqrt() < max(reach, settings.FLOOD_WALL * step)).view(shape)
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
        soft = (self.noise / scale) ** 2 + settings.SOFT
        terms = {
            "points": stable_mean((to_fit.squared_distance / scale**2 + soft).sqrt()),
            "surface": stable_mean((beyond / scale**2 + settings.SOFT).sqrt()),
            "smooth": normal_consistency_loss(mesh),
        }
        if self.normals is not None and not self._unoriented:
            normals = mesh.face_normals()[to_fit.face]
            terms["normal"] = stable_mean(1 - (normals * self.normals[chosen]).sum(1))
        return terms
