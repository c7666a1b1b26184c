"""Hearts from contours in one pass: a set encoder trained on a generated population."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from meshlearn.io.contours import LABELS, VIEWS, Contours
from meshlearn.reconstruct.heart.contact import Data, HeartSettings
from meshlearn.reconstruct.heart.fit import HeartFit
from meshlearn.reconstruct.heart.gauss_newton import Solver
from meshlearn.reconstruct.heart.start import find_start
from meshlearn.representations.heart import (
    SIZE,
    Flow,
    HeartModel,
    Primitive,
    lattice,
    primitive_vertices,
    quaternion,
    rotation,
)
from meshlearn.representations.heart.flow import SCALE
from meshlearn.representations.heart.population import sample_heart, sample_theta
from meshlearn.train.heart_acquisition import Acquisition, acquire

LATENT = 16
INPUTS = 3 + len(LABELS) + len(VIEWS)
LATTICE = (6, 15)  # whose vertices hearts are compared on


def inputs_of(contours: Contours, turn: Tensor, centre: Tensor) -> Tensor:
    """Points of contours as the encoder takes them, (P, `INPUTS`): in the frame of columns `turn`
    (3, 3) at `centre` (3,), over `SCALE`; labels and views as one-hot."""
    place = ((contours.points - centre.double()) @ turn.double()).float() / SCALE
    one = nn.functional.one_hot
    kinds = one(contours.label, len(LABELS)), one(contours.view, len(VIEWS))
    return torch.cat([place, *(k.float() for k in kinds)], 1)


class HeartEncoder(nn.Module):
    """From labelled points to pose, parameter functions and the code of the flow.

    A network shared by all points, the maximum and the mean over them, and a network on those: any
    number of points, in any order. The flow, conditioned on the code, is trained with it.

    Args:
        width: of the hidden layers.
        generator: of the initial weights.

    Source: Qi et al., PointNet (2017).
    """

    def __init__(self, *, width: int = 128, generator: torch.Generator | None = None) -> None:
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        sizes = [(INPUTS, width), (width, width), (width, 2 * width)]
        self.points = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)
        sizes = [(4 * width, 2 * width), (2 * width, 2 * width)]
        self.whole = nn.ModuleList(nn.Linear(a, b) for a, b in sizes)
        self.last = nn.Linear(2 * width, SIZE + 6 + LATENT)
        self.flow = Flow(latent=LATENT, width=64, features=64, steps=2, generator=generator)
        with torch.no_grad():
            for layer in [*self.points, *self.whole, self.last]:
                bound = layer.in_features**-0.5
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.zero_()
            self.last.weight.mul_(0.1)

    def forward(self, points: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Of points (B, P, `INPUTS`) where `mask` (B, P) bool holds: "theta" (B, N), "turn" (B, 3)
        in radians, "move" (B, 3) in mm, "code" (B, `LATENT`)."""
        h = points
        for layer in self.points:
            h = torch.relu(layer(h))
        keep = mask[..., None]
        top = h.masked_fill(~keep, 0.0)
        h = torch.cat([top.amax(1), top.sum(1) / keep.sum(1).clamp(min=1)], 1)
        for layer in self.whole:
            h = torch.relu(layer(h))
        theta, turn, move, code = self.last(h).split([SIZE, 3, 3, LATENT], 1)
        return {"theta": theta, "turn": 0.3 * turn, "move": 10 * move, "code": code}

    def vertices(self, found: dict[str, Tensor], *, flow: bool = True) -> Tensor:
        """Vertices (B, V, 3) on `LATTICE` of what `forward` found, in the frame of its input."""
        made = primitive_vertices(Primitive(found["theta"]), lattice(*LATTICE))
        if flow:
            made = self.flow(made, found["code"])[0]
        return made @ _turned(found["turn"]).mT + found["move"][:, None]


def _turned(turn: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) of small rotation vectors (B, 3)."""
    half = torch.cat([torch.ones_like(turn[:, :1]), turn / 2], 1)
    return rotation(half)


@dataclass
class HeartSet:
    """Generated hearts with their virtual contours, as a data set.

    Attributes:
        inputs: (P, `INPUTS`) of each, in the frame that the contours themselves suggest.
        truth: (V, 3) vertices on `LATTICE` in that frame.
        points: how many contour points an example shows (drawn anew each time).
    """

    inputs: list[Tensor] = field(default_factory=list)
    truth: list[Tensor] = field(default_factory=list)
    points: int = 500

    def __len__(self) -> int:
        return len(self.inputs)

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """An example: some points, a slice or a view of them dropped at times, slightly turned."""
        given = self.inputs[index]
        pick = torch.randint(len(given), (self.points,), generator=generator)
        small = torch.randn(1, 3, generator=generator) * 0.08
        turn = _turned(small)[0]
        move = torch.randn(3, generator=generator) * 3.0
        points = given[pick].clone()
        points[:, :3] = points[:, :3] @ turn.T + move / SCALE
        mask = torch.ones(self.points, dtype=torch.bool)
        if float(torch.rand(1, generator=generator)) < 0.1:  # no long axes
            mask &= points[:, 3 + len(LABELS) + VIEWS.index("lax")] < 0.5
        return {"points": points, "mask": mask, "truth": self.truth[index] @ turn.T + move}


def build_set(count: int, *, seed: int = 0, flow: float = 2.0) -> HeartSet:
    """Generates hearts with contours; about 15 a second."""
    import warnings

    made = HeartSet()
    for i in range(count):
        generator = torch.Generator().manual_seed(1_000_003 * seed + i)
        model = sample_heart(flow=flow, generator=generator)
        contours = acquire(model, settings=Acquisition(), generator=generator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            try:
                start = find_start(contours)
            except ValueError:  # a draw that no reader would give
                continue
        turn, centre = start.rotation.float(), start.centre.float()
        with torch.no_grad():
            world = model.vertices(model.lattice(*LATTICE))[0]
        made.inputs.append(inputs_of(contours, turn, centre))
        made.truth.append((world - centre) @ turn)
    return made


def encoder_loss(
    model: HeartEncoder, batch: dict[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """Mean distance (mm) of corresponding vertices, with and without the flow, and the priors."""
    found = model(batch["points"], batch["mask"])
    truth = batch["truth"]
    whole = (model.vertices(found) - truth).square().sum(-1).add(1e-4).sqrt().mean()
    plain = (model.vertices(found, flow=False) - truth).square().sum(-1).add(1e-4).sqrt().mean()
    return {
        "distance": whole,
        "primitive": plain,
        "prior": found["theta"].square().mean(),
        "code": found["code"].square().mean(),
    }


WEIGHTS = {"distance": 1.0, "primitive": 0.5, "prior": 0.02, "code": 0.01}


def train_heart(
    folder: str | Path,
    *,
    hearts: int = 1500,
    steps: int = 3000,
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
    """
    from meshlearn.train import Stage, train

    model = HeartEncoder(generator=torch.Generator().manual_seed(seed))
    data = build_set(hearts, seed=seed)
    stage = Stage(encoder_loss, data, steps=steps, batch=batch, lr=1e-3, weights=WEIGHTS)
    options = {"kind": "heart", "hearts": hearts}
    train(
        model,
        stage,
        folder=folder,
        resume=resume,
        seed=seed,
        clip=5.0,
        options=options,
        progress=progress,
    )
    return model.eval()


def load_encoder(folder: str | Path) -> HeartEncoder:
    """The encoder of a training's folder."""
    from meshlearn.train import load_weights

    model = HeartEncoder()
    load_weights(model, folder)
    return model.eval()


REFINE = HeartSettings(global_steps=6, local_steps=8)


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
    own = _turned(found["turn"])[0]
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


__all__ = [
    "HeartEncoder",
    "HeartSet",
    "build_set",
    "encoder_loss",
    "load_encoder",
    "predict_heart",
    "sample_theta",
    "train_heart",
]
