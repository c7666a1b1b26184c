"""Training of the encoder of hearts, on a generated population seen by a virtual scanner."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from meshlearn.heart.data.contours import LABELS, VIEWS
from meshlearn.heart.fit.initial_pose import find_initial_pose
from meshlearn.heart.learn.scanner import acquire
from meshlearn.heart.learn.settings import (
    CLIP,
    DISTANCE_FLOOR,
    LEARNING_RATE,
    MOVED,
    NO_LONG_AXES,
    POINTS,
    SEED_STEP,
    SNAPSHOTS,
    TURNED,
    WEIGHTS,
)
from meshlearn.heart.model.constants import COMPARED, FLOW_UNIT
from meshlearn.heart.model.encoder import HeartEncoder, inputs_of, turned
from meshlearn.heart.model.heart_model import part_of
from meshlearn.heart.model.population import sample_heart
from meshlearn.heart.model.tessellation import tessellation
from meshlearn.mesh import Mesh
from meshlearn.train.loop import train
from meshlearn.train.outcome import LOOKED_AT, spread
from meshlearn.train.stacked_preview import Stack
from meshlearn.train.training_stages import Hooks, Stage


@dataclass
class HeartSet:
    """Generated hearts with their virtual contours, as a data set.

    Attributes:
        inputs: (P, `INPUTS`) of each, in the frame that the contours themselves suggest.
        truth: (V, 3) vertices on `COMPARED` in that frame.
        points: how many contour points an example shows (drawn anew each time).
    """

    inputs: list[Tensor] = field(default_factory=list)
    truth: list[Tensor] = field(default_factory=list)
    points: int = POINTS

    def __len__(self) -> int:
        return len(self.inputs)

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """An example: some points, a slice or a view of them dropped at times, slightly turned."""
        given = self.inputs[index]
        pick = torch.randint(len(given), (self.points,), generator=generator)
        small = torch.randn(1, 3, generator=generator) * TURNED
        turn = turned(small)[0]
        move = torch.randn(3, generator=generator) * MOVED
        points = given[pick].clone()
        points[:, :3] = points[:, :3] @ turn.T + move / FLOW_UNIT
        mask = torch.ones(self.points, dtype=torch.bool)
        if float(torch.rand(1, generator=generator)) < NO_LONG_AXES:  # no long axes
            mask &= points[:, 3 + len(LABELS) + VIEWS.index("lax")] < 0.5
        return {"points": points, "mask": mask, "truth": self.truth[index] @ turn.T + move}


def build_set(count: int, *, seed: int = 0, flow: float = 2.0) -> HeartSet:
    """Generates hearts with contours; about 10 a second."""
    made = HeartSet()
    for i in range(count):
        generator = torch.Generator().manual_seed(SEED_STEP * seed + i)
        model = sample_heart(flow=flow, generator=generator)
        contours = acquire(model, generator=generator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                pose = find_initial_pose(contours)
            except ValueError:  # a draw that no reader would give
                continue
        turn, centre = pose.rotation.float(), pose.centre.float()
        with torch.no_grad():
            world = model.vertices(model.tessellation(*COMPARED))[0]
        made.inputs.append(inputs_of(contours, turn, centre))
        made.truth.append((world - centre) @ turn)
    return made


def encoder_loss(
    model: HeartEncoder, batch: dict[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Mean distance (mm) of corresponding vertices, with and without the flow, and the priors."""
    found = model(batch["points"], batch["mask"])
    truth = batch["truth"]

    def distance(vertices: Tensor) -> Tensor:
        return (vertices - truth).square().sum(-1).add(DISTANCE_FLOOR).sqrt().mean()

    whole, plain = model.vertices(found)
    return {
        "distance": distance(whole),
        "primitive": distance(plain),
        "prior": found["theta"].square().mean(),
        "code": found["code"].square().mean(),
    }


def train_heart(
    folder: str | Path,
    *,
    hearts: int = 1600,
    steps: int = 5000,
    batch: int = 16,
    seed: int = 0,
    resume: bool = False,
    progress: bool | None = None,
) -> HeartEncoder:
    """Trains an encoder on a generated population; with the defaults within 20 minutes on 2 cores.

    Args:
        folder: for checkpoint, history and curve; made if missing.
        hearts: of the population.
        steps, batch: of the optimiser.
        resume: go on from the checkpoint in the folder.

    Warns:
        UserWarning: what was trained is no nearer to its own hearts than their mean.
    """
    model = HeartEncoder(generator=torch.Generator().manual_seed(seed))
    data = build_set(hearts, seed=seed)
    stage = Stage(encoder_loss, data, steps=steps, batch=batch, lr=LEARNING_RATE, weights=WEIGHTS)
    options = {"kind": "heart", "hearts": hearts}
    hooks = _hooks(data, steps) if len(data) else None
    train(
        model,
        stage,
        folder=folder,
        resume=resume,
        seed=seed,
        clip=CLIP,
        hooks=hooks,
        options=options,
        progress=progress,
    )
    model.eval()
    _hold_against_their_mean(model, data)
    return model


def _hold_against_their_mean(model: HeartEncoder, data: HeartSet) -> None:
    """Warns where an encoder is no better than the mean of the hearts that it learned from, the
    same for every patient."""
    looked = spread(len(data), LOOKED_AT)
    if len(data) < 2:
        return
    mean = torch.stack(data.truth).mean(0)
    own, of_mean = 0.0, 0.0
    with torch.no_grad():
        for k in looked:
            points = data.inputs[k][None]
            made, _ = model.vertices(model(points, torch.ones(points.shape[:2], dtype=torch.bool)))
            own += float((made[0] - data.truth[k]).norm(dim=1).mean()) / len(looked)
            of_mean += float((mean - data.truth[k]).norm(dim=1).mean()) / len(looked)
    if not own < of_mean:
        warnings.warn(
            f"the encoder is {own:.1f} mm from hearts that it learned from, and their mean is "
            f"{of_mean:.1f} mm: it tells nothing of a patient yet; give more steps",
            stacklevel=3,
        )


def _hooks(data: HeartSet, steps: int, count: int = 2) -> Hooks:
    """Some hearts of the population beside what the encoder makes of their contours."""
    shown, where = range(min(count, len(data))), tessellation(*COMPARED)
    stack = Stack([part_of(data.truth[k], where, "muscle") for k in shown])

    @torch.no_grad()
    def snapshot(model: HeartEncoder) -> Mesh:
        made = []
        for k in shown:
            points = data.inputs[k][None]
            found = model(points, torch.ones(points.shape[:2], dtype=torch.bool))
            whole, _ = model.vertices(found)
            made.append(part_of(whole[0], where, "muscle"))
        return stack(made)

    every = max(10, steps // SNAPSHOTS)
    return Hooks(snapshot=snapshot, target=stack.target, every=every)
