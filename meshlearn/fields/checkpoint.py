"""Neural fields on disk: safetensors, the architecture in the metadata; no code is ever loaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from meshlearn._files import write_file
from meshlearn.fields.neural import ARCHITECTURES, NeuralField

_FORMAT = "meshlearn-field-1"


def save_field(field: NeuralField, path: str | os.PathLike[str], **extra: Tensor) -> None:
    """Writes a field's parameters, and its architecture and options, whole or not at all.

    Args:
        field: what is kept.
        path: a .safetensors file; one that is there is replaced.
        extra: tensors kept with it under their names, such as a table of codes.

    Raises:
        ValueError: `field` is no neural field.

    Example:
        >>> save_field(field, "cars.safetensors", codes=codes)
    """
    if not isinstance(field, NeuralField):
        raise ValueError(f"field: expected a neural field, got {type(field).__name__}")
    tensors = {f"field.{k}": v.detach().cpu().contiguous() for k, v in field.state_dict().items()}
    tensors |= {f"extra.{k}": v.detach().cpu().contiguous() for k, v in extra.items()}
    metadata = {
        "format": _FORMAT,
        "architecture": field.architecture,
        "config": json.dumps(field.config),
    }
    write_file(Path(path), save(tensors, metadata=metadata))


def load_field(
    path: str | os.PathLike[str],
    *,
    into: NeuralField | None = None,
    device: str | torch.device = "cpu",
) -> tuple[NeuralField, dict[str, Tensor]]:
    """Reads a field and the tensors that were kept with it.

    Args:
        path: a file of `save_field`.
        into: a field to load the parameters into; it has to be of the file's architecture and
            options. Default: one is made as the file says.
        device: of what is made.

    Raises:
        ValueError: no such file, not one of `save_field`, or of another architecture than `into`.

    Example:
        >>> field, extra = load_field("cars.safetensors")
        >>> codes = extra["codes"]
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; give a .safetensors file of a field")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise ValueError(
                    f"{path}: expected a checkpoint of a field ({_FORMAT}), got "
                    f"{metadata.get('format', 'another safetensors file')}"
                )
            architecture, config = metadata["architecture"], json.loads(metadata["config"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a readable checkpoint ({error})") from None
    if into is not None:
        _compare(path, architecture, config, into)
        field = into
    else:
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f"{path}: it is of architecture {architecture!r}, which is none of "
                f"{', '.join(sorted(ARCHITECTURES))}"
            )
        try:
            field = ARCHITECTURES[architecture](**config).to(device)
        except TypeError as error:
            raise ValueError(
                f"{path}: its options do not make a {architecture} ({error})"
            ) from None
    state = {k.removeprefix("field."): v for k, v in tensors.items() if k.startswith("field.")}
    try:
        field.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: its tensors are not those of its architecture {architecture} "
            f"({str(error).splitlines()[-1].strip()})"
        ) from None
    extra = {k.removeprefix("extra."): v for k, v in tensors.items() if k.startswith("extra.")}
    return field, {k: v.to(device) for k, v in extra.items()}


def _compare(path: object, architecture: str, config: dict, into: NeuralField) -> None:
    if architecture != into.architecture:
        raise ValueError(
            f"{path}: expected a checkpoint of {into.architecture}, got one of {architecture}"
        )
    mine = json.loads(json.dumps(into.config))
    for key in sorted({*mine, *config}):
        if mine.get(key) != config.get(key):
            raise ValueError(
                f"{path}: the checkpoint's {architecture} has {key} {config.get(key)!r}, this one "
                f"{mine.get(key)!r}; make the field with the same options"
            )
