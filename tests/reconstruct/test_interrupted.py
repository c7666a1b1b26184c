"""Ctrl-C in a fit: the step is ended, and what goes on from there is what would have been."""

from __future__ import annotations

import signal

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.reconstruct import fit
from meshlearn.reconstruct.targets import FromMesh
from meshlearn.representations import FlexiCubes


def pressed(target: FromMesh, at: int, times: int) -> FromMesh:
    """The target with Ctrl-C pressed in its losses of a step, after points were drawn."""
    plain, left = target.losses, [at]

    def losses(*args, **options):
        found = plain(*args, **options)
        left[0] -= 1
        if left[0] == 0:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return found

    target.losses = losses
    return target


def run(target, folder, resume=False):
    shape = FlexiCubes(12, bounds=target.bounds)
    return fit(shape, target, steps=12, checkpoint=folder, resume=resume, checkpoint_every=5).mesh


@pytest.mark.parametrize("times", [1, 2])
def test_a_fit_stopped_within_a_step_goes_on_to_the_same_mesh(tmp_path, times):
    ball = shapes.icosphere(2)
    whole = run(FromMesh(ball), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(pressed(FromMesh(ball), 8, times), tmp_path / "cut")
    cut = run(FromMesh(ball), tmp_path / "cut", resume=True)
    assert torch.equal(cut.faces, whole.faces)
    assert torch.equal(cut.vertices, whole.vertices)
