"""`meshlearn check MESH`: every kind of defect, counted and listed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._files import input_file
from meshlearn.cli._output import print_json

if TYPE_CHECKING:
    from meshlearn.arrays.report import MeshReport

# what --fail-on takes -> the defects it means; a defect's own name is taken too
KINDS = {
    "boundary": ("boundary_edges",),
    "non-manifold": ("non_manifold_edges", "non_manifold_vertices"),
    "degenerate": ("degenerate_faces",),
    "duplicate": ("duplicate_faces", "duplicate_polygons", "duplicate_vertices"),
    "orientation": ("inconsistent_edges", "inside_out_components"),
    "non-finite": ("non_finite_vertices",),
    "unreferenced": ("unreferenced_vertices",),
    "short": ("short_polygons",),
    "self-intersections": ("self_intersections",),
}
_DEFECTS = (
    "non_finite_vertices out_of_range_faces degenerate_faces duplicate_faces non_manifold_edges "
    "non_manifold_vertices inconsistent_edges inside_out_components duplicate_vertices "
    "unreferenced_vertices boundary_edges short_polygons duplicate_polygons self_intersections"
).split()
_GROUPS = ("error", "any")
SEAMS = (
    "vertices stand where others do, so that seams count as boundaries; "
    "meshlearn check --merge 0 counts without them, meshlearn convert --merge 0 joins them"
)


def wanted_defects(texts: list[str]) -> tuple[list[str], bool]:
    """Defects that `--fail-on` names, and whether every error counts.

    Raises:
        BadParameter: a kind that there is not.
    """
    found: dict[str, None] = {}
    errors = False
    for text in ",".join(texts).replace(" ", "").split(","):
        name = text.lower().replace("_", "-")
        own = name.replace("-", "_")
        if name in ("error", "errors"):
            errors = True
        elif name == "any":
            found |= dict.fromkeys(d for d in _DEFECTS if d != "self_intersections")
        elif name in KINDS:
            found |= dict.fromkeys(KINDS[name])
        elif own in _DEFECTS:
            found[own] = None
        else:
            raise typer.BadParameter(
                f"expected {', '.join([*KINDS, *_GROUPS])} or a defect's name, got {text!r}",
                param_hint="--fail-on",
            )
    return list(found), errors


def _check_one(
    path: Path, merge: float | None, crossings: bool
) -> tuple[MeshReport, dict, list[str]]:
    """The report of a file, the counts that are not the report's, and what else there is to say."""
    from meshlearn.arrays.report import report_of
    from meshlearn.io import load_document
    from meshlearn.io.changes.repair import first_of_same
    from meshlearn.io.changes.repair import merge as merge_vertices
    from meshlearn.io.surface import one_surface

    document = load_document(path)
    if merge is not None:
        document = merge_vertices(document, merge).document
    surface = one_surface(document)
    more = {
        "short_polygons": sum(int((p.sizes < 3).sum()) for p in document.parts),
        "duplicate_polygons": sum(
            int((~first_of_same(p) & (p.sizes > 3)).sum()) for p in document.parts
        ),
    }
    if crossings:
        from meshlearn.geometry.intersections import self_intersections
        from meshlearn.io import to_mesh

        partner = self_intersections(to_mesh(document, dtype=None))
        more["self_intersections"] = int((partner >= 0).sum())
    report = report_of(surface.vertices, surface.polygon_index.reshape(-1, 3))
    words = [*document.remarks, *(f"not read: {loss}" for loss in document.left_out)]
    if merge is None and report.has_open_seams:
        words.append(SEAMS)
    return report, more, words


@command("check")
def check(
    meshes: Annotated[list[Path], typer.Argument(metavar="MESH...", help="Mesh files.")],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND,KIND",
            help=f"Exit 1 where a mesh has one of: {', '.join([*KINDS, *_GROUPS])}.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="As --fail-on error; notes are no errors.")
    ] = False,
    merge: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="TOL",
            help="Merge vertices at most so far apart first, as an STL wants it.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Indices to list of each kind, in JSON; counts are complete.")
    ] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Report what is wrong with meshes: holes, folds, duplicates, orientation, NaN."""
    wanted, errors = wanted_defects(fail_on) if fail_on else ([], False)
    errors |= strict
    for path in meshes:
        input_file(path, name="MESH")
    found: list[dict] = []
    failed = False
    for number, path in enumerate(meshes):
        try:
            report, more, words = _check_one(path, merge, "self_intersections" in wanted)
        except (ValueError, OSError) as error:
            if len(meshes) == 1:
                raise
            message(f"error: {' '.join(str(error).split())}")
            found.append({"file": path, "ok": False, "error": str(error)})
            failed = True
            continue
        counts = {**report.counts, **more}
        bad = [f"{name.replace('_', ' ')} ({counts[name]:,})" for name in wanted if counts[name]]
        if errors and not report.ok:
            bad.append("errors")
        failed |= bool(bad)
        facts = {**report.to_dict(max_indices=limit), **more, "remarks": words}
        found.append({"file": path, "passed": not bad, **facts})
        if not as_json:
            head = f"{path}\n" if len(meshes) > 1 else ""
            typer.echo("\n" * (number > 0) + head + str(report))
            for name, count in more.items():
                if count:
                    typer.echo(f"  {count:>9}  {name.replace('_', ' ')}")
            for sentence in words:
                message(f"  {sentence}")
        if bad and fail_on:
            message(f"failed: {path} has {', '.join(bad)}")
    if as_json:
        print_json(found[0] if len(meshes) == 1 else found)
    if failed:
        raise SystemExit(1)
