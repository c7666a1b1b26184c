"""What every target of a fit has in common."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from meshlearn._segment import stable_mean
from meshlearn.isosurface import VoxelGrid
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.support import Doubt


class Target:
    """What `reconstruct.fit` asks of a target."""

    default_weights: dict[str, float] = {}  # noqa: RUF012
    has_field: bool = True
    mesh: Mesh | None = None  # what it is, where it is a mesh: kept beside a fit to look at

    @property
    def solid(self) -> Mesh | None:
        """The closed mesh whose components, handles and cavities a fit should have, where known."""
        return None

    @property
    def knows_sides(self) -> bool:
        """Whether the sign of `field` is to be believed away from the surface."""
        return False

    def solid_on(self, grid: VoxelGrid | None) -> Mesh | None:
        """The same, as far as a grid can show it, where what is known depends on one."""
        return self.solid

    def doubts(self, mesh: Mesh, scale: float) -> list[Doubt]:
        """What the data have against a fit on cells of `scale`, where no `solid` is known."""
        return []

    def given(self, device: torch.device) -> Iterable[Tensor | None]:
        """What it was made of, bit for bit, by which a checkpoint knows it again; on
        `device`, where it has to compute."""
        return ()

    def report(self) -> dict[str, object]:
        """What was measured of the data beforehand, and chosen by it, as JSON has it."""
        return {}

    def probe(self, device: torch.device) -> Tensor | None:
        """(K,) numbers by which a checkpoint knows it again but for rounding, where it is made of a
        function and not of tensors; None where `given` says all."""
        return None

    def options(self) -> dict[str, object]:
        """What its losses are made with, as JSON has it: a resumed fit must share it."""
        return {}

    def why_empty(self, scale: float) -> str:
        """Why a fit on cells of `scale` may have come out without faces, and what to do then."""
        return "its field has no zero crossing on the grid; is the surface within the bounds?"

    @property
    def bounds(self) -> Tensor:
        """(2, 3) box that the surface lies in."""
        raise NotImplementedError

    def field(self, points: Tensor) -> Tensor:
        """Starting field, (P, 3) -> (P,), negative inside."""
        raise NotImplementedError

    def distance(self, points: Tensor) -> tuple[Tensor, Tensor] | None:
        """Bounds from below and above, each (P,), of the distance to the surface, where its sides
        are not known; None: they are, and `field` tells all."""
        return None

    @property
    def enough_steps(self) -> int | None:
        """Steps after which a fit that begins from `field` gets no better, where that is so near to
        the surface that the usual number is more than it takes; None elsewhere."""
        return None

    def shell(self, points: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Starting fields of an open surface: template and msdf; a closed one by default."""
        return self.field(points), torch.full_like(points[:, 0], scale)

    def evidence(self, template: Mesh, scale: float) -> Tensor | None:
        """What was seen of a template's vertices, (V,) in [-1, 1]: surface, none, 0 unknown."""
        return None

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        """Loss terms of a mesh by name.

        Args:
            mesh: the current mesh, not empty.
            scale: unit length.
            generator: randomness of all sampling.
            done: part of the stage that is behind, in [0, 1).
        """
        raise NotImplementedError

    def parameters(self) -> dict[str, Tensor]:
        """What is fitted besides the shape, such as its colours, by name; leaf tensors."""
        return {}

    def parameter_groups(self, lr: float) -> list[dict]:
        """Groups of `parameters` for an optimiser; `lr` is the rate of the shape."""
        found = list(self.parameters().values())
        return [{"params": found, "lr": lr}] if found else []

    def finish(self, mesh: Mesh) -> Mesh:
        """The mesh to keep of one that was fitted, without what nothing speaks for; closed if it
        is."""
        return mesh

    def write_sheet(self, mesh: Mesh, path: Path) -> None:
        """Draws a mesh for people to look at (PNG), beside what it should be if that is known."""
        from meshlearn.render.picture import contact_sheet

        contact_sheet([mesh.detach().to("cpu")], path)


def surface_distance(squared: Tensor, scale: float) -> Tensor:
    """Mean distance in units of `scale`, smoothed below a hundredth of it."""
    return stable_mean((squared / scale**2 + settings.SOFT).sqrt())
