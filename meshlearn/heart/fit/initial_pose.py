"""What contours tell before any fit: slice planes, the heart's frame, and what is wrong."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn.heart.data.contours import VIEWS, Contours
from meshlearn.heart.fit.settings import (
    APEX_WALL,
    LEAST_LENGTH,
    LEAST_MIDDLE,
    LEAST_MITRAL,
    LEAST_ON_SLICE,
    LEAST_POINTS,
    LEAST_RADIUS,
    MIDDLE,
    MIRRORED,
    SWAPPED_INSIDE,
    SWAPPED_SEPTUM,
    SWAPPED_VENTRICLES,
)
from meshlearn.heart.fit.soundness import check_drawn_once, check_shape


@dataclass(frozen=True)
class InitialPose:
    """A first pose, and the size of the LV.

    Attributes:
        rotation: (3, 3), columns are the heart's axes x (to the RV), y (front), z (apex to base).
        centre: (3,) middle of the LV's axis, mm.
        length: of the LV cavity, mm.
        radius: mean radius of the LV cavity, mm.
        rv: whether there are contours of the RV.
    """

    rotation: Tensor
    centre: Tensor
    length: float
    radius: float
    rv: bool


def slice_axes(contours: Contours) -> tuple[list[int], Tensor]:
    """Numbers of the slices (S,) and two unit vectors in the plane of each, (S, 3, 2)."""
    numbers = contours.slices()
    axes = []
    for number in numbers:
        points = contours.points[contours.slice == number]
        _, vectors = torch.linalg.eigh((points - points.mean(0)).T @ (points - points.mean(0)))
        axes.append(vectors[:, 1:])
    return numbers, torch.stack(axes) if axes else torch.zeros(0, 3, 2, dtype=torch.float64)


def find_initial_pose(contours: Contours) -> InitialPose:
    """First pose and size of a heart from its contours.

    Raises:
        ValueError: too little to fit a heart to (no LV, one slice), swapped labels.

    Warns:
        UserWarning: no base, no apex, only short-axis slices, no RV, mirrored coordinates.
    """
    endo = contours.of("lv_endo")
    if len(endo) < LEAST_POINTS:
        raise ValueError(
            f"{contours.source}: {len(endo)} points of the LV cavity (LV_ENDOCARDIAL), at least "
            f"{LEAST_POINTS} are needed"
        )
    sliced = contours.slices()
    if len(sliced) == 1:
        raise ValueError(
            f"{contours.source}: all contours lie on one slice; a heart needs at least two"
        )
    check_shape(contours)
    has_rv = len(contours.of("rv_free", "rv_septum", "rv_endo")) >= LEAST_POINTS
    z = long_axis(contours)
    low, high = _ends(contours, z)
    along = endo.points @ z
    lower, upper = (low + share * (high - low) for share in MIDDLE)
    middle = endo.points[(along > lower) & (along < upper)]
    if len(middle) < LEAST_MIDDLE:
        middle = endo.points
    centre = middle.mean(0)
    if len(contours.of("mitral")) >= LEAST_MITRAL and len(
        contours.of("apex")
    ):  # the axis through both
        apex, base = contours.of("apex").points.mean(0), contours.of("mitral").points.mean(0)
        z = _unit(base - apex)
        centre = (apex + base) / 2
        low, high = _ends(contours, z)
    centre = centre + z * ((low + high) / 2 - centre @ z)
    toward = contours.of("rv_free", "rv_endo", "rv_epi").points
    if not has_rv or not len(toward):
        x = torch.tensor([-1.0, -1.0, 0.0], dtype=torch.float64)  # right and front
    else:
        x = toward.mean(0) - centre
    x = _unit(x - z * (x @ z))
    rotation = torch.stack([x, torch.linalg.cross(z, x), z], 1)
    off = (middle - centre) @ rotation[:, :2]
    radius = float((off - off.mean(0)).norm(dim=1).median())
    _check_swaps(contours, centre, rotation)
    check_drawn_once(contours)
    _check_mirror(contours, rotation)
    _tell_missing(contours, has_rv)
    return InitialPose(rotation, centre, float(high - low), max(radius, LEAST_RADIUS), has_rv)


def _unit(v: Tensor) -> Tensor:
    return v / v.norm().clamp(min=1e-12)


def long_axis(contours: Contours) -> Tensor:
    """Unit vector from apex to base."""
    endo = contours.of("lv_endo")
    apex, base = contours.of("apex").points, contours.of("mitral").points
    if not len(base):
        base = contours.of("aortic").points
    if len(apex) and len(base):
        return _unit(base.mean(0) - apex.mean(0))
    sax = endo.take(endo.view == VIEWS.index("sax"))
    planes = [sax.points[sax.slice == n] for n in sax.slices()]
    planes = [p for p in planes if len(p) >= LEAST_ON_SLICE]
    if len(planes) >= 2:
        middles = torch.stack([p.mean(0) for p in planes])
        normal = torch.linalg.svd(planes[0] - middles[0])[2][2]
        normal = normal if (middles[-1] - middles[0]) @ normal > 0 else -normal
        sizes = torch.stack([(p - p.mean(0)).norm(dim=1).mean() for p in planes])
        where = middles @ normal
        wider = ((where - where.mean()) * (sizes - sizes.mean())).sum() > 0
        z = normal if wider else -normal
    else:
        spread = endo.points - endo.points.mean(0)
        z = torch.linalg.svd(spread, full_matrices=False)[2][0]
        z = z if (spread @ z).amax() < -(spread @ z).amin() else -z
    if len(apex):
        z = z if (endo.points.mean(0) - apex.mean(0)) @ z > 0 else -z
    elif len(base):
        z = z if (base.mean(0) - endo.points.mean(0)) @ z > 0 else -z
    return z


def _ends(contours: Contours, z: Tensor) -> tuple[float, float]:
    """Positions along z of the LV cavity's apex and base."""
    along = contours.of("lv_endo").points @ z
    low, high = float(along.amin()), float(along.amax())
    sax = contours.slices("sax")
    only_sax = len(sax) > 1 and not contours.slices("lax")
    gap = 0.0
    if only_sax:
        points = [contours.points[contours.slice == n].mean(0) @ z for n in sax]
        gap = float(torch.stack(points).sort().values.diff().abs().median())
    apex, base = contours.of("apex").points, contours.of("mitral").points
    if len(apex):
        low = min(low, float((apex @ z).mean()) + APEX_WALL)
    elif only_sax:
        low -= gap / 2
    high = float((base @ z).mean()) if len(base) else high + gap / 2
    return low, max(high, low + LEAST_LENGTH)


def _check_swaps(contours: Contours, centre: Tensor, rotation: Tensor) -> None:
    """LV cavity outside its own epicardium, or the RV inside the LV: labels are swapped."""

    def radius(points: Tensor) -> float:
        return float(((points - centre) @ rotation[:, :2]).norm(dim=1).median())

    wrong = total = 0
    for number in contours.slices():
        at = contours.take(contours.slice == number)
        endo, epi = at.of("lv_endo").points, at.of("lv_epi").points
        if len(endo) >= LEAST_ON_SLICE and len(epi) >= LEAST_ON_SLICE:
            middle = endo.mean(0)
            nearest = torch.cdist(epi, endo).argmin(1)
            outside = (epi - middle).norm(dim=1) > (endo[nearest] - middle).norm(dim=1)
            wrong += float(outside.double().mean()) < SWAPPED_INSIDE
            total += 1
    if total and wrong > total / 2:
        raise ValueError(
            f"{contours.source}: LV_ENDOCARDIAL lies outside LV_EPICARDIAL on {wrong} of {total} "
            "slices; are the labels swapped?"
        )
    free, septum = contours.of("rv_free").points, contours.of("rv_septum").points
    seen = len(free) >= LEAST_POINTS and len(septum) >= LEAST_POINTS
    if seen and radius(septum) > SWAPPED_SEPTUM * radius(free):
        raise ValueError(
            f"{contours.source}: RV_SEPTUM lies further from the LV than RV_FREEWALL; are the "
            "labels swapped?"
        )
    rv, lv = contours.of("rv_free", "rv_endo").points, contours.of("lv_endo").points
    wall = contours.of("lv_epi").points
    if len(rv) >= LEAST_POINTS and len(wall) >= LEAST_POINTS:
        near_lv = torch.cdist(wall[:: max(1, len(wall) // 200)], lv).amin(1).median()
        near_rv = torch.cdist(wall[:: max(1, len(wall) // 200)], rv).amin(1).median()
        if near_rv < SWAPPED_VENTRICLES * near_lv:
            raise ValueError(
                f"{contours.source}: LV_EPICARDIAL lies nearer to the RV than to the LV cavity; "
                "are LV and RV swapped?"
            )


def _check_mirror(contours: Contours, rotation: Tensor) -> None:
    """The outflow of the RV lies in front (+y); behind, the coordinates are a mirror image."""
    front, back = contours.of("pulmonary").points, contours.of("tricuspid").points
    if not len(front) or not len(back):
        front, back = contours.of("aortic").points, contours.of("mitral").points
    if len(front) and len(back):
        wrong = float((front.mean(0) - back.mean(0)) @ rotation[:, 1]) < 0
    else:  # in patients the apex lies to the left and below the base, and the front looks upwards
        wrong = float(rotation[0, 2]) > MIRRORED or min(rotation[2, 1:].tolist()) < -MIRRORED
    if wrong:
        warnings.warn(
            f"{contours.source}: the heart is a mirror image, or not in patient coordinates (x to "
            "the left, y to the back, z up); check the sign of each axis, or the affine",
            stacklevel=3,
        )


def _tell_missing(contours: Contours, has_rv: bool) -> None:
    told = []
    if not has_rv:
        told.append("no contours of the RV: a model of the LV alone")
    if not len(contours.of("mitral")):
        where = "where the LV's contours end"
        if not contours.slices("lax") and contours.slices("sax"):
            where = "half a gap above the last slice of each ventricle, whatever lies beyond"
        told.append(f"no mitral valve points: the base is {where}")
    if not len(contours.of("apex")) and not contours.slices("lax"):
        told.append("no apex point and no long-axis slice: the apex is extrapolated")
    elif not contours.slices("lax") and contours.slices():
        told.append("no long-axis slice: shape between the slices is less certain")
    if not len(contours.of("lv_epi")):
        told.append("no epicardium of the LV: wall thickness and mass come from the average heart")
    for text in told:
        warnings.warn(f"{contours.source}: {text}", stacklevel=4)
