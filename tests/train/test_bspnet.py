"""Training of BSP-Net: samples, several processes, resuming, what comes out, bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from meshlearn.representations.bspnet import BSPNet
from meshlearn.train import PrepareOptions, open_data
from meshlearn.train.bspnet import VoxelSamples, bspnet_stages, load_bspnet, train_bspnet

pytest.importorskip("manifold3d")
HERE = Path(__file__).parent
OPTIONS = dict(
    steps=(4, 3, 3), resolutions=(8, 16), batch=4, points=128, lr=2e-3, every=1000, progress=False
)


def shapes(count=6, **more):
    options = PrepareOptions(near=50, space=50, surface=50, voxels=(8, 16))
    return open_data(f"families:chairs:{count}", options=options, voxels=16, **more)


def small() -> BSPNet:
    torch.manual_seed(0)
    return BSPNet(
        48, 8, encoder="voxels", resolution=16, code=16, hidden=(32, 32), width=4,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def test_samples_are_the_voxels_and_half_of_them_near_the_surface():
    data = VoxelSamples(shapes(2), 16, 8, points=400)
    found = data.sample(1, torch.Generator().manual_seed(0))
    solid = data.data[1].voxels(16)
    cell = ((found["points"] + 0.5) * 16).long()
    assert torch.equal(solid[cell[:, 0], cell[:, 1], cell[:, 2]].float(), found["inside"])
    assert torch.equal(found["voxels"][0].bool(), data.data[1].voxels(8))
    wide = torch.nn.functional.avg_pool3d(solid[None, None].float(), 3, 1, 1)[0, 0]
    mixed = ((wide > 0.01) & (wide < 0.99))[cell[:, 0], cell[:, 1], cell[:, 2]]
    assert float(mixed.float().mean()) > 0.5
    assert float(found["inside"].mean()) > 0.05


def test_stages_are_progressive_and_end_with_a_hard_t():
    stages = bspnet_stages(shapes(2), given=16, steps=(1, 2, 3, 4))
    assert [s.steps for s in stages] == [1, 2, 3, 4]
    assert [s.data.resolution for s in stages] == [16, 32, 64, 64]
    assert [s.loss.phase for s in stages] == [0, 0, 0, 1]
    model = small()
    assert stages[0].before is None
    stages[3].before(model)
    assert not model.connection.requires_grad and not model.weights.requires_grad
    soft = bspnet_stages(shapes(2), given=16, steps=(1, 2, 3, 4), phase=4)
    soft[3].before(model)
    assert model.connection.requires_grad


def test_two_processes_follow_one_with_the_doubled_batch(tmp_path):
    alone = train_bspnet(shapes(), small(), folder=tmp_path / "one", **OPTIONS)
    command = [sys.executable, *"-m torch.distributed.run --standalone --nproc_per_node 2".split()]
    command += [str(HERE / "bspnet_processes.py"), str(tmp_path / "two")]
    import os

    paths = [str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    for rank in (0, 1):
        curve = json.loads((tmp_path / "two" / f"curve_{rank}.json").read_text())
        assert curve == pytest.approx(alone.history["loss"], rel=2e-4)
    assert len(curve) == 10


def test_a_resumed_training_is_the_one_without_a_stop(tmp_path):
    whole = train_bspnet(shapes(), small(), folder=tmp_path / "a", **OPTIONS)

    class Stop(Exception):
        pass

    from meshlearn.train import bspnet as room

    real = room.PhaseLoss.__call__
    calls = {"left": 8}

    def stopping(self, model, batch, generator):
        calls["left"] -= 1
        if calls["left"] < 0:
            raise Stop
        return real(self, model, batch, generator)

    room.PhaseLoss.__call__ = stopping
    try:
        with pytest.raises(Stop):
            train_bspnet(shapes(), small(), folder=tmp_path / "b", checkpoint_every=4, **OPTIONS)
    finally:
        room.PhaseLoss.__call__ = real
    again = train_bspnet(shapes(), small(), folder=tmp_path / "b", resume=True, **OPTIONS)
    assert again.history["loss"] == whole.history["loss"]
    for a, b in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_mixed_precision_follows_full_precision():
    whole, half = (
        torch.tensor(train_bspnet(shapes(), small(), amp=kind, **OPTIONS).history["loss"])
        for kind in (None, "bf16")
    )
    assert not torch.equal(whole, half)
    assert float(((half - whole).abs() / whole.abs()).max()) < 0.03


def test_a_trained_model_makes_convexes_of_a_mesh(tmp_path):
    from meshlearn.data.families import shape
    from meshlearn.reconstruct.convexes import infer_convexes

    model = train_bspnet(shapes(), small(), folder=tmp_path / "run", **OPTIONS).model
    with torch.no_grad():  # planes that enclose something, whatever ten steps have learned
        model.decoder.layers[-1].bias.copy_(torch.randn(192, generator=torch.Generator()) * 0.5)
        model.decoder.layers[-1].bias.view(48, 4)[:, 3] = -0.2
    from meshlearn.train.weights import load_weights

    loaded = load_bspnet(tmp_path / "run")
    assert loaded.options == model.options
    assert load_weights(loaded, tmp_path / "run")
    assert (tmp_path / "run" / "loss.png").is_file()
    mesh = shape("chairs", 3).mesh
    placed = mesh.with_vertices(mesh.vertices * 7 + 3)
    found = infer_convexes(model, placed)
    assert found.mesh.is_watertight and found.mesh.num_faces
    low, high = placed.bounds()
    reach = (high - low).amax() / 0.9 / 2 + 1e-3
    assert bool(((found.mesh.vertices - (low + high) / 2).abs() <= reach).all())


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="2 shapes or more"):
        train_bspnet(shapes(1), small(), **OPTIONS)
    with pytest.raises(ValueError, match="an encoder of voxels"):
        train_bspnet(shapes(), BSPNet(8, 2), **OPTIONS)
    with pytest.raises(ValueError, match="steps: expected 3 numbers"):
        bspnet_stages(shapes(), given=16, steps=(1, 2), resolutions=(8, 16))
    with pytest.raises(ValueError, match="prepared with"):
        train_bspnet(shapes(), small(), **{**OPTIONS, "resolutions": (8, 32)})
    with pytest.raises(ValueError):
        load_bspnet(tmp_path)


def test_an_image_encoder_learns_the_codes_of_an_auto_encoder(tmp_path):
    from meshlearn.train.bspnet_image import CodedViews, train_single_view

    data, teacher = shapes(3), small()
    views = CodedViews(data, teacher, size=32, views=4)
    pictures, code = views.of(0)
    assert pictures.shape == (4, 1, 32, 32) and code.shape == (16,)
    assert 0 <= float(pictures.min()) and float(pictures.max()) <= 1
    assert 0.05 < float((pictures > 0).float().mean()) < 0.6
    result = train_single_view(
        data, teacher, steps=60, batch=6, lr=2e-3, size=32, views=4, width=4,
        folder=tmp_path / "images", progress=False,
    )  # fmt: skip
    loss = result.history["code"]
    assert sum(loss[-10:]) < 0.3 * sum(loss[:10])
    model = load_bspnet(tmp_path / "images")
    assert model.options["encoder"] == "image"
    assert torch.equal(model.connection, teacher.connection)
    assert torch.equal(model.decode(code[None]), teacher.decode(code[None]))  # held
    assert len(model.convexes(model.encode(pictures))) == 4
    with pytest.raises(ValueError, match="teacher: expected an encoder of voxels"):
        train_single_view(data, BSPNet(8, 2))


@pytest.mark.slow
@pytest.mark.parametrize("lr", [3e-4, 2e-3])
def test_two_families_are_learned_and_no_phase_undoes_the_one_before(lr):
    """Shapes held out, by the hard union; at rates well apart training neither diverges nor is it
    stuck where T is rounded."""
    options = PrepareOptions(near=50, space=50, surface=50, voxels=(16, 32))
    data = open_data("families:chairs+cars:12", options=options, voxels=16)
    learn, test = data.split(4)
    model = BSPNet(
        192, 24, encoder="voxels", resolution=16, code=64, hidden=(128, 256), width=8,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    result = train_bspnet(
        learn, model, steps=(200, 250, 350), resolutions=(16, 32), batch=6, points=384, lr=lr,
        progress=False,
    )  # fmt: skip
    loss = torch.tensor(result.history["occupancy"])
    assert float(loss[420:450].mean()) < 0.08  # before the union hardens; 0.25 is all inside
    assert float(loss[-30:].mean()) < 0.1  # 0.3 to 0.5 is nothing, or all inside
    line = (torch.arange(32) + 0.5) / 32 - 0.5
    points = torch.cartesian_prod(line, line, line)[None]
    shares = []
    for i in range(len(test)):
        inside = test[i].voxels(32).reshape(1, -1)
        code = model.encode(test[i].voxels(16)[None, None].float())
        found = model.occupancy(points, code)
        shares.append(float((found & inside).sum() / (found | inside).sum()))
    assert sum(shares) / len(shares) > 0.4
