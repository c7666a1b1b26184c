"""What every representation of a mesh has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from meshlearn.isosurface import VoxelGrid
from meshlearn.mesh import Mesh


class RepresentationOutput(NamedTuple):
    """A mesh, and what its parametrisation asks to be minimised with it."""

    mesh: Mesh
    losses: dict[str, Tensor]  # name -> 0-d regulariser, in units of the grid's cells


class Guide(Protocol):
    """What a representation may ask of a target (`meshlearn.reconstruct.targets.Target` is one)."""

    @property
    def solid(self) -> Mesh | None:
        """The closed mesh whose components, handles and cavities the fit should have; None where
        they are not known."""
        ...

    @property
    def knows_sides(self) -> bool:
        """Whether the sign of the field is to be believed away from the surface."""
        ...

    def solid_on(self, grid: VoxelGrid | None) -> Mesh | None:
        """The same, as far as a grid can show it."""
        ...

    def field(self, points: Tensor) -> Tensor:
        """Starting field, (P, 3) -> (P,), negative inside."""
        ...

    def distance(self, points: Tensor) -> tuple[Tensor, Tensor] | None:
        """Bounds from below and above, each (P,), of the distance to the surface, where its sides
        are not known; None: they are, and the field tells all."""
        ...

    def shell(self, points: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """Starting fields of an open surface, each (P,): the template's, negative inside it, and
        one that is positive on the surface and negative beyond its boundary."""
        ...

    def evidence(self, template: Mesh, scale: float) -> Tensor | None:
        """(V,) at the vertices of a template, in [-1, 1]: seen to be surface (positive), seen to be
        none (negative), not seen (0). None: nothing is known anywhere."""
        ...


class Representation(nn.Module):
    """A way to parametrise a mesh: ``forward()`` gives the mesh and its regularisers.

    `reconstruct.fit` drives any of them: it calls `start` with the target, `refine` between
    resolutions, `forward` and `guided` at each step, `after_step` behind each update and
    `final_mesh` at the end. Its optimiser works on `parameter_groups`; losses are measured in
    `scale` and weighted by `default_weights` where the caller gives no weights.
    """

    default_weights: dict[str, float] = {}  # noqa: RUF012  (weights of `losses` in a fit)
    chooses_faces: bool = False  # its faces come from a grid: another choice of edges is as good

    def forward(self) -> RepresentationOutput:
        raise NotImplementedError

    @property
    def domain(self) -> list[list[float]] | None:
        """(2, 3) lower and upper corner of where it lives, for a checkpoint to know; None where
        nothing says so."""
        for owner in (getattr(self, "grid", None), self):
            for name in ("bounds", "box"):
                found = getattr(owner, name, None)
                if found is not None:
                    return torch.as_tensor(found).tolist()
        return None

    @property
    def scale(self) -> float:
        """The length that losses are measured in, such as the edge of a cell."""
        raise NotImplementedError

    def initialize(self, field: Callable[[Tensor], Tensor]) -> None:
        """Starts from a field, a function of points (P, 3) -> (P,), negative inside."""
        raise NotImplementedError

    def start(self, target: Guide) -> None:
        """Starts from what a target knows beforehand; by default its field."""
        self.initialize(target.field)

    def steer(self, target: Guide) -> None:
        """Called instead of `start` where a fit goes on from the representation as it stands: what
        of it no step would bring to the target may be taken from the target."""

    def guided(self, target: Guide, step: int) -> dict[str, Tensor]:
        """Losses on the parametrisation that depend on what the target saw, after `forward`."""
        return {}

    def refine(self, resolution: int) -> None:
        """Goes on at another resolution with the same surface."""
        raise NotImplementedError

    def parameter_groups(self, lr: float) -> list[dict]:
        """Groups for an optimiser, with their learning rates."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def hold(self, target: Guide, *, started: bool = False) -> None:
        """Called before the first step of the last stage: from here on a surface may keep the
        components, handles and cavities that it has.

        Args:
            target: knows which they should be, or not.
            started: the parameters come from a checkpoint, and stay.
        """

    def after_step(self) -> None:
        """Called after each optimiser step, for constraints."""

    def template(self) -> Mesh | None:
        """After `final_mesh`: what it was cut from, for looking at; None where nothing was cut."""
        return None

    def final_mesh(self) -> Mesh:
        """The mesh to keep, detached."""
        was = self.training
        self.eval()
        try:
            return self().mesh.detach()
        finally:
            self.train(was)
