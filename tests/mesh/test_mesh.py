"""The mesh: construction, copies, measures, against facts known by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes

FLOATS = [torch.float32, torch.float64]


def tetrahedron(dtype: torch.dtype = torch.float64) -> ml.Mesh:
    vertices = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=dtype)
    return ml.Mesh(vertices, torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_tetrahedron_measures(dtype):
    mesh = tetrahedron(dtype)
    assert float(mesh.volume()) == pytest.approx(1 / 6, rel=1e-6)
    assert float(mesh.area()) == pytest.approx(1.5 + math.sqrt(3) / 2, rel=1e-6)
    assert mesh.bounds().tolist() == [[0, 0, 0], [1, 1, 1]]
    assert mesh.face_normals()[0].tolist() == [0, 0, -1]
    assert mesh.area().dtype == mesh.volume().dtype == mesh.vertex_normals().dtype == dtype
    # The right angles at the origin weigh the three coordinate planes alike.
    corner = mesh.vertex_normals("angle")[0]
    torch.testing.assert_close(corner, torch.full((3,), -1 / math.sqrt(3), dtype=dtype))


@pytest.mark.parametrize("weighting", ["area", "angle", "uniform"])
def test_gradcheck_vertex_normals(weighting):
    mesh = tetrahedron()
    vertices = mesh.vertices.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda v: mesh.with_vertices(v).vertex_normals(weighting), vertices
    )


def test_gradcheck_measures():
    mesh = tetrahedron()
    vertices = mesh.vertices.clone().requires_grad_()

    def measures(v):
        moved = mesh.with_vertices(v)
        return moved.area(), moved.volume(), moved.face_normals(), moved.centroid()

    assert torch.autograd.gradcheck(measures, vertices)
    assert torch.autograd.gradgradcheck(measures, vertices)


def test_empty():
    mesh = ml.Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    assert float(mesh.area()) == float(mesh.volume()) == 0
    assert bool(mesh.bounds().isnan().all())
    assert mesh.vertex_normals().shape == mesh.face_normals().shape == (0, 3)
    assert not mesh.is_watertight and mesh.topology.euler_number == 0


def full(dtype: torch.dtype = torch.float32) -> ml.Mesh:
    base = shapes.box(dtype=dtype)
    return ml.Mesh(
        base.vertices,
        base.faces,
        vertex_attributes={"color": torch.full((8, 3), 7, dtype=torch.uint8)},
        face_attributes={"weight": torch.rand(12, dtype=dtype)},
        corner_attributes={
            "uv": ml.CornerAttribute(torch.rand(4, 2, dtype=dtype), torch.zeros(12, 3).long())
        },
        materials=("red",),
    )


def test_copies_share_what_they_can():
    mesh = full()
    moved = mesh.with_vertices(mesh.vertices + 1)
    assert moved.topology is mesh.topology and moved.faces is mesh.faces
    assert moved.vertex_attributes["color"] is mesh.vertex_attributes["color"]
    assert moved.materials == ("red",)
    moved.vertex_attributes["new"] = torch.zeros(8)
    assert "new" not in mesh.vertex_attributes
    assert mesh.to("cpu") is mesh and mesh.to(torch.float32) is mesh
    double = mesh.to(torch.float64)
    assert double.topology is mesh.topology and double.dtype == torch.float64
    assert double.face_attributes["weight"].dtype == torch.float64
    assert double.vertex_attributes["color"].dtype == torch.uint8
    assert double.corner_attributes["uv"].values.dtype == torch.float64
    away = mesh.to("meta", torch.float64)
    assert away.device.type == "meta" and away.faces.device.type == "meta"
    live = mesh.with_vertices(mesh.vertices.clone().requires_grad_())
    assert not live.detach().vertices.requires_grad and live.vertices.requires_grad
    assert "color" in repr(mesh) and "uv" in repr(mesh) and "1 materials" in repr(mesh)


def test_sphere_normals_point_outward():
    mesh = shapes.icosphere(3, dtype=torch.float64)
    for weighting in ("area", "angle", "uniform"):
        normals = mesh.vertex_normals(weighting)
        assert float((normals * mesh.vertices).sum(1).min()) > 0.999
    torch.testing.assert_close(mesh.centroid(), torch.zeros(3).double(), atol=1e-12, rtol=0)


def test_angle_weights_do_not_depend_on_the_triangulation():
    # Corners of a box belong to one or two triangles of a side; by angle all sides weigh alike.
    normals = shapes.box(dtype=torch.float64).vertex_normals("angle")
    torch.testing.assert_close(normals.abs(), torch.full_like(normals, 1 / math.sqrt(3)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [1e-15, 1e-6, 1.0, 1e6, 1e12])
def test_normals_at_any_size(dtype, size):
    mesh = tetrahedron(dtype)
    scaled = mesh.with_vertices(mesh.vertices * size)
    torch.testing.assert_close(scaled.face_normals(), mesh.face_normals())
    torch.testing.assert_close(scaled.vertex_normals(), mesh.vertex_normals())
    assert float(scaled.area()) == pytest.approx(float(mesh.area()) * size**2, rel=1e-5)


@pytest.mark.parametrize("dtype", FLOATS)
def test_far_from_the_origin(dtype):
    mesh = shapes.box(dtype=dtype)
    far = mesh.with_vertices(mesh.vertices + 1000)
    assert float(far.volume()) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("weighting", ["area", "angle", "uniform"])
def test_degenerate_faces_have_zero_normals_and_gradients(weighting):
    points = [[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5], [0, 1, 0], [9, 9, 9]]
    vertices = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    # On a line; one vertex thrice; two vertices alike; a sound one.
    faces = torch.tensor([[0, 1, 2], [3, 3, 3], [0, 0, 4], [0, 1, 4]])
    mesh = ml.Mesh(vertices, faces)
    assert mesh.face_normals()[:3].abs().sum() == 0
    assert mesh.vertex_normals(weighting)[[3, 5]].abs().sum() == 0
    total = mesh.vertex_normals(weighting).sum() + mesh.face_normals().sum() + mesh.area()
    total.backward()
    assert bool(vertices.grad.isfinite().all())
    assert vertices.grad[[3, 5]].abs().sum() == 0
    (grad,) = torch.autograd.grad(mesh.volume(), vertices)
    assert bool(grad.isfinite().all()) and grad[[3, 5]].abs().max() < 1e-12


def test_nan_vertices_are_legal_and_stay_nan():
    mesh = tetrahedron()
    broken = mesh.vertices.clone()
    broken[3] = float("nan")
    mesh = mesh.with_vertices(broken)
    assert mesh.face_normals()[0].isfinite().all() and mesh.face_normals()[1:].isnan().all()
    assert mesh.area().isnan()


def test_results_do_not_depend_on_threads():
    mesh = shapes.torus(segments=400, rings=200)
    noise = torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(0))

    def run(threads: int) -> list[torch.Tensor]:
        torch.set_num_threads(threads)
        vertices = (mesh.vertices + 1e-3 * noise).requires_grad_()
        moved = ml.Mesh(vertices, mesh.faces)
        out = [moved.area(), moved.volume(), moved.centroid()]
        out += [moved.vertex_normals(w) for w in ("area", "angle", "uniform")]
        loss = out[0] + out[1] + sum((x * noise[: len(x)]).sum() for x in out[3:])
        out += torch.autograd.grad(loss, vertices)
        return [*out, moved.topology.edges, moved.topology.fans.labels]

    before = torch.get_num_threads()
    try:
        one, two = run(1), run(2)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


VERTICES = torch.zeros(4, 3)
FACES = torch.tensor([[0, 1, 2]])
UV = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("abc", FACES), {}, "vertices: expected a tensor, an array or a list.*, got str"),
        (([[0, 0, 0], [0, 1]], FACES), {}, "vertices: expected rows of one length"),
        (([["a", "b", "c"]], FACES), {}, "vertices: expected .*numbers, got list of <U1"),
        ((torch.zeros(4, 2), FACES), {}, r"vertices: expected shape \(V, 3\), got \(4, 2\)"),
        ((VERTICES.half(), FACES), {}, "vertices: expected dtype float32 or float64, got float16"),
        ((VERTICES, FACES.float()), {}, "faces: expected dtype int64, got float32"),
        ((VERTICES, FACES.bool().numpy()), {}, "faces: expected dtype int64, got bool"),
        ((VERTICES, FACES.numpy() * 1.0), {}, "faces: expected dtype int64, got float"),
        ((VERTICES, FACES[0]), {}, r"faces: expected shape \(F, 3\), got \(3,\)"),
        ((VERTICES, FACES.to("meta")), {}, r"faces: expected on cpu \(as vertices\), got meta"),
        ((VERTICES, FACES + 2), {}, "faces: index 4 is out of range for 4 vertices"),
        ((VERTICES, FACES - 1), {}, "faces: index -1 is out of range for 4 vertices"),
        ((VERTICES[:0], FACES), {}, "faces: index . is out of range: there are no vertices"),
        (
            (VERTICES, FACES),
            {"vertex_attributes": {"color": torch.zeros(3, 3)}},
            r"vertex_attributes\['color'\]: expected one row for each of the 4 vertices",
        ),
        (
            (VERTICES, FACES),
            {"face_attributes": [torch.zeros(1)]},
            "face_attributes: expected a dict",
        ),
        (
            (VERTICES, FACES),
            {"face_attributes": {3: torch.zeros(1)}},
            "face_attributes: expected names of type str",
        ),
        (
            (VERTICES, FACES),
            {"corner_attributes": {"uv": UV}},
            r"corner_attributes\['uv'\]: expected a CornerAttribute",
        ),
        (
            (VERTICES, FACES),
            {"corner_attributes": {"uv": ml.CornerAttribute(UV, FACES)}},
            r"corner_attributes\['uv'\].index: index 2 is out of range for 2 values",
        ),
    ],
)
def test_messages(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        ml.Mesh(*arguments, **options)


def test_messages_of_methods():
    mesh = tetrahedron()
    with pytest.raises(ValueError, match=r"vertices: expected shape \(4, 3\), got \(5, 3\)"):
        mesh.with_vertices(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="to: expected dtype float32 or float64, got int32"):
        mesh.to(torch.int32)
    with pytest.raises(ValueError, match="weighting: expected 'area', 'angle' or 'uniform'"):
        mesh.vertex_normals("mass")
    # Without the check of indices, shapes and dtypes are still looked at.
    assert ml.Mesh(VERTICES, FACES + 9, validate=False).num_faces == 1
    with pytest.raises(ValueError, match="faces"):
        ml.Mesh(VERTICES, FACES.double(), validate=False)


def test_a_mesh_saves_itself_whatever_was_imported(tmp_path):
    """`Mesh.save` reaches the formats also where only the data model was imported."""
    code = (
        "import sys, torch\n"
        "from meshlearn.mesh import Mesh\n"
        "assert 'meshlearn.io' not in sys.modules\n"
        "Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])).save(sys.argv[1])\n"
    )
    path = tmp_path / "one.ply"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert ml.load(path).num_faces == 1


def test_vertex_normals_weigh_faces_as_they_say():
    """Two right triangles at a right angle along the x axis, one ten times as large: at the corner
    they share the normal leans to the large one by area, and to neither by angle or count."""
    vertices = torch.tensor(
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64
    )
    mesh = ml.Mesh(vertices, torch.tensor([[0, 1, 2], [0, 1, 3]]))
    even = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64) / 2**0.5
    by_area = torch.tensor([0.0, 1.0, 10.0], dtype=torch.float64) / 101**0.5
    expected = {"area": by_area, "angle": even, "uniform": even}
    for weighting, normal in expected.items():
        torch.testing.assert_close(mesh.vertex_normals(weighting)[0], normal, msg=weighting)
