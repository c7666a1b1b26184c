"""Reconstruction: targets and the one fitting loop.

Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshlearn.reconstruct import targets as targets
    from meshlearn.reconstruct.fitting import FitResult as FitResult
    from meshlearn.reconstruct.fitting import fit as fit
    from meshlearn.reconstruct.methods import Method as Method
    from meshlearn.reconstruct.methods import reconstruct as reconstruct
    from meshlearn.reconstruct.methods import register_method as register_method
    from meshlearn.reconstruct.sources import read_source as read_source
    from meshlearn.run_folder import NonFiniteLoss as NonFiniteLoss

_FROM = {
    "FitResult": "meshlearn.reconstruct.fitting",
    "Method": "meshlearn.reconstruct.methods",
    "NonFiniteLoss": "meshlearn.run_folder",
    "fit": "meshlearn.reconstruct.fitting",
    "read_source": "meshlearn.reconstruct.sources",
    "reconstruct": "meshlearn.reconstruct.methods",
    "register_method": "meshlearn.reconstruct.methods",
}

__all__ = [
    "FitResult",
    "Method",
    "NonFiniteLoss",
    "fit",
    "read_source",
    "reconstruct",
    "register_method",
    "targets",
]


def __getattr__(name: str) -> object:
    if name == "targets":
        value: object = import_module("meshlearn.reconstruct.targets")
    elif name in _FROM:
        value = getattr(import_module(_FROM[name]), name)
    else:
        raise AttributeError(f"module 'meshlearn.reconstruct' has no attribute {name!r}")
    globals()[name] = value
    return value
