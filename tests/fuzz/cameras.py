"""Camera files for the fuzzer: seeds, and what is done with each."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path

from meshlearn.captures.describe import describe_capture, rows_of
from meshlearn.captures.lens import MODELS
from meshlearn.captures.reading import read_capture
from meshlearn.render.posed import posed

NAMES = ["transforms.json", "cameras.bin", "images.bin", "cameras.txt", "images.txt"]
_POSE = [[0.36, 0.48, -0.8, 1.0], [-0.8, 0.6, 0.0, 2.0], [0.48, 0.64, 0.6, 3.0], [0, 0, 0, 1]]
_FRAME = {"file_path": "a.png", "mask_path": "m/a.png", "transform_matrix": _POSE}
_RECORDS = [
    {"camera_angle_x": 0.8, "frames": [_FRAME, {**_FRAME, "camera_angle_y": 0.5}]},
    {"w": 64, "h": 48, "fl_x": 50.0, "fl_y": 51.0, "cx": 30, "cy": 20, "frames": [_FRAME] * 3},
    {
        "w": 64, "h": 48, "fl_x": 50.0, "camera_model": "OPENCV", "k1": -0.2, "k2": 0.01, "k3": 0,
        "p1": 0.01, "p2": 0.0, "integer_depth_scale": 0.5, "normal_space": "camera",
        "frames": [{**_FRAME, "w": 30, "h": 20, "depth_path": "d.npy", "known_path": "k.png"}],
    },
    {
        "w": 64, "h": 64, "fl_x": 20.0, "is_fisheye": True, "rolling_shutter": [0, 0, 1],
        "distortion_params": [0.1, 0.01, 0.001, 0.0001, 0, 0], "frames": [_FRAME],
    },
    {
        "w": 64, "h": 48, "frames": [
            {**_FRAME, "fl_x": 40.0, "camera_model": "THIN_PRISM_FISHEYE", "k1": 0.1, "sx1": 0.01},
            {**_FRAME, "fl_x": 40.0, "camera_model": "FOV", "omega": 0.9},
            {**_FRAME, "fl_x": 40.0, "camera_model": "EUCM", "alpha": 0.6, "beta": 1.1},
        ],
    },
]  # fmt: skip


def _lenses() -> list[tuple[int, str, list[float]]]:
    out = []
    for number, (name, model) in enumerate(MODELS.items()):
        start = model.parameters.index("cx")
        tail = [0.01 * (i + 1) for i in range(len(model.coefficients))]
        out.append((number, name, [50.0] * start + [30.0, 20.0] + tail))
    return out


def _model(cameras: int = 0) -> dict[str, bytes]:
    """The files of a COLMAP model whose images are seen by lenses of several models."""
    lenses = _lenses()[cameras :: 3 if cameras else 1]
    binary = struct.pack("<Q", len(lenses))
    text = "# cameras\n"
    for number, name, values in lenses:
        binary += struct.pack(f"<iiQQ{len(values)}d", number, number, 64, 48, *values)
        text += f"{number} {name} 64 48 {' '.join(map(str, values))}\n"
    pose = (0.5, 0.5, 0.5, 0.5, 1.0, 2.0, 3.0)
    seen = struct.pack("<Q", len(lenses))
    lines = "# images\n"
    for number, _, _ in lenses:
        seen += struct.pack("<i7di", number + 1, *pose, number) + f"a/{number}.png".encode() + b"\0"
        seen += struct.pack("<Q", number) + struct.pack("<ddq", 1.0, 2.0, -1) * number
        lines += f"{number + 1} {' '.join(map(str, pose))} {number} a/{number}.png\n1 2 -1\n"
    return {
        "cameras.bin": binary, "images.bin": seen,
        "cameras.txt": text.encode(), "images.txt": lines.encode(),
    }  # fmt: skip


def seeds(name: str) -> list[bytes]:
    """Camera files of a name to begin with."""
    if name == "transforms.json":
        return [json.dumps(record).encode() for record in _RECORDS]
    return [_model(k)[name] for k in (0, 1, 2)]


def read(name: str, data: bytes) -> None:
    """Reads a camera file in a folder, the rest of which is as it should be, and tells of it.

    Raises:
        ValueError: it is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        if name != "transforms.json":
            for other, body in _model().items():
                if other.endswith(name[-4:]):
                    Path(folder, other).write_bytes(body)
        Path(folder, name).write_bytes(data)
        try:
            capture = read_capture(folder)
            posed(capture)
            rows_of({"file": folder, **describe_capture(Path(folder))})
        except ValueError as error:
            if folder not in str(error):
                raise RuntimeError(f"no sentence that names the file: {error}") from error
            raise
