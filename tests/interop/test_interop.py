"""Meshes to other libraries and back, with attributes; each where it is installed."""

import sys
import types

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.interop import _common


def sample(dtype=torch.float64, *, corners: bool = True) -> ml.Mesh:
    """A tetrahedron with an unused vertex and attributes of every kind."""
    vertices = torch.tensor(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5]], dtype=dtype
    ).div(3)
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    generator = torch.Generator().manual_seed(1)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=dtype)

    uv = ml.CornerAttribute(rand(6, 2), torch.randint(0, 6, (4, 3), generator=generator))
    return ml.Mesh(
        vertices,
        faces,
        vertex_attributes={
            "color": rand(5, 3),
            "normal": torch.nn.functional.normalize(rand(5, 3), dim=1),
            "heat": rand(5),
            "label": torch.arange(5),
        },
        face_attributes={"material": torch.tensor([1, 0, 1, 0]), "area": rand(4)},
        corner_attributes={"uv": uv} if corners else {},
    )


def assert_same(after: ml.Mesh, before: ml.Mesh, *, names=None, tol: float = 0.0) -> None:
    close = {"rtol": 0.0, "atol": tol}
    assert torch.equal(after.faces, before.faces)
    torch.testing.assert_close(after.vertices, before.vertices, check_dtype=False, **close)
    for domain in ("vertex_attributes", "face_attributes"):
        for name, value in getattr(before, domain).items():
            if names is None or name in names:
                mine = getattr(after, domain)[name]
                torch.testing.assert_close(mine, value, check_dtype=False, **close)
    for name, item in before.corner_attributes.items():
        if names is None or name in names:
            mine = after.corner_attributes[name]
            torch.testing.assert_close(mine.dense(), item.dense(), check_dtype=False, **close)


@pytest.mark.parametrize("corners", [False, True])
def test_trimesh_round_trip_is_exact(corners):
    pytest.importorskip("trimesh", reason="trimesh is not installed")
    mesh = sample(corners=corners)
    theirs = ml.interop.to_trimesh(mesh)
    assert theirs.area == pytest.approx(float(mesh.area()))
    if corners:
        split = theirs.vertex_attributes["source_vertex"]
        assert np.array_equal(theirs.vertices, mesh.vertices.numpy()[split])
        dense = mesh.corner_attributes["uv"].dense().numpy()
        assert np.array_equal(theirs.visual.uv[theirs.faces], dense)
    else:
        colors = theirs.visual.vertex_colors[:, :3] / 255
        assert np.abs(colors - mesh.vertex_attributes["color"].numpy()).max() <= 0.5 / 255
    assert_same(ml.interop.from_trimesh(theirs), mesh)


def test_trimesh_of_their_own_keeps_what_they_hold():
    trimesh = pytest.importorskip("trimesh", reason="trimesh is not installed")
    theirs = trimesh.creation.box()
    theirs.visual.vertex_colors = np.arange(32, dtype=np.uint8).reshape(8, 4)
    mesh = ml.interop.from_trimesh(theirs, dtype=torch.float32)
    assert mesh.dtype == torch.float32 and mesh.num_faces == 12 and mesh.is_watertight
    assert mesh.vertex_attributes["color"].tolist() == np.arange(32).reshape(8, 4).tolist()
    assert "normal" not in mesh.vertex_attributes  # none were set
    theirs.vertices[0] = 9  # a copy was made
    assert float(mesh.vertices.max()) < 1


def test_open3d_legacy_round_trip():
    open3d = pytest.importorskip("open3d", reason="open3d is not installed")
    mesh = sample()
    theirs = ml.interop.to_open3d(mesh)
    assert isinstance(theirs, open3d.geometry.TriangleMesh)
    assert np.array_equal(np.asarray(theirs.vertices), mesh.vertices.numpy())
    assert np.asarray(theirs.triangle_uvs).shape == (12, 2)
    after = ml.interop.from_open3d(theirs)
    assert_same(after, mesh, names=("color", "normal", "uv", "material"))
    mesh.vertex_attributes["color"] = torch.tensor([[255, 0, 51]] * 5, dtype=torch.uint8)
    colors = np.asarray(ml.interop.to_open3d(mesh).vertex_colors)
    assert np.allclose(colors[0], [1, 0, 0.2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_open3d_tensor_round_trip_keeps_every_field(dtype):
    pytest.importorskip("open3d", reason="open3d is not installed")
    mesh = sample(dtype)
    after = ml.interop.from_open3d(ml.interop.to_open3d(mesh, tensor=True))
    assert after.dtype == dtype
    assert_same(after, mesh)


def test_pyvista_round_trip():
    pyvista = pytest.importorskip("pyvista", reason="pyvista is not installed")
    mesh = sample()
    theirs = ml.interop.to_pyvista(mesh)
    assert theirs.area == pytest.approx(float(mesh.area()))
    assert_same(ml.interop.from_pyvista(theirs), mesh)
    plane = pyvista.Plane(i_resolution=2, j_resolution=3)  # quadrilaterals, uv and normals
    mine = ml.interop.from_pyvista(plane)
    assert mine.num_faces == 12 and {"uv", "normal"} <= mine.vertex_attributes.keys()


def test_pyvista_keeps_polygons():
    pytest.importorskip("pyvista", reason="pyvista is not installed")
    from meshlearn.interop._pyvista import polygons_from_pyvista

    vertices = torch.rand(5, 3)
    mesh = ml.PolygonMesh(vertices, [[0, 1, 2, 3], [0, 3, 4]])
    after = polygons_from_pyvista(ml.interop.to_pyvista(mesh))
    assert after.polygons == mesh.polygons and torch.equal(after.vertices, vertices)


@pytest.fixture
def fake_pytorch3d(monkeypatch):
    """Stands for PyTorch3D's classes where it is not installed, by their documented interface."""

    class Meshes:
        def __init__(self, verts, faces, textures=None, *, verts_normals=None):
            self._v, self._f, self.textures = verts, faces, textures
            self._n = verts_normals
            self._verts_normals_packed = None if verts_normals is None else torch.cat(verts_normals)

        def verts_list(self):
            return self._v

        def faces_list(self):
            return self._f

        def verts_normals_list(self):
            return self._n

    class TexturesVertex:
        def __init__(self, verts_features):
            self._features = verts_features

        def verts_features_list(self):
            return self._features

    class TexturesUV:
        def __init__(self, maps, faces_uvs, verts_uvs):
            self.maps, self._f, self._v = maps, faces_uvs, verts_uvs

        def faces_uvs_list(self):
            return self._f

        def verts_uvs_list(self):
            return self._v

    root = types.ModuleType("pytorch3d")
    structures = types.ModuleType("pytorch3d.structures")
    renderer = types.ModuleType("pytorch3d.renderer")
    structures.Meshes = Meshes
    renderer.TexturesVertex, renderer.TexturesUV = TexturesVertex, TexturesUV
    for module in (root, structures, renderer):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def pytorch3d_round_trip():
    mesh = sample(torch.float32)
    mesh = mesh.with_vertices(mesh.vertices.clone().requires_grad_())
    batch = ml.interop.to_pytorch3d(mesh)
    after = ml.interop.from_pytorch3d(batch)
    assert len(after) == 1
    assert_same(after[0].detach(), mesh.detach(), names=("color", "normal"))
    after[0].vertices.sum().backward()
    assert mesh.vertices.grad is not None  # in one graph
    textured = ml.interop.to_pytorch3d(mesh, texture=torch.ones(2, 2, 3))
    assert_same(ml.interop.from_pytorch3d(textured)[0].detach(), mesh.detach(), names=("uv",))
    pair = ml.Meshes([shapes.icosphere(0), shapes.icosphere(1)])
    back = ml.interop.from_pytorch3d(ml.interop.to_pytorch3d(pair))
    assert [m.num_faces for m in (back[0], back[1])] == [20, 80]
    with pytest.raises(ValueError, match="no attribute 'uv'"):
        ml.interop.to_pytorch3d(pair, texture=torch.ones(2, 2, 3))


def test_pytorch3d_round_trip():
    pytest.importorskip("pytorch3d", reason="pytorch3d is not installed")
    pytorch3d_round_trip()


def test_pytorch3d_adapter_against_its_interface(fake_pytorch3d):
    pytorch3d_round_trip()


@pytest.mark.parametrize("library", ["trimesh", "open3d", "pyvista", "pytorch3d"])
def test_an_absent_package_is_named(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    for name, value in ((f"to_{library}", sample()), (f"from_{library}", None)):
        with pytest.raises(ImportError, match=rf"{name} needs the package {library}"):
            getattr(ml.interop, name)(value)


@pytest.mark.parametrize("library", ["trimesh", "open3d", "pyvista"])
def test_what_is_no_mesh_is_refused(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    for direction in ("to", "from"):
        with pytest.raises(ValueError, match="mesh: expected a"):
            getattr(ml.interop, f"{direction}_{library}")("cube")


@pytest.mark.parametrize("library", ["trimesh", "open3d", "pyvista"])
def test_empty_meshes(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    empty = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    there = getattr(ml.interop, f"to_{library}")(empty)
    after = getattr(ml.interop, f"from_{library}")(there)
    assert after.num_vertices == 0 and after.num_faces == 0


def test_vertices_split_only_where_corners_differ():
    mesh = sample()
    split = _common.split_corners(mesh, ("uv",))
    assert torch.equal(split.source[split.faces], mesh.faces)
    dense = mesh.corner_attributes["uv"].dense()
    assert torch.equal(split.rows["uv"][split.faces], dense)
    index = mesh.corner_attributes["uv"].index
    pairs = torch.stack([mesh.faces.reshape(-1), index.reshape(-1)], 1).unique(dim=0)
    assert len(split.source) == len(pairs) + 1  # and the unused one


def test_corners_with_two_attributes_are_split_where_either_differs():
    """Two triangles on one edge: uv differs at one end of it, normals at the other."""
    v = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [5, 5, 5]])
    uv = ml.CornerAttribute(torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1], [7, 7]]),
                         torch.tensor([[0, 1, 2], [4, 2, 3]]))  # fmt: skip
    normal = ml.CornerAttribute(torch.tensor([[0.0, 0, 1], [0, 1, 0]]),
                             torch.tensor([[0, 0, 0], [0, 1, 0]]))  # fmt: skip
    mesh = ml.Mesh(
        v, torch.tensor([[0, 1, 2], [1, 2, 3]]), corner_attributes={"uv": uv, "normal": normal}
    )
    split = _common.split_corners(mesh, ("uv", "normal"))
    assert split.source.tolist() == [0, 1, 1, 2, 2, 3, 4]  # the loose one once, and last
    assert torch.equal(split.source[split.faces], mesh.faces)
    for name, item in (("uv", uv), ("normal", normal)):
        assert torch.equal(split.rows[name][split.faces], item.values[item.index])
        assert not split.rows[name][-1].any()
    assert _common.split_corners(mesh, ("tangent",)) is None
