"""Sparse grids: the mesh of the full grid to the bit, from few cells."""

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.isosurface import (
    SparseVoxelGrid,
    VoxelGrid,
    flexicubes,
    gshell,
    marching_cubes,
    sign_regularizer,
)
from meshlearn.isosurface.flexicubes_parts import flexicubes_parts, split_quads
from meshlearn.isosurface.reference import marching_cubes_reference

from .fields import noise_grid, random_parameters, sphere, topology_defect, torus
from .test_tets import leaf

native = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def sparse_problem(kind, dtype=torch.float64):
    if kind == "noise":
        grid, sdf = noise_grid(3, 6, 10, dtype)
    else:  # rows of more than one word
        grid = VoxelGrid((9, 10, 130), bounds=((-1, -1, -1.5), (1, 1, 1.5)), dtype=dtype)
        sdf = torus(grid.vertices)
    few = SparseVoxelGrid.from_grid(grid, sdf)
    p = random_parameters(grid)
    cell, vertex = few.cell_keys, few.vertex_keys
    own = {k: v[vertex if k == "deform" else cell] for k, v in p.items()}
    return grid, sdf, p, few, own


@pytest.mark.parametrize("kind", ["noise", "long rows"])
@pytest.mark.parametrize("training", [True, False])
def test_the_same_mesh_and_gradients_as_on_the_full_grid(kind, training):
    grid, sdf, p, few, own = sparse_problem(kind)
    vertex, cell = few.vertex_keys, few.cell_keys
    assert few.num_cells < grid.num_cells
    names = ["deform", "alpha", "beta", "gamma"]
    full = leaf(sdf, *(p[k] for k in names))
    part = leaf(sdf[vertex], *(own[k] for k in names))
    weights = [dict(zip(names, side[1:], strict=True)) for side in (full, part)]
    nu = grid.vertices[:, 0] + 0.1
    pairs = [
        (
            marching_cubes(grid, full[0], deform=full[1]),
            marching_cubes(few, part[0], deform=part[1]),
        ),
        (
            flexicubes(grid, full[0], training=training, **weights[0]).mesh,
            flexicubes(few, part[0], training=training, **weights[1]).mesh,
        ),
        (
            gshell(grid, full[0], nu, training=training, **weights[0]).mesh,
            gshell(few, part[0], nu[vertex], training=training, **weights[1]).mesh,
        ),
    ]
    for a, b in pairs:
        assert torch.equal(a.vertices, b.vertices) and torch.equal(a.faces, b.faces)
        for side in (full, part):
            for t in side:
                t.grad = None
        a.vertices.square().sum().backward()
        b.vertices.square().sum().backward()
        for x, y, index in zip(full, part, [vertex, vertex, cell, cell, cell], strict=True):
            if x.grad is not None:
                assert torch.equal(x.grad[index], y.grad)
                assert float(x.grad.abs().sum()) == pytest.approx(float(y.grad.abs().sum()))


@native
@pytest.mark.parametrize("kind", ["noise", "long rows"])
@pytest.mark.parametrize("thin", [False, True])
def test_reference_on_a_sparse_grid(kind, thin):
    """`thin` drops cells that the surface passes through: it is open there, by the same rule."""
    _, sdf, _, few, own = sparse_problem(kind)
    values = sdf[few.vertex_keys]
    if thin:
        generator = torch.Generator().manual_seed(0)
        keep = torch.rand(few.num_cells, generator=generator) < 0.8
        less = SparseVoxelGrid(
            few.cells[keep], few.resolution, bounds=few.bounds, dtype=torch.float64
        )
        place = few.vertex_index(less.vertex_keys)
        values = values[place]
        own = {k: v[place] if k == "deform" else v[keep] for k, v in own.items()}
        few = less
    mesh = marching_cubes(few, values, deform=own["deform"])
    vertices, faces = marching_cubes_reference(few, values, own["deform"])
    assert torch.equal(mesh.faces, faces) and torch.allclose(mesh.vertices, vertices)
    assert len(torch.unique(faces)) == len(vertices)
    for training in (True, False):
        out = flexicubes(few, values, training=training, **own)
        parts = flexicubes_parts(few, values, **own)
        vertices, faces = split_quads(parts, training)
        assert torch.equal(out.mesh.faces, faces) and torch.allclose(out.mesh.vertices, vertices)


def test_gradcheck():
    _, sdf, _, few, _ = sparse_problem("noise")
    few = SparseVoxelGrid(few.cells[:40], few.resolution, dtype=torch.float64)
    values = sdf[few.vertex_keys]
    generator = torch.Generator().manual_seed(1)
    nu = torch.randn(few.num_vertices, generator=generator, dtype=torch.float64)

    def run(s, m):
        return gshell(few, s, m, training=True).mesh.vertices, marching_cubes(few, s).vertices

    assert torch.autograd.gradcheck(run, leaf(values, nu), eps=1e-7, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("field", [sphere, torus])
def test_from_field_finds_every_cell(field):
    few, values = SparseVoxelGrid.sample(field, 64, bounds=BOX, dtype=torch.float64)
    grid = VoxelGrid(64, dtype=torch.float64)
    full = field(grid.vertices)
    assert torch.equal(few.cells, grid.surface(full))
    assert torch.allclose(values, field(few.vertices))
    a, b = marching_cubes(grid, full), marching_cubes(few, values)
    assert torch.equal(a.faces, b.faces) and torch.allclose(a.vertices, b.vertices)
    assert few.num_cells < 0.1 * grid.num_cells


def test_a_band_and_its_border():
    few = SparseVoxelGrid.from_field(sphere, 32, bounds=BOX, band=2)
    inner = SparseVoxelGrid.from_field(sphere, 32, bounds=BOX)
    dense = VoxelGrid(32)
    assert torch.equal(few.cells, dense.surface(sphere(dense.vertices), 2))
    assert bool((few.cell_index(inner.cell_keys) >= 0).all())
    surface = torch.unique(few.cell_vertices[few.cell_index(inner.cell_keys)])
    assert not bool(torch.isin(surface, few.border).any())
    assert len(few.border) > 0


def test_neighbours_by_sorted_keys():
    few = SparseVoxelGrid.from_field(torus, 16, bounds=BOX, band=1)
    neighbours = few.cell_neighbours
    lookup = {tuple(c): i for i, c in enumerate(few.cells.tolist())}
    steps = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
    for i, cell in enumerate(few.cells.tolist()):
        want = [lookup.get(tuple(c + d for c, d in zip(cell, s, strict=True)), -1) for s in steps]
        assert neighbours[i].tolist() == want
    lengths = few.vertices[few.edges].diff(dim=1).norm(dim=2)
    assert torch.allclose(lengths, torch.full_like(lengths, 0.125))


def test_from_points_holds_the_points():
    points = ml.sample_points(
        ml.data.shapes.torus(0.5, 0.2), 4000, generator=torch.Generator().manual_seed(0)
    )
    few = SparseVoxelGrid.from_points(points, 64, bounds=BOX, band=2)
    sdf = torus(few.vertices, 0.5, 0.2)
    mesh = marching_cubes(few, sdf)
    assert mesh.is_watertight and mesh.topology.genus == 1


def test_refining_follows_the_surface_and_keeps_values():
    few, values = SparseVoxelGrid.sample(torus, 32, bounds=BOX, band=1, dtype=torch.float64)
    fine = few.refined(values, band=1)
    assert fine.resolution == (64, 64, 64) and fine.num_cells < 0.2 * 64**3
    carried = few.interpolate(values, fine.vertices)
    assert bool(torch.isfinite(carried).all())
    assert float((carried - torus(fine.vertices)).abs().max()) < 0.01
    linear = few.vertices @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.3
    two = few.interpolate(torch.stack([linear, values], 1), fine.vertices)
    want = fine.vertices @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.3
    assert torch.allclose(two[:, 0], want)
    mesh = marching_cubes(fine, carried)
    assert not topology_defect(mesh.num_vertices, mesh.faces)
    outside = few.interpolate(values, torch.tensor([[0.95, 0.95, 0.95]], dtype=torch.float64))
    assert bool(outside.isnan())


def test_sign_regularizer_is_that_of_the_full_grid():
    grid, sdf = noise_grid(3, 6, 10)
    few = SparseVoxelGrid.from_grid(grid, sdf)
    full = sign_regularizer(grid, sdf)
    assert torch.allclose(full, sign_regularizer(few, sdf[few.vertex_keys]))


@native
def test_opcheck():
    _, sdf, _, few, own = sparse_problem("noise")
    from meshlearn.isosurface.tables import dual_table, triangle_table

    values, shape = sdf[few.vertex_keys], (list(few.resolution), few.flat_bounds)
    torch.library.opcheck(
        torch.ops.meshlearn.flexicubes.default,
        (
            *leaf(values, *own.values()),
            dual_table(sdf.device),
            *shape,
            True,
            *leaf(values),
            *few.table,
        ),
    )
    torch.library.opcheck(
        torch.ops.meshlearn.marching_cubes.default,
        (*leaf(values, own["deform"]), triangle_table(sdf.device), *shape, *few.table),
    )


def test_without_cells():
    few = SparseVoxelGrid(torch.zeros(0, 3, dtype=torch.int64), 8)
    assert few.num_vertices == 0 and few.cell_neighbours.shape == (0, 6)
    for call in (marching_cubes, lambda g, s: flexicubes(g, s).mesh):
        with pytest.warns(RuntimeWarning, match="no zero crossing"):
            assert call(few, torch.zeros(0)).num_faces == 0


@pytest.mark.slow
def test_five_hundred_and_twelve_cubed():
    few, values = SparseVoxelGrid.sample(torus, 512, bounds=BOX)
    mesh = marching_cubes(few, values)
    assert mesh.is_watertight and few.num_cells < 0.01 * 512**3


S = SparseVoxelGrid
CELL = torch.zeros(1, 3, dtype=torch.int64)
BAD = [
    (lambda: S(CELL + 9, 8), r"cells: expected coordinates in \[0, \(8, 8, 8\)\)"),
    (lambda: S(CELL.double(), 8), "cells: expected dtype int64"),
    (lambda: S(CELL, 0), "resolution: expected one or three"),
    (lambda: S.from_field(sphere, 30, bounds=BOX, levels=2), "divisible by 2"),
    (lambda: S.from_field(sphere, 32, bounds=BOX, band=-1), "band: expected a number of cells"),
    (lambda: S.from_field(sphere, 32, bounds=BOX, lipschitz=0), "lipschitz: expected a positive"),
    (lambda: S.from_field(lambda p: p[:, 0] / 0, 32, bounds=BOX), "field: .* NaN or infinite"),
    (lambda: S.from_points(torch.zeros(3), 8, bounds=BOX), "points: expected shape"),
    (lambda: marching_cubes(S(CELL, 8), torch.zeros(7)), r"sdf: expected shape \(8,\)"),
    (lambda: flexicubes(S(CELL, 8), torch.zeros(8), tets=True), "tets: expected a full VoxelGrid"),
]


@pytest.mark.parametrize("call,message", BAD)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
