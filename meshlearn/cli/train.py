"""`meshlearn train MODEL DATA OUT`: models of many shapes, from what `prepare` made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, app, choice, command, message
from meshlearn.cli._output import print_json

group = typer.Typer(
    help="Train a model on many shapes; under torchrun in several processes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(group, name="train")

# what the verbs of all models take
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A folder that `prepare` made, or families:chairs+mugs:200."
    ),
]
Out = Annotated[
    Path,
    typer.Argument(metavar="OUT", help="Folder for checkpoint, curve, model; made if missing."),
]
Seed = Annotated[int, typer.Option(help="Same seed, same model.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")]


@dataclass
class TrainingOptions:
    """Where and how any model is trained."""

    amp: Annotated[str, choice("none", "bf16", "fp16", help="Mixed precision.")] = "none"
    seed: Seed = 0
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu"
    resume: Resume = False
    allow_empty: Annotated[
        bool,
        typer.Option("--allow-empty", help="Go on where the model makes no surface of any shape."),
    ] = False
    as_json: JsonFlag = False

    @property
    def precision(self) -> str | None:
        """As `train` takes it."""
        return None if self.amp == "none" else self.amp


def training_folder(out: Path, *, resume: bool) -> None:
    """Raises ValueError where a training cannot go into OUT, or would end the one that is there."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT: {out} exists and is no folder")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"OUT: the folder {out.parent} does not exist; make it first")
    from meshlearn.run_folder import CHECKPOINT

    if (out / CHECKPOINT).exists() and not resume:
        raise ValueError(f"OUT: {out} holds a training; give --resume, or another folder")


def numbers(text: str, name: str, count: int | None = None) -> list[int]:
    """ "16,32" as numbers."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0 or count not in (None, len(found)):
        wanted = "numbers" if count is None else f"{count} numbers"
        raise typer.BadParameter(f"expected {wanted} such as 16,32, got {text!r}", param_hint=name)
    return found


def is_first_process() -> bool:
    """Whether this process is the one that tells of a training; torchrun starts several."""
    return os.environ.get("RANK", "0") == "0"


@dataclass
class BSPNetOptions:
    """Sizes of the network."""

    planes: Annotated[int, typer.Option(min=1, help="Planes of a shape.")] = 4096
    convexes: Annotated[int, typer.Option(min=1, help="Convexes.")] = 256
    resolution: Annotated[int, typer.Option(help="Of the encoder's voxels.")] = 64
    code: Annotated[int, typer.Option(min=1, help="Numbers of a code.")] = 256
    hidden: Annotated[str, typer.Option(help="Layers of the decoder.")] = "512,1024,2048"
    width: Annotated[int, typer.Option(min=1, help="Of the encoder's first layer.")] = 32
    primitives: Annotated[str, choice("planes", "quadrics", help="What bounds the convexes.")] = (
        "planes"
    )
    decoder: Annotated[
        str, choice("planes", "implicit", help="implicit: numbers of each point from the code.")
    ] = "planes"


@dataclass
class BSPNetSchedule:
    """What it is trained on, for how long."""

    samples: Annotated[str, typer.Option(help="Resolutions of the samples, coarse to fine.")] = (
        "16,32,64"
    )
    steps: Annotated[str, typer.Option(help="Steps at each of them, and of the last phase.")] = (
        "2000,2000,4000,4000"
    )
    phase: Annotated[
        int, typer.Option(min=1, max=4, help="The last: 1 hard T, 3 soft; 2, 4 with overlap.")
    ] = 1
    batch: Annotated[int, typer.Option(min=1, help="Shapes a step and process.")] = 24
    points: Annotated[int, typer.Option(min=1, help="Samples of a shape and step.")] = 4096
    lr: Annotated[float, typer.Option(min=0, help="Learning rate of Adam.")] = 2e-4
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the shapes that is kept for testing.")
    ] = 0.1
    every: Annotated[int, typer.Option(min=1, help="Steps between contact sheets.")] = 500


@command("bspnet", group=group)
def bspnet(
    data: Data,
    out: Out,
    sizes: BSPNetOptions,
    schedule: BSPNetSchedule,
    training: TrainingOptions,
) -> None:
    """BSP-Net as an auto-encoder of voxels: shapes as unions of few convexes."""
    levels = numbers(schedule.samples, "--samples")
    counts = numbers(schedule.steps, "--steps", len(levels) + 1)
    layers = numbers(sizes.hidden, "--hidden")
    training_folder(out, resume=training.resume)
    import torch

    from meshlearn.representations.bspnet import BSPNet
    from meshlearn.train import PrepareOptions, open_data
    from meshlearn.train.bspnet import train_bspnet

    wanted = PrepareOptions(voxels=tuple(sorted({*levels, sizes.resolution})))
    shapes = open_data(data, options=wanted, voxels=sizes.resolution)
    if schedule.held_out and len(shapes) > 1:
        shapes = shapes.split(max(1, round(schedule.held_out * len(shapes))))[0]
    torch.manual_seed(training.seed)
    model = BSPNet(
        sizes.planes,
        sizes.convexes,
        encoder="voxels",
        resolution=sizes.resolution,
        code=sizes.code,
        hidden=layers,
        width=sizes.width,
        primitives=sizes.primitives,
        decoder=sizes.decoder,
        generator=torch.Generator().manual_seed(training.seed),
    )
    result = train_bspnet(
        shapes,
        model,
        folder=out,
        resume=training.resume,
        allow_empty=training.allow_empty,
        seed=training.seed,
        device=training.device,
        amp=training.precision,
        every=schedule.every,
        source=data,
        steps=counts,
        resolutions=levels,
        phase=schedule.phase,
        batch=schedule.batch,
        points=schedule.points,
        lr=schedule.lr,
    )
    if not is_first_process():
        return
    loss = result.history["loss"][-1] if result.history.get("loss") else None
    facts = {"output": out, "shapes": len(shapes), "steps": sum(counts), "loss": loss}
    if training.as_json:
        print_json({**facts, "seconds": round(result.seconds, 3)})
    else:
        told = "" if loss is None else f", loss {loss:.4g}"
        message(f"wrote {out}: {len(shapes)} shapes{told} ({result.seconds:.0f} s)")
