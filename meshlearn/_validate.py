"""Checks of what users pass in: one sentence with what was expected, what came, what to do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

FLOATS = (torch.float32, torch.float64)
TensorLike: TypeAlias = "Tensor | np.ndarray | Sequence[Any]"


def _shape_text(shape: Sequence[int | str | None]) -> str:
    return (
        "("
        + ", ".join("*" if s is None else str(s) for s in shape)
        + ("," * (len(shape) == 1))
        + ")"
    )


def as_tensor(
    value: object,
    name: str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """A tensor as it is; an array, a list or a number as one.

    Args:
        dtype: of what is made of an array or a list; None: an array's own, float32 of a list's
            fractions, int64 of whole numbers.
        device: of what is made of an array or a list.

    Raises:
        ValueError: it holds no numbers, or rows of several lengths.
    """
    if isinstance(value, Tensor):
        return value
    listed = isinstance(value, list | tuple | int | float)
    try:
        array = np.asarray(value) if listed or hasattr(value, "__array__") else None
    except (ValueError, TypeError):
        raise ValueError(
            f"{name}: expected rows of one length, got rows of several; "
            f"pass them one at a time, as {name}[0]"
        ) from None
    if array is None or array.dtype.kind not in "fiub":
        kind = type(value).__name__ if array is None else f"{type(value).__name__} of {array.dtype}"
        raise ValueError(
            f"{name}: expected a tensor, an array or a list of numbers, got {kind}; pass one of "
            "these"
        )
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)  # torch has little use for these
    elif array.dtype.kind == "f" and (listed or array.dtype.itemsize > 8):
        array = array.astype(np.float64)
        dtype = dtype or (torch.float32 if listed else None)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    array = np.ascontiguousarray(array) if array.ndim else array
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(np.asarray(array)).to(device=device, dtype=dtype)


def _mend_of_type(value: object, name: str, shape: Sequence[int | str | None] | None) -> str:
    """What makes a tensor of `value`, where something does."""
    if isinstance(value, Sequence) and value and all(isinstance(v, Tensor) for v in value):
        sizes = {tuple(v.shape) for v in value}
        if len(sizes) == 1 and (shape is None or _fits(shape, (len(value), *sizes.pop()))):
            return "torch.stack makes one of these"
        return f"pass its tensors one at a time, as {name}[0]"
    try:
        torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return "pass numbers in rows of one length"
    return "convert it with torch.as_tensor"


def _fits(shape: Sequence[int | str | None], got: Sequence[int]) -> bool:
    return len(shape) == len(got) and all(
        not isinstance(want, int) or want == size for want, size in zip(shape, got, strict=True)
    )


def mend_of_shape(shape: Sequence[int | str | None], got: Sequence[int]) -> str:
    """What makes a tensor of the shape `got` one of `shape` without mixing up its values.

    Only sizes of one come and go, axes change places where that is the one way to fit, and leading
    axes are joined; never is a table read along its other axis.
    """
    for axes in itertools.permutations(range(len(got))) if len(got) == len(shape) <= 4 else ():
        if _fits(shape, [got[axis] for axis in axes]):
            return "transpose it with .T" if len(got) == 2 else f"order its axes: .permute{axes}"
    bare = [size for size in got if size != 1]
    filled = list(bare)
    for place, want in enumerate(shape):  # axes of size one, where they are wanted
        free = not isinstance(want, int) and len(filled) < len(shape)
        if want == 1 or free:
            filled.insert(place, 1)
    for fitting in (bare, filled):
        if _fits(shape, fitting):
            return f"make it so with .reshape({', '.join(map(str, fitting))})"
    more = len(got) - len(shape)
    if more > 0 and len(shape) > 1 and _fits(shape, got[more:]):
        return f"pass its items one at a time, as [{', '.join('0' * more)}]"
    ends = len(shape) - 1
    if more > 0 and ends and _fits(shape, (math.prod(got[: more + 1]), *got[more + 1 :])):
        return f"join its first axes with .flatten(0, {more})"
    if more > 0 and ends and _fits(shape, (math.prod(got[1:]), got[0])):
        return "join its last axes with .flatten(1).T"
    wanted = [size for size in shape if isinstance(size, int)]
    if len(wanted) == len(shape):
        return f"it takes {math.prod(wanted):,} values, and these are {math.prod(got):,}"
    odd = [
        f"{want} of axis {axis}"
        for axis, want in enumerate(shape)
        if isinstance(want, int) and len(got) == len(shape) and got[axis] != want
    ]
    return f"it takes {', '.join(odd)}" if odd else f"it takes {len(shape)} axes"


def check_tensor(
    value: object,
    name: str,
    *,
    shape: Sequence[int | str | None] | None = None,
    dtype: torch.dtype | tuple[torch.dtype, ...] | None = None,
    device: torch.device | None = None,
    like: str = "",
    finite: bool = False,
) -> Tensor:
    """Returns `value` if it is a tensor as described, else raises ValueError naming `name`.

    Args:
        shape: sizes; a str or None stands for any size (the str is what the message shows).
        dtype: one dtype or several allowed ones.
        device: device it must be on; `like` names the argument that set it.
        finite: refuse NaN and infinities.
    """
    if not isinstance(value, Tensor):
        raise ValueError(
            f"{name}: expected a torch.Tensor, got {type(value).__name__}; "
            f"{_mend_of_type(value, name, shape)}"
        )
    if shape is not None:
        wrong = len(shape) != value.dim() or any(
            isinstance(want, int) and want != got
            for want, got in zip(shape, value.shape, strict=True)
        )
        if wrong:
            raise ValueError(
                f"{name}: expected shape {_shape_text(shape)}, got {tuple(value.shape)}; "
                f"{mend_of_shape(shape, tuple(value.shape))}"
            )
    if dtype is not None:
        allowed = dtype if isinstance(dtype, tuple) else (dtype,)
        if value.dtype not in allowed:
            names = " or ".join(str(d).removeprefix("torch.") for d in allowed)
            raise ValueError(
                f"{name}: expected dtype {names}, got {str(value.dtype).removeprefix('torch.')}; "
                f"convert it with .to(torch.{str(allowed[0]).removeprefix('torch.')})"
            )
    if device is not None and value.device != device:
        raise ValueError(
            f"{name}: expected on {device}{f' (as {like})' if like else ''}, got {value.device}; "
            f"move it with .to('{device}')"
        )
    # a finite sum has finite terms; others may only have overflowed, and are looked at one by one
    if (
        finite
        and value.numel()
        and not (bool(torch.isfinite(value.detach().sum())) or bool(torch.isfinite(value).all()))
    ):
        bad = int((~torch.isfinite(value)).sum())
        raise ValueError(
            f"{name}: {bad} of {value.numel()} values are NaN or infinite; remove them first"
        )
    return value


def check_device(device: str | torch.device, name: str = "device") -> torch.device:
    """The device, where tensors can be made on it, else raises ValueError naming `name`."""
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"{name}: {device!s} cannot be used here ({str(error).splitlines()[0]}); use cpu"
        ) from None
    return found


def check_index(index: Tensor, name: str, size: int, *, of: str) -> None:
    """Raises ValueError unless all entries of `index` lie in [0, size)."""
    if index.numel() == 0:
        return
    low, high = (int(v) for v in torch.aminmax(index))
    if low < 0 or high >= size:
        bad = low if low < 0 else high
        raise ValueError(
            f"{name}: index {bad} is out of range for {size} {of}; indices are 0 to {size - 1}"
            if size
            else f"{name}: index {bad} is out of range: there are no {of}"
        )
