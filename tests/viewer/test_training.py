"""Folders of trainings and fits in the viewer: steps, curves, targets beside predictions, live."""

import subprocess
import sys

import pytest

pytest.importorskip("viser", reason="viser is not installed")

import numpy as np
import torch

from meshlearn.data import shapes
from meshlearn.train import PrepareOptions, open_data
from meshlearn.train.deepmesh import make_network, train_deepmesh
from meshlearn.viewer.run_panel import RunPanel
from meshlearn.viewer.runs import Run
from meshlearn.viewer.shot import settled
from tests.viewer.conftest import pixels, soon

SMALL = PrepareOptions(near=200, space=200, surface=50, voxels=(8,))


def halves(tab):
    """Shares of both halves of the scene that are not background."""
    picture = pixels(settled(tab)).astype(int)[60:]
    there = np.abs(picture - 255).sum(2) > 30
    middle = there.shape[1] // 2
    return float(there[:, :middle].mean()), float(there[:, middle:].mean())


def deepmesh(folder):
    data = open_data("families:mugs:3", options=SMALL)
    train_deepmesh(
        data, network=make_network(4, hidden=16, layers=2), steps=30, batch=3, lr=1e-2,
        folder=folder, resolution=12, progress=False,
    )  # fmt: skip


def bspnet(folder):
    pytest.importorskip("manifold3d")
    from meshlearn.representations.bspnet import BSPNet
    from meshlearn.train.bspnet import train_bspnet

    data = open_data("families:mugs:4", options=SMALL, voxels=8)
    model = BSPNet(
        32, 8, encoder="voxels", resolution=8, code=16, hidden=(32,), width=4,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    train_bspnet(
        data, model, folder=folder, steps=(100, 20), resolutions=(8,), batch=4, points=256,
        lr=2e-3, every=100, progress=False,
    )  # fmt: skip


def heart(folder):
    from meshlearn.heart.learn.train import train_heart

    train_heart(folder, hearts=4, steps=20, batch=2, progress=False)


@pytest.mark.parametrize(
    "train",
    [deepmesh, *(pytest.param(f, marks=pytest.mark.slow) for f in (bspnet, heart))],
)
def test_a_training_opens_with_targets_beside_predictions(page, serve, tmp_path, train):
    train(tmp_path / "run")
    run = Run(tmp_path / "run")
    assert len(run.steps) >= 2 and run.target().mesh.num_faces > 100
    labels = run.target().mesh.face_attributes["shape"].unique().tolist()
    assert labels == list(range(len(labels))) and len(labels) >= 2
    app = serve([], run=run)
    tab = page(app)
    words = tab.evaluate("document.body.innerText")
    done = len(run.history["step"])
    assert f"{done} of {done} steps" in words and "log10 loss" in words
    assert halves(tab)[1] > 0.01
    last = run.shape(run.steps[-1]).mesh
    if last.num_faces:
        assert halves(tab)[0] > 0.005
    tab.press("ArrowLeft")
    tab.wait(f"document.querySelector('.ml-run[data-step=\"{run.steps[-2]}\"]') !== null")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["flexicubes", "gshell", "deepmesh"])
def test_a_fit_is_followed_while_it_runs(page, serve, tmp_path, method):
    shapes.icosphere(3).save(tmp_path / "ball.ply")
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{")
    app = serve([], run=Run(run))
    tab = page(app)
    assert "Nothing is written yet" in tab.evaluate("document.body.innerText")
    options = f"--method {method} --resolution 16 --steps 40 --no-picture --checkpoint {run}"
    process = subprocess.Popen(
        [sys.executable, "-m", "meshlearn", "reconstruct", str(tmp_path / "ball.ply"),
         str(tmp_path / "out.ply"), *options.split()],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen = set()

    def ended():
        seen.add(tab.evaluate("document.querySelector('.ml-run')?.dataset.step"))
        return process.poll() is not None

    soon(ended, patience=200)
    assert process.returncode == 0, process.stderr.read()
    last = Run(run).steps[-1]
    tab.wait(f"document.querySelector('.ml-run[data-step=\"{last}\"]') !== null")
    assert len(seen - {"None", None}) >= 2  # steps on the way were shown
    soon(lambda: halves(tab)[0] > 0.02)
    assert tab.evaluate("performance.getEntriesByType('navigation').length") == 1


@pytest.mark.parametrize("steps, rings", [(12, 8), pytest.param(100, 112, marks=pytest.mark.slow)])
def test_steps_are_scrubbed_without_loading_the_page_again(page, serve, tmp_path, steps, rings):
    """100 steps of 50,176 faces in the long form; the page tells each step, and draws it."""
    import json

    from meshlearn.run_folder import save_snapshot

    sheet = shapes.torus(segments=2 * rings, rings=rings)
    for step in range(1, steps + 1):
        save_snapshot(tmp_path, step, sheet.with_vertices(sheet.vertices * (0.3 + step / steps)))
    history = {"step": list(range(1, steps + 1)), "loss": [1.0] * steps}
    (tmp_path / "history.json").write_text(json.dumps(history))
    app = serve([], run=Run(tmp_path))
    tab = page(app)
    tab.wait(f"document.querySelector('.ml-run[data-step=\"{steps}\"]') !== null")
    app.panel(RunPanel).following.value = False
    full = sum(halves(tab))
    tab.evaluate("window.__mark = 'kept'; 1")
    for index in range(steps):
        drawn = tab.evaluate("window.__mlFrames.drawn")
        app.panel(RunPanel).show(index)
        told = f"document.querySelector('.ml-run[data-step=\"{index + 1}\"]') !== null"
        tab.wait(f"{told} && window.__mlFrames.drawn > {drawn}")
        if index == 0:
            assert sum(halves(tab)) < 0.5 * full
    assert sum(halves(tab)) == pytest.approx(full, rel=0.05)
    assert tab.evaluate("window.__mark") == "kept"
