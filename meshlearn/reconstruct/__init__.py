"""Reconstruction: targets and the one fitting loop."""

from meshlearn.reconstruct import targets
from meshlearn.reconstruct.fit import FitResult, NonFiniteLoss, fit

__all__ = ["FitResult", "NonFiniteLoss", "fit", "targets"]
