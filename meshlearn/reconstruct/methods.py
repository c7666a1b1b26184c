"""`reconstruct`: from a file's contents to a fitted mesh, by one of the methods of a table.

The table is the one place that names them: the command line reads it too. A method is a function
that gets a `Task` and returns a `FitResult`; most build a representation and leave the rest to the
fitting loop by `Task.fit`. A representation becomes a method by one more `Method` at the end of
this file; from outside, by an entry point of the group "meshlearn.methods" that names a `Method`
or a list of several, or for one process by `register_method`.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from meshlearn.reconstruct.fitting import FitResult
    from meshlearn.reconstruct.sources import Input, Source
    from meshlearn.reconstruct.targets.base import Target
    from meshlearn.representations.base import Representation

S = TypeVar("S", bound="Source")


@dataclass
class Task:
    """One call of `reconstruct`, as a method sees it.

    Attributes:
        source: what the mesh should be, as it was given.
        resolution: cells along the longest side of the box around the source.
        sparse: keep only the cells near the surface.
        steps: of the fit, or None where the method and the source decide.
        seed: of all sampling.
        device, dtype: where and in which precision to compute.
        network: a trained model whose code is fitted, or None.
        checkpoint, resume, progress: of the fitting loop, see `fit`.
        origin: (3,) float64 place that the source was moved from to the origin, since it lies far
            off; None where it stands as given.
        trim: spacings of points beyond which a surface is left open, or None for a closed one.
        free: nobody asked for a resolution, and `resolution` is the usual one.
    """

    source: Source
    resolution: int
    sparse: bool
    steps: int | None
    seed: int
    device: torch.device
    dtype: torch.dtype
    network: str | os.PathLike[str] | None = None
    checkpoint: str | Path | None = None
    resume: bool = False
    progress: bool | None = None
    origin: Tensor | None = None
    trim: float | None = None
    free: bool = False

    @cached_property
    def target(self) -> Target:
        """What a representation is fitted to, on `device`."""
        return self.source.to(self.device, self.dtype).target()

    @cached_property
    def stages(self) -> tuple[int, ...]:
        """Resolutions of the grids, coarse to fine.

        Raises:
            ValueError: a resolution that a sparse grid cannot reach by doubling.
        """
        from meshlearn.reconstruct.settings import SPARSE_FROM, SPARSE_LEAST, SPARSE_START

        cells = self.resolution
        if not self.sparse:
            return (cells // 2, cells) if cells >= self.source.coarse_from else (cells,)
        stages = [cells]
        while stages[0] > SPARSE_START and stages[0] % 2 == 0:
            stages.insert(0, stages[0] // 2)
        if not SPARSE_LEAST <= stages[0] <= SPARSE_START:
            raise ValueError(
                f"resolution: expected {SPARSE_LEAST} to {SPARSE_START} cells times a power of two "
                f"for a sparse grid, got {cells}"
            )
        if len(stages) == 1 and stages[0] % 2 == 0 and stages[0] >= SPARSE_FROM:
            stages.insert(0, stages[0] // 2)
        return tuple(stages)

    @property
    def grid(self) -> dict[str, Any]:
        """The first grid, as representations on grids take it."""
        return {
            "grid": self.stages[0] if self.sparse else self.resolution,
            "bounds": self.target.bounds,
            "sparse": self.sparse,
            "device": self.device,
            "dtype": self.dtype,
        }

    def fit(self, representation: Representation, **options: Any) -> FitResult:
        """The fitting loop on this task.

        Args:
            options: of `fit`, other than the default, such as ``lr`` and ``weights``.
        """
        from meshlearn.reconstruct.fitting import fit

        usual = {
            "steps": self.source.steps if self.steps is None else self.steps,
            "resolution": self.stages,
        }
        return fit(
            representation,
            self.target,
            seed=self.seed,
            checkpoint=self.checkpoint,
            resume=self.resume,
            progress=self.progress,
            origin=self.origin,
            **{**usual, **options},
        )


@dataclass(frozen=True)
class Method:
    """A way to reconstruct a mesh.

    Attributes:
        name: what users call it by.
        help: what it gives, in a few words.
        fit: does it.
        open: whether it fits open meshes as they are; others close them, and users are warned.
        options: which of the options "sparse", "checkpoint", "network" and "trim" of `reconstruct`
            it takes, and which of "parts" and "model" of the command line (a file of its convexes;
            a trained model that predicts instead of a fit).

    Example:
        >>> def spheres(task):
        ...     return task.fit(MySpheres(bounds=task.target.bounds), lr=0.01)
        >>> register_method(Method("spheres", "a union of spheres", spheres))
    """

    name: str
    help: str
    fit: Callable[[Task], FitResult]
    open: bool = False
    options: frozenset[str] = field(default=frozenset({"sparse", "checkpoint"}))


METHODS: dict[str, Method] = {}
RESOLUTION = 64  # cells along the longest side, where none are asked for; by hand

# Ways to extract the surface of a volume, see `extract_volume`, which need no fit.
EXTRACTIONS = {
    "mc": "marching cubes",
    "dmc": "dual marching cubes",
    "flexicubes": "the same with sharp edges",
    "net": "a surface net, for labels, without stairs",
}


def register_method(method: Method) -> None:
    """Adds a method, for `reconstruct` and the command line.

    Raises:
        ValueError: another method has its name.
    """
    if METHODS.get(method.name, method) is not method:
        raise ValueError(f"method: there is one of the name {method.name!r}; choose another")
    METHODS[method.name] = method


GROUP = "meshlearn.methods"  # of entry points
_log = logging.getLogger(__name__)


@cache
def take_installed() -> None:
    """Registers the methods of other packages, once: the entry points of "meshlearn.methods".

    One that cannot be loaded, is no `Method` or has the name of another is left out with a warning
    in the log that names it and its package.
    """
    from importlib.metadata import entry_points  # 20 ms, which only those who ask pay

    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.value, e.name)):
        package = entry.dist.name if entry.dist is not None else entry.value.partition(":")[0]
        try:
            loaded = entry.load()
            for method in loaded if isinstance(loaded, (list, tuple)) else [loaded]:
                if not isinstance(method, Method):
                    raise TypeError(f"expected a Method, got {type(method).__name__}")
                register_method(method)
        except (Exception, SystemExit) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            _log.warning(
                "the method %r of the package %s is left out: %s", entry.name, package, said
            )


def reconstruct(
    source: Input,
    *,
    method: str = "flexicubes",
    resolution: int | None = None,
    sparse: bool = False,
    steps: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    network: str | os.PathLike[str] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: bool | None = None,
    trim: float | None = None,
    wrap: bool = False,
) -> FitResult:
    """Fits a mesh to `source`, coarse to fine.

    Args:
        source: what the mesh should be: a mesh, points, a volume or posed images.
        method: the representation: "flexicubes" gives closed meshes, "gshell" open ones too,
            "bspnet" the union of few convexes with face attributes "convex" and "color" (without
            `sparse` and checkpoints; `steps` are those of its refinement), "deepmesh" the level set
            of a network, "tsdf" fuses depth images without a fit (`fusion.fuse_images`); or one of
            another package, see `Method`.
        resolution: cells along the longest side of the box around `source`; default: 64, with
            method "poisson" two for each spacing of the points.
        sparse: coarse to fine from 64 cells or less by halving the cells near the surface only,
            for resolutions up to 512 and more; `resolution` is then a power of two times at least
            16 cells.
        steps: of the fit; default: those that its quality was measured with, few where a fit to
            points starts from their surface by Poisson's equation (`FitResult.report`).
        seed: of all sampling; the same seed gives the same mesh.
        device: where it is computed; "bspnet" selects its convexes on the CPU, and then moves the
            mesh.
        network: with method "deepmesh", a trained auto-decoder (`DeepMesh.save`) whose code is
            fitted, to a source that stands as its shapes did; None fits a new network to `source`.
        checkpoint, resume, progress: as in `fit`.
        trim: with method "poisson", spacings of the points beyond which the surface is left open.
        wrap: a mesh is first put within one closed surface (`geometry.wrap`, tight, by a ball of
            a cell or 1 % of the diagonal): double walls, inner parts and gaps that the ball does
            not enter become solid.

    Returns:
        The mesh where the source is. One that lies far from the origin, by more than 8 of its
        sizes, is fitted about it: the mesh is then float64, `FitResult.origin` says where it was,
        and the representation and a checkpoint are about the origin.

    Raises:
        ValueError: bad options, an empty source, a resolution beyond memory.

    Warns:
        UserWarning: an open mesh, or one of walls too thin for the grid, for a method that gives
            closed ones; a one-sided mesh for method "gshell".

    Example:
        >>> reconstruct(meshlearn.load("part.obj"), resolution=64).mesh.save("fit.glb")
    """
    if method not in METHODS:
        take_installed()
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    import torch

    from meshlearn._validate import check_device
    from meshlearn.reconstruct.sources import as_source

    chosen, given = METHODS[method], as_source(source)
    where = check_device(device)
    asked = {"network": network is not None, "sparse": sparse, "checkpoint": checkpoint is not None}
    asked["trim"] = trim is not None
    for option, used in asked.items():
        if used and option not in chosen.options:
            able = " or ".join(repr(m.name) for m in METHODS.values() if option in m.options)
            raise ValueError(f"{option}: expected with method {able} only, got method {method!r}")
    cells = RESOLUTION if resolution is None else resolution
    if wrap:
        given = given.wrapped(cells)
    openings = None if chosen.open else given.openings()
    if openings is not None:
        able = " or ".join(repr(m.name) for m in METHODS.values() if m.open)
        warnings.warn(
            f"source: the mesh is open ({openings} boundary loops), and method {method!r} gives a "
            f"closed mesh around it; method {able} fits it open, and wrap=True (--wrap) makes a "
            "solid of it first, its holes closed",
            stacklevel=2,
        )
    wall = None if chosen.open else given.thin_wall(cells)
    if wall is not None:
        warnings.warn(
            f"source: nearly all of the mesh is walls about {wall:.2g} thick, a double shell "
            f"perhaps, which {cells} cells along its box do not resolve; "
            + (
                "its holes are wider than the ball that wrapped it: close them by "
                "meshlearn.geometry.wrap (or meshlearn wrap) with holes_up_to first"
                if wrap
                else "wrap=True (--wrap) makes one solid of it first"
            ),
            stacklevel=2,
        )
    origin = given.far_middle()
    task = Task(
        given if origin is None else given.moved(-origin),
        cells, sparse, steps, seed, where, torch.float32, network, checkpoint, resume,
        progress, origin, trim, resolution is None,
    )  # fmt: skip
    found = chosen.fit(task)
    return found if origin is None else found.moved(origin)


def _flexicubes(task: Task) -> FitResult:
    from meshlearn.reconstruct.settings import HOLLOWS_BY_NORMALS
    from meshlearn.representations.flexicubes import FlexiCubes

    options = HOLLOWS_BY_NORMALS if task.source.only_normals else {}
    enough = task.target.enough_steps
    if enough is not None and task.steps is None and not task.sparse:
        options = {"steps": enough, "resolution": task.resolution}  # coarse ones lose what is known
    return task.fit(FlexiCubes(**task.grid), **options)


def _gshell(task: Task) -> FitResult:
    from meshlearn.representations.gshell import GShell

    task = replace(task, source=task.source.oriented())
    return task.fit(GShell(**task.grid))


def _deepmesh(task: Task) -> FitResult:
    """A code of a trained network, or a new network."""
    import torch

    from meshlearn.representations.deepmesh import DeepMesh

    box, cells, device, dtype = task.target.bounds, task.resolution, task.device, task.dtype
    if task.network is not None:
        trained = DeepMesh.load(task.network, device=device, dtype=dtype)
        return task.fit(trained.fitting(box, resolution=cells))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed)
        model = DeepMesh(bounds=box, resolution=cells, device=device, dtype=dtype)
    return task.fit(model)


def _bspnet(task: Task) -> FitResult:
    """Of points and volumes by a mesh of their starting field; no fitting loop, but its own."""
    from meshlearn.reconstruct.convexes import fit_convexes, unlike
    from meshlearn.reconstruct.fitting import FitResult

    given = task.source.surface(task.resolution)
    found = fit_convexes(
        given,
        resolution=task.resolution,
        seed=task.seed,
        progress=task.progress,
        **({} if task.steps is None else {"steps": task.steps}),
    )
    for sentence in unlike(found.mesh, given, task.resolution, task.origin):
        warnings.warn(sentence, stacklevel=3)
    mesh = found.colored().to(task.device)
    return FitResult(mesh, {}, found.seconds, found.representation, found.convexes)


def _given(task: Task, method: str, kind: type[S], said: str) -> S:
    """The source of a method that fits nothing, of the one kind that it takes."""
    if task.steps is not None:
        raise ValueError(f"steps: method {method!r} fits nothing and takes none")
    source = task.source.to(task.device, task.dtype)
    if not isinstance(source, kind):
        raise ValueError(f"source: method {method!r} takes {said} alone; choose another method")
    return source


def _poisson(task: Task) -> FitResult:
    """Poisson's equation; nothing is fitted."""
    import time

    from meshlearn.reconstruct.fitting import EmptyFit, FitResult
    from meshlearn.reconstruct.poisson import poisson
    from meshlearn.reconstruct.sources import PointSource

    source = _given(task, "poisson", PointSource, "points, with or without normals")
    begin = time.perf_counter()
    mesh = poisson(
        source.cloud.points,
        source.cloud.normals,
        resolution=None if task.free else task.resolution,
        trim=task.trim,
        progress=task.progress,
    )
    if mesh.num_faces == 0:
        raise EmptyFit("the points bound no solid, or all of it was trimmed away; raise trim")
    return FitResult(mesh, {}, time.perf_counter() - begin)


def _tsdf(task: Task) -> FitResult:
    """Depth images fused; nothing is fitted."""
    import time

    from meshlearn.reconstruct.fitting import EmptyFit, FitResult
    from meshlearn.reconstruct.fusion import fuse_images
    from meshlearn.reconstruct.sources import ImageSource

    source = _given(task, "tsdf", ImageSource, "depth images with their cameras")
    begin = time.perf_counter()
    mesh = fuse_images(source.images, resolution=task.resolution).mesh()
    if mesh.num_faces == 0:
        raise EmptyFit(
            "the depth images leave no surface: no cell has corners on both sides of one that an "
            "image sees at more than a slant; check the cameras, or take more cells (resolution)"
        )
    return FitResult(mesh, {}, time.perf_counter() - begin)


for _method in (
    Method("flexicubes", "closed", _flexicubes),
    Method("gshell", "open meshes too", _gshell, open=True),
    Method("bspnet", "the union of few convexes", _bspnet, options=frozenset({"parts", "model"})),
    Method(
        "deepmesh",
        "a network's level set",
        _deepmesh,
        options=frozenset({"checkpoint", "network"}),
    ),
    Method(
        "poisson",
        "points by Poisson's equation, in seconds",
        _poisson,
        options=frozenset({"trim"}),
    ),
    Method(
        "tsdf",
        "depth images fused, open where nobody looked",
        _tsdf,
        options=frozenset(),
    ),
):
    register_method(_method)
