"""`meshlearn remesh MESH OUT`: triangles of one size on the same surface."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command
from meshlearn.cli._files import input_file, mesh_output


@command("remesh")
def remesh(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The mesh file to write.")],
    edge_length: Annotated[
        str,
        typer.Option(
            "--edge-length",
            "-l",
            metavar="LENGTH|%",
            help="Wanted length of edges, in the file's unit, or a share of the diagonal.",
        ),
    ] = "1%",
    sharp: Annotated[
        float,
        typer.Option(min=1, max=180, help="Degrees from which an edge is kept; 180: none is."),
    ] = 40.0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make triangles nearly equilateral and of one size; borders and sharp edges stay."""
    input_file(mesh, name="MESH")
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.cli._edit import length_of, read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written

    begin = time.perf_counter()
    shape, document = read_mesh(mesh)
    ends = shape.bounds().double()
    length = length_of(edge_length, "--edge-length", float((ends[1] - ends[0]).norm()))
    assert length is not None
    made = geometry.remesh(shape, length, sharp=sharp)
    write_mesh(made, out, document)
    facts = {**summary(made), "edge_length": length}
    tell_written(out, facts, seconds=time.perf_counter() - begin, as_json=as_json)
