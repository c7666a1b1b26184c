"""Every number of `metrics.compare` on shapes where it is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.metrics import compare, edge_points, sharp_edges
from tests.survey import NAMES, PLACES, survey_mesh

DOUBLE = torch.float64
SQUARE = math.sqrt(2)  # diagonal of a unit square
CUBE = math.sqrt(3)  # diagonal of a unit cube


def moved(mesh: ml.Mesh, *by: float) -> ml.Mesh:
    return mesh.with_vertices(mesh.vertices + mesh.vertices.new_tensor(by))


def joined(*meshes: ml.Mesh) -> ml.Mesh:
    faces, count = [], 0
    for mesh in meshes:
        faces.append(mesh.faces + count)
        count += mesh.num_vertices
    return ml.Mesh(torch.cat([mesh.vertices for mesh in meshes]), torch.cat(faces))


def sheet(low: float, high: float, *, cells: int = 1, z: float = 0.0) -> ml.Mesh:
    """The rectangle low <= x <= high, 0 <= y <= 1 at a height z, of 2 cells^2 triangles."""
    flat = shapes.plane(segments=(cells, cells), dtype=DOUBLE).vertices
    flat = flat - flat.amin(0)
    flat = flat / flat.amax(0).clamp(min=1e-9)
    size = flat.new_tensor([high - low, 1.0, 0.0])
    mesh = shapes.plane(segments=(cells, cells), dtype=DOUBLE)
    return mesh.with_vertices(flat * size + flat.new_tensor([low, 0.0, z]))


def cube() -> ml.Mesh:
    mesh = shapes.box(dtype=DOUBLE)
    v = mesh.vertices
    return mesh.with_vertices((v - v.amin(0)) / (v.amax(0) - v.amin(0)))


def tilted(degrees: float) -> ml.Mesh:
    """The unit square turned about the line through its middle along y."""
    flat = moved(sheet(0, 1), -0.5, -0.5, 0.0)
    a = math.radians(degrees)
    turn = torch.tensor(
        [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]], dtype=DOUBLE
    )
    return flat.with_vertices(flat.vertices @ turn)


def figures(pred: ml.Mesh, target: ml.Mesh, **options) -> dict:
    return compare(pred, target, **{"samples": 20_000, "quality": False, **options})


# --- two parallel planes: every distance is the gap -----------------------------------------------


@pytest.mark.parametrize("gap", [0.1, 0.004])
def test_parallel_planes(gap):
    target = sheet(0, 1)
    found = figures(moved(target, 0, 0, gap), target)
    unit = gap / SQUARE
    for name in ("chamfer", "accuracy", "completeness", "hausdorff", "boundary_chamfer"):
        assert found[name] == pytest.approx(unit, rel=1e-9), name
    assert found["chamfer_l2"] == pytest.approx(unit**2, rel=1e-9)
    assert found["chamfer_raw"] == pytest.approx(gap, rel=1e-9)
    assert found["hausdorff_raw"] == pytest.approx(gap, rel=1e-9)
    assert found["scale"] == pytest.approx(SQUARE, rel=1e-12)
    inside = 1.0 if unit <= 0.003 else 0.0
    assert [found[k] for k in ("precision", "recall", "f1")] == [inside] * 3
    assert found["normal_consistency"] == pytest.approx(1, abs=1e-12)
    assert found["inaccurate_normals_percent"] == found["flipped_normals_percent"] == 0
    # a plane has no sharp edges and encloses nothing
    assert found["edge_points_pred"] == found["edge_points_target"] == 0
    assert (found["edge_chamfer"], found["edge_f1"]) == (0, 1)
    assert found["sharp_edge_distance"] is None and found["volume_error"] is None
    assert found["area_error"] == pytest.approx(0, abs=1e-12) and found["empty"] is False
    assert [found[f"boundary_loops_{side}"] for side in ("pred", "target")] == [1, 1]
    assert [found[f"euler_{side}"] for side in ("pred", "target")] == [1, 1]


@pytest.mark.parametrize(("share", "within"), [(0.99, 1.0), (1.01, 0.0)])
def test_the_threshold_is_0_003_of_the_diagonal_unless_given(share, within):
    target = sheet(0, 1)
    gap = share * SQUARE
    assert figures(moved(target, 0, 0, 0.003 * gap), target)["f1"] == within
    assert figures(moved(target, 0, 0, 0.05 * gap), target, f1_threshold=0.05)["f1"] == within


# --- half of a plane: the two directions differ ---------------------------------------------------


def test_half_a_plane_is_precise_and_incomplete():
    found = figures(sheet(0, 0.5), sheet(0, 1))
    assert found["accuracy"] == pytest.approx(0, abs=1e-12)
    # the missing half lies at 0 to 1/2 from the other: mean 1/4 and mean square 1/12 of one half
    assert found["completeness"] == pytest.approx(1 / 8 / SQUARE, rel=0.02)
    assert found["chamfer"] == pytest.approx(1 / 16 / SQUARE, rel=0.02)
    assert found["chamfer_l2"] == pytest.approx(1 / 24 / 2 / 2, rel=0.03)
    assert found["hausdorff"] == pytest.approx(0.5 / SQUARE, rel=1e-9)
    assert found["precision"] == 1
    recall = 0.5 + 0.003 * SQUARE
    assert found["recall"] == pytest.approx(recall, abs=0.01)
    # the harmonic mean, 0.67; the arithmetic one would be 0.75
    assert found["f1"] == pytest.approx(2 * found["recall"] / (1 + found["recall"]), rel=1e-12)
    assert found["area_error"] == pytest.approx(0.5, rel=1e-9)
    # along the boundaries: 1/12 from the half's 3 units of length, 3/16 from the whole's 4
    assert found["boundary_chamfer"] == pytest.approx((1 / 12 + 3 / 16) / 2 / SQUARE, rel=0.01)
    other = figures(sheet(0, 1), sheet(0, 0.5))
    assert other["recall"] == 1 and other["precision"] == pytest.approx(recall, abs=0.01)
    assert other["area_error"] == pytest.approx(1, rel=1e-9)


def test_area_counts_and_not_the_number_of_faces():
    """One half of two faces lies on the target, the other of 800 faces 0.1 above it."""
    pred = joined(sheet(0, 0.5), sheet(0.5, 1, cells=20, z=0.1))
    found = figures(pred, sheet(0, 1))
    assert found["accuracy"] == pytest.approx(0.05 / SQUARE, rel=0.03)
    assert found["precision"] == pytest.approx(0.5, abs=0.015)


# --- normals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "percent"), [(4.9, 0), (5.1, 100), (30, 100)])
def test_a_tilted_plane(degrees, percent):
    a = math.radians(degrees)
    found = figures(tilted(degrees), tilted(0))
    assert found["normal_consistency"] == pytest.approx(math.cos(a), rel=1e-9)
    assert found["inaccurate_normals_percent"] == percent
    assert found["flipped_normals_percent"] == 0
    assert found["accuracy"] == pytest.approx(math.sin(a) / 4 / SQUARE, rel=0.02)
    assert found["completeness"] == pytest.approx(math.sin(a) / 4 / SQUARE, rel=0.02)
    assert found["hausdorff"] >= math.sin(a) / 2 / SQUARE * (1 - 1e-9)


def test_a_plane_turned_over():
    plane = tilted(0)
    found = figures(ml.Mesh(plane.vertices, plane.faces.flip(1)), plane)
    assert found["flipped_normals_percent"] == 100
    assert found["normal_consistency"] == pytest.approx(1, abs=1e-12)
    assert found["inaccurate_normals_percent"] == 0


# --- a cube and the same cube moved ---------------------------------------------------------------


def test_a_cube_and_the_same_cube_moved():
    d = 0.2
    found = figures(moved(cube(), d, 0, 0), cube(), edge_radius=0.01)
    # Six faces: four stand out by d at one end (mean d/2 over a share d), the front one lies d
    # away, and the back one inside, d or less from the nearest face: integral of (1 - 2t)^2.
    mean = (4 * d * d / 2 + (1 - (1 - 2 * d) ** 3) / 6 + d) / 6
    assert found["accuracy"] == pytest.approx(mean / CUBE, rel=0.02)
    assert found["completeness"] == pytest.approx(mean / CUBE, rel=0.02)
    assert found["hausdorff_raw"] == pytest.approx(d, rel=1e-9)
    # Twelve edges, from which the other cube's surface, then its edges, are so far away:
    assert found["sharp_edge_distance"] == pytest.approx((2 * d + d * d) / 6 / CUBE, rel=1e-3)
    assert found["edge_chamfer"] == pytest.approx((4 * d - d * d) / 6 / CUBE, rel=0.05)
    assert min(found["edge_points_pred"], found["edge_points_target"]) > 500
    assert found["volume_error"] == pytest.approx(0, abs=1e-12)
    assert found["area_error"] == pytest.approx(0, abs=1e-12)
    assert found["boundary_chamfer"] == 0
    assert [found[k] for k in ("euler_pred", "euler_target", "boundary_loops_pred")] == [2, 2, 0]


def test_edges_that_are_found_and_edges_that_are_missed():
    """Of two cubes 2 apart only one is there; the other's edges are 5/2 away in the mean."""
    target = joined(cube(), moved(cube(), 3, 0, 0))
    found = figures(cube(), target, edge_radius=0.01, edge_threshold=0.02)
    scale = math.sqrt(4**2 + 1 + 1)
    assert found["scale"] == pytest.approx(scale, rel=1e-12)
    share = 0.5  # precision 1, recall 1/2: harmonic mean 2/3, arithmetic 3/4
    assert found["edge_f1"] == pytest.approx(2 * share / (1 + share), abs=0.03)
    assert found["edge_chamfer"] == pytest.approx(0.5 * 2.5 / 2 / scale, rel=0.05)
    assert found["sharp_edge_distance"] == pytest.approx(0.5 * 2.5 / scale, rel=1e-2)
    assert found["f1"] == pytest.approx(2 / 3, abs=0.02)
    assert found["volume_error"] == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(("gap", "found"), [(0.0049, 1.0), (0.012, 0.0)])
def test_the_threshold_of_edges_is_0_005_of_the_diagonal(gap, found):
    """A roof and the same roof higher: its edge points, which lie within 0.004 of the ridge."""
    v = torch.tensor([[0, 0, 1], [1, 0, 1], [0, -1, 0], [1, -1, 0], [0, 1, 0], [1, 1, 0]])
    roof = ml.Mesh(v.to(DOUBLE), torch.tensor([[0, 2, 3], [0, 3, 1], [0, 1, 5], [0, 5, 4]]))
    higher = moved(roof, 0, 0, gap * math.sqrt(1 + 4 + 1))
    got = figures(higher, roof)
    assert got["edge_points_pred"] == got["edge_points_target"] > 50
    assert got["edge_f1"] == found
    assert found or got["edge_chamfer"] > 0.005


@pytest.mark.parametrize(
    ("apart", "cosine", "sharp"),
    [
        (0.0039, 0.19, True),
        (0.0041, 0.19, False),
        (0.0039, 0.21, False),
        (0.0039, -0.19, True),
        (0.0039, -0.9, False),
    ],
)
def test_what_an_edge_point_is(apart, cosine, sharp):
    points = torch.tensor([[0, 0, 0], [apart, 0, 0]], dtype=DOUBLE)
    normals = torch.tensor([[0, 0, 1], [0, math.sqrt(1 - cosine**2), cosine]], dtype=DOUBLE)
    assert edge_points(points, normals).tolist() == [sharp, sharp]


@pytest.mark.parametrize(("degrees", "count"), [(29.9, 0), (30.1, 1), (170.0, 1)])
def test_what_a_sharp_edge_is(degrees, count):
    a = math.radians(degrees)
    v = [[0, 0, 0], [1, 0, 0], [0.5, -1, 0], [0.5, math.cos(a), math.sin(a)]]
    fold = ml.Mesh(torch.tensor(v, dtype=DOUBLE), torch.tensor([[0, 2, 1], [0, 1, 3]]))
    assert sharp_edges(fold).tolist() == [[0, 1]] * count


# --- two spheres: the same polyhedron, scaled -----------------------------------------------------


def test_spheres_of_two_radii():
    target = shapes.icosphere(4, dtype=DOUBLE)
    pred = target.with_vertices(1.25 * target.vertices)
    found = figures(pred, target)
    # faces lie within their sagitta below the spheres that they are inscribed in
    deep = float(target.vertices[target.faces].mean(1).norm(dim=1).min())
    unit = float((target.vertices.amax(0) - target.vertices.amin(0)).norm())
    assert found["scale"] == pytest.approx(unit, rel=1e-12)
    for name in ("accuracy", "completeness", "chamfer", "hausdorff"):
        assert 0.25 * deep <= found[name] * unit <= 1.25 - deep, name
    assert found["hausdorff_raw"] >= 0.25 * (1 - 1e-9)  # at the corners, which lie on the spheres
    assert (0.25 * deep) ** 2 <= found["chamfer_l2"] * unit**2 <= (1.25 - deep) ** 2
    assert found["volume_error"] == pytest.approx(1.25**3 - 1, rel=1e-9)
    assert found["area_error"] == pytest.approx(1.25**2 - 1, rel=1e-9)
    assert found["normal_consistency"] > 0.999
    # faces beside one another differ by less than 5°, but for a few beside the first twelve corners
    assert found["inaccurate_normals_percent"] < 1 and found["flipped_normals_percent"] == 0
    assert found["f1"] == found["precision"] == found["recall"] == 0
    assert found["edge_points_target"] == 0 and found["sharp_edge_distance"] is None


# --- nothing at all -------------------------------------------------------------------------------


def test_a_prediction_without_a_surface():
    nothing = ml.Mesh(torch.zeros(0, 3, dtype=DOUBLE), torch.zeros(0, 3, dtype=torch.int64))
    found = figures(nothing, cube())
    assert found["empty"] is True
    far = ["chamfer", "chamfer_l2", "chamfer_raw", "accuracy", "completeness", "hausdorff"]
    far += ["hausdorff_raw", "edge_chamfer", "sharp_edge_distance"]
    assert all(math.isinf(found[name]) for name in far)
    none = ["precision", "recall", "f1", "edge_f1", "normal_consistency", "edge_points_pred"]
    none += ["flipped_normals_percent", "boundary_loops_pred", "euler_pred", "boundary_chamfer"]
    assert all(found[name] == 0 for name in none)
    assert found["inaccurate_normals_percent"] == 100
    assert found["area_error"] == 1 and found["volume_error"] is None
    assert found["euler_target"] == 2 and found["edge_points_target"] > 50
    assert found.keys() == figures(cube(), cube()).keys()


def test_the_seed_chooses_the_points():
    pred, target = sheet(0, 0.5), sheet(0, 1)
    one, again, other = (figures(pred, target, seed=s)["completeness"] for s in (0, 0, 1))
    assert one == again != other


def bent(mesh: ml.Mesh, by: float) -> ml.Mesh:
    wave = torch.sin(torch.arange(mesh.num_vertices)).to(mesh.dtype)
    return mesh.with_vertices(mesh.vertices + by * wave[:, None])


@pytest.mark.parametrize(("offset", "size"), PLACES, ids=NAMES)
def test_figures_do_not_depend_on_the_place(offset, size):
    near, far = (survey_mesh(at, size=size) for at in (0 * offset, offset))
    first, second = (compare(bent(m, 0.1 * size), m, samples=4000) for m in (near, far))
    for name in ("chamfer", "hausdorff", "area_error", "normal_consistency", "f1"):
        assert second[name] == pytest.approx(first[name], rel=2e-3, abs=1e-6), name
    for name in ("faces", "boundary_edges", "self_intersecting_percent", "degenerate_percent"):
        assert second[name] == first[name]


def test_single_precision_far_off_is_judged_as_what_it_holds():
    target = survey_mesh().to(torch.float32)
    pred = bent(target, 0.5)
    assert compare(pred, target, samples=2000) == compare(
        pred.to(DOUBLE), target.to(DOUBLE), samples=2000
    )
