"""`wrap`: closed, manifold, oriented, free of crossings, around anything."""

import math
import re
import warnings

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn import Mesh, geometry
from meshlearn.data import shapes
from meshlearn.geometry.wrapping import cells
from tests.geometry.shapes import octahedron, soup, sphere
from tests.shared_data import shared_data

CUBE = [[0, 1, 2], [0, 2, 3]]


def diagonal(mesh) -> float:
    corner = mesh.triangles.reshape(-1, 3)
    return float((corner.amax(0) - corner.amin(0)).norm())


def good(made: Mesh, shape: Mesh, offset: float) -> Mesh:
    """`made`, after checks of all that a wrap promises."""
    assert made.dtype == shape.dtype
    assert made.is_watertight and made.is_vertex_manifold and made.is_consistently_oriented
    assert int((ml.metrics.self_intersections(made) >= 0).sum()) == 0
    assert float(made.volume()) > 0
    both = Mesh(
        torch.cat([made.vertices, shape.vertices]),
        torch.cat([made.faces, shape.faces + made.num_vertices]),
    )
    crossing = ml.metrics.self_intersections(both)[: made.num_faces]
    assert not bool((crossing >= 0).any())  # so each part of the shape is within or without
    corners = shape.triangles.reshape(-1, 3)
    assert float(ml.winding_number(corners, made).min()) > 0.9
    away = ml.point_mesh_distance(made.vertices, shape)[0].sqrt()
    assert float(away.quantile(0.02)) > 0.2 * offset
    return made


def box(size=(1.0, 1.0, 1.0)) -> Mesh:
    return shapes.box(size, dtype=torch.float64)


def shell(solid: Mesh, thick: float, drop: int) -> Mesh:
    """Two walls, `thick` apart, with faces missing in both."""
    inner = solid.vertices - thick * solid.vertex_normals()
    faces = torch.cat([solid.faces, solid.faces.flip(1) + solid.num_vertices])
    rng = torch.Generator().manual_seed(0)
    keep = torch.randperm(len(faces), generator=rng)[drop:].sort().values
    return Mesh(torch.cat([solid.vertices, inner]), faces[keep])


def test_a_box_keeps_its_edges():
    solid = box()
    made = good(geometry.wrap(solid, 0.1, 0.01), solid, 0.01)
    assert made.topology.euler_number == 2
    away = made.vertices.abs().amax(1) - 0.5
    assert float((away - 0.01).abs().quantile(0.98)) < 5e-4  # a hundredth of a cell
    assert float(made.vertices.abs().sum(1).max()) == pytest.approx(1.53, abs=5e-3)  # its corners
    assert float(made.volume()) == pytest.approx(1.02**3, rel=1e-3)


def test_a_double_shell_with_holes_is_a_solid():
    solid = shapes.icosphere(4).to(torch.float32)
    broken = shell(solid, 0.03, 24)
    made = good(geometry.wrap(broken, 0.1), broken, 0.01)
    assert made.topology.topological_type == (1, 2)
    assert float(made.volume()) == pytest.approx(float(solid.volume()), rel=0.05)


def test_the_double_shell_of_spot():
    spot = ml.load(shared_data("meshes", "spot.obj"))
    broken = shell(spot, 0.008 * diagonal(spot), 24)
    made = good(geometry.wrap(broken), broken, 1e-3 * diagonal(spot))
    assert made.topology.topological_type == (1, 2)
    assert 0.72 < float(made.volume()) < 0.74


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soups_and_odd_faces(dtype):
    for shape in (soup(120, dtype), octahedron(dtype), sphere(8, dtype)):
        good(geometry.wrap(shape, 0.08 * diagonal(shape)), shape, 0.008 * diagonal(shape))


def test_a_sheet_is_wrapped_from_both_sides():
    corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    sheet = Mesh(corner, torch.tensor(CUBE))
    made = good(geometry.wrap(sheet, 0.1, 0.02), sheet, 0.02)
    assert made.topology.euler_number == 2
    assert float(made.volume()) == pytest.approx(0.04 * 1.04**2, rel=0.1)


def test_offset_is_the_distance():
    solid = sphere(16, torch.float64, bumps=0.0)
    for offset in (0.01, 0.05, 0.3):
        made = good(geometry.wrap(solid, 0.2, offset), solid, offset)
        away = ml.point_mesh_distance(made.vertices, solid)[0].sqrt()
        assert float((away - offset).abs().quantile(0.95)) < 0.02 * offset + 1e-3
        assert float(away.max()) < offset + 0.1  # and a cell


def test_tight_is_on_the_surface():
    solid = box()
    made = geometry.wrap(solid, 0.1, tight=True)
    assert made.is_watertight and not bool((ml.metrics.self_intersections(made) >= 0).any())
    assert float(made.volume()) == pytest.approx(1.0, rel=2e-3)
    assert float((made.vertices.abs().amax(1) - 0.5).abs().quantile(0.98)) < 1e-4


def test_cavities_are_filled_or_kept():
    outer, inner = box(), box((0.5, 0.5, 0.5))
    hollow = Mesh(
        torch.cat([outer.vertices, inner.vertices]),
        torch.cat([outer.faces, inner.faces.flip(1) + 8]),
    )
    filled = geometry.wrap(hollow, 0.1, 0.01)
    kept = good(geometry.wrap(hollow, 0.1, 0.01, keep_cavities=True), hollow, 0.01)
    assert filled.topology.topological_type == (1, 2)
    assert kept.topology.topological_type == (2, 4)
    assert float(kept.volume()) == pytest.approx(1.02**3 - 0.48**3, rel=5e-3)


def open_box(size: float) -> Mesh:
    """A box of 2 with a square hole of width `size` in the middle of its lid, as one sheet."""
    solid = box((2.0, 2.0, 2.0))
    top = (solid.triangles[:, :, 2] > 0.9).all(1)
    ring = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    lid = torch.cat([ring, ring * size / 2])
    lid = torch.cat([lid, torch.ones(8, 1, dtype=lid.dtype)], 1)
    faces = [[i, (i + 1) % 4, 4 + (i + 1) % 4] for i in range(4)]
    faces += [[i, 4 + (i + 1) % 4, 4 + i] for i in range(4)]
    return Mesh(
        torch.cat([solid.vertices, lid]), torch.cat([solid.faces[~top], torch.tensor(faces) + 8])
    )


def test_holes_up_to_a_diameter():
    shape = open_box(0.6)
    opened = good(geometry.wrap(shape, 0.2, 0.02), shape, 0.02)
    assert float(opened.volume()) < 2
    closed = good(geometry.wrap(shape, 0.2, 0.02, holes_up_to=0.8), shape, 0.02)
    assert closed.topology.topological_type == (1, 2)
    assert float(closed.volume()) == pytest.approx(2.04**3, rel=0.03)
    small = geometry.wrap(shape, 0.2, 0.02, holes_up_to=0.4)
    assert float(small.volume()) < 2
    cup = open_box(1.999)  # as wide as the room behind it: no hole, but a cup
    assert float(geometry.wrap(cup, 0.2, 0.02, holes_up_to=1.5).volume()) < 2


def test_points():
    points = shapes.icosphere(4).vertices
    made = geometry.wrap(points)
    assert made.topology.topological_type == (1, 2) and made.is_vertex_manifold
    assert float(made.volume()) == pytest.approx(4.19, rel=0.06)
    assert float(ml.winding_number(points, made).min()) > 0.9
    with pytest.warns(UserWarning, match=r"12 parts; an alpha above 2\.5"):
        geometry.wrap(shapes.icosphere(0).vertices, 0.1, 0.05)


def test_points_few_flat_and_at_one_place():
    flat = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    flat[:, 2] = 4
    assert geometry.wrap(flat, 0.2).is_watertight
    one = torch.ones(5, 3)
    made = geometry.wrap(one, 0.1, 0.05)
    assert made.topology.topological_type == (1, 2)
    assert float((made.vertices - 1).norm(dim=1).median()) == pytest.approx(0.05, rel=0.05)
    with pytest.raises(ValueError, match="alpha: expected a radius, since all of the shape is at"):
        geometry.wrap(one)
    with pytest.raises(ValueError, match="keep_cavities: points do not tell"):
        geometry.wrap(flat, keep_cavities=True)


def test_points_are_an_array_or_a_list():
    points = shapes.icosphere(1).vertices.float()
    made = geometry.wrap(points, np.float32(0.8))
    for given in (points.numpy(), points.tolist()):
        same = geometry.wrap(given, float(np.float32(0.8)))
        assert torch.equal(same.faces, made.faces) and torch.equal(same.vertices, made.vertices)
    two = [[0.0, 0, 0], [1, 0, 0]]  # the default is no larger than the shape
    assert geometry.wrap(two, offset=0.3).topology.topological_type == (1, 2)
    with pytest.warns(UserWarning, match="has 2 parts; a larger offset joins"):
        geometry.wrap(two)


def test_a_tight_wrap_of_points_has_no_handles():
    rng = torch.Generator().manual_seed(0)
    points = ml.sample_points(shapes.icosphere(4), 3000, generator=rng)
    made = geometry.wrap(points, tight=True)
    assert made.topology.topological_type == (1, 2)
    assert float((made.vertices.norm(dim=1) - 1).abs().quantile(0.95)) < 0.01


def test_scattered_points_are_all_enclosed():
    """Also where many rounds bring vertices back."""
    rng = torch.Generator().manual_seed(0)
    points = ml.sample_points(shapes.icosphere(3), 1500, generator=rng).double()
    points = points + 0.05 * torch.randn(points.shape, dtype=points.dtype, generator=rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = geometry.wrap(points, 0.1)
    assert not bool((ml.metrics.self_intersections(made) >= 0).any())
    assert float(ml.winding_number(points, made).min()) > 0.9


def test_a_wanted_hole_that_is_closed_is_told():
    torus = shapes.torus(1.0, 0.6)  # whose hole is 0.8 wide
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert geometry.wrap(torus, 0.2).topology.genus == 1
    with pytest.warns(UserWarning) as told:
        assert geometry.wrap(torus, 0.5).topology.genus == 0
    found = re.fullmatch(
        "alpha: 1 of 1 openings through the shape closed, the widest about (.*) wide; an alpha "
        "below (.*) keeps that one open",
        str(told[0].message),
    )
    assert found is not None and float(found[1]) == pytest.approx(0.8, rel=0.15)
    assert geometry.wrap(torus, 0.99 * float(found[2])).topology.genus == 1
    assert float(found[2]) > 0.25


def washer(inner: float, height: float, turned: float) -> Mesh:
    """A disc of radius 1 with a round hole, its axis turned away from those of the grid."""
    n = 64
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    ring = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], 1)
    up = torch.tensor([0.0, 0, height / 2], dtype=torch.float64)
    corner = torch.cat([ring - up, ring + up, inner * ring + up, inner * ring - up])
    faces = []
    for i in range(n):
        j = (i + 1) % n
        for k in range(4):
            a, b = k * n, (k + 1) % 4 * n
            faces += [[a + i, a + j, b + j], [a + i, b + j, b + i]]
    c, s = math.cos(turned), math.sin(turned)
    turn = torch.tensor([[c, 0.0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float64)
    return Mesh(corner @ turn.T, torch.tensor(faces))


@pytest.mark.parametrize(("turned", "offset"), [(0.0, 0.04), (0.3, 0.01), (0.8, 0.02)])
def test_a_hole_as_wide_as_the_ball_decides(turned, offset):
    """Balls go through what is a little wider than they are, wherever cells lie."""
    alpha = 0.12
    for width, genus in ((0.9, 0), (1.06, 1)):
        shape = washer(width * (alpha + offset), 0.6, turned)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = geometry.wrap(shape, alpha, offset)
        assert made.topology.genus == genus


def beyond(made: Mesh, shape: Mesh, alpha: float, offset: float) -> float:
    """How far the wrap is from where it should be, in cells.

    That is further from the shape than the offset, and so deep in a ball that keeps the offset: in
    corners that no ball enters the wrap may be as far as it is.
    """
    cell = min(max(0.005 * diagonal(shape), alpha / 6), alpha / 2)
    middle = made.vertices.double().mean(0)
    near, around = (m.with_vertices((m.vertices - middle).float()) for m in (shape, made))
    rng = torch.Generator().manual_seed(0)
    samples = geometry.sample_surface(around, 5000, generator=rng).points
    points = torch.cat([around.vertices, samples])
    tree, own = geometry.MeshBVH(near), geometry.MeshBVH(around)
    away = tree.closest(points)[0].sqrt() - offset
    points, away = points[away > cell], away[away > cell]
    if not len(points):
        return 0.0
    worst = 0.0
    way = torch.nn.functional.normalize(torch.randn(400, 3, generator=rng), dim=1)
    way = way * alpha * torch.rand(400, 1, generator=rng) ** (1 / 3)
    for point, off in zip(points.split(200), away.split(200), strict=True):
        centre = (point[:, None] + way).reshape(-1, 3)
        fits = tree.closest(centre)[0].sqrt() >= alpha + offset
        fits[fits.clone()] = own.winding_number(centre[fits]) < 0.5
        depth = (alpha - way.norm(dim=1)) * fits.view(-1, 400)
        worst = max(worst, float(torch.minimum(depth.amax(1), off).max()))
    return worst / cell


@pytest.mark.parametrize(
    ("name", "share"), [("human_woman.obj", 0.01), ("human_woman.obj", 0.02), ("hand.mesh", 0.02)]
)
def test_balls_leave_nothing_behind(name, share):
    shape = ml.load(shared_data("meshes", name))
    alpha = share * diagonal(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = good(geometry.wrap(shape, alpha), shape, 0.1 * alpha)
    assert beyond(made, shape, alpha, 0.1 * alpha) < 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_size(dtype):
    solid = sphere(8, dtype)
    made = geometry.wrap(solid, 0.25)
    for power in (-60, -20, 30, 110):
        size = 2.0**power
        other = geometry.wrap(solid.with_vertices(solid.vertices * size), 0.25 * size)
        assert torch.equal(other.faces, made.faces)
        assert float((other.vertices / size - made.vertices).abs().max()) < 1e-6
    alone = geometry.wrap(torch.ones(1, 3, dtype=dtype) * 1e-30, 1e-30)
    assert alone.topology.topological_type == (1, 2)
    if dtype == torch.float64:
        with pytest.raises(ValueError, match="shape: expected a size between 1e-60 and 1e"):
            geometry.wrap(solid.with_vertices(solid.vertices * 1e-80), 1e-81)
    else:
        with pytest.raises(ValueError, match="is too fine for coordinates"):
            geometry.wrap(solid.with_vertices(solid.vertices * 1e-43), 3e-44)


def test_far_from_the_origin():
    shift = torch.tensor([500_000.0, 5_400_000.0, 300.0], dtype=torch.float64)
    solid = box()
    far = solid.with_vertices(solid.vertices + shift)
    here, there = geometry.wrap(solid, 0.1, 0.01), geometry.wrap(far, 0.1, 0.01)
    assert torch.equal(here.faces, there.faces)
    assert float((there.vertices - shift - here.vertices).abs().max()) < 1e-6
    with pytest.raises(ValueError, match=r"alpha: 0\.1 is too fine for coordinates"):
        geometry.wrap(far.to(torch.float32), 0.1, 0.01)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"alpha": 0.0}, "alpha: expected the radius of the ball above 0, got 0.0"),
        ({"alpha": math.nan}, "alpha: expected the radius"),
        ({"alpha": True}, "alpha: expected the radius of the ball above 0, got True"),
        ({"alpha": "1%"}, "alpha: expected the radius of the ball above 0, got '1%'"),
        ({"alpha": 5.0}, "alpha: 5 is larger than the shape, whose diagonal is 1.73"),
        ({"offset": -1.0}, "offset: expected a distance from the shape of at least 0"),
        ({"offset": 3.0}, "offset: 3 is larger than the shape"),
        ({"holes_up_to": 9.0}, "holes_up_to: 9 is larger than the shape"),
        ({"alpha": 1e-5}, "give at least"),
    ],
)
def test_lengths_that_are_refused(given, text):
    with pytest.raises(ValueError, match=text):
        geometry.wrap(box(), **given)


def test_shapes_that_are_refused():
    with pytest.raises(ValueError, match="shape: expected a Mesh or points"):
        geometry.wrap("part.obj")
    with pytest.raises(ValueError, match="nothing to wrap"):
        geometry.wrap(torch.zeros(0, 3))
    bad = box()
    bad.vertices[0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        geometry.wrap(bad)


def random_codes(seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    code = torch.randint(0, 6, (9, 10, 11), dtype=torch.uint8, generator=rng)
    code[torch.rand(code.shape, generator=rng) < 0.5] = 5
    edge = torch.ones_like(code, dtype=torch.bool)
    edge[1:-1, 1:-1, 1:-1] = False
    code[edge] = 5
    return code


@pytest.mark.parametrize("seed", range(3))
def test_cells_equal_their_reference(seed):
    code = random_codes(seed)
    for wide in ((), (1.5,), (1.5, 2.9), (4.5,)):
        for cavities in (False, True):
            found = cells.cells_inside(code, 1.9, wide=wide, cavities=cavities)
            wanted = cells.cells_inside_reference(code, 1.9, wide=wide, cavities=cavities)
            assert torch.equal(found, wanted)
    inside = (torch.rand(9, 10, 11, generator=torch.Generator().manual_seed(seed)) < 0.3).byte()
    inside *= (code < 9) & (torch.nn.functional.pad(torch.ones(5, 6, 7), (2,) * 6) > 0)
    mended = cells.mend_cells(inside)
    assert torch.equal(mended, cells.mend_reference(inside))
    corner, squares = cells.cell_surface(mended)
    other, others = cells.surface_reference(mended)
    assert torch.equal(corner, other) and sorted(turned(squares)) == sorted(turned(others))
    triangles = torch.cat([squares[:, [0, 1, 2]], squares[:, [0, 2, 3]]])
    made = Mesh(corner.double(), triangles)
    assert made.is_watertight and made.is_vertex_manifold and made.is_consistently_oriented
    assert float(made.volume()) == pytest.approx(int(mended.sum()))


def turned(squares: torch.Tensor) -> list[list[int]]:
    """Squares from their smallest corner on."""
    rows = squares.tolist()
    return [row[row.index(min(row)) :] + row[: row.index(min(row))] for row in rows]


def test_blocks_decide_as_cells_do():
    """Codes by blocks are those of each centre, where the ball comes."""
    bounds = torch.tensor([0.09, 0.3, 0.5])
    low, cell, size = torch.full((3,), -1.6), 0.1, [32, 32, 32]

    def distance(points):
        return (points.norm(dim=1) - 0.7).abs()

    centre = low + (torch.cartesian_prod(*(torch.arange(32),) * 3) + 0.5) * cell
    wanted = torch.bucketize(distance(centre), bounds).view(size).byte()
    assert torch.equal(cells.codes(distance, low, cell, size, bounds), wanted)
    pruned = cells.codes(distance, low, cell, size, bounds, reach=3.0)
    assert int((pruned != wanted).sum()) > 100
    assert torch.equal(cells.cells_inside(pruned, 3.0), cells.cells_inside(wanted, 3.0))


@pytest.mark.slow
def test_options_on_real_shapes():
    spot = ml.load(shared_data("meshes", "spot.obj"))
    size, solid = diagonal(spot), float(spot.volume())
    alpha = 0.02 * size

    inner = spot.vertices - 0.05 * size * spot.vertex_normals()
    hollow = Mesh(
        torch.cat([spot.vertices, 0.5 * inner]),
        torch.cat([spot.faces, spot.faces.flip(1) + spot.num_vertices]),
    )
    kept = geometry.wrap(hollow, alpha, keep_cavities=True)
    filled = geometry.wrap(hollow, alpha)
    assert int(filled.topology.components().count) == 1
    assert int(kept.topology.components().count) > 1
    assert float(kept.volume()) < 0.98 * float(filled.volume())

    belly = (spot.triangles.mean(1) - spot.vertices[spot.vertices[:, 0].argmax()]).norm(dim=1)
    cut = spot.submesh(belly > 0.06 * size).mesh
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shut = geometry.wrap(cut, alpha, holes_up_to=0.2 * size)
        opened = geometry.wrap(cut, alpha)
    assert float(shut.volume()) == pytest.approx(solid, rel=0.06)
    assert float(opened.volume()) < 0.7 * solid

    fandisk = ml.load(shared_data("meshes", "fandisk.obj"))
    tight = geometry.wrap(fandisk, 0.02 * diagonal(fandisk), tight=True)
    away = ml.point_mesh_distance(fandisk.vertices, tight)[0].sqrt() / diagonal(fandisk)
    assert float(away.quantile(0.95)) < 2e-4 and float(away.max()) < 0.01
    assert not bool((ml.metrics.self_intersections(tight) >= 0).any())


@pytest.mark.slow
def test_all_shared_meshes():
    for path in sorted(shared_data("meshes").iterdir()):
        if path.suffix in (".json", ".jpg", ".mtl"):
            continue
        mesh = ml.load(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = geometry.wrap(mesh, 0.02 * diagonal(mesh))
        good(made, mesh, 0.002 * diagonal(mesh))
        assert beyond(made, mesh, 0.02 * diagonal(mesh), 0.002 * diagonal(mesh)) < 1, path.name
