"""`meshlearn subdivide IN OUT`: each face in four."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command
from meshlearn.cli._files import input_file, mesh_output


@command("subdivide")
def subdivide(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The mesh file to write.")],
    iterations: Annotated[
        int, typer.Option("--iterations", "-n", min=1, help="How often; each is 4 times the faces.")
    ] = 1,
    method: Annotated[
        str, choice("midpoint", "loop", help="midpoint: the same surface; loop: a smooth one.")
    ] = "midpoint",
    sharp: Annotated[
        float | None,
        typer.Option(metavar="DEGREES", help="Of loop: edges that bend more stay sharp."),
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a mesh finer: each face in four, with all that it carries."""
    input_file(mesh, name="MESH")
    mesh_output(out, overwrite=overwrite)
    if sharp is not None and method != "loop":
        raise typer.BadParameter("--sharp is for --method loop")
    from meshlearn import geometry
    from meshlearn.cli._edit import read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written

    begin = time.perf_counter()
    shape, document = read_mesh(mesh)
    made = geometry.subdivide(shape, iterations, method=cast(Any, method), sharp=sharp).mesh
    write_mesh(made, out, document)
    tell_written(out, summary(made), seconds=time.perf_counter() - begin, as_json=as_json)
