"""A heart from contours by a trained encoder, refined on them."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from meshlearn._threads import one_thread
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.consensus import sentence, settle_slices
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import find_initial_pose
from meshlearn.heart.fit.one_frame import HeartFit
from meshlearn.heart.fit.settings import (
    DENSITY,
    FARTHEST_PREDICTED,
    FLOW_STEPS,
    REFINE,
    HeartSettings,
)
from meshlearn.heart.fit.soundness import check_fit, tell
from meshlearn.heart.model import HeartModel, quaternion
from meshlearn.heart.model.constants import ENCODER_WIDTH, LATENT
from meshlearn.heart.model.encoder import HeartEncoder, inputs_of, turned
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
    drawn, ((contours,), moves) = contours, settle_slices([contours])
    pose = find_initial_pose(contours)
    turn, centre = pose.rotation.float(), pose.centre.float()
    given = inputs_of(contours, turn, centre)[None]
    found = encoder(given, torch.ones(given.shape[:2], dtype=torch.bool))
    model = HeartModel(
        latent=LATENT,
        width=ENCODER_WIDTH,
        features=ENCODER_WIDTH,
        steps=FLOW_STEPS,
        rv=pose.rv,
        density=DENSITY,
    )
    model.requires_grad_(False)
    model.flow.load_state_dict(encoder.flow.state_dict())
    model.theta.copy_(found["theta"].clamp(-FARTHEST_PREDICTED, FARTHEST_PREDICTED))
    model.get_parameter("code").copy_(found["code"])
    own = turned(found["turn"])[0]
    model.quaternion.copy_(quaternion(turn @ own)[None])
    model.centre.copy_((turn @ found["move"][0] + centre)[None])
    data = DataTerm(contours, settings, rv=pose.rv)
    history: list[float] = []
    if refine:
        tess = model.tessellation(settings.rows, settings.columns)
        solver = Solver(model, data, tess, flow=True)
        history = solver.run(settings.global_steps + settings.local_steps)
    model.requires_grad_(True)
    by = (data.axes @ data.shifts[..., None]).squeeze(-1)
    shifts = dict(zip(data.numbers, by, strict=True))
    fit = HeartFit(model, contours, shifts, history, time.perf_counter() - begin)
    fit.drawn_on(drawn, moves)
    fit.remarks = [f"{drawn.source}: {sentence(move)}" for move in moves]
    fit.remarks += check_fit(model, drawn, fit.shifts) if refine else []
    tell(fit.remarks, stacklevel=4)  # through `one_thread` and `no_grad`
    return fit
