"""Fits to point clouds, with or without normals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import stable_mean
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.losses import normal_consistency_loss
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.noise import point_noise
from meshlearn.reconstruct.poisson.orientation import oriented_normals
from meshlearn.reconstruct.poisson.planes import smoothed_points
from meshlearn.reconstruct.targets.base import Target
from meshlearn.reconstruct.targets.boundary import template_field
from meshlearn.reconstruct.targets.dipoles import dipole_sum
from meshlearn.reconstruct.targets.flood import Flood
from meshlearn.reconstruct.targets.noisy_points import NoisySurface, near_distance, noisy_surface
from meshlearn.reconstruct.targets.point_normals import (
    agreeing_normals,
    estimate_normals,
)
from meshlearn.reconstruct.targets.support import Doubt, data_missed, mesh_beyond, supported


class FromPoints(Target):
    """Fit to a point cloud, with or without normals.

    Args:
        points: (P, 3) float32 or float64, at least 16.
        normals: (P, 3) outward; None for unoriented points. Those that are zero, point inward or
            have mixed signs are mended where they can be, which is warned of; see
            `agreeing_normals`.
        samples: points drawn on the fit at each step.
        noise: standard deviation of the points, in their own unit; distances within it cost less.
            None: measured. Instead of points that are noisier than a sixth of their spacing, places
            on the surface that they make together are fitted to, see `noisy_surface`; or the
            points moved onto the surface between their neighbours, see `smoothed_points`.

    The starting field comes from the winding number of the oriented points; without normals from
    what lies behind the cloud seen from outside (a flood fill around the dilated points), or where
    that comes in through an opening, from estimated normals. Of noisy points it is the distance
    from the surface that they make together, where most of that is near them, and of many oriented
    ones; few steps on the finest grid are enough from there (`enough_steps`). `report` tells.

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
        self._measure()
        if not self.spacing > 0:
            raise ValueError(
                "points: expected distinct points, got most of them several times at one place; "
                "keep one of each"
            )
        self.noise = point_noise(self.points) if noise is None else float(noise)
        self._solid: geometry.MeshBVH | None = None
        self._report: dict[str, object] = {
            "points": len(points), "spacing": self.spacing, "noise": self.noise, "outliers": 0,
            "smoothed": False, "start": "flood" if normals is None else "winding number",
        }  # fmt: skip
        if self.noise > settings.NOISY * self.spacing:
            self._smooth()
        elif normals is not None and len(points) >= settings.STARTED_FROM:
            self._start_from(noisy_surface(self.points, self.normals, self.noise))

    def _measure(self) -> None:
        """Areas and spacing of the points as they are."""
        ring = settings.RING
        near, _ = geometry.knn(self.points, self.points, ring + 1)
        self._area = math.pi * near[:, ring] / ring  # of a disc that holds so many neighbours
        self.spacing = float(near[:, 1:].sqrt().mean(1).median())

    def _smooth(self) -> None:
        """Places on the surface that noisy points make together, instead of them."""
        found = noisy_surface(self.points, self.normals, self.noise)
        if found is not None:
            self.points, self.normals, self._unoriented = found.points, found.normals, False
            self._bounds = torch.stack([found.points.amin(0), found.points.amax(0)])
            self._start_from(found)
            self._report["outliers"] = found.outliers
            self._measure()
        else:
            noise, spacing = self.noise, self.spacing
            facing = self.normals
            if facing is None:
                facing = oriented_normals(self.points, noise=noise, spacing=spacing)
            found_points = smoothed_points(self.points, facing, noise=noise, spacing=spacing)
            self.points = found_points[0]
        self._report["smoothed"] = True
        self.noise *= settings.NOISE_LEFT

    def _start_from(self, found: NoisySurface | None) -> None:
        """The surface that the points make together as the start of a fit, unless it is open."""
        if found is None or found.open > settings.STARTED_OPEN:
            return
        self._solid = geometry.MeshBVH(found.mesh)
        low, high = found.mesh.bounds()
        self._bounds = torch.stack(
            [torch.minimum(low, self._bounds[0]), torch.maximum(high, self._bounds[1])]
        )
        self._report |= {"start": "poisson", "enough_steps": self.enough_steps}

    @property
    def enough_steps(self) -> int | None:
        """See `Target.enough_steps`: few where the start is the surface of the points."""
        return None if self._solid is None else settings.STARTED_STEPS

    def report(self) -> dict[str, object]:
        """See `Target.report`: what was measured of the points, and what was done for it."""
        return self._report

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

    def finish(self, mesh: Mesh) -> Mesh:
        """Without the parts that too few points lie at to enclose one: crumbs, and outliers'."""
        return supported(mesh, self.points, least=settings.LEAST_OF_PART)

    def doubts(self, mesh: Mesh, scale: float) -> list[Doubt]:
        """See `Target.doubts`: points far from the fit, and the fit far from points."""
        noise = settings.GAP_NOISE * self.noise
        near = settings.FAR_OFF * scale + noise
        wide = settings.FAR_OFF * max(scale, self.spacing) + noise
        return [
            *data_missed(self.points, mesh, near, scale, "points"),
            *mesh_beyond(mesh, self.points, wide, scale, "points"),
        ]

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    @property
    def knows_sides(self) -> bool:
        """See `Target.knows_sides`: by normals, or where the points enclose something."""
        return True

    def field(self, points: Tensor) -> Tensor:
        points = points.to(self.points)
        if self._solid is not None:
            return near_distance(self._solid, points)
        squared, index = geometry.knn(points, self.points, 1)
        distance = squared[:, 0].sqrt()
        normals = self._sides if self.normals is None else self.normals
        if normals is None:
            return self._flood.signed(points, distance)
        inside = self._winding(points, normals) > settings.WINDING_INSIDE
        near = distance < settings.NEAR_POINTS * self.spacing
        offset = points - self.points[index[:, 0]]
        behind = (offset * normals[index[:, 0]]).sum(1)
        return torch.where(near, behind, torch.where(inside, -distance, distance))

    @cached_property
    def _flood(self) -> Flood:
        return Flood(self.points, self._bounds, self.spacing)

    @cached_property
    def _sides(self) -> Tensor | None:
        """(P, 3) estimated normals of unoriented points that enclose a space but for an opening, as
        a bin does; None where a flood finds what they enclose, or nothing does."""
        flood = self._flood
        if flood.enclosed > settings.FLOOD_CLEAR * flood.wall:
            return None
        places, away = flood.lattice()
        places = places[away > settings.NEAR_POINTS * self.spacing]
        if not len(places):
            return None
        order = torch.randperm(len(places), generator=torch.Generator().manual_seed(0))
        part = min(1.0, settings.SIDE_PLACES / len(places))
        places = places[order[: settings.SIDE_PLACES].to(places.device)]
        normals = estimate_normals(self.points)
        winding = self._winding(places, normals)
        inside = winding > settings.WINDING_INSIDE
        deep = int((winding > settings.WINDING_DEEP).sum())
        if (
            float(winding.amin()) < -settings.WINDING_SANE
            or float(winding.amax()) > 1 + settings.WINDING_SANE
            or deep < settings.DEEP_SHARE * int(inside.sum())
            or deep <= 2 * part * flood.enclosed
        ):
            return None
        warnings.warn(
            "points: they enclose a space but for an opening, which is closed; their sides are "
            "those of estimated normals (method 'gshell' fits it open)",
            stacklevel=3,
        )
        return normals

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
        field = template_field(self._outward, distance, points, size)
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

    def _outward(self, query: Tensor) -> Tensor:
        """Winding number by the normals that there are."""
        assert self.normals is not None
        return self._winding(query, self.normals)

    def _winding(
        self, query: Tensor, normals: Tensor, most: int = settings.WINDING_POINTS
    ) -> Tensor:
        """Winding number of the oriented points; of `most` of them, their areas scaled up."""
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(self.points), generator=generator)[:most]
        weight = self._area[chosen] * (len(self.points) / len(chosen))
        dipole = normals[chosen] * (weight / (4 * math.pi))[:, None]
        closest = (self._area[chosen].mean() / math.pi * len(self.points) / len(chosen)).sqrt()
        return dipole_sum(query, self.points[chosen], dipole, float(closest))

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
