"""What fits and trainings keep in their folders: the form that the viewer reads and resumes need.

``history.json`` (columns of equal length), ``run.json`` (settings), ``snapshots/`` (meshes of
steps), ``target.safetensors``; each file is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from meshlearn._files import write_file
from meshlearn.mesh import Mesh

HISTORY = "history.json"
SETTINGS = "run.json"
CHECKPOINT = "checkpoint.safetensors"
SNAPSHOTS = "snapshots"
TARGET = "target.safetensors"
TEMPLATE = "template.safetensors"

History = dict[str, list[float]]


class NonFiniteLoss(RuntimeError):
    """The loss became NaN or infinite; the message names the step and the term."""


def record(history: History, row: Mapping[str, float]) -> None:
    """Appends one step to every column; NaN where the step has no such term."""
    done = max(map(len, history.values()), default=0)
    for key in {**history, **row}:
        column = history.setdefault(key, [math.nan] * done)
        column.append(row.get(key, math.nan))


def save_history(folder: Path, history: History, settings: dict) -> None:
    """Writes the history and the settings."""
    write_file(folder / HISTORY, json.dumps(history).encode())
    write_file(folder / SETTINGS, json.dumps(settings, indent=1).encode())


def save_snapshot(folder: Path, step: int, mesh: Mesh) -> None:
    """Keeps the mesh of a step, for looking at: ``snapshots/step_000050.safetensors``.

    Holds "vertices" (V, 3) float32, "faces" (F, 3) int32, and attributes that are one number each
    as "vertex.NAME" (V,) and "face.NAME" (F,).
    """
    (folder / SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    write_file(folder / SNAPSHOTS / f"step_{step:06d}.safetensors", _mesh_bytes(mesh))


def save_target(folder: Path, mesh: Mesh) -> None:
    """Keeps the mesh that is fitted to, in the form of a snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TARGET, _mesh_bytes(mesh))


def save_template(folder: Path, mesh: Mesh) -> None:
    """Keeps what an open fit was cut from, with its attribute "msdf", in the form of a snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TEMPLATE, _mesh_bytes(mesh))


def forget_snapshots(folder: Path, after: int = -1) -> None:
    """Removes the snapshots of steps later than `after`: those of an earlier fit in the folder."""
    for path in (folder / SNAPSHOTS).glob("step_*.safetensors"):
        number = path.stem.removeprefix("step_")
        if number.isdigit() and int(number) > after:
            path.unlink()
    if after < 0:
        (folder / TARGET).unlink(missing_ok=True)
        (folder / TEMPLATE).unlink(missing_ok=True)


def _mesh_bytes(mesh: Mesh) -> bytes:
    vertices = mesh.vertices.detach().to("cpu", torch.float32).contiguous()
    held = {"vertices": vertices, "faces": mesh.faces.to("cpu", torch.int32).contiguous()}
    for domain, found in (("vertex", mesh.vertex_attributes), ("face", mesh.face_attributes)):
        for name, values in found.items():
            if values.dim() == 1:
                kept = values.detach().cpu().contiguous()
                held[f"{domain}.{name}"] = kept.float() if kept.is_floating_point() else kept
    return save(held)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments of an optimiser as named tensors: ``optimizer.{index}.{key}``."""
    return {
        f"optimizer.{index}.{key}": torch.as_tensor(value).cpu().contiguous()
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, moments: dict[int, dict]) -> None:
    """Puts back what `read_tensors` found of the moments."""
    packed = optimizer.state_dict()
    packed["state"] = moments
    optimizer.load_state_dict(packed)


def write_tensors(path: Path, tensors: dict[str, Tensor], form: str, state: dict) -> None:
    """Writes tensors and a state of plain values as one safetensors file.

    Args:
        form: what kind of file this is, such as "meshlearn-fit-1"; reading asks for the same.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save(tensors, metadata={"format": form, "state": json.dumps(state)}))


def read_tensors(
    path: Path, form: str, what: str
) -> tuple[dict[str, Tensor], dict[int, dict], dict]:
    """Reads what `write_tensors` wrote -> tensors by name, moments of an optimiser, state.

    Args:
        what: what the file should be, in words, for messages.

    Raises:
        ValueError: no file there, or one of another kind.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no checkpoint there; start without resume")
    tensors: dict[str, Tensor] = {}
    moments: dict[int, dict] = {}
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != form:
                raise ValueError(f"{path}: expected a checkpoint of {what} ({form})")
            state = json.loads(metadata["state"])
            for name in file.keys():
                if name.startswith("optimizer."):
                    index, _, key = name.removeprefix("optimizer.").partition(".")
                    moments.setdefault(int(index), {})[key] = file.get_tensor(name)
                else:
                    tensors[name] = file.get_tensor(name)
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path}: not a readable checkpoint ({error})") from None
    return tensors, moments, state


def fingerprint(tensors: Iterable[Tensor | None]) -> str:
    """A hash of tensors, of their types, shapes and bits: 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        if tensor is None:
            found.update(b"none;")
            continue
        held = tensor.detach().cpu().contiguous()
        found.update(f"{held.dtype} {tuple(held.shape)};".encode())
        found.update(held.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def same_settings(folder: Path, theirs: dict, mine: dict, what: str) -> None:
    """Raises ValueError where a checkpoint was made with other settings than these."""
    theirs, mine = (json.loads(json.dumps(s)) for s in (theirs, mine))
    if theirs != mine:
        if "content" in mine and "content" not in theirs:
            raise ValueError(
                f"{folder}: the checkpoint is of an earlier version, which did not keep what it is "
                "fitted to; give another folder, or start without resume"
            )
        if any(theirs.get(key) != mine.get(key) for key in ("content", "probe")):
            raise ValueError(
                f"{folder}: the checkpoint is of another {what}, to another source than this; give "
                "the same source, or another folder, or start without resume"
            )
        key = next((k for k in mine if theirs.get(k) != mine[k]), next(iter(theirs), "settings"))
        raise ValueError(
            f"{folder}: the checkpoint is of another {what} ({key} was {theirs.get(key)}, is "
            f"{mine.get(key)}); give the same options"
        )
