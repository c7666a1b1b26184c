"""What a training consists of: stages, and what is called on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn.mesh import Mesh

Loss = Callable[[Any, Any, torch.Generator], dict[str, Tensor]]


@dataclass(frozen=True)
class Stage:
    """One part of a training: what is minimised on which data for how long.

    Attributes:
        loss: ``loss(model, batch, generator) -> {name: 0-d tensor}``, means over the batch (so that
            several processes equal one with their joint batch). The generator, on the CPU, depends
            on seed, step and process alone.
        data: ``len(data)`` and ``data[i]``, or ``data.sample(i, generator)`` where it has that.
        steps: of the optimiser; 0 or more.
        batch: examples a step and process.
        lr: learning rate.
        weights: of loss terms; 1 where nothing is said, 0 reports a term only.
        schedule: "cosine" (warm-up of 5 steps, down to 5 %), "constant", or a function of the
            share that is done (0 to 1) -> factor.
        groups: ``groups(model, lr)`` -> groups of an optimiser; default: the model's
            ``parameter_groups(lr)`` where it has that, else all parameters that take gradients.
        optimizer: ``optimizer(groups)`` -> optimiser; default: Adam. Each stage begins anew.
        before: called with the model when the stage begins, to freeze or switch parts; also when a
            training is resumed, with those of the stages before it.
        collate: list of examples -> batch.
        name: in settings and messages.
    """

    loss: Loss
    data: Any
    steps: int
    batch: int = 16
    lr: float = 1e-3
    weights: dict[str, float] = field(default_factory=dict)
    schedule: str | Callable[[float], float] = "cosine"
    groups: Callable[[nn.Module, float], list[dict]] | None = None
    optimizer: Callable[[list[dict]], torch.optim.Optimizer] | None = None
    before: Callable[[nn.Module], None] | None = None
    collate: Callable[[list], Any] | None = None
    name: str = "train"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps: expected 0 or more, got {self.steps}")
        if self.batch < 1:
            raise ValueError(f"batch: expected 1 example or more, got {self.batch}")
        if not self.lr > 0:
            raise ValueError(f"lr: expected a positive learning rate, got {self.lr}")
        if not callable(self.schedule) and self.schedule not in ("cosine", "constant"):
            raise ValueError(
                f"schedule: expected cosine, constant or a function, got {self.schedule!r}"
            )

    def factor(self, step: int) -> float:
        """What the learning rate of a step is multiplied with."""
        done = step / max(1, self.steps)
        if callable(self.schedule):
            return float(self.schedule(done))
        if self.schedule == "constant":
            return 1.0
        return min(1.0, (step + 1) / 5) * (0.05 + 0.475 * (1 + math.cos(math.pi * done)))

    def uses(self, name: str) -> bool:
        """Whether a term of the loss has a weight."""
        return self.weights.get(name, 1.0) != 0

    def settings(self, processes: int, accumulate: int) -> dict:
        """What a resumed training has to share."""
        return {
            "name": self.name,
            "steps": self.steps,
            "batch": self.batch * processes * accumulate,
            "lr": self.lr,
            "weights": self.weights,
            "schedule": self.schedule if isinstance(self.schedule, str) else "function",
            "examples": len(self.data),
        }


@dataclass(frozen=True)
class Hooks:
    """What is called on the way, by the first process only, with the model in eval mode.

    Attributes:
        snapshot: model -> a mesh, kept for the viewer every `snapshot_every` steps.
        target: what those meshes should become, kept beside them.
        sheet: ``sheet(model, path)`` draws a contact sheet: ``sheet.png``, and at the end too.
        evaluate: model -> figures, which become columns of the history (NaN between).
        every: steps between sheets and figures.
        snapshot_every: steps between snapshots; 0: as `every`.
    """

    snapshot: Callable[[Any], Mesh] | None = None
    target: Mesh | None = None
    sheet: Callable[[nn.Module, Path], object] | None = None
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None
    every: int = 100
    snapshot_every: int = 0
