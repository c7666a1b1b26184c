"""Files: writing and reading PLY, OBJ, STL, OFF and GLB beside other libraries, and their memory.

The mesh is an icosphere of 1.31 million faces (82 thousand with --quick), float32. Each library
reads the file that meshlearn wrote, and writes from the arrays it works with itself.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

from _common import Bench, main, optional, peak_memory, version

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io.formats.ply import write as ply

CASES = {
    "PLY binary": ".ply",
    "PLY ascii": ".ply",
    "OBJ": ".obj",
    "STL": ".stl",
    "OFF": ".off",
    "GLB": ".glb",
}
_Pair = tuple["Callable[[Path], object] | None", "Callable[[Path], object] | None"]


def _trimesh(case: str, mesh: ml.Mesh) -> _Pair:
    trimesh = optional("trimesh")
    if trimesh is None:
        return None, None
    more = {"encoding": "ascii"} if case == "PLY ascii" else {}
    theirs = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    kind = {"process": False, "force": "mesh"}
    return (
        lambda path: theirs.export(path, **more),
        lambda path: trimesh.load(path, **kind),
    )


def _open3d(case: str, mesh: ml.Mesh) -> _Pair:
    o3d = optional("open3d")
    if o3d is None:
        return None, None
    o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)
    theirs = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.double().numpy()),
        o3d.utility.Vector3iVector(mesh.faces.int().numpy()),
    )
    if case == "STL":
        theirs.compute_triangle_normals()  # it refuses to write without
    ascii = case == "PLY ascii"
    return (
        lambda path: o3d.io.write_triangle_mesh(str(path), theirs, write_ascii=ascii),
        None if case == "GLB" else lambda path: o3d.io.read_triangle_mesh(str(path)),
    )


def _meshio(case: str, mesh: ml.Mesh) -> _Pair:
    meshio = optional("meshio")
    if meshio is None or case == "GLB":
        return None, None
    theirs = meshio.Mesh(mesh.vertices.numpy(), [("triangle", mesh.faces.numpy())])
    more: dict = {}
    if case in ("PLY binary", "STL"):
        more["binary"] = True
    if case == "PLY ascii":
        more["binary"] = False
    return lambda path: theirs.write(path, **more), lambda path: meshio.read(path)


def _libigl(case: str, mesh: ml.Mesh) -> _Pair:
    igl = optional("igl")
    if igl is None or case == "GLB":
        return None, None
    v, f = mesh.vertices.double().numpy(), mesh.faces.numpy()

    def write(path: Path) -> None:
        if case in ("PLY binary", "STL"):
            igl.write_triangle_mesh(str(path), v, f, igl.Binary)
        else:
            igl.write_triangle_mesh(str(path), v, f)

    return write, lambda path: igl.read_triangle_mesh(str(path))


_PEERS = {"trimesh": _trimesh, "open3d": _open3d, "meshio": _meshio, "libigl": _libigl}
_MODULES = {"trimesh": "trimesh", "open3d": "open3d", "meshio": "meshio", "libigl": "igl"}


def _writer(case: str, mesh: ml.Mesh) -> Callable[[Path], object]:
    if case != "PLY ascii":
        return lambda path: ml.save(mesh, path)
    document = mio.from_mesh(mesh)
    return lambda path: path.write_bytes(ply.write(document, path, ascii=True))


def _works(run: Callable[[], object]) -> bool:
    """Whether a peer can do it at all (Open3D and others lack a format or fail at it)."""
    try:
        return run() is not False
    except Exception as error:
        logging.getLogger(__name__).warning("a peer failed: %s", str(error).splitlines()[:1])
        return False


def compare(bench: Bench, case: str, mesh: ml.Mesh, folder: Path) -> None:
    suffix = CASES[case]
    ours = folder / f"ours{suffix}"
    write = _writer(case, mesh)
    write(ours)
    writes: dict[str, Callable[[], object] | None] = {}
    reads: dict[str, Callable[[], object] | None] = {}
    for name, make in _PEERS.items():
        their_write, their_read = make(case, mesh)
        if optional(_MODULES[name]) is None:
            writes[name] = reads[name] = None
            continue
        path = folder / f"{name}{suffix}"
        if their_write and _works(lambda w=their_write, p=path: w(p)):
            writes[version(name)] = lambda w=their_write, p=path: w(p)
        if their_read and _works(lambda r=their_read: r(ours)):
            reads[version(name)] = lambda r=their_read: r(ours)
    size = f"{mesh.num_faces:,} faces"
    repeats = 5 if bench.quick else 3
    again = folder / f"again{suffix}"
    bench.compare(f"{case} write, {size}", lambda: write(again), writes, repeats=repeats, warmup=0)
    bench.compare(f"{case} read, {size}", lambda: ml.load(ours), reads, repeats=repeats, warmup=0)


def memory(bench: Bench, case: str, level: int, folder: Path) -> None:
    """Resident memory above the start against the arrays of the mesh (float32, int64)."""
    path = folder / f"ours{CASES[case]}"
    mesh = ml.load(path)
    arrays = (mesh.vertices.nbytes + mesh.faces.nbytes) / 2**20
    warm = f"import meshlearn as ml; from pathlib import Path; path = {str(path)!r}\n"
    warm += (
        "small = ml.data.shapes.icosphere(2); ml.save(small, path + '.warm' + Path(path).suffix)\n"
    )
    warm += "ml.load(path + '.warm' + Path(path).suffix)"
    read = peak_memory(warm, "mesh = ml.load(path)")["above"]
    held = f"{warm}\nmesh = ml.data.shapes.icosphere({level})"
    save = "ml.save(mesh, path + '.out' + Path(path).suffix)"
    wrote = peak_memory(held, save)["above"]
    bench.value(
        f"{case} memory",
        arrays_MB=arrays,
        read_MB=read,
        read_ratio=read / arrays,
        write_MB=wrote,
        write_ratio=wrote / arrays,
    )


def run(bench: Bench) -> None:
    level = 6 if bench.quick else 8
    mesh = ml.data.shapes.icosphere(level)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in CASES:
            compare(bench, case, mesh, folder)
            if not bench.quick and case != "PLY ascii":
                memory(bench, case, level, folder)


if __name__ == "__main__":
    main(run)
