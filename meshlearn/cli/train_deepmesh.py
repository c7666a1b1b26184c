"""`meshlearn train deepmesh DATA OUT`: an auto-decoder of many shapes."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._output import print_json
from meshlearn.cli.train import Amp, Data, Device, Out, Resume, Seed, group, training_folder


@command("deepmesh", group=group)
def deepmesh(
    data: Data,
    out: Out,
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
    amp: Amp = "none",
    seed: Seed = 0,
    device: Device = "cpu",
    resume: Resume = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a network and a code for each shape; OUT/model.safetensors is for --network."""
    training_folder(out, resume=resume)
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
