"""`meshlearn repair IN OUT`: a mesh that `check` finds no error in."""

from __future__ import annotations

import math
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command, message
from meshlearn.cli._files import input_file, mesh_output

if TYPE_CHECKING:
    from meshlearn.io import Document
    from meshlearn.io.changes.repair import Repaired


def _width(text: str | None, document: Document) -> float:
    """What --holes says, as a length; 0 for none."""
    from meshlearn.cli._edit import length_of
    from meshlearn.io.surface import one_surface

    if text is None:
        return 0.0
    if text.strip().lower() == "all":
        return math.inf
    vertices = one_surface(document).vertices.astype("float64")
    size = vertices.max(0) - vertices.min(0) if len(vertices) else vertices.sum(0)
    width = length_of(text, "--holes", math.hypot(*size.tolist()))
    if width is None or not width >= 0:
        raise typer.BadParameter(f"expected a length, got {text!r}", param_hint="--holes")
    return width


def _wrapped(document: Document) -> Document:
    from dataclasses import replace

    from meshlearn import geometry
    from meshlearn.io import to_mesh
    from meshlearn.io.meshes import from_mesh

    made = from_mesh(geometry.wrap(to_mesh(document, dtype=None), tight=True))
    return replace(made, unit=document.unit, up=document.up, metadata=dict(document.metadata))


@command("repair")
def repair(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A mesh file.")],
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="The mesh file to write; not with --plan.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, and write nothing.")
    ] = False,
    holes: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH|%|all|wrap",
            help="Fill holes up to this width, too; wrap: put one closed surface tightly around "
            "what is repaired, without its attributes.",
        ),
    ] = None,
    keep_crossings: Annotated[
        bool, typer.Option("--keep-crossings", help="Do not cut faces that cross others.")
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Mend a mesh until check finds no error in it; each step is counted.

    Faces that are not finite, equal vertices, flat and repeated faces, edges of many faces,
    vertices of several fans, orientation, unused vertices. Faces that cross are cut along each
    other, and what is inside then goes, if closed. Polygons stay but there, attributes all.
    """
    if out is None and not plan:
        raise typer.BadParameter("OUT is missing; or give --plan", param_hint="IN OUT")
    input_file(source, name="IN")
    if out is not None and not plan:
        mesh_output(out, overwrite=overwrite)
    from meshlearn.io import LossReport, load_document

    begin = time.perf_counter()
    document = load_document(source)
    if document.left_out:
        report = LossReport(tuple(document.left_out))
        warnings.warn(f"{source}: not read: {report.listed}", stacklevel=2)
    if out is not None and not keep_crossings:
        document = _as_coarse_as(document, out)
    made = _repaired(document, holes, crossings=not keep_crossings)
    facts = _facts(source, made)
    lost: LossReport | None = None
    if out is not None and not plan:
        from meshlearn.cli._mesh import tell_written
        from meshlearn.io import save_document

        lost = save_document(made.document, out, overwrite=overwrite)
        seconds = time.perf_counter() - begin
        tell_written(out, facts, seconds=seconds, as_json=as_json)
    elif as_json:
        from meshlearn.cli._output import print_json

        print_json({**facts, "seconds": round(time.perf_counter() - begin, 3)})
    if not as_json:
        for what, count in made.steps:
            message(f"  {count:,} {what}" if count else f"  {what}")
        if not made.steps:
            message("  nothing to repair" if not made.left else "  nothing of what this mends")
        if made.left:
            message(f"  left: {made.left}")
        for loss in lost.items if lost else ():
            message(f"  lost: {loss}")


def _as_coarse_as(document: Document, out: Path) -> Document:
    """In single precision where OUT has no other, so that what is mended stays so when written."""
    from meshlearn.io import find_losses
    from meshlearn.io.changes.operations import set_precision
    from meshlearn.io.left_behind import LossKind

    rounds = any(loss.kind is LossKind.PRECISION for loss in find_losses(document, out).items)
    return set_precision(document, "float32").document if rounds else document


def _repaired(document: Document, holes: str | None, *, crossings: bool) -> Repaired:
    from meshlearn.io.changes.holes import fill_holes
    from meshlearn.io.changes.repair import left_in, repaired

    made = repaired(document, crossings=crossings)
    if holes is None:
        return made
    if holes.strip().lower() == "wrap":
        changed, done = _wrapped(made.document), "wrapped in one closed surface"
    else:
        filled = fill_holes(made.document, _width(holes, made.document))
        changed, done = filled.document, filled.done
    return made._replace(document=changed, steps=(*made.steps, (done, 0)), left=left_in(changed))


def _facts(source: Path, made: Repaired) -> dict[str, object]:
    from meshlearn.arrays.report import report_of
    from meshlearn.io.surface import one_surface

    surface = one_surface(made.document)
    report = report_of(surface.vertices, surface.polygon_index.reshape(-1, 3))
    known = report.facts
    return {
        "input": source,
        "vertices": known["vertices"],
        "faces": sum(part.num_faces for part in made.document.parts),
        "watertight": known["watertight"],
        "manifold": known["edge_manifold"] and known["vertex_manifold"],
        "consistently_oriented": known["consistently_oriented"],
        "components": known["components"],
        "euler_number": known["euler_number"],
        "ok": report.ok,
        "steps": [{"what": what, "count": count or None} for what, count in made.steps],
        "left": made.left,
    }
