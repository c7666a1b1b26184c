"""What every representation of a mesh has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from meshlearn.mesh import Mesh


class RepresentationOutput(NamedTuple):
    """A mesh, and what its parametrisation asks to be minimised with it."""

    mesh: Mesh
    losses: dict[str, Tensor]  # name -> 0-d regulariser, in units of the grid's cells


class Representation(nn.Module):
    """A way to parametrise a mesh: ``forward()`` gives the mesh and its regularisers.

    `reconstruct.fit` drives any of them: it calls `initialize` with the target's field, `refine`
    between
    resolutions, `forward` at each step, `after_step` behind each update and `final_mesh` at the
    end.
    """

    default_weights: dict[str, float] = {}  # noqa: RUF012  (weights of `losses` in a fit)

    def forward(self) -> RepresentationOutput:
        raise NotImplementedError

    @property
    def scale(self) -> float:
        """The length that losses are measured in, such as the edge of a cell."""
        raise NotImplementedError

    def initialize(self, field: Callable[[Tensor], Tensor]) -> None:
        """Starts from a field, a function of points (P, 3) -> (P,), negative inside."""
        raise NotImplementedError

    def refine(self, resolution: int) -> None:
        """Goes on at another resolution with the same surface."""
        raise NotImplementedError

    def parameter_groups(self, lr: float) -> list[dict]:
        """Groups for an optimiser, with their learning rates."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def after_step(self) -> None:
        """Called after each optimiser step, for constraints."""

    def final_mesh(self) -> Mesh:
        """The mesh to keep, detached."""
        was = self.training
        self.eval()
        try:
            return self().mesh.detach()
        finally:
            self.train(was)
