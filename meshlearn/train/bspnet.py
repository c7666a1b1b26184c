"""Training BSP-Net as an auto-encoder: from coarse samples to fine, then with a hard T."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn.convex import convex_colors
from meshlearn.mesh import Mesh
from meshlearn.representations.bspnet import BSPNet
from meshlearn.train.dataset import ShapeSet
from meshlearn.train.loop import TrainResult, train
from meshlearn.train.outcome import look_at, spread
from meshlearn.train.stacked_preview import Stack
from meshlearn.train.training_stages import Hooks, Stage
from meshlearn.train.weights import load_weights, read_settings


@dataclass
class VoxelSamples:
    """Draws of occupancy at the centres of voxels, half of them next to the surface.

    Attributes:
        data: shapes that were prepared with voxels of `resolution` and of `given`.
        resolution: of the samples.
        given: resolution of the voxels that the encoder sees.
        points: a draw.
        near: share of them in cells with a neighbour on the other side.
    """

    data: ShapeSet
    resolution: int
    given: int
    points: int = 2048
    near: float = 0.5
    _kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.data)

    def _cells(self, index: int) -> tuple[Tensor, Tensor]:
        """(r³,) occupancy, and numbers of the cells next to the surface."""
        if index not in self._kept:
            occupied = self.data[index].voxels(self.resolution)
            solid = occupied[None, None].float()
            wide = torch.nn.functional.max_pool3d(solid, 3, 1, 1)
            thin = -torch.nn.functional.max_pool3d(-solid, 3, 1, 1)
            border = torch.nonzero((wide != thin).reshape(-1))[:, 0].int()
            self._kept[index] = (occupied.reshape(-1), border)
        return self._kept[index]

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``points`` (P, 3), ``inside`` (P,) and ``voxels`` (1, R, R, R), float32."""
        occupied, border = self._cells(index)
        close = round(self.points * self.near) if len(border) else 0
        cells = [torch.randint(len(occupied), (self.points - close,), generator=generator)]
        if close:
            cells.append(border[torch.randint(len(border), (close,), generator=generator)].long())
        cell, r = torch.cat(cells), self.resolution
        place = torch.stack([cell // (r * r), cell // r % r, cell % r], 1)
        return {
            "points": (place + 0.5) / r - 0.5,
            "inside": occupied[cell].float(),
            "voxels": self.data[index].voxels(self.given)[None].float(),
        }


def _warm_up(done: float) -> float:
    """Of the learning rate, over the first twentieth: Adam's first steps are of full length."""
    return min(1.0, 0.1 + 18 * done)


class PhaseLoss:
    """The loss of one phase on a batch of `VoxelSamples`."""

    def __init__(self, phase: int) -> None:
        self.phase = phase

    def __call__(
        self, model: nn.Module, batch: dict[str, Tensor], generator: torch.Generator
    ) -> dict[str, Tensor]:
        assert isinstance(model, BSPNet)
        code = model.encode(batch["voxels"])
        return model.losses(batch["points"], batch["inside"], code, phase=self.phase)


def bspnet_stages(
    data: ShapeSet,
    *,
    given: int,
    steps: Sequence[int] = (1000, 1000, 1000, 2000),
    resolutions: Sequence[int] = (16, 32, 64),
    phase: int = 1,
    batch: int = 24,
    points: int = 4096,
    lr: float = 2e-4,
    momentum: float = 0.9,
) -> list[Stage]:
    """The stages of the paper: phase 0 at each resolution, then phase 1 to 4 at the last.

    At each finer resolution the border of the soft union becomes as much thinner, and from the
    last one on T is rounded and held (phases 3 and 4 let it go again). Rounding it only together
    with the change to S* would throw away most of what was learned: many entries of some hundredths
    make a part of the shape then, and all above 0.01 would become 1.

    Args:
        given: resolution of the encoder's voxels.
        steps: of each resolution, and of the last phase.
        phase: of the last stage; 1 or 2 round T to 0 and 1, 3 and 4 keep it real.
        lr, momentum: of Adam (its beta 1). The paper's are 1e-4 and 0.5; a decoder of 512 hidden
            numbers learns well at 1e-3.
    """
    if len(steps) != len(resolutions) + 1:
        raise ValueError(
            f"steps: expected {len(resolutions) + 1} numbers, one for each of the resolutions "
            f"{tuple(resolutions)} and one for the last phase, got {tuple(steps)}"
        )
    if phase not in (1, 2, 3, 4):
        raise ValueError(f"phase: expected 1 to 4 for the last stage, got {phase}")

    def adam(groups: list[dict]) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, betas=(momentum, 0.999), fused=True)

    def freeze(model: BSPNet, *, connection: bool) -> None:
        model.weights.requires_grad_(False)
        model.connection.requires_grad_(not connection)

    def finer(number: int) -> Callable[[nn.Module], None]:
        def before(model: nn.Module) -> None:
            if not isinstance(model, BSPNet):
                return
            model.steepen(resolutions[number] / resolutions[number - 1])
            if number == len(resolutions) - 1:
                model.round_connection()
                freeze(model, connection=True)

        return before

    def harden(model: nn.Module) -> None:
        if isinstance(model, BSPNet):
            model.harden()
            freeze(model, connection=phase < 3)

    before = [None, *(finer(number) for number in range(1, len(resolutions))), harden]
    out = []
    for number, (count, resolution) in enumerate(zip(steps, [*resolutions, resolutions[-1]],
                                                     strict=True)):  # fmt: skip
        last = number == len(resolutions)
        out.append(
            Stage(
                PhaseLoss(phase if last else 0),
                VoxelSamples(data, resolution, given, points),
                steps=count,
                batch=batch,
                lr=lr,
                schedule="cosine" if last else _warm_up,
                optimizer=adam,
                before=before[number],
                name=f"phase {phase if last else 0} at {resolution}",
            )
        )
    return out


def train_bspnet(
    data: ShapeSet,
    model: BSPNet | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str | torch.device = "cpu",
    amp: str | None = None,
    every: int = 500,
    checkpoint_every: int = 200,
    progress: bool | None = None,
    source: str = "",
    allow_empty: bool = True,
    **options: Any,
) -> TrainResult:
    """Trains BSP-Net as an auto-encoder of voxels.

    Args:
        data: two shapes or more, prepared with the voxels that the stages ask for.
        model: with an encoder of voxels; default: the paper's sizes.
        folder, resume, seed, device, amp, checkpoint_every, progress: as in `train.train`; the
            folder also gets ``sheet.png``: shapes of the data above what the model makes of them.
        every: steps between sheets.
        source: where the data came from, kept in the settings.
        allow_empty: warn where the model makes no convexes of any shape, instead of an error.
        options: of `bspnet_stages`.

    Raises:
        ValueError: one shape only, or a model without an encoder of voxels.
        EmptyTraining: no convexes of any shape, if that is not allowed; the checkpoint is kept.
    """
    if len(data) < 2:
        raise ValueError(
            f"data: expected 2 shapes or more to learn what they share, got {len(data)}; one shape "
            "is fitted by `reconstruct`"
        )
    if model is None:
        start = torch.Generator().manual_seed(seed)
        model = BSPNet(encoder="voxels", generator=start)
    if model.options["encoder"] != "voxels":
        raise ValueError("model: expected an encoder of voxels")
    stages = bspnet_stages(data, given=model.options["resolution"], **options)
    sheet = _Sheet(data)
    hooks = Hooks(
        sheet=sheet, snapshot=sheet.stacked, target=sheet.stack.target, every=every,
        snapshot_every=max(10, every // 10),
    )  # fmt: skip
    result = train(
        model, stages, folder=folder, resume=resume, seed=seed, device=device, amp=amp,
        checkpoint_every=checkpoint_every, hooks=hooks, progress=progress,
        options={"bspnet": model.options, "data": source},
    )  # fmt: skip
    rows = spread(len(data))
    none = torch.zeros(0, 3)
    found = sheet.made(model, rows) or [Mesh(none, none.long()) for _ in rows]
    look_at(found, [data.names[k] for k in rows], allow_empty=allow_empty)
    return result


def load_bspnet(folder: str | Path) -> BSPNet:
    """The model of a training's folder, in eval mode.

    Raises:
        ValueError: no folder of a training of BSP-Net.
    """
    settings = read_settings(folder)
    options = settings.get("options", {}).get("bspnet")
    if not isinstance(options, dict):
        raise ValueError(f"{folder}: expected the folder of a training of bspnet")
    options = dict(options)
    model = BSPNet(options.pop("planes"), options.pop("convexes"), **options)
    load_weights(model, folder)
    return model.eval()


def colored(mesh: Mesh, count: int) -> Mesh:
    """The mesh with its faces in the colours of the convexes they are of."""
    which = mesh.face_attributes["convex"]
    attributes = {**mesh.face_attributes, "color": convex_colors(count)[which]}
    return Mesh(mesh.vertices.detach(), mesh.faces, face_attributes=attributes, validate=False)


class _Sheet:
    """Draws shapes of the data above what the model makes of them, and keeps some to look at."""

    def __init__(self, data: ShapeSet, count: int = 6, looked_at: int = 3) -> None:
        step = max(1, len(data) // count)
        self.data, self.numbers = data, list(range(0, len(data), step))[:count]
        self.looked_at = self.numbers[:looked_at]
        self.stack = Stack([data.mesh(i) for i in self.looked_at])

    @torch.no_grad()
    def made(self, model: nn.Module, numbers: Sequence[int]) -> list[Mesh]:
        """What the model makes of shapes; nothing before it has convexes."""
        assert isinstance(model, BSPNet)
        given = model.options["resolution"]
        voxels = torch.stack([self.data[i].voxels(given)[None].float() for i in numbers])
        code = model.encode(voxels.to(model.connection))
        if not bool((model.connection > 0.01).any()):
            return []
        return [mesh.to("cpu") for mesh in model.meshes(code)]

    def stacked(self, model: nn.Module) -> Mesh:
        """Some shapes as the model makes them, as one mesh."""
        none = torch.zeros(0, 3)
        return self.stack(self.made(model, self.looked_at) or [Mesh(none, none.long())])

    def __call__(self, model: nn.Module, path: Path) -> None:
        from meshlearn.render.picture import contact_sheet

        assert isinstance(model, BSPNet)
        found = self.made(model, self.numbers)
        if not found:
            return
        if "convex" in found[0].face_attributes:
            found = [colored(mesh, model.options["convexes"]) for mesh in found]
        shapes = [self.data.mesh(i) for i in self.numbers]
        pairs = [(s, f) for s, f in zip(shapes, found, strict=True) if f.num_faces]
        if pairs:
            contact_sheet(
                [s for s, _ in pairs] + [f for _, f in pairs], path, views=1, size=260,
                columns=len(pairs), frame="each",
            )  # fmt: skip
