"""`convert`, `check --fail-on` and `info` as they are used: options, streams, batches, mistakes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from meshlearn.io import load_document, save_document
from meshlearn.io.conversion.batch import JOURNAL
from meshlearn.io.document import Document, Part
from tests.cli.runner import ROOT, environment

GEAR, BLOB = ROOT / "assets" / "gear.obj", ROOT / "assets" / "blob.ply"
QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3 4/1\n"


@pytest.fixture
def quad(tmp_path) -> Path:
    path = tmp_path / "quad.obj"
    path.write_text(QUAD)
    return path


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A hundred and twenty small files of three formats, in two folders."""
    folder = tmp_path / "in"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    for k in range(120):
        points = np.random.default_rng(k).random((4, 3))
        part = Part.triangles(points, np.array([[0, 1, 2], [0, 2, 3]]), name=f"part {k}")
        suffix = (".obj", ".ply", ".off")[k % 3]
        save_document(Document([part]), folder / "ab"[k % 2] / f"{k:03d}{suffix}")
    return folder


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_one_file_with_its_losses(cli, quad, tmp_path):
    done = cli("convert", quad, tmp_path / "a.stl", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0 and facts["vertices"] == 6 and facts["faces"] == 2
    names = {loss["name"]: loss for loss in facts["losses"]}
    assert names["polygons of more than 3 corners"]["count"] == 1
    assert "STL" in names["polygons of more than 3 corners"]["why"]
    assert names["corner field 'uv'"]["count"] == 4
    said = cli("convert", quad, tmp_path / "b.stl").stderr
    assert "wrote" in said and "lost: corner field 'uv' (4: STL" in said


def test_strict_writes_nothing_that_loses(cli, quad, tmp_path):
    old = tmp_path / "a.stl"
    old.write_bytes(b"old")
    done = cli("convert", quad, old, "--strict", "--overwrite")
    assert done.returncode == 1 and "would lose" in done.stderr and "'uv'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and old.read_bytes() == b"old"
    assert cli("convert", quad, tmp_path / "b.obj", "--strict").returncode == 0
    assert files(tmp_path) == {"quad.obj", "a.stl", "b.obj"}


def test_options_work_in_one_order(cli, quad, tmp_path):
    out = tmp_path / "a.obj"
    args = ("--scale", "3", "--up", "y:z", "--triangulate", "--precision", "4", "--unit", "m:cm")
    facts = json.loads(cli("convert", quad, out, *args, "--json").stdout)
    assert facts["faces"] == 2 and len(facts["steps"]) == 5
    part = load_document(out).parts[0]
    assert part.vertices.tolist() == [[0, 0, 0], [300, 0, 0], [300, 0, 300], [0, 0, 300]]
    assert part.corner_fields["uv"].values.shape == (3, 2)
    polygons = tmp_path / "b.ply"
    assert cli("convert", quad, polygons, "--merge", "0", "--repair").returncode == 0
    assert load_document(polygons).parts[0].sizes.tolist() == [4]  # they survive unless asked
    ascii = tmp_path / "c.ply"
    assert cli("convert", quad, ascii, "--ascii").returncode == 0
    assert b"format ascii" in ascii.read_bytes()
    no = cli("convert", quad, tmp_path / "d.glb", "--ascii")
    assert no.returncode == 1 and "has no text variant" in no.stderr


def stream(*args: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "meshlearn", "convert", *args],
        input=data,
        capture_output=True,
        env=environment(),
        timeout=60,
    )


def test_standard_streams(tmp_path):
    out = stream("-", "-", "--from", "obj", "--to", ".off", data=QUAD.encode())
    assert out.returncode == 0 and out.stdout.startswith(b"OFF\n4 1 0\n")
    assert b"lost: corner field 'uv'" in out.stderr  # messages do not mix with the file
    bad = stream("-", str(tmp_path / "a.ply"), "--from", "obj", data=b"f 1 2 3\n")
    assert bad.returncode == 1 and b"standard input" in bad.stderr and not files(tmp_path)
    assert b"Traceback" not in bad.stderr and len(bad.stderr.strip().splitlines()) == 1


# arguments -> exit code, text of the one line
HOSTILE = {
    "missing": (["absent.obj", "o.ply"], 1, "there is no file absent.obj"),
    "a folder": (["folder", "o.ply"], 1, "expected a file, got the folder"),
    "unknown extension": (["quad.xyzzy", "o.ply"], 1, "unknown extension '.xyzzy'"),
    "unknown target": (["quad.obj", "o.xyzzy"], 1, "unknown extension '.xyzzy'"),
    "itself": (["quad.obj", "quad.obj", "--overwrite"], 1, "is IN itself"),
    "itself by another name": (["quad.obj", "./folder/../quad.obj"], 1, "is IN itself"),
    "a link to itself": (["quad.obj", "link.obj", "--overwrite"], 1, "is IN itself"),
    "exists": (["quad.obj", "old.ply"], 1, "old.ply exists; give --overwrite"),
    "no such folder": (["quad.obj", "no/o.ply"], 1, "the folder no does not exist"),
    "no match": (["*.glb", "o.ply"], 1, "no file matches *.glb"),
    "no match of a batch": (["*.glb", "--outdir", "out", "--to", "ply"], 1, "no file matches"),
    "same output": (
        ["quad.obj", "folder/quad.obj", "--outdir", "out", "--to", "ply"],
        1,
        "would both become",
    ),
    "outdir is a file": (["quad.obj", "--outdir", "old.ply", "--to", "stl"], 1, "is a file"),
    "outdir in no folder": (["quad.obj", "--outdir", "no/out", "--to", "stl"], 1, "make it first"),
    "outdir is the input's": (["quad.obj", "--outdir", ".", "--to", "obj"], 1, "become itself"),
    "empty": (["empty.obj", "o.ply"], 1, "is empty"),
    "no part": (["quad.obj", "o.ply", "--select", "door"], 1, "there is no 'door'"),
    "one name": (["quad.obj"], 2, "OUT is missing"),
    "three names": (["quad.obj", "a.ply", "b.ply"], 2, "need --outdir"),
    "a batch to one file": (["*.obj", "o.ply"], 2, "matches 3 files"),
    "batch without format": (["quad.obj", "--outdir", "out"], 2, "--to EXT"),
    "unknown format": (["quad.obj", "o.ply", "--to", "docx"], 2, "expected one of"),
    "stdin without format": (["-", "o.ply"], 2, "--from"),
    "stdout without format": (["quad.obj", "-"], 2, "--to"),
    "two speakers": (["quad.obj", "-", "--to", "ply", "--json"], 2, "standard output"),
    "stdin in a batch": (["-", "--outdir", "out", "--to", "ply"], 2, "--outdir"),
    "jobs of one": (["quad.obj", "o.ply", "--jobs", "2"], 2, "--outdir"),
    "no jobs": (["quad.obj", "--outdir", "out", "--to", "ply", "--jobs", "0"], 2, "--jobs"),
    "bad scale": (["quad.obj", "o.ply", "--scale", "nan"], 2, "--scale"),
    "bad unit": (["quad.obj", "o.ply", "--unit", "parsec"], 2, "--unit"),
    "bad up": (["quad.obj", "o.ply", "--up", "north"], 2, "--up"),
    "bad merge": (["quad.obj", "o.ply", "--merge", "-1"], 2, "--merge"),
    "bad precision": (["quad.obj", "o.ply", "--precision", "99"], 2, "--precision"),
    "bad cluster": (["quad.obj", "--outdir", "out", "--to", "ply", "--cluster", "x"], 2, "--clu"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_command_lines(case, cli, quad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "500")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "quad.obj").write_text(QUAD)
    (tmp_path / "old.ply").write_bytes(b"old")
    (tmp_path / "quad.xyzzy").write_text(QUAD)
    (tmp_path / "empty.obj").write_bytes(b"")
    (tmp_path / "link.obj").symlink_to("quad.obj")
    before = files(tmp_path)
    args, code, text = HOSTILE[case]
    done = cli("convert", *args)
    assert done.returncode == code, done.stderr
    assert text in done.stderr and "Traceback" not in done.stderr and done.stdout == ""
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert done.stderr.startswith("error: ")
    assert files(tmp_path) == before and not (tmp_path / "out").exists()
    assert (tmp_path / "old.ply").read_bytes() == b"old" and quad.read_text() == QUAD


def test_batch_on_two_processes(cli, corpus, tmp_path):
    (corpus / "a" / "bad.obj").write_text("v 0 0 0\nf 1 2 3\n")
    (corpus / "b" / "cut.ply").write_bytes(BLOB.read_bytes()[:-100])
    out = tmp_path / "out"
    args = ("convert", corpus, "--outdir", out, "--to", "stl", "--jobs", "2", "--json")
    done = cli(*args)
    facts = json.loads(done.stdout)
    assert done.returncode == 1
    assert (facts["converted"], facts["failed"], facts["skipped"]) == (120, 2, 0)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and all(line.startswith("error: ") for line in lines)
    assert "bad.obj" in done.stderr and "cut.ply" in done.stderr
    bad = [entry for entry in facts["files"] if entry["state"] == "failed"]
    assert {Path(entry["input"]).name for entry in bad} == {"bad.obj", "cut.ply"}
    assert any(loss["files"] > 1 and loss["count"] > 1 for loss in facts["losses"])
    stems = {Path(n).with_suffix("") for n in files(corpus)} - {Path("a/bad"), Path("b/cut")}
    assert {Path(n).with_suffix("") for n in files(out)} - {Path(JOURNAL).with_suffix("")} == stems
    write_good = corpus / "a" / "bad.obj"
    write_good.write_text(QUAD)
    (corpus / "b" / "cut.ply").unlink()
    again = cli(*args[:-3])  # mended: only that is left, and the journal goes
    assert (
        again.returncode == 0 and "converted 1 of 121 files, 120 were done before" in again.stderr
    )
    assert not (out / JOURNAL).exists() and len(files(out)) == 121


def test_a_batch_says_what_was_read_otherwise(cli, tmp_path):
    """As a conversion of one file does; a sentence on many files is said once."""
    comma = QUAD.replace("v 1 0 0", "v 1,5 0 0")
    for name, text in (("a", comma), ("b", comma), ("c", "vn 0 0 1\n"), ("d", QUAD)):
        (tmp_path / f"{name}.obj").write_text(text)
    args = ("convert", *sorted(tmp_path.glob("*.obj")), "--outdir", tmp_path / "out", "--to", "ply")
    done = cli(*args)
    assert done.returncode == 1 and "c.obj" in done.stderr  # no OBJ at all
    assert done.stderr.count("commas were read as decimal points") == 1
    assert "2 files: commas were read as decimal points" in done.stderr
    (tmp_path / "c.obj").write_text("# nothing\n")
    (tmp_path / "b.obj").write_text(QUAD)
    done = cli(*args, "--overwrite")
    assert done.returncode == 0
    assert f"{tmp_path / 'a.obj'}: commas were read as decimal points" in done.stderr
    assert f"{tmp_path / 'c.obj'}: there is no geometry to write" in done.stderr


def test_batch_is_quiet_in_a_pipe(cli, corpus, tmp_path):
    done = cli("convert", f"{corpus}/a/*.obj", "--outdir", tmp_path / "o", "--to", "ply")
    assert done.returncode == 0 and done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("converted 20 of 20 files (")
    assert all(line.startswith("lost: ") for line in lines[:-1])  # one for each kind, not file
    again = cli("convert", f"{corpus}/a/*.obj", "--outdir", tmp_path / "o", "--to", "ply")
    assert again.returncode == 1 and again.stderr.count("give --overwrite") == 20


def start(args: list[object]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "meshlearn", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
        # a job in the background of a script ignores it, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition, seconds: float = 600) -> None:  # a busy machine takes its time
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def members(group: int) -> list[int]:
    """Processes of a group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if pgrp == str(group) and state != "Z":
            found.append(int(entry.name))
    return found


def kill_and_resume(tmp_path: Path, cli, count: int, sign: int, jobs: int = 2) -> None:
    source = tmp_path / "many"
    source.mkdir()
    data = BLOB.read_bytes()
    for k in range(count):
        (source / f"{k:05d}.ply").write_bytes(data)
    for attempt in range(3):  # a busy machine may be done before the signal comes
        out = tmp_path / f"out{attempt}"
        args = ["convert", source, "--outdir", out, "--to", "obj", "--jobs", jobs]
        run = start(args)
        wait_for(lambda out=out: out.is_dir() and len(list(out.glob("*.obj"))) >= 4)
        os.kill(run.pid, sign)
        _, err = run.communicate(timeout=600)
        if run.returncode != 0:
            break
    assert "Traceback" not in err and run.returncode in (-sign, 130, 143), err
    wait_for(lambda: not members(run.pid))  # its workers are gone too
    made = len(list(out.glob("*.obj")))
    assert made < count and (out / JOURNAL).exists()
    whole = {p.name: p.stat().st_mtime_ns for p in out.glob("*.obj")}
    size = {p.stat().st_size for p in out.glob("*.obj")}
    assert len(size) == 1  # none is half written
    facts = json.loads(cli(*args, "--json").stdout)
    assert facts["failed"] == 0 and facts["converted"] + facts["skipped"] == count
    assert facts["skipped"] == made
    assert all((out / name).stat().st_mtime_ns == at for name, at in whole.items())
    assert files(out) == {f"{k:05d}.obj" for k in range(count)}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sends signals")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_batch_goes_on(sign, cli, tmp_path):
    kill_and_resume(tmp_path, cli, 200, sign)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sends signals")
def test_ten_thousand_files_killed_and_resumed(cli, tmp_path):
    source, out = tmp_path / "many", tmp_path / "out"
    source.mkdir()
    for k in range(10_000):
        (source / f"{k:05d}.obj").write_text(QUAD)
    args = ["convert", f"{source}/*.obj", "--outdir", out, "--to", "glb", "--jobs", 2]
    run = start(args)
    wait_for(lambda: out.is_dir() and len(list(out.glob("*.glb"))) >= 2000)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=600)
    wait_for(lambda: not members(run.pid))
    facts = json.loads(cli(*args, "--json").stdout)
    assert facts["failed"] == 0 and facts["converted"] + facts["skipped"] == 10_000
    assert facts["skipped"] >= 2000
    assert len(files(out)) == 10_000


def test_info_tells_parts_fields_and_several_files(cli, quad):
    facts = json.loads(cli("info", quad, "--json").stdout)
    assert facts["quads"] == 1 and facts["polygons"] == 1 and facts["faces"] == 2
    part = facts["parts"][0]
    assert part["corner_fields"]["uv"]["shape"] == [2] and part["dtype"] == "float64"
    assert facts["defects"] == {"boundary_edges": 4} and facts["size"] == [1, 1, 0]
    both = json.loads(cli("info", quad, BLOB, "--json").stdout)
    assert [entry["kind"] for entry in both] == ["mesh", "mesh"]
    text = cli("info", quad, BLOB).stdout
    assert "4 boundary edges" in text and "2,562" in text


CHECKS = [
    ("boundary", QUAD, True),
    ("non-manifold,degenerate", QUAD, False),
    ("degenerate", QUAD + "f 1 1 2\n", True),
    ("duplicate", QUAD + "f 4 3 2 1\n", True),
    ("unreferenced", QUAD + "v 9 9 9\n", True),
    ("orientation", "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 3\nf 2 3 4\n", True),
    ("non-finite", QUAD.replace("v 0 0 0", "v nan 0 0"), True),
    ("short", QUAD + "f 1 2\n", True),
    ("boundary_edges", QUAD, True),
    ("error", QUAD, False),
    ("any", QUAD, True),
    ("self-intersections", QUAD, False),
    (
        "self-intersections",
        "v 0 0 0\nv 2 0 0\nv 0 2 0\nv .5 .5 -1\nv .5 .5 1\nv 3 3 0\nf 1 2 3\nf 4 5 6\n",
        True,
    ),
]


@pytest.mark.parametrize(("kinds", "text", "fails"), CHECKS)
def test_check_fails_on_what_is_asked(kinds, text, fails, cli, tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(text)
    done = cli("check", path, "--fail-on", kinds, "--json")
    assert done.returncode == int(fails), done.stderr
    assert json.loads(done.stdout)["passed"] is not fails
    assert (f"failed: {path} has" in done.stderr) is fails


def test_check_of_several_files_and_of_a_soup(cli, tmp_path):
    soup = tmp_path / "gear.stl"
    assert cli("convert", GEAR, soup).returncode == 0
    assert cli("check", soup, "--fail-on", "boundary").returncode == 1
    assert cli("check", soup, "--fail-on", "boundary", "--merge", "0").returncode == 0
    bad = tmp_path / "bad.obj"
    bad.write_text("v 0 0 0\nf 1 2 3\n")
    done = cli("check", GEAR, bad, soup, "--fail-on", "error", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1 and [f.get("passed") for f in found] == [True, None, True]
    assert done.stderr.count("error: ") == 1 and "bad.obj" in done.stderr
    wrong = cli("check", GEAR, "--fail-on", "ugliness")
    assert wrong.returncode == 2 and "ugliness" in wrong.stderr
