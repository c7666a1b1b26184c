"""`meshlearn boolean OPERATION A B OUT`: what two or more solids make together."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command
from meshlearn.cli._files import input_file, mesh_output

_OPERATIONS = ("union", "difference", "intersection")


def _operation(text: str) -> str:
    if text not in _OPERATIONS:
        raise typer.BadParameter(f"expected one of {', '.join(_OPERATIONS)}, got {text!r}")
    return text


@command("boolean")
def boolean(
    operation: Annotated[
        str,
        typer.Argument(
            metavar="|".join(_OPERATIONS),
            callback=_operation,
            help="Of all; difference: the first without the others.",
        ),
    ],
    meshes: Annotated[
        list[Path], typer.Argument(metavar="A B...", help="Closed meshes, two or more.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The mesh file to write.")],
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Join solids, take some away from another, or keep what they share."""
    if len(meshes) < 2:
        raise typer.BadParameter("expected two meshes or more, and OUT behind them")
    for path in meshes:
        input_file(path, name="MESH")
    mesh_output(out, overwrite=overwrite)
    from meshlearn.cli._edit import read_mesh, write_mesh
    from meshlearn.cli._mesh import summary, tell_written
    from meshlearn.geometry.solids import combined

    begin = time.perf_counter()
    read = [read_mesh(path) for path in meshes]
    made = combined([mesh for mesh, _ in read], operation, [str(path) for path in meshes])
    if not made.mesh.num_faces:
        raise ValueError(f"OUT: the {operation} is empty, so that there is nothing to write")
    write_mesh(made.mesh, out, read[0][1])
    seconds = time.perf_counter() - begin
    facts = {**summary(made.mesh), "volume": float(made.mesh.volume())}
    tell_written(out, facts, seconds=seconds, as_json=as_json)
