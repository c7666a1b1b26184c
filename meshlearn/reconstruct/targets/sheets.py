"""Contact sheets of a fit: what was wanted beside what came."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.image_levels import Views, level_within
from meshlearn.render import render
from meshlearn.render.picture import INK, PAPER, drawable, font_of, save_image, shaded_view, to_pil


def image_sheet(
    rows: Sequence[Sequence[Tensor]],
    path: str | os.PathLike[str],
    *,
    labels: Sequence[str] = (),
    heads: Sequence[str] = (),
    title: str = "",
) -> Path:
    """Writes images of one size in rows and columns as PNG.

    Args:
        rows: of images (H, W) or (H, W, 3) in 0 to 1.
        labels: one for each row, written at its left.
        heads: one for each column.
        title: a headline.

    Example:
        >>> image_sheet([targets, predictions], "sheet.png", labels=["target", "fit"])
    """
    if not rows or not all(len(row) for row in rows):
        raise ValueError("rows: expected one image or more in each row")
    h, w = rows[0][0].shape[:2]
    font = font_of(max(11, h // 12))
    gap, margin = 4, 12
    side = 8 * max((len(text) for text in labels), default=0) * max(11, h // 12) // 13
    top = (h // 8 if heads else 0) + (h // 6 if title else 0)
    columns = max(len(row) for row in rows)
    sheet = Image.new(
        "RGB",
        (
            2 * margin + side + columns * (w + gap) - gap,
            2 * margin + top + len(rows) * (h + gap) - gap,
        ),
        PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((margin, margin // 2), drawable(title, font), fill=INK, font=font)
    for j, text in enumerate(heads):
        at = (margin + side + j * (w + gap), margin + top - h // 9)
        draw.text(at, drawable(text, font), fill=INK, font=font)
    for i, row in enumerate(rows):
        y = margin + top + i * (h + gap)
        if i < len(labels):
            draw.text((margin, y + h // 2), drawable(labels[i], font), fill=INK, font=font)
        for j, image in enumerate(row):
            sheet.paste(to_pil(image).convert("RGB"), (margin + side + j * (w + gap), y))
    return save_image(sheet, path)


def compare_sheet(
    target: Views, mesh: Mesh, path: str | os.PathLike[str], *, views: int = 5
) -> Path:
    """Writes, for some views, each kind of image that a fit looked at beside what it gives."""
    level = level_within(target.levels, settings.SHEET_IMAGE)
    count = len(level.cameras)
    chosen = torch.linspace(0, count - 1, min(views, count)).round().long()
    chosen = chosen.to(level.cameras.view.device)
    cams = level.cameras[chosen]
    drawn = render(mesh, cams, level.size, channels=("mask", "depth", "normal"), antialias=True)
    wanted = {k: v[chosen] for k, v in level.images.items()}
    rows: list[list[Tensor]] = []
    labels: list[str] = []

    def add(name: str, theirs: Iterable[Tensor], mine: Iterable[Tensor]) -> None:
        rows.extend((list(theirs), list(mine)))
        labels.extend((name, "fit"))

    add("mask", wanted["masks"], drawn["mask"])
    off = [_difference(a, b) for a, b in zip(*rows[:2], strict=True)]
    if "known" in wanted:  # grey where no camera looked
        known = wanted["known"][..., None]
        off = [torch.where(k, o, 0.85) for k, o in zip(known, off, strict=True)]
    rows.append(off)
    labels.append("difference")
    if "depth" in wanted:
        ranges = [_range(d) for d in wanted["depth"]]
        theirs, mine = (
            [_grey(d, r) for d, r in zip(images, ranges, strict=True)]
            for images in (wanted["depth"], drawn["depth"])
        )
        add("depth", theirs, mine)
    if "normals" in wanted:
        add("normal", _painted(wanted["normals"]), _painted(drawn["normal"]))
    if "colors" in wanted:
        color = render(
            mesh, cams, level.size, channels=("color",), antialias=True, background=(1, 1, 1)
        )["color"]
        if "color" not in mesh.vertex_attributes:
            color = color.mean(-1, keepdim=True).expand_as(color)
        alpha = wanted["masks"][..., None]
        add("color", wanted["colors"] * alpha + 1 - alpha, color)
    bare = Mesh(mesh.vertices, mesh.faces)
    rows.append([shaded_view(bare, cams[i], level.size, samples=2) for i in range(len(cams))])
    labels.append("surface")
    return image_sheet(rows, path, labels=labels, heads=[f"view {int(i)}" for i in chosen])


def _range(depth: Tensor) -> tuple[float, float]:
    seen = depth[depth > 0]
    return (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)


def _grey(depth: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    near = 1 - 0.9 * (depth - low) / max(high - low, 1e-12)
    return torch.where(depth > 0, near.clamp(0, 1), 0.0)


def _painted(normals: Tensor) -> Tensor:
    known = (normals * normals).sum(-1, keepdim=True) > settings.KNOWN_NORMAL
    return torch.where(known, normals / 2 + 0.5, 1.0)


def _difference(theirs: Tensor, mine: Tensor) -> Tensor:
    """White where equal; red where the fit has too much, blue where too little."""
    off = mine - theirs
    return torch.stack((1 - (-off).clamp(0, 1), 1 - off.abs().clamp(0, 1), 1 - off.clamp(0, 1)), -1)
