"""State of one training and its steps."""

from __future__ import annotations

import json
import math
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from meshlearn._seeds import seed_of
from meshlearn.render import plot_curves
from meshlearn.run_folder import (
    History,
    NonFiniteLoss,
    forget_snapshots,
    record,
    restore_optimizer,
    same_settings,
    save_history,
    save_snapshot,
    save_target,
)
from meshlearn.train.distributed import World
from meshlearn.train.stream import Stream, moved
from meshlearn.train.training_stages import Hooks, Stage
from meshlearn.train.weights import put_weights, read_training, write_training

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


class _Losses(nn.Module):
    """The model and its losses as one module, so that hooks of DDP see all that a loss calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, stage: Stage, batch: Any, generator: torch.Generator):
        terms = stage.loss(self.model, batch, generator)
        used = [stage.weights.get(k, 1.0) * v for k, v in terms.items() if stage.uses(k)]
        if not used:
            raise ValueError("loss: expected one term or more with a weight, got none")
        total = torch.stack([value.float().reshape(()) for value in used]).sum()
        if not total.requires_grad:
            raise ValueError("loss: no term depends on the model; nothing can be trained")
        return total, {k: v.detach() for k, v in terms.items()}


class Training:
    """State of one training."""

    folder: Path | None = None
    hooks: Hooks

    def __init__(
        self,
        model: nn.Module,
        stages: list[Stage],
        here: World,
        *,
        seed: int,
        amp: str | None,
        accumulate: int,
        clip: float | None,
        options: dict,
    ) -> None:
        self.model, self.stages, self.here, self.seed = model, stages, here, seed
        self.amp, self.accumulate, self.clip = amp, accumulate, clip
        self.total = sum(stage.steps for stage in stages)
        self.step, self.number, self.seconds = 0, -1, 0.0
        self.stopped = False
        self.history: History = {}
        self.settings = {
            "model": type(model).__name__,
            "stages": [[stage.name, stage.steps] for stage in stages],
            "parts": [stage.settings(here.size, accumulate) for stage in stages],
            "seed": seed,
            "amp": amp,
            "clip": clip,
            "options": options,
        }
        scaled = amp == "fp16"
        self.scaler = torch.amp.GradScaler(here.device.type, enabled=scaled)

    @property
    def stage(self) -> Stage:
        return self.stages[max(self.number, 0)]

    @property
    def within(self) -> int:
        """Steps done in this stage."""
        return self.step - sum(stage.steps for stage in self.stages[: self.number])

    def _next_stage(self) -> None:
        self.number += 1
        if self.stage.before is not None:
            self.stage.before(self.model)

    def _prepare(self) -> None:
        """Optimiser, order of data and wrapping of this stage."""
        stage = self.stage
        if stage.groups is not None:
            groups = stage.groups(self.model, stage.lr)
        else:
            own = getattr(self.model, "parameter_groups", None)
            if callable(own):
                groups = own(stage.lr)
            else:
                groups = [{"params": [p for p in self.model.parameters() if p.requires_grad]}]
        groups = [{"lr": stage.lr, **group, "params": [*group["params"]]} for group in groups]
        if not any(group["params"] for group in groups):
            raise ValueError("model: it has no parameters that take gradients")
        self.optimizer = (stage.optimizer or (lambda g: torch.optim.Adam(g, fused=True)))(groups)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.stream = Stream(
            stage.data, seed=seed_of(self.seed, 3, max(self.number, 0)), collate=stage.collate
        )
        self.losses: nn.Module = _Losses(self.model)
        if self.here.size > 1:
            self.losses = DistributedDataParallel(self.losses, find_unused_parameters=True)

    def begin(self, resume: bool) -> None:
        self._next_stage()
        if resume:
            assert self.folder is not None
            weights, moments, state = read_training(self.folder)
            self._same_but_longer(self.folder, state)
            while self.number < state["stage"]:
                self._next_stage()
            put_weights(self.model, weights, self.folder)
            self._prepare()
            restore_optimizer(self.optimizer, moments)
            self.step, self.seconds = state["step"], state["seconds"]
            self.history = state["history"]
            self.scaler.load_state_dict(state["scaler"])
        else:
            self._prepare()
        if self.folder is not None and self.here.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            forget_snapshots(self.folder, self.step or -1)
            if self.hooks.target is not None:
                save_target(self.folder, self.hooks.target)
            save_history(self.folder, self.history, self.settings)

    def _same_but_longer(self, folder: Path, state: dict) -> None:
        """Holds a checkpoint's settings against these; the stage that it is in, and those after,
        may have more steps."""
        theirs, mine = state["settings"], json.loads(json.dumps(self.settings))
        within = state["step"]
        for number, (_, steps) in enumerate(theirs["stages"]):
            if number < state["stage"]:
                within -= steps
            elif number < len(self.stages):
                least = within if number == state["stage"] else 0
                if self.stages[number].steps < least:
                    raise ValueError(
                        f"{folder}: the checkpoint has {least} steps of stage "
                        f"{self.stages[number].name!r} behind it; expected at least as many, got "
                        f"{self.stages[number].steps}"
                    )
                theirs["stages"][number][1] = mine["stages"][number][1]
                theirs["parts"][number]["steps"] = mine["parts"][number]["steps"]
        same_settings(folder, theirs, mine, "training")

    def advance(self, stop: bool) -> dict[str, float]:
        """One step; moves to the next stage where its time has come."""
        begin = time.perf_counter()
        while self.within >= self.stage.steps:
            self._next_stage()
            if self.within < self.stage.steps:
                self._prepare()
        stage, factor = self.stage, self.stage.factor(self.within)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for turn in range(self.accumulate):
            for name, value in self._backward(stage, turn, stop).items():
                sums[name] = sums.get(name, 0.0) + value / self.accumulate
        sums["grad"] = self._update()
        self.step += 1
        self.seconds += time.perf_counter() - begin
        row = {"step": self.step, "seconds": self.seconds, **sums, **self._call_hooks()}
        record(self.history, row)
        return sums

    def _backward(self, stage: Stage, turn: int, stop: bool) -> dict[str, float]:
        """Losses of one batch and their gradients -> terms, means over all processes."""
        here, size = self.here, self.stage.batch
        first = ((self.within * self.accumulate + turn) * here.size + here.rank) * size
        batch = moved(self.stream.batch(range(first, first + size)), here.device)
        numbers = (self.seed, 4, self.step, turn, here.rank)
        last = turn == self.accumulate - 1
        shared = self.losses if isinstance(self.losses, DistributedDataParallel) else None
        sync = nullcontext() if last or shared is None else shared.no_sync()
        cuda = [here.device] if here.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), sync, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="find_unused_parameters=True")
            torch.manual_seed(seed_of(*numbers))
            generator = torch.Generator().manual_seed(seed_of(*numbers, 1))
            with self._autocast():
                total, terms = self.losses(stage, batch, generator)
            names = sorted(terms)
            found = [float(total.detach()), *(float(terms[name]) for name in names), float(stop)]
            *values, stopped = here.mean(found, largest=1)
            self.stopped |= stopped > 0
            out = dict(zip(["loss", *names], values, strict=True))
            for name in [*names, "loss"]:
                used = name == "loss" or stage.uses(name)
                if used and not math.isfinite(out[name]):
                    raise NonFiniteLoss(
                        f"step {self.step} of stage {stage.name!r}: the term {name!r} is "
                        f"{out[name]}; lower lr or look at the data"
                    )
            self.scaler.scale(total / self.accumulate).backward()
        return out

    def _autocast(self):
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.here.device.type, dtype=AMP[self.amp])

    def _update(self) -> float:
        """Step of the optimiser -> norm of the gradient."""
        self.scaler.unscale_(self.optimizer)
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        grads = [p.grad for p in held if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        size = float(norm)
        if not math.isfinite(size) and not self.scaler.is_enabled():
            bad = [
                name
                for name, p in self.model.named_parameters()
                if p.grad is not None and not bool(torch.isfinite(p.grad).all())
            ]
            where = f"of {bad[0]!r} " if bad else ""
            raise NonFiniteLoss(
                f"step {self.step} of stage {self.stage.name!r}: the gradient {where}is not finite "
                "although the loss is; lower lr or clip"
            )
        if self.clip is not None and size > self.clip and math.isfinite(size):
            torch._foreach_mul_(grads, self.clip / size)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        after = getattr(self.model, "after_step", None)
        if callable(after):
            after()
        return size

    def _call_hooks(self) -> dict[str, float]:
        """What `Hooks` asks for at this step -> figures."""
        hooks = self.hooks
        now = self.step % hooks.every == 0
        look = self.step % (hooks.snapshot_every or hooks.every) == 0
        if self.here.rank != 0 or not (now or look):
            return {}
        self.model.eval()
        figures: dict[str, float] = {}
        with torch.random.fork_rng(devices=[]):
            if now and hooks.evaluate is not None:
                figures = {k: float(v) for k, v in hooks.evaluate(self.model).items()}
            if look and self.folder is not None and hooks.snapshot is not None:
                save_snapshot(self.folder, self.step, hooks.snapshot(self.model))
                save_history(self.folder, self.history, self.settings)
            if now and self.folder is not None and hooks.sheet is not None:
                hooks.sheet(self.model, self.folder / "sheet.png")
        return figures

    def save(self) -> None:
        """Checkpoint, history and settings, by the first process."""
        if self.folder is None or self.here.rank != 0:
            return
        state = {
            "settings": self.settings,
            "step": self.step,
            "stage": self.number,
            "seconds": self.seconds,
            "history": self.history,
            "scaler": self.scaler.state_dict(),
        }
        write_training(self.folder, self.model, self.optimizer, state)
        save_history(self.folder, self.history, self.settings)

    def finish(self) -> None:
        """Curve and last contact sheet."""
        if self.folder is not None and self.here.rank == 0:
            if self.history:
                names = [k for k in self.history if k not in ("step", "seconds", "grad")]
                seen = [k for k in names if any(v > 0 for v in self.history[k])]
                if seen:
                    smooth = max(1, self.total // 200)
                    plot_curves(self.history, self.folder / "loss.png", names=seen, smooth=smooth)
            if self.hooks.sheet is not None and self.step % self.hooks.every:
                self.model.eval()
                self.hooks.sheet(self.model, self.folder / "sheet.png")
        self.here.wait()
