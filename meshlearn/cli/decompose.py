"""`meshlearn decompose IN OUT`: convex parts of a solid, for collisions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command, message
from meshlearn.cli._files import input_file, output_file


@command("decompose")
def decompose(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A mesh file, closed or nearly.")],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="OBJ (a group a part), GLB or another mesh format (an object a part), .urdf or "
            ".xml (MuJoCo), which have the parts in a folder beside them.",
        ),
    ],
    parts: Annotated[
        int | None, typer.Option("--parts", "-n", min=1, help="At most so many parts.")
    ] = None,
    vertices: Annotated[
        int | None, typer.Option(min=4, help="At most so many vertices a part.")
    ] = None,
    concavity: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="What a part may have: radius of a ball of the volume that its hull adds, as a "
            "share of the diagonal; default 0.02 without --parts.",
        ),
    ] = None,
    density: Annotated[
        float, typer.Option(metavar="KG/M³", help="Of the body in .urdf and .xml.")
    ] = 1000.0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Split a solid into convex parts, as engines of rigid bodies want for collisions."""
    input_file(source, name="IN")
    if concavity is not None and not 0 < concavity < float("inf"):
        raise typer.BadParameter(
            f"expected a share above 0, got {concavity:g}", param_hint="--concavity"
        )
    if not 0 < density < float("inf"):
        raise typer.BadParameter(
            f"expected a density above 0, got {density:g}", param_hint="--density"
        )
    from meshlearn.io.registry import suffixes_of_meshes

    output_file(out, overwrite=overwrite, suffixes=[*suffixes_of_meshes(), ".urdf", ".xml"])
    from meshlearn import geometry
    from meshlearn.cli._edit import read_mesh
    from meshlearn.cli._output import print_json
    from meshlearn.convex.bodies import save_parts

    begin = time.perf_counter()
    mesh, document = read_mesh(source)
    made = geometry.decompose(mesh, parts, vertices, concavity=concavity)
    lost = save_parts(made.parts, out, like=document, density=density, overwrite=overwrite)
    seconds = time.perf_counter() - begin
    largest = max(part.num_vertices for part in made.parts)
    if as_json:
        facts = {"input": source, "output": out, "seconds": round(seconds, 3)}
        facts |= {"parts": len(made.parts), "vertices": [p.num_vertices for p in made.parts]}
        facts |= {"iou": made.iou, "overlap": made.overlap, "concavity": made.concavity}
        print_json({**facts, "holes": list(made.holes)})
        return
    message(
        f"wrote {out}: {len(made.parts)} convex parts, at most {largest} vertices each, IoU "
        f"{made.iou:.3f}, overlap {100 * made.overlap:.2g} %, concavity {made.concavity:.3g} "
        f"({seconds:.2f} s)"
    )
    if made.holes[1] < made.holes[0]:
        message(
            f"  {made.holes[0] - made.holes[1]} of {made.holes[0]} handles are closed by a part "
            "that spans them; more --parts or a smaller --concavity keep them"
        )
    for loss in lost.items if lost else ():
        message(f"  lost: {loss}")
