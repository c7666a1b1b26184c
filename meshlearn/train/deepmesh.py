"""Training of an auto-decoder: one network and a code for each of many shapes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn._segment import stable_mean
from meshlearn.fields import DeepSDF, NeuralField
from meshlearn.mesh import Mesh
from meshlearn.representations.deepmesh import DeepMesh
from meshlearn.representations.field_samples import clamped_error
from meshlearn.train.dataset import ShapeSet
from meshlearn.train.loop import TrainResult, train
from meshlearn.train.outcome import look_at, spread
from meshlearn.train.stacked_preview import Stack
from meshlearn.train.training_stages import Hooks, Stage


def sdf_loss(
    model: DeepMesh,
    batch: dict[str, Tensor],
    generator: torch.Generator,
    *,
    clamp: float = 0.1,
) -> dict[str, Tensor]:
    """Clamped L1 (``sdf``) and mean squared length of the codes (``prior``) of a batch.

    Args:
        batch: ``index`` (B,) rows of the table, ``points`` (B, n, 3) and ``sdf`` (B, n), as
            `meshlearn.train.dataset.ShapeSet` draws them.
    """
    count = batch["points"].shape[1]
    codes = model.codes[batch["index"]]
    index = torch.arange(len(codes), device=codes.device).repeat_interleave(count)
    found = model.network(batch["points"].reshape(-1, 3), codes, index)
    wanted = batch["sdf"].reshape(-1)
    return {
        "sdf": stable_mean(clamped_error(found.float(), wanted, wanted, clamp)),
        "prior": stable_mean((codes.float() ** 2).sum(1)),
    }


def make_network(
    latent_size: int = 64, *, hidden: int = 160, layers: int = 6, seed: int = 0
) -> DeepSDF:
    """The DeepSDF network in a size for a laptop; its published size is ``DeepSDF()``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DeepSDF(latent_size, hidden=hidden, layers=layers, skip=layers // 2)


def train_deepmesh(
    data: Any,
    *,
    network: NeuralField | None = None,
    steps: int = 5000,
    batch: int = 16,
    lr: float = 1.5e-3,
    prior: float = 1e-4,
    folder: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str | torch.device = "cpu",
    amp: str | None = None,
    resolution: int = 64,
    options: dict | None = None,
    allow_empty: bool = True,
    progress: bool | None = None,
) -> TrainResult:
    """Trains an auto-decoder: network and codes together, by clamped L1 on samples of distances.

    Args:
        data: a `ShapeSet`, or another data set that draws ``index``, ``points`` and ``sdf``.
        network: with a latent code; default: `make_network`.
        steps, batch: of the optimiser; shapes a step.
        lr: of the network (5e-4 in the published recipe, which trains for days); codes get twice
            that.
        prior: weight of the mean squared length of a code.
        folder, resume, seed, device, amp, options, progress: see `meshlearn.train.train`. The
            folder gets ``model.safetensors`` too, which `DeepMesh.load` reads.
        resolution: of the meshes that are drawn on the way.
        allow_empty: warn where the model makes no surface of any shape, instead of an error.

    Returns:
        TrainResult whose model is a `DeepMesh` with a row of codes for each shape.

    Raises:
        ValueError: bad options, or a checkpoint of another training.
        NonFiniteLoss: NaN; names the step and the term or parameter.
        EmptyTraining: no surface of any shape, if that is not allowed; the checkpoint is kept, and
            ``model.safetensors`` is not written.

    Example:
        >>> data = open_data("families:chairs:40", points=512)
        >>> model = train_deepmesh(data, steps=2000, folder="runs/cars").model
        >>> model.mesh(0).save("first.obj")

    Source: Park et al., "DeepSDF" (CVPR 2019), sections 4 and 6.
    """
    if network is None:
        network = make_network(seed=seed)
    if network.latent_size == 0:
        raise ValueError("network: expected one with a latent code, got latent_size 0")
    start = torch.Generator().manual_seed(seed)
    codes = torch.randn(len(data), network.latent_size, generator=start) * 0.01
    first = next(network.parameters())
    model = DeepMesh(network, codes=codes.to(first), resolution=resolution, weights=True)
    stage = Stage(
        sdf_loss,
        data,
        steps=steps,
        batch=batch,
        lr=lr,
        weights={"prior": prior},
        groups=_groups,
        name="auto-decoder",
    )
    result = train(
        model,
        stage,
        folder=folder,
        resume=resume,
        seed=seed,
        device=device,
        amp=amp,
        hooks=_hooks(data, steps),
        options={"network": network.architecture, **network.config, **(options or {})},
        progress=progress,
    )
    _look(model, data, allow_empty=allow_empty)
    if folder is not None:
        model.save(Path(folder) / "model.safetensors")
    return result


@torch.no_grad()
def _look(model: DeepMesh, data: Any, *, allow_empty: bool) -> None:
    """Some shapes of the table: whether there is anything."""
    rows = spread(len(model.codes))
    names = [data.names[k] if isinstance(data, ShapeSet) else f"shape {k}" for k in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no surface: said below
        found = [model.mesh(k) for k in rows]
    look_at(found, names, allow_empty=allow_empty)


def _groups(model: nn.Module, lr: float) -> list[dict]:
    assert isinstance(model, DeepMesh)
    return [
        {"params": list(model.network.parameters()), "lr": lr},
        {"params": [model.codes], "lr": 2 * lr},
    ]


def _hooks(data: object, steps: int, count: int = 3) -> Hooks:
    """A sheet of some shapes; and, where the data has their meshes, some beside them to look at."""
    every = max(100, steps // 4)
    if not isinstance(data, ShapeSet):
        return Hooks(sheet=_sheet, every=every)
    count = min(count, len(data))
    shown = [k * len(data) // count for k in range(count)]
    stack = Stack([data.mesh(k) for k in shown])

    def snapshot(model: nn.Module) -> Mesh:
        assert isinstance(model, DeepMesh)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no surface yet
            return stack([model.mesh(k) for k in shown])

    return Hooks(
        sheet=_sheet,
        snapshot=snapshot,
        target=stack.target,
        every=every,
        snapshot_every=max(10, steps // 25),
    )


def _sheet(model: nn.Module, path: Path) -> None:
    """Some shapes of the table."""
    from meshlearn.render.picture import contact_sheet

    assert isinstance(model, DeepMesh)
    count = min(8, len(model.codes))
    rows = [k * len(model.codes) // count for k in range(count)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is not drawn
        meshes = [model.mesh(k) for k in rows]
    drawn = [(m, k) for m, k in zip(meshes, rows, strict=True) if m.num_faces]
    labels = [f"shape {k}" for _, k in drawn]
    if drawn:
        contact_sheet([m for m, _ in drawn], path, labels=labels, size=200, views=2)
