"""Fits to the zero set of a field, such as a sampled volume."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import stable_mean
from meshlearn.io.volume import Volume
from meshlearn.isosurface import (
    SparseVoxelGrid,
    VoxelGrid,
    dual_marching_cubes,
    marching_cubes,
)
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import Target, surface_distance

PROBES = 8  # places along each side of the box, by whose values a function is known again; by hand

SAMPLES_COMPARED = 1 << 24  # of a volume whose own surface is held against the fit; by hand


def _crossed(values: Tensor) -> bool:
    inside = values < 0
    return bool(inside.any()) and not bool(inside.all())


def _compared(mesh: Mesh | None) -> Mesh | None:
    """A mesh whose topology can be asked for: closed, and of no more parts than noise has."""
    if mesh is None or mesh.num_faces == 0 or not mesh.is_watertight:
        return None
    return mesh if mesh.topology.components().count <= settings.COMPONENTS_COMPARED else None


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

    default_weights = settings.FIELD_WEIGHTS

    def __init__(
        self,
        field: Callable[[Tensor], Tensor],
        *,
        bounds: Sequence[Sequence[float]] | Tensor,
        samples: int = settings.SAMPLES,
    ) -> None:
        if not callable(field):
            raise ValueError(f"field: expected a function of points, got {type(field).__name__}")
        if samples < 1:
            raise ValueError(f"samples: expected at least 1, got {samples}")
        self._field, self.samples = field, int(samples)
        self._samples: tuple[Tensor, ...] = ()
        if isinstance(field, Volume):
            self._samples = (field.values, field.affine)
        self._bounds = torch.as_tensor(bounds, dtype=torch.float64)
        if self._bounds.shape != (2, 3):
            raise ValueError(f"bounds: expected shape (2, 3), got {tuple(self._bounds.shape)}")

    @classmethod
    def from_grid(
        cls, grid: VoxelGrid, values: Tensor, *, samples: int = settings.SAMPLES
    ) -> FromField:
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

        made = cls(field, bounds=grid.bounds, samples=samples)
        made._samples = (values.detach(),)
        return made

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """See `Target.given`: the samples that the field is made of; of a function its box alone,
        see `probe`."""
        return (self._bounds, *self._samples)

    def probe(self, device: torch.device) -> Tensor | None:
        """See `Target.probe`: what a function says on a lattice in its box."""
        if self._samples:
            return None
        steps = (torch.arange(PROBES, dtype=torch.float64) + 0.5) / PROBES
        low, high = self._bounds.cpu()
        places = low + torch.cartesian_prod(steps, steps, steps) * (high - low)
        return self.field(places.to(device, torch.float32)).double().cpu()

    def options(self) -> dict[str, object]:
        """See `Target.options`."""
        return {"samples": self.samples}

    @property
    def bounds(self) -> Tensor:
        return self._bounds

    @property
    def knows_sides(self) -> bool:
        """See `Target.knows_sides`."""
        return True

    def field(self, points: Tensor) -> Tensor:
        with torch.no_grad():
            return self._field(points).reshape(-1)

    @cached_property
    def solid(self) -> Mesh | None:
        """Of a volume the surface of its samples, capped at its border; of a function None."""
        volume = self._field
        if not isinstance(volume, Volume) or volume.values.numel() > SAMPLES_COMPARED:
            return None
        values = volume.values.detach()
        if min(values.shape) < 2:
            return None
        grid = VoxelGrid(
            tuple(n - 1 for n in values.shape),
            bounds=((0, 0, 0), tuple(n - 1 for n in values.shape)),
            device=values.device,
            dtype=values.dtype,
        )
        found = _compared(marching_cubes(grid, values, close=True) if _crossed(values) else None)
        return None if found is None else found.with_vertices(volume.to_world(found.vertices))

    def solid_on(self, grid: VoxelGrid | None) -> Mesh | None:
        """See `Target.solid_on`: what the field encloses on the vertices of a grid, whose border
        is outside."""
        if grid is None:
            return self.solid
        values = grid.evaluate(self.field).detach().to(grid.dtype)
        if not isinstance(grid, SparseVoxelGrid):
            volume = values.view(grid.shape)
            for axis, n in enumerate(grid.shape):
                for side in (0, n - 1):
                    volume.select(axis, side).clamp_(min=1e-3 * max(grid.spacing))
        if not _crossed(values):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what is open is not compared
            return _compared(dual_marching_cubes(grid, values))

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        mine = geometry.sample_surface(mesh, self.samples, generator=generator)
        probe = mine.points.detach().requires_grad_()
        with torch.enable_grad():
            value = self._field(probe).reshape(-1)
            gradient = torch.autograd.grad(value.sum(), probe)[0]
        length = gradient.norm(dim=1).clamp(min=settings.LEAST_SLOPE)
        direction = gradient / length[:, None]
        # Distance to first order, as a function of the sample: f(p0) + grad f . (p - p0), over
        # |grad f|.
        moved = ((mine.points - probe.detach()) * direction).sum(1)
        most = settings.FIELD_CLAMP * scale
        distance = (value.detach() / length).clamp(-most, most) + moved
        normals = mesh.face_normals()[mine.faces]
        return {
            "distance": surface_distance(distance**2, scale),
            "normal": stable_mean(1 - (normals * direction).sum(1)),
        }
