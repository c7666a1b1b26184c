"""The base of a heart between its valves: discs from few points, and the roof of the RV."""

from __future__ import annotations

import pytest
import torch

from meshlearn.geometry import point_mesh_distance
from meshlearn.heart import HeartSettings, fit_heart
from meshlearn.heart.data import Contours
from meshlearn.heart.data.contours import from_arrays
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import slice_axes
from meshlearn.heart.fit.valves import SAG, curtain, rv_annuli, rv_discs, rv_roof
from meshlearn.heart.learn.scanner import Acquisition, acquire
from meshlearn.heart.model import SIZE, Primitive, primitive_vertices, rotation
from meshlearn.heart.model.population import random_flow
from meshlearn.representations import HeartModel

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
    discs, slots = rv_discs(rv_annuli(given, *slice_axes_float(given)))
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


def lids(given: Contours, rv: bool = True, **settings: float) -> list[torch.Tensor]:
    found = DataTerm(given, HeartSettings(**settings), rv=rv).groups
    return [points for name, points, *_ in found if name == "rv_lid"]


@pytest.mark.parametrize("missing", ["tricuspid", "pulmonary"])
def test_one_valve_alone_does_not_hold_the_base(missing):
    labels = ["rv_free" if n == missing else n for n in LABELS]
    assert lids(valves(labels)) == [] and lids(valves(), rv=False) == []
    assert [len(p) for p in lids(valves())] == [38, 56]


def test_the_roof_sags_from_annulus_to_annulus():
    """A band between two upright circles, lower in its middle by a part of their distance."""
    given = valves()
    annuli = rv_annuli(given, *slice_axes_float(given))
    roof = rv_roof(given, annuli)
    (tricuspid,), (pulmonary,) = annuli
    ends = []
    for valve, other in ((tricuspid, pulmonary), (pulmonary, tricuspid)):
        ring = valve.middle + valve.at(torch.arange(0, 6.28, 0.01))
        ends.append(ring[((ring - valve.middle) @ (other.middle - valve.middle)).argmax()])
    begin, end = ends
    chord = end - begin
    middle = roof[24:32]  # the line from the one nearest point to the other
    along = ((middle - begin) @ chord) / (chord @ chord)
    assert torch.allclose(along, torch.arange(1, 9) / 9, atol=0.02)
    off = middle - begin - along[:, None] * chord
    share = off.norm(dim=1) / chord.norm()
    assert torch.allclose(share, 4 * SAG * along * (1 - along), atol=0.01)
    inside = given.of("rv_free").points.float().mean(0) - (begin + end) / 2
    assert bool((off @ inside > 0).all())
    heavy, light = (
        DataTerm(given, HeartSettings(roof=r), rv=True).groups[-1][3].sum() for r in (2.0, 1.0)
    )
    assert float(heavy) == pytest.approx(2 * float(light))


def test_there_is_no_roof_between_valves_that_overlap_or_without_walls():
    given = valves()
    annuli = rv_annuli(given, *slice_axes_float(given))
    assert len(rv_roof(given.of("tricuspid", "pulmonary"), annuli)) == 0
    (tricuspid,), (pulmonary,) = annuli
    near = pulmonary._replace(middle=tricuspid.middle + torch.tensor([0.0, 1.0, 1.0]))
    assert len(rv_roof(given, ([tricuspid], [near]))) == 0
    same = pulmonary._replace(middle=tricuspid.middle)
    assert len(rv_roof(given, ([tricuspid], [same]))) == 0


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
    for name, part, _, weight in DataTerm(given, HeartSettings(valve=6.0), rv=False).groups:
        groups.setdefault(name, []).append((part, weight * len(given)))
    assert len(groups["lv"][0][0]) == 6 and "wall" not in groups
    assert len(groups["lv_lid"]) == 2
    (hinges, heavy), (between, light) = groups["lv_lid"]
    assert torch.equal(hinges, points[:4]) and torch.equal(between, points[4:6])
    assert torch.allclose(heavy, torch.tensor(6.0)) and torch.allclose(light, torch.tensor(1.0))


def test_moves_are_the_derivative_of_the_vertices():
    """In every kind of unknown: parameter functions, turn, shift, and the flow's last layer."""
    model = HeartModel()
    model.requires_grad_(False)
    random_flow(model, size=1e-3, generator=torch.Generator().manual_seed(1))
    model.centre += torch.tensor([[10.0, -5.0, 3.0]])
    settings = HeartSettings(shift=0.0)
    solver = Solver(
        model, DataTerm(valves(), settings, rv=True), model.tessellation(6, 15), flow=True
    )
    solver._evaluate()
    matrix, _ = solver._system()
    size = len(matrix)
    generator = torch.Generator().manual_seed(2)
    for part, step in (((0, SIZE), 1e-2), ((SIZE, SIZE + 6), 1e-2), ((SIZE + 6, size), 1e-4)):
        move = torch.zeros(size)
        move[slice(*part)] = step * torch.randn(part[1] - part[0], generator=generator)
        solver._evaluate()
        want = torch.einsum("ikn,n->ki", moves_of(solver, size), move)
        state, before = solver._save(), solver.world
        solver._apply(move)
        solver._evaluate()
        found = solver.world - before
        solver._restore(state)
        assert (found - want).norm() < 0.1 * want.norm(), part


def moves_of(solver: Solver, size: int) -> torch.Tensor:
    turn = rotation(solver.model.quaternion)[0]
    nudged = Primitive(solver.model.theta + 1e-2 * torch.eye(SIZE))
    change = (primitive_vertices(nudged, solver.tess) - solver.before) / 1e-2 @ turn.T
    return solver._moves(torch.arange(len(solver.world)), change, turn, size, SIZE + 6)


def test_a_fit_takes_its_roof_from_the_valves():
    """Where contours hold all but the roof, it lies on the band between the valves."""
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
    roof = rv_roof(both, rv_annuli(both, *slice_axes_float(both)))
    away = []
    for weight in (0.0, 10.0):
        settings = HeartSettings(global_steps=6, local_steps=6, rows=8, columns=20, roof=weight)
        lid = fit_heart(both, settings=settings).model.mesh("rv").detach().to(torch.float32)
        away.append(float(point_mesh_distance(roof, lid).squared_distance.sqrt().mean()))
    assert away[1] < 0.6 * away[0]
