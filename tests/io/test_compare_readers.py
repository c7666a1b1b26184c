"""The script that compares readers: it finds what differs, and nothing else."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from meshlearn import io as mio
from tests.io.samples import ARROW, documents, polygons

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "compare_readers.py"


def test_what_differs_is_said():
    difference = runpy.run_path(str(SCRIPT))["difference"]
    ours = {"faces": 2, "area": 1.0, "box": [1.0, 1.0, 0.0]}
    assert difference(ours, dict(ours)) == ""
    assert difference(ours, {**ours, "faces": 3}) == "faces 3"
    assert difference(ours, {**ours, "area": 1.01}) == "area 1.01"
    assert difference(ours, {**ours, "box": [2.0, 1.0, 0.0]}) == "box 2 × 1 × 0"
    assert difference(ours, {"error": "E: no"}) == "not read (E: no)"
    assert difference({"error": "E: no"}, ours) == "reads 2 faces"
    assert difference({"error": "E: no"}, {"error": "F: no"}) == ""


def test_a_folder_is_read_and_converted(tmp_path):
    pytest.importorskip("trimesh")
    mio.save_document(polygons(ARROW, [[1, 2, 3, 0]]), tmp_path / "a.obj")
    (tmp_path / "in").mkdir()
    mio.save_document(documents()["triangle"], tmp_path / "in" / "b.stl")
    (tmp_path / "c.off").write_text("OFF\n1 1 0\n")
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--peers", "trimesh"]
    found = subprocess.run(
        [*command, "--convert", ".ply"], capture_output=True, text=True, timeout=300, check=True
    )
    last = found.stdout.splitlines()[-1]
    assert "3 files, 1 refused here" in last
    assert "a.obj" in found.stdout and "trimesh: area" in found.stdout  # a concave face, as a fan
    assert "b.stl" not in found.stdout and "converted" not in found.stdout
