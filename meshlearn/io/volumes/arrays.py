"""Volumes in numpy's files, .npy and .npz."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from meshlearn.io.numpy_files import member_of, members_of, open_numpy, peek_shapes, read_member
from meshlearn.io.volumes.samples import Samples, Wanted, no_key, pick_frame

_KEYS = ("sdf", "field", "volume", "values", "data")


def read(path: Path, wanted: Wanted) -> Samples:
    """The array of a .npy, or one of a .npz with its spacing, origin or affine; of four axes, the
    last counts frames. A spacing beside an affine replaces its steps, an origin its place.

    Raises:
        ValueError: the file is damaged, promises more than it holds, or has no such array or frame;
            or its spacing, origin or affine is none.
    """
    array, affine = _read(path, wanted.key)
    frames = array.shape[3] if array.ndim == 4 else 1
    frame = pick_frame(frames, wanted)
    if array.ndim == 4:
        array = array[..., frame]
    return Samples(array, affine, frames=frames)


def _read(path: Path, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    shapes = peek_shapes(path)
    with open_numpy(path) as file:
        if not isinstance(file, zipfile.ZipFile):
            no_key(key)
            return read_member(file, path.stat().st_size), np.eye(4)
        members = members_of(file)
        if key is None:
            solid = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
            named = [name for name in _KEYS if name in solid]
            if len(solid) != 1 and not named:
                raise ValueError(
                    f"it holds {len(solid)} 3-D arrays among {sorted(members)}; name one by key"
                )
            key = named[0] if named else solid[0]
        elif key not in members:
            raise ValueError(f"there is no array {key!r}; it holds {sorted(members)}")
        affine = np.eye(4)
        if "affine" in members:
            affine = _small(member_of(file, members["affine"]), "affine", (4, 4))
        if "spacing" in members:
            steps = member_of(file, members["spacing"]).astype(np.float64).reshape(-1)
            if steps.size not in (1, 3) or not ((steps > 0) & np.isfinite(steps)).all():
                raise ValueError(f"spacing: expected one or three positive numbers, got {steps}")
            lengths = np.linalg.norm(affine[:3, :3], axis=0)
            if not (lengths > 0).all():
                raise ValueError("affine: its axes do not span a space")
            affine[:3, :3] *= steps / lengths  # the directions stay
        if "origin" in members:
            affine[:3, 3] = _small(member_of(file, members["origin"]), "origin", (3,))
        return member_of(file, members[key]), affine


def _small(array: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers of shape {shape}, got {array.shape}")
    return array.astype(np.float64)
