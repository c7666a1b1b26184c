"""Cameras out of files: `transforms.json` and COLMAP models as a batch of `Camera`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from meshlearn.captures.capture import Capture
from meshlearn.captures.colmap import read_colmap_model
from meshlearn.captures.lens import Lens, straightened
from meshlearn.captures.transforms import read_transforms_file
from meshlearn.mesh.centring import kind_for
from meshlearn.render.camera import Camera


@dataclass(frozen=True)
class PosedImages:
    """Cameras, and the files that show what they saw.

    Attributes:
        cameras: a batch of N; a lens that bends is the pinhole of its straightened image.
        size: (height, width) that the intrinsics were given for; None where that is not said or
            differs, and then the cameras of unknown sizes are those of square images.
        paths: kind ("colors", "masks", "depth", "normals") -> N paths, or None for a missing one.
        names: N names of views.
        depth_scale: unit of the numbers in depth images.
        normal_space: "world" or "camera".
        sizes: N (height, width) of the images that the cameras make, (1, 1) where that is not
            said; of a lens that bends, of its straightened image.
        lenses: N lenses as the files tell them.
        remarks: sentences about what was decided, or left aside.
    """

    cameras: Camera
    size: tuple[int, int] | None
    paths: dict[str, list[Path | None]]
    names: list[str]
    depth_scale: float = 1.0
    normal_space: str = "world"
    sizes: tuple[tuple[int, int], ...] = ()
    lenses: tuple[Lens, ...] = ()
    remarks: tuple[str, ...] = ()


def posed(capture: Capture) -> PosedImages:
    """What a capture tells, with cameras."""
    flat: dict[Lens, Lens] = {}
    for name, lens in zip(capture.names, capture.lenses, strict=True):
        if lens not in flat:
            try:
                flat[lens] = lens if lens.straight else straightened(lens)
            except ValueError as error:
                raise ValueError(f"{capture.path}: view {name!r}: {error}") from None
    lenses = [flat[lens] for lens in capture.lenses]
    stored = {lens.size for lens in capture.lenses}
    return PosedImages(
        pinholes(capture, lenses),
        stored.pop() if len(stored) == 1 else None,
        capture.paths,
        list(capture.names),
        depth_scale=capture.depth_scale,
        normal_space=capture.normal_space,
        sizes=tuple(lens.size or (1, 1) for lens in lenses),
        lenses=capture.lenses,
        remarks=capture.remarks,
    )


def pinholes(capture: Capture, lenses: Sequence[Lens]) -> Camera:
    """The cameras of a capture with other lenses, all of them pinholes: float32, or float64 where
    they stand far from the origin."""
    known = [lens if lens.size else lens.of_size((1, 1)) for lens in lenses]
    height = [lens.known_size[0] for lens in known]
    focal = [[f / h for f in lens.focal] for lens, h in zip(known, height, strict=True)]
    centre = [[lens.middle[0] / lens.known_size[1], lens.middle[1] / lens.known_size[0]]
              for lens in known]  # fmt: skip
    cameras = Camera(
        torch.from_numpy(capture.poses).double(),
        torch.tensor(focal, dtype=torch.float64),
        torch.tensor(centre, dtype=torch.float64),
    )
    return with_planes(cameras.to(kind_for(cameras.position)))


def with_planes(cameras: Camera) -> Camera:
    """Near and far plane that suit how far the cameras are apart."""
    place = cameras.position
    spread = float((place - place.mean(0)).norm(dim=1).max())
    return replace(cameras, near=1e-3 * spread, far=1e3 * spread) if spread > 0 else cameras


def read_transforms(path: str | os.PathLike[str]) -> PosedImages:
    """Reads a `transforms.json` of NeRF, instant-ngp or nerfstudio, or the one in a folder.

    Of images at most the heads are read, for sizes that the file does not tell.

    Raises:
        ValueError: not such a file, a missing or wrong field, a matrix that is singular, mirrored
            or scaled, a lens that is not known, or a path out of the folder.

    Example:
        >>> posed = read_transforms("lego")
        >>> len(posed.cameras), posed.names[0]
    """
    return posed(read_transforms_file(path))


def read_colmap(
    folder: str | os.PathLike[str], *, images: str | os.PathLike[str] | None = None
) -> PosedImages:
    """Reads a COLMAP model: `cameras` and `images`, `.bin` or `.txt`; pictures are not opened.

    Args:
        folder: the model's folder, or the project's above it (then `sparse/0`, `sparse` or
            `colmap/sparse/0`).
        images: where the pictures are, below the project's folder; by default `images`, or where
            most of them are (`images_2`, `images_4`, `images_8`, `input`, the project's folder),
            which is told. `masks/NAME` and `masks/NAME.png` beside it are taken as masks.

    Raises:
        ValueError: no model there, a damaged file, a lens that is not known, or an image that
            names no camera.

    Example:
        >>> posed = read_colmap("south-building")
    """
    return posed(read_colmap_model(folder, images=images))
