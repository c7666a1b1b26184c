"""The door to `meshlearn._io`: compiled readers, writers and checks, which need no torch.

Everything here has an equal in plain Python and numpy, which runs where nothing was compiled.
``MESHLEARN_NATIVE=0`` forces those, as it does for the operators of `meshlearn._native`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_forced_off = os.environ.get("MESHLEARN_NATIVE") == "0"
_load_error = ""
_io: ModuleType | None = None
if not _forced_off:
    try:
        from meshlearn import _io  # type: ignore[attr-defined,no-redef]
    except ImportError as error:  # not built, or for another Python
        _load_error = str(error)

HAS_COMPILED: bool = _io is not None
SANITIZED: bool = bool(getattr(_io, "sanitize", 0))

_KINDS: dict[str, np.dtype[Any]] = {
    "d": np.dtype(np.float64),
    "i": np.dtype(np.int64),
    "b": np.dtype(np.uint8),
}


class NativeError(RuntimeError):
    """Compiled code failed for a reason that is not in the file, such as an old build."""


def threads() -> int:
    """Threads that a call may take: as many as torch does where it is loaded, else OMP_NUM_THREADS,
    else one a processor."""
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    if count is not None:
        return int(count())
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if told.isdigit() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def as_bytes(data: bytes | bytearray | memoryview) -> np.ndarray:
    """The bytes as an array (N,) uint8 over the same memory."""
    return np.frombuffer(data, np.uint8)


def call(name: str, *arguments: np.ndarray | int, kinds: str) -> list[np.ndarray]:
    """A function of the compiled module.

    Args:
        arguments: arrays, contiguous and of the dtype that the function is for, and numbers.
        kinds: the dtype of each array that comes back: d float64, i int64, b uint8; the last stands
            for all further ones.

    Raises:
        ValueError: the data is not what it should be; in one sentence.
        EOFError: the data ends before what it promises.
        MemoryError: there is not enough of it.
        NativeError: anything else: the function is absent or of another version.
    """
    given: list[int] = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise NativeError(f"{name}: expected a contiguous array, got {value.strides}")
            given += (value.__array_interface__["data"][0], value.size)
        else:
            given.append(int(value))
    try:
        found = getattr(_io, name)(*given)
    except (AttributeError, TypeError, RuntimeError, OverflowError) as error:
        raise NativeError(
            f"the compiled function {name} failed, which is not the fault of the file: it may be "
            f"of another version; build it again (pip install -e .) or set MESHLEARN_NATIVE=0; "
            f"it said: {error}"
        ) from None
    dtypes = [_KINDS[kinds[min(k, len(kinds) - 1)]] for k in range(len(found))]
    return [np.frombuffer(data, kind) for data, kind in zip(found, dtypes, strict=True)]


def status() -> dict[str, object]:
    """Whether compiled code runs here (``native``), and if not, the ``reason``."""
    reason = "" if HAS_COMPILED else why_absent("_io", forced_off=_forced_off, error=_load_error)
    return {"native": HAS_COMPILED, "sanitized": SANITIZED, "reason": reason}


def build_info(name: str) -> dict[str, object]:
    """What the build said of the extension `name`; empty where no build wrote it."""
    try:
        return json.loads(Path(__file__).with_name("_build_info.json").read_text())[name]
    except (OSError, ValueError, KeyError):
        return {}


def why_absent(name: str, *, forced_off: bool, error: str) -> str:
    """Why the extension `name` does not run here, in words for `meshlearn doctor`.

    Args:
        forced_off: MESHLEARN_NATIVE=0 is set.
        error: what its import said.
    """
    built = build_info(name)
    if forced_off:
        return "MESHLEARN_NATIVE=0 is set"
    if built.get("reason"):
        return str(built["reason"])
    if built.get("native"):
        return f"the extension was built but does not load: {error}"
    return f"the extension was not built ({error})"
