"""`meshlearn compare A B`: how far one mesh is from another, and how good its triangles are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, command
from meshlearn.cli._files import input_file
from meshlearn.cli._output import print_json, print_table

if TYPE_CHECKING:
    from meshlearn.io import Document


def _warn(documents: Sequence[Document], paths: Sequence[Path]) -> None:
    """Of what was not read, and of numbers that do not mean the same in both files."""
    from meshlearn.io import LossReport

    for document, path in zip(documents, paths, strict=True):
        if document.left_out:
            report = LossReport(tuple(document.left_out))
            warnings.warn(f"{path}: not read: {report.listed}", stacklevel=2)
    first, second = documents
    for word, one, other, option in (
        ("unit", first.unit, second.unit, "--unit"),
        ("up axis", first.up, second.up, "--up"),
    ):
        if one and other and one != other:
            warnings.warn(
                f"{paths[0]} has the {word} {one}, {paths[1]} {other}, and numbers are compared "
                f"as they are; meshlearn convert {option} makes them one",
                stacklevel=2,
            )


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
    from meshlearn.io import load_document, to_mesh

    documents = [load_document(path) for path in (a, b)]
    _warn(documents, (a, b))
    meshes = [to_mesh(document, dtype=None) for document in documents]
    found = metrics.compare(*meshes, samples=samples, seed=seed)
    if as_json:
        print_json({"a": a, "b": b, **found})
    else:
        print_table([(name.replace("_", " "), value) for name, value in found.items()])
