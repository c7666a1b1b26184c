"""What can be fitted: a mesh, points, a sampled volume, posed images; and what each tells."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from meshlearn.captures.reading import is_capture
from meshlearn.io.points import PointCloud, is_points, load_points
from meshlearn.io.volume import Volume, is_volume, load_volume
from meshlearn.isosurface.closing import leaves
from meshlearn.mesh import Mesh, far_middle, moved, used_vertices
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import Target

if TYPE_CHECKING:
    from meshlearn.render import ImageSet

Input: TypeAlias = "Mesh | PointCloud | Volume | ImageSet"


class Source(ABC):
    """An input of `reconstruct`: where it lies, what target it makes, how it is best fitted."""

    steps: int = settings.STEPS  # of a fit, where no number is asked for
    coarse_from: int = settings.COARSE_FROM  # the least resolution that is begun at half of it
    only_normals: bool = False  # of its hollows nothing but normals tells

    @abstractmethod
    def far_middle(self) -> Tensor | None:
        """(3,) float64 middle of it where it lies far from the origin; None near it."""

    @abstractmethod
    def moved(self, shift: Tensor) -> Source:
        """It moved by `shift` (3,), in double precision."""

    @abstractmethod
    def to(self, device: torch.device, dtype: torch.dtype) -> Source:
        """It on a device, in a precision."""

    @abstractmethod
    def target(self) -> Target:
        """What a representation is fitted to."""

    def openings(self) -> int | None:
        """How many boundary loops it has; None for what is not known to be open."""
        return None

    def thin_wall(self, resolution: int) -> float | None:
        """How thick its walls are where that many cells do not resolve them; None elsewhere."""
        return None

    def wrapped(self, resolution: int) -> Source:
        """It within one closed surface, whose gaps are no narrower than a cell.

        Raises:
            ValueError: it is no mesh with faces.
        """
        raise ValueError(
            "wrap: expected a mesh with faces as the source; points and fields have no walls"
        )

    def surface(self, resolution: int) -> Mesh:
        """A closed mesh of what is known beforehand: marching cubes of the target's field."""
        from meshlearn.reconstruct.convexes import surface_of

        return surface_of(self.target(), resolution)

    def oriented(self) -> Source:
        """With sides that agree, where that can be."""
        return self


class MeshSource(Source):
    """A mesh, whose surface is sampled.

    A mesh with boundary edges is taken with vertices of equal position joined where that closes
    some: a file of loose triangles (STL) or with seams has boundary edges that its surface has not.
    """

    def __init__(self, mesh: Mesh) -> None:
        edges = mesh.topology.boundary_edges.numel()
        if edges:
            joined = mesh.merge_vertices().mesh
            if joined.topology.boundary_edges.numel() < edges:
                mesh = joined
        self.mesh = mesh

    def far_middle(self) -> Tensor | None:
        return far_middle(used_vertices(self.mesh))

    def moved(self, shift: Tensor) -> MeshSource:
        return MeshSource(moved(self.mesh, shift))

    def to(self, device: torch.device, dtype: torch.dtype) -> MeshSource:
        return MeshSource(self.mesh.to(device, dtype))

    def target(self) -> Target:
        from meshlearn.reconstruct.targets.mesh import FromMesh

        if self.mesh.num_faces == 0:
            raise ValueError("source: expected a mesh with faces, got none")
        return FromMesh(self.mesh)

    def openings(self) -> int | None:
        topology = self.mesh.topology
        return len(topology.boundary_loops()) if topology.boundary_edges.numel() else None

    def thin_wall(self, resolution: int) -> float | None:
        from meshlearn.reconstruct.shells import thin_wall

        return thin_wall(self.mesh, resolution)

    def wrapped(self, resolution: int) -> Source:
        from meshlearn.geometry.wrapping.wrap import ALPHA, wrap

        if not self.mesh.num_faces:
            return super().wrapped(resolution)
        low, high = self.mesh.bounds().double()
        alpha = max(ALPHA * float((high - low).norm()), float((high - low).max()) / resolution)
        return MeshSource(wrap(self.mesh, alpha, tight=True))

    def surface(self, resolution: int) -> Mesh:
        return self.mesh

    def oriented(self) -> MeshSource:
        """With faces that agree, where that can be: the start of an open fit asks for sides.

        Warns:
            UserWarning: the mesh cannot be oriented.
        """
        if self.mesh.is_consistently_oriented or self.mesh.num_faces == 0:
            return self
        turned = self.mesh.orient(outward=False).mesh
        if not turned.is_consistently_oriented:
            warnings.warn(
                "source: the mesh cannot be oriented (it has one side only, as a Moebius band, or "
                "edges of three faces), and a part of a closed template has two sides: the fit has "
                "a seam or a second layer there",
                stacklevel=4,  # of `reconstruct`
            )
        return MeshSource(turned)


class PointSource(Source):
    """A point cloud, with or without normals."""

    def __init__(self, cloud: PointCloud) -> None:
        self.cloud = cloud

    def far_middle(self) -> Tensor | None:
        return far_middle(self.cloud.points)

    def moved(self, shift: Tensor) -> PointSource:
        points = self.cloud.points.double() + shift.to(self.cloud.points.device)
        normals = None if self.cloud.normals is None else self.cloud.normals.double()
        return PointSource(PointCloud(points, normals))

    def to(self, device: torch.device, dtype: torch.dtype) -> PointSource:
        normals = None if self.cloud.normals is None else self.cloud.normals.to(device, dtype)
        return PointSource(PointCloud(self.cloud.points.to(device, dtype), normals))

    def target(self) -> Target:
        from meshlearn.reconstruct.targets.points import FromPoints

        return FromPoints(self.cloud.points, self.cloud.normals)


class VolumeSource(Source):
    """A sampled field, negative inside."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    def far_middle(self) -> Tensor | None:
        return far_middle(self.volume.bounds())

    def moved(self, shift: Tensor) -> VolumeSource:
        return VolumeSource(self.volume.moved(shift))

    def to(self, device: torch.device, dtype: torch.dtype) -> VolumeSource:
        return VolumeSource(replace(self.volume, values=self.volume.values.to(device, dtype)))

    def target(self) -> Target:
        from meshlearn.reconstruct.targets.field import FromField

        if self.volume.points is not None:
            raise ValueError(
                "source: expected samples on a straight grid to fit to, got a curved one; "
                "`extract_volume` (meshlearn extract) takes its surface as it is"
            )
        if leaves(self.volume.values):
            warnings.warn(
                "source: the surface reaches the border of the volume, and the fit is closed "
                "somewhere near it; `extract_volume` with close=True (meshlearn extract --close) "
                "caps it at the border, without it leaves it open",
                stacklevel=2,
            )
        return FromField(self.volume, bounds=self.volume.bounds())


class ImageSource(Source):
    """Posed images; always float32, which their pixels are."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.only_normals = images.normals is not None and images.depth is None
        if not self.only_normals:
            self.steps = settings.STEPS_OF_IMAGES
        if images.depth is not None:
            self.coarse_from = settings.COARSE_FROM_WITH_DEPTH

    def far_middle(self) -> Tensor | None:
        return far_middle(self.images.cameras.position.reshape(-1, 3))

    def moved(self, shift: Tensor) -> ImageSource:
        return ImageSource(self.images.moved(shift))

    def to(self, device: torch.device, dtype: torch.dtype) -> ImageSource:
        cameras = self.images.cameras.to(torch.float32)
        return ImageSource(replace(self.images, cameras=cameras).to(device))

    def target(self) -> Target:
        from meshlearn.reconstruct.targets.images import FromImages

        return FromImages(self.images)

    def surface(self, resolution: int) -> Mesh:
        raise ValueError("source: expected a mesh, points or a volume for this method, not images")


def _kinds() -> Iterator[tuple[type, Callable[[Any], Source]]]:
    """What can be fitted, and the source that it makes; images are imported when they are met."""
    yield Mesh, MeshSource
    yield PointCloud, PointSource
    yield Volume, VolumeSource
    from meshlearn.render.image_set import ImageSet

    yield ImageSet, ImageSource


def as_source(given: Input) -> Source:
    """The source that a mesh, point cloud, volume or set of images is.

    Raises:
        ValueError: something else.
    """
    for kind, source in _kinds():
        if isinstance(given, kind):
            return source(given)
    raise ValueError(
        f"source: expected a mesh, points, a volume or images, got {type(given).__name__}"
    )


def read_thinned(path: str | os.PathLike[str], most: int) -> tuple[PointCloud, int] | None:
    """A large file of points, thinned as it is read, and how many it has; None where the file is
    small or of another kind. Progress is shown.

    Args:
        most: points that are kept at most, see `meshlearn.reconstruct.poisson.thinning`.

    Raises:
        ValueError: it is damaged, or has NaN or infinite numbers.

    Warns:
        UserWarning: normals are not unit vectors; they were left out.
    """
    from meshlearn.io.point_blocks import point_blocks
    from meshlearn.progress import progress_bar
    from meshlearn.reconstruct.poisson.thinning import Thinned

    blocks = point_blocks(Path(path))
    if blocks is None:
        return None
    thin, use = Thinned(most), True
    with progress_bar(f"reading {Path(path).name}", 1.0) as bar:
        for k, (points, normals, done) in enumerate(blocks):
            bad = int((~np.isfinite(points)).any(1).sum())
            if bad:
                raise ValueError(
                    f"{path}: {bad:,} of {len(points):,} points are NaN or infinite; remove them"
                )
            if k == 0 and normals is not None:
                length = np.linalg.norm(normals, axis=1)
                use = bool((np.abs(length - 1) < 0.1).mean() > 0.5)
                if not use:
                    warnings.warn(
                        f"{path}: normals are not unit vectors and were left out", stacklevel=2
                    )
            thin.add(points, normals if use else None)
            bar.update(done, f"{thin.total:,} points")
    few, facing = thin.result()
    if not len(few):
        raise ValueError(f"{path}: there are no points")
    unit = None if facing is None else torch.from_numpy(facing)
    return PointCloud(torch.from_numpy(few), unit), thin.total


def read_source(
    path: str | os.PathLike[str],
    *,
    use: Sequence[str] | None = None,
    masks: str = "auto",
    missing: str = "skip",
) -> Input:
    """A mesh, point cloud or volume file, or a folder of posed images, as what can be fitted.

    A mesh file without faces is a point cloud; its vertex attribute "normal" is kept.

    Args:
        use: which images of a folder, see `meshlearn.render.load_images`.
        masks: what their masks mean: "auto", "stored" or "inverted".
        missing: "skip" or "refuse", where images are not there.
    """
    if Path(path).is_dir() or is_capture(path):
        from meshlearn.render.read_images import load_images

        return load_images(path, use=use, masks=masks, missing=missing)
    if use is not None:
        raise ValueError(f"use: expected with a folder of images only, got {path}")
    if is_points(path):
        return load_points(path)
    if is_volume(path):
        return load_volume(path)
    from meshlearn.io import load

    mesh = load(path, dtype=None)
    if mesh.num_faces or not mesh.num_vertices:
        return mesh
    return PointCloud(mesh.vertices, mesh.vertex_attributes.get("normal"))
