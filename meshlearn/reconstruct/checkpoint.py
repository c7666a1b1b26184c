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

from meshlearn.mesh import Mesh

FILE = "checkpoint.safetensors"
SNAPSHOTS = "snapshots"
TARGET = "target.safetensors"
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


def save_snapshot(folder: Path, step: int, mesh: Mesh) -> None:
    """Keeps the mesh of a step, for looking at: ``snapshots/step_000050.safetensors``.

    Holds "vertices" (V, 3) float32 and "faces" (F, 3) int32.
    """
    (folder / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    write_atomic(folder / SNAPSHOTS / f"step_{step:06d}.safetensors", _mesh_bytes(mesh))


def save_target(folder: Path, mesh: Mesh) -> None:
    """Keeps the mesh that is fitted to, in the form of a snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / TARGET, _mesh_bytes(mesh))


def forget_snapshots(folder: Path, after: int = -1) -> None:
    """Removes the snapshots of steps later than `after`: those of an earlier fit in the folder."""
    for path in (folder / SNAPSHOTS).glob("step_*.safetensors"):
        number = path.stem.removeprefix("step_")
        if number.isdigit() and int(number) > after:
            path.unlink()
    if after < 0:
        (folder / TARGET).unlink(missing_ok=True)


def _mesh_bytes(mesh: Mesh) -> bytes:
    vertices = mesh.vertices.detach().to("cpu", torch.float32).contiguous()
    return save({"vertices": vertices, "faces": mesh.faces.to("cpu", torch.int32).contiguous()})


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
