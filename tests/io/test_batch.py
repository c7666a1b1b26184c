"""Batches of conversions: plans, processes that die, journals, clusters."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from meshlearn.io.conversion import batch
from meshlearn.io.conversion.batch import JOURNAL, Job, plan, run_batch, run_job
from meshlearn.io.conversion.pipeline import ConvertOptions
from meshlearn.io.conversion.workers import Processes, cluster_runner

PLY = ConvertOptions(target_format="ply")


def write_obj(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"v 0 0 {number}\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 4 3\n")
    return path


def corpus(folder: Path, count: int) -> list[str]:
    return [str(write_obj(folder / f"{k:05d}.obj", k)) for k in range(count)]


def states(outcomes) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in outcomes:
        found[outcome.state] = found.get(outcome.state, 0) + 1
    return found


def test_plan_keeps_folders_of_globs_and_folders(tmp_path):
    for name in ("a/x.obj", "b/x.obj", "b/deep/y.PLY", "b/notes.txt", "b/.hidden.obj"):
        write_obj(tmp_path / name)
    out = tmp_path / "out"

    def targets(*texts: str) -> list[str]:
        return [os.path.relpath(job.target, out) for job in plan(texts, out, ".stl")]

    assert targets(f"{tmp_path}/*/x.obj") == ["a/x.stl", "b/x.stl"]
    assert targets(str(tmp_path / "b")) == ["deep/y.stl", "x.stl"]
    assert targets(f"{tmp_path}/**/*.PLY") == ["b/deep/y.stl"]
    assert targets(f"{tmp_path}/b/*") == ["x.stl"]
    assert targets(str(tmp_path / "a/x.obj"), str(tmp_path / "a/x.obj")) == ["x.stl"]
    odd = write_obj(tmp_path / "a[1].obj")  # a name, not a pattern
    assert targets(str(odd)) == ["a[1].stl"]


def test_plan_refuses_what_collides(tmp_path):
    a, b = write_obj(tmp_path / "a/x.obj"), write_obj(tmp_path / "b/x.obj")
    with pytest.raises(ValueError, match=r"OUT: .*a/x.obj and .*b/x.obj would both become"):
        plan([str(a), str(b)], tmp_path / "out", "ply")
    with pytest.raises(ValueError, match="would become itself"):
        plan([str(a)], tmp_path / "a", "obj")
    with pytest.raises(ValueError, match="no file matches"):
        plan([f"{tmp_path}/*.glb"], tmp_path / "out", "ply")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no mesh file is in the folder"):
        plan([str(tmp_path / "empty")], tmp_path / "out", "ply")


def test_a_batch_goes_on_where_it_was_cut_short(tmp_path):
    jobs = plan(corpus(tmp_path, 6), tmp_path / "out", "ply")

    def cut(jobs, options):
        for job in list(jobs)[:3]:
            yield run_job(job, options)
        run_job(jobs[3], options)  # written, and killed before it is noted
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, PLY, tmp_path / "out", runner=cut)
    with open(tmp_path / "out" / JOURNAL, "a") as journal:
        journal.write('{"target": "torn')
    left = tmp_path / "out" / ".00004.ply.abcd_123"  # what a killed write leaves
    left.write_bytes(b"half")
    again = run_batch(jobs, PLY, tmp_path / "out")
    assert states(again) == {"skipped": 4, "converted": 2} and not left.exists()
    assert not (tmp_path / "out" / JOURNAL).exists()  # nothing is left to do
    assert [o.source for o in again] == [job.source for job in jobs]


def test_only_what_is_really_done_is_skipped(tmp_path):
    jobs = plan(corpus(tmp_path, 4), tmp_path / "out", "ply")

    def cut(jobs, options):
        yield from (run_job(job, options) for job in jobs)
        raise KeyboardInterrupt

    def run(options=PLY, **more):
        return [o.state[0] for o in run_batch(jobs, options, tmp_path / "out", **more)]

    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, PLY, tmp_path / "out", runner=cut)
    kept = (tmp_path / "out" / JOURNAL).read_bytes()
    Path(jobs[0].target).unlink()  # gone
    write_obj(Path(jobs[1].source), 99)  # changed since
    Path(jobs[2].target).write_bytes(b"mine")  # not what was written
    assert run() == ["c", "f", "f", "s"]  # existing files are never overwritten unasked
    assert Path(jobs[2].target).read_bytes() == b"mine"
    (tmp_path / "out" / JOURNAL).write_bytes(kept)
    other = ConvertOptions(target_format="ply", scale=2.0)
    assert run(other) == ["f"] * 4  # other options, other files
    (tmp_path / "out" / JOURNAL).write_bytes(kept)
    over = ConvertOptions(target_format="ply", overwrite=True)
    assert run(over, resume=True)[3] == "s"
    assert run(over) == ["c"] * 4
    assert run(PLY) == ["f"] * 4 and run(PLY, resume=True) == ["s"] * 4


def test_one_bad_file_does_not_stop_the_rest(tmp_path):
    names = corpus(tmp_path, 5)
    Path(names[2]).write_text("v 0 0 0\nf 1 2 3\n")
    jobs = plan(names, tmp_path / "out", "ply")
    outcomes = run_batch(jobs, PLY, tmp_path / "out", runner=Processes(2))
    assert states(outcomes) == {"converted": 4, "failed": 1}
    assert "00002.obj" in outcomes[2].error and "vertex" in outcomes[2].error
    assert not Path(jobs[2].target).exists()
    entries = (tmp_path / "out" / JOURNAL).read_text().splitlines()
    assert sum("target" in json.loads(line) for line in entries) == 4


def dies(job: Job, options: ConvertOptions):
    """Stands for a fault in a library, or the system out of memory."""
    if job.source.endswith("00003.obj"):
        time.sleep(0.3)  # others are written meanwhile, and their outcome goes down with the pool
        os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job, options)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
def test_a_process_that_dies_takes_no_other_file_with_it(tmp_path):
    jobs = plan(corpus(tmp_path, 12), tmp_path / "out", "ply")
    (tmp_path / "out").mkdir()
    mine = Path(jobs[5].target)
    mine.write_bytes(b"mine")
    os.utime(mine, (1, 1))
    outcomes = {o.source: o for o in Processes(2, dies)(jobs, PLY)}
    failed = [o for o in outcomes.values() if o.state == "failed"]
    assert len(outcomes) == 12
    assert [o.source for o in sorted(failed, key=lambda o: o.source)] == [
        jobs[3].source,
        jobs[5].source,
    ]
    assert "the process that worked on it died" in outcomes[jobs[3].source].error
    assert mine.read_bytes() == b"mine"  # neither the first try nor a second overwrites it
    assert sum(Path(j.target).exists() for j in jobs) == 11


def test_an_error_of_any_kind_is_an_outcome(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("inside\nout")

    monkeypatch.setattr(batch, "convert_file", broken)
    outcome = run_job(Job("a.obj", "a.ply"), PLY)
    assert outcome.state == "failed" and outcome.error == "a.obj: RuntimeError: inside out"
    assert outcome.to_dict()["error"] == outcome.error


def test_a_cluster_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, package, extra in (
        ("dask", "distributed", "dask"),
        ("tcp://host:8786", "distributed", "dask"),
        ("ray", "ray", "ray"),
        ("ray://host:10001", "ray", "ray"),
    ):
        with pytest.raises(ImportError, match=rf"needs {package}, .*'meshlearn\[{extra}\]'"):
            cluster_runner(name)
    with pytest.raises(ValueError, match="cluster: expected dask, ray, or an address"):
        cluster_runner("slurm")


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_on_a_cluster_of_this_machine(name, package, tmp_path):
    pytest.importorskip(package, reason=f"{package} is not installed")
    names = corpus(tmp_path, 40)
    Path(names[7]).write_text("nonsense")
    jobs = plan(names, tmp_path / "out", "ply")

    def dies_there(job, options):  # local: pickled by value, for workers that have no tests
        if job.source.endswith("00003.obj"):
            os.kill(os.getpid(), signal.SIGKILL)
        return run_job(job, options)

    runner = replace(cluster_runner(name, count=2), work=dies_there)
    outcomes = run_batch(jobs, PLY, tmp_path / "out", runner=runner)
    assert states(outcomes) == {"converted": 38, "failed": 2}
    assert "found no vertices" in outcomes[7].error and "was lost" in outcomes[3].error
