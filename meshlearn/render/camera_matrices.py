"""Numbers of a camera in the matrices of OpenCV and OpenGL; `Camera` and its formats use them.

- *OpenCV*: x_camera = R x + t (x right, y down, z forward), and (u, v, 1) ~ K x_camera in pixels,
  K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].
- *OpenGL*: x_camera = view x (y up, z backward), and clip = projection x_camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn.captures.poses import rigid_fault

Numbers = Tensor | np.ndarray | Sequence

# the numbers of coefficients that OpenCV's calibrateCamera gives, and their names
_COUNTS = (4, 5, 8, 12, 14)
_NAMES = "k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty".split()
_FAR = 1e6  # near planes, where the far plane is said to be infinite or rounds to it
_SKEW = 1e-9  # of K and of a projection, in focal lengths, that is rounding
_PLACE = 1e-4  # the same of the last row of K


class OpenCV(NamedTuple):
    """K (…, 3, 3) in pixels, R (…, 3, 3) and t (…, 3): x_camera = R x + t."""

    K: Tensor
    R: Tensor
    t: Tensor


class OpenGL(NamedTuple):
    """view (…, 4, 4), world to camera, and projection (…, 4, 4), camera to clip space."""

    view: Tensor
    projection: Tensor


class Frustum(NamedTuple):
    """What a projection says; focal (…, 2) in image heights, centre (…, 2) of width and height."""

    focal: Tensor
    centre: Tensor
    orthographic: bool
    near: float
    far: float


def as_numbers(value: Numbers, name: str, shape: str, *ends: tuple[int, ...]) -> Tensor:
    """A float64 tensor whose shape ends in one of `ends`, with at most one dimension before."""
    try:
        out = value if isinstance(value, Tensor) else torch.from_numpy(np.array(value, dtype=float))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected {shape} numbers, got {str(value)[:60]!r}") from None
    fits = any(tuple(out.shape[out.dim() - len(end) :]) == end for end in ends)
    if not fits or out.dim() > max(map(len, ends)) + 1:
        raise ValueError(f"{name}: expected {shape} numbers, got the shape {tuple(out.shape)}")
    out = out.double()
    if not bool(torch.isfinite(out).all()):
        raise ValueError(f"{name}: holds NaN or infinite values; give finite numbers")
    return out


def opencv_view(R: Numbers, t: Numbers) -> Tensor:
    """(4, 4) or (N, 4, 4) float64, world to camera.

    Raises:
        ValueError: R is no rotation (a vector of `solvePnP`, mirrored, scaled), or t does not
            belong to it.
    """
    vector = tuple(torch.as_tensor(np.asarray(R) if not isinstance(R, Tensor) else R).shape)
    if vector in ((3,), (3, 1), (1, 3)):
        raise ValueError(
            f"R: expected a rotation matrix (3, 3) or (N, 3, 3), got a vector {vector}; make one "
            "of it by cv2.Rodrigues(rvec)[0]"
        )
    turn = as_numbers(R, "R", "(3, 3) or (N, 3, 3)", (3, 3))
    place = as_numbers(t, "t", "(3,) or (N, 3)", (3,), (3, 1)).to(turn.device)
    if place.shape[-1] == 1:
        place = place[..., 0]
    if place.shape not in ((3,), (*turn.shape[:-2], 3)) and turn.dim() != 2:
        raise ValueError(
            f"t: expected one vector for each of {len(turn)} rotations, got {tuple(place.shape)}"
        )
    count = turn.shape[:-2] or place.shape[:-1]
    view = turn.new_zeros(*count, 4, 4)
    view[..., :3, :3], view[..., :3, 3], view[..., 3, 3] = turn, place, 1
    fault = rigid_fault(view.detach().cpu().numpy())
    if fault:
        raise ValueError(f"R: {fault}")
    return view


def opencv_lens(K: Numbers, size: tuple[int, int], shift: float) -> tuple[Tensor, Tensor]:
    """Focal lengths in image heights and the centre as a share of (width, height), float64.

    Args:
        shift: pixels from where K has (0, 0) to the corner of the image.

    Raises:
        ValueError: K has skew, a mirror, or another last row than 0 0 1.
    """
    k = as_numbers(K, "K", "(3, 3) or (N, 3, 3)", (3, 3))
    last = (k[..., 2, :] - k.new_tensor([0.0, 0, 1])).abs().max()
    if float(last) > _PLACE:
        raise ValueError(
            f"K: expected the last row 0 0 1, got {k[..., 2, :].reshape(-1, 3)[0].tolist()}; "
            "divide K by its last number, or transpose it"
        )
    focal = torch.stack((k[..., 0, 0], k[..., 1, 1]), -1)
    if not bool((focal > 0).all()):
        raise ValueError(
            f"K: expected positive focal lengths, got {focal.reshape(-1, 2)[0].tolist()}; a "
            "negative one mirrors the image: flip the image or an axis of the camera"
        )
    skew = torch.maximum(k[..., 0, 1].abs(), k[..., 1, 0].abs())
    if bool((skew > _SKEW * focal.amax(-1)).any()):
        raise ValueError(
            f"K: has a skew of {float(skew.max()):.6g} pixels, which a camera here has not; "
            "resample the images without it, or set it to 0 where it is noise"
        )
    h, w = size
    centre = (torch.stack((k[..., 0, 2], k[..., 1, 2]), -1) + shift) / k.new_tensor([w, h])
    return focal / h, centre


def check_undistorted(distortion: Numbers | None) -> None:
    """Nothing where there is no distortion.

    Raises:
        ValueError: a coefficient is not 0, or there are more or fewer than OpenCV gives.
    """
    if distortion is None:
        return
    given = distortion.detach().cpu().numpy() if isinstance(distortion, Tensor) else distortion
    try:
        values = np.asarray(given, dtype=float).reshape(-1)
    except (TypeError, ValueError):
        values = np.zeros(1)
    if len(values) not in (0, *_COUNTS):
        raise ValueError(
            f"distortion: expected {', '.join(map(str, _COUNTS))} coefficients "
            f"({' '.join(_NAMES[:5])} …) of one lens, got {str(given)[:60]}"
        )
    bent = [f"{n} {v:.6g}" for n, v in zip(_NAMES, values, strict=False) if v]
    if bent:
        raise ValueError(
            f"distortion: {', '.join(bent)} bend the image, and a Camera is a pinhole; straighten "
            "the images (load_images does, where these stand in transforms.json beside "
            "camera_model OPENCV; or cv2.undistort) and leave them out here"
        )


def frustum_of(projection: Numbers, size: tuple[int, int]) -> Frustum:
    """What an OpenGL projection (4, 4) or (N, 4, 4) says of images of that size.

    Raises:
        ValueError: it is singular, mirrors, or has another form than perspective or orthographic
            without skew.
    """
    h, w = size
    p = torch.as_tensor(projection).double()
    if p.dim() not in (2, 3) or p.shape[-2:] != (4, 4) or not bool(torch.isfinite(p).all()):
        raise ValueError(f"projection: expected (4, 4) finite numbers, got {tuple(p.shape)}")
    if bool((torch.linalg.det(p).abs() < 1e-12).any()):
        raise ValueError("projection: is singular; give near and far planes that differ")
    last = p[..., 3, :].reshape(-1, 4).unique(dim=0).tolist()
    orthographic = last == [[0, 0, 0, 1]]
    skew = [(0, 1), (1, 0), (2, 0), (2, 1), *([(0, 2), (1, 2)] if orthographic else [])]
    bent = max(float(p[..., row, column].abs().max()) for row, column in skew)
    if (not orthographic and last != [[0, 0, -1, 0]]) or bent > _SKEW:
        raise ValueError(
            "projection: expected a perspective (last row 0 0 -1 0) or orthographic "
            f"(0 0 0 1) matrix without skew, got last row {last[0]}"
        )
    sx, sy = p[..., 0, 0], p[..., 1, 1]
    if bool((sx <= 0).any()) or bool((sy <= 0).any()):
        raise ValueError(
            "projection: mirrors the image; its entries [0, 0] and [1, 1] are to be positive "
            "(flip rows of the picture instead)"
        )
    a, b = (p[..., 2, k].reshape(-1)[0].item() for k in (2, 3))
    if orthographic:
        near, far = (b + 1) / a, (b - 1) / a
        shift = p[..., :2, 3]
    else:
        near = b / (a - 1)
        far = b / (a + 1) if a < -1 else _FAR * near
        shift = -p[..., :2, 2]
    return Frustum(
        torch.stack((sx * w / (2 * h), sy / 2), -1),
        torch.stack(((1 + shift[..., 0]) / 2, (1 - shift[..., 1]) / 2), -1),
        orthographic,
        min(near, far),
        max(near, far),
    )
