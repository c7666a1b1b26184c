"""`meshlearn wrap IN OUT`: one closed surface around a mesh of any kind, or around points."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command
from meshlearn.cli._edit import length_of
from meshlearn.cli._files import input_file, mesh_output
from meshlearn.cli._mesh import summary, tell_written

if TYPE_CHECKING:
    from torch import Tensor

    from meshlearn.mesh import Mesh


def _read(path: Path) -> tuple[Mesh | Tensor, float]:
    """What a file has to be wrapped, and the diagonal of its box."""
    from meshlearn.io import load_document, to_mesh
    from meshlearn.io.points import is_points, load_points

    if is_points(path):
        corners = load_points(path).points
        shape: Mesh | Tensor = corners
    else:
        mesh = to_mesh(load_document(path), dtype=None)
        shape = mesh if mesh.num_faces else mesh.vertices
        corners = mesh.triangles.reshape(-1, 3) if mesh.num_faces else mesh.vertices
    if not len(corners):
        raise ValueError(f"IN: there is neither a face nor a point in {path}")
    diagonal = float((corners.amax(0).double() - corners.amin(0).double()).norm())
    return shape, diagonal


@command("wrap")
def wrap(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A mesh or points, of any kind.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A mesh file, in its name's format.")],
    alpha: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH|%",
            help="Radius of the ball that rolls around IN: gaps that it does not enter are closed. "
            "A length, or a share of the diagonal; default 1%, more where points are sparse.",
        ),
    ] = None,
    offset: Annotated[
        str | None,
        typer.Option(metavar="LENGTH|%", help="Distance from IN; default a tenth of alpha."),
    ] = None,
    holes_up_to: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH|%",
            help="Close holes of this diameter, too, where the room behind is wider than they are.",
        ),
    ] = None,
    keep_cavities: Annotated[
        bool, typer.Option("--keep-cavities", help="Rooms within, closed all around, stay hollow.")
    ] = False,
    tight: Annotated[
        bool, typer.Option("--tight", help="On the surface of IN instead of at an offset.")
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Wrap anything in one closed, manifold surface that does not cross itself.

    For shells with two sides, holes, loose triangles, many parts, scans: what the ball does not
    reach from outside becomes solid.
    """
    if tight and offset is not None:
        raise typer.BadParameter("does not go with --tight", param_hint="--offset")
    input_file(source, name="IN")
    mesh_output(out, overwrite=overwrite)
    from meshlearn import geometry
    from meshlearn.io import save

    shape, diagonal = _read(source)
    begin = time.perf_counter()
    made = geometry.wrap(
        shape,
        length_of(alpha, "--alpha", diagonal),
        length_of(offset, "--offset", diagonal),
        keep_cavities=keep_cavities,
        holes_up_to=length_of(holes_up_to, "--holes-up-to", diagonal) or 0.0,
        tight=tight,
    )
    seconds = time.perf_counter() - begin
    save(made, out)
    facts = {"input": source, **summary(made), "volume": float(made.volume())}
    tell_written(out, facts, seconds=seconds, as_json=as_json)
