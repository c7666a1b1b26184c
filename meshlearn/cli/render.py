"""`meshlearn render MESH OUT.png`: a lit picture; `meshlearn render MESH DIR`: posed images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import input_file, output_file
from meshlearn.cli._output import print_json

if TYPE_CHECKING:
    from meshlearn.render import Illumination


@dataclass
class PictureOptions:
    """How a mesh is drawn."""

    azimuth: Annotated[
        float | None, typer.Option(help="Degrees around the y axis, from +z towards +x.")
    ] = None
    elevation: Annotated[float, typer.Option(help="Degrees above; with --azimuth.")] = 22.0
    shading: Annotated[
        str, choice("auto", "smooth", "flat", help="auto: smooth, but sharp where edges are.")
    ] = "auto"
    wireframe: Annotated[bool, typer.Option("--wireframe", help="Draw the edges.")] = False


@dataclass
class LightOptions:
    """What a mesh is lit by."""

    light: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A panorama of light, .hdr or .exr: materials with metal, roughness, normal maps.",
        ),
    ] = None
    exposure: Annotated[float, typer.Option(help="Factor of that light.")] = 1.0
    tone: Annotated[
        str, choice("clip", "reinhard", "filmic", help="How what is brighter than white is shown.")
    ] = "clip"


@command("render")
def render(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A name that ends in .png, or a folder of images."),
    ],
    look: PictureOptions,
    lit: LightOptions,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=8192, help="Pixels of a view; default 768, in a folder 256."),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            min=1, max=2000, help="Views: side by side (default 1), or in a folder (default 40)."
        ),
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw a mesh into a PNG, or into a folder of images, masks, depth, normals and cameras."""
    input_file(mesh, name="MESH")
    if lit.light is not None:
        input_file(lit.light, name="--light")
    elif (lit.exposure, lit.tone) != (1.0, "clip"):
        raise typer.BadParameter("--exposure and --tone are of --light; name a panorama of light")
    folder = out.suffix == "" or out.is_dir()
    if not folder:
        output_file(out, overwrite=overwrite, suffixes=(".png",))
        if views is not None and views > 24:
            raise typer.BadParameter("a picture shows at most 24 views; give a folder for more")
    elif look.azimuth is not None or look.wireframe:
        option = "--wireframe" if look.wireframe else "--azimuth"
        raise typer.BadParameter(f"{option} is for a picture; OUT is a folder")
    if look.azimuth is not None and views not in (None, 1):
        raise typer.BadParameter("--azimuth is one view; leave out --views")
    from meshlearn.io import load
    from meshlearn.render.image_set import check_folder

    if folder:
        check_folder(out, overwrite=overwrite)
    begin = time.perf_counter()
    shape = load(mesh, dtype=None)
    if shape.num_faces == 0:
        raise ValueError(f"{mesh}: there are no faces to draw")
    light = _light(lit)
    facts: dict[str, object] = {"output": out, "faces": shape.num_faces}
    if folder:
        from meshlearn.render import DAYLIGHT, render_images, save_images

        images = render_images(
            shape, views or 40, size=size or 256, smooth=look.shading == "smooth",
            light=light or DAYLIGHT,
        )  # fmt: skip
        save_images(images, out, overwrite=overwrite)
        facts |= {"views": len(images), "size": list(images.size)}
    else:
        from meshlearn.render.picture import contact_sheet

        contact_sheet(
            [shape],
            out,
            views=(views or 1) if look.azimuth is None else [(look.azimuth, look.elevation)],
            size=size or 768,
            smooth={"auto": None, "smooth": True, "flat": False}[look.shading],
            wireframe=look.wireframe,
            light=light,
        )
    seconds = time.perf_counter() - begin
    if as_json:
        print_json({**facts, "seconds": round(seconds, 3)})
    else:
        what = f": {facts['views']} views" if folder else ""
        message(f"wrote {out}{what} ({seconds:.2f} s)")


def _light(options: LightOptions) -> Illumination | None:
    if options.light is None:
        return None
    from meshlearn.render import Illumination, load_light

    return Illumination(load_light(options.light), options.exposure, options.tone)
