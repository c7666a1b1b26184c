"""Numbers of a heart that can be written down: its shape, its fields, and the steps of its fit.

The numbers of the method stand here a second time, so that one that changes by mistake is seen.
"""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from meshlearn.heart import HeartFit, HeartSettings, InitialPose, dense, find_initial_pose, read_out
from meshlearn.heart.data.contours import Contours, from_arrays
from meshlearn.heart.fit.data_term import DataTerm, huber
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.one_frame import apply_initial_pose
from meshlearn.heart.model import SIZE, Flow, HeartModel, Primitive, index_of, rotation
from meshlearn.heart.model.population import gaussian_prior
from meshlearn.heart.results.clinical import aha_segments, residuals

DOUBLE = torch.float64


def average(**logarithms: float) -> Primitive:
    """The average heart, but for parameter functions that are set to one value, in their unit."""
    theta = torch.zeros(1, SIZE, dtype=DOUBLE)
    heart = Primitive(theta)
    for name, value in logarithms.items():
        heart.p[name] = torch.zeros_like(heart.p[name])
        heart.p[name][..., 0 if heart.p[name].dim() > 2 else slice(None)] = value
    return heart


def row_of(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=DOUBLE)


# --- the shape ------------------------------------------------------------------------------------


def test_the_average_left_ventricle_is_an_ellipsoid_of_27_and_88_mm():
    """x = 27 cos u, and 88 mm from the apex at u = -π/2 to the base at u = 0.35."""
    t = torch.linspace(0, 1, 11, dtype=DOUBLE)[None]
    u = t * (math.pi / 2 + 0.35) - math.pi / 2
    points = average().chart(t, torch.zeros_like(t), torch.zeros_like(t))[0]
    z = 88 * ((1 + torch.sin(u[0])) / (1 + math.sin(0.35)) - 0.5)
    want = torch.stack([27 * torch.cos(u[0]), torch.zeros(11, dtype=DOUBLE), z], 1)
    assert torch.allclose(points, want, atol=1e-9)
    across = average().chart(t, torch.full_like(t, math.pi / 2), torch.zeros_like(t))[0]
    assert torch.allclose(across[:, 1], want[:, 0], atol=1e-9)


def test_the_axis_twists_and_bends():
    """By 0.5 radians from x to y, then by 3 and -2 mm."""
    heart = average(twist=0.5, bend_x=3.0, bend_y=-2.0)
    t, v = row_of(0.5, 0.5), row_of(0.0, math.pi / 2)
    straight = average().chart(t, v, torch.zeros_like(t))[0]
    r = straight[0, 0]
    want = torch.stack([r * math.cos(0.5) + 3, r * math.sin(0.5) - 2, straight[0, 2]])
    across = torch.stack([-r * math.sin(0.5) + 3, r * math.cos(0.5) - 2, straight[0, 2]])
    assert torch.allclose(heart.chart(t, v, torch.zeros_like(t))[0], torch.stack([want, across]))


def test_volume_of_the_average_left_ventricle():
    """Of the ellipsoid up to its base, and of a lid of 4 mm over it, a paraboloid."""
    s = math.sin(0.35)
    body = math.pi * 27**2 * 88 / (1 + s) * (s - s**3 / 3 + 2 / 3)
    lid = math.pi * (27 * math.cos(0.35)) ** 2 * 4 / 2
    with torch.no_grad():
        mesh = HeartModel(dtype=DOUBLE).mesh("lv", rows=40, columns=80)
    # the lid's three rings are straight between, which takes a tenth of its volume
    assert abs(float(mesh.volume()) - body - 0.9 * lid) < 0.003 * body


def test_the_wall_is_as_thick_as_its_logarithm_says():
    heart = average(wall=math.log(10.0))
    row, column = row_of(0.1, 0.4, 0.7, 1.0), row_of(0.0, 0.3, 0.6, 0.9)
    assert torch.allclose(heart.thickness(row, column), row_of(10, 10, 10, 10))
    gap = heart.sheet("wall", row, column) - heart.sheet("lv", row, column)
    assert torch.allclose(gap.norm(dim=-1), row_of(10, 10, 10, 10))


def test_walls_of_the_right_ventricle_stand_at_known_depths():
    """30 mm deep in its middle, beneath a muscle of 4 mm; its insertions at 0.9 radians."""
    heart = average(wall=math.log(10.0), bulge=math.log(30.0), rv_wall=math.log(4.0))
    heart.p["rv_wall"][:, 1] = 0.0
    back, front = heart.insertions(row_of(0.5))
    assert (float(back), float(front)) == pytest.approx((-0.9, 0.9))
    row, middle = row_of(1.0), row_of(0.5)
    depth = [heart.coordinates(torch.tensor([k]), row, middle)[2].item() for k in (2, 3)]
    across, along = (1 + 1e-5) ** 0.45 - 1e-5**0.45, 1.001**0.5 - 1e-3**0.5
    assert depth[0] == pytest.approx(10) and depth[1] == pytest.approx(10 + 30 * across * along)
    over, beside = (
        heart.coordinates(torch.tensor([4]), row_of(0.6), row_of(c)) for c in (0.2, 0.7)
    )
    free = average(wall=math.log(10.0), bulge=math.log(30.0))._depth(
        torch.tensor([3]), over[0], over[1], row_of(0.5), heart.insertions(over[0].t)
    )
    assert float(over[2] - free) == pytest.approx(4) and float(beside[2]) == pytest.approx(10)


def test_a_constant_velocity_moves_by_itself():
    """In units of 50 mm, whatever the steps; its energy is the squared way."""
    flow = Flow(generator=torch.Generator().manual_seed(0)).double().requires_grad_(False)
    flow.biases[2].copy_(torch.tensor([0.1, -0.2, 0.04]))
    x = torch.randn(1, 7, 3, dtype=DOUBLE)
    moved, energy = flow(x, steps=3)
    way = torch.tensor([5.0, -10.0, 2.0], dtype=DOUBLE)
    assert torch.allclose(moved, x + way) and torch.allclose(energy, (way**2).sum()[None])
    back, _ = flow(moved, inverse=True)
    assert torch.allclose(back, x)


def test_the_integrator_is_of_fourth_order():
    """Half the step, a sixteenth of the error."""
    flow = Flow(generator=torch.Generator().manual_seed(1)).double().requires_grad_(False)
    flow.weights[2].normal_(0, 0.15, generator=torch.Generator().manual_seed(2))
    x = 30 * torch.randn(1, 50, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(3))
    exact = flow(x, steps=256)[0]
    coarse, fine = ((flow(x, steps=n)[0] - exact).norm() for n in (8, 16))
    assert 11 < float(coarse / fine) < 22


# --- fields and measures --------------------------------------------------------------------------


def test_angles_of_the_average_heart_are_those_of_its_ellipsoid():
    model = HeartModel()
    made = dense(model, rows=10, columns=20)
    lv = made.label == 0
    u, points = made.u[lv], made.vertices[lv]
    assert float(u.min()) == pytest.approx(-math.pi / 2) and float(u.max()) == pytest.approx(0.35)
    assert torch.allclose(points[:, :2].norm(dim=1), 27 * torch.cos(u), atol=1e-3)
    angle = torch.atan2(points[:, 1], points[:, 0])[1:]
    assert torch.allclose(torch.cos(angle), torch.cos(made.v[lv][1:]), atol=1e-4)


def test_segments_change_where_the_aha_says():
    """At a third and two thirds of what lies above the apex; six, six and four of them around."""
    height = torch.tensor([0.70, 0.68, 0.40, 0.38, 0.09, 0.07])
    assert aha_segments(height, torch.full((6,), 0.1)).tolist() == [3, 9, 9, 14, 14, 17]
    around = torch.tensor([0.1, 0.3, 0.45, 0.6, 0.75, 0.9])
    assert aha_segments(torch.full((6,), 0.9), around).tolist() == [3, 2, 1, 6, 5, 4]
    around = torch.tensor([0.2, 0.5, 0.7, 0.9])
    assert aha_segments(torch.full((4,), 0.2), around).tolist() == [14, 13, 16, 15]


def outside(model: HeartModel, *millimetres: float) -> Contours:
    """Contours of the LV cavity that lie so far outside it, one slice for each distance."""
    with torch.no_grad():
        mesh = model.mesh("lv", rows=32, columns=80, closed=False).to(DOUBLE)
    middles = mesh.vertices[mesh.faces].mean(1)[200::7]
    normals = mesh.face_normals()[200::7]
    points = torch.cat([middles + gap * normals for gap in millimetres])
    number = torch.arange(len(millimetres)).repeat_interleave(len(middles))
    return from_arrays(points, ["lv_endo"] * len(points), slice=number.tolist())


def test_distances_of_contours_are_told_in_mm():
    model = HeartModel()
    found = residuals(outside(model, 1.0, 3.0), dense(model))["lv"]
    assert found["mean_mm"] == pytest.approx(2.0, rel=1e-3)
    assert found["rms_mm"] == pytest.approx(5**0.5, rel=1e-3)
    assert found["p95_mm"] == pytest.approx(3.0, rel=1e-3)


def test_volume_mass_and_their_error_are_told_in_ml_and_g():
    """The error: area times the standard error of the offsets -1, 0, 1, 2 mm between slices."""
    model = HeartModel()
    with torch.no_grad():
        lv, wall = (model.mesh(n, rows=32, columns=80).volume().double() for n in ("lv", "wall"))
        area = float(model.mesh("lv", rows=32, columns=80, closed=False).area())
    report = read_out(HeartFit(model, outside(model, -1.0, 0.0, 1.0, 2.0), {}))
    assert report["lv_volume_ml"] == pytest.approx(float(lv) / 1000, rel=1e-5)
    assert report["lv_mass_g"] == pytest.approx(1.05 * float(wall - lv) / 1000, rel=1e-5)
    spread = (5 / 3) ** 0.5 / 4**0.5
    assert report["lv_volume_error_ml"] == pytest.approx(area * spread / 1000, rel=0.01)


# --- first pose and size --------------------------------------------------------------------------


def cylinder(radius: float) -> Contours:
    """Rings of an LV along z from 0 to 72 mm, an RV to the side of x, an apex point at -10."""
    turn = torch.arange(24, dtype=DOUBLE) * (2 * math.pi / 24)
    ring = torch.stack([radius * torch.cos(turn), radius * torch.sin(turn)], 1)
    points, labels, numbers = [], [], []
    for number in range(9):
        z = torch.full((24, 1), 9.0 * number, dtype=DOUBLE)
        beside = ring + torch.tensor([3 * radius, 0.0], dtype=DOUBLE)
        points += [torch.cat([ring, z], 1), torch.cat([beside, z], 1)]
        labels += ["lv_endo"] * 24 + ["rv_free"] * 24
        numbers += [number] * 48
    at_apex = torch.tensor([[0.0, 0.0, -10.0]], dtype=DOUBLE)
    return from_arrays(torch.cat([*points, at_apex]), [*labels, "apex"], slice=[*numbers, 9])


def test_first_pose_of_a_cylinder():
    """The cavity ends 6 mm above the apex point, which lies on the epicardium."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pose = find_initial_pose(cylinder(22.0))
    assert pose.rv and pose.radius == pytest.approx(22.0) and pose.length == pytest.approx(76.0)
    assert torch.allclose(pose.rotation, torch.eye(3, dtype=DOUBLE), atol=1e-9)
    assert torch.allclose(pose.centre, torch.tensor([0.0, 0.0, 34.0], dtype=DOUBLE), atol=1e-9)


@pytest.mark.parametrize(
    ("length", "radius", "want"),
    [
        (88.0, 25.0, (0.0, 0.0)),
        (88.0 * math.exp(0.1), 25.0 * math.exp(0.32), (1.0, 2.0)),
        (88.0 * math.exp(-0.05), 25.0 * math.exp(-0.08), (-0.5, -0.5)),
        (1000.0, 1.0, (3.0, -3.0)),
    ],
)
def test_first_size_is_counted_in_spreads(length, radius, want):
    """88 and 25 mm are the average heart's; 0.1 and 0.16 in the logarithm a spread; 3 at most."""
    model = HeartModel()
    eye = torch.eye(3, dtype=DOUBLE)
    centre = torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE)
    apply_initial_pose(model, InitialPose(eye, centre, length, radius, True))
    theta = model.theta.detach()[0]
    assert float(theta[index_of("length")]) == pytest.approx(want[0], abs=1e-5)
    for name in ("r1", "r2"):
        assert torch.allclose(theta[index_of(name)], torch.tensor(want[1]), atol=1e-5)
    assert torch.equal(model.centre.detach()[0], centre.float())
    assert int((theta != 0).sum()) == (13 if want != (0.0, 0.0) else 0)


# --- the loss and its steps -----------------------------------------------------------------------


def solver_of(given: Contours | None = None, *, flow: bool = False, **settings: float) -> Solver:
    """A solver at a heart that is some spreads off the average."""
    chosen = {"prior": 0.0, "rough": 0.0, "shift": 0.0, **settings}
    model = HeartModel(steps=2, features=8).requires_grad_(False)
    model.theta += 0.3 * torch.randn(SIZE, generator=torch.Generator().manual_seed(5))
    data = DataTerm(given or outside(HeartModel(), 1.0, 2.0), HeartSettings(**chosen), rv=False)
    return Solver(model, data, model.tessellation(6, 15), flow=flow)


def difference(**settings: float) -> tuple[float, torch.Tensor, torch.Tensor, Solver]:
    """What a term adds to the loss, and to the matrix and right side of the normal equations."""
    found = []
    for chosen in ({}, settings):
        solver = solver_of(**chosen)
        loss = solver._evaluate()
        found.append((loss, *solver._system()))
    (loss, matrix, right), (more, full, added) = found
    return more - loss, full - matrix, added - right, solver


def test_the_prior_is_the_gaussian_of_the_population():
    loss, matrix, right, solver = difference(prior=0.7)
    mean, precision = gaussian_prior()
    off = solver.model.theta[0].double() - mean
    form = 0.7 / SIZE * precision
    assert loss == pytest.approx(float(off @ form @ off), rel=1e-4)
    assert torch.allclose(matrix[:SIZE, :SIZE], 2 * form, rtol=1e-4, atol=1e-4)
    assert torch.allclose(right[:SIZE], -2 * form @ off, rtol=1e-4, atol=1e-4)


def test_roughness_counts_second_differences_of_the_splines():
    theta = torch.zeros(SIZE, dtype=DOUBLE)
    theta[index_of("r1")] = torch.tensor([0.0, 0, 1, 0, 0, 0], dtype=DOUBLE)
    loss, matrix, right, solver = difference(rough=0.3)
    form = solver.rough.double()
    count = round(6 / float(theta @ form @ theta))  # second differences 1, -2, 1: squares add to 6
    # 4 a spline of 6 knots, 3 one of 5, 2 one of 4, as many as it has harmonics
    assert count == 4 * 4 + 2 * 3 + 2 + 3 * 5 + 2 + 2 + 3 + 2 * 3
    at = solver.model.theta[0].double()
    assert loss == pytest.approx(0.3 * float(at @ form @ at), rel=1e-4)
    assert torch.allclose(matrix[:SIZE, :SIZE], 0.6 * form, atol=1e-5)
    assert torch.allclose(right[:SIZE], -0.6 * form @ at, atol=1e-5)


def test_shifts_of_slices_are_held_by_their_spread():
    solver = solver_of(shift=2.0, shift_weight=1.5)
    one = solver_of(shift=2.0, shift_weight=0.0)
    shifts = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
    losses = []
    for made in (solver, one):
        made.data.shifts += shifts
        losses.append(made._evaluate())
    want = 1.5 * float((shifts / 2).square().sum(1).mean())
    assert losses[0] - losses[1] == pytest.approx(want, rel=1e-4)
    matrix, right = (a - b for a, b in zip(solver._system(), one._system(), strict=True))
    gain = 2 * 1.5 / 2**2 / 2
    part = slice(SIZE + 6, SIZE + 10)
    assert torch.allclose(matrix[part, part], gain * torch.eye(4, dtype=DOUBLE), atol=1e-6)
    assert torch.allclose(right[part], -gain * shifts.reshape(-1).double(), atol=1e-6)


def test_huber_of_known_distances():
    d = torch.tensor([0.0, 2.0, 3.0, 5.0], dtype=DOUBLE)
    assert huber(d**2, 3.0).tolist() == pytest.approx([0.0, 2.0, 4.5, 10.5])


def test_weights_of_points_add_up_as_the_settings_say():
    """Contours to 1 in all, a valve point 6 and an insertion 10 times a contour point."""
    model = HeartModel()
    given = outside(model, 0.0)
    n = len(given)
    extra = from_arrays(
        torch.tensor([[20.0, 0, 40], [-20.0, 0, 40], [25.0, 20, 10]]),
        ["mitral", "mitral", "rv_insert"],
        slice=[7, 7, 0],
    )
    names = ("points", "label", "view", "slice", "weight")
    both = Contours(*(torch.cat([getattr(given, k), getattr(extra, k)]) for k in names))
    data = DataTerm(both, HeartSettings(), rv=True)
    groups = {name: weight for name, _, _, weight in data.groups}
    lines = {names[0]: weight for names, _, _, weight in data.lines}
    each = 1 / (n + 3)
    assert groups["lv"].tolist() == pytest.approx([each] * n)
    assert groups["lv_lid"].tolist() == pytest.approx([6 * each] * 2)
    assert lines["lv_rim"].tolist() == pytest.approx([6 * each] * 2)
    assert lines["insertion_back"].tolist() == pytest.approx([10 * each])


def test_a_step_is_limited():
    """By 1.5 spreads, 0.3 radians about each axis and 20 mm; no coefficient leaves 8 spreads."""
    solver = solver_of()
    model = solver.model
    model.theta.zero_()
    model.theta[0, 0] = 7.5
    solver._apply(torch.full((SIZE + 6,), 100.0))
    assert float(model.theta[0, 0]) == 8.0 and bool((model.theta[0, 1:] == 1.5).all())
    assert torch.allclose(model.centre, torch.tensor([[20.0, 20.0, 20.0]]))
    angle = torch.acos((torch.trace(rotation(model.quaternion)[0]) - 1) / 2)
    assert float(angle) == pytest.approx(0.3 * 3**0.5, rel=1e-4)
    solver._apply(torch.full((SIZE + 6,), -0.1))
    assert float(model.theta[0, 1]) == pytest.approx(1.4)
    assert torch.allclose(model.centre, torch.tensor([[19.9, 19.9, 19.9]]))


def test_damping_falls_by_four_and_grows_by_eight():
    solver = solver_of(prior=0.1)
    assert solver.damping == 1e-3
    history = solver.run(1)
    assert history[1] < history[0] and solver.damping == pytest.approx(1e-3 / 4)
    solver.damping = 2e-5
    assert len(solver.run(1)) == 2 and solver.damping == 1e-5  # and not below
    evaluate = solver._evaluate
    solver._evaluate = lambda: evaluate() + next(rising)  # as if no step were any good
    rising = iter(range(100))
    assert len(solver.run(5)) == 1 and solver.damping == pytest.approx(1e-5 * 8**8)


def test_near_points_grow_their_distance_along_the_normal():
    solver = solver_of()
    solver._evaluate()
    faces = solver.tess.faces["lv"][20:22]
    sides = solver.world[faces]
    normal = torch.nn.functional.normalize(
        torch.linalg.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0]), dim=1
    )
    gap = torch.tensor([[0.1, 0.1, 0.0], [0.3, 0.0, 0.4]])
    found = solver._toward(gap, gap.norm(dim=1), faces)
    assert torch.allclose(found[0], normal[0]) and torch.allclose(found[1], 2 * gap[1])
