"""Point clouds: .npy, .npz, text (.xyz, .txt, .csv, .pts, .asc) and laser scans (.las, .laz)."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.io.files import load_document
from meshlearn.io.numpy_files import POINTS_SUFFIXES, is_points, read_arrays
from meshlearn.io.registry import suffix_of

__all__ = ["SUFFIXES", "PointCloud", "is_points", "load_points"]

SUFFIXES = (".npy", ".npz", *POINTS_SUFFIXES)


@dataclass(frozen=True)
class PointCloud:
    """Points of a surface.

    Attributes:
        points: (P, 3) float32 or float64, finite.
        normals: (P, 3) unit normals, outward, or None.
    """

    points: Tensor
    normals: Tensor | None = None

    def __post_init__(self) -> None:
        check_tensor(self.points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
        if self.normals is not None:
            check_tensor(
                self.normals,
                "normals",
                shape=(self.points.shape[0], 3),
                dtype=self.points.dtype,
                device=self.points.device,
                like="points",
                finite=True,
            )


def load_points(path: str | os.PathLike[str]) -> PointCloud:
    """Reads points, and unit normals where there are such.

    Args:
        path: .npy of shape (P, 3) or (P, 6); .npz with ``points`` and perhaps ``normals``; text of
            three numbers a line or more, with or without names of columns, see
            `meshlearn.io.formats.xyz`; .las and .laz.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, is damaged, or has NaN or infinite numbers.

    Warns:
        UserWarning: normals are not unit vectors (perhaps colours), or there are other columns;
            they were left out.
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{path}: unknown kind of point cloud {path.suffix!r}; expected {', '.join(SUFFIXES)}"
        )
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty")
    normals = None
    if suffix in POINTS_SUFFIXES:
        part = load_document(path).parts[0]
        rows, fields = part.vertices, dict(part.vertex_fields)
        normals = fields.pop("normal", None)
        if fields and normals is None and list(fields) == ["color"]:
            warnings.warn(
                f"{path}: the last three columns are not unit normals and were left out",
                stacklevel=2,
            )
        elif fields:
            warnings.warn(f"{path}: {', '.join(fields)} of the points are left out", stacklevel=2)
    else:
        arrays = read_arrays(path)
        name = "points" if "points" in arrays else next(iter(arrays))
        rows, normals = arrays[name], arrays.get("normals")
    if rows.ndim == 0 or not len(rows):
        raise ValueError(f"{path}: there are no points")
    if rows.ndim != 2 or rows.shape[1] not in (3, 6) or rows.dtype.kind not in "fiu":
        raise ValueError(f"{path}: expected 3 or 6 real numbers a point, got shape {rows.shape}")
    wide = np.float64 if rows.dtype == np.float64 else np.float32
    rows = np.ascontiguousarray(rows, dtype=wide)
    if rows.shape[1] == 6:
        rows, normals = rows[:, :3].copy(), rows[:, 3:]
    if normals is not None:
        normals = np.array(normals, dtype=wide)
        if normals.shape != rows.shape:
            raise ValueError(f"{path}: {len(rows)} points but normals of shape {normals.shape}")
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        if not (np.abs(length - 1) < 0.1).all():
            warnings.warn(
                f"{path}: the last three columns are not unit normals and were left out",
                stacklevel=2,
            )
            normals = None
        else:
            normals /= length
    bad = int((~np.isfinite(rows)).any(1).sum())
    if bad:
        raise ValueError(
            f"{path}: {bad:,} of {len(rows):,} points are NaN or infinite; remove them"
        )
    return PointCloud(
        torch.from_numpy(rows), None if normals is None else torch.from_numpy(normals)
    )
