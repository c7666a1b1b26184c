"""Checkpoints of a fit: safetensors only, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from meshlearn.run_folder import optimizer_tensors, read_tensors, write_tensors

FILE = "checkpoint.safetensors"
_FORMAT = "meshlearn-fit-1"


def save_checkpoint(
    folder: Path,
    *,
    parameters: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    state: dict,
) -> None:
    """Everything that a fit needs to go on: parameters, moments, random state, progress."""
    tensors = {f"parameter.{k}": v.detach().cpu().contiguous() for k, v in parameters.items()}
    tensors |= optimizer_tensors(optimizer)
    tensors["generator"] = generator.get_state()
    write_tensors(folder / FILE, tensors, _FORMAT, state)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[int, dict], Tensor, dict]:
    """Parameters, optimiser state by index, random state, and the state dict.

    Raises:
        ValueError: no checkpoint there, or a file that is not one.
    """
    path = folder / FILE
    tensors, moments, state = read_tensors(path, _FORMAT, "a fit")
    if "generator" not in tensors:
        raise ValueError(f"{path}: not a readable checkpoint (it has no random state)")
    generator = tensors.pop("generator")
    parameters = {k.removeprefix("parameter."): v for k, v in tensors.items()}
    return parameters, moments, generator, state
