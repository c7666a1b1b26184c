"""Poor starts end as near to the target as good ones."""

from __future__ import annotations

import pytest
import torch

import meshlearn as ml
from meshlearn import geometry
from meshlearn.data import shapes
from meshlearn.isosurface import SparseVoxelGrid, marching_cubes
from meshlearn.reconstruct import fit, targets
from meshlearn.representations import FlexiCubes, GShell

TORUS = shapes.torus()
CELLS = 18


def ball(centre, radius):
    return lambda p: (p - torch.tensor(centre)).norm(dim=1) - radius


STARTS = {
    "nothing": lambda p: torch.ones_like(p[:, 0]),
    "ball in the hole": ball([0.0, 0.0, 0.0], 0.5),
    "ball in a corner": ball([0.9, 0.9, 0.2], 0.25),
    "everything": lambda p: p.abs().amax(1) - 5,
    "noise": lambda p: 0.1 * torch.randn(len(p), generator=torch.Generator().manual_seed(0)),
}


def to_mesh():
    return targets.FromMesh(TORUS, samples=2000)


def to_points():
    drawn = geometry.sample_surface(TORUS, 3000, generator=torch.Generator().manual_seed(0))
    return targets.FromPoints(drawn.points, TORUS.face_normals()[drawn.faces], noise=0.0)


def to_field():
    bvh = geometry.MeshBVH(TORUS)
    corner = TORUS.vertices
    bounds = torch.stack([corner.amin(0), corner.amax(0)])

    def field(p):
        ring = p[:, :2].norm(dim=1) - 1
        return (ring.square() + p[:, 2].square() + 1e-12).sqrt() - 0.4

    assert float((bvh.signed_distance(bounds) - field(bounds)).abs().max()) < 0.05
    return targets.FromField(field, bounds=bounds, samples=2000)


@pytest.mark.parametrize(
    "make,start",
    [
        (to_mesh, "ball in the hole"),
        (to_mesh, "everything"),
        (to_mesh, "noise"),
        (to_points, "nothing"),
        (to_points, "noise"),
        (to_field, "ball in a corner"),
    ],
)
def test_a_poor_start_ends_as_near_as_a_good_one(make, start):
    target = make()
    found = []
    for poor in (True, False):
        shape = FlexiCubes(CELLS, bounds=target.bounds)
        if poor:
            shape.initialize(STARTS[start])
        made = fit(shape, target, steps=12, initialize=not poor, progress=False).mesh
        assert made.topology.topological_type == (1, 0)
        found.append(ml.metrics.compare(made, TORUS, samples=4000)["chamfer"])
    assert found[0] < 1.1 * found[1] + 1e-3 * shape.scale


def test_the_inside_out_is_turned():
    target = to_mesh()
    shape = FlexiCubes(CELLS, bounds=target.bounds)
    shape.initialize(lambda p: -target.field(p))
    made = fit(shape, target, steps=10, initialize=False, progress=False).mesh
    assert made.topology.topological_type == (1, 0)
    assert float(made.volume()) == pytest.approx(float(TORUS.volume()), rel=0.06)


def test_a_start_within_a_cell_of_the_target_stays_as_it_is():
    target = to_mesh()
    shape = FlexiCubes(CELLS, bounds=target.bounds)
    shape.initialize(lambda p: target.field(p) + 0.7 * shape.scale)
    before = {k: v.detach().clone() for k, v in shape.named_parameters()}
    shape.steer(target)
    assert all(torch.equal(before[k], v) for k, v in shape.named_parameters())


def test_only_what_is_far_off_is_taken_from_the_target():
    """A lump at one end goes; elsewhere the start keeps what it has, its displacement too."""
    target = to_mesh()
    shape = FlexiCubes(CELLS, bounds=target.bounds)
    lump = ball([1.2, 1.2, 0.0], 0.3)
    shape.initialize(lambda p: torch.minimum(target.field(p) + 0.03, lump(p)))
    with torch.no_grad():
        shape.deform.fill_(0.1)
    before = shape.sdf.detach().clone()
    shape.steer(target)
    x, y, _ = shape.grid.vertices.T
    here = (x > 0.6) & (y > 0.6)
    assert not torch.equal(before[here], shape.sdf[here])
    assert torch.equal(before[~here], shape.sdf[~here])
    assert bool((shape.deform[~here] == 0.1).all()) and bool((shape.deform == 0).any())
    assert bool((lump(shape.grid.vertices)[shape.sdf < 0] > -0.4 * shape.scale).all())


@pytest.mark.parametrize("wanted", ["two", "one"])
def test_parts_are_joined_and_cut_where_the_target_wants_it(wanted):
    """A neck of two cells between two balls, within a cell of both: it goes, and it comes."""
    grid = ml.VoxelGrid((96, 48, 48), bounds=((-1.2, -0.6, -0.6), (1.2, 0.6, 0.6)))

    def apart(p):
        return torch.minimum(ball([-0.58, 0, 0], 0.5)(p), ball([0.58, 0, 0], 0.5)(p))

    def joined(p):
        return torch.minimum(
            apart(p), torch.maximum(p[:, 1:].norm(dim=1) - 0.15, p[:, 0].abs() - 0.2)
        )

    start, end, kind = (joined, apart, (2, 4)) if wanted == "two" else (apart, joined, (1, 2))
    target = targets.FromMesh(marching_cubes(grid, end(grid.vertices)), samples=2000)
    assert target.solid.topology.topological_type == kind
    shape = FlexiCubes(32, bounds=target.bounds)
    shape.initialize(start)
    assert shape.final_mesh().topology.topological_type != kind
    made = fit(shape, target, steps=30, initialize=False, progress=False).mesh
    assert made.topology.topological_type == kind


def test_who_does_not_know_its_sides_steers_nothing():
    open_target = targets.FromMesh(shapes.torus().submesh(torch.arange(1152)).mesh)
    assert open_target.is_open and not open_target.knows_sides
    shape = FlexiCubes(CELLS, bounds=open_target.bounds)
    shape.initialize(ball([0.0, 0.0, 0.0], 0.5))
    before = shape.sdf.detach().clone()
    shape.steer(open_target)
    assert torch.equal(before, shape.sdf)
    closed = to_mesh()
    template = GShell(CELLS, bounds=closed.bounds)
    template.initialize(ball([0.0, 0.0, 0.0], 0.5))
    template.steer(closed)
    assert bool(
        ((template.sdf < 0) == (closed.field(template.grid.vertices) < 0)).float().mean() > 0.98
    )


def test_a_sparse_grid_stays_within_its_cells():
    target = to_mesh()
    shape = FlexiCubes(16, bounds=target.bounds, sparse=True)
    shape.initialize(target.field)
    shape.refine(32)
    assert isinstance(shape.grid, SparseVoxelGrid)
    before = shape.sdf.detach().clone()
    shape.steer(target)
    assert torch.equal(before, shape.sdf)
