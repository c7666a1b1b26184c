"""The one door to the compiled operators.

`use_native(tensor)` says whether the compiled operators serve this tensor's device; where they do
not, every caller has a readable torch reference. ``MESHLEARN_NATIVE=0`` forces the references.
"""

from __future__ import annotations

import os

import torch

from meshlearn._compiled import build_info, why_absent

_forced_off = os.environ.get("MESHLEARN_NATIVE") == "0"
_load_error = ""
_C = None
if not _forced_off:
    try:
        from meshlearn import _C  # type: ignore[attr-defined,no-redef]
    except ImportError as error:  # not built, or built against another torch: references serve
        _load_error = str(error)

HAS_NATIVE: bool = _C is not None
HAS_CUDA: bool = bool(_C is not None and _C.cuda)
SANITIZED: bool = bool(_C is not None and _C.sanitize)


def use_native(tensor: torch.Tensor) -> bool:
    """Whether compiled operators exist for the device of `tensor`."""
    if not HAS_NATIVE:
        return False
    kind = tensor.device.type
    return kind == "cpu" or (kind == "cuda" and HAS_CUDA)


def status() -> dict[str, object]:
    """What runs here and why: the facts behind `meshlearn doctor`.

    Keys: ``native`` (bool), ``native_cuda`` (bool), ``sanitized`` (bool), ``reason`` and
    ``cuda_reason`` (str, empty when native operators run).
    """
    built = build_info("_C")
    reason = "" if HAS_NATIVE else why_absent("_C", forced_off=_forced_off, error=_load_error)
    return {
        "native": HAS_NATIVE,
        "native_cuda": HAS_CUDA,
        "sanitized": SANITIZED,
        "reason": reason,
        "cuda_reason": "" if HAS_CUDA else reason or str(built.get("cuda_reason", "")),
    }
