"""Pictures of fitted hearts: cuts along the slices, and the volumes over the cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from meshlearn.geometry import plane_section
from meshlearn.heart.data.contours import LABELS
from meshlearn.heart.fit.one_frame import HeartFit
from meshlearn.heart.fit.settings import DENSITY
from meshlearn.render.picture import save_image

_SURFACES = {"lv": (200, 30, 30), "rv": (20, 120, 50), "wall": (230, 160, 20), "epi": (30, 30, 30)}
_POINTS = {
    "lv_endo": (200, 30, 30),
    "lv_epi": (110, 110, 110),
    "rv_epi": (150, 150, 150),
    "rv_free": (20, 150, 60),
    "rv_septum": (130, 40, 190),
    "rv_endo": (20, 150, 60),
    "rv_insert": (250, 0, 250),
}


def draw_slices(fit: HeartFit, path: str | Path, *, size: int = 360) -> Path:
    """A PNG with one tile a slice: the contours as points, the surfaces as lines; short-axis
    slices with the RV to the right, long-axis ones with the base up."""
    with torch.no_grad():
        names = [n for n in _SURFACES if n in fit.model.surfaces]
        rows, columns = DENSITY
        meshes = {n: fit.model.mesh(n, rows=rows, columns=columns).to(torch.float64) for n in names}
        zero = fit.model.to_world(torch.zeros(1, 3))
        axes = (fit.model.to_world(torch.eye(3)) - zero).double().numpy()
    contours, tiles = fit.contours, []
    reach = float((contours.points - contours.points.mean(0)).norm(dim=1).max()) * 1.3
    for number in contours.slices() or [-1]:
        part = contours.take(contours.slice == number)
        points = part.points.numpy()
        origin = points.mean(0)
        normal = np.linalg.svd(points - origin)[2][2]
        short = abs(normal @ axes[2]) > 0.7
        up = axes[1] if short else axes[2]
        up = up - normal * (normal @ up)
        up = up / np.linalg.norm(up)
        right = np.cross(up, normal)
        right = -right if right @ axes[0] < 0 else right
        tile = Image.new("RGB", (size, size), "white")
        pen = ImageDraw.Draw(tile)
        middle = zero[0].double().numpy()
        scale = size / 2 / reach

        def at(p, middle=middle, right=right, up=up, scale=scale):
            return size / 2 + scale * ((p - middle) @ right), size / 2 - scale * ((p - middle) @ up)

        for name, mesh in meshes.items():
            cut = plane_section(mesh, torch.from_numpy(origin), torch.from_numpy(normal))
            for a, b in cut.numpy():
                pen.line([at(a), at(b)], fill=_SURFACES[name], width=2 if name != "wall" else 1)
        for p, label in zip(points, part.label.tolist(), strict=True):
            (x, y), color = at(p), _POINTS.get(LABELS[label], (255, 120, 0))
            r = 2 if LABELS[label] in _POINTS else 4
            pen.ellipse([x - r, y - r, x + r, y + r], outline=color)
        pen.text((6, 4), f"{'short' if short else 'long'} axis, slice {number}", fill=(0, 0, 0))
        tiles.append(tile)
    across = min(4, len(tiles))
    sheet = Image.new("RGB", (across * size, -(-len(tiles) // across) * size), "white")
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % across * size, i // across * size))
    return save_image(sheet, path)


def draw_volumes(
    curves: Mapping[str, Sequence[float]], path: str | Path, *, title: str = ""
) -> Path:
    """A PNG of volumes (mL) over the frames."""
    wide, high, left, under = 760, 420, 60, 40
    colors = [(200, 30, 30), (20, 110, 180), (20, 120, 50), (120, 120, 120)]
    top = max(max(values) for values in curves.values()) * 1.1
    step = next(s for s in (5, 10, 20, 25, 50, 100, 200, 500, 1e9) if top / s <= 8)
    sheet = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(sheet)
    count = max(len(v) for v in curves.values())

    def at(i: float, value: float) -> tuple[float, float]:
        x = left + (wide - left - 30) * i / max(count - 1, 1)
        return x, high - under - (high - under - 40) * value / top

    level = 0.0
    while level <= top:
        pen.line([at(0, level), at(count - 1, level)], fill=(225, 225, 225))
        pen.text((left - 34, at(0, level)[1] - 6), f"{level:.0f}", fill=(60, 60, 60))
        level += step
    for i in range(0, count, max(1, count // 12)):
        pen.text((at(i, 0)[0] - 4, high - under + 8), str(i), fill=(60, 60, 60))
    for k, (name, values) in enumerate(curves.items()):
        color = colors[k % len(colors)]
        line = [at(i, v) for i, v in enumerate(values)]
        if len(line) > 1:
            pen.line(line, fill=color, width=3)
        for x, y in line:
            pen.ellipse([x - 3, y - 3, x + 3, y + 3], fill=color)
        pen.text((wide - 150, 30 + 16 * k), name, fill=color)
    pen.text((left, 10), title or "volume, mL, over the frames", fill=(0, 0, 0))
    return save_image(sheet, path)
