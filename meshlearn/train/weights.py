"""The weights of a training, with moments and progress in the one checkpoint of its folder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from meshlearn.run_folder import CHECKPOINT, optimizer_tensors, read_tensors, write_tensors

FORMAT = "meshlearn-train-1"
_MODEL = "model."


def write_training(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: dict,
) -> None:
    """Writes all that a training needs to go on."""
    tensors = {
        _MODEL + name: value.detach().cpu().contiguous().clone()  # tied weights are kept twice
        for name, value in model.state_dict().items()
        if isinstance(value, Tensor)
    }
    write_tensors(folder / CHECKPOINT, tensors | optimizer_tensors(optimizer), FORMAT, state)


def read_training(folder: Path) -> tuple[dict[str, Tensor], dict[int, dict], dict]:
    """Weights by name, moments by index, and the state."""
    tensors, moments, state = read_tensors(folder / CHECKPOINT, FORMAT, "a training")
    return {k.removeprefix(_MODEL): v for k, v in tensors.items()}, moments, state


def put_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Copies weights into a model of the same architecture."""
    own = {k: v for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    for name in [*own, *weights]:
        theirs, mine = (
            "nothing" if d.get(name) is None else f"{tuple(d[name].shape)}" for d in (weights, own)
        )
        if theirs != mine:
            raise ValueError(
                f"{path}: the checkpoint is of another architecture ({name!r} is {theirs} there "
                f"and {mine} in the model); build the model with the options it was trained with"
            )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def load_weights(model: nn.Module, folder: str | Path) -> dict:
    """Puts the weights of a training into a model.

    Args:
        model: of the architecture that was trained; changed in place.
        folder: of the training, or its checkpoint file.

    Returns:
        The settings of the training: ``options`` is what was passed to `train` as such.

    Raises:
        ValueError: no checkpoint there, or one of another architecture.

    Example:
        >>> settings = load_weights(model, "runs/chairs")
    """
    path = Path(folder)
    path = path.parent if path.name == CHECKPOINT else path
    weights, _, state = read_training(path)
    put_weights(model, weights, path / CHECKPOINT)
    return state["settings"]


def read_settings(folder: str | Path) -> dict:
    """The settings of a training, from its checkpoint: to build the model that it is of."""
    return read_training(Path(folder))[2]["settings"]
