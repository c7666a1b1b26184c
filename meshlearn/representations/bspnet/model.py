"""BSP-Net: a shape as the union of convexes, each the intersection of some of a set of planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn._validate import check_tensor
from meshlearn.convex import Convexes, intersect_halfspaces, select
from meshlearn.isosurface import VoxelGrid, marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.representations.base import Representation, RepresentationOutput
from meshlearn.representations.bspnet.constants import (
    INSIDE,
    MOVED_OUT,
    PRIMITIVES,
    ROUNDED,
    SHARED_RATE,
    STEEPER,
)
from meshlearn.representations.bspnet.fields import (
    convex_distances,
    hard_connection,
    hard_union,
    phase_losses,
)
from meshlearn.representations.bspnet.networks import (
    ImageEncoder,
    PlaneDecoder,
    PointEncoder,
    PointwiseDecoder,
    VoxelEncoder,
    scale_weights,
)
from meshlearn.representations.bspnet.start import first_connection, first_primitives

BOX = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
ENCODERS = ("voxels", "image", "points")


class BSPNet(Representation):
    """Planes from a code (or of one shape), the connection T of planes to convexes, weights W.

    Shapes lie in the box [-½, ½]³. T and W are shared by all shapes, so that convex j is the same
    part of each: a correspondence, and a segmentation.

    Args:
        planes: how many planes P.
        convexes: how many convexes C.
        encoder: "voxels", "image" or "points"; None is the direct mode: the planes of one shape are
            parameters themselves, and `forward` gives its mesh.
        resolution: of the voxels.
        code: size of the code.
        hidden: layers of the decoder.
        width: of the encoder's first layer; default: the paper's.
        primitives: "planes", or "quadrics" (ten numbers each), whose meshes come from marching
            cubes of the field.
        decoder: "planes", or "implicit": numbers of each point from code and point instead of
            distances beyond planes, with the same T; meshes come from marching cubes too.
        generator: of the first weights; default: torch's own.

    It starts from small convexes all over the box, each with planes of its own (see `start`).

    Attributes: ``connection`` T (P, C), ``weights`` W (C,), and in the direct mode ``primitive``
    (P, K).

    Example:
        >>> model = BSPNet(256, 32, encoder="voxels", resolution=32)
        >>> code = model.encode(torch.rand(2, 1, 32, 32, 32).round())
        >>> convexes = model.convexes(code)[0]       # exact polyhedra of the first shape

    Source: Chen, Tagliasacchi, Zhang, "BSP-Net: Generating Compact Meshes via Binary Space
    Partitioning" (CVPR 2020).
    """

    def __init__(
        self,
        planes: int = 4096,
        convexes: int = 256,
        *,
        encoder: str | None = None,
        resolution: int = 64,
        code: int = 256,
        hidden: Sequence[int] = (512, 1024, 2048),
        width: int | None = None,
        primitives: str = "planes",
        decoder: str = "planes",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for value, name in ((planes, "planes"), (convexes, "convexes"), (code, "code")):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}: expected 1 or more, got {value!r}")
        if encoder not in (None, *ENCODERS):
            raise ValueError(f"encoder: expected one of {', '.join(ENCODERS)}, got {encoder!r}")
        if primitives not in PRIMITIVES:
            raise ValueError(
                f"primitives: expected one of {', '.join(PRIMITIVES)}, got {primitives!r}"
            )
        if decoder not in ("planes", "implicit"):
            raise ValueError(f"decoder: expected planes or implicit, got {decoder!r}")
        if decoder == "implicit" and encoder is None:
            raise ValueError("decoder: 'implicit' needs a code; give an encoder")
        self.primitives, self.kind = primitives, decoder
        self.options: dict[str, Any] = {
            "planes": planes, "convexes": convexes, "encoder": encoder, "resolution": resolution,
            "code": code, "hidden": list(hidden), "width": width, "primitives": primitives,
            "decoder": decoder,
        }  # fmt: skip
        numbers = PRIMITIVES[primitives]
        start = first_primitives(planes, convexes, numbers, generator=generator)
        self.encoder = _encoder(encoder, resolution, code, width)
        self.decoder: nn.Module | None = None
        if self.encoder is None:
            self.primitive = nn.Parameter(start)
        else:
            scale_weights(self.encoder, last=2.0, generator=generator)  # codes that use (0, 1)
            if decoder == "planes":
                self.decoder = PlaneDecoder(planes, numbers, code=code, hidden=hidden)
                scale_weights(self.decoder, last=0.1, generator=generator)
                self._last().bias.data.copy_(start.reshape(-1))
            else:
                self.decoder = PointwiseDecoder(planes, code=code, hidden=hidden)
                scale_weights(self.decoder, generator=generator)
        self.connection = nn.Parameter(first_connection(planes, convexes))
        self.weights = nn.Parameter(torch.ones(convexes))

    # --- fields ------------------------------------------------------------------------------

    def encode(self, given: Tensor) -> Tensor:
        """Codes (B, code) of voxels, images or points.

        Raises:
            ValueError: the direct mode, or an input of another size.
        """
        if self.encoder is None:
            raise ValueError("encoder: this model is of one shape and has none")
        return self.encoder(given)

    def decode(self, code: Tensor | None = None) -> Tensor:
        """Primitives (B, P, K) of codes; in the direct mode those of the shape, (1, P, K)."""
        if self.encoder is None:
            return self.primitive[None]
        if code is None:
            raise ValueError("code: expected (B, code), got None; this model has an encoder")
        if not isinstance(self.decoder, PlaneDecoder):
            raise ValueError("decode: an implicit decoder has no primitives; ask for `distances`")
        return self.decoder(code)

    def distances(
        self, points: Tensor, code: Tensor | None = None, *, hard: bool = False
    ) -> Tensor:
        """h2 (B, N, C) at points (B, N, 3), 0 inside a convex.

        Args:
            hard: with T of 0 and 1, as in phases 1 and 2.
        """
        check_tensor(points, "points", shape=("B", "N", 3))
        connection = hard_connection(self.connection) if hard else self.connection
        if isinstance(self.decoder, PointwiseDecoder):
            if code is None:
                raise ValueError("code: expected (B, code), got None; this model has an encoder")
            return self.decoder(code, points).float().clamp(min=0) @ connection
        return convex_distances(points, self.decode(code), connection, self.primitives)

    def losses(
        self, points: Tensor, inside: Tensor, code: Tensor | None = None, *, phase: int = 1
    ) -> dict[str, Tensor]:
        """Terms of one of the five phases, see `phase_losses`.

        Args:
            points: (B, N, 3).
            inside: (B, N), 1 inside the shape.
            code: (B, code) unless in the direct mode.
        """
        h2 = self.distances(points, code, hard=phase in (1, 2))
        return phase_losses(h2, inside, self.connection, self.weights, phase)

    def parameter_groups(self, lr: float) -> list[dict]:
        """Groups of an optimiser: T and W learn at a tenth of the rate, so that planes and not a
        haze of small entries of T make the shapes."""
        shared = [p for p in (self.connection, self.weights) if p.requires_grad]
        own = [p for p in self.parameters() if p.requires_grad and all(p is not s for s in shared)]
        groups = [{"params": own, "lr": lr}, {"params": shared, "lr": SHARED_RATE * lr}]
        return [group for group in groups if group["params"]]

    def _last(self) -> nn.Linear:
        """The layer of the decoder that gives primitives."""
        decoder: Any = self.decoder
        return decoder.layers[-1]

    @torch.no_grad()
    def steepen(self, factor: float) -> None:
        """Multiplies primitives: the same planes, the border of the soft union thinner."""
        if self.decoder is None:
            self.primitive.mul_(factor)
        else:
            self._last().weight.mul_(factor)
            self._last().bias.mul_(factor)

    @torch.no_grad()
    def round_connection(self) -> None:
        """Makes entries of T above ½ 1, all others 0."""
        self.connection.copy_((self.connection > ROUNDED).to(self.connection.dtype))

    @torch.no_grad()
    def harden(self) -> None:
        """Goes over from phase 0 to the others: T is rounded, and since S* counts as inside only
        what lies beyond no plane at all, primitives move out by a quarter of the soft border; that
        becomes half as thick."""
        self.round_connection()
        if self.decoder is None:
            self.primitive[:, -1] -= MOVED_OUT
        else:
            rows = self._last().bias.view(self.connection.shape[0], -1)
            rows[:, -1] -= MOVED_OUT
        self.steepen(STEEPER)

    @torch.no_grad()
    def occupancy(self, points: Tensor, code: Tensor | None = None, *, hard: bool = True) -> Tensor:
        """(B, N) bool: S* below 0.01."""
        return hard_union(self.distances(points, code, hard=hard)) < INSIDE

    # --- meshes ------------------------------------------------------------------------------

    @property
    def bounds(self) -> tuple[tuple[float, ...], ...]:
        """Box that shapes lie in and convexes are cut to."""
        return BOX

    def connected(self) -> Tensor:
        """(C, P) bool: which planes bound which convex; none for a convex without an entry in T.

        Raises:
            ValueError: T has no entry above 0.01 at all.
        """
        found = self.connection.detach().T > INSIDE
        if not bool(found.any()):
            raise ValueError(
                "connection: T has no entry above 0.01, so that no plane bounds a convex; train it"
            )
        return found

    def convexes(self, code: Tensor | None = None) -> list[Convexes]:
        """Exact convexes of each shape; gradients reach the planes.

        A convex without planes is empty, not the box. Indices are those of T's columns.
        """
        if self.primitives != "planes" or self.kind != "planes":
            raise ValueError("convexes: only planes make exact polyhedra; ask for `mesh`")
        connected = self.connected()
        some = connected.any(1)
        out = []
        for planes in self.decode(code):
            planes = planes if planes.dtype == torch.float64 else planes.float()
            found = intersect_halfspaces(planes, mask=connected, bounds=self.bounds)
            out.append(found if bool(some.all()) else select(found, some))
        return out

    def meshes(self, code: Tensor | None = None, *, resolution: int = 64) -> list[Mesh]:
        """A mesh of each shape: all its convexes, each closed, with face attributes "convex" and
        "plane" (see `meshlearn.convex.union_convexes` for one surface of them); where primitives
        are no planes, marching cubes of the field at `resolution`.
        """
        if self.primitives == "planes" and self.kind == "planes":
            return [found.mesh() for found in self.convexes(code)]
        count = 1 if code is None else len(code)
        low, high = self.bounds
        margin = 1.0 / resolution
        grid = VoxelGrid(resolution, bounds=([v - margin for v in low], [v + margin for v in high]))
        out = []
        for i in range(count):
            one = None if code is None else code[i : i + 1]
            values = [
                hard_union(self.distances(part[None], one, hard=True))[0]
                for part in grid.vertices.to(self.connection.device).split(1 << 15)
            ]
            field = torch.cat(values).detach().cpu().clamp(max=1.0) - INSIDE
            edge = (grid.vertices.abs() > 0.5).any(1)
            out.append(marching_cubes(grid, torch.where(edge, field.clamp(min=0.01), field)))
        return out

    def forward(self, given: Tensor | None = None) -> RepresentationOutput:
        """The mesh of the one shape (direct mode), or of the first of a batch."""
        code = None if given is None else self.encode(given)
        return RepresentationOutput(self.meshes(code)[0], {})

    @property
    def scale(self) -> float:
        return 1.0 / 64

    def initialize(self, field: Callable[[Tensor], Tensor]) -> None:
        raise NotImplementedError("BSPNet starts from a surface: see reconstruct.fit_convexes")


def _encoder(kind: str | None, resolution: int, code: int, width: int | None) -> nn.Module | None:
    if kind == "voxels":
        return VoxelEncoder(resolution, code=code, width=width or 32)
    if kind == "image":
        return ImageEncoder(code=code, width=width or 32)
    if kind == "points":
        return PointEncoder(code=code, width=width or 64)
    return None
