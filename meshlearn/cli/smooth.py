"""`meshlearn smooth IN OUT`: a mesh without noise."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command
from meshlearn.cli._files import input_file, mesh_output


@command("smooth")
def smooth(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The mesh file to write.")],
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", "-n", min=1, help="Default: taubin 10, implicit 1."),
    ] = None,
    method: Annotated[
        str,
        choice("taubin", "implicit", help="taubin keeps the size; implicit flows by curvature."),
    ] = "taubin",
    amount: Annotated[
        float | None,
        typer.Option(help="taubin: a share up to 1; implicit: time in squared edge lengths."),
    ] = None,
    border: Annotated[
        str, choice("fixed", "along", "free", help="What becomes of the border of open meshes.")
    ] = "fixed",
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Take noise from a mesh; faces and attributes stay."""
    input_file(mesh, name="MESH")
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.cli._edit import read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written

    begin = time.perf_counter()
    shape, document = read_mesh(mesh)
    made = geometry.smooth(
        shape, iterations, method=cast(Any, method), amount=amount, border=cast(Any, border)
    )
    write_mesh(made, out, document)
    moved = (made.vertices - shape.vertices).norm(dim=1)
    facts = {**summary(made), "largest_move": float(moved.max())}
    tell_written(out, facts, seconds=time.perf_counter() - begin, as_json=as_json)
