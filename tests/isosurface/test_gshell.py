"""G-Shell: the guarantees of open surfaces on both grids, operators against references."""

import math

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.isosurface import TetGrid, VoxelGrid, gshell
from meshlearn.isosurface.flexicubes import flexicubes_surface
from meshlearn.isosurface.flexicubes_parts import carry_msdf, flexicubes_parts, split_quads
from meshlearn.isosurface.tables import dual_table
from meshlearn.mesh.cut import CutTensors, cut_mesh, cut_mesh_reference

from .fields import noise_grid, random_parameters, sphere, torus
from .test_tets import leaf, noise_tets

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def half_edges(faces):
    return torch.stack([faces, faces.roll(-1, 1)], 2).reshape(-1, 2)


def defect_of(out) -> str:
    """Empty if the output keeps its promises, checked from the faces alone."""
    mesh = out.mesh
    n = max(mesh.num_vertices, 1)
    half = half_edges(mesh.faces)
    forward, backward = half[:, 0] * n + half[:, 1], half[:, 1] * n + half[:, 0]
    if bool((half[:, 0] == half[:, 1]).any()):
        return "a face names a vertex twice"
    if len(torch.unique(forward)) != len(forward):
        return "an edge with two faces on one side"
    open_ = ~torch.isin(forward, backward)
    boundary = half[open_]
    told = out.boundary_edges
    if not torch.equal(
        torch.unique(boundary[:, 0] * n + boundary[:, 1]), torch.unique(told[:, 0] * n + told[:, 1])
    ) or len(told) != len(boundary):
        return "boundary edges are not those told"
    vertices = out.boundary_vertices
    for side in (0, 1):  # one edge enters and one leaves each: closed loops
        if not torch.equal(boundary[:, side].sort().values, vertices):
            return "a boundary vertex without its two boundary edges"
    if sum(len(loop) for loop in out.boundary_loops) != len(boundary):
        return "a boundary that does not close"
    if not mesh.topology.is_vertex_manifold:
        return "a vertex with two fans"
    if len(torch.unique(mesh.faces)) != mesh.num_vertices:
        return "vertices without faces"
    if not bool(torch.isfinite(mesh.vertices).all()):
        return "NaN"
    return ""


def noise_case(seed):
    """Outputs of noise on both grids, with and without weights."""
    if seed % 2:
        grid, sdf, msdf = noise_tets(seed)
        return gshell(grid, sdf, msdf)
    grid, sdf = noise_grid(seed, 5, 10)
    generator = torch.Generator().manual_seed(seed)
    msdf = torch.randn(grid.num_vertices, generator=generator, dtype=grid.dtype)
    msdf += (0.0, 0.8, -0.3)[seed % 3]
    if seed % 5 == 0:  # exact zeros too
        msdf[torch.rand(msdf.shape, generator=generator) < 0.5] = 0.0
    return gshell(grid, sdf, msdf, training=seed % 4 == 0, **random_parameters(grid, seed))


def check_noise(seeds):
    empty = 0
    for seed in seeds:
        out = noise_case(seed)
        empty += out.mesh.num_faces == 0
        defect = defect_of(out)
        assert not defect, f"seed {seed}: {defect}"
    assert empty <= 0.2 * len(seeds)


@pytest.mark.filterwarnings("ignore:the msdf is positive nowhere")
def test_noise_is_manifold_with_boundary():
    check_noise(range(30))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the msdf is positive nowhere")
def test_five_hundred_noise_fields_are_manifold_with_boundary():
    check_noise(range(500))


def grids(n=24, dtype=torch.float64):
    return [VoxelGrid(n, dtype=dtype), TetGrid.from_voxels(n, dtype=dtype)]


@pytest.mark.parametrize("which", [0, 1])
def test_positive_everywhere_is_the_template(which):
    grid = grids(12)[which]
    sdf = torus(grid.vertices)
    out = gshell(grid, sdf, torch.full_like(sdf, 0.3))
    plain = ml.marching_tetrahedra(grid, sdf) if which else ml.flexicubes(grid, sdf).mesh
    for mesh in (out.mesh, out.watertight):
        assert torch.equal(mesh.vertices, plain.vertices)
        assert torch.equal(mesh.faces, plain.faces)
    assert out.boundary_edges.shape == (0, 2) and out.boundary_loops == []
    assert torch.allclose(out.msdf, torch.full_like(out.msdf, 0.3))


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("value", [-0.3, 0.0])
def test_positive_nowhere_is_empty_and_told(which, value):
    grid = grids(8)[which]
    sdf = sphere(grid.vertices)
    nu = torch.full_like(sdf, value, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="the msdf is positive nowhere"):
        out = gshell(grid, sdf, nu)
    assert out.mesh.num_vertices == 0 and out.watertight.is_watertight
    (out.mesh.vertices.sum() + out.boundary_msdf.sum()).backward()
    assert float(nu.grad.abs().sum()) == 0


@pytest.mark.parametrize("which", [0, 1])
def test_no_template_is_told(which):
    grid = grids(4)[which]
    with pytest.warns(RuntimeWarning, match="no zero crossing"):
        gshell(grid, torch.ones_like(grid.vertices[:, 0]), grid.vertices[:, 0])


def slab(p):
    return 0.31 - p[:, 2].abs()


LOOPS = [
    ("a sphere cut by a plane", sphere, lambda p: 0.12 - p[:, 2], 1, 1),
    ("a sphere cut to a slab", sphere, slab, 2, 0),
    ("a torus cut across its hole", torus, lambda p: p[:, 0] - 0.03, 2, 0),
    ("a torus cut at its side", torus, lambda p: p[:, 0] - 0.45, 1, 1),
    ("a torus cut along its plane", torus, lambda p: p[:, 2] - 0.013, 2, 0),
]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name,field,cut,loops,euler", LOOPS, ids=[c[0] for c in LOOPS])
def test_numbers_of_loops(which, name, field, cut, loops, euler):
    grid = grids(32)[which]
    out = gshell(grid, field(grid.vertices), cut(grid.vertices))
    assert len(out.boundary_loops) == loops
    assert out.mesh.topology.euler_number == euler
    assert not defect_of(out)


@pytest.mark.parametrize("which", [0, 1])
def test_area_of_a_cap_converges_at_second_order(which):
    """The cap of a sphere below z = 0.2 by its analytic area, and its rim by its length."""
    error, rim = [], []
    for n in (12, 24, 48):
        grid = grids(n)[which]
        out = gshell(grid, sphere(grid.vertices), 0.2 - grid.vertices[:, 2])
        error.append(abs(float(out.mesh.area()) - 2 * math.pi * 0.6 * 0.8))
        ends = out.mesh.vertices[out.boundary_edges]
        length = float((ends[:, 0] - ends[:, 1]).norm(dim=1).sum())
        rim.append(abs(length - 2 * math.pi * math.sqrt(0.36 - 0.04)))
    assert error[0] / error[2] > 12 and rim[0] / rim[2] > 8  # 16 at second order


@native
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_carried_msdf_equals_reference(training, dtype, tol):
    grid, sdf = noise_grid(3, 6, 10, dtype)
    p = random_parameters(grid)
    generator = torch.Generator().manual_seed(3)
    nu = torch.randn(grid.num_vertices, generator=generator, dtype=dtype)

    def reference(s, m, d, a, b, g):
        parts = flexicubes_parts(grid, s, d, a, b, g)
        return (*split_quads(parts, training), *carry_msdf(parts, m, training))

    def operator(s, m, d, a, b, g):
        out = flexicubes_surface(grid, s, d, a, b, g, training, msdf=m)
        return out.vertices, out.faces, out.msdf, out.msdf_weighted

    found = []
    for run in (operator, reference):
        inputs = leaf(sdf, nu, *p.values())
        out = run(*inputs)
        draw = torch.Generator().manual_seed(2)
        sum(
            (t * torch.randn(t.shape, generator=draw, dtype=dtype)).sum()
            for t in (out[0], out[2], out[3])
        ).backward()
        found.append((out, [t.grad for t in inputs]))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert torch.allclose(a, b, atol=tol)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        if b is None:
            assert not training and float(a.abs().max()) == 0
            continue
        assert float((a - b).abs().max()) <= tol * float(b.abs().max())


@native
@pytest.mark.parametrize("dtype,tol", [(torch.float64, 1e-12), (torch.float32, 1e-3)])
@pytest.mark.parametrize("seed", range(3))
def test_cut_equals_reference(dtype, tol, seed):
    grid, sdf, _ = noise_tets(seed, dtype=dtype)
    mesh = ml.marching_tetrahedra(grid, sdf)
    generator = torch.Generator().manual_seed(seed)
    value = torch.randn(mesh.num_vertices, generator=generator, dtype=dtype)
    value[::7] = 0.0
    found = []
    for run in (torch.ops.meshlearn.cut_mesh, cut_mesh_reference):
        x, v = leaf(mesh.vertices, value)
        out = CutTensors(*run(x, v, mesh.faces))
        draw = torch.Generator().manual_seed(2)
        along = torch.randn(out.vertices.shape, generator=draw, dtype=dtype)
        (out.vertices * along).sum().backward()
        found.append((out, x.grad, v.grad))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert torch.allclose(a, b, atol=tol) if a.is_floating_point() else torch.equal(a, b)
    for k in (1, 2):
        assert torch.allclose(found[0][k], found[1][k], atol=tol, rtol=tol)


@pytest.mark.parametrize("training", [True, False])
def test_gradcheck_flexicubes(training):
    grid, sdf = noise_grid(5, 3, 3)
    p = random_parameters(grid)
    nu = torch.randn(grid.num_vertices, generator=torch.Generator().manual_seed(1)).double()

    def run(s, m, deform, alpha, beta, gamma):
        weights = {"deform": deform, "alpha": alpha, "beta": beta, "gamma": gamma}
        out = gshell(grid, s, m, training=training, **weights)
        return out.mesh.vertices, out.msdf, out.dev_loss

    inputs = leaf(sdf, nu, p["deform"], p["alpha"], p["beta"], p["gamma"])
    assert torch.autograd.gradcheck(run, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_gradcheck_tets():
    grid, sdf, nu = noise_tets(5, 2, 3)
    deform = torch.randn(
        grid.num_vertices, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )

    def run(s, m, d):
        out = gshell(grid, s, m, deform=d)
        return out.mesh.vertices, out.msdf

    assert torch.autograd.gradcheck(run, leaf(sdf, nu, deform), eps=1e-7, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("which", [0, 1])
def test_detached_weights_leave_the_template_alone(which):
    grid = grids(8)[which]
    for detach in (True, False):
        s, m = leaf(sphere(grid.vertices), 0.1 - grid.vertices[:, 2])
        out = gshell(grid, s, m, detach_weights=detach)
        out.msdf.square().sum().backward()
        assert (float(s.grad.abs().sum()) == 0) == detach
        assert float(m.grad.abs().sum()) > 0
        s.grad = None
        gshell(grid, s, m, detach_weights=detach).mesh.vertices.square().sum().backward()
        assert float(s.grad.abs().sum()) > 0


def test_boundary_msdf_is_zero_and_pulls_the_boundary():
    grid = grids(10)[0]
    s, m = leaf(sphere(grid.vertices), 0.1 - grid.vertices[:, 2])
    out = gshell(grid, s, m, detach_weights=True)
    assert float(out.boundary_msdf.detach().abs().max()) < 1e-12
    out.boundary_msdf.sum().backward()
    assert float(m.grad.min()) >= 0 and float(m.grad.sum()) == pytest.approx(len(out.cut_edges))
    assert float(s.grad.abs().sum()) == 0
    ends = out.watertight.vertices[out.cut_edges]  # each cut vertex lies on its edge
    at = out.mesh.vertices[out.boundary_vertices]
    apart = (at - ends[:, 0]).norm(dim=1) + (at - ends[:, 1]).norm(dim=1)
    assert torch.allclose(apart, (ends[:, 0] - ends[:, 1]).norm(dim=1))
    assert torch.equal(out.mesh.vertices[: len(out.kept)], out.watertight.vertices[out.kept])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_vanishing_denominators_give_no_nan(dtype):
    tiny = torch.finfo(dtype).smallest_normal / 64
    mesh = ml.data.shapes.icosphere(1, dtype=dtype)
    values = [0.0, float(tiny), -float(tiny), 1.0, -1.0]
    index = torch.randint(0, 5, (mesh.num_vertices,), generator=torch.Generator().manual_seed(0))
    x, v = leaf(mesh.vertices, torch.tensor(values, dtype=dtype)[index])
    cut = cut_mesh(mesh.with_vertices(x), v)
    cut.mesh.vertices.square().sum().backward()
    for t in (cut.mesh.vertices, x.grad, v.grad):
        assert bool(torch.isfinite(t).all())


def test_an_open_mesh_can_be_cut():
    plane = ml.data.shapes.plane(dtype=torch.float64)
    cut = cut_mesh(plane, 0.2 - plane.vertices.norm(dim=1))
    assert len(cut.mesh.topology.boundary_loops()) == 1
    assert cut.mesh.topology.euler_number == 1
    outside = cut_mesh(plane, plane.vertices.norm(dim=1) - 0.2)
    assert len(outside.mesh.topology.boundary_loops()) == 2
    assert float(cut.mesh.area() + outside.mesh.area()) == pytest.approx(1)


@native
def test_opcheck():
    grid, sdf = noise_grid(5, 3, 4)
    p = random_parameters(grid)
    nu = torch.randn(grid.num_vertices, generator=torch.Generator().manual_seed(1)).double()
    torch.library.opcheck(
        torch.ops.meshlearn.flexicubes.default,
        (
            *leaf(sdf, *p.values()),
            dual_table(sdf.device),
            list(grid.resolution),
            grid.flat_bounds,
            True,
            *leaf(nu),
            None,
            None,
        ),
    )
    mesh = ml.data.shapes.icosphere(1, dtype=torch.float64)
    torch.library.opcheck(
        torch.ops.meshlearn.cut_mesh.default,
        (*leaf(mesh.vertices, mesh.vertices[:, 0] + 0.01), mesh.faces),
    )


@native
def test_the_same_bits_on_any_number_of_threads():
    grid = VoxelGrid(40)
    sdf, p = torus(grid.vertices), random_parameters(grid)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            inputs = leaf(sdf, grid.vertices[:, 0] + 0.1, *p.values())
            weights = dict(zip(p, inputs[2:], strict=True))
            out = gshell(grid, inputs[0], inputs[1], training=True, **weights)
            ones = torch.ones(out.mesh.num_vertices)
            loss = out.mesh.vertices.square().mean(1) @ ones
            (loss + out.boundary_msdf @ torch.ones(len(out.cut_edges))).backward()
            results.append([out.mesh.vertices, out.mesh.faces, *(t.grad for t in inputs)])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


T = TetGrid.from_voxels
BAD = [
    (lambda g, s: gshell(g, s, s[:-1]), r"msdf: expected shape \(125,\), got \(124,\)"),
    (lambda g, s: gshell(g, s, s * float("nan")), "msdf: 125 of 125 values are NaN"),
    (lambda g, s: gshell(g, s * float("nan"), s), "sdf: 125 of 125 values are NaN"),
    (lambda g, s: gshell(g, s, s.double()), "msdf: expected dtype float32"),
    (lambda g, s: gshell(g, s[1:], s), "sdf: expected shape"),
    (lambda g, s: gshell("grid", s, s), "grid: expected a VoxelGrid"),
    (lambda g, s: gshell(g, s, s, method="tets"), "grid: expected a TetGrid for method 'tets'"),
    (lambda g, s: gshell(g, s, s, method="cubes"), "method: expected 'flexicubes' or 'tets'"),
    (lambda g, s: gshell(g, s, s, alpha=torch.zeros(3, 8)), "alpha: expected shape"),
    (
        lambda g, s: gshell(T(1), torch.zeros(9), torch.zeros(9), alpha=torch.zeros(1, 8)),
        "alpha: expected None on a TetGrid",
    ),
    (lambda g, s: cut_mesh(g, s), "mesh: expected a Mesh"),
    (lambda g, s: cut_mesh(ml.data.shapes.box(), s), "value: expected shape"),
]


@pytest.mark.parametrize("call,message", BAD)
def test_bad_input_is_one_sentence(call, message):
    grid = VoxelGrid(4)
    with pytest.raises(ValueError, match=message) as caught:
        call(grid, sphere(grid.vertices))
    assert "\n" not in str(caught.value)
