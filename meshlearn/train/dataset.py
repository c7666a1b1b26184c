"""The data set that models of shapes are trained from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from meshlearn.mesh import Mesh
from meshlearn.train.prepare import (
    family_spec,
    is_family_spec,
    prepare,
    prepare_member,
    prepared_files,
)
from meshlearn.train.prepared import PreparedShape, PrepareOptions, load_prepared


@dataclass
class ShapeSet:
    """Shapes with samples of their distances; `sample` is what `train.Stage` draws from.

    Made by `open_data`. Shapes are read (or made) when first asked for, and kept.

    Attributes:
        names: of the shapes.
        points: distance samples of one draw.
        near: share of them that lies near the surface; the rest is spread over the unit box.
        surface: surface points of one draw, with normals; 0 for none.
        voxels: resolution of the occupancy grid of a draw; 0 for none.
    """

    names: list[str]
    readers: list[Callable[[], PreparedShape]] = field(repr=False)
    points: int = 2048
    near: float = 0.7
    surface: int = 0
    voxels: int = 0
    _kept: dict[int, PreparedShape] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.near <= 1:
            raise ValueError(f"near: expected a share from 0 to 1, got {self.near}")
        for name in ("points", "surface", "voxels"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> PreparedShape:
        """The whole of one shape."""
        if not 0 <= index < len(self.names):
            raise IndexError(f"index {index} is out of range for {len(self.names)} shapes")
        if index not in self._kept:
            self._kept[index] = self.readers[index]()
        return self._kept[index]

    def mesh(self, index: int) -> Mesh:
        """The mesh of one shape, in the unit box."""
        return self[index].mesh

    def sample(self, index: int, generator: torch.Generator) -> dict[str, Tensor]:
        """One draw of one shape.

        Returns:
            ``index`` () int64; ``points`` (P, 3) and ``sdf`` (P,), negative inside; where asked
            for, ``surface`` (S, 3) and ``normals`` (S, 3), and ``voxels`` (1, r, r, r) float32.
        """
        shape = self[index]
        close = round(self.points * self.near)
        picked = [_some(shape.near, close, generator, shape.name, "near")]
        picked += [_some(shape.space, self.points - close, generator, shape.name, "space")]
        values = torch.cat(picked)
        out = {"index": torch.tensor(index), "points": values[:, :3], "sdf": values[:, 3]}
        if self.surface:
            seen = _some(shape.surface, self.surface, generator, shape.name, "surface")
            out |= {"surface": seen[:, :3], "normals": seen[:, 3:]}
        if self.voxels:
            out["voxels"] = shape.voxels(self.voxels)[None].float()
        return out

    def subset(self, numbers: Sequence[int]) -> ShapeSet:
        """Some of the shapes; those that were read are shared."""
        return replace(
            self,
            names=[self.names[k] for k in numbers],
            readers=[self.readers[k] for k in numbers],
            _kept={new: self._kept[old] for new, old in enumerate(numbers) if old in self._kept},
        )

    def split(self, held_out: float | int, *, seed: int = 0) -> tuple[ShapeSet, ShapeSet]:
        """To train on, and to test on: a share (or a number) of shapes picked by seed.

        Raises:
            ValueError: nothing would be left on one side.
        """
        count = held_out if isinstance(held_out, int) else round(held_out * len(self))
        if not 0 < count < len(self):
            raise ValueError(
                f"held_out: expected 1 to {len(self) - 1} of {len(self)} shapes, got {held_out}"
            )
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).tolist()
        return self.subset(sorted(order[count:])), self.subset(sorted(order[:count]))

    def with_draw(self, **options: Any) -> ShapeSet:
        """The same shapes with other `points`, `near`, `surface` or `voxels` a draw."""
        other = replace(self, **options)
        other._kept = self._kept
        return other


def _some(
    rows: Tensor, count: int, generator: torch.Generator, name: str, what: str
) -> Tensor:  # fmt: skip
    if count == 0:
        return rows[:0]
    if len(rows) == 0:
        raise ValueError(f"{name}: it was prepared without {what} points; prepare it anew")
    return rows[torch.randint(len(rows), (count,), generator=generator)]


def open_data(
    source: str | os.PathLike[str],
    *,
    options: PrepareOptions | None = None,
    cache: str | os.PathLike[str] | None = None,
    jobs: int = 0,
    points: int = 2048,
    near: float = 0.7,
    surface: int = 0,
    voxels: int = 0,
) -> ShapeSet:
    """Opens a folder that ``meshlearn prepare`` made, or families of shapes.

    Args:
        source: a folder, or families: ``families:chairs:200`` (200 chairs),
            ``families:chairs+mugs:100:first=500:seed=1``, ``families:all:20``.
        options: what is sampled of a family's shapes (a folder has what it was prepared with);
            default: `PrepareOptions` with the voxels asked for.
        cache: folder where a family's shapes are kept, prepared by `jobs` processes; without one
            they are made in memory when first asked for.
        points, near, surface, voxels: of a draw, see `ShapeSet`.

    Raises:
        ValueError: no such folder or family, or a folder without prepared shapes.

    Example:
        >>> data = open_data("families:chairs:200", voxels=32)
        >>> training, test = data.split(0.1)
        >>> train(model, Stage(loss, training, steps=1000))
    """
    draw: dict[str, Any] = {"points": points, "near": near, "surface": surface, "voxels": voxels}
    text = os.fspath(source)
    if not is_family_spec(text):
        files = prepared_files(text)
        names = [str(f.relative_to(text)).split(".shape.")[0] for f in files]
        return ShapeSet(names, [_reader(f) for f in files], **draw)
    options = options or PrepareOptions(voxels=(voxels,) if voxels else ())
    if voxels and voxels not in options.voxels:
        raise ValueError(f"options: expected voxels of {voxels} among {options.voxels}")
    spec = family_spec(text)
    if cache is not None:
        outcomes = prepare(text, cache, options, jobs=jobs)
        bad = [outcome.error for outcome in outcomes if outcome.state == "failed"]
        if bad:
            raise ValueError(bad[0])
        files = [Path(outcome.target) for outcome in outcomes]
        names = [f"{f}-{spec.seed}-{k}" for f, k in spec.members]
        return ShapeSet(names, [_reader(f) for f in files], **draw)
    names, readers = [], []
    for family, number in spec.members:
        names.append(f"{family}-{spec.seed}-{number}")
        readers.append(_maker(family, number, options, spec.seed))
    return ShapeSet(names, readers, **draw)


def _reader(path: Path) -> Callable[[], PreparedShape]:
    return lambda: load_prepared(path)


def _maker(
    family: str, number: int, options: PrepareOptions, seed: int
) -> Callable[[], PreparedShape]:
    return lambda: prepare_member(family, number, options, seed=seed)
