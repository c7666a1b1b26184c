"""The base of a heart between its valves: discs from few points, and the tension of the RV."""

from __future__ import annotations

import pytest
import torch

from meshlearn.io import Contours
from meshlearn.io.contours import from_arrays
from meshlearn.reconstruct.heart import HeartSettings, fit_heart
from meshlearn.reconstruct.heart.contact import Data
from meshlearn.reconstruct.heart.gauss_newton import Solver
from meshlearn.reconstruct.heart.valves import curtain, rv_valves
from meshlearn.representations import HeartModel
from meshlearn.representations.heart import SIZE, Primitive, primitive_vertices, rotation
from meshlearn.representations.heart.population import random_flow
from meshlearn.representations.heart.start import slice_axes
from meshlearn.train.heart_acquisition import Acquisition, acquire

POINTS = torch.tensor(
    [[30.0, -20, 40], [60, -20, 40], [35, 25, 60], [35, 45, 70], [-25, 0, 0], [-20, 0, -30]]
)
FIELDS = ("points", "label", "view", "slice", "weight")
LABELS = ["tricuspid", "tricuspid", "pulmonary", "pulmonary", "lv_endo", "lv_endo"]
SLICES = [1, 1, 2, 2, 1, 1]


def valves(labels: list[str] = LABELS) -> Contours:
    """A tricuspid valve on slice 1 (the plane y = -20 or so), a pulmonary one on slice 2."""
    points = POINTS.clone()
    points[4:, 1] = -20
    more = torch.tensor([[35.0, 0, 10], [35, 10, -20]])  # in the plane x = 35
    return from_arrays(
        torch.cat([points, more]), [*labels, "rv_free", "rv_free"], slice=[*SLICES, 2, 2]
    )


def test_a_valve_is_a_disc_upright_on_its_slice():
    given = valves()
    discs, slots = rv_valves(given, *slice_axes_float(given))
    for slot, normal, rows in ((0, 1, (0, 1)), (1, 0, (2, 3))):
        disc = discs[slots == slot]
        a, b = given.points[list(rows)].float()
        middle, radius = (a + b) / 2, (b - a).norm() / 2
        away = (disc - middle).norm(dim=1)
        assert away.max() < radius + 1e-3 and away.min() < 1e-3
        # as far out of the slice as along it, and flat
        assert abs((disc[:, normal] - middle[normal]).abs().max() - radius) < 1e-3
        assert torch.linalg.svdvals(disc - middle)[2] < 1e-3
        assert torch.cdist(torch.stack([a, b]), disc).amin(1).max() < 1e-3


def slice_axes_float(given: Contours) -> tuple[list[int], torch.Tensor]:
    numbers, axes = slice_axes(given)
    return numbers, axes.float()


@pytest.mark.parametrize("missing", ["tricuspid", "pulmonary"])
def test_one_valve_alone_does_not_hold_the_base(missing):
    labels = ["rv_free" if n == missing else n for n in LABELS]
    given = valves(labels)
    assert len(rv_valves(given, *slice_axes_float(given))[0]) == 0
    assert not Data(given, HeartSettings(), rv=True).taut
    assert Data(valves(), HeartSettings(), rv=True).taut
    assert not Data(valves(), HeartSettings(), rv=False).taut


def test_the_wall_between_mitral_and_aortic_valve_is_fitted_by_the_lid():
    """The points between the valves, of both layers, on the slice that shows both; no others."""
    ends = [[-20.0, 0, 0], [0, 0, 2], [4, 0, 10], [25, 0, 15]]
    seen = [[1.0, 0, 5], [3, 1, 7], [0, 0, -9], [-20, 0, -5]]
    beside = [[1.0, 0, 5], [-8, 6, -20], [9, 2, -30], [2, 5, -12]]  # one in place, on a slice apart
    points = torch.tensor([*ends, *seen, *beside])
    valves = ["mitral", "mitral", "aortic", "aortic"]
    labels = [*valves, "lv_endo", "lv_epi", "lv_endo", "lv_endo", *["lv_endo"] * 4]
    given = from_arrays(points, labels, slice=[1] * 8 + [2] * 4)
    assert curtain(given).nonzero()[:, 0].tolist() == [4, 5]
    assert not curtain(given.take(~given.mask("aortic"))).any()
    groups = {}
    for name, part, _, weight in Data(given, HeartSettings(valve=6.0), rv=False).groups:
        groups.setdefault(name, []).append((part, weight * len(given)))
    assert len(groups["lv"][0][0]) == 6 and "wall" not in groups
    assert len(groups["lv_lid"]) == 2
    (hinges, heavy), (between, light) = groups["lv_lid"]
    assert torch.equal(hinges, points[:4]) and torch.equal(between, points[4:6])
    assert torch.allclose(heavy, torch.tensor(6.0)) and torch.allclose(light, torch.tensor(1.0))


def test_moves_of_the_film_are_the_derivative_of_its_vertices():
    """In every kind of unknown: parameter functions, turn, shift, and the flow's last layer."""
    model = HeartModel()
    model.requires_grad_(False)
    random_flow(model, size=1e-3, generator=torch.Generator().manual_seed(1))
    model.centre += torch.tensor([[10.0, -5.0, 3.0]])
    settings = HeartSettings(shift=0.0)
    solver = Solver(model, Data(valves(), settings, rv=True), model.lattice(6, 15), flow=True)
    solver._evaluate()
    matrix, _ = solver._system()
    size = len(matrix)
    generator = torch.Generator().manual_seed(2)
    for part, step in (((0, SIZE), 1e-2), ((SIZE, SIZE + 6), 1e-2), ((SIZE + 6, size), 1e-4)):
        move = torch.zeros(size)
        move[slice(*part)] = step * torch.randn(part[1] - part[0], generator=generator)
        solver._evaluate()
        want = torch.einsum("ikn,n->ki", film_moves(solver, size), move)
        state, before = solver._save(), solver.world[solver.film]
        solver._apply(move)
        solver._evaluate()
        found = solver.world[solver.film] - before
        solver._restore(state)
        assert (found - want).norm() < 0.1 * want.norm(), part


def film_moves(solver: Solver, size: int) -> torch.Tensor:
    turn = rotation(solver.model.quaternion)[0]
    nudged = Primitive(solver.model.theta + 1e-2 * torch.eye(SIZE))
    change = (primitive_vertices(nudged, solver.lat) - solver.before) / 1e-2 @ turn.T
    return solver._moves(solver.film, change, turn, size, SIZE + 6)


def test_tension_makes_the_roof_smaller():
    """Area of the RV under tension, where contours hold all but its roof."""
    truth = HeartModel()
    clean = Acquisition(noise=0.0, shift=0.0, missing=0.0, gap=(9.0, 10.0))
    seen = acquire(truth, settings=clean, generator=torch.Generator().manual_seed(1))
    first = seen.of("tricuspid").slice[0]
    rim = truth.mesh("rv", closed=False).vertices[-1].detach().double()
    front = torch.stack([rim, rim + torch.tensor([0.0, 12.0, 4.0])])
    extra = from_arrays(front, ["pulmonary"] * 2, slice=[int(first)] * 2)
    both = Contours(
        *(torch.cat([getattr(seen, n), getattr(extra, n)]) for n in FIELDS),
    )
    areas = []
    for tension in (0.0, 1e-3):
        settings = HeartSettings(
            global_steps=4, local_steps=0, rows=8, columns=20, tension=tension, disc=0.0
        )
        fit = fit_heart(both, settings=settings)
        areas.append(float(fit.model.mesh("rv").area().detach()))
    assert areas[1] < 0.98 * areas[0]
