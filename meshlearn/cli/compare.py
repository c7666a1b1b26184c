"""`meshlearn compare A B`: how far one mesh is from another, and how good its triangles are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command
from meshlearn.cli._files import input_file
from meshlearn.cli._output import print_json, print_table


@command("compare")
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The mesh that is judged.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The mesh it should be.")],
    samples: Annotated[int, typer.Option(min=1, help="Points sampled on each.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compare mesh A with mesh B: distances, normals, edges, quality of A's triangles."""
    input_file(a, name="A")
    input_file(b, name="B")
    from meshlearn import metrics
    from meshlearn.io import load

    found = metrics.compare(load(a, dtype=None), load(b, dtype=None), samples=samples, seed=seed)
    if as_json:
        print_json({"a": a, "b": b, **found})
    else:
        print_table([(name.replace("_", " "), value) for name, value in found.items()])
