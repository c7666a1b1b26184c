"""`meshlearn remesh MESH OUT`: even triangles on the same surface."""

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
        str | None,
        typer.Option(
            "--edge-length",
            "-l",
            metavar="LENGTH|%",
            help="Wanted length of edges, in the file's unit, or a share of the diagonal. "
            "Default: 1%. With --error: the longest.",
        ),
    ] = None,
    faces: Annotated[
        int | None,
        typer.Option("--faces", "-n", min=4, help="Triangles wanted, in place of a length."),
    ] = None,
    adaptive: Annotated[
        bool,
        typer.Option("--adaptive", help="Shorter edges where the surface bends, longer elsewhere."),
    ] = False,
    error: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH|%",
            help="How far triangles may be from the surface: edges as long as that allows.",
        ),
    ] = None,
    sharp: Annotated[
        float,
        typer.Option(min=1, max=180, help="Degrees from which an edge is kept; 180: none is."),
    ] = 40.0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make triangles nearly equilateral, even or by curvature; borders and sharp edges stay."""
    input_file(mesh, name="MESH")
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.cli._edit import length_of, read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written

    begin = time.perf_counter()
    shape, document = read_mesh(mesh)
    ends = shape.bounds().double()
    diagonal = float((ends[1] - ends[0]).norm())
    if edge_length is None and faces is None and error is None:
        edge_length = "1%"
    length = length_of(edge_length, "--edge-length", diagonal)
    made = geometry.remesh(
        shape,
        length,
        faces=faces,
        adaptive=adaptive,
        error=length_of(error, "--error", diagonal),
        sharp=sharp,
    )
    write_mesh(made, out, document)
    sides = made.triangles
    mean = float((sides - sides.roll(1, 1)).norm(dim=2).mean())
    facts = {**summary(made), "edge_length": length, "mean_edge_length": mean}
    tell_written(out, facts, seconds=time.perf_counter() - begin, as_json=as_json)
