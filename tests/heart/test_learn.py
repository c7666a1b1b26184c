"""Training of the encoder of hearts: what it is worth is told."""

import warnings

import pytest

from meshlearn.heart.learn.train import train_heart


def trained(folder, steps):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", UserWarning)
        train_heart(folder, hearts=6, steps=steps, batch=4, progress=False)
    return [str(w.message) for w in seen if "tells nothing of a patient" in str(w.message)]


def test_an_encoder_that_learned_nothing_is_told(tmp_path):
    said = trained(tmp_path / "short", 1)
    assert len(said) == 1 and "give more steps" in said[0]


@pytest.mark.slow
def test_one_that_learned_something_is_not(tmp_path):
    assert trained(tmp_path / "longer", 200) == []
