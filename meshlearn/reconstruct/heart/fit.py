"""One heart to its contours: pose, then parameter functions, then the flow."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from meshlearn.geometry import point_mesh_distance
from meshlearn.io.contours import Contours
from meshlearn.mesh import Mesh
from meshlearn.progress import progress_bar
from meshlearn.reconstruct.heart.start import Start, find_start, slice_axes
from meshlearn.representations.heart import HeartModel, index_of, quaternion, roughness
from meshlearn.representations.heart.lattice import Lattice

# what contours of a label lie on
TARGETS = {
    "lv": ("lv_endo",),
    "epi": ("lv_epi", "rv_epi", "apex"),
    "free": ("rv_free",),
    "septum": ("rv_septum",),
    "rv": ("rv_endo",),
    "lv_lid": ("mitral", "aortic"),
    "rv_lid": ("tricuspid", "pulmonary"),
}


@dataclass(frozen=True)
class HeartSettings:
    """How a heart is fitted; the defaults are those that its quality was measured with.

    Attributes:
        global_steps, local_steps: of Adam, for the parameter functions and then the flow as well.
        huber: where the robust loss turns from squares to lines, mm.
        shift: spread of slices in their plane, mm; 0 for none.
        prior, rough: weights of |θ|² and of the roughness of the splines.
        energy, strain: weights of the flow's velocity and of its change along the surface.
        valve: weight of a valve point against a contour point.
        rows, columns: of the lattice during the fit.
    """

    global_steps: int = 150
    local_steps: int = 100
    huber: float = 3.0
    shift: float = 2.0
    prior: float = 0.02
    rough: float = 0.02
    energy: float = 0.003
    strain: float = 20.0
    valve: float = 20.0
    insertion: float = 10.0
    shift_weight: float = 1.0
    rows: int = 12
    columns: int = 30
    lr: float = 0.05
    flow_lr: float = 3e-3


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


class _Data:
    """Contour points by the surface they lie on, with the slices' shifts as parameters."""

    def __init__(self, contours: Contours, settings: HeartSettings, start: Start) -> None:
        self.settings = settings
        self.numbers, axes = slice_axes(contours)
        self.axes = axes.float()
        self.shifts = torch.zeros(len(self.numbers), 2, requires_grad=True)
        where = {n: i for i, n in enumerate(self.numbers)}
        total = contours.weight.sum()
        self.groups = []
        for surface, labels in TARGETS.items():
            part = contours.of(*labels)
            if len(part) and (start.rv or not surface.startswith(("rv", "free", "sep"))):
                slot = torch.tensor([where.get(n, -1) for n in part.slice.tolist()])
                gain = settings.valve if surface.endswith("lid") else 1.0
                weight = (part.weight / total * gain).float()
                self.groups.append((surface, (part.points).float(), slot, weight))
        insert = contours.of("rv_insert") if start.rv else contours.take(contours.label < 0)
        slot = torch.tensor([where.get(n, -1) for n in insert.slice.tolist()], dtype=torch.int64)
        self.insert = (insert.points.float(), slot, (insert.weight / total * settings.insertion).float())

    def moved(self, points: Tensor, slot: Tensor) -> Tensor:
        if not self.settings.shift or not len(self.numbers):
            return points
        by = (self.axes @ self.shifts[..., None]).squeeze(-1)
        return points + by[slot.clamp(min=0)] * (slot >= 0)[:, None]

    def loss(self, vertices: Tensor, lat: Lattice) -> Tensor:
        total = vertices.new_zeros(())
        for surface, points, slot, weight in self.groups:
            names = ["septum", "free"] if surface == "rv" else [surface]
            mesh = Mesh(vertices, torch.cat([lat.faces[n] for n in names]), validate=False)
            squared = point_mesh_distance(self.moved(points, slot), mesh).squared_distance
            total = total + (huber(squared, self.settings.huber) * weight).sum()
        points, slot, weight = self.insert
        if len(points):
            points = self.moved(points, slot)
            ends = [vertices[lat.lines[n]] for n in ("insertion_back", "insertion_front")]
            squared = torch.stack([to_line(points, line) for line in ends]).amin(0)
            total = total + (huber(squared, self.settings.huber) * weight).sum()
        if self.settings.shift and len(self.numbers):
            share = (self.shifts / self.settings.shift).square().sum(1).mean()
            total = total + self.settings.shift_weight * share
        return total


def huber(squared: Tensor, delta: float) -> Tensor:
    """Huber's loss of distances given by their squares: d² / 2, linear beyond `delta`."""
    far = squared > delta * delta
    root = torch.where(far, squared, 1.0).sqrt()
    return torch.where(far, delta * (root - delta / 2), squared / 2)


def to_line(points: Tensor, line: Tensor) -> Tensor:
    """Squared distances (P,) of points to a polyline (L, 3)."""
    a, d = line[:-1], line[1:] - line[:-1]
    t = ((points[:, None] - a) * d).sum(-1) / (d * d).sum(-1).clamp(min=1e-12)
    foot = a + t.clamp(0, 1)[..., None] * d
    return ((points[:, None] - foot) ** 2).sum(-1).amin(1)


def strain(before: Tensor, after: Tensor, lat: Lattice) -> Tensor:
    """Mean squared change of the displacement along the lattice's edges, relative to their length,
    before and after (V, 3) the flow in one frame."""
    moved = after - before
    total = moved.new_zeros(())
    for name in ("lv", "epi", "septum", "free"):
        f = lat.faces[name]
        a, b = f[:, [0, 1]].reshape(-1), f[:, [1, 2]].reshape(-1)
        length = ((before[a] - before[b]) ** 2).sum(1) + 1.0
        total = total + (((moved[a] - moved[b]) ** 2).sum(1) / length).mean() / 4
    return total


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
    previous: HeartFit | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> HeartFit:
    """Fits one heart to contours, without any training.

    Pose and size come from the contours, then Adam moves pose and parameter functions, then the
    flow with them. The loss is one-sided, from contours to the surface of their label, robust; each
    slice may shift in its plane.

    Args:
        settings: see `HeartSettings`.
        previous: a fit to a neighbouring frame, to start from; its flow goes on.
        seed: of the flow's inner layers.

    Raises:
        ValueError: too little to fit to; see `find_start`.

    Example:
        >>> fit = fit_heart(load_contours("GPFile_000.txt"))
        >>> fit.model.mesh("lv").volume() / 1000
    """
    settings = settings or HeartSettings()
    begin = time.perf_counter()
    start = find_start(contours)
    model = HeartModel(
        rv=start.rv, steps=4, generator=torch.Generator().manual_seed(seed), density=(24, 60)
    )
    data = _Data(contours, settings, start)
    if previous is None:
        place(model, start)
    else:
        model.load_state_dict(previous.model.state_dict())
        with torch.no_grad():
            for i, n in enumerate(data.numbers):
                if n in previous.shifts:
                    data.shifts[i] = previous.shifts[n].float() @ data.axes[i]
    history: list[float] = []
    lat = model.lattice(settings.rows, settings.columns)
    stages = [(False, settings.global_steps)] if previous is None else []
    stages.append((True, settings.local_steps))
    with progress_bar("fitting the heart", sum(n for _, n in stages), enabled=progress) as bar:
        for local, steps in stages:
            _stage(model, data, lat, settings, local, steps, history, bar)
    by = (data.axes @ data.shifts.detach()[..., None]).squeeze(-1)
    shifts = dict(zip(data.numbers, by, strict=True))
    return HeartFit(model, contours, shifts, history, time.perf_counter() - begin)


def _stage(model, data, lat, settings, local: bool, steps: int, history: list, bar) -> None:
    lr = settings.lr * (0.3 if local else 1.0)
    groups = [
        {"params": [model.theta], "lr": lr},
        {"params": [model.quaternion], "lr": lr * 0.1},
        {"params": [model.centre], "lr": lr * 5},
        {"params": [data.shifts], "lr": lr * 2},
    ]
    if local:
        groups.append({"params": list(model.flow.parameters()), "lr": settings.flow_lr})
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.95))
    rates = [g["lr"] for g in groups]
    for step in range(steps):
        share = min(1.0, (step + 1) / 10) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share
        optimiser.zero_grad()
        world, before, energy = model.vertices(lat, flow=local)
        loss = data.loss(world, lat)
        loss = loss + settings.prior * (model.theta**2).mean()
        loss = loss + settings.rough * roughness(model.theta)
        if local:
            after = model.to_heart(world)
            loss = loss + settings.energy * energy + settings.strain * strain(before, after, lat)
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
        bar.update(len(history), f"loss {history[-1]:.4g}")


def with_settings(settings: HeartSettings | None, **changes: float) -> HeartSettings:
    """Settings with some of them changed."""
    return replace(settings or HeartSettings(), **changes)
