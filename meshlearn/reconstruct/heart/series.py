"""A heart over its cycle: frames in order, each from its neighbour."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from meshlearn.io.contours import Contours
from meshlearn.progress import progress_bar
from meshlearn.reconstruct.heart.fit import HeartFit, HeartSettings, fit_heart, with_settings

WARM_STEPS = 12  # of Gauss-Newton at most


def fit_series(
    frames: Sequence[Contours],
    *,
    settings: HeartSettings | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> list[HeartFit]:
    """Fits the frames of one heart; the first in full, each other from the one before.

    Meshes of the fits correspond: one lattice, one flow that goes on from frame to frame.

    Example:
        >>> fits = fit_series(load_contour_series("contours"))
    """
    if not frames:
        raise ValueError("frames: expected contours of at least one frame, got none")
    settings = settings or HeartSettings()
    fits: list[HeartFit] = []
    with progress_bar("fitting frames", len(frames), enabled=progress) as bar:
        for contours in frames:
            if fits:
                warm = with_settings(settings, local_steps=WARM_STEPS)
                fits.append(fit_heart(contours, settings=warm, previous=fits[-1], seed=seed))
            else:
                fits.append(fit_heart(contours, settings=settings, seed=seed))
            bar.update(len(fits), f"loss {fits[-1].history[-1]:.3g}")
    return fits


def volumes(fits: Sequence[HeartFit], surface: str = "lv") -> torch.Tensor:
    """Closed volumes (T,) of a surface, mL."""
    with torch.no_grad():
        return torch.stack([f.model.mesh(surface).volume() / 1000 for f in fits])
