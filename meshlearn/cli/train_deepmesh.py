"""`meshlearn train deepmesh DATA OUT`: an auto-decoder of many shapes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, choice, command, message
from meshlearn.cli._output import print_json
from meshlearn.cli.train import group


@command("deepmesh", group=group)
def deepmesh(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder that `prepare` made, or families:chairs+mugs:200."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder for checkpoint, curve, model; made if missing."),
    ],
    latent: Annotated[int, typer.Option(min=1, help="Numbers of a code.")] = 64,
    hidden: Annotated[int, typer.Option(min=8, help="Width of the layers.")] = 160,
    layers: Annotated[int, typer.Option(min=2, help="Hidden layers.")] = 6,
    steps: Annotated[int, typer.Option(min=0, help="Steps of the optimiser.")] = 5000,
    batch: Annotated[int, typer.Option(min=1, help="Shapes a step and process.")] = 16,
    points: Annotated[int, typer.Option(min=1, help="Samples of a shape and step.")] = 256,
    lr: Annotated[float, typer.Option(min=0, help="Learning rate of the network.")] = 1.5e-3,
    held_out: Annotated[
        int, typer.Option(min=0, help="Shapes kept for testing, picked by the seed.")
    ] = 0,
    amp: Annotated[str, choice("none", "bf16", "fp16", help="Mixed precision.")] = "none",
    seed: Annotated[int, typer.Option(help="Same seed, same model.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in OUT.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a network and a code for each shape; OUT/model.safetensors is for --network."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT: {out} exists and is no folder")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"OUT: the folder {out.parent} does not exist; make it first")
    if (out / "checkpoint.safetensors").exists() and not resume:
        raise ValueError(f"OUT: {out} holds a training; give --resume, or another folder")
    from meshlearn.train.dataset import open_data
    from meshlearn.train.deepmesh import make_network, train_deepmesh

    shapes = open_data(data, points=points, near=0.875)
    if held_out:
        shapes = shapes.split(held_out, seed=seed)[0]
    result = train_deepmesh(
        shapes,
        network=make_network(latent, hidden=hidden, layers=layers, seed=seed),
        steps=steps,
        batch=batch,
        lr=lr,
        folder=out,
        resume=resume,
        seed=seed,
        device=device,
        amp=None if amp == "none" else amp,
        options={"data": data, "held_out": held_out},
    )
    if os.environ.get("RANK", "0") != "0":
        return
    loss = result.history["sdf"][-1] if result.history.get("sdf") else None
    model = out / "model.safetensors"
    facts = {"output": model, "shapes": len(shapes), "steps": steps, "sdf_loss": loss}
    if as_json:
        print_json({**facts, "seconds": round(result.seconds, 3)})
    else:
        told = "" if loss is None else f", mean error {loss:.4g}"
        message(f"wrote {model}: {len(shapes)} shapes{told} ({result.seconds:.0f} s)")
