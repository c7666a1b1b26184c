"""`meshlearn train heart OUT`: the encoder of hearts, on a generated population."""

from __future__ import annotations

from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._output import print_json
from meshlearn.cli.train import Out, Resume, Seed, group, training_folder


@command("heart", group=group)
def heart(
    out: Out,
    hearts: Annotated[int, typer.Option(min=1, help="Hearts of the population.")] = 1600,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 5000,
    batch: Annotated[int, typer.Option(min=1, help="Hearts a step.")] = 16,
    seed: Seed = 0,
    resume: Resume = False,
    as_json: JsonFlag = False,
) -> None:
    """Train the encoder that `heart fit --weights OUT` predicts with."""
    training_folder(out, resume=resume)
    from meshlearn.heart.learn.train import train_heart

    train_heart(out, hearts=hearts, steps=steps, batch=batch, seed=seed, resume=resume)
    if as_json:
        print_json({"output": out, "hearts": hearts, "steps": steps})
        return
    message(f"wrote {out}: use it by heart fit CONTOURS OUT --weights {out}")
