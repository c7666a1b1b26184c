"""Posed images as a lens that bends would have taken them, for tests."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from meshlearn.captures.lens import MODELS, Lens
from meshlearn.mesh import Mesh
from meshlearn.render import Camera, render, to_camera_to_world


def directions(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) x and y of the direction that each pixel's centre shows, by Newton's method."""
    h, w = lens.known_size
    u, v = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    a, b = (u - lens.middle[0]) / lens.focal[0], (v - lens.middle[1]) / lens.focal[1]
    x, y, e = a.copy(), b.copy(), 1e-5
    for _ in range(40):
        fx, fy = lens.bent(x, y)
        xx, xy = (np.array(lens.bent(x + e, y)) - np.array(lens.bent(x - e, y))) / (2 * e)
        yx, yy = (np.array(lens.bent(x, y + e)) - np.array(lens.bent(x, y - e))) / (2 * e)
        det = xx * yy - xy * yx
        dx = (yy * (a - fx) - yx * (b - fy)) / det
        dy = (xx * (b - fy) - xy * (a - fx)) / det
        x, y = x + np.clip(dx, -0.2, 0.2), y + np.clip(dy, -0.2, 0.2)
    assert np.abs(np.array(lens.bent(x, y)) - (a, b)).max() < 1e-9
    return x, y


def pictures(mesh: Mesh, cameras: Camera, lens: Lens, fine: int = 3) -> dict[str, torch.Tensor]:
    """Masks and colours through the lens, and depth, looked up in a larger pinhole's image."""
    x, y = directions(lens)
    reach = 1.02 * max(np.abs(x).max(), np.abs(y).max())
    size = int(fine * 2 * reach * max(lens.focal))
    wide = Camera(cameras.view, torch.tensor([0.5 / reach] * 2), torch.tensor([0.5, 0.5]))
    place = torch.from_numpy(np.stack([x, y], -1) / reach).float()[None]
    out: dict[str, list] = {"masks": [], "colors": [], "depth": []}
    for i in range(len(cameras)):
        seen = render(mesh, wide[i], size, channels=("mask", "shaded", "depth"))
        for kind, name in (("masks", "mask"), ("colors", "shaded"), ("depth", "depth")):
            image = seen[name].float()
            image = image[..., None] if image.dim() == 2 else image
            smooth = kind != "depth"
            if smooth:  # a pixel's average
                image = torch.nn.functional.avg_pool2d(
                    image.permute(2, 0, 1)[None], fine, 1, fine // 2
                )[0].permute(1, 2, 0)
            found = torch.nn.functional.grid_sample(
                image.permute(2, 0, 1)[None], place, align_corners=False,
                mode="bilinear" if smooth else "nearest",
            )[0].permute(1, 2, 0)  # fmt: skip
            out[kind].append(found)
    return {k: torch.stack(v) for k, v in out.items()}


def write_capture(
    folder: Path, mesh: Mesh, cameras: Camera, lenses: list[Lens], *, depth: bool = False
) -> Path:
    """A folder in the manner of nerfstudio, a lens for each frame."""
    frames = []
    for name in ("images", "masks", "depth"):
        (folder / name).mkdir(parents=True)
    poses = to_camera_to_world(cameras)
    for i, lens in enumerate(lenses):
        seen = pictures(mesh, cameras[i : i + 1], lens)
        rgb = (seen["colors"][0, ..., :3].clamp(0, 1) * 255).round().byte().numpy()
        mask = (seen["masks"][0, ..., 0].clamp(0, 1) * 255).round().byte().numpy()
        Image.fromarray(rgb).save(folder / "images" / f"{i}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
        h, w = lens.known_size
        frame = {
            "file_path": f"images/{i}.png", "mask_path": f"masks/{i}.png",
            "transform_matrix": poses[i].tolist(), "w": w, "h": h,
            "fl_x": lens.focal[0], "fl_y": lens.focal[1],
            "cx": lens.middle[0], "cy": lens.middle[1], "camera_model": lens.model,
            **dict(zip(MODELS[lens.model].coefficients, lens.coefficients, strict=True)),
        }  # fmt: skip
        if depth:
            np.save(folder / "depth" / f"{i}.npy", seen["depth"][0, ..., 0].numpy())
            frame["depth_file_path"] = f"depth/{i}.npy"
        frames.append(frame)
    (folder / "transforms.json").write_text(json.dumps({"frames": frames}))
    return folder
