"""Checkpoints of a fit: safetensors only, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FILE = "checkpoint.safetensors"
_FORMAT = "meshlearn-fit-1"


def write_atomic(path: Path, data: bytes) -> None:
    """Writes a file in whole: an interrupted write leaves the old one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


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
    for index, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value).cpu().contiguous()
    tensors["generator"] = generator.get_state()
    metadata = {"format": _FORMAT, "state": json.dumps(state)}
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FILE, save(tensors, metadata=metadata))


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[int, dict], Tensor, dict]:
    """Parameters, optimiser state by index, random state, and the state dict.

    Raises:
        ValueError: no checkpoint there, or a file that is not one.
    """
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"{path}: no checkpoint there; start without resume")
    parameters: dict[str, Tensor] = {}
    moments: dict[int, dict] = {}
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise ValueError(f"{path}: expected a checkpoint of a fit ({_FORMAT})")
            state = json.loads(metadata["state"])
            generator = file.get_tensor("generator")
            for name in file.keys():
                kind, _, rest = name.partition(".")
                if kind == "parameter":
                    parameters[rest] = file.get_tensor(name)
                elif kind == "optimizer":
                    index, _, key = rest.partition(".")
                    moments.setdefault(int(index), {})[key] = file.get_tensor(name)
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path}: not a readable checkpoint ({error})") from None
    return parameters, moments, generator, state
