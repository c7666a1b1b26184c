"""Attributes of a mesh by domain, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import as_tensor, check_index, check_tensor


class CornerAttribute(NamedTuple):
    """Values at the corners of faces, indexed, so that a seam does not split a vertex.

    Attributes:
        values: (K, D) any dtype, the distinct values.
        index: (F, 3) int64 into ``values``, one entry a corner.

    Example:
        >>> uv = ml.CornerAttribute(torch.rand(5, 2), torch.tensor([[0, 1, 2], [3, 4, 2]]))
        >>> uv.dense().shape
        torch.Size([2, 3, 2])
    """

    values: Tensor
    index: Tensor  # type: ignore[assignment]  # the name that tuple.index had

    def dense(self) -> Tensor:
        """(F, 3, D) one value a corner."""
        return self.values[self.index]


def check_domain(
    attributes: Mapping[str, Tensor] | None, name: str, rows: int, of: str, device: torch.device
) -> dict[str, Tensor]:
    """A copy of a vertex or face attribute mapping, checked: tensors of `rows` rows on `device`."""
    if attributes is None:
        return {}
    _check_mapping(attributes, name)
    found: dict[str, Tensor] = {}
    for key, value in attributes.items():
        label = f"{name}[{key!r}]"
        value = as_tensor(value, label, device=device)
        check_tensor(value, label, device=device, like="vertices")
        found[key] = value
        if value.dim() == 0 or value.shape[0] != rows:
            raise ValueError(
                f"{label}: expected one row for each of the {rows} {of}, "
                f"got shape {tuple(value.shape)}; pass a tensor of shape ({rows}, ...)"
            )
    return found


def check_corners(
    attributes: Mapping[str, CornerAttribute] | None,
    name: str,
    shape: tuple[int, ...],
    device: torch.device,
    *,
    indices: bool = True,
) -> dict[str, CornerAttribute]:
    """A copy of a corner attribute mapping, checked; a plain (values, index) pair is accepted."""
    if attributes is None:
        return {}
    _check_mapping(attributes, name)
    out: dict[str, CornerAttribute] = {}
    for key, value in attributes.items():
        label = f"{name}[{key!r}]"
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError(
                f"{label}: expected a CornerAttribute(values, index), got {type(value).__name__}; "
                f"build it with ml.CornerAttribute(values, index)"
            )
        values = as_tensor(value[0], f"{label}.values", device=device)
        index = as_tensor(value[1], f"{label}.index", device=device)
        index = index.long() if index.dtype == torch.int32 else index
        check_tensor(values, f"{label}.values", shape=("K", "D"), device=device, like="vertices")
        check_tensor(
            index,
            f"{label}.index",
            shape=shape,
            dtype=torch.int64,
            device=device,
            like="vertices",
        )
        if indices:
            check_index(index, f"{label}.index", values.shape[0], of="values")
        out[key] = CornerAttribute(values, index)
    return out


def _check_mapping(attributes: object, name: str) -> None:
    if not isinstance(attributes, Mapping):
        raise ValueError(
            f"{name}: expected a dict of name to tensor, got {type(attributes).__name__}; "
            f"pass {{name: tensor}}"
        )
    for key in attributes:
        if not isinstance(key, str):
            raise ValueError(
                f"{name}: expected names of type str, got {key!r} of type {type(key).__name__}; "
                f"name each attribute with a string"
            )


def map_corners(
    attributes: Mapping[str, CornerAttribute],
    values: Callable[[Tensor], Tensor] | None = None,
    index: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, CornerAttribute]:
    """Corner attributes with a function applied to their values and another to their index."""
    return {
        key: CornerAttribute(
            values(item.values) if values else item.values,
            index(item.index) if index else item.index,
        )
        for key, item in attributes.items()
    }
