"""The training loop: it resumes exactly, shares batches among processes, says what is wrong."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from meshlearn.data import shapes
from meshlearn.train import Hooks, NonFiniteLoss, Stage, load_weights, train
from meshlearn.train.stream import Stream

HERE = Path(__file__).parent


class Curves:
    """Noisy samples of sines, drawn anew each time they are asked for."""

    def __init__(self, count: int = 10, bad: int = -1) -> None:
        self.count, self.bad = count, bad

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        x = torch.rand(7, 1, generator=generator)
        y = torch.sin(3 * x + index)
        if index == self.bad:
            y = y * float("nan")
        return {"x": x, "y": y, "index": torch.tensor(index)}


class Small(nn.Module):
    def __init__(self, count: int = 10, width: int = 8, drop: float = 0.0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.codes = nn.Embedding(count, 3)
            self.net = nn.Sequential(
                nn.Linear(4, width), nn.SiLU(), nn.Dropout(drop), nn.Linear(width, 1)
            )
            self.idle = nn.Linear(2, 2)  # no loss uses it

    def decode(self, batch):
        code = self.codes(batch["index"])[:, None].expand(-1, batch["x"].shape[1], -1)
        return self.net(torch.cat((batch["x"], code), -1))


def fit_loss(model, batch, generator):
    return {
        "l1": (model.decode(batch) - batch["y"]).abs().mean(),
        "prior": model.codes(batch["index"]).square().mean(),
    }


def noisy_loss(model, batch, generator):
    terms = fit_loss(model, batch, generator)
    return terms | {"noise": (torch.randn((), generator=generator) * model.codes.weight).mean()}


def go(folder=None, *, steps=12, drop=0.3, **options):
    stages = [
        Stage(noisy_loss, Curves(), steps=steps // 2, batch=4, lr=0.01, name="first"),
        Stage(fit_loss, Curves(7), steps=steps - steps // 2, batch=3, weights={"prior": 0.1}),
    ]
    return train(Small(drop=drop), stages, folder=folder, seed=3, progress=False, **options)


def same_curve(one, other):
    a, b = ({k: v for k, v in h.items() if k != "seconds"} for h in (one, other))
    return a.keys() == b.keys() and all(torch.equal(*map(_column, (a[k], b[k]))) for k in a)


def _column(values):
    return torch.tensor(values, dtype=torch.float64).nan_to_num(-1.0)


def test_learns():
    stage = Stage(fit_loss, Curves(), steps=300, lr=0.03, weights={"prior": 1e-3})
    result = train(Small(width=32), stage, progress=False)
    assert sum(result.history["l1"][-20:]) < 0.4 * sum(result.history["l1"][:20])
    assert result.history["step"] == [*range(1, 301)] and not result.model.training


def test_the_same_seed_gives_the_same_curve():
    one, again = go(), go()
    assert same_curve(one.history, again.history)
    stage = Stage(fit_loss, Curves(), steps=4)
    a, b = (train(Small(), stage, seed=seed, progress=False).history["l1"] for seed in (4, 5))
    assert a != b


@pytest.mark.parametrize("stop", [1, 4, 6, 9])
def test_resumes_bit_for_bit(tmp_path, stop):
    before = signal.getsignal(signal.SIGINT)
    whole = go()

    def interrupt(step, terms):
        if step == stop:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=f"step {stop + 1} of 12; the checkpoint"):
        go(tmp_path, callback=interrupt)
    # what the process does in between must not matter
    torch.rand(5)
    rest = go(tmp_path, resume=True)
    assert same_curve(whole.history, rest.history)
    for a, b in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert signal.getsignal(signal.SIGINT) is before


def test_resume_with_more_steps(tmp_path):
    """Of the stage that it is in, and of those after; fewer than are behind are refused."""

    def run(first, second, resume=True):
        stages = [Stage(fit_loss, Curves(), steps=first, name="a"),
                  Stage(fit_loss, Curves(), steps=second, name="b")]  # fmt: skip
        return train(Small(), stages, folder=tmp_path, resume=resume, progress=False)

    run(3, 2, resume=False)
    assert run(3, 6).history["step"] == list(range(1, 10))
    with pytest.raises(ValueError, match="has 6 steps of stage 'b' behind it; expected at least"):
        run(3, 5)
    with pytest.raises(ValueError, match=r"another training \(stages was"):
        run(4, 6)
    with pytest.raises(ValueError, match=r"another training \(stages was"):
        train(Small(), Stage(fit_loss, Curves(), steps=9), folder=tmp_path, resume=True)


def test_folder_holds_what_the_viewer_reads(tmp_path):
    sys.path.insert(0, str(HERE.parents[1]))
    from meshlearn.viewer.runs import Run

    sheets = []
    hooks = Hooks(
        snapshot=lambda model: shapes.box(),
        sheet=lambda model, path: sheets.append(path),
        evaluate=lambda model: {"held_out": 0.5},
        every=5,
    )
    result = go(tmp_path, hooks=hooks, options={"width": 8})
    run = Run(tmp_path)
    assert run.steps == [5, 10] and "12 of 12 steps" in run.state and run.shape(5) is not None
    assert (tmp_path / "loss.png").stat().st_size > 1000 and len(sheets) == 3
    assert result.history["held_out"][4] == 0.5 and result.history["held_out"][0] != 0.5
    assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.pt"))
    fresh = Small()
    assert load_weights(fresh, tmp_path)["options"] == {"width": 8}
    assert torch.equal(fresh.codes.weight, result.model.codes.weight)
    with pytest.raises(ValueError, match=r"another architecture \('net.0.weight' is \(8, 4\)"):
        load_weights(Small(width=9), tmp_path)
    with pytest.raises(ValueError, match=r"another training \(options was"):
        go(tmp_path, resume=True, options={"width": 9})


def test_accumulated_batches_equal_a_larger_one():
    def run(batch, accumulate):
        stage = Stage(fit_loss, Curves(), steps=6, batch=batch, lr=0.01)
        return train(Small(), stage, accumulate=accumulate, progress=False).history["loss"]

    torch.testing.assert_close(run(8, 1), run(2, 4), rtol=1e-5, atol=1e-7)


def test_two_processes_equal_one_with_the_doubled_batch(tmp_path):
    launch = "-m torch.distributed.run --standalone --nproc_per_node 2".split()
    running = subprocess.Popen(
        [sys.executable, *launch, str(HERE / "two_processes.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    stage = Stage(fit_loss, Curves(), steps=8, batch=8, lr=0.01)
    one = train(Small(), stage, seed=5, progress=False)
    curve, weights = (
        one.history["loss"],
        [p.detach().double().sum() for p in one.model.parameters()],
    )
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors
    for rank in (0, 1):
        theirs, found = json.loads((tmp_path / f"curve_{rank}.json").read_text())
        torch.testing.assert_close(theirs, curve, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found, [float(w) for w in weights], rtol=1e-4, atol=1e-5)
        # a NaN that one process meets stops both
        assert "the term 'l1' is nan" in (tmp_path / f"error_{rank}.txt").read_text()
    # one process goes on from what two wrote
    again = train(Small(), stage, folder=tmp_path, seed=5, resume=True, progress=False)
    torch.testing.assert_close(again.history["loss"], curve, rtol=1e-5, atol=1e-6)


def test_half_precision_stays_close():
    stage = Stage(fit_loss, Curves(), steps=20, lr=0.01)
    full = train(Small(), stage, progress=False).history["l1"]
    for kind in ("bf16", "fp16"):
        half = train(Small(), stage, amp=kind, progress=False).history["l1"]
        assert half != full
        torch.testing.assert_close(half, full, rtol=0.05, atol=0.02)


def test_nan_is_named():
    stage = Stage(fit_loss, Curves(bad=2), steps=20, batch=2)
    with pytest.raises(NonFiniteLoss, match=r"step \d+ of stage 'train': the term 'l1' is nan"):
        train(Small(), stage, progress=False)

    def steep(model, batch, generator):
        weight = model.net[0].weight
        return {"root": (weight - weight.detach()).abs().sum().sqrt()}

    with pytest.raises(NonFiniteLoss, match=r"gradient of 'model.net.0.weight'|'net.0.weight'"):
        train(Small(), Stage(steep, Curves(), steps=2), progress=False)


def test_a_reported_term_may_be_nan():
    def loss(model, batch, generator):
        return fit_loss(model, batch, generator) | {"figure": torch.tensor(float("nan"))}

    stage = Stage(loss, Curves(), steps=2, weights={"figure": 0})
    assert len(train(Small(), stage, progress=False).history["figure"]) == 2


def test_clip_and_groups():
    frozen = Stage(
        fit_loss, Curves(), steps=3, groups=lambda m, lr: [{"params": m.net.parameters(), "lr": lr}]
    )
    model = Small()
    before = model.codes.weight.clone()
    result = train(model, frozen, clip=1e-3, progress=False)
    assert torch.equal(model.codes.weight, before) and min(result.history["grad"]) > 1e-3


def test_what_a_stage_begins_with_holds_after_a_resume(tmp_path):
    """The first stage freezes a part, the second lets it go again and freezes another."""

    def go(**options):
        def first(model):
            model.net.requires_grad_(False)

        def second(model):
            model.net[0].requires_grad_(True)
            model.codes.requires_grad_(False)

        stages = [
            Stage(fit_loss, Curves(), steps=4, batch=2, before=first, name="codes"),
            Stage(fit_loss, Curves(), steps=4, batch=2, before=second, name="net"),
        ]
        model = Small()
        return train(model, stages, folder=tmp_path, progress=False, **options), model

    def stop(step, terms):
        if step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    start = Small()
    with pytest.raises(KeyboardInterrupt):
        go(callback=stop)
    _, model = go(resume=True)
    assert torch.equal(model.net[3].weight, start.net[3].weight)
    assert not torch.equal(model.net[0].weight, start.net[0].weight)
    assert not torch.equal(model.codes.weight, start.codes.weight)
    assert not model.codes.weight.requires_grad and model.net[0].weight.requires_grad


def test_stream_is_one_permutation_after_another():
    stream = Stream(Curves(5), seed=1)
    first, second = ([stream.index(p) for p in range(k, k + 5)] for k in (0, 5))
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4] and first != second
    assert [Stream(Curves(5), seed=1).index(p) for p in (7, 2)] == [second[2], first[2]]
    batch = stream.batch([3, 3])
    assert torch.equal(batch["x"][0], batch["x"][1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: Stage(fit_loss, Curves(), steps=-1), "steps: expected 0 or more"),
        (lambda: Stage(fit_loss, Curves(), steps=1, batch=0), "batch: expected 1"),
        (lambda: Stage(fit_loss, Curves(), steps=1, lr=0), "lr: expected a positive"),
        (lambda: Stage(fit_loss, Curves(), steps=1, schedule="x"), "schedule: expected"),
        (lambda: train(Small(), []), "stages: expected one or more"),
        (lambda: go(resume=True), "resume: expected a folder"),
        (lambda: go(amp="int8"), "amp: expected None"),
        (lambda: go(accumulate=0), "accumulate: expected 1"),
        (lambda: go(device="nowhere"), "device: 'nowhere'|device: nowhere"),
        (lambda: train(Small(), Stage(fit_loss, [], steps=1)), "data: expected one example"),
        (lambda: train(Small(), Stage(lambda *a: {}, Curves(), steps=1)), "loss: expected one"),
    ],
)  # fmt: skip
def test_bad_options(change, words):
    with pytest.raises(ValueError, match=words):
        change()
