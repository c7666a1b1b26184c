"""Processor seconds of small work on the command line, start-up included, beside other tools.

User and system time of the child process and of those it starts, the median of the runs, so that
what else the machine does counts little. Peers are named where they are installed: meshio and
gltf-transform by their commands, MeshLib by its Python package.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from _common import ROOT, Bench, main

MESHLIB = """
import sys
from meshlib import mrmeshpy
mrmeshpy.saveMesh(mrmeshpy.loadMesh(sys.argv[1]), sys.argv[2])
"""


def small_ply() -> str:
    """A grid of 33 x 33 vertices and 2,048 triangles."""
    size = 33
    points = [f"{x / 32:g} {y / 32:g} {x * y / 2048:g}" for y in range(size) for x in range(size)]
    corners = [y * size + x for y in range(size - 1) for x in range(size - 1)]
    faces = [f"3 {i} {i + 1} {i + size + 1}\n3 {i} {i + size + 1} {i + size}" for i in corners]
    head = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"element face {2 * len(corners)}", "property list uchar int vertex_indices"]
    return "\n".join([*head, "end_header", *points, *faces, ""])


def seconds(command: Sequence[str], folder: Path, runs: int) -> tuple[float, str]:
    """Median processor seconds of a command; what it said where it failed."""
    found = []
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for _ in range(runs + 1):  # the first one warms the disk's cache
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command, cwd=folder, capture_output=True, env={**os.environ, "PYTHONPATH": paths}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            return float("nan"), f"failed: {done.stderr.decode(errors='replace').strip()[-200:]}"
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(found[1:]), ""


def cases() -> dict[str, list[str]]:
    """What is timed, by name; the file is small.ply, or small.glb made from it."""
    ours = [sys.executable, "-m", "meshlearn"]
    out = {
        "meshlearn --version": [*ours, "--version"],
        "meshlearn --help": [*ours, "--help"],
        "meshlearn info": [*ours, "info", "small.ply"],
        "meshlearn check": [*ours, "check", "small.ply"],
        "meshlearn convert ply obj": [*ours, "convert", "small.ply", "out.obj", "--overwrite"],
        "meshlearn convert ply glb": [*ours, "convert", "small.ply", "out.glb", "--overwrite"],
    }
    beside = Path(sys.executable).parent / "meshio"
    meshio = str(beside) if beside.is_file() else shutil.which("meshio")
    if meshio:
        out["meshio convert ply obj"] = [meshio, "convert", "small.ply", "out.obj"]
    if find_spec("meshlib"):
        out["MeshLib ply obj"] = [sys.executable, "-c", MESHLIB, "small.ply", "out.obj"]
    gltf_transform = shutil.which("gltf-transform")
    if gltf_transform:
        out["gltf-transform copy glb"] = [gltf_transform, "copy", "small.glb", "out.glb"]
    return out


def run(bench: Bench) -> None:
    runs = 3 if bench.quick else 10
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.ply").write_text(small_ply())
        made = [sys.executable, "-m", "meshlearn", "convert", "small.ply", "small.glb"]
        seconds([*made, "--overwrite"], folder, 1)
        for case, command in cases().items():
            took, note = seconds(command, folder, runs)
            bench.value(case, note=note, processor_seconds=round(took, 3), runs=runs)


if __name__ == "__main__":
    main(run)
