"""A folder of `meshlearn heart series` as something to scrub through: hearts, volumes, contours."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from meshlearn.viewer.items import Item
from meshlearn.viewer.reading import read_item
from meshlearn.viewer.runs import Run

REPORT, _FRAME = "report.json", re.compile(r"muscle_(\d+)\.vtp")
THICKNESS = "wall_thickness"  # the field that is shown first
_VOLUMES = {"lv_volume_ml": "LV, mL", "rv_volume_ml": "RV, mL"}


def is_series(path: Path) -> bool:
    """Whether a folder holds the hearts of a cycle."""
    return path.is_dir() and (path / REPORT).is_file() and (path / "muscle.pvd").is_file()


def is_heart(path: Path) -> bool:
    """Whether a folder is one of `meshlearn heart fit`."""
    return path.is_dir() and (path / REPORT).is_file() and (path / "muscle.vtp").is_file()


def heart_of(folder: Path) -> Item:
    """The muscle of a folder of `meshlearn heart fit`, with the contours it was fitted to."""
    item = read_item(folder / "muscle.vtp")
    item.name = folder.name
    return with_contours(item, folder / "contours.txt")


def with_contours(item: Item, path: Path) -> Item:
    """Puts the contours of a file, if it is there, into an item."""
    if not item.error and path.is_file():
        drawn = read_item(path)
        for name in ("points", "point_colors", "point_size", "lines", "line_colors", "legend"):
            setattr(item, name, getattr(drawn, name))
        item.notes += drawn.notes
        if drawn.error:
            item.notes.append(f"{path.name}: {drawn.error}")
    return item


class Series(Run):
    """Frames in place of steps: the muscle with its fields, and the volumes it holds."""

    word, linear = "Frame", True

    def reload(self) -> bool:
        """Whether anything changed."""
        report = self.folder / REPORT
        stamp = report.stat().st_mtime_ns if report.exists() else 0
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        found = self._json(REPORT)
        self.report = found if isinstance(found, dict) else {}
        frames = [f for f in self.report.get("frames", []) if isinstance(f, dict)]
        self.history = {"step": [float(f.get("frame", k)) for k, f in enumerate(frames)]}
        for key, name in _VOLUMES.items():
            values = [f.get(key) for f in frames]
            if any(isinstance(v, (int, float)) for v in values):
                self.history[name] = [float("nan") if v is None else float(v) for v in values]
        names = [path.name for path in self.folder.iterdir()]
        self.steps = sorted(int(m[1]) for m in map(_FRAME.fullmatch, names) if m)
        return True

    @property
    def state(self) -> str:
        """In words: how many frames, and what the heart ejects."""
        words = f"{len(self.steps)} frames"
        for side in ("lv", "rv"):
            share = ((self.report.get("cycle") or {}).get(side) or {}).get(
                "ejection_fraction_percent"
            )
            if isinstance(share, (int, float)):
                words += f", {side.upper()} ejection fraction {share:.1f} %"
        return words

    def shape(self, step: int) -> Item | None:
        """The muscle of a frame, or None where it cannot be read."""
        item = read_item(self.folder / f"muscle_{step:03d}.vtp")
        if item.error:
            return None
        item.name = f"{self.folder.name}: heart"
        with_contours(item, self.folder / f"contours_{step:03d}.txt")
        return item

    def curves(self) -> tuple[list[str], tuple[np.ndarray, ...]]:
        """Names and (frames, volumes) as the chart wants them."""
        steps = np.array(self.history["step"] or [0.0, 1.0])
        names = [name for name in self.history if name != "step"]
        if not names:
            return ["LV, mL"], (steps, np.zeros_like(steps))
        return names, (steps, *(np.array(self.history[name]) for name in names))
