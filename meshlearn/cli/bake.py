"""`meshlearn bake FINE COARSE OUT`: what a fine mesh shows, as textures of a coarse one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command
from meshlearn.cli._files import input_file, mesh_output


@command("bake")
def bake(
    fine: Annotated[Path, typer.Argument(metavar="FINE", help="The mesh that is shown.")],
    coarse: Annotated[
        Path,
        typer.Argument(metavar="COARSE", help="The mesh that shows it, with or without an atlas."),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The mesh file to write, such as a .glb.")
    ],
    maps: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Of color, normal, occlusion, with commas between."),
    ] = "color,normal",
    size: Annotated[
        int, typer.Option(min=8, max=16384, help="Texels of a side of each texture.")
    ] = 1024,
    reach: Annotated[
        str,
        typer.Option(metavar="LENGTH|%", help="How far the surfaces may be from each other."),
    ] = "2%",
    rays: Annotated[int, typer.Option(min=1, max=16384, help="Of each texel, for occlusion.")] = 64,
    unwrap: Annotated[
        bool, typer.Option("--unwrap", help="Make a new atlas, where COARSE has one, too.")
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Bake colours, normals and occlusion of a fine mesh into textures of a coarse one."""
    for path, name in ((fine, "FINE"), (coarse, "COARSE")):
        input_file(path, name=name)
    mesh_output(out, overwrite=overwrite)
    from meshlearn.cli._edit import length_of, read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written
    from meshlearn.geometry import unwrap as unwrapped
    from meshlearn.reconstruct.baking import baked

    begin = time.perf_counter()
    shown, _ = read_mesh(fine)
    shape, document = read_mesh(coarse)
    if unwrap:
        shape = unwrapped(shape, size=size)
    ends = shown.bounds().double()
    length = length_of(reach, "--reach", float((ends[1] - ends[0]).norm()))
    names = tuple(name.strip() for name in maps.split(",") if name.strip())
    made = baked(shown, shape, names, size=size, reach=length, rays=rays)
    write_mesh(made, out, document)
    facts = {**summary(made), "textures": sorted(made.materials[0].images)}
    tell_written(out, facts, seconds=time.perf_counter() - begin, as_json=as_json)
