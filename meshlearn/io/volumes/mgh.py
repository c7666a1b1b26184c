"""FreeSurfer's volumes: .mgh, and .mgz, which is the same packed by gzip.

Source: the wiki of FreeSurfer, "FsTutorial/MghFormat". Lengths are millimetres, the world is the
scanner's: x to the patient's right, y to the front, z up.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.io.volumes.samples import Samples, Wanted, pick_frame
from meshlearn.io.volumes.stream import is_gzip, native, opened

# types of samples by their numbers in the header
_KINDS = {0: "u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_HEAD = 284  # bytes before the samples, of which the first 90 are used
_CORONAL = np.array([[-1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # a row for each axis, where unsaid


def read(path: Path, wanted: Wanted) -> Samples:
    """One volume of a .mgh or .mgz file; of several frames the one that is wanted.

    Raises:
        ValueError: it is no such file, a field is wrong, its samples are truncated or damaged; or
            there are several frames and none is named.
    """
    with opened(path, "gzip" if is_gzip(path) else "") as source:
        head = bytes(source.take(_HEAD, "its header"))
        version, x, y, z, frames, kind = np.frombuffer(head, ">i4", 6).tolist()
        if version != 1:
            raise ValueError(f"it is not an MGH file (its version is {version}, expected 1)")
        if min(x, y, z, frames) < 1:
            raise ValueError(f"the header gives the sizes {x}, {y}, {z} and {frames} frames")
        if kind not in _KINDS:
            raise ValueError(f"its samples are of the MGH type {kind}, which is not read")
        frame = pick_frame(frames, wanted)
        source.room -= _HEAD
        values = source.array((x, y, z), np.dtype(_KINDS[kind]), frames=frames, frame=frame)
    steps, axes, centre = np.ones(3), _CORONAL, np.zeros(3)
    remarks = []
    if int(np.frombuffer(head, ">i2", 1, 28)[0]) == 1:
        numbers = np.frombuffer(head, ">f4", 15, 30).astype(np.float64)
        steps, axes, centre = numbers[:3], numbers[3:12].reshape(3, 3), numbers[12:]
        if not (np.isfinite(numbers).all() and (steps > 0).all()):
            raise ValueError(f"expected three positive spacings, got {steps.tolist()}")
    else:
        remarks = ["the file does not say where its samples lie; taken as coronal, 1 mm apart"]
    affine = np.eye(4)
    affine[:3, :3] = axes.T * steps
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array([x, y, z]) / 2)
    return Samples(native(values), affine, "mm", "ras", frames=frames, remarks=remarks)
