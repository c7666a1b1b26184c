"""Reads every mesh below some folders, and compares with trimesh, assimp and meshio.

    python scripts/compare_readers.py FOLDER ... [--peers trimesh,assimp] [--convert .glb] [--all]

Counts of triangles, areas and sides of the box around them are compared (vertices are not: some
libraries split or merge them; nor the box's place, since some turn the up axis). Peers that are not
installed are left out (`pip install trimesh assimp-py meshio`). Each reader works in a process of
its own, which is ended after a minute for one file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = {"trimesh": "trimesh", "assimp": "assimp_py", "meshio": "meshio"}
SECONDS = 60
AREA, BOX = 1e-3, 1e-4  # relative differences that count


def measures(vertices, faces) -> dict:
    """Triangles, their area, and the sides of the box around them, the longest first."""
    import numpy as np

    vertices = np.asarray(vertices, np.float64).reshape(-1, 3)
    faces = np.asarray(faces, np.int64).reshape(-1, 3)
    used = vertices[faces.reshape(-1)]
    corner = used.reshape(-1, 3, 3)
    with np.errstate(all="ignore"):
        across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        area = float(np.nansum(np.linalg.norm(across, axis=1)) / 2)
        sides = np.nanmax(used, 0) - np.nanmin(used, 0) if len(used) else np.zeros(3)
    return {"faces": len(faces), "area": area, "box": sorted(map(float, sides), reverse=True)}


def by_us(path: str) -> dict:
    import numpy as np

    from meshlearn import io
    from meshlearn.io.surface import one_surface

    document = io.load_document(path)
    surface = one_surface(document, np.float64)
    found = measures(surface.vertices, surface.polygon_index)
    lines = sum(len(p.lines) for p in document.parts)
    points = sum(len(p.points) for p in document.parts)
    told = [str(loss) for loss in document.left_out] + document.remarks
    return {**found, "lines": lines, "points": points, "told": told}


def by_trimesh(path: str) -> dict:
    import trimesh

    mesh = trimesh.load(path, force="mesh", process=False)
    return measures(mesh.vertices, mesh.faces)


def by_assimp(path: str) -> dict:
    import assimp_py
    import numpy as np

    steps = assimp_py.Process_Triangulate | assimp_py.Process_PreTransformVertices
    scene = assimp_py.import_file(path, steps)
    vertices, faces, base = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
    for mesh in scene.meshes:
        points = np.asarray(mesh.vertices, np.float64).reshape(-1, 3)
        index = np.asarray(mesh.indices, np.int64).reshape(-1)
        if len(index) % 3 == 0:
            vertices.append(points)
            faces.append(index.reshape(-1, 3) + base)
            base += len(points)
    return measures(np.concatenate(vertices), np.concatenate(faces))


def by_meshio(path: str) -> dict:
    import meshio
    import numpy as np

    mesh = meshio.read(path)
    faces = [np.zeros((0, 3), np.int64)]
    for cells in mesh.cells:
        if cells.type == "triangle":
            faces.append(cells.data)
        elif cells.type == "quad":
            faces += [cells.data[:, [0, 1, 2]], cells.data[:, [0, 2, 3]]]
    points = np.zeros((len(mesh.points), 3))
    points[:, : mesh.points.shape[1]] = mesh.points[:, :3]
    return measures(points, np.concatenate(faces))


READERS = {"us": by_us, "trimesh": by_trimesh, "assimp": by_assimp, "meshio": by_meshio}


def work(reader: str) -> None:
    """Answers one path a line."""
    answer = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        try:
            found = READERS[reader](json.loads(line))
        except BaseException as error:  # of any library
            text = str(error).splitlines()
            found = {"error": f"{type(error).__name__}: {text[0] if text else ''}"[:200]}
        answer.write(json.dumps(found) + "\n")
        answer.flush()


class Worker:
    """A process that reads files by one library."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.process: subprocess.Popen | None = None

    def ask(self, path: Path) -> dict:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, __file__, "--worker", self.reader]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=ROOT,
            )
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        late = threading.Timer(SECONDS, process.kill)
        late.start()
        try:
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            late.cancel()
        if not line:
            process.kill()
            process.wait()
            return {"error": f"its process ended, or took more than {SECONDS} s"}
        return json.loads(line)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def difference(ours: dict, theirs: dict) -> str:
    """What differs, in words; "" for nothing."""
    if "error" in theirs:
        return "" if "error" in ours else f"not read ({theirs['error']})"
    if "error" in ours:
        return f"reads {theirs['faces']:,} faces" if theirs["faces"] else ""
    out = []
    if ours["faces"] != theirs["faces"]:
        out.append(f"faces {theirs['faces']:,}")
    if abs(ours["area"] - theirs["area"]) > AREA * max(ours["area"], theirs["area"]):
        out.append(f"area {theirs['area']:.6g}")
    size = max(*ours["box"], *theirs["box"])
    if any(abs(a - b) > BOX * size for a, b in zip(ours["box"], theirs["box"], strict=True)):
        out.append("box " + " × ".join(f"{x:.6g}" for x in theirs["box"]))
    return ", ".join(out)


def said(found: dict) -> str:
    if "error" in found:
        return f"refused: {found['error']}"
    more = "".join(f", {found[k]:,} {k}" for k in ("lines", "points") if found.get(k))
    box = " × ".join(f"{x:.6g}" for x in found["box"])
    return f"{found['faces']:,} faces, area {found['area']:.6g}, box {box}{more}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--peers", default=",".join(PEERS), help="those to compare with")
    parser.add_argument(
        "--convert", metavar="SUFFIX", help="convert too, and compare what that has"
    )
    parser.add_argument("--all", action="store_true", help="print files without a difference too")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    from meshlearn import io

    suffixes = {s for s in io.readable_suffixes() if s not in (".txt", ".csv")}
    paths = sorted(
        path
        for folder in options.folders
        for path in ([folder] if folder.is_file() else folder.rglob("*"))
        if path.suffix.lower() in suffixes and path.is_file()
    )
    wanted = [p for p in options.peers.split(",") if p and find_spec(PEERS[p]) is not None]
    workers = {name: Worker(name) for name in ["us", *wanted]}
    counts = dict.fromkeys(["files", "refused here", *(f"other than {p}" for p in wanted)], 0)
    for path in paths:
        ours = workers["us"].ask(path)
        found = {p: difference(ours, workers[p].ask(path)) for p in wanted}
        if options.convert and "error" not in ours:
            found["converted"] = converted(path, options.convert, ours, workers["us"])
        counts["files"] += 1
        counts["refused here"] += "error" in ours
        for peer in wanted:
            counts[f"other than {peer}"] += bool(found[peer])
        if options.all or any(found.values()) or "error" in ours:
            print(f"{path}\n  here: {said(ours)}")
            for sentence in ours.get("told", []):
                print(f"    told: {sentence}")
            for peer, text in found.items():
                if text:
                    print(f"  {peer}: {text}")
    for worker in workers.values():
        worker.end()
    print(", ".join(f"{count} {name}" for name, count in counts.items()))


def converted(path: Path, suffix: str, ours: dict, worker: Worker) -> str:
    """What a conversion has otherwise; "" for nothing."""
    from meshlearn import io

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"x{suffix}"
        try:
            io.convert(path, target)
        except ValueError as error:
            return str(error) if ours["faces"] else ""
        return difference(ours, worker.ask(target))


if __name__ == "__main__":
    main()
