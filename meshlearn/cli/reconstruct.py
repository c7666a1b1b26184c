"""`meshlearn reconstruct INPUT OUT`: fits a mesh to a mesh, points, a volume or posed images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import holds_images, mesh_output, output_file
from meshlearn.cli._mesh import summary, tell_written
from meshlearn.reconstruct.methods import METHODS, RESOLUTION, take_installed

if TYPE_CHECKING:
    from torch import Tensor

    from meshlearn.mesh import Mesh
    from meshlearn.reconstruct.fitting import FitResult
    from meshlearn.reconstruct.sources import Input

take_installed()


@dataclass
class FitOptions:
    """What is fitted, and how."""

    method: Annotated[
        str, choice(*METHODS, help="; ".join(f"{m.name}: {m.help}" for m in METHODS.values()) + ".")
    ] = "flexicubes"
    resolution: Annotated[
        int | None,
        typer.Option(
            min=8,
            help="Cells along the longest side of the box; default: 64, with poisson two for each "
            "spacing of the points.",
        ),
    ] = None
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Refine near the surface only, for fine resolutions.")
    ] = False
    trim: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            help="With poisson: leave the surface open beyond so many spacings from the points.",
        ),
    ] = None
    wrap: Annotated[
        bool,
        typer.Option(
            "--wrap",
            help="Put a mesh within one closed surface first: for double walls, gaps, inner parts.",
        ),
    ] = False
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the fit; default: as the method does best.")
    ] = None
    seed: Annotated[int, typer.Option(help="Same seed, same mesh.")] = 0
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu"
    network: Annotated[
        Path | None,
        typer.Option(help="Trained auto-decoder whose code is fitted, with --method deepmesh."),
    ] = None
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder for checkpoints, history and settings; bspnet: folder of a trained model."
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in that folder.")
    ] = False


@dataclass
class ImageOptions:
    """What is used of posed images."""

    use: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Of a folder of images: some of masks,depth,normals,colors; default: all.",
        ),
    ] = None
    masks: Annotated[
        str,
        choice(
            "auto",
            "stored",
            "inverted",
            help="What masks mean; stored: the bright is the object; inverted: the dark; auto: the "
            "bright, and what is in doubt is refused.",
        ),
    ] = "auto"
    missing: Annotated[
        str,
        choice("skip", "refuse", help="What is done where an image of a view is not there."),
    ] = "skip"
    colors: Annotated[
        str,
        choice(
            "auto",
            "none",
            "vertices",
            "texture",
            help="Colours from images; auto: of vertices where colors are used.",
        ),
    ] = "auto"
    texture_size: Annotated[
        int, typer.Option(min=8, max=8192, help="Texels of a side, with --colors texture.")
    ] = 1024

    @property
    def kinds(self) -> list[str] | None:
        """Those of `use`."""
        return None if self.use is None else [k.strip() for k in self.use.split(",") if k.strip()]


@dataclass
class OutputOptions:
    """What is written besides the mesh."""

    picture: Annotated[
        bool,
        typer.Option("--picture/--no-picture", help="Draw input and result beside OUT (.png)."),
    ] = False
    parts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With bspnet: the convexes, grouped and coloured (.obj .ply), or .scad text.",
        ),
    ] = None
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Write an empty mesh where the fit has no faces.")
    ] = False
    overwrite: OverwriteFlag = False
    as_json: JsonFlag = False


@dataclass
class CorpusFlags:
    """Many scans at once."""

    to: Annotated[
        str | None,
        typer.Option(
            metavar="EXT",
            help="INPUT is a folder of scans, or a glob in quotes, and OUT the folder of their "
            "meshes, in this format; what is done is skipped when it goes on.",
        ),
    ] = None
    jobs: Annotated[
        int | None, typer.Option(min=1, help="With --to: processes; default: one for each CPU.")
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option(metavar="dask|ray|ADDRESS", help="With --to: on a cluster, disks are shared."),
    ] = None


@command("reconstruct")
def reconstruct(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A mesh, a point cloud, a volume (a field), or a folder of posed images "
            "(transforms.json or COLMAP).",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A mesh file, in its name's format.")],
    fit: FitOptions,
    images: ImageOptions,
    write: OutputOptions,
    corpus: CorpusFlags,
) -> None:
    """Fit a mesh to a mesh, a point cloud, a volume or posed images."""
    if corpus.to is not None:
        _many(source, out, corpus, fit, images, write)
        return
    for value, name in ((corpus.jobs, "--jobs"), (corpus.cluster, "--cluster")):
        if value is not None:
            raise typer.BadParameter("is for many scans, give --to EXT", param_hint=name)
    images_given = _check(source, out, fit, images, write)
    from meshlearn.io import save
    from meshlearn.reconstruct.sources import read_source

    given = _thinned(source, fit) if fit.method == "poisson" and not images_given else None
    if given is None:
        given = read_source(source, use=images.kinds, masks=images.masks, missing=images.missing)
    result = _fitted(given, fit, write.allow_empty)
    mesh, texture = result.mesh, None
    if images_given:
        mesh, texture = _painted(mesh, given, images, _atlas(out).name)
    facts: dict[str, object] = {"method": fit.method}
    cells = fit.resolution
    if cells is None and fit.method != "poisson":
        cells = RESOLUTION
    if result.convexes is None and cells is not None:
        facts["resolution"] = cells
    if texture is not None:
        from meshlearn.render import save_png

        facts["texture"] = save_png(texture, _atlas(out))
    save(mesh, out)
    label = fit.method if cells is None else f"{fit.method} {cells}"
    if result.report:
        facts["measured"] = result.report
    if result.convexes is None:
        facts["steps"] = len(result.history.get("step", ()))
        facts["loss"] = result.history["loss"][-1] if result.history.get("loss") else None
    else:
        planes = result.convexes.face_plane
        facts["convexes"] = int((~result.convexes.empty).sum())
        facts["planes"] = int(planes[planes >= 0].unique().numel())
        label = f"{facts['convexes']} convexes"
        if write.parts is not None:
            from meshlearn.convex import save_convexes

            save_convexes(result.convexes, write.parts, overwrite=write.overwrite)
            facts["parts"] = write.parts
            if not write.as_json:
                message(f"wrote {write.parts}: {label}")
    if write.picture:
        facts["picture"] = sheet = out.with_suffix(".png")
        _draw(given, mesh, sheet, [source.name, label])
        if not write.as_json:
            message(f"wrote {sheet}")
    tell_written(out, summary(mesh), seconds=result.seconds, as_json=write.as_json, **facts)


def _many(
    source: Path,
    out: Path,
    corpus: CorpusFlags,
    fit: FitOptions,
    images: ImageOptions,
    write: OutputOptions,
) -> None:
    from meshlearn.cli._batch import reconstruct_many
    from meshlearn.io.registry import knows, writable_suffixes
    from meshlearn.reconstruct.corpus import CorpusOptions

    assert corpus.to is not None
    if not knows("." + corpus.to.lstrip("."), writing=True):
        known = " ".join(suffix[1:] for suffix in writable_suffixes())
        raise typer.BadParameter(f"expected one of {known}, got {corpus.to!r}", param_hint="--to")
    one = {
        "--network": fit.network is not None,
        "--checkpoint": fit.checkpoint is not None,
        "--use": images.use is not None,
        "--picture": write.picture,
        "--parts": write.parts is not None,
        "--allow-empty": write.allow_empty,
    }
    for name, used in one.items():
        if used:
            raise typer.BadParameter("is for one input, not with --to", param_hint=name)
    for name, option, given in (("--sparse", "sparse", fit.sparse), ("--trim", "trim", fit.trim)):
        if given and option not in METHODS[fit.method].options:
            raise typer.BadParameter(f"is not for --method {fit.method}", param_hint=name)
    options = CorpusOptions(
        fit.method,
        fit.resolution,
        fit.sparse,
        fit.trim,
        fit.steps,
        fit.seed,
        fit.device,
        fit.wrap,
        write.overwrite,
    )
    reconstruct_many(
        str(source),
        out,
        corpus.to,
        options,
        jobs=corpus.jobs,
        cluster=corpus.cluster,
        resume=fit.resume,
        as_json=write.as_json,
    )


def _check(
    source: Path, out: Path, fit: FitOptions, images: ImageOptions, write: OutputOptions
) -> bool:
    """Whether images are given; refuses, before any work, files that are not there or in the way,
    and wrong usage."""
    folder, kinds = holds_images(source), images.kinds
    mesh_output(out, overwrite=write.overwrite)
    asked = {"--use": kinds is not None, "--masks": images.masks != "auto"}
    asked["--missing"] = images.missing != "skip"
    asked["--colors"] = images.colors != "auto"
    if not folder and any(asked.values()):
        option = next(name for name, used in asked.items() if used)
        raise typer.BadParameter("is for a folder of images", param_hint=option)
    wants_colors = images.colors in ("vertices", "texture")
    if wants_colors and kinds is not None and "colors" not in kinds:
        raise typer.BadParameter("needs colors among --use", param_hint="--colors")
    if images.colors == "texture":
        output_file(_atlas(out), overwrite=write.overwrite, suffixes=(".png",), name="texture")
    if write.picture:
        sheet = out.with_suffix(".png")
        output_file(sheet, overwrite=write.overwrite, suffixes=(".png",), name="--picture")
    if fit.resume and fit.checkpoint is None:
        raise typer.BadParameter("needs --checkpoint DIR", param_hint="--resume")
    takes = METHODS[fit.method].options
    wanted = (
        ("--network", "network", fit.network is not None),
        ("--sparse", "sparse", fit.sparse),
        ("--resume", "checkpoint", fit.resume),
        ("--trim", "trim", fit.trim is not None),
        ("--parts", "parts", write.parts is not None),
    )
    for name, option, used in wanted:
        if used and option not in takes:
            able = " or ".join(m.name for m in METHODS.values() if option in m.options)
            raise typer.BadParameter(f"is for --method {able}", param_hint=name)
    if fit.checkpoint is not None and not takes & {"checkpoint", "model"}:
        raise typer.BadParameter(f"is not for --method {fit.method}", param_hint="--checkpoint")
    if write.parts is not None:
        suffixes = (".obj", ".ply", ".scad")
        output_file(write.parts, overwrite=write.overwrite, suffixes=suffixes, name="--parts")
    return folder


def _thinned(source: Path, fit: FitOptions) -> Input | None:
    """The points of a large file, as many as the surface needs; None for all else."""
    from meshlearn.reconstruct.poisson.surface import most_points
    from meshlearn.reconstruct.sources import read_thinned

    read = read_thinned(source, most_points(fit.resolution))
    if read is None:
        return None
    cloud, total = read
    if len(cloud.points) < total:
        message(f"{source}: {total:,} points, thinned to {len(cloud.points):,}")
    return cloud


def _atlas(out: Path) -> Path:
    return out.with_name(out.stem + "_texture.png")


def _fitted(given: Input, fit: FitOptions, allow_empty: bool) -> FitResult:
    if fit.checkpoint is not None and "model" in METHODS[fit.method].options:
        return _predicted(given, fit.checkpoint, fit.resolution or RESOLUTION)
    from meshlearn.reconstruct.fitting import EmptyFit, FitResult
    from meshlearn.reconstruct.methods import reconstruct

    try:
        return reconstruct(
            given,
            method=fit.method,
            resolution=fit.resolution,
            sparse=fit.sparse,
            steps=fit.steps,
            seed=fit.seed,
            device=fit.device,
            network=fit.network,
            checkpoint=fit.checkpoint,
            resume=fit.resume,
            trim=fit.trim,
            wrap=fit.wrap,
        )
    except EmptyFit as error:
        if not allow_empty:
            raise EmptyFit(f"{error} (--allow-empty writes the empty mesh)") from None
        import torch

        from meshlearn.mesh import Mesh

        message(f"warning: {error}")
        return FitResult(Mesh(torch.empty(0, 3), torch.empty(0, 3, dtype=torch.int64)), {})
    except KeyboardInterrupt:
        if fit.checkpoint is not None:
            raise KeyboardInterrupt(f"go on by --checkpoint {fit.checkpoint} --resume") from None
        raise


def _predicted(given: Input, folder: Path, resolution: int) -> FitResult:
    """The convexes that a trained model sees in a mesh; nothing is fitted."""
    from meshlearn.reconstruct.convexes import infer_convexes
    from meshlearn.reconstruct.fitting import FitResult
    from meshlearn.reconstruct.sources import as_source
    from meshlearn.train.bspnet import load_bspnet

    source = as_source(given)
    origin = source.far_middle()
    near = source if origin is None else source.moved(-origin)
    found = infer_convexes(load_bspnet(folder), near.surface(resolution))
    made = FitResult(found.colored(), {}, found.seconds, found.representation, found.convexes)
    return made if origin is None else made.moved(origin)


def _painted(
    mesh: Mesh, given: Input, options: ImageOptions, name: str
) -> tuple[Mesh, Tensor | None]:
    """The mesh with colours as wanted, and its texture, an image of that name, where that is."""
    from meshlearn.reconstruct.paint import fit_texture, fit_vertex_colors
    from meshlearn.render import ImageSet

    assert isinstance(given, ImageSet)
    if options.colors == "none" or mesh.num_faces == 0:
        return mesh, None
    if options.colors == "auto" and given.colors is None:
        return mesh, None
    images = given.to(mesh.device)
    if options.colors == "texture":
        return fit_texture(mesh, images, size=options.texture_size, name=name)
    return fit_vertex_colors(mesh, images), None


def _draw(given: Input, mesh: Mesh, sheet: Path, names: list[str]) -> None:
    """What was given and what came, side by side."""
    import torch

    from meshlearn.mesh import Mesh, far_middle, moved
    from meshlearn.reconstruct.targets import FromImages
    from meshlearn.render import ImageSet
    from meshlearn.render.picture import contact_sheet

    mesh = mesh.to("cpu")
    if isinstance(given, ImageSet):
        origin = far_middle(given.cameras.position)
        if origin is not None:
            given, mesh = given.moved(-origin), moved(mesh, -origin)
        near = replace(given, cameras=given.cameras.to(torch.float32))
        FromImages(near).write_sheet(mesh.to(torch.float32), sheet)
    elif isinstance(given, Mesh) and given.num_faces:
        contact_sheet([given, mesh], sheet, labels=names)
    else:
        contact_sheet([mesh], sheet, labels=names[1:])
