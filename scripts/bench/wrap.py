"""Wraps of double shells: seconds, faces, volume; beside alpha wrapping of MeshLab.

    python scripts/bench/wrap.py MESH... [--peer PYTHON]

Each mesh becomes a shell of two walls, 0.8 % of its diagonal apart, without 24 of its faces, and is
wrapped by a ball of 1 %. PYTHON is an interpreter that has pymeshlab (its licence is the GPL, so it
is no part of what meshlearn installs).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import torch

import meshlearn as ml

PEER = """
import sys, time, pymeshlab
part = pymeshlab.PercentageValue
meshes = pymeshlab.MeshSet()
meshes.load_new_mesh(sys.argv[1])
begin = time.process_time()
meshes.generate_alpha_wrap(alpha=part(1.0), offset=part(0.1))
seconds = time.process_time() - begin
print(f"{seconds:.2f} s, {meshes.current_mesh().face_number():,} faces")
"""


def shell(solid: ml.Mesh) -> ml.Mesh:
    corner = solid.triangles.reshape(-1, 3)
    diagonal = float((corner.amax(0) - corner.amin(0)).norm())
    inner = solid.vertices - 0.008 * diagonal * solid.vertex_normals()
    faces = torch.cat([solid.faces, solid.faces.flip(1) + solid.num_vertices])
    keep = torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))[24:]
    return ml.Mesh(torch.cat([solid.vertices, inner]), faces[keep.sort().values])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meshes", nargs="+", type=Path)
    parser.add_argument("--peer", help="a Python that has pymeshlab")
    given = parser.parse_args()
    for path in given.meshes:
        solid = ml.load(path)
        broken = shell(solid)
        begin = time.process_time()
        made = ml.geometry.wrap(broken)
        seconds = time.process_time() - begin
        crossing = int((ml.metrics.self_intersections(made) >= 0).sum())
        print(
            f"{path.name}: {broken.num_faces:,} faces; wrap {seconds:.2f} s, {made.num_faces:,} "
            f"faces, Euler number {made.topology.euler_number}, {crossing} faces that cross, "
            f"volume {float(made.volume()):.4g} (of the solid {float(solid.volume()):.4g})"
        )
        if given.peer:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "shell.ply")
                broken.save(file)
                told = subprocess.run(
                    [given.peer, "-c", PEER, str(file)], capture_output=True, text=True, check=True
                )
            print(f"  pymeshlab: {told.stdout.strip()}")


if __name__ == "__main__":
    main()
