"""Numbers of trainings: rates, groups, what each example is, what a folder keeps."""

import math

import pytest
import torch

from meshlearn import run_folder
from meshlearn.data import shapes
from meshlearn.representations.deepmesh import DeepMesh
from meshlearn.train import PrepareOptions, Stage, open_data, prepare_mesh
from meshlearn.train.bspnet import _warm_up
from meshlearn.train.deepmesh import _groups, make_network, sdf_loss


def stage(**options):
    return Stage(lambda *_: {}, [0], steps=100, **options)


def test_the_rate_of_a_stage():
    cosine = [stage().factor(step) for step in (0, 4, 50, 100)]
    first = 0.2 * (0.05 + 0.475 * 2)
    assert cosine[0] == pytest.approx(first) and cosine[2:] == pytest.approx([0.525, 0.05])
    assert cosine[1] == pytest.approx(0.05 + 0.475 * (1 + math.cos(0.04 * math.pi)))
    assert [stage(schedule="constant").factor(step) for step in (0, 70)] == [1.0, 1.0]
    assert stage(schedule=lambda done: 2 * done).factor(25) == 0.5
    assert [_warm_up(done) for done in (0, 0.025, 0.05, 1)] == pytest.approx([0.1, 0.55, 1, 1])


def test_settings_that_a_resumed_training_shares():
    kept = stage(batch=4, weights={"a": 0.5}).settings(processes=2, accumulate=3)
    assert kept["batch"] == 24 and kept["weights"] == {"a": 0.5} and kept["examples"] == 1
    assert stage(weights={"a": 0}).uses("b") and not stage(weights={"a": 0}).uses("a")


def test_codes_learn_twice_as_fast_as_the_network():
    network = make_network(4, hidden=16, layers=2)
    model = DeepMesh(network, codes=torch.zeros(3, 4), weights=True)
    own, codes = _groups(model, 0.1)
    assert own["lr"] == 0.1 and codes["lr"] == 0.2 and codes["params"] == [model.codes]
    assert len(own["params"]) == len(list(network.parameters()))


def test_loss_of_an_auto_decoder_is_clamped():
    network = make_network(4, hidden=16, layers=2)
    model = DeepMesh(network, codes=torch.full((3, 4), 0.5), weights=True)
    points = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    batch = {"index": torch.tensor([2, 0]), "points": points, "sdf": torch.full((2, 5), 9.0)}
    found = sdf_loss(model, batch, torch.Generator(), clamp=0.1)
    index = torch.arange(2).repeat_interleave(5)
    value = network(points.reshape(-1, 3), model.codes[[2, 0]], index).detach()
    wanted = (0.1 - value).relu().mean()  # 9 stands for all that is beyond the clamp
    assert float(found["sdf"].detach()) == pytest.approx(float(wanted), rel=1e-5)
    assert float(found["prior"].detach()) == pytest.approx(1.0)  # 4 numbers of one half, squared


def test_samples_lie_as_near_as_they_should():
    made = prepare_mesh(shapes.box(), PrepareOptions(near=4000, space=2000, surface=10, voxels=()))
    reach = made.near[:, 3].abs()
    # |d| of a point moved by a normal step s across a flat side has the median 0.6745 s
    assert float(reach[1::2].median()) == pytest.approx(0.6745 * 0.005, rel=0.1)
    assert float(reach[::2].median()) == pytest.approx(0.6745 * 0.025, rel=0.1)
    assert float(made.mesh.bounds()[1].max()) == pytest.approx(0.45)
    assert float((made.space[:, 3] < 0).float().mean()) == pytest.approx(0.9**3, abs=0.04)


def test_shares_of_a_draw_and_of_a_split():
    data = open_data("families:chairs:5", points=100, near=0.7)
    generator = torch.Generator().manual_seed(0)
    near, drawn = data[0].near, data.sample(0, generator)
    assert drawn["points"].shape == (100, 3) and drawn["sdf"].shape == (100,)
    rows = {tuple(row) for row in near.tolist()}
    found = torch.cat((drawn["points"], drawn["sdf"][:, None]), 1).tolist()
    assert sum(tuple(row) in rows for row in found) == 70
    rest, test = data.split(2, seed=1)
    assert len(rest) == 3 and len(test) == 2 and not set(rest.names) & set(test.names)
    assert [len(part) for part in data.split(0.4)] == [3, 2]


def test_history_has_columns_of_equal_length():
    history: run_folder.History = {}
    run_folder.record(history, {"step": 1, "a": 0.5})
    run_folder.record(history, {"step": 2, "b": 0.25})
    assert history["step"] == [1, 2] and history["a"][0] == 0.5 and history["b"][1] == 0.25
    assert math.isnan(history["a"][1]) and math.isnan(history["b"][0])


def test_snapshots_of_later_steps_are_forgotten(tmp_path):
    for step in (5, 10, 15):
        run_folder.save_snapshot(tmp_path, step, shapes.box())
    run_folder.save_target(tmp_path, shapes.box())
    run_folder.forget_snapshots(tmp_path, 10)
    kept = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert kept == ["step_000005.safetensors", "step_000010.safetensors"]
    assert (tmp_path / run_folder.TARGET).exists()
    run_folder.forget_snapshots(tmp_path)
    assert (
        not list((tmp_path / "snapshots").iterdir())
        and not (tmp_path / "target.safetensors").exists()
    )
