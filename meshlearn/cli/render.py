"""`meshlearn render MESH OUT.png`: a lit picture of a mesh."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import input_file, output_file
from meshlearn.cli._output import print_json


@command("render")
def render(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A name that ends in .png.")],
    size: Annotated[int, typer.Option(min=16, max=8192, help="Pixels of a view.")] = 768,
    views: Annotated[int, typer.Option(min=1, max=24, help="Views around, side by side.")] = 1,
    azimuth: Annotated[
        float | None, typer.Option(help="Degrees around the y axis, from +z towards +x.")
    ] = None,
    elevation: Annotated[float, typer.Option(help="Degrees above; with --azimuth.")] = 22.0,
    shading: Annotated[
        str, choice("auto", "smooth", "flat", help="auto: smooth, but sharp where edges are.")
    ] = "auto",
    wireframe: Annotated[bool, typer.Option("--wireframe", help="Draw the edges.")] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw a mesh into a PNG, from one side or several."""
    input_file(mesh, name="MESH")
    output_file(out, overwrite=overwrite, suffixes=(".png",))
    if azimuth is not None and views != 1:
        raise typer.BadParameter("--azimuth is one view; leave out --views")
    from meshlearn.io import load
    from meshlearn.render.picture import contact_sheet

    begin = time.perf_counter()
    shape = load(mesh)
    if shape.num_faces == 0:
        raise ValueError(f"{mesh}: there are no faces to draw")
    contact_sheet(
        [shape],
        out,
        views=views if azimuth is None else [(azimuth, elevation)],
        size=size,
        smooth={"auto": None, "smooth": True, "flat": False}[shading],
        wireframe=wireframe,
    )
    seconds = time.perf_counter() - begin
    if as_json:
        print_json({"output": out, "faces": shape.num_faces, "seconds": round(seconds, 3)})
    else:
        message(f"wrote {out} ({seconds:.2f} s)")
