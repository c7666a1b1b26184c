"""What verbs that change one mesh share: reading it, and writing what it became."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from meshlearn.io import Document
    from meshlearn.mesh import Mesh


def length_of(text: str | None, name: str, diagonal: float) -> float | None:
    """A length, or with % a share of the diagonal."""
    if text is None:
        return None
    share = text.strip().endswith("%")
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        raise typer.BadParameter(
            f"expected a length such as 0.5, or a share of the diagonal such as 1%, got {text!r}",
            param_hint=name,
        ) from None
    return value * diagonal / 100 if share else value


def read_mesh(path: Path, *, points: bool = False) -> tuple[Mesh, Document]:
    """A file as one mesh in the precision that it has, and the document that it was.

    Args:
        points: take a file without faces too.
    """
    from meshlearn.io import LossReport, load_document, to_mesh

    document = load_document(path)
    if document.left_out:
        report = LossReport(tuple(document.left_out))
        warnings.warn(f"{path}: not read: {report.listed}", stacklevel=2)
    mesh = to_mesh(document, dtype=None)
    if not mesh.num_faces and not points:
        raise ValueError(f"{path}: there are no faces; this verb is for surfaces")
    return mesh, document


def write_mesh(mesh: Mesh, out: Path, like: Document) -> None:
    """A mesh into a file, with the unit, the up axis and other facts of a document."""
    from meshlearn.io import save_document
    from meshlearn.io.meshes import from_mesh, tell_losses

    made = from_mesh(mesh, like.parts[0].name if len(like.parts) == 1 else "")
    made = replace(made, unit=like.unit, up=like.up, metadata=dict(like.metadata))
    tell_losses(save_document(made, out), out)
