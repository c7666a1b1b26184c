"""Poses as files give them: rigid motions, checked; numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

FARTHEST = 1e15  # of a camera from the origin; float32 holds squares of it
FLIP = np.array([1.0, -1.0, -1.0, 1.0])  # OpenGL camera axes <-> OpenCV's


def rigid_fault(matrix: np.ndarray) -> str:
    """What is wrong with (4, 4) or (N, 4, 4) as rigid motions, and the mend; "" for nothing."""
    if matrix.ndim not in (2, 3) or matrix.shape[-2:] != (4, 4):
        return f"expected (4, 4) or (N, 4, 4), got {tuple(matrix.shape)}"
    wide = matrix.astype(np.float64)
    if not np.isfinite(wide).all():
        return "holds NaN or infinite values; give finite numbers"
    if (np.abs(wide[..., 3, :] - (0.0, 0, 0, 1)) > 1e-6).any():
        return "expected 0 0 0 1 as its last row; pass a rigid motion"
    if (np.abs(wide[..., :3, 3]) > FARTHEST).any():
        return f"stands more than {FARTHEST:g} away from the origin; give a place nearer"
    linear = wide[..., :3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        det = np.linalg.det(linear)
        size = np.linalg.norm(linear, axis=-1).prod(-1)
    if (np.abs(det) <= 1e-9 * np.maximum(size, 1e-300)).any():
        return "is singular, so it turns space into a plane; give a rotation"
    if (det < 0).any():
        return "mirrors space; negate one axis of its upper left 3x3"
    with np.errstate(over="ignore", invalid="ignore"):
        gram = linear @ np.swapaxes(linear, -1, -2) - np.eye(3)
    if not (np.abs(gram) <= 2e-3).all():
        return "its upper left 3x3 is no rotation; remove scale and shear"
    return ""


def from_opengl(matrix: np.ndarray) -> np.ndarray:
    """(4, 4) world to camera (OpenCV) of an OpenGL camera-to-world matrix, the nearest that is
    rigid."""
    u, _, v = np.linalg.svd(matrix[:3, :3])
    out = np.eye(4)
    out[:3, :3] = (u @ v * FLIP[:3]).T
    out[:3, 3] = -out[:3, :3] @ matrix[:3, 3]
    return out


def from_quaternion(quaternion: Sequence[float], translation: Sequence[float]) -> np.ndarray | None:
    """(4, 4) of a quaternion (w, x, y, z), of any length, and a translation; None of NaN, of a
    quaternion 0, and of a place beyond all measure."""
    numbers = (*quaternion, *translation)
    largest = max(map(abs, quaternion))
    if not (all(map(math.isfinite, numbers)) and largest > 1e-9):
        return None
    if max(map(abs, translation)) > FARTHEST:
        return None
    scaled = [q / largest for q in quaternion]
    length = math.sqrt(sum(q * q for q in scaled))
    w, x, y, z = (q / length for q in scaled)
    out = np.eye(4)
    out[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    out[:3, 3] = translation
    return out
