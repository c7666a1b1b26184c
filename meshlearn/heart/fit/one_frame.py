"""One heart to its contours: pose, then parameter functions, then the flow with them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from meshlearn._threads import one_thread
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.consensus import SliceMove, moved, sentence, settle_slices
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import InitialPose, find_initial_pose
from meshlearn.heart.fit.settings import (
    DENSITY,
    FARTHEST_INITIAL,
    FEATURES,
    FLOW_STEPS,
    MEAN_RADIUS,
    HeartSettings,
)
from meshlearn.heart.fit.soundness import check_fit, tell
from meshlearn.heart.model import HeartModel, index_of, quaternion
from meshlearn.heart.model.constants import LENGTH, LENGTH_SPREAD, RADIUS_SPREAD


@dataclass
class HeartFit:
    """A fitted heart.

    Attributes:
        model: the heart; `model.mesh` gives its surfaces, in the patient's frame, mm.
        contours: what it was fitted to.
        shifts: slice number -> how far it was moved in its plane, (3,) mm, to meet the surface,
            moves before the fit included; those that were left out have none.
        history: loss by step.
        seconds: of the fit.
        remarks: what is odd about it, see `check_fit`.
        moves: slices that lay apart from the others, moved or left out before the fit.
    """

    model: HeartModel
    contours: Contours
    shifts: dict[int, Tensor]
    history: list[float] = field(default_factory=list)
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)
    moves: list[SliceMove] = field(default_factory=list)

    @property
    def used(self) -> Contours:
        """The contours without the slices that were left out."""
        out = [m.number for m in self.moves if m.number not in self.shifts]
        return self.contours.without_slices(out) if out else self.contours

    @property
    def settled(self) -> Contours:
        """The contours that were used, where their slices were moved to."""
        return moved(self.used, self.shifts)

    def drawn_on(self, contours: Contours, moves: list[SliceMove]) -> None:
        """Takes the contours as they were drawn, of which slices had moved before the fit."""
        self.contours, self.moves = contours, moves
        for move in moves:
            if move.number in self.shifts:
                self.shifts[move.number] = self.shifts[move.number] + move.by.float()


def apply_initial_pose(model: HeartModel, pose: InitialPose) -> None:
    """Sets pose and size of a model: length and radii so many spreads from the average heart's."""
    with torch.no_grad():
        model.quaternion[0] = quaternion(pose.rotation).to(model.quaternion)
        model.centre[0] = pose.centre.to(model.centre)
        model.theta[:, index_of("length")] = math.log(pose.length / LENGTH) / LENGTH_SPREAD
        size = math.log(pose.radius / MEAN_RADIUS) / RADIUS_SPREAD
        for name in ("r1", "r2"):
            model.theta[:, index_of(name)] = size
        model.theta.clamp_(-FARTHEST_INITIAL, FARTHEST_INITIAL)


def fit_heart(
    contours: Contours,
    *,
    settings: HeartSettings | None = None,
    seed: int = 0,
) -> HeartFit:
    """Fits one heart to contours, without any training.

    Slices that lie apart from the others are moved first, see `meshlearn.heart.fit.consensus`. Pose
    and size come from the contours; Gauss-Newton then moves pose and parameter functions, then
    the flow's last layer with them. The loss is one-sided, from contours to the surface of their
    label, robust; each slice may shift in its plane. It runs on one thread, so that results do not
    depend on how many there are.

    Args:
        settings: see `HeartSettings`.
        seed: of the flow's inner layers.

    Raises:
        ValueError: too little to fit to, see `find_initial_pose`; contours that no heart fits.

    Warns:
        UserWarning: what is missing, and what is odd about the fit, see `check_fit`.

    Example:
        >>> fit = fit_heart(load_contours("GPFile_000.txt"))
        >>> fit.model.mesh("lv").volume() / 1000
    """
    with one_thread():
        settings = settings or HeartSettings()
        (given,), moves = settle_slices([contours]) if settings.consensus else ([contours], [])
        fit = fit_from(find_initial_pose(given), given, settings, seed)
        fit.drawn_on(contours, moves)
        fit.remarks = [f"{contours.source}: {sentence(move)}" for move in moves]
        fit.remarks += check_fit(fit.model, contours, fit.shifts)
    tell(fit.remarks, stacklevel=2)
    return fit


def fit_from(
    pose: InitialPose,
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
        steps=FLOW_STEPS,
        rv=pose.rv,
        density=DENSITY,
        generator=torch.Generator().manual_seed(seed),
    )
    model.requires_grad_(False)
    data = DataTerm(contours, settings, rv=pose.rv)
    history: list[float] = []
    tess = model.tessellation(settings.rows, settings.columns)
    if like is None:
        apply_initial_pose(model, pose)
        history += Solver(model, data, tess, flow=False).run(settings.global_steps)
    else:
        model.load_state_dict(like.model.state_dict())
        for i, n in enumerate(data.numbers):
            if n in like.shifts:
                data.shifts[i] = like.shifts[n].float() @ data.axes[i]
    if settings.local_steps:
        history += Solver(model, data, tess, flow=True).run(settings.local_steps)
    model.requires_grad_(True)
    by = (data.axes @ data.shifts[..., None]).squeeze(-1)
    shifts = dict(zip(data.numbers, by, strict=True))
    return HeartFit(model, contours, shifts, history, time.perf_counter() - begin)
