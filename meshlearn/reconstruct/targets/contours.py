"""Fits to contours: curves that lie on a surface, such as its sections, with nothing between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.losses import normal_consistency_loss
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import Target, surface_distance


class FromContours(Target):
    """Fit to curves on a surface. What is between them comes from the representation: a `DeepMesh`
    whose network was trained on such shapes.

    Args:
        contours: polylines (P_k, 3), P_k >= 2, all of one dtype and device, finite.
        closed: whether the last point of each is joined to its first.
        samples: points along all curves, at equal steps.

    Loss terms, in cells: ``contours`` (mean distance of the points to the fit) and ``smooth`` (1 -
    cosine between neighbouring faces).

    Example:
        >>> target = FromContours([short_axis, long_axis])
        >>> result = fit(model.fitting(target.bounds), target, steps=60)
    """

    default_weights = settings.CONTOUR_WEIGHTS

    def __init__(
        self,
        contours: Sequence[Tensor],
        *,
        closed: bool = True,
        samples: int = settings.CONTOUR_SAMPLES,
    ) -> None:
        if not len(contours):
            raise ValueError("contours: expected one or more, got none")
        for k, curve in enumerate(contours):
            check_tensor(
                curve,
                f"contours[{k}]",
                shape=("P", 3),
                dtype=contours[0].dtype if k else FLOATS,
                device=contours[0].device if k else None,
                finite=True,
            )
            if len(curve) < 2:
                raise ValueError(f"contours[{k}]: expected 2 points or more, got {len(curve)}")
        ends = []
        for curve in contours:
            curve = curve.detach()
            following = curve.roll(-1, 0) if closed else curve[1:]
            ends.append(torch.stack([curve[: len(following)], following], 1))
        self.segments = torch.cat(ends)  # (S, 2, 3)
        length = (self.segments[:, 1] - self.segments[:, 0]).norm(dim=1).double()
        total = float(length.sum())
        if not 0 < total < math.inf:
            raise ValueError("contours: expected curves with some length, got points in one place")
        at = (torch.arange(samples, dtype=torch.float64, device=length.device) + 0.5) / samples
        reach = length.cumsum(0)
        piece = torch.searchsorted(reach, at * total).clamp(max=len(length) - 1)
        part = (at * total - reach[piece] + length[piece]) / length[piece].clamp(min=1e-300)
        first, last = self.segments[piece].unbind(1)
        self.points = first + (last - first) * part[:, None].to(first)

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """See `Target.given`."""
        return (self.segments,)

    @property
    def bounds(self) -> Tensor:
        return torch.stack([self.points.amin(0), self.points.amax(0)])

    def field(self, points: Tensor) -> Tensor:
        raise ValueError(
            "contours: they say nothing of what is inside; fit a DeepMesh with a trained network"
        )

    def distance(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The surface is at most as far as the curves."""
        found = geometry.knn(points.to(self.points), self.points, 1)[0][:, 0].sqrt()
        return torch.zeros_like(found), found

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        squared = geometry.MeshBVH(mesh).closest(self.points).squared_distance
        return {
            "contours": surface_distance(squared, scale),
            "smooth": normal_consistency_loss(mesh),
        }
