"""`meshlearn check MESH`: every kind of defect, counted and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command
from meshlearn.cli._files import input_file
from meshlearn.cli._output import print_json


@command("check")
def check(
    mesh: Annotated[Path, typer.Argument(metavar="MESH", help="A mesh file.")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if the mesh has errors; notes are no errors.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Indices to list of each kind, in JSON; counts are complete.")
    ] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Report what is wrong with a mesh: holes, folds, duplicates, orientation, NaN."""
    input_file(mesh, name="MESH")
    from meshlearn.io import load

    report = load(mesh).check()
    if as_json:
        print_json({"file": mesh, **report.to_dict(max_indices=limit)})
    else:
        typer.echo(str(report))
    if strict and not report.ok:
        raise SystemExit(1)
