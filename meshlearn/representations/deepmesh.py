"""A shape as the level set of a network: auto-decoder, fitted codes, fitted weights."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn._segment import stable_mean
from meshlearn._validate import check_tensor
from meshlearn.fields import SIREN, NeuralField, eikonal_loss, load_field, save_field
from meshlearn.isosurface import SurfaceTracker, level_set_mesh, level_set_meshes
from meshlearn.isosurface.deferred import Derivative, LevelSetReport
from meshlearn.isosurface.level_set import Method
from meshlearn.mesh import Mesh, Meshes
from meshlearn.representations.base import Guide, Representation, RepresentationOutput
from meshlearn.representations.field_samples import box_samples, clamped_error
from meshlearn.representations.network_in_world import PlacedField

FieldFunction = Callable[[Tensor], Tensor]
CLAMP = 0.1  # distances beyond it, in the network's box, are all the same
SAMPLES, CODE_STEPS, WEIGHT_STEPS = 16_384, 200, 600  # of `DeepMesh.initialize`
UNIT = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


class DeepMesh(Representation):
    """A mesh as the level set of a neural field, under one of a table of codes.

    Three uses:

    - an auto-decoder: a network and a code for each of many shapes, trained together
      (`meshlearn.train.deepmesh`); `code(i)` and `mesh(i)` are the shape of row i;
    - a shape fitted by its code, the network being kept (``model.fitting(bounds)``), by
      `reconstruct.fit` to points, meshes or images; with ``weights=True`` by its code and by the
      network, which starts from what was learned;
    - a shape fitted by a network alone, which has no code: ``DeepMesh(bounds=...)``.

    The network lives in its own box (`UNIT` for the auto-decoders here); `placed` puts that
    anywhere in the world.

    Args:
        network: a neural field, negative inside; default: a `SIREN` without code.
        codes: (S, L) table, or how many to start near zero; one by default.
        bounds: (2, 3) box of the surface in the world; the network sees it centred, its longest
            side 0.9.
        resolution: cells along the longest side of the lattice, rounded up to a multiple of 8.
        method, derivative: as for `level_set_mesh`.
        weights: whether the network is fitted or trained; default: where it has no code. Else its
            parameters take no gradients.
        device, dtype: of a default network; else of the one given.

    Attributes: ``shown``, the row that `forward` gives; ``report``, the `LevelSetReport` of its
    last call, and ``clamped``, vertices with a vanishing gradient in all calls; ``tracker.report``,
    evaluations of the network.

    Parameters: those of `network`, and ``codes`` (S, L).

    Losses, in training mode: ``prior`` (see `fitting`: how far the code is from those trained) and,
    where weights are fitted, ``eikonal`` ((|grad f| - 1)^2 near the surface).

    Example:
        >>> shape = DeepMesh(bounds=((-1, -1, -1), (1, 1, 1)), resolution=32)
        >>> shape.initialize(lambda p: p.norm(dim=1) - 0.5)
        >>> mesh, losses = shape()

    Source: Guillard et al., "DeepMesh" (2021); Park et al., "DeepSDF" (CVPR 2019), section 4.
    """

    default_weights = {"prior": 0.01, "eikonal": 0.05}  # noqa: RUF012

    def __init__(
        self,
        network: NeuralField | None = None,
        *,
        codes: Tensor | int = 1,
        bounds: Sequence[Sequence[float]] | Tensor = UNIT,
        resolution: int = 64,
        method: Method = "mc",
        derivative: Derivative = "general",
        weights: bool | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if network is None:
            network = SIREN(hidden=64, layers=3, omega=15.0).to(device, dtype)
        if not isinstance(network, NeuralField):
            raise ValueError(f"network: expected a neural field, got {type(network).__name__}")
        first = next(network.parameters())
        self.network, self.method, self.derivative = network, method, derivative
        size = network.latent_size
        if isinstance(codes, int):
            if codes < 1:
                raise ValueError(f"codes: expected at least one, got {codes}")
            codes = 0.01 * torch.randn(codes, size, device=first.device, dtype=first.dtype)
        check_tensor(codes, "codes", shape=("S", size), finite=True)
        self.codes = nn.Parameter(codes.detach().to(first).clone())
        self.fit_weights = size == 0 if weights is None else bool(weights)
        network.requires_grad_(self.fit_weights)
        self.shown, self.clamped = 0, 0
        self.report: LevelSetReport | None = None
        self._noise = torch.Generator().manual_seed(0)
        self.starts: Tensor | None = None  # (S, L) codes that a fit may start from
        self.placed(bounds)
        self._track(resolution)

    # --- where it is ----------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        return self.codes.device

    @property
    def dtype(self) -> torch.dtype:
        return self.codes.dtype

    def _apply(self, fn: Callable, *args: bool) -> DeepMesh:  # `to`, `cuda`, `double`
        super()._apply(fn, *args)
        if (self.tracker.device, self.tracker.dtype) != (self.device, self.dtype):
            self._track(max(self.tracker.resolution))
        return self

    def placed(self, bounds: Sequence[Sequence[float]] | Tensor) -> DeepMesh:
        """Puts the network's box around `bounds` (2, 3) in the world: centred, longest side 0.9."""
        box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
        longest = float((box[1] - box[0]).max()) if box.shape == (2, 3) else math.nan
        if not 0 < longest < math.inf:
            raise ValueError(f"bounds: expected a box with some extent, got {box.tolist()}")
        unit = torch.tensor(UNIT, dtype=torch.float64)
        same = bool(torch.equal(box, unit))
        self.size = 1.0 if same else longest / 0.9
        self.centre = box.mean(0).tolist()
        half = torch.tensor(0.5 * self.size) if same else (box[1] - box[0]) / 2 + 0.05 * self.size
        middle = torch.tensor(self.centre, dtype=torch.float64)
        self.box = torch.stack([middle - half, middle + half])
        return self

    def _track(self, resolution: int) -> None:
        if resolution < 8:
            raise ValueError(f"resolution: expected at least 8 cells, got {resolution}")
        extent = self.box[1] - self.box[0]
        block = 8 if resolution % 16 else 16
        cells = (extent / extent.max() * resolution / block - 1e-9).ceil().clamp(min=1) * block
        step = extent.max() / (math.ceil(resolution / block) * block)
        middle, half = self.box.mean(0), cells * step / 2
        self.tracker = SurfaceTracker(
            [int(n) for n in cells],
            bounds=torch.stack([middle - half, middle + half]),
            device=self.device,
            dtype=self.dtype,
        )

    def field(self, index: int | None = None) -> FieldFunction:
        """The field of a row of the table in the world: points (P, 3) -> (P,), in its unit.

        Its inside ends half a cell before the lattice does, so that every mesh is closed.
        """
        return self._placed(self.code(self.shown if index is None else index))

    def _placed(self, latent: Tensor | None = None) -> PlacedField:
        return PlacedField(
            self.network,
            latent,
            size=self.size,
            centre=self.centre,
            bounds=self.tracker.bounds,
            cell=self.scale,
        )

    def code(self, index: int) -> Tensor | None:
        """(L,) row of the table, or None for a network without codes."""
        if not -len(self.codes) <= index < len(self.codes):
            raise ValueError(f"index: expected a row in [0, {len(self.codes)}), got {index}")
        return self.codes[index] if self.network.latent_size else None

    @torch.no_grad()
    def final_mesh(self) -> Mesh:
        """The shape shown, detached; searched from scratch, so that no part is missed."""
        return self.mesh(self.shown)

    # --- meshes ---------------------------------------------------------------------------------

    @property
    def scale(self) -> float:
        """Edge length of a cell."""
        return max(self.tracker.spacing)

    def forward(self) -> RepresentationOutput:
        field = self.field()
        mesh = level_set_mesh(
            field,
            self.tracker,
            method=self.method,
            derivative=self.derivative,
            report=self._report,
        )
        losses = {}
        if self.training:
            code = self.code(self.shown)
            if code is not None:
                losses["prior"] = self._prior(code)
            if self.fit_weights and mesh.num_vertices:
                losses["eikonal"] = self._eikonal(mesh)
        return RepresentationOutput(mesh, losses)

    def _prior(self, code: Tensor) -> Tensor:
        """Mean squared deviation of a code from those trained, in their standard deviations."""
        if self.starts is None or len(self.starts) < 2:
            return stable_mean(code**2)
        middle, spread = self.starts.mean(0), self.starts.std(0).clamp(min=1e-3 * self._spread())
        return stable_mean(((code - middle) / spread) ** 2)

    def _spread(self) -> float:
        """Typical standard deviation of the numbers of a code."""
        if self.starts is None or len(self.starts) < 2:
            return 1.0
        return max(float(self.starts.std(0).square().mean().sqrt()), 1e-6)

    def _report(self, report: LevelSetReport) -> None:
        self.report = report
        self.clamped += report.clamped

    def _eikonal(self, mesh: Mesh, count: int = 1024) -> Tensor:
        """Slopes at vertices moved about by some cells."""
        pick = torch.randint(mesh.num_vertices, (count,), generator=self._noise)
        shift = torch.randn(count, 3, generator=self._noise).to(self.device, self.dtype)
        points = mesh.vertices.detach()[pick.to(self.device)] + 3 * self.scale * shift
        return eikonal_loss(self.field(), points)

    def mesh(self, index: int = 0) -> Mesh:
        """The surface of a row of the table, without a graph."""
        with torch.no_grad():
            self.tracker.reset()
            return level_set_mesh(self.field(index), self.tracker, method=self.method)

    def meshes(self, indices: Sequence[int]) -> Meshes:
        """The surfaces of several rows at once; gradients reach network and codes."""
        if self.network.latent_size == 0:
            raise ValueError("indices: expected a network with codes; use mesh()")
        rows = self.codes[torch.as_tensor(list(indices), device=self.device)]

        return level_set_meshes(
            self._placed(),
            rows,
            self.tracker.resolution,
            bounds=self.tracker.bounds,
            method=self.method,
            derivative=self.derivative,
        )

    # --- fits -----------------------------------------------------------------------------------

    def fitting(
        self,
        bounds: Sequence[Sequence[float]] | Tensor = UNIT,
        *,
        resolution: int | None = None,
        weights: bool = False,
    ) -> DeepMesh:
        """A copy for a new shape in `bounds`: one code, that of the mean shape, in one row.

        The codes of the table are its prior: their mean and standard deviations as those of a
        normal distribution.

        Args:
            weights: fit the network too; else it stays as it is.
        """
        shape = DeepMesh(
            copy.deepcopy(self.network),
            codes=self.codes.detach().mean(0, keepdim=True),
            bounds=bounds,
            resolution=resolution or max(self.tracker.resolution),
            method=self.method,
            derivative=self.derivative,
            weights=weights,
        )
        shape.starts = self.codes.detach()
        return shape

    def start(self, target: Guide) -> None:
        """From what a target knows: its field, or for a code where sides are not known distances.

        For distances the magnitude of the network is fitted, and what it learned decides what is
        inside.
        """
        box = self.box.to(self.device, self.dtype)
        if self.network.latent_size == 0 or target.distance(box) is None:
            self.initialize(target.field)
            return

        def most(points: Tensor) -> Tensor:
            return target.distance(points)[1]  # type: ignore[index]

        points, _ = box_samples(most, self.box, SAMPLES, self.device, self.dtype)
        bounds = target.distance(points)
        assert bounds is not None
        self._regress(points, *(b.to(points) for b in bounds), signed=False, steps=CODE_STEPS)

    def initialize(
        self, field: FieldFunction, *, steps: int | None = None, samples: int = SAMPLES
    ) -> None:
        """Starts from a field, by regression of samples in the box (clamped L1), most of them near
        its surface.

        A network with a code is fitted by the code alone, also where the fit will change the
        weights: what was learned is the better start. The code starts from the row that fits best
        of those that it was trained with (see `fitting`).

        Args:
            field: points (P, 3) -> (P,), negative inside, in the world's unit.
            steps: of Adam; default: 200 for a code, 600 for weights.
            samples: points in all.
        """
        points, values = box_samples(field, self.box, samples, self.device, self.dtype)
        if steps is None:
            steps = CODE_STEPS if self.network.latent_size else WEIGHT_STEPS
        self._regress(points, values, values, signed=True, steps=steps)

    def _regress(
        self, points: Tensor, least: Tensor, most: Tensor, *, signed: bool, steps: int
    ) -> None:
        """Fits values, or their magnitudes, between `least` and `most` (P,)."""
        has_code = self.network.latent_size > 0
        inward = self._placed().inward(points)
        low, high = least / self.size, most / self.size
        # a field may be cut off, as a hull's is some pixels from the silhouettes
        clamp = min(CLAMP, 0.95 * float(high.abs().max()))

        def misfit(pick: Tensor, code: Tensor | None) -> Tensor:
            found = self.network(inward[pick], code)
            found = found if signed else found.abs()
            return stable_mean(clamped_error(found, low[pick], high[pick], clamp))

        parameters = [self.codes] if has_code else list(self.network.parameters())
        if has_code and self.starts is not None:
            some = torch.arange(0, len(inward), max(1, len(inward) // 1024), device=self.device)
            with torch.no_grad():
                costs = [float(misfit(some, code)) for code in self.starts]
                self.codes[self.shown] = self.starts[costs.index(min(costs))]
        rate, batch = 0.1 * self._spread() if has_code else 2e-3, 2048
        adam = torch.optim.Adam(parameters, lr=rate)
        order = torch.Generator().manual_seed(0)
        for step in range(steps):
            adam.param_groups[0]["lr"] = rate * (0.05 + 0.95 * (1 - step / steps))
            pick = torch.randint(len(inward), (batch,), generator=order).to(self.device)
            with torch.enable_grad():
                loss = misfit(pick, self.code(self.shown))
                if has_code:
                    loss = loss + 3e-4 * self._prior(self.codes[self.shown])
                grads = torch.autograd.grad(loss, parameters)
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter.grad = grad
            adam.step()
            adam.zero_grad()
        self.tracker.reset()

    def refine(self, resolution: int) -> None:
        """Another resolution of the lattice; the field stays as it is."""
        self._track(resolution)

    def parameter_groups(self, lr: float) -> list[dict]:
        """The codes at 2.5 `lr` of the spread of those trained, the network at `lr` / 400."""
        groups = []
        if self.network.latent_size:
            groups.append({"params": [self.codes], "lr": 2.5 * lr * self._spread()})
        if self.fit_weights:
            groups.append({"params": list(self.network.parameters()), "lr": 0.0025 * lr})
        return groups

    # --- files ----------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes network and codes, see `meshlearn.fields.save_field`; the place is not kept."""
        save_field(self.network, path, codes=self.codes)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **options: Any) -> DeepMesh:
        """What `save` wrote; `options` as for the constructor, which here set the network's device
        and dtype.

        Raises:
            ValueError: no such file, or one of another kind.
        """
        device = options.pop("device", "cpu")
        network, extra = load_field(path, device=device)
        network = network.to(options.pop("dtype", torch.float32))
        if "codes" not in extra:
            raise ValueError(f"{path}: expected a network with codes, got one without a table")
        return cls(network, codes=extra["codes"], **options)
