"""`meshlearn register SOURCE TARGET OUT`: a mesh moved onto another one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

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
    nonrigid: Annotated[
        bool, typer.Option("--nonrigid", help="Then bend it, as rigidly as the target allows.")
    ] = False,
    stiffness: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=1e-4,
            max=10,
            help="Of --nonrigid: what is larger than this share of the target's radius keeps its "
            "shape; less comes nearer.",
        ),
    ] = 0.02,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Move a mesh onto another one, rigidly, with one factor, or bent."""
    for path, name in ((source, "SOURCE"), (target, "TARGET")):
        input_file(path, name=name)
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.cli._edit import read_mesh, write_mesh

    begin = time.perf_counter()
    mesh, document = read_mesh(source)
    goal, _ = read_mesh(target, points=True)
    options: dict[str, Any] = {"scale": scale, "start": start, "max_distance": max_distance}
    facts: dict[str, object]
    if nonrigid:
        bent = geometry.register_nonrigid(
            mesh, goal, stiffness=(max(1.0, stiffness), stiffness), **options
        )
        matrix, placed = bent.matrix, bent.mesh
        error, overlap, converged = bent.error, bent.overlap, bent.converged
        facts = {"factor": bent.factor, "stretch": bent.stretch, "folds": bent.folds}
    else:
        found = geometry.register(mesh, goal, **options)
        matrix, placed = found.matrix, mesh.transform(found.matrix)
        error, overlap, converged = found.error, found.overlap, found.converged
        facts = {}
    write_mesh(placed, out, document)
    seconds = time.perf_counter() - begin
    facts = {"error": error, "overlap": overlap, "converged": converged, **facts}
    if as_json:
        print_json({"output": out, "matrix": matrix, **facts, "seconds": round(seconds, 3)})
        return
    rest = f", edges stretched by {facts['stretch']:.1%}" if nonrigid else ""
    rest += "" if converged else ", still moving"
    message(
        f"wrote {out}: error {error:.4g} over {overlap:.0%} of the source{rest} ({seconds:.2f} s)"
    )
