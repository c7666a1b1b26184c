"""A heart from contours by a trained encoder, refined on them."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from meshlearn._threads import one_thread
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.contact import Data, HeartSettings
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.one_frame import HeartFit
from meshlearn.heart.model import HeartModel, quaternion
from meshlearn.heart.model.encoder import LATENT, HeartEncoder, inputs_of, turned
from meshlearn.heart.model.start import find_start
from meshlearn.run_folder import read_tensors

TRAINING = "meshlearn-train-1"  # format of a training's checkpoint


def load_encoder(folder: str | Path) -> HeartEncoder:
    """The encoder of the folder that `train heart` made.

    Raises:
        ValueError: no training there, or one of another model.
    """
    path = Path(folder) / "checkpoint.safetensors"
    if not path.is_file():
        raise ValueError(f"{folder}: there is no training of hearts (no {path.name}) in it")
    tensors, _, state = read_tensors(path, TRAINING, "a training")
    if state.get("settings", {}).get("options", {}).get("kind") != "heart":
        raise ValueError(f"{folder}: it holds a training of another model than of hearts")
    model = HeartEncoder()
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    return model.eval()


REFINE = HeartSettings(global_steps=6, local_steps=8)


@one_thread()
@torch.no_grad()
def predict_heart(
    encoder: HeartEncoder,
    contours: Contours,
    *,
    refine: bool = True,
    settings: HeartSettings = REFINE,
) -> HeartFit:
    """A heart from contours by the encoder, then refined on them.

    The refinement moves pose, parameter functions, slice shifts and the last layer of the flow, by
    Gauss-Newton, from what the encoder found.

    Example:
        >>> fit = predict_heart(load_encoder("runs/heart"), load_contours("GPFile_000.txt"))
    """
    begin = time.perf_counter()
    start = find_start(contours)
    turn, centre = start.rotation.float(), start.centre.float()
    given = inputs_of(contours, turn, centre)[None]
    found = encoder(given, torch.ones(given.shape[:2], dtype=torch.bool))
    model = HeartModel(latent=LATENT, width=64, features=64, steps=4, rv=start.rv, density=(24, 60))
    model.requires_grad_(False)
    model.flow.load_state_dict(encoder.flow.state_dict())
    model.theta.copy_(found["theta"].clamp(-6, 6))
    model.code.copy_(found["code"])
    own = turned(found["turn"])[0]
    model.quaternion.copy_(quaternion(turn @ own)[None])
    model.centre.copy_((turn @ found["move"][0] + centre)[None])
    data = Data(contours, settings, rv=start.rv)
    history: list[float] = []
    if refine:
        lat = model.lattice(settings.rows, settings.columns)
        solver = Solver(model, data, lat, flow=True)
        history = solver.run(settings.global_steps + settings.local_steps)
    model.requires_grad_(True)
    by = (data.axes @ data.shifts[..., None]).squeeze(-1)
    shifts = dict(zip(data.numbers, by, strict=True))
    return HeartFit(model, contours, shifts, history, time.perf_counter() - begin)
