"""`transforms.json` written: what `meshlearn.captures.transforms` reads."""

from __future__ import annotations

import math

import torch

from meshlearn.render.camera import Camera
from meshlearn.render.camera_formats import to_camera_to_world


def transforms_record(
    cameras: Camera, size: tuple[int, int], frames: list[dict[str, str]], **more: object
) -> dict[str, object]:
    """What `transforms.json` holds: perspective cameras that share their intrinsics.

    Args:
        cameras: a batch of N.
        size: (height, width) in pixels.
        frames: N dicts of paths, to which `transform_matrix` is added.

    Raises:
        ValueError: cameras are orthographic, or their focal lengths differ.
    """
    if cameras.orthographic:
        raise ValueError("cameras: transforms.json has no orthographic ones; use perspective")
    h, w = size
    n = len(cameras)
    focal = cameras.focal.double().expand(n, 2) * h
    centre = cameras.centre.double().expand(n, 2) * torch.tensor([w, h], dtype=torch.float64)
    poses = to_camera_to_world(cameras)

    def lens(i: int) -> dict[str, float]:
        (fx, fy), (cx, cy) = focal[i].tolist(), centre[i].tolist()
        angle = 2 * math.atan(0.5 * w / fx)
        return {"camera_angle_x": angle, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy}

    same = bool((focal == focal[:1]).all()) and bool((centre == centre[:1]).all())
    record: dict[str, object] = {"w": w, "h": h, **(lens(0) if same else {}), **more}
    record["frames"] = [
        {**frame, **({} if same else lens(i)), "transform_matrix": poses[i].tolist()}
        for i, frame in enumerate(frames)
    ]
    return record
