"""Small work does not wait for torch: what the commands on files import."""

import json
import subprocess
import sys

import numpy as np
import pytest

from meshlearn import _compiled

WITHOUT_TORCH = """
import json, sys
from meshlearn.cli import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    loaded = {m.split(".")[0] for m in sys.modules}
    with open("loaded.json", "w") as file:
        json.dump(sorted(loaded & {"torch", "scipy", "pxr", "PIL", "safetensors"}), file)
    raise
"""
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    "property float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    "0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n"
)
OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
MHA = b"NDims = 3\nDimSize = 3 3 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
CAMERAS = json.dumps(
    {"camera_angle_x": 1.0, "frames": [{"file_path": "a", "transform_matrix": POSE}]}
)
OFF = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"


def run(folder, *arguments):
    for name, text in (("a.ply", PLY), ("a.obj", OBJ), ("a.off", OFF)):
        (folder / name).write_text(text)
    np.save(folder / "a.npy", np.zeros((3, 3, 3)))
    (folder / "a.mha").write_bytes(MHA + bytes(27))
    (folder / "views").mkdir(exist_ok=True)
    (folder / "views" / "transforms.json").write_text(CAMERAS)
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done, json.loads((folder / "loaded.json").read_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("convert", "--help"),
        ("boolean", "--help"),
        ("info", "a.ply"),
        ("info", "a.obj", "--json"),
        ("info", "a.npy", "a.mha"),
        ("info", "views"),
        ("check", "a.ply"),
        ("check", "a.off", "--fail-on", "non-manifold", "--json"),
        ("check", "a.ply", "--merge", "0"),
        ("convert", "a.ply", "b.glb"),
        ("convert", "a.ply", "b.stl"),
        ("convert", "a.obj", "b.stl"),
        ("convert", "a.off", "b.ply"),
        ("convert", "a.off", "b.3mf"),
        ("convert", "a.ply", "b.npz"),
        ("convert", "a.ply", "b.obj", "--triangulate", "--merge", "0", "--unit", "mm:m"),
    ],
    ids=" ".join,
)
def test_torch_is_not_imported(arguments, tmp_path):
    _, loaded = run(tmp_path, *arguments)
    assert loaded == []


def test_a_file_of_ours_goes_on_without_torch(tmp_path):
    run(tmp_path, "convert", "a.ply", "b.glb")
    done, loaded = run(tmp_path, "convert", "b.glb", "c.obj", "--json")
    assert loaded == [] and json.loads(done.stdout)["faces"] == 2
    assert (tmp_path / "c.obj").read_text().count("\nf ") == 2


def test_the_check_would_see_torch(tmp_path):
    _, loaded = run(tmp_path, "check", "a.ply", "--fail-on", "self-intersections")
    assert "torch" in loaded


def test_the_module_links_no_torch():
    if not _compiled.HAS_COMPILED:
        pytest.skip("the compiled readers are not built")
    code = (
        "import sys\nfrom meshlearn import _compiled\n"
        "maps = open('/proc/self/maps').read() if sys.platform == 'linux' else ''\n"
        "assert _compiled.HAS_COMPILED and 'libtorch' not in maps and 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
