"""Regularisers: known values, gradients, meshes without the elements they average."""

import ast
import doctest
import math
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch

import meshlearn as ml
from meshlearn import losses
from meshlearn._native import HAS_NATIVE
from tests.geometry.shapes import octahedron, soup, sphere

MESH_LOSSES = {
    "normals": losses.normal_consistency_loss,
    "edges": losses.edge_length_loss,
    "edges to a length": lambda mesh: losses.edge_length_loss(mesh, target_length=0.7),
    "uniform": losses.laplacian_loss,
    "cotangent": lambda mesh: losses.laplacian_loss(mesh, method="cotangent"),
    "chamfer": lambda mesh: losses.chamfer_loss(
        mesh,
        torch.linspace(-1, 1, 30, dtype=mesh.dtype).reshape(10, 3),
        samples=50_000,
        generator=torch.Generator().manual_seed(0),
    ),
}


def fold(degrees: float) -> ml.Mesh:
    """Two triangles hinged on the x axis."""
    a = math.radians(degrees)
    v = [[0, 0, 0], [1, 0, 0], [0.5, -1, 0], [0.5, math.cos(a), math.sin(a)]]
    return ml.Mesh(torch.tensor(v, dtype=torch.float64), torch.tensor([[0, 2, 1], [0, 1, 3]]))


@pytest.mark.parametrize("degrees", [0, 30, 90, 179])
def test_normal_consistency_of_a_fold(degrees):
    loss = losses.normal_consistency_loss(fold(degrees))
    assert math.isclose(float(loss), 1 - math.cos(math.radians(degrees)), abs_tol=1e-12)


def test_normal_consistency_leaves_out_what_has_no_normal():
    mesh = fold(90)
    v = torch.cat([mesh.vertices, torch.tensor([[0.25, -0.5, 0.0]], dtype=torch.float64)])
    flat = torch.tensor([[2, 0, 4]])  # without area, on the edge from 0 to 2
    with_flat = ml.Mesh(v, torch.cat([mesh.faces, flat]))
    assert len(with_flat.topology.face_pairs) == 2
    assert math.isclose(float(losses.normal_consistency_loss(with_flat)), 1.0, abs_tol=1e-12)


def test_edge_length():
    mesh = octahedron()  # 12 edges of length sqrt(2)
    assert math.isclose(float(losses.edge_length_loss(mesh)), 2.0)
    wanted = losses.edge_length_loss(mesh, target_length=1.0)
    assert math.isclose(float(wanted), (math.sqrt(2) - 1) ** 2)
    exact = losses.edge_length_loss(mesh, target_length=math.sqrt(2))
    assert abs(float(exact)) < 1e-30


def test_laplacian_loss():
    mesh = octahedron()  # neighbours of a vertex have their mean in the centre
    assert math.isclose(float(losses.laplacian_loss(mesh)), 1.0)
    inward = losses.laplacian_loss(mesh, method="cotangent")
    # four edges of equilateral faces, cotangent 1/sqrt(3), each towards the centre by 1
    assert math.isclose(float(inward), (4 / math.sqrt(3)) ** 2)


def test_chamfer_loss_is_zero_only_on_the_surface():
    mesh = ml.data.shapes.plane(dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    target = ml.sample_points(mesh, 2000, generator=generator)
    lifted = target + torch.tensor([0, 0, 0.5], dtype=torch.float64)
    on = losses.chamfer_loss(mesh, target, samples=20_000, generator=generator)
    off = losses.chamfer_loss(mesh, lifted, samples=20_000, generator=generator)
    assert float(on) < 2e-3 and abs(float(off) - 0.5) < 2e-3
    one_way = losses.chamfer_loss(
        mesh, lifted, samples=20_000, single_directional=True, generator=generator
    )
    assert abs(float(one_way) - 0.25) < 2e-3


def test_chamfer_loss_pulls_the_mesh_to_its_target():
    target = ml.sample_points(ml.data.shapes.icosphere(3), 500)
    mesh = ml.data.shapes.icosphere(2)
    scale = torch.tensor(0.6, requires_grad=True)
    losses.chamfer_loss(mesh.with_vertices(mesh.vertices * scale), target).backward()
    assert float(scale.grad) < -0.5


@pytest.mark.parametrize("name", [n for n in MESH_LOSSES if n != "chamfer"])
def test_gradcheck(name):
    mesh = octahedron()
    noise = 0.1 * torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    v = (mesh.vertices + noise).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: MESH_LOSSES[name](mesh.with_vertices(p)), v)


@pytest.mark.parametrize("name", MESH_LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_faces_without_area(name, dtype):
    mesh = soup(300, dtype)
    v = mesh.vertices.clone().requires_grad_()
    loss = MESH_LOSSES[name](mesh.with_vertices(v))
    loss.backward()
    assert loss.dim() == 0 and loss.dtype == dtype
    assert bool(torch.isfinite(loss)) and bool(torch.isfinite(v.grad).all())
    # no edge of the soup has two faces
    assert (float(loss.detach()) == 0) == (name == "normals")


@pytest.mark.parametrize("name", [n for n in MESH_LOSSES if n != "chamfer"])
@pytest.mark.parametrize("size", [0, 3])
def test_a_mesh_without_faces_costs_nothing(name, size):
    v = torch.rand(size, 3, requires_grad=True)
    loss = MESH_LOSSES[name](ml.Mesh(v, torch.zeros(0, 3, dtype=torch.int64)))
    loss.backward()
    assert float(loss.detach()) == 0 and not v.grad.any()


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("name", MESH_LOSSES)
def test_the_same_bits_on_any_number_of_threads(name):
    mesh = sphere(100, torch.float32)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            v = mesh.vertices.clone().requires_grad_()
            loss = MESH_LOSSES[name](ml.Mesh(v, mesh.faces))
            loss.backward()
            found.append((loss.detach(), v.grad))
    finally:
        torch.set_num_threads(before)
    assert float(found[0][1].abs().max()) > 0
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("name", [n for n in MESH_LOSSES if n != "chamfer"])
def test_a_batch_costs_the_mean_of_its_members(name):
    members = [octahedron(), fold(60), fold(20)]
    each = [MESH_LOSSES[name](m) for m in members]
    assert torch.equal(MESH_LOSSES[name](ml.Meshes(members)), sum(each) / 3)
    assert float(MESH_LOSSES[name](ml.Meshes([]))) == 0


def test_a_batch_is_summed_or_told_apart_and_has_gradients():
    vertices = octahedron().vertices.requires_grad_()
    members = [octahedron().with_vertices(vertices), fold(60)]
    batch = ml.Meshes(members)
    each = losses.edge_length_loss(batch, reduction="none")
    assert each.shape == (2,) and float(each[0].detach()) == float(
        losses.edge_length_loss(members[0]).detach()
    )
    assert float(losses.edge_length_loss(batch, reduction="sum").detach()) == float(
        each.detach().sum()
    )
    losses.laplacian_loss(batch).backward()
    assert float(vertices.grad.abs().max()) > 0


def test_chamfer_loss_of_a_batch_has_a_cloud_for_each_mesh():
    members = [ml.data.shapes.icosphere(2), ml.data.shapes.box()]
    clouds = [ml.sample_points(members[0], 400), ml.sample_points(members[1], 300)]
    batch = ml.Meshes(members)
    right = losses.chamfer_loss(batch, clouds, samples=500, reduction="none")
    swapped = losses.chamfer_loss(batch, clouds[::-1], samples=500, reduction="none")
    assert right.shape == (2,) and bool((right < 0.1 * swapped).all())
    padded = torch.stack([clouds[0][:300], clouds[1]])
    assert losses.chamfer_loss(batch, padded).shape == ()
    with pytest.raises(ValueError, match="a cloud for each of 2 meshes"):
        losses.chamfer_loss(batch, clouds[:1])
    with pytest.raises(ValueError, match="a cloud for each of 2 meshes"):
        losses.chamfer_loss(batch, clouds[0])


def test_bad_input():
    mesh = octahedron()
    with pytest.raises(ValueError, match="reduction: expected"):
        losses.edge_length_loss(mesh, reduction="max")
    for loss in (losses.normal_consistency_loss, losses.edge_length_loss, losses.laplacian_loss):
        with pytest.raises(ValueError, match="mesh: expected a Mesh"):
            loss(mesh.vertices)
    for length in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="target_length: expected"):
            losses.edge_length_loss(mesh, target_length=length)
    with pytest.raises(ValueError, match="method"):
        losses.laplacian_loss(mesh, method="mean")
    with pytest.raises(ValueError, match="float64"):
        losses.chamfer_loss(mesh, torch.rand(5, 3))
    with pytest.raises(ValueError):
        losses.chamfer_loss(mesh, [1, 2, 3])


@pytest.mark.parametrize("name", ["losses", "geometry.laplacian", "geometry.sampling"])
def test_examples(name):
    result = doctest.testmod(
        import_module(f"meshlearn.{name}"), extraglobs={"ml": ml, "torch": torch}
    )
    assert result.attempted > 0 and result.failed == 0


def test_every_loss_is_found_from_one_place():
    """The list of `meshlearn.losses` names each function that is a loss, and nothing else."""
    root = Path(ml.__file__).parent
    there = set()
    for path in sorted(root.rglob("*.py")):
        if "io" in path.relative_to(root).parts:
            continue  # what a format leaves behind is another thing
        module = ".".join(("meshlearn", *path.relative_to(root).with_suffix("").parts))
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and re.fullmatch(
                r"[a-z]\w*_(loss|losses|regularizer)", node.name
            ):
                there.add(f"{module}.{node.name}")
    elsewhere = {name for name in there if not name.startswith("meshlearn.losses.")}
    listed = set(re.findall(r"`(meshlearn\.[\w.]+_(?:loss|losses|regularizer))`", losses.__doc__))
    assert listed == elsewhere and len(there) > len(elsewhere) > 3
    for name in listed:
        module, _, function = name.rpartition(".")
        assert getattr(import_module(module), function).__doc__
