"""The one fitting loop: any representation to any target."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from meshlearn.fields import NonFiniteField
from meshlearn.isosurface import VoxelGrid
from meshlearn.mesh import Mesh, moved
from meshlearn.progress import delayed_interrupt, progress_bar
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.agreement import disagreements, told
from meshlearn.reconstruct.crossings import uncrossed
from meshlearn.reconstruct.targets.base import Target
from meshlearn.representations import Representation
from meshlearn.run_folder import (
    CHECKPOINT,
    History,
    NonFiniteLoss,
    fingerprint,
    forget_snapshots,
    optimizer_tensors,
    read_tensors,
    record,
    restore_optimizer,
    same_settings,
    save_history,
    save_snapshot,
    save_target,
    save_template,
    write_tensors,
)

if TYPE_CHECKING:
    from meshlearn.convex import Convexes

_FORMAT = "meshlearn-fit-1"
PROBED_SAME = 1e-4  # of the largest value of a field: float32 on another machine is nearer; by hand


class EmptyFit(ValueError):
    """A fit has no faces; the message says why, where that is known, and what to do."""


@dataclass
class FitResult:
    """A fitted mesh and how it came about.

    Attributes:
        mesh: the final mesh, detached, on the representation's device.
        history: lists of equal length: ``step``, ``seconds``, ``resolution``, ``loss`` and one for
            each term of the loss.
        seconds: wall time of all steps, earlier runs of a resumed fit included.
        representation: the fitted module.
        convexes: what the mesh is the union of, where the method gives that.
        origin: (3,) float64 place that the source was moved from to be fitted, since it lies far
            from the origin: mesh and convexes are there, the representation is about the origin.
        report: what the target measured of its data, and chose by it, see `Target.report`.
    """

    mesh: Mesh
    history: History
    seconds: float = 0.0
    representation: nn.Module | None = field(default=None, repr=False)
    convexes: Convexes | None = field(default=None, repr=False)
    origin: Tensor | None = None
    report: dict[str, object] = field(default_factory=dict)

    def moved(self, origin: Tensor) -> FitResult:
        """Mesh and convexes, found about the origin, at the place `origin`, in float64."""
        convexes = self.convexes
        if convexes is not None:
            vertices = convexes.vertices.double()
            convexes = replace(convexes, vertices=vertices + origin.to(vertices))
        return replace(self, mesh=moved(self.mesh, origin), convexes=convexes, origin=origin)


def rate_factor(step: int, total: int) -> float:
    """Factor of the learning rate: a short warm-up, then a cosine down to a small rest."""
    warm, last = settings.WARM_UP, settings.LAST_RATE
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, total - warm)
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def stages_of(
    resolution: Sequence[int | None] | int | None, steps: int
) -> list[tuple[int | None, int]]:
    """(resolution, steps) of each stage; earlier stages get half the steps of the next."""
    levels: list[int | None]
    levels = [resolution] if resolution is None or isinstance(resolution, int) else [*resolution]
    if not levels:
        raise ValueError("resolution: expected at least one number, got none")
    shares = [settings.GROWTH**k for k in range(len(levels))]
    counts = [round(steps * s / sum(shares)) for s in shares]
    counts[-1] = steps - sum(counts[:-1])
    return list(zip(levels, counts, strict=True))


def fit(
    representation: Representation,
    target: Target,
    *,
    steps: int = settings.STEPS,
    resolution: Sequence[int] | int | None = None,
    lr: float = settings.LR,
    weights: dict[str, float] | None = None,
    initialize: bool = True,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 50,
    snapshot_every: int = 10,
    resume: bool = False,
    progress: bool | None = None,
    callback: Callable[[int, Mesh, dict[str, float]], None] | None = None,
    origin: Tensor | None = None,
) -> FitResult:
    """Fits a representation to a target by gradient descent (Adam).

    Args:
        representation: what is fitted; changed in place.
        target: what it is fitted to, see `meshlearn.reconstruct.targets`.
        steps: number of steps in all; at least 0 (0 gives the starting mesh).
        resolution: progressive resolutions such as (32, 64), each with twice the steps of the one
            before; None keeps the representation's own.
        lr: learning rate, in the representation's units (cells for FlexiCubes).
        weights: weights of loss terms by name, on top of the target's and representation's
            defaults.
        initialize: start from the target's own field, where it has one. False starts from the
            representation as it stands; a part of it that is on the wrong side of the target, more
            than a cell from its surface, is taken from that field all the same, since no step
            would mend it (where the target knows its sides: meshes, points, fields).
        seed: of all sampling; the same seed gives the same mesh.
        checkpoint: folder for a checkpoint, the history and the settings, and at the end a picture
            of the fit beside its target (`sheet.png`); made if missing.
        checkpoint_every: steps between checkpoints. An interrupt (Ctrl-C) ends the step and writes
            one too; a second one stops at once.
        snapshot_every: steps between meshes kept in that folder for looking at, with the history
            so far; 0 keeps none.
        resume: go on from the checkpoint in that folder, to the same result as without a stop. The
            target and the options must be the same; more steps in all are allowed, and stages that
            are behind stay as they were.
        progress: show a bar; default: on a terminal.
        callback: called after each step with the step, the mesh and the loss terms.
        origin: (3,) what is added to places that are told, and by the viewer to what it shows, of a
            target that was moved to the origin.

    Returns:
        FitResult(mesh, history, seconds, representation).

    Warns:
        UserWarning: the fit has other components, handles or cavities than its target where those
            are known, or is more than 3 cells away from it, or from its data, somewhere; with the
            place.

    Raises:
        ValueError: bad options, or a checkpoint of another fit, such as one to another target.
        EmptyFit: a `ValueError`: the fit, or what it starts from, has no faces; with the reason.
        NonFiniteLoss: the loss became NaN or infinite.

    Example:
        >>> target = targets.FromMesh(meshlearn.load("part.obj"))
        >>> shape = representations.FlexiCubes(64, bounds=target.bounds)
        >>> result = fit(shape, target, steps=200)
        >>> result.mesh.save("part_fit.glb")
    """
    if steps < 0:
        raise ValueError(f"steps: expected 0 or more, got {steps}")
    if not lr > 0:
        raise ValueError(f"lr: expected a positive learning rate, got {lr}")
    if resume and checkpoint is None:
        raise ValueError("resume: expected a checkpoint folder too, got none; give checkpoint=")
    known = {**target.default_weights, **representation.default_weights}
    unknown = sorted(set(weights or {}) - set(known))
    if unknown:
        raise ValueError(
            f"weights: unknown term {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )
    weights = {**known, **(weights or {})}
    folder = Path(checkpoint) if checkpoint is not None else None
    state = _Fit(representation, target, stages_of(resolution, steps), lr, weights, seed, folder)
    if origin is not None:
        state.settings["origin"] = origin.tolist()
    state.begin(resume, initialize)
    try:
        if state.folder is not None:
            state.begin_folder()
        with (
            delayed_interrupt() as stop,
            progress_bar("fitting", max(1, steps), enabled=progress) as bar,
        ):
            while state.step < steps:
                mesh, terms = state.advance()
                bar.update(state.step, f"loss {terms['loss']:.4g}, {mesh.num_faces:,} faces")
                if callback is not None:
                    callback(state.step, mesh, terms)
                if state.folder is not None and snapshot_every and state.step % snapshot_every == 0:
                    save_snapshot(state.folder, state.step, mesh)
                    state.save_history()
                if state.folder is not None and state.step % checkpoint_every == 0:
                    state.save()
                if stop.asked:
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        if state.folder is not None and not state.under_way:  # else of half a step
            state.save()
        raise
    mesh = representation.final_mesh()
    if representation.chooses_faces and steps:
        mesh = uncrossed(mesh, representation.scale)
    mesh = target.finish(mesh) if mesh.num_faces else mesh
    if mesh.num_faces == 0:
        if state.folder is not None and steps:
            state.save()
        raise EmptyFit(f"the fit has no faces: {target.why_empty(representation.scale)}")
    if steps:
        for sentence in _said(mesh, target, representation, origin):
            warnings.warn(sentence, stacklevel=2)
    if state.folder is not None:
        state.save()
        template = representation.template()
        if template is not None:
            save_template(state.folder, template)
        target.write_sheet(mesh, state.folder / "sheet.png")
    return FitResult(mesh, state.history, state.seconds, representation, report=target.report())


def _said(
    mesh: Mesh, target: Target, representation: Representation, origin: Tensor | None
) -> list[str]:
    """What a fit has otherwise than its target, or its data against it."""
    grid, scale = getattr(representation, "grid", None), representation.scale
    solid = target.solid
    if solid is None and isinstance(grid, VoxelGrid):
        solid = target.solid_on(grid)
    if solid is not None:
        return disagreements(mesh, solid, scale, origin)
    return told(target.doubts(mesh, scale), scale, origin)


class _Fit:
    """State of one fit."""

    def __init__(
        self,
        representation: Representation,
        target: Target,
        stages: list[tuple[int | None, int]],
        lr: float,
        weights: dict[str, float],
        seed: int,
        folder: Path | None,
    ) -> None:
        self.folder = folder
        self.representation, self.target = representation, target
        self.stages, self.lr, self.weights = stages, lr, weights
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.stage, self.seconds = 0, 0, 0.0
        self.under_way = False  # between the beginning of a step and its end
        self.history: History = {}
        self.settings: dict[str, Any] = {
            "representation": type(representation).__name__,
            "target": type(target).__name__,
            "stages": stages,
            "lr": lr,
            "weights": weights,
            "seed": seed,
        }
        if folder is not None:
            device = next(representation.parameters()).device
            self.settings["content"] = fingerprint(target.given(device))
            self.settings["domain"] = representation.domain
            self.settings["options"] = target.options()
            probe = target.probe(device)
            if probe is not None:
                self.settings["probe"] = probe.tolist()

    def begin(self, resume: bool, initialize: bool) -> None:
        if resume:
            assert self.folder is not None
            self._resume(self.folder)
            return
        if self.stages[0][0] is not None:
            self.representation.refine(self.stages[0][0])
        if initialize and self.target.has_field:
            self.representation.start(self.target)
        elif self.target.has_field:
            self.representation.steer(self.target)
        self._hold()
        self._make_optimizer()

    def _hold(self, *, started: bool = False) -> None:
        if self.stage == len(self.stages) - 1:
            self.representation.hold(self.target, started=started)

    def _make_optimizer(self) -> None:
        groups = self.representation.parameter_groups(self.lr)
        groups += self.target.parameter_groups(self.lr)
        fused = all(p.dtype in (torch.float32, torch.float64) for g in groups for p in g["params"])
        self.optimizer = torch.optim.Adam(groups, lr=self.lr, betas=settings.BETAS, fused=fused)
        self.base_rates = [g["lr"] for g in self.optimizer.param_groups]

    @property
    def _stage_start(self) -> int:
        return sum(count for _, count in self.stages[: self.stage])

    def advance(self) -> tuple[Mesh, dict[str, float]]:
        """One step; moves to the next stage where its time has come."""
        begin = time.perf_counter()
        self.under_way = True
        while self.step >= self._stage_start + self.stages[self.stage][1]:
            self.stage += 1
            resolution = self.stages[self.stage][0]
            if resolution is not None:
                self.representation.refine(resolution)
            self._hold()
            self._make_optimizer()
        within = self.step - self._stage_start
        factor = rate_factor(within, self.stages[self.stage][1])
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor

        self.representation.train()
        try:
            mesh, regularisers = self.representation()
        except NonFiniteField as error:
            raise NonFiniteLoss(f"step {self.step}: {error}") from None
        terms = {**regularisers, **self.representation.guided(self.target, self.step)}
        if mesh.num_faces == 0 and within == 0 and self.stage == len(self.stages) - 1:
            raise EmptyFit(f"nothing to fit: {self.target.why_empty(self.representation.scale)}")
        if mesh.num_faces:
            done = within / max(1, self.stages[self.stage][1])
            terms.update(
                self.target.losses(
                    mesh, scale=self.representation.scale, generator=self.generator, done=done
                )
            )
        used = {k: v for k, v in terms.items() if self.weights.get(k, 1.0) != 0}
        loss = sum(self.weights.get(k, 1.0) * v for k, v in used.items())
        if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
            raise EmptyFit(
                f"the mesh became empty at step {self.step}: nothing is left to fit; start from "
                "a field with a zero crossing or lower lr"
            )
        values = {k: float(v.detach()) for k, v in used.items()}
        values["loss"] = float(loss.detach())
        for name, value in values.items():
            if not math.isfinite(value):
                raise NonFiniteLoss(f"step {self.step}: the term {name!r} is {value}; lower lr")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.representation.after_step()
        self.step += 1
        self.seconds += time.perf_counter() - begin
        cells = float(self.stages[self.stage][0] or 0)
        row = {"step": self.step, "seconds": self.seconds, **values, "resolution": cells}
        record(self.history, row)
        self.under_way = False
        return mesh, values

    def _parameters(self) -> dict[str, torch.Tensor]:
        own = dict(self.representation.named_parameters())
        return own | {f"target.{k}": v for k, v in self.target.parameters().items()}

    def begin_folder(self) -> None:
        """Settings and target at once, so that a run can be watched from its first step."""
        assert self.folder is not None
        forget_snapshots(self.folder, self.step or -1)
        if self.target.mesh is not None:
            save_target(self.folder, self.target.mesh)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save_history()

    def save_history(self) -> None:
        assert self.folder is not None
        save_history(self.folder, self.history, self.settings)

    def save(self) -> None:
        assert self.folder is not None
        state = {
            "settings": self.settings,
            "step": self.step,
            "stage": self.stage,
            "seconds": self.seconds,
            "history": self.history,
        }
        tensors = {
            f"parameter.{name}": value.detach().cpu().contiguous()
            for name, value in self._parameters().items()
        }
        tensors |= optimizer_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        write_tensors(self.folder / CHECKPOINT, tensors, _FORMAT, state)
        self.save_history()

    def _lengthen(self, folder: Path, theirs: list[list[int | None]]) -> None:
        """Stages of a fit that has more steps now: those that are behind stay as they were, and the
        others share the steps that are left as they would from the start."""
        steps, before = (sum(count or 0 for _, count in s) for s in (self.stages, theirs))
        levels = [level for level, _ in self.stages]
        if levels != [level for level, _ in theirs]:
            same_settings(folder, {"stages": theirs}, {"stages": self.stages}, "fit")
        if steps == before:
            self.stages = [(level, count or 0) for level, count in theirs]
            self.settings["stages"] = self.stages
            return
        if steps < self.step:
            raise ValueError(
                f"{folder}: the checkpoint has {self.step} steps behind it; expected at least as "
                f"many steps in all, got {steps}"
            )
        behind = [count or 0 for _, count in theirs[: self.stage]]
        rest = stages_of(levels[self.stage :], steps - sum(behind))
        within = self.step - sum(behind)
        if len(rest) > 1 and rest[0][1] < within:  # this stage has had its share
            rest = [(levels[self.stage], within)]
            rest += stages_of(levels[self.stage + 1 :], steps - self.step)
        counts = [*behind, *(count for _, count in rest)]
        self.stages = list(zip(levels, counts, strict=True))
        self.settings["stages"] = self.stages

    def _resume(self, folder: Path) -> None:
        path = folder / CHECKPOINT
        tensors, moments, state = read_tensors(path, _FORMAT, "a fit")
        if "generator" not in tensors:
            raise ValueError(f"{path}: not a readable checkpoint (it has no random state)")
        random_state = tensors.pop("generator")
        parameters = {name.removeprefix("parameter."): v for name, v in tensors.items()}
        self.step, self.stage = state["step"], state["stage"]
        theirs = state["settings"]
        self._lengthen(folder, theirs["stages"])
        theirs["stages"] = self.settings["stages"]
        mine, probe = self.settings.get("probe"), theirs.get("probe")
        if mine is not None and probe is not None and len(mine) == len(probe):
            size = max(map(abs, mine))
            if max(abs(x - y) for x, y in zip(mine, probe, strict=True)) <= PROBED_SAME * size:
                theirs["probe"] = mine
        same_settings(folder, theirs, self.settings, "fit")
        self.seconds, self.history = state["seconds"], state["history"]
        resolution = self.stages[self.stage][0]
        if resolution is not None:
            self.representation.refine(resolution)
        own = self._parameters()
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in parameters.items()}:
            raise ValueError(f"{folder}: the checkpoint's parameters are of another size or kind")
        with torch.no_grad():
            for name, value in parameters.items():
                own[name].copy_(value)
        self._hold(started=True)
        self._make_optimizer()
        restore_optimizer(self.optimizer, moments)
        self.generator.set_state(random_state)
