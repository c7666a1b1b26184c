"""A training that came to nothing says so, and does not end as if it had not."""

from __future__ import annotations

import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh
from meshlearn.data import shapes
from meshlearn.train import EmptyTraining, prepare_mesh
from meshlearn.train.deepmesh import make_network, train_deepmesh
from meshlearn.train.outcome import is_nothing, look_at, spread
from tests.cli.runner import meshlearn

NONE = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))


class Nowhere:
    """Shapes without an inside: everything is half a unit away."""

    def __len__(self):
        return 2

    def sample(self, index, generator):
        points = torch.rand(64, 3, generator=generator) - 0.5
        return {"index": torch.tensor(index), "points": points, "sdf": torch.full((64,), 0.09)}


def test_what_is_nothing():
    ball = shapes.icosphere(1)
    assert is_nothing(NONE) and is_nothing(ball.with_vertices(0 * ball.vertices))
    assert is_nothing(ball.with_vertices(ball.vertices * torch.nan)) and not is_nothing(ball)
    assert spread(2) == [0, 1] and spread(8) == [0, 2, 4, 6]


def test_some_and_all():
    ball = shapes.icosphere(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        look_at([ball, ball], ["a", "b"], allow_empty=False)
    with pytest.warns(UserWarning, match="of 1 of 2 shapes: 'b'"):
        look_at([ball, NONE], ["a", "b"], allow_empty=False)
    with pytest.warns(UserWarning, match="of any of 2 shapes"):
        look_at([NONE, NONE], ["a", "b"])
    with pytest.raises(EmptyTraining, match=r"of any of 2 shapes .*'a', 'b'.*more steps"):
        look_at([NONE, NONE], ["a", "b"], allow_empty=False)


def test_an_auto_decoder_of_nothing_is_not_written(tmp_path):
    options = {"steps": 250, "batch": 2, "lr": 5e-3, "progress": False, "folder": tmp_path}
    small = make_network(4, hidden=16, layers=2)
    with pytest.raises(EmptyTraining, match="no surface of any"):
        train_deepmesh(Nowhere(), network=small, allow_empty=False, **options)
    assert not (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "checkpoint.safetensors").exists()
    with pytest.warns(UserWarning, match="no surface of any"):
        train_deepmesh(Nowhere(), network=small, resume=True, **options)
    assert (tmp_path / "model.safetensors").exists()


def test_sheets_are_left_out(tmp_path):
    box = shapes.box()
    sheet = box.with_vertices(box.vertices * torch.tensor([1, 1, 0.0]))
    with pytest.raises(ValueError, match="encloses nothing"):
        prepare_mesh(sheet, name="sheet")
    (tmp_path / "in").mkdir()
    ml.save(sheet, tmp_path / "in/sheet.obj")
    done = meshlearn("prepare", tmp_path / "in", tmp_path / "out", "--jobs", 0)
    assert done.returncode == 1 and "encloses nothing" in done.stderr
