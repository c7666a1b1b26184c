"""Surfaces of points on grids that are held near them alone, beside those that fill the box."""

from __future__ import annotations

from itertools import product

import pytest
import torch

import meshlearn as ml
from meshlearn._native import HAS_NATIVE
from meshlearn.data import shapes
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson import bricks, fine, surface
from tests.reconstruct.scanned import bumpy, off, scan


@pytest.fixture
def near_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grids of more than 40 nodes are held near the points, from one of at most 40 on."""
    monkeypatch.setattr(settings, "FINE_FROM", (40, 40))
    monkeypatch.setattr(settings, "FINE_START", 40)


def some_bricks(share: float) -> bricks.Bricks:
    g = torch.Generator().manual_seed(0)
    return bricks.Bricks(torch.rand(4, 4, 4, generator=g) < share)


def dense(field: torch.Tensor, held: bricks.Bricks, none: float) -> torch.Tensor:
    """The lattice (34, 34, 34) with one node more on each side of a field of four bricks."""
    out = torch.full((34, 34, 34), none, dtype=field.dtype)
    for (x, y, z), values in zip((held.at * 8 + 1).tolist(), field, strict=True):
        out[x : x + 8, y : y + 8, z : z + 8] = values
    return out


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_the_laplacian_of_bricks_is_that_of_the_lattice(share: float) -> None:
    held = some_bricks(share)
    field = torch.randn(len(held), 8, 8, 8, dtype=torch.float64)
    whole = dense(field, held, 0.0)
    wanted = 6 * whole
    for axis in range(3):
        wanted -= whole.roll(1, axis) + whole.roll(-1, axis)
    for way in (bricks.laplacian, bricks.laplacian_reference):
        assert torch.allclose(dense(way(field, held.near), held, 0.0)[1:-1, 1:-1, 1:-1],
                              torch.where(dense(torch.ones_like(field), held, 0.0) > 0, wanted, 0)
                              [1:-1, 1:-1, 1:-1])  # fmt: skip


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_mixed_cells_and_rims_are_those_of_the_lattice(share: float) -> None:
    held = some_bricks(share)
    g = torch.Generator().manual_seed(1)
    field = torch.rand(len(held), 8, 8, 8, generator=g) - 0.1
    whole, there = dense(field, held, torch.nan), dense(torch.ones_like(field), held, 0.0) > 0
    sides = []
    for x, y, z in product((0, 1), repeat=3):
        sides.append(whole[x : x + 33, y : y + 33, z : z + 33])
    corners = torch.stack(sides)
    mixed = ((corners < 0).any(0) & (corners >= 0).any(0) & ~corners.isnan().any(0)).nonzero() - 1
    found = held.mixed_cells(field)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, mixed.tolist()))
    alone = torch.nn.functional.max_pool3d((~there).float()[None, None], 3, 1, 1)[0, 0] > 0
    rim = dense(held.rim().float(), held, 0.0) > 0
    assert torch.equal(rim[1:-1, 1:-1, 1:-1], (alone & there)[1:-1, 1:-1, 1:-1])


def test_bricks_around_a_cube_of_nodes_are_marked_and_no_others() -> None:
    for at, count, reach in (((16, 16, 16), 1, 3), ((13, 20, 12), 2, 3), ((0, 31, 8), 1, 1)):
        wanted = torch.zeros(4, 4, 4, dtype=torch.bool)
        bricks.mark(wanted, torch.tensor([at]), count, reach)
        spans = [
            {k // 8 for k in range(max(0, a - reach), min(31, a + count + reach) + 1)} for a in at
        ]
        assert {tuple(row) for row in wanted.nonzero().tolist()} == set(product(*spans))


def pins_of(held: bricks.Bricks, count: int) -> fine.Pins:
    g = torch.Generator().manual_seed(2)
    own = held.at[torch.randint(len(held), (count,), generator=g)]
    points = ((own + 0.2 + 0.6 * torch.rand(count, 3, generator=g)) / 4).double()
    facing = torch.randn(count, 3, generator=g).double() * 1e-3
    return fine.pinned(held, 32, points, facing, torch.rand(count, generator=g).double() * 1e-3)


def test_what_is_solved_for_is_the_least_energy_and_keeps_its_rim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "FINE_STEPS", 2000)
    monkeypatch.setattr(settings, "FINE_END", 1e-24)
    held = bricks.Bricks(torch.ones(4, 4, 4, dtype=torch.bool))
    pins = pins_of(held, 300)
    source = fine.spread_normals(held, pins, 0.5)
    start = torch.randn(source.shape, dtype=torch.float64)
    found = start.clone()
    fine.solve(found, source, held, pins, 0.7)
    free = ~held.rim()
    assert torch.equal(found[~free], start[~free])

    def energy(field: torch.Tensor) -> torch.Tensor:
        read = (field.view(-1)[pins.corner.long()] * pins.share).sum(0)
        smooth = (field * bricks.laplacian_reference(field, held.near)).sum() / 2
        return smooth - (source * field).sum() + (pins.weight / 0.7 * read**2).sum() / 2

    asked = found.clone().requires_grad_()
    (slope,) = torch.autograd.grad(energy(asked), asked)
    assert float(slope[free].abs().max()) < 1e-8
    assert float(energy(found)) < float(energy(start))


def test_the_normals_of_a_plane_rise_by_one_across_it_wherever_it_lies() -> None:
    held = bricks.Bricks(torch.ones(4, 4, 4, dtype=torch.bool))
    at = torch.arange(64, dtype=torch.float64) / 64
    flat = torch.cartesian_prod(at, at)
    normals = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand(len(flat), 3)
    areas = torch.full((len(flat),), 64.0**-2, dtype=torch.float64)
    for height in (10.1, 10.45, 10.55, 10.9):
        points = torch.cat((torch.full((len(flat), 1), height / 32, dtype=flat.dtype), flat), 1)
        pins = fine.pinned(held, 32, points, normals * areas[:, None], areas)
        source = dense(fine.spread_normals(held, pins, 0.0), held, 0.0)[1:-1, 16, 16]
        steps = -source.cumsum(0)  # chi_1 - chi_0, chi_2 - chi_1, ...
        assert float(steps.sum()) == pytest.approx(1.0, rel=1e-9)
        middle = float((steps * (torch.arange(32) + 0.5)).sum() / steps.sum())
        assert middle == pytest.approx(height, abs=1e-9)


@pytest.mark.parametrize("shape", ["bumpy", "torus", "noisy"])
def test_a_surface_near_points_alone_is_that_of_a_grid_that_fills_the_box(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = shapes.torus() if shape == "torus" else bumpy()
    points, normals = scan(mesh, 6000, 0.01 if shape == "noisy" else 0.0)
    whole = ml.poisson(points, normals, resolution=96)
    monkeypatch.setattr(settings, "FINE_FROM", (40, 40))
    monkeypatch.setattr(settings, "FINE_START", 40)
    found = ml.poisson(points, normals, resolution=96)
    assert found.is_watertight and found.topology.components().count == 1
    assert found.topology.euler_number == whole.topology.euler_number
    cell = float((points.amax(0) - points.amin(0)).max()) / 96
    assert off(found, whole)[0] < 0.1 * cell
    slack = 1.08 if shape == "noisy" else 1.02
    assert off(found, mesh)[0] < slack * off(whole, mesh)[0]
    assert found.vertex_attributes["confidence"].shape == (found.num_vertices, 1)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_exact_points_are_met_near_them_alone_from_fewer_cells_on(
    noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def told(*given: object, **how: object) -> fine.Level:
        taken.append(given)
        return fine.finer_levels(*given, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(surface, "finer_levels", told)
    points, normals = scan(bumpy(), 2000, noise)
    for resolution, wanted in ((48, 0), (80, int(noise == 0))):
        monkeypatch.setattr(settings, "FINE_FROM", (70, 120))
        monkeypatch.setattr(settings, "FINE_START", 60)
        ml.poisson(points, normals, resolution=resolution)
        assert len(taken) == wanted


@pytest.mark.usefixtures("near_alone")
def test_finer_cells_are_nearer() -> None:
    mesh = bumpy()
    points, normals = scan(mesh, 15_000)
    far = [off(ml.poisson(points, normals, resolution=r), mesh)[0] for r in (48, 96)]
    assert far[1] < 0.6 * far[0]


@pytest.mark.usefixtures("near_alone")
@pytest.mark.parametrize("resolution", [50, 120])
def test_gaps_are_closed_and_open_ones_trimmed(resolution: int) -> None:
    points, normals = scan(shapes.icosphere(4), 4000)
    seen = points[:, 2] < 0.5
    closed = ml.poisson(points[seen], normals[seen], resolution=resolution)
    assert closed.is_watertight and closed.topology.components().count == 1
    cut = ml.poisson(points[seen], normals[seen], trim=3.0, resolution=resolution)
    assert len(cut.topology.boundary_loops()) == 1
    assert float(cut.area()) == pytest.approx(2 * torch.pi * 1.5, rel=0.1)


@pytest.mark.usefixtures("near_alone")
def test_a_film_over_a_gap_that_no_point_is_near_stays_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(surface, "continued", lambda *_, **__: None)
    points, normals = scan(shapes.icosphere(4), 4000)
    seen = points[:, 2] < 0.3
    found = ml.poisson(points[seen], normals[seen], resolution=150)
    assert found.is_watertight and found.topology.components().count == 1


@pytest.mark.usefixtures("near_alone")
def test_a_sheet_that_leaves_the_box_ends_at_it_closed() -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.rand(3000, 3, generator=g) * torch.tensor([2.0, 2.0, 0.02])
    up = torch.tensor([0.0, 0.0, 1.0]).expand(3000, 3)
    found = ml.poisson(flat, up, resolution=120)
    assert found.is_watertight
    sheet = ml.poisson(flat, up, resolution=120, trim=2.0)
    assert float(sheet.vertices[:, 2].max()) < 0.05
    assert float(sheet.area()) == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("count", [16, 100])
def test_few_points_on_fine_cells_are_one_surface_as_near_as_on_all_cells(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, normals = scan(shapes.icosphere(4), 2000)
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:count]
    far = []
    for nodes in (320, 60):
        monkeypatch.setattr(settings, "FINE_FROM", (nodes, nodes))
        monkeypatch.setattr(settings, "FINE_START", 60)
        found = ml.poisson(points[order], normals[order], resolution=150)
        assert found.is_watertight and found.topology.components().count == 1
        far.append(float((found.vertices.norm(dim=1) - 1).abs().mean()))
    assert far[1] < 1.2 * far[0]


@pytest.mark.usefixtures("near_alone")
def test_any_number_of_threads_gives_the_same_bits() -> None:
    points, normals = scan(bumpy(), 2000)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(ml.poisson(points, normals, resolution=70))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(found[0].vertices, found[1].vertices)
    assert torch.equal(found[0].faces, found[1].faces)


def test_cells_beyond_memory_or_the_limit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    points, normals = scan(shapes.icosphere(3), 500)
    with pytest.raises(ValueError, match="expected 8 to 2048 cells, got 2049"):
        ml.poisson(points, normals, resolution=2049)
    monkeypatch.setattr("meshlearn._memory.available_memory", lambda device: 1 << 20)
    with pytest.raises(ValueError, match=r"resolution: the surface on .* lower the resolution"):
        ml.poisson(points, normals, resolution=300)


@pytest.mark.skipif(not HAS_NATIVE, reason="no compiled operators")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_compiled_laplacian_is_its_reference(dtype: torch.dtype) -> None:
    held = some_bricks(0.5)
    field = torch.randn(len(held), 8, 8, 8, dtype=dtype)
    made = torch.ops.meshlearn.brick_laplacian(field, held.near)
    assert torch.allclose(made, bricks.laplacian_reference(field, held.near), atol=1e-5)
    torch.library.opcheck(torch.ops.meshlearn.brick_laplacian, (field, held.near))
