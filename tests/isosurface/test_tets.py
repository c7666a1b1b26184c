"""Tetrahedral grids and marching tetrahedra: partition, topology, reference, gradients."""

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.isosurface import TetGrid, marching_tetrahedra
from meshlearn.isosurface.marching_tetrahedra import tet_surface
from meshlearn.isosurface.reference import tet_surface_reference
from meshlearn.isosurface.tetgrid import tet_table

from .fields import sphere, topology_defect, torus

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def noise_tets(seed: int, low: int = 3, high: int = 6, dtype=torch.float64):
    """A small grid, sdf and msdf of noise; the sdf positive on the border."""
    generator = torch.Generator().manual_seed(seed)
    res = [int(v) for v in torch.randint(low, high + 1, (3,), generator=generator)]
    grid = TetGrid.from_voxels(res, dtype=dtype)
    n = grid.num_vertices
    sdf = torch.randn(n, generator=generator, dtype=dtype) - (0.0, 0.6, -0.6)[seed % 3]
    sdf[grid.border] = sdf[grid.border].abs() + 0.1
    msdf = torch.randn(n, generator=generator, dtype=dtype) + (0.0, 0.8)[seed % 2]
    return grid, sdf, msdf


def leaf(*tensors):
    return [t.detach().clone().requires_grad_() for t in tensors]


def scrambled(grid: TetGrid) -> TetGrid:
    """The same tetrahedra from a TetMesh: other numbers, half of them turned inside out."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(grid.num_vertices, generator=generator)
    place = torch.argsort(order)
    tets = place[grid.tets]
    tets[::2] = tets[::2][:, [1, 0, 2, 3]]
    return TetGrid.from_mesh(ml.TetMesh(grid.vertices[order], tets))


def test_the_grid_fills_its_box():
    grid = TetGrid.from_voxels((3, 4, 5), bounds=((0, 0, 0), (3, 2, 10)), dtype=torch.float64)
    mesh = ml.TetMesh(grid.vertices, grid.tets)
    assert float(mesh.volumes().min()) > 0
    assert float(mesh.volume()) == pytest.approx(60)
    border = mesh.boundary()
    assert border.is_watertight and float(border.area()) == pytest.approx(2 * (6 + 30 + 20))
    assert grid.num_vertices == 4 * 5 * 6 + 60


@pytest.mark.parametrize("resolution", [1, (2, 1, 3), 4])
def test_edges_of_voxels_are_those_of_the_tetrahedra(resolution):
    grid = TetGrid.from_voxels(resolution, dtype=torch.float64)
    other = TetGrid(grid.vertices, grid.tets)
    assert torch.equal(grid.edges, other.edges)
    assert all(torch.equal(a, b) for a, b in zip(grid.neighbours, other.neighbours, strict=True))


def check_noise(seeds):
    for seed in seeds:
        grid, sdf, _ = noise_tets(seed)
        for made in (grid, scrambled(grid)):
            values = sdf if made is grid else None
            if values is None:  # border as outside in its own numbering
                values = torch.randn(
                    made.num_vertices, generator=torch.Generator().manual_seed(seed)
                )
                values = values.double()
                values[made.border] = 1.0
            mesh = marching_tetrahedra(made, values)
            assert mesh.num_faces > 0
            defect = topology_defect(mesh.num_vertices, mesh.faces)
            assert not defect, f"seed {seed}: {defect}"


def test_noise_is_manifold():
    check_noise(range(25))


@pytest.mark.slow
def test_five_hundred_noise_fields_are_manifold():
    check_noise(range(500))


@pytest.mark.parametrize("field,volume,euler", [(sphere, 0.9048, 2), (torus, 0.6169, 0)])
def test_known_surfaces(field, volume, euler):
    grid = TetGrid.from_voxels(24, dtype=torch.float64)
    mesh = marching_tetrahedra(grid, field(grid.vertices))
    assert mesh.topology.euler_number == euler
    assert float(mesh.volume()) == pytest.approx(volume, rel=0.01)  # positive: normals outward


def test_volume_converges_at_second_order():
    error = []
    for n in (8, 16, 32):
        grid = TetGrid.from_voxels(n, dtype=torch.float64)
        mesh = marching_tetrahedra(grid, sphere(grid.vertices))
        error.append(abs(float(mesh.volume()) - 4 / 3 * torch.pi * 0.6**3))
    assert error[0] / error[1] > 3 and error[1] / error[2] > 3


@native
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-11), (torch.float32, 1e-3)])
@pytest.mark.parametrize("with_msdf", [True, False])
def test_equals_reference(dtype, tol, with_msdf):
    grid, sdf, msdf = noise_tets(4, 4, 6, dtype)
    generator = torch.Generator().manual_seed(1)
    deform = torch.randn(grid.num_vertices, 3, generator=generator, dtype=dtype)
    found = []
    for run in (tet_surface, lambda g, s, m, d: tet_surface_reference(g, s, m, g.displaced(d))):
        s, m, d = leaf(sdf, msdf, deform)
        out = run(grid, s, m if with_msdf else None, d)
        draw = torch.Generator().manual_seed(2)
        loss = sum(
            (t * torch.randn(t.shape, generator=draw, dtype=dtype)).sum()
            for t in (out.vertices, out.msdf, out.msdf_weighted)
        )
        loss.backward()
        found.append((out, [s.grad, d.grad] + ([m.grad] if with_msdf else [])))
    (mine, my_grads), (theirs, their_grads) = found
    assert torch.equal(mine.faces, theirs.faces) and torch.equal(mine.ends, theirs.ends)
    for a, b in zip(mine, theirs, strict=True):
        assert torch.allclose(a, b, atol=tol)
    for a, b in zip(my_grads, their_grads, strict=True):
        assert float((a - b).abs().max()) <= tol * float(b.abs().max())


def test_gradcheck():
    grid, sdf, msdf = noise_tets(5, 2, 3)
    generator = torch.Generator().manual_seed(1)
    deform = torch.randn(grid.num_vertices, 3, generator=generator, dtype=torch.float64)

    def run(s, m, d):
        out = tet_surface(grid, s, m, d)
        return out.vertices, out.msdf

    assert torch.autograd.gradcheck(run, leaf(sdf, msdf, deform), eps=1e-7, atol=1e-5)


def test_weighted_values_leave_the_template_alone():
    grid, sdf, msdf = noise_tets(5, 3, 4)
    s, m = leaf(sdf, msdf)
    out = tet_surface(grid, s, m, None)
    out.msdf_weighted.sum().backward()
    assert float(s.grad.abs().sum()) == 0
    assert float(m.grad.sum()) == pytest.approx(len(out.vertices))
    assert torch.equal(out.msdf, out.msdf_weighted)


@native
def test_opcheck():
    grid, sdf, msdf = noise_tets(5, 2, 3)
    tables = (grid.tets32, *grid.neighbours, tet_table(sdf.device))
    operator = torch.ops.meshlearn.marching_tetrahedra.default
    torch.library.opcheck(operator, (*leaf(grid.vertices, sdf, msdf), *tables))
    torch.library.opcheck(operator, (*leaf(grid.vertices, sdf), None, *tables))


@native
def test_the_same_bits_on_any_number_of_threads():
    grid = TetGrid.from_voxels(20)
    sdf, msdf = torus(grid.vertices), grid.vertices[:, 0] + 0.1
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            s, m = leaf(sdf, msdf)
            out = tet_surface(grid, s, m, None)
            (out.vertices.square().mean(1) @ torch.ones(len(out.vertices))).backward()
            results.append([*out, s.grad])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_full_and_empty_fields(value):
    grid = TetGrid.from_voxels(2)
    sdf = torch.full((grid.num_vertices,), value, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        mesh = marching_tetrahedra(grid, sdf)
    assert mesh.vertices.shape == (0, 3) and mesh.faces.shape == (0, 3)
    mesh.vertices.sum().backward()
    assert float(sdf.grad.abs().sum()) == 0


def test_a_grid_without_tetrahedra():
    grid = TetGrid(torch.zeros(3, 3), torch.zeros(0, 4, dtype=torch.int64))
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        assert marching_tetrahedra(grid, torch.tensor([-1.0, 1.0, 1.0])).num_faces == 0


BAD = [
    (lambda g, s: marching_tetrahedra(ml.VoxelGrid(2), s), "grid: expected a TetGrid"),
    (lambda g, s: marching_tetrahedra(g, s[:-1]), r"sdf: expected shape \(35,\)"),
    (lambda g, s: marching_tetrahedra(g, s.double()), "sdf: expected dtype float32"),
    (lambda g, s: marching_tetrahedra(g, s * float("nan")), "sdf: 35 of 35 values are NaN"),
    (lambda g, s: marching_tetrahedra(g, s, deform=torch.zeros(4, 3)), "deform: expected shape"),
    (lambda g, s: TetGrid.from_voxels(0), "resolution: expected one or three"),
    (lambda g, s: TetGrid.from_mesh(g), "mesh: expected a TetMesh"),
    (lambda g, s: TetGrid(g.vertices, g.tets + 99), "tets: index .* is out of range"),
    (lambda g, s: TetGrid.from_voxels(20_000), "needs about .* GiB"),
]


@pytest.mark.parametrize("call,message", BAD)
def test_bad_input_is_one_sentence(call, message):
    grid = TetGrid.from_voxels(2)
    with pytest.raises(ValueError, match=message) as caught:
        call(grid, sphere(grid.vertices))
    assert "\n" not in str(caught.value)
