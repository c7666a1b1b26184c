"""`meshlearn reconstruct INPUT OUT`: fits a mesh to a mesh, points, a volume or posed images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._convexes import reconstruct_convexes
from meshlearn.cli._files import image_folder, input_file, mesh_output, output_file
from meshlearn.cli._mesh import summary, tell_written
from meshlearn.cli.train_deepmesh import deepmesh as _train_deepmesh  # noqa: F401  (registers)

if TYPE_CHECKING:
    from torch import Tensor

    from meshlearn.mesh import Mesh
    from meshlearn.render import ImageSet


@command("reconstruct")
def reconstruct(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A mesh, a point cloud, a volume (a field), or a folder of posed images.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A mesh file, in its name's format.")],
    method: Annotated[
        str,
        choice(
            "flexicubes",
            "gshell",
            "bspnet",
            "deepmesh",
            help="flexicubes: closed; gshell: open meshes too; bspnet: the union of few convexes; "
            "deepmesh: a network's level set.",
        ),
    ] = "flexicubes",
    resolution: Annotated[
        int, typer.Option(min=8, help="Cells along the longest side of the box.")
    ] = 64,
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Refine near the surface only, for fine resolutions.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the fit; default: as the method does best.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same mesh.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    network: Annotated[
        Path | None,
        typer.Option(help="Trained auto-decoder whose code is fitted, with --method deepmesh."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder for checkpoints, history and settings; bspnet: folder of a trained model."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in that folder.")
    ] = False,
    picture: Annotated[
        bool,
        typer.Option("--picture/--no-picture", help="Draw input and result beside OUT (.png)."),
    ] = False,
    use: Annotated[
        str | None,
        typer.Option(
            metavar="KINDS",
            help="Of a folder of images: some of masks,depth,normals,colors; default: all.",
        ),
    ] = None,
    colors: Annotated[
        str,
        choice(
            "auto",
            "none",
            "vertices",
            "texture",
            help="Colours from images; auto: of vertices where colors are used.",
        ),
    ] = "auto",
    texture_size: Annotated[
        int, typer.Option(min=8, max=8192, help="Texels of a side, with --colors texture.")
    ] = 1024,
    parts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With bspnet: the convexes, grouped and coloured (.obj .ply), or .scad text.",
        ),
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a mesh to a mesh, a point cloud, a volume or posed images."""
    folder = source.is_dir()
    (image_folder if folder else input_file)(source)
    mesh_output(out, overwrite=overwrite)
    kinds = None if use is None else [k.strip() for k in use.split(",") if k.strip()]
    if not folder and (use is not None or colors != "auto"):
        option = "--use" if use is not None else "--colors"
        raise typer.BadParameter("is for a folder of images", param_hint=option)
    if colors in ("vertices", "texture") and kinds is not None and "colors" not in kinds:
        raise typer.BadParameter("needs colors among --use", param_hint="--colors")
    atlas = out.with_name(out.stem + "_texture.png")
    if colors == "texture":
        output_file(atlas, overwrite=overwrite, suffixes=(".png",), name="texture")
    sheet = out.with_suffix(".png")
    if picture:
        output_file(sheet, overwrite=overwrite, suffixes=(".png",), name="--picture")
    if network is not None and method != "deepmesh":
        raise typer.BadParameter("needs --method deepmesh", param_hint="--network")
    if resume and checkpoint is None:
        raise typer.BadParameter("needs --checkpoint DIR", param_hint="--resume")
    if parts is not None:
        if method != "bspnet":
            raise typer.BadParameter("is for --method bspnet", param_hint="--parts")
        output_file(parts, overwrite=overwrite, suffixes=(".obj", ".ply", ".scad"), name="--parts")
    if method == "bspnet" and (sparse or resume):
        option = "--sparse" if sparse else "--resume"
        raise typer.BadParameter("is not for --method bspnet", param_hint=option)
    from meshlearn.io import save
    from meshlearn.reconstruct.run import read_source, reconstruct

    given = read_source(source, use=kinds)
    if method == "bspnet":
        reconstruct_convexes(
            given,
            out,
            name=source.name,
            resolution=resolution,
            steps=steps,
            seed=seed,
            model=checkpoint,
            parts=parts,
            sheet=sheet if picture else None,
            overwrite=overwrite,
            as_json=as_json,
        )
        return
    try:
        result = reconstruct(
            given,
            method=method,
            resolution=resolution,
            sparse=sparse,
            steps=steps,
            seed=seed,
            device=device,
            network=network,
            checkpoint=checkpoint,
            resume=resume,
        )
    except KeyboardInterrupt:
        if checkpoint is not None:
            raise KeyboardInterrupt(f"go on by --checkpoint {checkpoint} --resume") from None
        raise
    more: dict[str, object] = {"method": method, "resolution": resolution}
    if folder:
        result.mesh, texture = _painted(result.mesh, given, colors, texture_size)
        if texture is not None:
            from meshlearn.render import save_png

            more["texture"] = save_png(texture, atlas)
    save(result.mesh, out)
    more["steps"] = len(result.history.get("step", ()))
    more["loss"] = result.history["loss"][-1] if result.history.get("loss") else None
    if picture:
        _draw(given, result.mesh, sheet, [source.name, f"{method} {resolution}"])
        more["picture"] = sheet
        if not as_json:
            message(f"wrote {sheet}")
    tell_written(out, summary(result.mesh), seconds=result.seconds, as_json=as_json, **more)


def _painted(mesh: Mesh, images: ImageSet, colors: str, size: int) -> tuple[Mesh, Tensor | None]:
    """The mesh with colours as wanted, and its texture where that is."""
    from meshlearn.reconstruct.paint import fit_texture, fit_vertex_colors

    if colors == "none" or mesh.num_faces == 0 or (colors == "auto" and images.colors is None):
        return mesh, None
    images = images.to(mesh.device)
    if colors == "texture":
        return fit_texture(mesh, images, size=size)
    return fit_vertex_colors(mesh, images), None


def _draw(given: object, mesh: Mesh, sheet: Path, names: list[str]) -> None:
    """What was given and what came, side by side."""
    from meshlearn.mesh import Mesh
    from meshlearn.reconstruct.targets import FromImages
    from meshlearn.render import ImageSet
    from meshlearn.render.picture import contact_sheet

    mesh = mesh.to("cpu")
    if isinstance(given, ImageSet):
        FromImages(given).write_sheet(mesh, sheet)
    elif isinstance(given, Mesh) and given.num_faces:
        contact_sheet([given, mesh], sheet, labels=names)
    else:
        contact_sheet([mesh], sheet, labels=names[1:])
