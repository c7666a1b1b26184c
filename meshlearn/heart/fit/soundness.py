"""Whether contours can be a heart's, and whether a fit came out as one: refused, or told."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from meshlearn.geometry import point_mesh_distance
from meshlearn.heart.data.contours import VIEWS, Contours
from meshlearn.heart.fit.settings import (
    BEYOND,
    DISC_DIFFERENCE,
    FAR_OFF,
    FLATTEST,
    LEAST_DRAWN_TWICE,
    LEAST_ON_SLICE,
    LEAST_WALL,
    OFF,
    SECTORS,
    TWICE,
)
from meshlearn.heart.model import HeartModel, part_of

SHEETS = {"lv": ("LV cavity", ("lv_endo",)), "rv": ("RV", ("rv_free", "rv_septum", "rv_endo"))}


def check_shape(contours: Contours) -> None:
    """Refuses contours of the LV that lie in one plane, on a line or at a point.

    Raises:
        ValueError: one of these.
    """
    points = contours.of("lv_endo").points
    spread = torch.linalg.svdvals(points - points.mean(0)) / len(points) ** 0.5
    if float(spread[2]) < FLATTEST:
        where = "at one point" if spread[0] < FLATTEST else "on one line"
        where = "in one plane" if spread[1] >= FLATTEST else where
        raise ValueError(
            f"{contours.source}: the contours of the LV cavity all lie {where}, within "
            f"{float(spread[2]):.2g} mm; a heart needs slices at several places"
        )


def check_drawn_once(contours: Contours) -> None:
    """Refuses contours of the LV that lie one inside the other on most short-axis slices, as those
    of two time frames without a word of time do.

    Raises:
        ValueError: that.
    """
    seen = [
        twice for n in contours.slices("sax") if (twice := _drawn_twice(contours, n)) is not None
    ]
    if len(seen) >= LEAST_DRAWN_TWICE and sum(seen) > len(seen) / 2:
        raise ValueError(
            f"{contours.source}: the LV cavity is drawn twice, one inside the other, on "
            f"{sum(seen)} of {len(seen)} short-axis slices, as by two time frames; give one frame, "
            "or a column of times"
        )


def _drawn_twice(contours: Contours, number: int) -> bool | None:
    """Whether a slice has two contours of the LV cavity; None for too few points to say."""
    points = contours.take(contours.slice == number).of("lv_endo").points
    if len(points) < 2 * SECTORS:
        return None
    away = points - points.mean(0)
    plane = torch.linalg.svd(away, full_matrices=False)[2][:2]
    flat = away @ plane.T
    sector = ((torch.atan2(flat[:, 1], flat[:, 0]) / (2 * torch.pi) + 0.5) * SECTORS).long()
    radius = flat.norm(dim=1)
    gaps = [
        float(here.sort().values.diff().amax())
        for k in range(SECTORS)
        if len(here := radius[sector.clamp(max=SECTORS - 1) == k]) > 1
    ]
    if len(gaps) < SECTORS / 2:
        return None
    return float(torch.tensor(gaps).median()) > TWICE * float(radius.median())


def check_fit(model: HeartModel, contours: Contours, shifts: dict[int, Tensor]) -> list[str]:
    """What is odd about a fit, in sentences: far from its contours, from the sum of its discs,
    beyond what was seen, with a wall that is too thin.

    Args:
        shifts: slice number -> how far the fit moved it, mm (3,).

    Raises:
        ValueError: no heart came out: numbers that are not finite, or surfaces far from the
            contours.
    """
    name = contours.source + (f", frame {contours.frame}" if contours.frame >= 0 else "")
    told: list[str] = []
    with torch.no_grad():
        tess = model.tessellation()
        vertices = model.vertices(tess)[0].double()
        moved = contours.points.clone()
        for number, by in shifts.items():
            moved[contours.slice == number] += by.double()
        if not bool(torch.isfinite(vertices).all()):
            raise ValueError(f"{name}: the fit has no finite shape; check the contours")
        up = model.to_world(torch.eye(3)[2:])[0].double() - model.centre[0].double()
        for key, (words, labels) in SHEETS.items():
            on = contours.mask(*labels)
            if not bool(on.any()) or (key == "rv" and not model.has_rv):
                continue
            mesh = part_of(vertices, tess, key)
            off = point_mesh_distance(moved[on], mesh).squared_distance.sqrt()
            middle, most = float(off.median()), float(off.quantile(0.95))
            if middle > FAR_OFF:
                raise ValueError(
                    f"{name}: no heart fits these contours, half of the {words}'s lie more than "
                    f"{middle:.0f} mm from its surface; check labels, slices and units"
                )
            if most > OFF:
                told.append(
                    f"one in twenty contour points of the {words} lies more than {most:.0f} mm "
                    "from the fit; look at the slices"
                )
            volume = float(mesh.volume()) / 1000
            reach = float((mesh.vertices @ up).amax() - (moved @ up).amax())
            if reach > BEYOND:
                told.append(
                    f"the {words} goes {reach:.0f} mm beyond the highest contour, by the shape of "
                    "the average heart"
                )
            # of the LV alone: the area of a crescent is none of its points' angles
            discs = disc_sum(contours, labels) if key == "lv" else None
            if discs and not contours.slices("lax") and abs(volume / discs - 1) > DISC_DIFFERENCE:
                told.append(
                    f"the {words} has {volume:.0f} mL, the discs of its slices sum up to "
                    f"{discs:.0f} mL"
                )
        inner, outer = (part_of(vertices, tess, n) for n in ("lv", "wall"))
        wall = (float(outer.volume() - inner.volume())) / float(inner.area())
        if wall < LEAST_WALL:
            told.append(f"the wall of the LV is {wall:.1f} mm thick on average")
    return [f"{name}: {text}" for text in told]


def tell(texts: list[str], stacklevel: int) -> None:
    """Warns of each."""
    for text in texts:
        warnings.warn(text, stacklevel=stacklevel + 1)


def disc_sum(contours: Contours, labels: tuple[str, ...]) -> float | None:
    """Volume (mL) of contours on short-axis slices, each as thick as the gap to the next; None
    where fewer than two slices have a contour."""
    part = contours.of(*labels)
    part = part.take(part.view == VIEWS.index("sax"))
    planes = [part.points[part.slice == n] for n in part.slices()]
    planes = [p for p in planes if len(p) >= LEAST_ON_SLICE]
    if len(planes) < 2:
        return None
    normal = torch.linalg.svd(planes[0] - planes[0].mean(0), full_matrices=False)[2][2]
    heights = torch.stack([p.mean(0) @ normal for p in planes]).sort().values
    return sum(map(_area, planes)) * float(heights.diff().median()) / 1000


def _area(points: Tensor) -> float:
    """mm² within a closed contour of points (P, 3), taken in the order of their angles, which
    serves contours that their middle sees; those of a crescent come out larger."""
    away = points - points.mean(0)
    flat = away @ torch.linalg.svd(away, full_matrices=False)[2][:2].T
    x, y = flat[torch.atan2(flat[:, 1], flat[:, 0]).argsort()].T
    return abs(float((x * y.roll(-1) - y * x.roll(-1)).sum())) / 2
