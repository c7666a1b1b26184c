"""Sets of posed images: masks, depth, normals and colours of one object, in memory and on disk."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from meshlearn.captures.capture import KINDS
from meshlearn.captures.transforms import FILE
from meshlearn.mesh.centring import far_middle, moved, used_vertices
from meshlearn.progress import progress_bar
from meshlearn.render import image_files
from meshlearn.render.camera import Camera
from meshlearn.render.camera_paths import views_around
from meshlearn.render.environment import EnvironmentLight
from meshlearn.render.lighting import DAYLIGHT
from meshlearn.render.materials import has_looks, says_anything
from meshlearn.render.pbr import Illumination
from meshlearn.render.picture import save_png
from meshlearn.render.shading import render
from meshlearn.render.transforms import transforms_record

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


@dataclass(frozen=True)
class ImageSet:
    """N posed images of one object, all of the same size; any kind may be missing.

    Attributes:
        cameras: a batch of N.
        masks: (N, H, W) float32, share of each pixel that the object covers.
        depth: (N, H, W) float32 camera z at pixel centres, 0 for none.
        normals: (N, H, W, 3) float32 unit normals in the world, 0 for none.
        colors: (N, H, W, 3) or, with alpha, (N, H, W, 4) float32 in 0 to 1.
        names: N names, of which files are named.
        known: (N, H, W) bool, the pixels that a camera saw, be it background; what is 0 elsewhere
            tells nothing. None where that is all of them.
    """

    cameras: Camera
    masks: Tensor | None = None
    depth: Tensor | None = None
    normals: Tensor | None = None
    colors: Tensor | None = None
    names: tuple[str, ...] = ()
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which of "masks", "depth", "normals", "colors" are there."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return tuple(getattr(self, self.kinds[0]).shape[1:3])  # type: ignore[return-value]

    def only(self, kinds: Sequence[str]) -> ImageSet:
        """With these kinds only.

        Raises:
            ValueError: a kind that is unknown or not there.
        """
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(f"use: {kind!r} is not one of {', '.join(KINDS)}")
            if kind not in self.kinds:
                raise ValueError(
                    f"use: the images have no {kind}, only {', '.join(self.kinds) or 'nothing'}"
                )
        left_out: dict[str, Any] = {k: None for k in KINDS if k not in kinds}
        return replace(self, **left_out)

    def to(self, *args: Any, **kwargs: Any) -> ImageSet:
        """As `Tensor.to`, for cameras and images."""
        images = {k: getattr(self, k).to(*args, **kwargs) for k in self.kinds}
        cameras = self.cameras.to(*args, **kwargs)
        known = None if self.known is None else self.known.to(cameras.view.device)
        return replace(self, cameras=cameras, known=known, **images)

    def moved(self, shift: Tensor) -> ImageSet:
        """With the cameras moved by `shift` (3,), in float64, see `Camera.moved`."""
        return replace(self, cameras=self.cameras.moved(shift))


def halved(kind: str, images: Tensor) -> Tensor:
    """Images (N, H, W[, C]) at half the size, an odd last row and column left out.

    Masks and colours are averaged; depth and normals too, but only where all four pixels have one;
    a pixel is known (bool) where all four are.
    """
    h, w = images.shape[1] // 2, images.shape[2] // 2
    if not h or not w:
        raise ValueError(f"images: {tuple(images.shape[1:3])} cannot be halved")
    parts = images[:, : 2 * h, : 2 * w].reshape(images.shape[0], h, 2, w, 2, -1)
    if kind == "known":
        return parts.all(4).all(2)[..., 0]
    upper, lower = parts[:, :, 0], parts[:, :, 1]
    mean = ((upper[:, :, :, 0] + upper[:, :, :, 1]) + (lower[:, :, :, 0] + lower[:, :, :, 1])) / 4
    if kind == "depth":
        mean = torch.where((parts > 0).all(4).all(2), mean, 0.0)
    elif kind == "normals":
        known = ((parts * parts).sum(-1, keepdim=True) > 0.25).all(4).all(2)
        mean = torch.where(known, torch.nn.functional.normalize(mean, dim=-1), 0.0)
    return mean.reshape(images.shape[0], h, w, *images.shape[3:])


def half_cameras(cameras: Camera, size: tuple[int, int]) -> Camera:
    """The cameras of images of that size after `halved`."""
    h, w = size
    extent = cameras.centre.new_tensor([w / (2 * (w // 2)), h / (2 * (h // 2))])
    return replace(
        cameras, focal=cameras.focal * (h / (2 * (h // 2))), centre=cameras.centre * extent
    )


def render_images(
    mesh: Mesh,
    views: int | Camera = 40,
    *,
    size: int = 256,
    samples: int = 4,
    smooth: bool = False,
    light: Tensor | Illumination | EnvironmentLight | None = DAYLIGHT,
    backend: str = "native",
    progress: bool | None = None,
) -> ImageSet:
    """Images of a mesh from all sides, as `meshlearn render MESH DIR` writes them.

    Args:
        mesh: with at least one face.
        views: how many cameras on a sphere around it (`views_around`), or a batch of cameras.
        size: pixels of a side.
        samples: colours and masks average `samples` × `samples` rays a pixel; depth and normals are
            those at the pixel's centre.
        smooth: mix vertex normals; by default normals are those of the faces, the surface's own.
        light: (9,) or (9, 3) spherical harmonics, fixed in the world, for colours; or an
            environment, under which materials are metal-rough; None shows the albedo itself.

    Returns:
        float32; cameras of a mesh far from the origin are float64, so that they are where it is.

    Raises:
        ValueError: there is nothing to see, or the sizes are out of range.

    Example:
        >>> images = render_images(meshlearn.load("spot.obj"), 40, size=256)
    """
    if mesh.num_faces == 0:
        raise ValueError("mesh: there are no faces to render")
    if not isinstance(size, int) or not 1 <= size <= 8192:
        raise ValueError(f"size: expected 1 to 8192 pixels, got {size!r}")
    if not isinstance(samples, int) or not 1 <= samples <= 16:
        raise ValueError(f"samples: expected 1 to 16, got {samples!r}")
    mesh = mesh.detach()
    middle = far_middle(used_vertices(mesh))
    if middle is not None:
        near = moved(mesh, -middle).to(torch.float32)
        given = views if isinstance(views, int) else views.moved(-middle.cpu()).to(torch.float32)
        images = render_images(
            near, given, size=size, samples=samples, smooth=smooth, light=light,
            backend=backend, progress=progress,
        )  # fmt: skip
        return replace(images, cameras=images.cameras.moved(middle))
    if mesh.dtype != torch.float32:
        mesh = mesh.to(torch.float32)
    lit = isinstance(light, Illumination | EnvironmentLight) and says_anything(mesh)
    if not (lit or has_looks(mesh, plain=False)):
        mesh = mesh.detach()
        mesh.materials = ()
    points = mesh.vertices[torch.unique(mesh.faces)]
    if isinstance(views, int) and not bool(torch.isfinite(points).all()):
        raise ValueError("mesh: holds NaN or infinite vertices; remove them first")
    cams = views_around(points, views) if isinstance(views, int) else views
    cams = cams.to(mesh.device)
    channels = ("mask", "shaded" if light is not None else "color")
    lights: dict[str, Any] = {"lights": DAYLIGHT if light is None else light}
    if isinstance(light, EnvironmentLight):
        light = Illumination(light)
    if isinstance(light, Illumination):
        environment = light.environment.to(mesh.vertices)
        lights = {"light": environment, "exposure": light.exposure, "tone": light.tone}
    parts: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    with progress_bar("rendering", len(cams), enabled=progress) as bar:
        for i in range(len(cams)):
            options: dict[str, Any] = {**lights, "backend": backend, "smooth": smooth}
            seen = render(mesh, cams[i], size, channels=("depth", "normal"), **options)
            fine = render(mesh, cams[i], size * samples, channels=channels, **options)
            mask, color = (fine[c].float() for c in channels)
            # premultiplied while pixels are pooled
            both = torch.cat((color.clamp(0, 1) * mask[..., None], mask[..., None]), -1)
            both = both.view(size, samples, size, samples, 4).mean((1, 3))
            alpha = both[..., 3:]
            straight = torch.where(alpha > 0, both[..., :3] / alpha.clamp(min=1e-6), 0.0)
            parts["masks"].append(alpha[..., 0])
            parts["colors"].append(torch.cat((straight, alpha), -1))
            parts["depth"].append(seen["depth"].float())
            parts["normals"].append(seen["normal"].float())
            bar.update(i + 1)
    width = max(3, len(str(len(cams) - 1)))
    names = tuple(f"{i:0{width}d}" for i in range(len(cams)))
    return ImageSet(cams, names=names, **{k: torch.stack(v) for k, v in parts.items()})


def save_images(
    images: ImageSet, folder: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Writes `images/`, `masks/`, `depth/`, `normals/` and `transforms.json`: all, or nothing.

    Where not all pixels are known, `known/` tells which are.

    Depth is 16-bit PNG with its unit in `integer_depth_scale`; normals are in the world.

    Args:
        folder: made; its parent has to exist.
        overwrite: replace a folder that is empty or holds an older set (a `transforms.json`).

    Raises:
        ValueError: the folder exists, or its parent does not, or the names of views are no names
            of files, or not one for each.

    Example:
        >>> save_images(render_images(mesh, 40), "views")
    """
    target = check_folder(folder, overwrite=overwrite)
    _check_names(images)
    made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    old: Path | None = None
    try:
        _write(images.to("cpu"), made)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(made, 0o777 & ~umask)
        if target.exists():
            old = made.with_name(made.name + ".old")
            os.rename(target, old)
        os.rename(made, target)
    except BaseException:
        if old is not None and not target.exists():
            os.rename(old, target)
            old = None
        shutil.rmtree(made, ignore_errors=True)
        raise
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return target


def check_folder(folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """The path if a set of images may be written there, see `save_images`."""
    target = Path(folder)
    if not target.parent.is_dir():
        raise ValueError(f"folder: the folder {target.parent} does not exist; make it first")
    if target.exists():
        if not target.is_dir():
            raise ValueError(f"folder: {target} is a file; give the name of a folder")
        if any(target.iterdir()):
            if not overwrite:
                raise ValueError(f"folder: {target} exists; give --overwrite to replace it")
            if not (target / FILE).is_file():
                raise ValueError(f"folder: {target} holds no {FILE}; remove it yourself")
    return target


def _check_names(images: ImageSet) -> None:
    """Raises ValueError where views would be written to one file, or to none."""
    if len(images.names) != len(images):
        raise ValueError(
            f"images: expected a name for each of {len(images)} views, got {len(images.names)}"
        )
    for name, count in Counter(images.names).items():
        if count > 1:
            raise ValueError(
                f"images: {count} views have the name {name!r}, and their files would be one; "
                "give each a name of its own"
            )
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise ValueError(f"images: expected names of files, got {name!r}")


def _write(images: ImageSet, folder: Path) -> None:
    more: dict[str, object] = {}
    frames: list[dict[str, str]] = [{} for _ in range(len(images))]

    def place(key: str, sub: str) -> list[Path]:
        (folder / sub).mkdir()
        for name, frame in zip(images.names, frames, strict=True):
            frame[key] = f"{sub}/{name}.png"
        return [folder / sub / f"{name}.png" for name in images.names]

    if images.colors is not None:
        for image, path in zip(images.colors, place("file_path", "images"), strict=True):
            save_png(image, path)
    if images.masks is not None:
        for image, path in zip(images.masks, place("mask_path", "masks"), strict=True):
            save_png(image, path)
    if images.known is not None:
        for image, path in zip(images.known, place("known_path", "known"), strict=True):
            save_png(image.float(), path)
    if images.depth is not None:
        scale = max(float(images.depth.max()), 1e-30) / 65535
        more["integer_depth_scale"] = scale
        paths = place("depth_file_path", "depth")
        for image, path in zip(images.depth, paths, strict=True):
            image_files.write_depth(image, path, scale=scale)
    if images.normals is not None:
        more["normal_space"] = "world"
        paths = place("normal_path", "normals")
        for image, path in zip(images.normals, paths, strict=True):
            image_files.write_normals(image, path)
    record = transforms_record(images.cameras, images.size, frames, **more)
    (folder / FILE).write_text(json.dumps(record, indent=1), encoding="utf-8")
