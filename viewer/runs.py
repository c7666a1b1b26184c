"""Folders of fits: the history, and the meshes it kept on the way."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from meshlearn.mesh import Mesh, cut_mesh, moved
from meshlearn.viewer.items import Item, item_of

HISTORY, SETTINGS, SNAPSHOTS = "history.json", "run.json", "snapshots"
TARGET, TEMPLATE = "target.safetensors", "template.safetensors"
_STEP = re.compile(r"step_(\d+)\.safetensors")


def is_run(path: Path) -> bool:
    """Whether a folder is one of a fit, also one that has only begun."""
    names = (HISTORY, SETTINGS, SNAPSHOTS, "checkpoint.safetensors")
    return path.is_dir() and any((path / name).exists() for name in names)


def _read_mesh(path: Path) -> Mesh | None:
    try:
        found = load_file(path)
        kept: dict[str, dict] = {"vertex": {}, "face": {}}
        for key, values in found.items():
            domain, _, name = key.partition(".")
            if name and domain in kept:
                kept[domain][name] = values
        return Mesh(
            found["vertices"],
            found["faces"].long(),
            vertex_attributes=kept["vertex"],
            face_attributes=kept["face"],
        )
    except (OSError, SafetensorError, KeyError, ValueError):
        return None  # being written, or gone


class Run:
    """A run folder; reading it again sees what was written since.

    Attributes:
        folder: where it is.
        settings: what the fit was asked for; {} while there is none.
        history: columns by name; {} while there is none.
        steps: steps whose mesh was kept, ascending.
    """

    word, linear = "Step", False  # what is scrubbed; whether curves are shown as they are
    _stamp: object = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict = {}
        self.history: dict[str, list[float]] = {}
        self.steps: list[int] = []
        self.reload()

    def reload(self) -> bool:
        """Whether anything changed. A file half written is left for the next time."""
        files = [self.folder / HISTORY, self.folder / SETTINGS, self.folder / SNAPSHOTS]
        stamp = tuple(f.stat().st_mtime_ns if f.exists() else 0 for f in files)
        if stamp == self._stamp:
            return False
        settings = self._json(SETTINGS)
        if isinstance(settings, dict) and settings:
            self.settings = settings
        history = self._json(HISTORY)
        if isinstance(history, dict) and history:
            lists = {k: v for k, v in history.items() if isinstance(v, list)}
            length = min(map(len, lists.values()), default=0)
            self.history = {k: v[:length] for k, v in lists.items()}
        folder = self.folder / SNAPSHOTS
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        self.steps = sorted(int(m[1]) for m in map(_STEP.fullmatch, names) if m)
        self._stamp = stamp
        return True

    def _json(self, name: str) -> object:
        try:
            return json.loads((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def state(self) -> str:
        """In words: how far it is."""
        done = len(self.history.get("step", ()))
        stages = self.settings.get("stages") or []
        total = sum(int(s[1]) for s in stages)
        if not done and not self.steps:
            return "Nothing is written yet: the first step is being waited for."
        words = f"{done:,} of {total:,} steps" if total else f"{done:,} steps"
        loss = self.history.get("loss")
        if loss and math.isfinite(loss[-1]):
            words += f", loss {loss[-1]:.4g}"
        if not self.steps:
            words += "; it kept no meshes on the way"
        return words

    def _mesh(self, *names: str) -> Mesh | None:
        """A mesh that was kept, where the source of the fit is."""
        mesh, origin = _read_mesh(self.folder.joinpath(*names)), self.settings.get("origin")
        if mesh is None or not isinstance(origin, list) or len(origin) != 3:
            return mesh
        return moved(mesh, torch.tensor(origin, dtype=torch.float64))

    def shape(self, step: int) -> Item | None:
        """The mesh of a step, or None where it cannot be read (yet)."""
        mesh = self._mesh(SNAPSHOTS, f"step_{step:06d}.safetensors")
        if mesh is None:
            return None
        item = item_of(f"{self.folder.name}: fit", mesh)
        item.error = ""  # early steps may have no surface yet
        return item

    def target(self) -> Item | None:
        """What it was fitted to, as far as it was kept."""
        mesh = self._mesh(TARGET)
        return None if mesh is None else item_of(f"{self.folder.name}: target", mesh)

    def template(self) -> Item | None:
        """What an open fit was cut from, with its field "msdf" and the cut as lines."""
        mesh = self._mesh(TEMPLATE)
        if mesh is None or "msdf" not in mesh.vertex_attributes:
            return None
        value = mesh.vertex_attributes["msdf"]
        item = item_of(f"{self.folder.name}: template", mesh)
        item.hidden = True
        if bool((value > 0).any()):
            cut = cut_mesh(mesh, value).mesh
            rim = cut.topology.edges[cut.topology.boundary_edges]
            item.lines = cut.vertices.double().numpy()[rim.numpy()]
        return item

    def curves(self) -> tuple[list[str], tuple[np.ndarray, ...]]:
        """Names and (steps, log10 of each term) as the chart wants them."""
        steps = np.array(self.history.get("step", [0.0, 1.0]), dtype=float)
        names, columns = [], []
        for name, column in self.history.items():
            if name in ("step", "seconds", "resolution"):
                continue
            values = np.array([math.nan if v is None else v for v in column], dtype=float)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.log10(np.where(values > 0, values, np.nan))
            if np.isfinite(logs).any():
                names.append(name)
                columns.append(logs)
        order = sorted(range(len(names)), key=lambda k: names[k] != "loss")[:5]
        if not order:
            return ["loss"], (steps, np.zeros_like(steps))
        return [names[k] for k in order], (steps, *(columns[k] for k in order))


def empty_shape(name: str) -> Item:
    """What stands for a fit before its first mesh."""
    none = torch.zeros(0, 3)
    return Item(name, mesh=Mesh(none, none.long()))
