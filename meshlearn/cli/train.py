"""`meshlearn train MODEL DATA OUT`: models of many shapes, from what `prepare` made."""

from __future__ import annotations

import os
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
Amp = Annotated[str, choice("none", "bf16", "fp16", help="Mixed precision.")]
Seed = Annotated[int, typer.Option(help="Same seed, same model.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")]


def training_folder(out: Path, *, resume: bool) -> None:
    """Raises ValueError where a training cannot go into OUT, or would end the one that is there."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT: {out} exists and is no folder")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"OUT: the folder {out.parent} does not exist; make it first")
    if (out / "checkpoint.safetensors").exists() and not resume:
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


@command("bspnet", group=group)
def bspnet(
    data: Data,
    out: Out,
    planes: Annotated[int, typer.Option(min=1, help="Planes of a shape.")] = 4096,
    convexes: Annotated[int, typer.Option(min=1, help="Convexes.")] = 256,
    resolution: Annotated[int, typer.Option(help="Of the encoder's voxels.")] = 64,
    code: Annotated[int, typer.Option(min=1, help="Numbers of a code.")] = 256,
    hidden: Annotated[str, typer.Option(help="Layers of the decoder.")] = "512,1024,2048",
    width: Annotated[int, typer.Option(min=1, help="Of the encoder's first layer.")] = 32,
    primitives: Annotated[
        str, choice("planes", "quadrics", help="What bounds the convexes.")
    ] = "planes",
    decoder: Annotated[
        str, choice("planes", "implicit", help="implicit: numbers of each point from the code.")
    ] = "planes",
    samples: Annotated[
        str, typer.Option(help="Resolutions of the samples, coarse to fine.")
    ] = "16,32,64",
    steps: Annotated[
        str, typer.Option(help="Steps at each of them, and of the last phase.")
    ] = "2000,2000,4000,4000",
    phase: Annotated[
        int, typer.Option(min=1, max=4, help="The last: 1 hard T, 3 soft; 2, 4 with overlap.")
    ] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Shapes a step and process.")] = 24,
    points: Annotated[int, typer.Option(min=1, help="Samples of a shape and step.")] = 4096,
    lr: Annotated[float, typer.Option(min=0, help="Learning rate of Adam.")] = 2e-4,
    held_out: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the shapes that is kept for testing.")
    ] = 0.1,
    every: Annotated[int, typer.Option(min=1, help="Steps between contact sheets.")] = 500,
    amp: Amp = "none",
    seed: Seed = 0,
    device: Device = "cpu",
    resume: Resume = False,
    as_json: JsonFlag = False,
) -> None:
    """BSP-Net as an auto-encoder of voxels: shapes as unions of few convexes."""
    levels = numbers(samples, "--samples")
    counts = numbers(steps, "--steps", len(levels) + 1)
    layers = numbers(hidden, "--hidden")
    training_folder(out, resume=resume)
    import torch

    from meshlearn.representations import BSPNet
    from meshlearn.train import PrepareOptions, open_data
    from meshlearn.train.bspnet import train_bspnet

    wanted = PrepareOptions(voxels=tuple(sorted({*levels, resolution})))
    shapes = open_data(data, options=wanted, voxels=resolution)
    if held_out and len(shapes) > 1:
        shapes = shapes.split(max(1, round(held_out * len(shapes))))[0]
    torch.manual_seed(seed)
    model = BSPNet(
        planes, convexes, encoder="voxels", resolution=resolution, code=code, hidden=layers,
        width=width, primitives=primitives, decoder=decoder,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    result = train_bspnet(
        shapes, model, folder=out, resume=resume, seed=seed, device=device,
        amp=None if amp == "none" else amp, every=every, source=data, steps=counts,
        resolutions=levels, phase=phase, batch=batch, points=points, lr=lr,
    )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":
        return
    loss = result.history["loss"][-1] if result.history.get("loss") else None
    facts = {"output": out, "shapes": len(shapes), "steps": sum(counts), "loss": loss}
    if as_json:
        print_json({**facts, "seconds": round(result.seconds, 3)})
    else:
        message(f"wrote {out}: {len(shapes)} shapes, loss {loss:.4g} ({result.seconds:.0f} s)")
