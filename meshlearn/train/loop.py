"""The one training loop: any module, any losses, any data set; one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from meshlearn.progress import delayed_interrupt, progress_bar
from meshlearn.run_folder import History
from meshlearn.train.distributed import world
from meshlearn.train.training import AMP, Training
from meshlearn.train.training_stages import Hooks, Stage


@dataclass
class TrainResult:
    """A trained model and how it came about.

    Attributes:
        model: the module that was passed, trained, in eval mode.
        history: columns of equal length: ``step``, ``seconds``, ``loss``, one for each term (means
            over all processes), ``grad`` (norm of the gradient before clipping), figures of
            `Hooks.evaluate`.
        seconds: wall time of all steps, earlier runs of a resumed training included.
    """

    model: nn.Module
    history: History
    seconds: float


def train(
    model: nn.Module,
    stages: Stage | Sequence[Stage],
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str | torch.device = "cpu",
    amp: str | None = None,
    accumulate: int = 1,
    clip: float | None = None,
    checkpoint_every: int = 200,
    hooks: Hooks | None = None,
    options: dict | None = None,
    progress: bool | None = None,
    callback: Callable[[int, dict[str, float]], None] | None = None,
) -> TrainResult:
    """Trains a module.

    Started by ``torchrun`` every process takes its part of each batch, and gradients are averaged
    by DistributedDataParallel (gloo on the CPU): two processes follow the loss curve of one with
    the doubled batch. The loss may call any method of the model.

    Args:
        model: changed in place, moved to `device`.
        stages: one or several, one after the other, such as growing resolutions.
        folder: for checkpoint, history, settings, curve (``loss.png``) and what hooks keep; made if
            missing. An interrupt (Ctrl-C) finishes the step, writes a checkpoint and then raises
            KeyboardInterrupt.
        resume: go on from the checkpoint in that folder; the curve is then bit for bit that of a
            training without the stop. Options must be the same; more steps are allowed, of the
            stage that it is in and of those after.
        seed: of order and randomness; initial weights are the caller's.
        device: "cpu", "cuda" (that of ``LOCAL_RANK``) or one by number.
        amp: None, "bf16" or "fp16" (with scaled gradients): losses under autocast.
        accumulate: batches whose gradients make one step.
        clip: largest norm of the gradient.
        checkpoint_every: steps between checkpoints.
        hooks: snapshots, contact sheets, figures.
        options: plain values that are kept in the settings (architecture, data), and that a resumed
            training must share.
        progress: show a bar; default: on a terminal.
        callback: called after each step, in each process, with the step and the loss terms.

    Raises:
        ValueError: bad options, or a checkpoint of another training.
        NonFiniteLoss: a loss or a gradient became NaN or infinite: the message has the step and the
            name of the term or parameter. The last checkpoint stays.

    Example:
        >>> def loss(model, batch, generator):
        ...     return {"l1": (model(batch["points"]) - batch["sdf"]).abs().mean()}
        >>> result = train(model, Stage(loss, data, steps=1000), folder="run")
    """
    parts = [stages] if isinstance(stages, Stage) else list(stages)
    if not parts:
        raise ValueError("stages: expected one or more, got none")
    if resume and folder is None:
        raise ValueError("resume: expected a folder too, got none; give folder=")
    if amp is not None and amp not in AMP:
        raise ValueError(f"amp: expected None, 'bf16' or 'fp16', got {amp!r}")
    if accumulate < 1:
        raise ValueError(f"accumulate: expected 1 or more, got {accumulate}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip: expected a positive norm, got {clip}")
    with world(device) as here:
        state = Training(
            model.to(here.device),
            parts,
            here,
            seed=seed,
            amp=amp,
            accumulate=accumulate,
            clip=clip,
            options=options or {},
        )
        state.hooks = hooks or Hooks()
        state.folder = None if folder is None else Path(folder)
        state.begin(resume)
        with delayed_interrupt() as stop:
            with progress_bar(
                "training", max(1, state.total), enabled=progress if here.rank == 0 else False
            ) as bar:
                while state.step < state.total and not state.stopped:
                    terms = state.advance(stop.asked)
                    bar.update(state.step, f"loss {terms['loss']:.4g}")
                    if callback is not None:
                        callback(state.step, terms)
                    if state.step % checkpoint_every == 0 and state.step < state.total:
                        state.save()
            state.save()
        if state.stopped and state.step < state.total:
            kept = f"; the checkpoint of step {state.step} is in {folder}" if folder else ""
            raise KeyboardInterrupt(f"stopped after step {state.step} of {state.total}{kept}")
        state.finish()
    return TrainResult(model.eval(), state.history, state.seconds)
