"""`meshlearn train heart OUT`: the encoder of hearts, on a generated population."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._output import print_json
from meshlearn.cli.train import group


@command("heart", group=group)
def heart(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder for checkpoint and curve; made if missing."),
    ],
    hearts: Annotated[int, typer.Option(min=1, help="Hearts of the population.")] = 1500,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 3000,
    batch: Annotated[int, typer.Option(min=1, help="Hearts a step.")] = 16,
    seed: Annotated[int, typer.Option(help="Same seed, same encoder.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train the encoder that `heart fit --weights OUT` predicts with."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT: {out} exists and is no folder")
    if not out.parent.is_dir():
        raise ValueError(f"OUT: the folder {out.parent} does not exist; make it first")
    if (out / "checkpoint.safetensors").exists() and not resume:
        raise ValueError(f"OUT: {out} holds a training; give --resume, or another folder")
    from meshlearn.train.heart import train_heart

    train_heart(out, hearts=hearts, steps=steps, batch=batch, seed=seed, resume=resume)
    if as_json:
        print_json({"output": out, "hearts": hearts, "steps": steps})
        return
    message(f"wrote {out}: use it by heart fit CONTOURS OUT --weights {out}")
