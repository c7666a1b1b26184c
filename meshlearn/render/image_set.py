"""Sets of posed images: masks, depth, normals and colours of one object, in memory and on disk."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from meshlearn.progress import progress_bar
from meshlearn.render import image_files
from meshlearn.render.camera import Camera
from meshlearn.render.camera_paths import views_around
from meshlearn.render.colmap import is_colmap, read_colmap
from meshlearn.render.lighting import DAYLIGHT
from meshlearn.render.picture import save_png
from meshlearn.render.shading import render
from meshlearn.render.transforms import FILE, PosedImages, read_transforms, transforms_record

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

KINDS = ("masks", "depth", "normals", "colors")


@dataclass(frozen=True)
class ImageSet:
    """N posed images of one object, all of the same size; any kind may be missing.

    Attributes:
        cameras: a batch of N.
        masks: (N, H, W) float32, share of each pixel that the object covers.
        depth: (N, H, W) float32 camera z at pixel centres, 0 for none.
        normals: (N, H, W, 3) float32 unit normals in the world, 0 for none.
        colors: (N, H, W, 3) or, with alpha, (N, H, W, 4) float32 in 0 to 1.
        names: N names.
    """

    cameras: Camera
    masks: Tensor | None = None
    depth: Tensor | None = None
    normals: Tensor | None = None
    colors: Tensor | None = None
    names: tuple[str, ...] = ()

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
        moved = {k: getattr(self, k).to(*args, **kwargs) for k in self.kinds}
        return replace(self, cameras=self.cameras.to(*args, **kwargs), **moved)


def halved(kind: str, images: Tensor) -> Tensor:
    """Images (N, H, W[, C]) at half the size, an odd last row and column left out.

    Masks and colours are averaged; depth and normals too, but only where all four pixels have one.
    """
    h, w = images.shape[1] // 2, images.shape[2] // 2
    if not h or not w:
        raise ValueError(f"images: {tuple(images.shape[1:3])} cannot be halved")
    parts = images[:, : 2 * h, : 2 * w].reshape(images.shape[0], h, 2, w, 2, -1)
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


def load_images(
    folder: str | os.PathLike[str],
    *,
    use: Sequence[str] | None = None,
    max_size: int = 1024,
) -> ImageSet:
    """Reads a folder with `transforms.json` (NeRF, instant-ngp, ours) or a COLMAP model.

    Args:
        folder: the folder, or a `transforms.json`.
        use: which of "masks", "depth", "normals", "colors"; default: all that are there for every
            view. Colours with alpha serve as masks where there are no others.
        max_size: images are halved until neither side is longer.

    Raises:
        ValueError: bad camera files (see `read_transforms` and `read_colmap`), an image that is
            missing or unreadable, images of different sizes, or a kind that is not there.

    Example:
        >>> images = load_images("views", use=("masks", "depth"))
        >>> images.size
        (256, 256)
    """
    path = Path(folder)
    if path.is_dir() and not (path / FILE).is_file() and is_colmap(path):
        posed = read_colmap(path)
    else:
        posed = read_transforms(path)
    kinds = _wanted(posed, use, path)
    found: dict[str, Tensor] = {}
    cameras = posed.cameras
    size: tuple[int, int] | None = None
    native: tuple[int, int] | None = None
    for kind in kinds:
        stack: list[Tensor] = []
        for i, file in enumerate(posed.paths[kind]):
            if file is None:
                raise ValueError(
                    f"{path}: {kind} are missing for the view {posed.names[i]!r}; add them, or "
                    f"choose others by use"
                )
            image = _read(kind, file, posed)
            if native is None:
                native, first = (image.shape[0], image.shape[1]), file
            elif tuple(image.shape[:2]) != native:
                h, w = image.shape[:2]
                raise ValueError(
                    f"{file}: is {w}×{h} pixels, but {first} is {native[1]}×{native[0]}; "
                    "all images have to be of one size"
                )
            if stack and image.shape[2:] != stack[0].shape[2:]:
                raise ValueError(
                    f"{file}: has alpha where others have none, or the other way round"
                )
            image, size = _small(kind, image, max_size)
            stack.append(image)
        found[kind] = torch.stack(stack)
    assert native is not None and size is not None
    if posed.size is None:
        cameras = replace(cameras, focal=cameras.focal * (native[1] / native[0]))
    elif posed.size != native and abs(posed.size[0] * native[1] - posed.size[1] * native[0]) > max(
        native
    ):
        (h, w), (a, b) = native, posed.size
        raise ValueError(f"{path}: its cameras are for {b}×{a} pixels, but the images are {w}×{h}")
    step = native
    while step != size:
        cameras, step = half_cameras(cameras, step), (step[0] // 2, step[1] // 2)
    if "normals" in found and posed.normal_space == "camera":
        flip = torch.tensor([1.0, -1.0, -1.0])
        turn = cameras.view[:, None, None, :3, :3]  # rows: the camera's axes in the world
        found["normals"] = ((found["normals"] * flip)[..., :, None] * turn).sum(-2)
    return ImageSet(cameras, names=tuple(posed.names), **found)


def _wanted(posed: PosedImages, use: Sequence[str] | None, path: Path) -> list[str]:
    there = [k for k in KINDS if k in posed.paths]
    if use is None:
        whole = [k for k in there if all(posed.paths[k])]
        if not whole:
            raise ValueError(f"{path}: no kind of image is there for every view")
        return whole
    wanted = list(dict.fromkeys(use))
    if not wanted:
        raise ValueError(f"use: expected some of {', '.join(KINDS)}, got none")
    for kind in wanted:
        if kind not in KINDS:
            raise ValueError(f"use: {kind!r} is not one of {', '.join(KINDS)}")
        if kind == "masks" and kind not in there and "colors" in there:
            continue
        if kind not in there:
            raise ValueError(f"use: {path} has no {kind}, only {', '.join(there)}")
    # alpha of the colours stands in for masks
    if "masks" in wanted and "masks" not in there:
        posed.paths["masks"] = posed.paths["colors"]
    return wanted


def _read(kind: str, file: Path, posed: PosedImages) -> Tensor:
    if kind == "masks":
        if file in posed.paths.get("colors", ()):
            image = image_files.read_color(file)
            if image.shape[2] != 4:
                raise ValueError(f"{file}: masks are missing, and the image has no alpha for one")
            return image[..., 3].contiguous()
        return image_files.read_mask(file)
    if kind == "depth":
        return image_files.read_depth(file, scale=posed.depth_scale)
    return (image_files.read_normals if kind == "normals" else image_files.read_color)(file)


def _small(kind: str, image: Tensor, most: int) -> tuple[Tensor, tuple[int, int]]:
    image = image[None]
    while max(image.shape[1:3]) > most and min(image.shape[1:3]) >= 2:
        image = halved(kind, image)
    return image[0], (image.shape[1], image.shape[2])


def render_images(
    mesh: Mesh,
    views: int | Camera = 40,
    *,
    size: int = 256,
    samples: int = 4,
    smooth: bool = False,
    light: Tensor | None = DAYLIGHT,
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
        light: (9,) or (9, 3) spherical harmonics, fixed in the world, for colours; None shows the
            albedo itself.

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
    if mesh.dtype != torch.float32:
        mesh = mesh.to(torch.float32)
    points = mesh.vertices[torch.unique(mesh.faces)]
    if isinstance(views, int) and not bool(torch.isfinite(points).all()):
        raise ValueError("mesh: holds NaN or infinite vertices; remove them first")
    cams = views_around(points, views) if isinstance(views, int) else views
    cams = cams.to(mesh.device)
    channels = ("mask", "shaded" if light is not None else "color")
    light = DAYLIGHT if light is None else light
    parts: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    with progress_bar("rendering", len(cams), enabled=progress) as bar:
        for i in range(len(cams)):
            options: dict[str, Any] = {"lights": light, "backend": backend, "smooth": smooth}
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

    Depth is 16-bit PNG with its unit in `integer_depth_scale`; normals are in the world.

    Args:
        folder: made; its parent has to exist.
        overwrite: replace a folder that is empty or holds an older set (a `transforms.json`).

    Raises:
        ValueError: the folder exists, or its parent does not.

    Example:
        >>> save_images(render_images(mesh, 40), "views")
    """
    target = check_folder(folder, overwrite=overwrite)
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
