"""A capture from a path: which camera file it is, and which of its images are there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from meshlearn.captures.capture import KINDS, Capture, Names, fullest
from meshlearn.captures.colmap import is_colmap, read_colmap_model
from meshlearn.captures.transforms import read_transforms_file, transforms_file


def is_capture(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a file `transforms….json`, or a folder with one or with a COLMAP model."""
    path = Path(path)
    return transforms_file(path) is not None or (path.is_dir() and is_colmap(path))


def read_capture(path: str | os.PathLike[str]) -> Capture:
    """The capture of a `transforms….json`, of a folder with one, or of a COLMAP model.

    Raises:
        ValueError: none is there, or it has an error, see `read_transforms_file` and
            `read_colmap_model`.
    """
    path = Path(path)
    if path.is_dir() and transforms_file(path) is None and is_colmap(path):
        return read_colmap_model(path)
    return read_transforms_file(path)


TAILS = ("", "_2", "_4", "_8")  # of folders of smaller images, as programs name them
_TAIL = re.compile("_[248]$")


def scaled(capture: Capture) -> Capture:
    """Where folders of smaller images hold more of a kind than those that are named, those.

    Of images/left/0001.png these are images_2/left and images/left_2, and so on for 4 and 8; of
    images_4 also images. An image there may be of another type (0001.jpg as 0001.png).
    """
    paths, remarks = dict(capture.paths), []
    for kind, files in capture.paths.items():
        choices = _choices(files, capture.path)
        best, count = fullest(choices)
        if best:
            paths[kind] = choices[best]
            first = next(k for k, file in enumerate(files) if file)
            named, read = (_folder(found[first], capture.path) for found in (files, choices[best]))
            own = sum(file is not None and file.is_file() for file in files)
            total = sum(file is not None for file in files)
            remarks.append(
                f"{capture.path}: {own:,} of {total:,} {kind} of {named} are there; those of "
                f"{read} are read in their place, {count:,} of {total:,} are there"
            )
    return replace(capture, paths=paths, remarks=(*capture.remarks, *remarks))


def _below(file: Path, place: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder of a capture, which holds its images and its camera file at `place`, and the names
    of folders below it on the way to a file."""
    root = Path(os.path.commonpath([file.parent, place]))
    return root, file.parent.relative_to(root).parts


def _folder(file: Path | None, place: Path) -> str:
    return "/".join(_below(file, place)[1]) if file else ""


def _choices(files: list[Path | None], place: Path) -> list[list[Path | None]]:
    """The files as they are named, and in each of the folders where smaller ones may be."""
    if not any(files):
        return [files]
    ways = [None if file is None else _below(file, place) for file in files]
    depths = {len(way[1]) for way in ways if way}
    levels = [*range(max(depths)), *([-1] if len(depths) > 1 and min(depths) else [])]
    named = Names()
    out = [files]
    for tail in (*TAILS[1:], TAILS[0]):
        for level in levels:
            found: list[Path | None] = []
            for file, way in zip(files, ways, strict=True):
                if file is None or way is None or not -len(way[1]) <= level < len(way[1]):
                    found.append(file)
                    continue
                names = list(way[1])
                names[level] = _TAIL.sub("", names[level]) + tail
                found.append(named.alike(way[0].joinpath(*names, file.name)))
            if found != files:
                out.append(found)
    return out


def wanted_kinds(capture: Capture, use: Sequence[str] | None, path: Path) -> Capture:
    """The capture with the kinds of images that are asked for; by default those of every view.

    Alpha of the colours stands in for masks, where there are none and they are asked for.

    Raises:
        ValueError: a kind that is not known, or not there.
    """
    there = {k: v for k in KINDS if (v := capture.paths.get(k))}
    rest = {k: v for k, v in capture.paths.items() if k not in KINDS}
    if use is None:
        whole = {k: v for k, v in there.items() if all(v)}
        if not whole:
            raise ValueError(f"{path}: no kind of image is there for every view")
        return replace(
            capture,
            paths=whole | rest,
            remarks=(*capture.remarks, *(_partial(capture, k) for k in there if k not in whole)),
        )
    if not list(use):
        raise ValueError(f"use: expected some of {', '.join(KINDS)}, got none")
    wanted = {}
    for kind in use:
        if kind not in KINDS:
            raise ValueError(f"use: {kind!r} is not one of {', '.join(KINDS)}")
        source = "colors" if kind == "masks" and kind not in there else kind
        if source not in there:
            raise ValueError(f"use: {path} has no {kind}, only {', '.join(there)}")
        wanted[kind] = there[source]
        if not all(there[source]):
            name = capture.names[there[source].index(None)]
            raise ValueError(
                f"{path}: {kind} are missing for the view {name!r}; add them, or choose others by "
                "use"
            )
    alpha = "masks" in wanted and "masks" not in there
    return replace(capture, paths=wanted | rest, masks_are_alpha=alpha)


def _partial(capture: Capture, kind: str) -> str:
    files = capture.paths[kind]
    count = sum(file is not None for file in files)
    return (
        f"{capture.path}: only {count:,} of {len(files):,} views have {kind}, which are left aside "
        f"(the first without: {capture.names[files.index(None)]})"
    )


MISSING = ("skip", "refuse")


def present(capture: Capture, missing: str = "skip") -> Capture:
    """Without the views of which not all images are there.

    Args:
        missing: "refuse" takes no capture that lacks an image.

    Raises:
        ValueError: no image is there, one is not and that is to be refused, or of half of the
            other views some are there and others not.
    """
    if missing not in MISSING:
        raise ValueError(f"missing: expected one of {', '.join(MISSING)}, got {missing!r}")
    kinds = [k for k in KINDS if k in capture.paths]
    total = len(capture)
    there = [
        [(file := capture.paths[k][i]) is not None and file.is_file() for k in kinds]
        for i in range(total)
    ]
    gone = [i for i, found in enumerate(there) if not any(found)]
    if len(gone) == total:
        views = f"{total:,} view{'' if total == 1 else 's'}"
        raise ValueError(
            f"{capture.path}: of its {views} no image is there; the first is "
            f"{capture.paths[kinds[0]][0]}"
        )
    part = [i for i, found in enumerate(there) if any(found) and not all(found)]
    refused = missing == "refuse" or 2 * len(part) >= total - len(gone)
    for k, kind in enumerate(kinds):
        lacking = [i for i in (part if missing == "skip" else range(total)) if not there[i][k]]
        if refused and lacking:
            raise ValueError(
                f"{capture.path}: {len(lacking):,} of {total:,} {kind} "
                f"{'is' if len(lacking) == 1 else 'are'} not there, the first of them "
                f"{capture.paths[kind][lacking[0]]}; add what is missing, or choose other kinds by "
                "use"
            )
    said = []
    if gone:
        said.append(
            f"{capture.path}: the images of {len(gone):,} of {total:,} views are not there (the "
            f"first: {capture.paths[kinds[0]][gone[0]]}); these views are left out"
        )
    if part:
        first = next(k for k, found in zip(kinds, there[part[0]], strict=True) if not found)
        said.append(
            f"{capture.path}: {len(part):,} of {total:,} views lack a part of their images (the "
            f"first: {capture.paths[first][part[0]]}); these views are left out"
        )
    keep = [i for i, found in enumerate(there) if all(found)]
    return capture.only(keep, *said) if said else capture
