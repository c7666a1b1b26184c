"""Other libraries read what is written here, and what they write is read here."""

import importlib
import json

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.data import shapes
from tests.io.samples import POINTS_ONLY, WRITTEN, available
from tests.shared_data import shared_data

PEERS = {
    "trimesh": (".obj", ".ply", ".stl", ".off", ".glb", ".gltf", ".3mf"),
    "open3d": (".obj", ".ply", ".stl", ".off", ".glb"),
    "meshio": (".obj", ".ply", ".stl", ".off", ".vtu", ".mesh", ".msh"),  # no POLYDATA of .vtk
    "igl": (".obj", ".ply", ".stl", ".off"),
}
# what a library writes; trimesh writes 3MF only with more packages
WRITES = {
    **PEERS,
    "meshio": (*PEERS["meshio"], ".vtk"),
    "open3d": (".obj", ".ply", ".stl", ".off"),
    "trimesh": PEERS["trimesh"][:6],
}


def peer(name: str):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"{name} cannot be imported: {error}")


def read_by(name: str, path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles as a library reads them."""
    library = peer(name)
    if name == "trimesh":
        mesh = library.load(path, force="mesh", process=False)
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    if name == "open3d":
        mesh = library.io.read_triangle_mesh(str(path))
        return np.asarray(mesh.vertices), np.asarray(mesh.triangles)
    if name == "meshio":
        mesh = library.read(path)
        return mesh.points, np.concatenate([c.data for c in mesh.cells if c.type == "triangle"])
    return library.read_triangle_mesh(str(path))


def write_by(name: str, path, vertices: np.ndarray, faces: np.ndarray) -> None:
    library = peer(name)
    if name == "trimesh":
        library.Trimesh(vertices, faces, process=False).export(path)
    elif name == "open3d":
        utility = library.utility
        mesh = library.geometry.TriangleMesh(
            utility.Vector3dVector(vertices), utility.Vector3iVector(faces.astype(np.int32))
        )
        mesh.compute_vertex_normals()
        assert library.io.write_triangle_mesh(str(path), mesh)
    elif name == "meshio":
        form = {"file_format": "gmsh"} if path.suffix == ".msh" else {}
        library.Mesh(vertices, [("triangle", faces)]).write(path, **form)
    else:
        library.write_triangle_mesh(str(path), vertices, faces)


def soup(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Corners of the triangles in order."""
    return np.asarray(vertices, np.float64)[np.asarray(faces, np.int64)]


def torus() -> ml.Mesh:
    return shapes.torus(segments=20, rings=12, dtype=torch.float64)


@pytest.mark.parametrize(("name", "suffix"), [(n, s) for n, found in PEERS.items() for s in found])
def test_they_read_what_is_written_here(name, suffix, tmp_path):
    peer(name)
    mesh = torus()
    ml.save(mesh, tmp_path / f"a{suffix}")
    try:
        vertices, faces = read_by(name, tmp_path / f"a{suffix}")
    except (ImportError, ModuleNotFoundError) as error:
        pytest.skip(f"{name} wants more for {suffix}: {error}")
    assert len(faces) == mesh.num_faces
    expected = soup(mesh.vertices.numpy(), mesh.faces.numpy())
    assert np.allclose(soup(vertices, faces), expected, atol=1e-6)


@pytest.mark.parametrize(("name", "suffix"), [(n, s) for n, found in WRITES.items() for s in found])
def test_what_they_write_is_read_here(name, suffix, tmp_path):
    peer(name)
    mesh = torus()
    vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()
    write_by(name, tmp_path / f"a{suffix}", vertices, faces)
    found = ml.load(tmp_path / f"a{suffix}", dtype=torch.float64)
    assert found.num_faces == mesh.num_faces
    corners = soup(found.vertices.numpy(), found.faces.numpy())
    assert np.allclose(corners, soup(vertices, faces), atol=1e-5)


@pytest.mark.parametrize(
    ("form", "binary"), [("gmsh", True), ("gmsh", False), ("gmsh22", True), ("gmsh22", False)]
)
def test_gmsh_files_of_meshio(form, binary, tmp_path):
    """Both versions, text and binary, with solids and fields."""
    meshio = peer("meshio")
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    kinds = {"triangle": np.array([[0, 1, 2]]), "tetra": np.array([[0, 1, 2, 3]])}
    groups = [[k] for k in kinds] if form == "gmsh" else [list(kinds)]  # 4.1: one kind at a time
    for group in groups:
        mesh = meshio.Mesh(points, [(k, kinds[k]) for k in group])
        if binary:  # as text it writes what no reader takes for a number
            mesh.point_data["heat"] = np.arange(4.0)
            mesh.cell_data["load"] = [np.array([7.0])] * len(group)
        mesh.write(tmp_path / "a.msh", file_format=form, binary=binary)
        part = mio.load_document(tmp_path / "a.msh").parts[0]
        assert np.array_equal(part.vertices, points)
        if "triangle" in group:
            assert part.polygon_index.tolist() == [0, 1, 2]
            assert not binary or part.face_fields["load"].tolist() == [7]
        if "tetra" in group:
            assert part.cells["tetra"].tolist() == [[0, 1, 2, 3]]
            assert not binary or part.cell_fields["load"]["tetra"] == [7]
        assert not binary or part.vertex_fields["heat"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("suffix", [".vtk", ".vtu", ".msh", ".mesh"])
def test_fields_and_solids_are_read_by_meshio(suffix, tmp_path):
    meshio = peer("meshio")
    part = mio.from_mesh(shapes.box()).parts[0]
    part.cells["tetra"] = np.array([[0, 1, 2, 4]])
    if suffix != ".mesh":
        part.vertex_fields["heat"] = np.arange(len(part.vertices)) / 3.0
    mio.save_document(mio.Document([part]), tmp_path / f"a{suffix}")
    mesh = meshio.read(tmp_path / f"a{suffix}")
    assert np.concatenate([c.data for c in mesh.cells if c.type == "tetra"]).tolist() == [
        [0, 1, 2, 4]
    ]
    if suffix != ".mesh":
        assert np.array_equal(mesh.point_data["heat"].reshape(-1), part.vertex_fields["heat"])


def test_packed_vtu_of_meshio(tmp_path):
    meshio = peer("meshio")
    mesh = torus()
    theirs = meshio.Mesh(mesh.vertices.numpy(), [("triangle", mesh.faces.numpy())])
    theirs.write(tmp_path / "a.vtu", compression="zlib")
    found = ml.load(tmp_path / "a.vtu", dtype=None)
    assert torch.equal(found.vertices, mesh.vertices) and torch.equal(found.faces, mesh.faces)


def test_clouds_of_open3d_packed_and_not(tmp_path):
    o3d = peer("open3d")
    points = np.random.default_rng(0).random((500, 3))
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud.colors = o3d.utility.Vector3dVector(np.round(points * 255) / 255)
    for name, more in (("a", {}), ("b", {"compressed": True}), ("c", {"write_ascii": True})):
        assert o3d.io.write_point_cloud(str(tmp_path / f"{name}.pcd"), cloud, **more)
        part = mio.load_document(tmp_path / f"{name}.pcd").parts[0]
        assert np.allclose(part.vertices, points, atol=1e-6)
        assert np.array_equal(part.vertex_fields["color"], np.round(points * 255).astype(np.uint8))
    mio.save_document(mio.Document([part]), tmp_path / "d.pcd")
    again = o3d.io.read_point_cloud(str(tmp_path / "d.pcd"))
    assert np.allclose(np.asarray(again.points), points, atol=1e-6)
    assert np.allclose(np.asarray(again.colors), np.asarray(cloud.colors), atol=1e-6)


def _manifest() -> list[dict]:
    return json.loads((shared_data("meshes") / "MANIFEST.json").read_text())


def test_all_shared_meshes_have_the_counts_of_their_manifest():
    folder, seen = shared_data("meshes"), 0
    counts = {"igea.ply": 268686, "hand.mesh": 9556}  # which trimesh does not read
    for entry in _manifest():
        path = folder / entry["file"]
        if path.suffix.lower() not in mio.readable_suffixes():
            continue
        expected = entry.get("as_read_by_trimesh_5") or {}
        mesh = ml.load(path)
        assert mesh.num_faces == expected.get("faces", counts.get(path.name)), path.name
        if "area" in expected:
            assert float(mesh.area()) == pytest.approx(expected["area"], rel=5e-3)
        seen += 1
    assert seen >= 34


@pytest.mark.parametrize(
    ("most", "least"), [(90_000, 6), pytest.param(1 << 30, 34, marks=pytest.mark.slow)]
)
def test_shared_meshes_go_through_every_format_and_back(most, least, tmp_path):
    """Triangles in their order, to single precision, whatever the format on the way."""
    folder, seen = shared_data("meshes"), 0
    suffixes = [s for s in WRITTEN if s not in POINTS_ONLY and available(s)]
    for entry in _manifest():
        path = folder / entry["file"]
        readable = path.suffix.lower() in mio.readable_suffixes()
        if not readable or path.stat().st_size > most:
            continue
        document = mio.load_document(path)
        mesh = mio.to_mesh(document)
        for suffix in suffixes:
            target = tmp_path / f"x{suffix}"
            mio.save_document(document, target)
            found = ml.load(target)
            assert found.num_faces == mesh.num_faces, (path.name, suffix)
            assert float(found.area()) == pytest.approx(float(mesh.area()), rel=1e-4)
            low, high = mesh.bounds()
            assert (
                torch.allclose(
                    torch.stack([*found.bounds()]), torch.stack([low, high]), rtol=1e-4, atol=1e-6
                )
                or suffix == ".stl"
            )
        seen += 1
    assert seen >= least
