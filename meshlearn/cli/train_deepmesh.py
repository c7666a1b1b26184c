"""`meshlearn train deepmesh DATA OUT`: an auto-decoder of many shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from meshlearn.cli._app import command, message
from meshlearn.cli._output import print_json
from meshlearn.cli.train import (
    Data,
    Out,
    TrainingOptions,
    group,
    is_first_process,
    training_folder,
)


@dataclass
class DeepMeshOptions:
    """Sizes of the network, and how it is trained."""

    latent: Annotated[int, typer.Option(min=1, help="Numbers of a code.")] = 64
    hidden: Annotated[int, typer.Option(min=8, help="Width of the layers.")] = 160
    layers: Annotated[int, typer.Option(min=2, help="Hidden layers.")] = 6
    steps: Annotated[int, typer.Option(min=0, help="Steps of the optimiser.")] = 5000
    batch: Annotated[int, typer.Option(min=1, help="Shapes a step and process.")] = 16
    points: Annotated[int, typer.Option(min=1, help="Samples of a shape and step.")] = 256
    lr: Annotated[float, typer.Option(min=0, help="Learning rate of the network.")] = 1.5e-3
    held_out: Annotated[
        int, typer.Option(min=0, help="Shapes kept for testing, picked by the seed.")
    ] = 0


@command("deepmesh", group=group)
def deepmesh(data: Data, out: Out, model: DeepMeshOptions, training: TrainingOptions) -> None:
    """Train a network and a code for each shape; OUT/model.safetensors is for --network."""
    training_folder(out, resume=training.resume)
    from meshlearn.train.dataset import open_data
    from meshlearn.train.deepmesh import make_network, train_deepmesh

    seed, size = training.seed, {"hidden": model.hidden, "layers": model.layers}
    shapes = open_data(data, points=model.points, near=0.875)
    if model.held_out:
        shapes = shapes.split(model.held_out, seed=seed)[0]
    result = train_deepmesh(
        shapes,
        network=make_network(model.latent, **size, seed=seed),
        steps=model.steps,
        batch=model.batch,
        lr=model.lr,
        folder=out,
        resume=training.resume,
        allow_empty=training.allow_empty,
        seed=seed,
        device=training.device,
        amp=training.precision,
        options={"data": data, "held_out": model.held_out},
    )
    if not is_first_process():
        return
    loss = result.history["sdf"][-1] if result.history.get("sdf") else None
    path = out / "model.safetensors"
    facts = {"output": path, "shapes": len(shapes), "steps": model.steps, "sdf_loss": loss}
    if training.as_json:
        print_json({**facts, "seconds": round(result.seconds, 3)})
    else:
        told = "" if loss is None else f", mean error {loss:.4g}"
        message(f"wrote {path}: {len(shapes)} shapes{told} ({result.seconds:.0f} s)")
