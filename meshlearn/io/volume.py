"""Scalar volumes: samples on a lattice with their place in the world, as tensors.

What files hold is read by `meshlearn.io.volumes`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.io.volumes.labels import label_field
from meshlearn.io.volumes.samples import Samples, Wanted, in_space
from meshlearn.io.volumes.table import SUFFIXES, is_volume, read_samples

__all__ = ["SUFFIXES", "Volume", "is_volume", "load_volume", "volume_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Volume:
    """Samples of a scalar field on a regular lattice; also the field itself, by interpolation.

    Attributes:
        values: (X, Y, Z) float32 or float64, each side at least 2.
        affine: (4, 4) float64, takes an index (i, j, k, 1) to the position of that sample.
        unit: of length, "mm", "m" …; None where nobody says one.
        points: (X, Y, Z, 3) float64, the positions of the samples where no affine says them, as on
            a curved grid; they then stand for the affine.

    Example:
        >>> volume = load_volume("torus_volume.npz")
        >>> volume(torch.zeros(1, 3))      # trilinear value at the origin, (1,)
    """

    values: Tensor
    affine: Tensor
    unit: str | None = None
    points: Tensor | None = None

    def __post_init__(self) -> None:
        check_tensor(self.values, "values", shape=("X", "Y", "Z"), dtype=FLOATS)
        if min(self.values.shape) < 2:
            shape = tuple(self.values.shape)
            raise ValueError(f"values: expected at least 2 samples along each axis, got {shape}")
        check_tensor(self.affine, "affine", shape=(4, 4), dtype=torch.float64, finite=True)
        if self.points is not None:
            shape = (*self.values.shape, 3)
            check_tensor(self.points, "points", shape=shape, dtype=torch.float64, finite=True)
        elif abs(float(torch.linalg.det(self.affine[:3, :3]))) < 1e-300:
            raise ValueError(
                "affine: expected an invertible matrix, got a singular one; check spacing"
            )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between samples along each axis of the lattice."""
        return tuple(self.affine[:3, :3].norm(dim=0).tolist())  # type: ignore[return-value]

    def bounds(self) -> Tensor:
        """(2, 3) float64: the box, along the world's axes, around all samples."""
        if self.points is not None:
            flat = self.points.reshape(-1, 3)
            return torch.stack([flat.amin(0), flat.amax(0)])
        sizes = [range(0, n, n - 1) for n in self.values.shape]
        corner = torch.cartesian_prod(*(torch.tensor(list(s), dtype=torch.float64) for s in sizes))
        world = self.to_world(corner)
        return torch.stack([world.amin(0), world.amax(0)])

    def to_world(self, index: Tensor) -> Tensor:
        """Positions (P, 3) of (fractional) indices (P, 3), in the dtype of `index`."""
        if self.points is not None:
            return _between(self.points.to(index.device), index.double()).to(index.dtype)
        affine = self.affine.to(index.device)
        return (index.double() @ affine[:3, :3].T + affine[:3, 3]).to(index.dtype)

    def to_index(self, points: Tensor) -> Tensor:
        """Fractional indices (P, 3) of positions (P, 3), in the dtype of `points`.

        Raises:
            ValueError: the samples lie on a curved grid.
        """
        if self.points is not None:
            raise ValueError("points: positions on a curved grid have no index; use to_world")
        inverse = torch.linalg.inv(self.affine).to(points.device)
        return (points.double() @ inverse[:3, :3].T + inverse[:3, 3]).to(points.dtype)

    def __call__(self, points: Tensor) -> Tensor:
        """Trilinear values (P,) at points (P, 3), differentiable; outside, the nearest side's."""
        check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, device=self.values.device)
        last = torch.tensor(self.values.shape, dtype=points.dtype, device=points.device) - 1
        unit = self.to_index(points) / last * 2 - 1
        sampled = torch.nn.functional.grid_sample(
            self.values[None, None].to(points.dtype),
            unit.flip(1)[None, :, None, None],  # its axes count from the last one
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
        return sampled.reshape(-1)

    def moved(self, shift: Tensor) -> Volume:
        """The volume moved by `shift` (3,) in the world."""
        affine = self.affine.clone()
        affine[:3, 3] += shift.to(affine)
        points = None if self.points is None else self.points + shift.to(self.points)
        return Volume(self.values, affine, self.unit, points)

    def to(self, device: str | torch.device) -> Volume:
        """The volume with its values on `device`."""
        return Volume(self.values.to(device), self.affine, self.unit, self.points)


def _between(points: Tensor, index: Tensor) -> Tensor:
    """(P, 3): trilinear values of positions (X, Y, Z, 3) at fractional indices (P, 3), float64."""
    last = torch.tensor(points.shape[:3], device=index.device) - 2
    low = torch.minimum(index.floor().long().clamp_min(0), last)
    part = index - low
    out = torch.zeros_like(index)
    for corner in range(8):
        steps = torch.tensor([corner >> 2, corner >> 1 & 1, corner & 1], device=index.device)
        weight = torch.where(steps.bool(), part, 1 - part).prod(1, keepdim=True)
        x, y, z = (low + steps).unbind(1)
        out = out + weight * points[x, y, z]
    return out


def load_volume(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    frame: int | None = None,
    label: int | None = None,
    space: str | None = None,
    spacing: float | Sequence[float] | None = None,
    origin: Sequence[float] | None = None,
    fill: float | None = None,
) -> Volume:
    """Reads a scalar volume.

    Args:
        path: .npy; .npz (with ``spacing``, ``origin`` or ``affine`` beside the array, if they are
            there); NIfTI; NRRD; MetaImage; .mgh and .mgz; grids of VTK (legacy .vtk, .vti, .vtr,
            .vts, and parallel ones); a folder of DICOM slices (extra `dicom`).
            Files that say where a patient's right, front and top are give positions in millimetres
            in these directions ("ras", as NIfTI has them).
        key: the array of an .npz to read (default: the only 3-D one, or one named sdf, field,
            volume, values or data); that of a grid of VTK; the series of a DICOM folder, by its
            number or name.
        frame: which of several volumes (time steps, components), from 0; they must be named.
        label: the volume is one of labels, and what is wanted is a field that is -0.5 in samples of
            this label and 0.5 elsewhere; it reaches one sample beyond them, on a curved grid too.
        space: "ras", or "lps" for positions to a patient's left, back and top, as DICOM has them.
        spacing: distance between samples, one number or three; replaces the file's own.
        origin: position of sample (0, 0, 0); replaces the file's own.
        fill: what replaces NaN and infinities; default: they are refused. With a label there is
            nothing to replace.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, it is truncated or damaged, or it holds no 3-D real
            array, or not the one that is wanted; or an option is none, or of no use to such a file.
        ImportError: DICOM without pydicom.
    """
    samples = read_samples(path, Wanted(key=key, frame=frame))
    for remark in samples.remarks:
        _log.info("%s: %s", path, remark)
    return volume_of(
        samples, Path(path), label=label, space=space, spacing=spacing, origin=origin, fill=fill
    )


def volume_of(
    samples: Samples,
    path: Path,
    *,
    label: int | None = None,
    space: str | None = None,
    spacing: float | Sequence[float] | None = None,
    origin: Sequence[float] | None = None,
    fill: float | None = None,
) -> Volume:
    """The volume of samples of a file.

    Args:
        samples: (X, Y, Z) real numbers and where they lie, as `read_samples` gives them.
        path: of the file, for messages.
        label, space, spacing, origin, fill: as `load_volume` has them; lengths are in the unit of
            the samples.

    Returns:
        values (X, Y, Z), with a label those of its box and one sample around it; float64 where the
        samples are, or are whole numbers beyond 2²⁴, which float32 would round, else float32. The
        unit is that of the samples.

    Raises:
        ValueError: there is no sample of the label; a space is wanted and the file says nothing of
            a patient, or it is none; spacing or origin are no positive or finite numbers, or the
            grid is curved; values are NaN or infinite without a fill; or a fill beside a label. In
            one sentence that names the file or the argument.
    """
    affine = _placed(samples, spacing, origin)
    points = None if samples.points is None else torch.from_numpy(samples.points)
    if space is not None:
        try:
            turn = torch.from_numpy(in_space(samples, space))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        affine = turn @ affine
        points = None if points is None else points @ turn[:3, :3].T
    if label is not None:
        if fill is not None:
            raise ValueError(f"{path}: fill: expected none with a label, got {fill}; leave it out")
        placed = Samples(
            samples.values, affine.numpy(), points=None if points is None else points.numpy()
        )
        try:
            field = label_field(placed, label)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if field.points is not None:
            points = torch.from_numpy(np.ascontiguousarray(field.points))
        values = torch.from_numpy(field.values)
        return Volume(values, torch.from_numpy(field.affine), samples.unit, points)
    array = samples.values
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 4  # in any order of bytes
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2 and array.size:
        wide = max(abs(int(array.min())), abs(int(array.max()))) > 1 << 24
    values = torch.from_numpy(np.array(array, np.float64 if wide else np.float32, order="C"))
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        if fill is None:
            raise ValueError(
                f"{path}: {int((~finite).sum()):,} of {values.numel():,} values are NaN or "
                f"infinite; choose what replaces them by fill"
            )
        values = torch.where(finite, values, float(fill))
    return Volume(values, affine, samples.unit, points)


def _placed(
    samples: Samples, spacing: float | Sequence[float] | None, origin: Sequence[float] | None
) -> Tensor:
    """The affine, with a spacing and an origin in place of the file's."""
    out = torch.tensor(samples.affine, dtype=torch.float64)
    if samples.points is not None and (spacing is not None or origin is not None):
        raise ValueError("spacing, origin: expected a lattice, the samples lie on a curved grid")
    if spacing is not None:
        steps = torch.as_tensor(spacing, dtype=torch.float64).reshape(-1)
        if steps.numel() not in (1, 3) or not bool((steps > 0).all() & torch.isfinite(steps).all()):
            raise ValueError(f"spacing: expected one or three positive numbers, got {spacing}")
        out[:3, :3] = out[:3, :3] / out[:3, :3].norm(dim=0) * steps
    if origin is not None:
        place = torch.as_tensor(origin, dtype=torch.float64).reshape(-1)
        if place.numel() != 3 or not bool(torch.isfinite(place).all()):
            raise ValueError(f"origin: expected three finite numbers, got {origin}")
        out[:3, 3] = place
    return out
