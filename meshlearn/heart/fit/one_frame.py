"""One heart to its contours: pose, then parameter functions, then the flow with them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from meshlearn._threads import one_thread
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.contact import Data, HeartSettings
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.model import HeartModel, index_of, quaternion
from meshlearn.heart.model.start import Start, find_start

FEATURES = 256  # of the flow: with fewer, what the seed draws shows between the slices


@dataclass
class HeartFit:
    """A fitted heart.

    Attributes:
        model: the heart; `model.mesh` gives its surfaces, in the patient's frame, mm.
        contours: what it was fitted to.
        shifts: slice number -> how far it was moved in its plane, (3,) mm, to meet the surface.
        history: loss by step.
        seconds: of the fit.
    """

    model: HeartModel
    contours: Contours
    shifts: dict[int, Tensor]
    history: list[float] = field(default_factory=list)
    seconds: float = 0.0


def place(model: HeartModel, start: Start) -> None:
    """Sets pose and size of a model."""
    with torch.no_grad():
        model.quaternion[0] = quaternion(start.rotation).to(model.quaternion)
        model.centre[0] = start.centre.to(model.centre)
        model.theta[:, index_of("length")] = math.log(start.length / 88.0) / 0.1
        size = math.log(start.radius / 25.0) / 0.16
        for name in ("r1", "r2"):
            model.theta[:, index_of(name)] = size
        model.theta.clamp_(-3, 3)


def fit_heart(
    contours: Contours,
    *,
    settings: HeartSettings | None = None,
    seed: int = 0,
) -> HeartFit:
    """Fits one heart to contours, without any training.

    Pose and size come from the contours; Gauss-Newton then moves pose and parameter functions, then
    the flow's last layer with them. The loss is one-sided, from contours to the surface of their
    label, robust; each slice may shift in its plane. It runs on one thread, so that results do not
    depend on how many there are.

    Args:
        settings: see `HeartSettings`.
        seed: of the flow's inner layers.

    Raises:
        ValueError: too little to fit to; see `find_start`.

    Example:
        >>> fit = fit_heart(load_contours("GPFile_000.txt"))
        >>> fit.model.mesh("lv").volume() / 1000
    """
    with one_thread():
        return fit_from(find_start(contours), contours, settings or HeartSettings(), seed)


def fit_from(
    start: Start,
    contours: Contours,
    settings: HeartSettings,
    seed: int,
    *,
    like: HeartFit | None = None,
) -> HeartFit:
    """`fit_heart` on the threads there are, from a first pose and size, or from the fit `like` of
    another frame of the same heart, which was made with the same seed."""
    begin = time.perf_counter()
    model = HeartModel(
        features=FEATURES,
        steps=4,
        rv=start.rv,
        density=(24, 60),
        generator=torch.Generator().manual_seed(seed),
    )
    model.requires_grad_(False)
    data = Data(contours, settings, rv=start.rv)
    history: list[float] = []
    lat = model.lattice(settings.rows, settings.columns)
    if like is None:
        place(model, start)
        history += Solver(model, data, lat, flow=False).run(settings.global_steps)
    else:
        model.load_state_dict(like.model.state_dict())
        for i, n in enumerate(data.numbers):
            if n in like.shifts:
                data.shifts[i] = like.shifts[n].float() @ data.axes[i]
    if settings.local_steps:
        history += Solver(model, data, lat, flow=True).run(settings.local_steps)
    model.requires_grad_(True)
    by = (data.axes @ data.shifts[..., None]).squeeze(-1)
    shifts = dict(zip(data.numbers, by, strict=True))
    return HeartFit(model, contours, shifts, history, time.perf_counter() - begin)
