"""`meshlearn register SOURCE TARGET OUT`: a mesh moved onto another one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import input_file, mesh_output
from meshlearn.cli._output import print_json


@command("register")
def register(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The mesh that is moved.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The one that it goes onto.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The moved mesh.")],
    scale: Annotated[bool, typer.Option("--scale", help="Also find a factor.")] = False,
    start: Annotated[
        str, choice("moments", "none", help="moments: from any pose; none: nearly in place.")
    ] = "moments",
    max_distance: Annotated[
        float | None, typer.Option(metavar="LENGTH", help="Pairs further apart never count.")
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Move a mesh onto another one, rigidly or with one factor."""
    for path, name in ((source, "SOURCE"), (target, "TARGET")):
        input_file(path, name=name)
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.cli._edit import read_mesh, write_mesh

    begin = time.perf_counter()
    mesh, document = read_mesh(source)
    goal, _ = read_mesh(target)
    found = geometry.register(
        mesh, goal, scale=scale, start=cast(Any, start), max_distance=max_distance
    )
    write_mesh(mesh.transform(found.matrix), out, document)
    seconds = time.perf_counter() - begin
    facts = {"error": found.error, "overlap": found.overlap, "converged": found.converged}
    if as_json:
        print_json({"output": out, "matrix": found.matrix, **facts, "seconds": round(seconds, 3)})
        return
    rest = "" if found.converged else ", still moving"
    message(
        f"wrote {out}: error {found.error:.4g} over {found.overlap:.0%} of the source{rest} "
        f"({seconds:.2f} s)"
    )
