"""The verbs that read and write files."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import meshlearn.io
from tests.cli.runner import ROOT, environment

if not hasattr(meshlearn.io, "load"):
    pytest.skip("meshlearn.io has no formats yet", allow_module_level=True)

ASSETS = ROOT / "assets"
GEAR, BLOB, TORUS = ASSETS / "gear.obj", ASSETS / "blob.ply", ASSETS / "torus_volume.npz"


@pytest.fixture
def ok(cli):
    """Runs a command that should succeed; its JSON if it was asked for."""

    def run(*args):
        done = cli(*args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in args else done

    return run


@pytest.fixture
def refused(cli):
    """Runs a command that should say one line with `text` on stderr, and exit 1."""

    def run(*args, text: str):
        done = cli(*args)
        assert done.returncode == 1, (done.returncode, done.stderr)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
        assert text in lines[0] and "Traceback" not in done.stderr and done.stdout == ""

    return run


def test_info_of_each_kind(ok, tmp_path):
    mesh = ok("info", GEAR, "--json")
    assert (mesh["kind"], mesh["vertices"], mesh["faces"]) == ("mesh", 2880, 5760)
    assert mesh["watertight"] is True and mesh["euler_number"] == 0 and mesh["components"] == 1
    volume = ok("info", TORUS, "--json")
    assert volume["kind"] == "volume" and volume["samples"] == [36, 40, 24]
    assert volume["spacing"] == pytest.approx([0.07, 0.06, 0.05])
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(50, 3)))
    points = ok("info", tmp_path / "points.npy", "--json")
    assert points["kind"] == "points" and points["points"] == 50 and points["normals"] is False
    lines = ok("info", BLOB).stdout.splitlines()
    assert any(line.split() == ["vertices", "2,562"] for line in lines)


def test_compare_tells_units_and_axes_that_differ(ok, tmp_path):
    obj, glb, metres = (tmp_path / name for name in ("a.obj", "a.glb", "b.glb"))
    obj.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    ok("convert", obj, metres)
    threemf = tmp_path / "a.3mf"
    ok("convert", obj, threemf, "--unit", "mm")
    ok("convert", threemf, glb, "--unit", "m", "--up", "y")
    said = ok("compare", threemf, glb, "--samples", "100").stderr
    assert "has the unit mm" in said and "convert --unit" in said
    assert "has the up axis z" in said and "convert --up" in said
    for pair in ((glb, metres), (obj, glb)):  # the same, or unsaid
        assert not ok("compare", *pair, "--samples", "100").stderr


def test_extract_converts_compares_renders(ok, tmp_path):
    out = tmp_path / "torus.ply"
    facts = ok("extract", TORUS, out, "--method", "flexicubes", "--json")
    assert facts["watertight"] is True and facts["euler_number"] == 0
    size = ok("info", out, "--json")
    assert size["upper"] == pytest.approx([1.0, 1.0, 0.3], abs=0.02)
    obj = tmp_path / "torus.obj"
    assert "wrote" in ok("convert", out, obj).stderr
    same = ok("compare", out, obj, "--samples", "2000", "--json")
    assert same["hausdorff"] < 1e-5
    assert "chamfer" in ok("compare", out, obj, "--samples", "2000").stdout
    ok("render", obj, tmp_path / "torus.png", "--size", "64")
    assert (tmp_path / "torus.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("options", [["--spacing", "2"], ["--origin", "5,6,7"], ["--above"]])
def test_extract_options_reach_the_volume(ok, tmp_path, options):
    ok("extract", TORUS, tmp_path / "a.ply", *options, "--close")
    size = ok("info", tmp_path / "a.ply", "--json")
    if options == ["--spacing", "2"]:
        assert size["upper"][0] - size["lower"][0] > 50
    elif options[0] == "--origin":
        assert min(size["lower"]) > 4.9
    else:  # the outside of the torus, capped: a box with a hole in it
        assert size["components"] == 2 or size["euler_number"] == 2


def test_an_empty_surface_is_written_only_on_request(ok, refused, tmp_path):
    out = tmp_path / "a.ply"
    refused("extract", TORUS, out, "--level", "99", text="no surface at level 99")
    assert not out.exists()
    done = ok("extract", TORUS, out, "--level", "99", "--allow-empty")
    assert "warning: " in done.stderr and ok("info", out, "--json")["faces"] == 0


def test_check_reports_and_strict_fails(ok, cli, tmp_path):
    report = ok("check", GEAR, "--json")
    assert report["ok"] is True
    bad = tmp_path / "bad.obj"
    bad.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 5 5 5\nf 1 2 3\nf 1 2 2\nf 2 3 1\n")
    report = ok("check", bad, "--json", "--limit", "1")
    assert report["ok"] is False and report["defects"]["degenerate_faces"]["indices"] == [1]
    assert report["defects"]["unreferenced_vertices"]["count"] == 1
    assert "errors:" in ok("check", bad).stdout
    assert cli("check", bad, "--strict").returncode == 1


def test_check_says_as_json_what_was_not_read(ok, tmp_path):
    assert ok("check", GEAR, "--json")["remarks"] == []
    curve = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\ncstype bezier\ndeg 2\ncurv 0 1 1 2 3\nend\n"
    (tmp_path / "a.obj").write_text(curve)
    report = ok("check", tmp_path / "a.obj", "--json")
    assert report["passed"] is True and report["remarks"][0].startswith("not read: ")
    both = ok("check", tmp_path / "a.obj", GEAR, "--json")
    assert [len(one["remarks"]) for one in both] == [len(report["remarks"]), 0]


BAD_MESHES = {
    "absent.obj": (None, "there is no file"),
    "empty.obj": (b"", "is empty"),
    "cut.ply": ("cut", ""),
    "lying.ply": ("lying", ""),
    "range.obj": (b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", ""),
    "negative.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 -1\n", ""),
    "a.unknown": (b"hello", ""),
    "noext": (b"hello", ""),
}


def make_bad(folder, name):
    data = BAD_MESHES[name][0]
    if isinstance(data, str):
        raw = BLOB.read_bytes()
        data = raw[:-1000] if data == "cut" else raw.replace(b"vertex 2562", b"vertex 2000000000")
    if data is not None:
        (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("name", BAD_MESHES)
def test_a_bad_mesh_gets_one_sentence_and_nothing_is_written(refused, tmp_path, name):
    path, out = make_bad(tmp_path, name), tmp_path / "out.ply"
    out.write_bytes(b"old")
    refused("convert", path, out, "--overwrite", text=BAD_MESHES[name][1] or path.name)
    assert out.read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} <= {"out.ply", name}


@pytest.mark.parametrize(
    ("verb", "rest"),
    [
        ("info", []),
        ("check", []),
        ("compare", [GEAR]),
        ("render", ["out.png"]),
        ("reconstruct", ["out.ply"]),
        ("extract", ["out.ply"]),
    ],
)
def test_every_verb_refuses_a_missing_file_and_a_folder(refused, tmp_path, verb, rest):
    rest = [tmp_path / r if isinstance(r, str) else r for r in rest]
    refused(verb, tmp_path / "absent.obj", *rest, text="there is no file")
    refused(verb, tmp_path, *rest, text="the folder")
    assert not list(tmp_path.iterdir())


def test_outputs_are_checked_before_any_work(refused, tmp_path):
    out = tmp_path / "out.ply"
    out.write_bytes(b"old")
    for verb, source in (("convert", GEAR), ("extract", TORUS), ("reconstruct", GEAR)):
        refused(verb, source, out, text="exists; give --overwrite")
        refused(verb, source, tmp_path / "a.xyzzy", text="unknown extension '.xyzzy'")
        refused(verb, source, tmp_path / "no" / "a.ply", text="does not exist; make it first")
        refused(verb, source, tmp_path, "--overwrite", text="")
    refused("render", GEAR, tmp_path / "a.jpg", text="unknown extension '.jpg'")
    assert out.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "args",
    [
        ["extract", TORUS, "out.ply", "--method", "nets"],
        ["extract", TORUS, "out.ply", "--spacing", "1,2"],
        ["reconstruct", GEAR, "out.ply", "--method", "nets"],
        ["reconstruct", GEAR, "out.ply", "--resolution", "0"],
        ["reconstruct", GEAR, "out.ply", "--resume"],
        ["compare", GEAR],
        ["render", GEAR, "out.png", "--size", "0"],
    ],
)
def test_wrong_usage_exits_2(cli, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    done = cli(*args)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_cannot_fit_in_memory_is_refused(refused, tmp_path):
    refused(
        "reconstruct",
        GEAR,
        tmp_path / "a.ply",
        "--resolution",
        "50000",
        text="lower the resolution",
    )
    assert not list(tmp_path.iterdir())


def test_an_unusable_device_is_refused(refused, tmp_path):
    args = ("reconstruct", GEAR, tmp_path / "a.ply", "--device")
    refused(*args, "nonsense", text="device: nonsense cannot be used here")
    refused(*args, "cuda:97", text="device: cuda:97 cannot be used here")


def test_a_small_fit(ok, tmp_path):
    out = tmp_path / "fit.glb"
    args = ("reconstruct", GEAR, out, "--resolution", "16", "--steps", "6", "--seed", "3")
    facts = ok(*args, "--picture", "--checkpoint", tmp_path / "run", "--json")
    assert facts["steps"] == 6 and facts["watertight"] is True and facts["manifold"] is True
    assert (tmp_path / "fit.png").exists() and (tmp_path / "run").is_dir()
    first = out.read_bytes()
    ok(*args, "--overwrite")
    assert out.read_bytes() == first  # the same seed, the same file


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_an_interrupted_fit_goes_on_to_the_same_mesh(ok, tmp_path):
    def args(name):
        options = ["--resolution", "16", "--steps", "60", "--checkpoint", tmp_path / f"run-{name}"]
        return ["reconstruct", GEAR, tmp_path / f"{name}.ply", *options]

    ok(*args("whole"))
    command = [sys.executable, "-m", "meshlearn", *map(str, args("cut"))]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    deadline = time.monotonic() + 600
    while not (tmp_path / "run-cut").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=600)
    if run.returncode != 0:  # else it was quicker than the signal
        assert run.returncode == 130 and "Traceback" not in err
        assert err.startswith("interrupted") and not (tmp_path / "cut.ply").exists()
        ok(*args("cut"), "--resume")
    assert (tmp_path / "cut.ply").read_bytes() == (tmp_path / "whole.ply").read_bytes()


def test_points_and_volumes_are_fitted_too(ok, tmp_path):
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    np.save(tmp_path / "ball.npy", np.concatenate([0.5 * normals, normals], 1))
    np.savetxt(tmp_path / "ball.xyz", 0.5 * normals)
    for source in (tmp_path / "ball.npy", tmp_path / "ball.xyz", TORUS):
        args = ("--resolution", "16", "--steps", "4", "--json", "--overwrite")
        facts = ok("reconstruct", source, tmp_path / "out.ply", *args)
        assert facts["watertight"] is True and facts["faces"] > 100, source
