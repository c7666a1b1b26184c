"""Hearts fitted to contours: synthetic ones whose truth is known, and a real patient."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file

from meshlearn.geometry import point_mesh_distance
from meshlearn.heart import (
    HeartFit,
    HeartSettings,
    aha_segments,
    dense,
    draw_volumes,
    fit_heart,
    fit_series,
    heart_mesh,
    over_cycle,
    read_out,
    write_heart,
    write_series,
)
from meshlearn.heart.data.contours import LABELS, Contours, load_contours
from meshlearn.heart.fit.data_term import DataTerm, huber, rim_points
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import find_initial_pose
from meshlearn.heart.learn.scanner import Acquisition, acquire
from meshlearn.heart.model import quaternion
from meshlearn.heart.model.population import sample_heart
from meshlearn.heart.results.clinical import volume_interval, volume_parts
from meshlearn.heart.results.files import load_model
from meshlearn.io import load
from meshlearn.representations import HeartModel

QUICK = HeartSettings(global_steps=6, local_steps=4, rows=8, columns=20)
CLEAN = Acquisition(noise=0.0, shift=0.0, missing=0.0, gap=(9.0, 10.0))
AXES = torch.tensor([[-0.85, 0.35, -0.39], [-0.52, -0.65, 0.55], [-0.06, 0.67, 0.74]])


@cache
def truth() -> HeartModel:
    """A sampled heart, posed as in a patient."""
    model = sample_heart(flow=1.0, generator=torch.Generator().manual_seed(11))
    with torch.no_grad():
        u, _, v = torch.linalg.svd(AXES)
        model.quaternion.copy_(quaternion(u @ v)[None])
        model.centre.copy_(torch.tensor([[20.0, 5.0, -60.0]]))
    return model


@cache
def contours() -> Contours:
    return acquire(truth(), settings=CLEAN, generator=torch.Generator().manual_seed(1))


@cache
def fitted() -> HeartFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit_heart(contours())


def volume(model: HeartModel, surface: str) -> float:
    with torch.no_grad():
        return float(model.mesh(surface, rows=24, columns=60).volume()) / 1000


def test_fit_recovers_a_sampled_heart():
    fit, model = fitted(), truth()
    for surface in ("lv", "rv"):
        want = volume(model, surface)
        assert abs(volume(fit.model, surface) - want) < 0.07 * want, surface
    with torch.no_grad():
        ours = fit.model.mesh("lv", closed=False)
        points = model.mesh("lv", closed=False).vertices
    assert point_mesh_distance(points, ours).squared_distance.sqrt().mean() < 1.0
    assert fit.history[-1] < 0.2 * fit.history[0]


def test_fit_does_not_depend_on_threads():
    threads = torch.get_num_threads()
    try:
        found, meshes = [], []
        for n in (1, 2):
            torch.set_num_threads(n)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                found.append(
                    fit_heart(contours(), settings=replace(QUICK, global_steps=2, local_steps=1))
                )
            meshes.append(dense(found[0].model).vertices)
    finally:
        torch.set_num_threads(threads)
    one, other = (f.model.state_dict() for f in found)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(*meshes)
    assert torch.get_num_threads() == threads


def test_loss_never_rises_in_the_solver():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pose = find_initial_pose(contours())
    model = HeartModel(steps=4).requires_grad_(False)
    with torch.no_grad():
        model.quaternion[0] = quaternion(pose.rotation).float()
        model.centre[0] = pose.centre.float()
    data = DataTerm(contours(), QUICK, rv=True)
    history = Solver(model, data, model.tessellation(8, 20), flow=True).run(4)
    assert len(history) > 1 and all(b < a for a, b in pairwise(history))


def test_the_solver_damps_until_the_loss_falls():
    """Where only short steps lower the loss, it finds one, however weak the damping was."""
    model = HeartModel(steps=4).requires_grad_(False)
    solver = Solver(
        model, DataTerm(contours(), QUICK, rv=True), model.tessellation(8, 20), flow=False
    )
    evaluate, apply, length = solver._evaluate, solver._apply, [0.0]
    first = evaluate()

    def move(by):
        length[0] = float(by.norm())
        apply(by)

    solver._apply = move
    solver._evaluate = lambda: evaluate() + (1e3 if length[0] > 15 else 0.0)
    solver.damping = 1e-5
    history = solver.run(1)
    assert len(history) == 2 and history[1] < first and solver.damping > 0.1


def test_huber_is_smooth_where_it_turns():
    d = torch.tensor([1.0, 2.999, 3.001, 10.0], dtype=torch.float64)
    values = huber(d * d, 3.0)
    assert torch.allclose(values[0], d[0] ** 2 / 2) and torch.allclose(values[3], 3 * (d[3] - 1.5))
    assert abs(float((values[2] - values[1]) / 0.002) - 3) < 1e-3


def test_slices_that_were_shifted_are_moved_back():
    moved = contours()
    number = moved.slices("sax")[3]
    here = moved.slice == number
    step = torch.tensor([0.6, 0.8, 0.0], dtype=torch.float64) @ truth_axes().T * 3
    points = moved.points.clone()
    points[here] += step
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = fit_heart(replace(moved, points=points), settings=replace(QUICK, shift_weight=0.1))
    others = [float(s.norm()) for n, s in fit.shifts.items() if n != number]
    assert float(fit.shifts[number].double() @ -step / 3) > 1.0
    assert float(fit.shifts[number].norm()) > 2 * sum(others) / len(others)


def truth_axes() -> torch.Tensor:
    u, _, v = torch.linalg.svd(AXES.double())
    return u @ v


# --- bad input ------------------------------------------------------------------------------------


def relabelled(given: Contours, **names: str) -> Contours:
    label = given.label.clone()
    for old, new in names.items():
        label[given.mask(old)] = LABELS.index(new)
    return replace(given, label=label)


def told(given: Contours) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        find_initial_pose(given)
    return [str(w.message) for w in caught]


def without(*labels: str) -> Contours:
    return contours().take(~contours().mask(*labels))


def test_swapped_labels_are_told():
    swapped = relabelled(contours(), lv_endo="lv_epi", lv_epi="lv_endo")
    with pytest.raises(ValueError, match="LV_ENDOCARDIAL lies outside LV_EPICARDIAL on"):
        find_initial_pose(swapped)
    swapped = relabelled(contours(), rv_free="rv_septum", rv_septum="rv_free")
    with pytest.raises(ValueError, match="RV_SEPTUM lies further from the LV than RV_FREEWALL"):
        find_initial_pose(swapped)
    swapped = relabelled(contours(), rv_free="lv_endo", rv_septum="lv_endo", lv_endo="rv_free")
    with pytest.raises(ValueError, match="swapped"):
        find_initial_pose(swapped)


def test_mirror_images_are_told():
    for axis in range(3):
        flipped = contours().points.clone()
        flipped[:, axis] *= -1
        assert any("mirror image" in t for t in told(replace(contours(), points=flipped))), axis
    assert not any("mirror image" in t for t in told(contours()))


def test_one_slice_is_too_few():
    keep = contours().slice == contours().slices()[3]
    with pytest.raises(ValueError, match="all contours lie on one slice"):
        find_initial_pose(contours().take(keep))
    with pytest.raises(ValueError, match=r"0 points of the LV cavity"):
        find_initial_pose(without("lv_endo"))


def test_what_is_missing_is_told():
    assert any(
        "model of the LV alone" in t for t in told(without("rv_free", "rv_septum", "rv_epi"))
    )
    assert any("no mitral valve points" in t for t in told(without("mitral")))
    assert any("no epicardium" in t for t in told(without("lv_epi")))
    only_sax = contours().without_slices(contours().slices("lax"))
    assert any("the apex is extrapolated" in t for t in told(only_sax))


@pytest.mark.parametrize("case", ["sax", "no base", "no apex", "two slices", "cloud"])
def test_poor_contours_still_give_a_heart(case):
    given = contours()
    if case == "sax":
        given = given.without_slices(given.slices("lax"))
    elif case == "no base":
        given = without("mitral", "tricuspid")
    elif case == "no apex":
        height = given.points @ truth_axes()[:, 2]
        given = given.take(height > height.quantile(0.25))
    elif case == "two slices":
        keep = [given.slices("sax")[3], given.slices("lax")[0]]
        given = given.without_slices([n for n in given.slices() if n not in keep])
    else:
        given = replace(given, slice=torch.full_like(given.slice, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = fit_heart(given, settings=QUICK)
    want = volume(truth(), "lv")
    slack = 0.5 if case == "two slices" else 0.35
    assert abs(volume(fit.model, "lv") - want) < slack * want
    assert fit.model.mesh("muscle").is_watertight


def test_lv_alone_is_fitted_and_said():
    given = without("rv_free", "rv_septum", "rv_epi", "tricuspid")
    with pytest.warns(UserWarning, match="a model of the LV alone"):
        fit = fit_heart(given, settings=QUICK)
    report = read_out(fit)
    assert not fit.model.has_rv and report["rv_volume_ml"] is None
    assert report["model"] == "left ventricle only"
    assert abs(report["lv_volume_ml"] - volume(truth(), "lv")) < 0.15 * report["lv_volume_ml"]


# --- read-outs ------------------------------------------------------------------------------------


def test_read_out_agrees_with_the_meshes():
    fit = fitted()
    report = read_out(fit)
    lv = volume(fit.model, "lv")
    assert abs(report["lv_volume_ml"] - lv) < 0.02 * lv
    mass = 1.05 * (volume(fit.model, "wall") - lv)
    assert abs(report["lv_mass_g"] - mass) < 0.03 * mass
    assert report["lv_volume_error_ml"] > 0
    assert set(report["contour_distance"]) == {"lv", "rv", "epi"}
    assert len(report["segments_mm"]) == 17
    assert all(1 < v < 30 for v in report["segments_mm"].values())
    json.dumps(report, allow_nan=False)


def test_intervals_hold_the_truth_and_grow_with_what_is_not_seen():
    fit, made = fitted(), dense(fitted().model)
    for side in ("lv", "rv"):
        low, high = volume_interval(fit, made, side)
        assert low < volume(truth(), side) < high and high - low < 0.3 * high
        parts = volume_parts(fit, made, side)
        half = 1.645 * math.hypot(*parts.values())
        assert high - low == pytest.approx(2 * half) and set(parts) >= {"model", "slices"}
    blind = replace(fit, contours=fit.contours.take(~fit.contours.mask("mitral", "aortic")))
    assert volume_parts(blind, made, "lv")["base"] > 0
    low, high = volume_interval(fit, made, "lv")
    wider = volume_interval(blind, made, "lv")
    assert wider[0] < low and wider[1] > high
    short = replace(fit, contours=fit.contours.without_slices(fit.contours.slices("lax")))
    area = math.pi * 25**2  # of the lid, about
    gap = 9.5
    assert volume_parts(short, made, "lv")["base"] == pytest.approx(
        area * gap / 12**0.5 / 1000, rel=0.6
    )


def test_wall_thickness_of_a_known_wall():
    """A heart whose wall is 10 mm along all rays is nowhere thicker, and 10 mm where it is even."""
    model = HeartModel()
    with torch.no_grad():
        from meshlearn.heart.model import index_of

        part = index_of("wall")
        target = torch.zeros(5, 5)
        target[:, 0] = math.log(10.0)
        mean = torch.tensor([1.7, 2.1, 2.2, 2.2, 2.1])
        wanted = torch.zeros(5, 5)
        wanted[:, 0] = (target[:, 0] - mean) / 0.25
        model.theta[0, part] = wanted.reshape(-1)
    made = dense(model)
    inner = made.thickness[made.label == 0]
    assert inner.max() < 10.5 and inner.median() > 9.0


def test_segments_are_numbered_as_the_aha_does():
    height = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.5, 0.2, 0.2, 0.02])
    column = torch.tensor([0.1, 0.3, 0.45, 0.95, 0.3, 0.3, 0.5, 0.5])
    assert aha_segments(height, column).tolist() == [3, 2, 1, 4, 8, 14, 13, 17]
    made = dense(truth())
    assert set(made.segment[made.label == 0].tolist()) == set(range(1, 18))


def test_ejection_fraction():
    base = {"lv_volume_error_ml": 1.0, "rv_volume_error_ml": None, "lv_mass_g": 100.0}
    frames = [
        {"frame": i, "lv_volume_ml": v, "rv_volume_ml": None, **base}
        for i, v in enumerate([100.0, 40.0, 120.0])
    ]
    cycle = over_cycle(frames)
    assert "rv" not in cycle and cycle["lv"]["es_frame"] == 1 and cycle["lv"]["ed_frame"] == 2
    assert abs(cycle["lv"]["ejection_fraction_percent"] - 100 * 80 / 120) < 1e-9
    assert abs(cycle["lv"]["first_frame_ejection_fraction_percent"] - 60) < 1e-9
    want = 100 / 120 * math.hypot(1, 40 / 120)
    assert abs(cycle["lv"]["ejection_fraction_error_points"] - want) < 1e-9


def test_rim_points_of_three_chambers_are_the_outer_ones():
    points = torch.tensor([[0.0, 0, 0], [10, 0, 0], [14, 0, 0], [30, 0, 0]], dtype=torch.float64)
    from meshlearn.heart.data.contours import from_arrays

    given = from_arrays(points, ["mitral", "mitral", "aortic", "aortic"], slice=[1] * 4)
    assert rim_points(given).points[:, 0].tolist() == [0, 30]


# --- files ----------------------------------------------------------------------------------------


def test_folder_of_a_heart(tmp_path):
    written = write_heart(fitted(), tmp_path / "heart")
    assert {p.suffix for p in written} >= {".vtp", ".stl", ".glb", ".json", ".csv", ".png"}
    lv = load(tmp_path / "heart" / "lv.vtp")
    assert {"wall_thickness", "aha_segment", "surface_label", "u", "v"} <= set(lv.vertex_attributes)
    assert load(tmp_path / "heart" / "muscle.stl").num_faces > 1000
    kept = load_contours(tmp_path / "heart" / "contours.txt")
    torch.testing.assert_close(kept.points, fitted().contours.points, atol=1e-4, rtol=0)
    again = load_model(tmp_path / "heart" / "heart.safetensors")
    assert torch.equal(again.theta, fitted().model.theta)
    with torch.no_grad():
        a, b = again.mesh("epi").vertices, fitted().model.mesh("epi").vertices
    assert torch.allclose(a, b)
    single = write_heart(fitted(), tmp_path / "rv.ply", surface="rv")
    assert load(single[0]).is_watertight


def test_series_of_two_frames(tmp_path):
    frames = [replace(contours(), frame=i) for i in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fits = fit_series(frames, settings=QUICK, progress=False)
    cycle = write_series(fits, tmp_path / "out")
    assert cycle["frames"] == 2 and (tmp_path / "out" / "volumes.png").is_file()
    meshes = [load(tmp_path / "out" / f"lv_{i:03d}.vtp") for i in range(2)]
    assert torch.equal(meshes[0].faces, meshes[1].faces)
    kept = [load_contours(tmp_path / "out" / f"contours_{i:03d}.txt") for i in range(2)]
    assert [len(c) for c in kept] == [len(c) for c in frames] and kept[1].frame == 1
    assert "lv_001.vtp" in (tmp_path / "out" / "lv.pvd").read_text()
    rows = (tmp_path / "out" / "report.csv").read_text().splitlines()
    assert len(rows) == 3 and rows[0].startswith("frame,lv_volume_ml")
    with pytest.raises(ValueError, match="at least one frame"):
        fit_series([])


def test_fields_are_on_the_right_surfaces():
    mesh = heart_mesh(dense(fitted().model), "muscle")
    label = mesh.vertex_attributes["surface_label"]
    assert set(label.tolist()) == {0, 2, 3, 4}
    assert torch.isfinite(mesh.vertex_attributes["wall_thickness"][label == 0]).all()
    assert (mesh.vertex_attributes["aha_segment"][label == 3] == 0).all()


def test_volume_curve_is_drawn(tmp_path):
    path = draw_volumes({"LV": [100, 60, 90]}, tmp_path / "curve.png")
    assert path.stat().st_size > 1000


def test_a_file_that_is_no_heart_is_named(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, other)
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(b"x")
    for path in (other, torn):
        with pytest.raises(ValueError, match=f"{path.name}: expected the weights of a heart"):
            load_model(path)
