"""From a file, a folder or an object to a fitted mesh: picks target, representation, schedule."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from meshlearn.io.points import PointCloud, is_points, load_points
from meshlearn.io.volume import Volume, is_volume, load_volume
from meshlearn.mesh import Mesh
from meshlearn.reconstruct.convexes import fit_convexes, surface_of
from meshlearn.reconstruct.fit import FitResult, fit
from meshlearn.reconstruct.open_surfaces import is_open
from meshlearn.reconstruct.targets import FromField, FromImages, FromMesh, FromPoints, Target
from meshlearn.render import ImageSet, load_images
from meshlearn.representations import DeepMesh, FlexiCubes, GShell

Source = Mesh | PointCloud | Volume | ImageSet
METHODS = ("flexicubes", "gshell", "bspnet", "deepmesh")


def read_source(path: str | os.PathLike[str], *, use: Sequence[str] | None = None) -> Source:
    """A mesh, point cloud or volume file, or a folder of posed images, as what can be fitted.

    A mesh file without faces is a point cloud; its vertex attribute "normal" is kept.

    Args:
        use: which images of a folder, see `meshlearn.render.load_images`.
    """
    if Path(path).is_dir() or Path(path).name == "transforms.json":
        return load_images(path, use=use)
    if use is not None:
        raise ValueError(f"use: chooses among the images of a folder, and {path} is none")
    if is_points(path):
        return load_points(path)
    if is_volume(path):
        return load_volume(path)
    from meshlearn.io import load

    mesh = load(path)
    if mesh.num_faces or not mesh.num_vertices:
        return mesh
    return PointCloud(mesh.vertices, mesh.vertex_attributes.get("normal"))


def target_of(source: Source) -> Target:
    """The target that a mesh, point cloud, volume or set of images makes."""
    if isinstance(source, ImageSet):
        return FromImages(source)
    if isinstance(source, PointCloud):
        return FromPoints(source.points, source.normals)
    if isinstance(source, Volume):
        return FromField(source, bounds=source.bounds())
    if source.num_faces == 0:
        raise ValueError("source: expected a mesh with faces, got none")
    return FromMesh(source)


def reconstruct(
    source: Source,
    *,
    method: str = "flexicubes",
    resolution: int = 64,
    sparse: bool = False,
    steps: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    network: str | os.PathLike[str] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool | None = None,
) -> FitResult:
    """Fits a mesh to `source`, coarse to fine.

    Args:
        source: what the mesh should be.
        method: the representation: "flexicubes" gives closed meshes, "gshell" open ones too,
            "bspnet" the union of few convexes with face attributes "convex" and "color" (without
            `sparse` and checkpoints; `steps` are those of its refinement), "deepmesh" the level set
            of a network.
        resolution: cells along the longest side of the box around `source`.
        sparse: coarse to fine from 64 cells or less by halving the cells near the surface only,
            for resolutions up to 512 and more; `resolution` is then a power of two times at least
            16 cells.
        steps: of the fit; default: those that its quality was measured with.
        seed: of all sampling; the same seed gives the same mesh.
        device: where it is computed; "bspnet" selects its convexes on the CPU, and then moves the
            mesh.
        network: with method "deepmesh", a trained auto-decoder (`DeepMesh.save`) whose code is
            fitted, to a source that stands as its shapes did; None fits a new network to `source`.
        checkpoint, resume, progress: as in `fit`.

    Raises:
        ValueError: bad options, an empty source, a resolution beyond memory.

    Warns:
        UserWarning: an open mesh for a method that gives closed ones; a one-sided mesh for
            method "gshell".

    Example:
        >>> reconstruct(meshlearn.load("part.obj"), resolution=64).mesh.save("fit.glb")
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if not isinstance(source, Source):
        raise ValueError(
            f"source: expected a mesh, points, a volume or images, got {type(source).__name__}"
        )
    where = _device(device)
    dtype = _precision(source)
    if network is not None and method != "deepmesh":
        raise ValueError(f"network: expected with method 'deepmesh' only, got method {method!r}")
    if sparse and method == "deepmesh":
        raise ValueError("sparse: expected False with method 'deepmesh', which is always sparse")
    if method != "gshell" and isinstance(source, Mesh) and is_open(source):
        warnings.warn(
            f"source: the mesh is open ({len(source.topology.boundary_loops())} boundary loops), "
            f"and method {method!r} gives a closed mesh around it; method 'gshell' fits it open",
            stacklevel=2,
        )
    if method == "gshell" and isinstance(source, Mesh):
        source = _oriented(source)
    if method == "bspnet":
        asked = checkpoint is not None or sparse
        found = _convexes(source, resolution, steps, seed, asked, progress)
        return replace(found, mesh=found.mesh.to(where))
    target = target_of(_moved(source, where, dtype))
    stages = _resolutions(source, resolution, sparse)
    if method == "deepmesh":
        shape = _level_set(target, network, resolution, seed, where, dtype)
    else:
        kind = GShell if method == "gshell" else FlexiCubes
        first = stages[0] if sparse else resolution
        shape = kind(first, bounds=target.bounds, sparse=sparse, device=where, dtype=dtype)
    return fit(
        shape,
        target,
        steps=_steps(source) if steps is None else steps,
        resolution=stages,
        **_schedule(source, method),
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )


def _level_set(
    target: Target,
    network: str | os.PathLike[str] | None,
    resolution: int,
    seed: int,
    device: torch.device,
    dtype: torch.dtype,
) -> DeepMesh:
    """A code of a trained network, or a new network."""
    if network is not None:
        model = DeepMesh.load(network, device=device, dtype=dtype)
        return model.fitting(target.bounds, resolution=resolution)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DeepMesh(bounds=target.bounds, resolution=resolution, device=device, dtype=dtype)


def _oriented(mesh: Mesh) -> Mesh:
    """With faces that agree, where that can be: the start of an open fit asks for sides."""
    if mesh.is_consistently_oriented or mesh.num_faces == 0:
        return mesh
    turned = mesh.orient(outward=False).mesh
    if not turned.is_consistently_oriented:
        warnings.warn(
            "source: the mesh cannot be oriented (it has one side only, as a Moebius band, or "
            "edges of three faces), and a part of a closed template has two sides: the fit has a "
            "seam or a second layer there",
            stacklevel=3,
        )
    return turned


def _convexes(
    source: Source,
    resolution: int,
    steps: int | None,
    seed: int,
    asked: bool,
    progress: bool | None,
) -> FitResult:
    """The direct mode of BSP-Net; of points and volumes by a mesh of their starting field."""
    if asked:
        raise ValueError("method: 'bspnet' takes no sparse grid and no checkpoint; leave them out")
    if isinstance(source, ImageSet):
        raise ValueError("source: 'bspnet' fits meshes, points and volumes, not images")
    mesh = source if isinstance(source, Mesh) else surface_of(target_of(source), resolution)
    found = fit_convexes(
        mesh,
        resolution=resolution,
        steps=150 if steps is None else steps,
        seed=seed,
        progress=progress,
    )
    return FitResult(found.colored(), {}, found.seconds, found.representation)


def _resolutions(source: Source, resolution: int, sparse: bool) -> tuple[int, ...]:
    """Grids from coarse to fine. Depth gives a start whose thin parts a coarse grid would lose."""
    if not sparse:
        least = 128 if isinstance(source, ImageSet) and source.depth is not None else 32
        return (resolution // 2, resolution) if resolution >= least else (resolution,)
    stages = [resolution]
    while stages[0] > 64 and stages[0] % 2 == 0:
        stages.insert(0, stages[0] // 2)
    if not 16 <= stages[0] <= 64:
        raise ValueError(
            f"resolution: expected 16 to 64 cells times a power of two for a sparse grid, got "
            f"{resolution}"
        )
    if len(stages) == 1 and stages[0] % 2 == 0 and stages[0] >= 32:
        stages.insert(0, stages[0] // 2)
    return tuple(stages)


def _from_normals(source: Source) -> bool:
    """Whether normals, without depth, have to find the hollows that masks leave filled."""
    return isinstance(source, ImageSet) and source.normals is not None and source.depth is None


def _steps(source: Source) -> int:
    return 200 if isinstance(source, ImageSet) and not _from_normals(source) else 300


def _schedule(source: Source, method: str) -> dict:
    """Options of `fit` other than the default: hollows far from the hull want larger steps."""
    if _from_normals(source) and method == "flexicubes":
        return {"lr": 0.05, "weights": {"normal": 6.0, "smooth": 0.03}}
    return {}


def _device(device: str | torch.device) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device: {device!s} cannot be used here ({str(error).splitlines()[0]}); use cpu"
        ) from None
    return found


def _precision(source: Source) -> torch.dtype:
    """float32, unless the object is so far from the origin that its details would be lost."""
    if isinstance(source, ImageSet):
        return torch.float32
    if isinstance(source, Volume):
        box = source.bounds()
    else:
        points = source.vertices if isinstance(source, Mesh) else source.points
        points = points[torch.isfinite(points).all(1)]
        if not len(points):
            return torch.float32
        box = torch.stack([points.amin(0), points.amax(0)])
    far, size = float(box.abs().max()), float((box[1] - box[0]).max())
    return torch.float64 if far > 1000 * size else torch.float32


def _moved(source: Source, device: torch.device, dtype: torch.dtype) -> Source:
    if isinstance(source, PointCloud):
        normals = None if source.normals is None else source.normals.to(device, dtype)
        return PointCloud(source.points.to(device, dtype), normals)
    if isinstance(source, Volume):
        return Volume(source.values.to(device, dtype), source.affine)
    if isinstance(source, ImageSet):
        return source.to(device)
    return source.to(device, dtype)
