"""`meshlearn convert IN OUT`: from one mesh format to another."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command
from meshlearn.cli._files import input_file, mesh_output
from meshlearn.cli._mesh import tell_written


@command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A mesh file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A mesh file, in its name's format.")],
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert a mesh file to another format."""
    input_file(source, name="IN")
    mesh_output(out, overwrite=overwrite)
    from meshlearn.io import load, save

    begin = time.perf_counter()
    mesh = load(source)
    save(mesh, out)
    facts = {"input": source, "vertices": mesh.num_vertices, "faces": mesh.num_faces}
    tell_written(out, facts, seconds=time.perf_counter() - begin, as_json=as_json)
