"""What physicians read off a heart: volumes, mass, thickness, segments, and how sure the fit is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn._threads import one_thread
from meshlearn.geometry import point_mesh_distance
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.bases import VALVES, short_axis_bases
from meshlearn.heart.fit.one_frame import HeartFit
from meshlearn.heart.model import RV_SHARE, HeartModel, Primitive, part_of
from meshlearn.heart.model.primitive import SHEETS, angle_from_apex
from meshlearn.heart.model.tessellation import Tessellation
from meshlearn.mesh import Mesh

DENSITY_OF_MUSCLE = 1.05  # g/mL, as cardiac magnetic resonance takes it
APEX = 0.08  # of the LV's length, below which lies the seventeenth segment; by hand
MID, BASAL = 0.387, 0.693  # thirds of what is above the apex, where the rings of segments change
LEAST_POINTS, LEAST_SLICES = 5, 3  # of a slice, and slices, for the error of a volume; by hand
# Errors of volumes beside those that the slices tell of, see `volume_parts`
MODEL_ERROR = {"lv": 0.02, "rv": 0.04}  # of the volume; measured on ten generated hearts
UNKNOWN_SLICES = 0.05  # of the volume, where fewer slices than `LEAST_SLICES` tell
UNSEEN_BASE = 0.05  # of the volume, of a base that long axes reach and no valve point ends; by hand
UNIFORM = 12**-0.5  # standard deviation of what lies anywhere within a length of 1
NINE_OF_TEN = 1.645  # standard deviations either way of a Gaussian
FINE = (32, 80)  # rows and columns of the surfaces that are measured and written
SEGMENTS = (
    "basal anterior,basal anteroseptal,basal inferoseptal,basal inferior,basal inferolateral,"
    "basal anterolateral,mid anterior,mid anteroseptal,mid inferoseptal,mid inferior,"
    "mid inferolateral,mid anterolateral,apical anterior,apical septal,apical inferior,"
    "apical lateral,apex"
).split(",")
# surfaces that contours of these labels are held against
MEASURED = {
    "lv": ("lv_endo",),
    "rv": ("rv_free", "rv_septum", "rv_endo"),
    "epi": ("lv_epi", "rv_epi"),
}


def aha_segments(height: Tensor, column: Tensor) -> Tensor:
    """AHA segments 1 to 17 (K,) of places on the LV.

    The septum lies between the insertions of the RV, so the segments turn with them.

    Args:
        height: (K,) along the axis, apex of the cavity 0, base 1; below `APEX` is segment 17.
        column: (K,) in [0, 1), see `Primitive.sheet`.

    Source: Cerqueira et al., Standardized myocardial segmentation (2002).
    """
    free = ((column - RV_SHARE) / (1 - RV_SHARE)).clamp(0, 1)
    septal = column < RV_SHARE
    six = torch.tensor([1, 6, 5, 4])[(free * 4).long().clamp(max=3)]
    six = torch.where(septal, torch.where(column < RV_SHARE / 2, 3, 2), six)
    four = torch.tensor([13, 16, 15])[(free * 3).long().clamp(max=2)]
    four = torch.where(septal, 14, four)
    ring = torch.where(height > BASAL, six, torch.where(height > MID, six + 6, four))
    return torch.where(height < APEX, 17, ring)


@dataclass(frozen=True)
class Dense:
    """All surfaces of a heart on a fine tessellation: vertices (V, 3) in mm, where they lie."""

    vertices: Tensor
    tessellation: Tessellation
    segment: Tensor  # (V,) int64, 0 off the LV
    thickness: Tensor  # (V,) mm, of the LV wall; NaN off the LV
    label: Tensor  # (V,) int64 into SHEETS, 5 for lids
    u: Tensor  # (V,) angle from the apex, radians; NaN on lids
    v: Tensor  # (V,) angle about the axis, radians; NaN on lids


@one_thread()
def dense(model: HeartModel, *, rows: int = FINE[0], columns: int = FINE[1]) -> Dense:
    """The surfaces of a heart with wall thickness, AHA segments, label, u and v, detached."""
    with torch.no_grad():
        tess = model.tessellation(rows, columns)
        vertices = model.vertices(tess)[0].double()
        n, total = len(tess.sheet), tess.num_vertices
        at, v, _ = Primitive(model.theta).coordinates(tess.sheet, tess.row[None], tess.column[None])
        nan = torch.full((total,), math.nan, dtype=torch.float64)
        label = torch.full((total,), len(SHEETS))
        label[:n] = tess.sheet
        u, angle, thick = nan.clone(), nan.clone(), nan.clone()
        u[:n] = angle_from_apex(at.t[0]).double()
        angle[:n] = v[0].double()
        lv, wall = tess.sheet == 0, tess.sheet == 1
        inner = part_of(vertices, tess, "lv", closed=False)
        outer = part_of(vertices, tess, "wall", closed=False)
        places = {True: (lv, outer), False: (wall, inner)}
        for where, other in places.values():
            points = vertices[:n][where]
            thick[:n][where] = point_mesh_distance(points, other).squared_distance.sqrt()
        # heights along the LV's own axis, of places on its cavity
        axis = model.to_heart(vertices[:n].to(model.theta))[:, 2]
        low, high = axis[lv].amin(), axis[lv].reshape(-1)[-columns:].mean()
        height = ((axis - low) / (high - low)).double()
        segment = torch.zeros(total, dtype=torch.int64)
        for where in (lv, wall):
            segment[:n][where] = aha_segments(height[where], tess.column[where].double())
    return Dense(vertices, tess, segment, thick, label, u, angle)


def heart_mesh(made: Dense, surface: str, *, closed: bool = True, rv: bool = True) -> Mesh:
    """A surface of `dense` with its fields as vertex attributes: "wall_thickness" (mm, NaN off the
    LV), "aha_segment" (0 off the LV), "surface_label" (into `SHEETS`, 5 a lid), "u", "v"."""
    index = torch.arange(len(made.vertices), dtype=torch.float64)
    carrier = torch.stack([index, index, index], 1)
    plain = part_of(carrier, made.tessellation, surface, closed=closed, rv=rv)
    used = plain.vertices[:, 0].long()
    return Mesh(
        made.vertices[used].float(),
        plain.faces,
        vertex_attributes={
            "wall_thickness": made.thickness[used].float(),
            "aha_segment": made.segment[used],
            "surface_label": made.label[used],
            "u": made.u[used].float(),
            "v": made.v[used].float(),
        },
    )


def _volume(made: Dense, surface: str) -> float:
    return float(part_of(made.vertices, made.tessellation, surface).volume()) / 1000


def residuals(contours: Contours, made: Dense, *, rv: bool = True) -> dict[str, dict[str, float]]:
    """Distances (mm) of contours as drawn to the surfaces: mean, rms, p95, and points."""
    found = {}
    for name, labels in MEASURED.items():
        points = contours.of(*labels).points
        if name == "epi" and not rv:
            points = contours.of("lv_epi").points
        if not len(points) or (name == "rv" and not rv):
            continue
        mesh = part_of(made.vertices, made.tessellation, _open_name(name, rv), closed=False, rv=rv)
        distance = point_mesh_distance(points, mesh).squared_distance.sqrt()
        found[name] = {
            "mean_mm": float(distance.mean()),
            "rms_mm": float(distance.square().mean().sqrt()),
            "p95_mm": float(distance.quantile(0.95)),
            "points": len(points),
        }
    return found


def _open_name(name: str, rv: bool) -> str:
    return "wall" if name == "epi" and not rv else name


def _offset_error(contours: Contours, made: Dense, surface: str) -> float | None:
    """Standard error (mL) of a volume, from how the mean signed distance differs by slice."""
    part = contours.of(*MEASURED[surface])
    mesh = part_of(made.vertices, made.tessellation, surface, closed=False)
    means = []
    for number in part.slices():
        points = part.points[part.slice == number]
        if len(points) < LEAST_POINTS:
            continue
        _, face, weight = point_mesh_distance(points, mesh)
        foot = (mesh.vertices[mesh.faces[face]] * weight[:, :, None]).sum(1)
        normal = mesh.face_normals()[face]
        means.append(((points - foot) * normal).sum(1).mean())
    if len(means) < LEAST_SLICES:
        return None
    spread = torch.stack(means).std() / len(means) ** 0.5
    return float(mesh.area() * spread) / 1000


def volume_parts(fit: HeartFit, made: Dense, surface: str) -> dict[str, float]:
    """Standard errors (mL) of a cavity's volume by what they come from.

    "slices": how the mean offsets of the slices' contours, where they were moved to, differ;
    "base": the end that no valve shows, anywhere within a gap between slices; "model": what the
    shape between slices may hide, a share of the volume that is measured on generated hearts.
    """
    settled = fit.settled
    volume = _volume(made, surface)
    parts = {"model": MODEL_ERROR[surface] * volume}
    parts["slices"] = _offset_error(settled, made, surface) or UNKNOWN_SLICES * volume
    base = short_axis_bases(settled).get(surface)
    if base is not None:
        lid = part_of(made.vertices, made.tessellation, surface, closed=True).area()
        lid = lid - part_of(made.vertices, made.tessellation, surface, closed=False).area()
        parts["base"] = float(lid) * base.gap * UNIFORM / 1000
    elif not len(settled.of(*VALVES[surface])):
        parts["base"] = UNSEEN_BASE * volume
    return parts


def volume_interval(fit: HeartFit, made: Dense, surface: str) -> list[float]:
    """Least and largest volume (mL) of a cavity, between which nine of ten true ones lie."""
    volume = _volume(made, surface)
    half = NINE_OF_TEN * math.hypot(*volume_parts(fit, made, surface).values())
    return [max(volume - half, 0.0), volume + half]


def read_out(fit: HeartFit, made: Dense | None = None) -> dict:
    """Clinical measures of one fitted heart, JSON-able.

    Volumes are in mL, closed over the valves by the model's lids; mass in g; lengths in mm. The
    error of a volume is the standard error that the mean offsets between the slices' contours and
    the surface imply; its interval holds nine of ten true volumes, with what contours do not show,
    see `volume_parts`.

    Example:
        >>> read_out(fit)["lv_volume_ml"]
    """
    rv = fit.model.has_rv
    made = made or dense(fit.model)
    lv, wall = _volume(made, "lv"), _volume(made, "wall")
    on_lv = (made.label == 0) & torch.isfinite(made.thickness)
    values = made.thickness[on_lv]
    areas = {}
    for k, name in enumerate(SEGMENTS, 1):
        chosen = made.thickness[on_lv & (made.segment == k)]
        areas[f"{k} {name}"] = float(chosen.mean()) if len(chosen) else None
    report = {
        "frame": fit.contours.frame,
        "lv_volume_ml": lv,
        "lv_volume_error_ml": _offset_error(fit.settled, made, "lv"),
        "rv_volume_ml": _volume(made, "rv") if rv else None,
        "rv_volume_error_ml": _offset_error(fit.settled, made, "rv") if rv else None,
        "lv_volume_interval_ml": volume_interval(fit, made, "lv"),
        "rv_volume_interval_ml": volume_interval(fit, made, "rv") if rv else None,
        "lv_mass_g": (wall - lv) * DENSITY_OF_MUSCLE,
        "wall_thickness_mm": {
            "mean": float(values.mean()),
            "min": float(values.min()),
            "max": float(values.max()),
        },
        "segments_mm": areas,
        "contour_distance": residuals(fit.contours, made, rv=rv),
        "contour_distance_after_shifts": residuals(fit.settled, made, rv=rv),
        "slice_shift_mm": {str(n): float(s.norm()) for n, s in fit.shifts.items()},
        "moved_slices": {
            str(m.number): {
                "mm": float(m.by.norm()),
                "by_mm": m.by.tolist(),
                "confidence": m.confidence,
                "left_out": m.number not in fit.shifts,
            }
            for m in fit.moves
        },
        "model": "both ventricles" if rv else "left ventricle only",
        "remarks": [*fit.contours.notes, *fit.remarks],
        "seconds": fit.seconds,
    }
    return report


def over_cycle(reports: list[dict]) -> dict:
    """Ejection fractions and volumes over a series of `read_out`s, with errors where known."""
    result: dict = {"frames": len(reports)}
    for side in ("lv", "rv"):
        volumes = [r[f"{side}_volume_ml"] for r in reports]
        if any(v is None for v in volumes):
            continue
        big, small = max(volumes), min(volumes)
        ed, es = volumes.index(big), volumes.index(small)
        errors = [reports[i][f"{side}_volume_error_ml"] for i in (ed, es)]
        error = None
        if None not in errors:
            error = 100 / big * math.hypot(errors[1], errors[0] * small / big)
        result[side] = {
            "ed_frame": reports[ed]["frame"],
            "es_frame": reports[es]["frame"],
            "ed_volume_ml": big,
            "es_volume_ml": small,
            "stroke_volume_ml": big - small,
            "ejection_fraction_percent": 100 * (big - small) / big,
            "ejection_fraction_error_points": error,
            "first_frame_ejection_fraction_percent": 100 * (volumes[0] - small) / volumes[0],
        }
    masses = [r["lv_mass_g"] for r in reports]
    result["lv_mass_g"] = sum(masses) / len(masses)
    result["lv_mass_spread_g"] = max(masses) - min(masses)
    return result
