"""`meshlearn reconstruct INPUT OUT`: fits a representation to a mesh, a point cloud or a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import input_file, mesh_output, output_file
from meshlearn.cli._mesh import summary, tell_written


@command("reconstruct")
def reconstruct(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A mesh, a point cloud or a volume (a field).")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A mesh file, in its name's format.")],
    method: Annotated[str, choice("flexicubes", help="What represents the mesh.")] = "flexicubes",
    resolution: Annotated[
        int, typer.Option(min=8, help="Cells along the longest side of the box.")
    ] = 64,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the fit; default: as the method does best.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same mesh.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints, history and settings.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in that folder.")
    ] = False,
    picture: Annotated[
        bool,
        typer.Option("--picture/--no-picture", help="Draw input and result beside OUT (.png)."),
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a mesh to a mesh, a point cloud or a volume."""
    input_file(source)
    mesh_output(out, overwrite=overwrite)
    sheet = out.with_suffix(".png")
    if picture:
        output_file(sheet, overwrite=overwrite, suffixes=(".png",), name="--picture")
    if resume and checkpoint is None:
        raise typer.BadParameter("needs --checkpoint DIR", param_hint="--resume")
    from meshlearn.io import save
    from meshlearn.mesh import Mesh
    from meshlearn.reconstruct.run import read_source, reconstruct

    given = read_source(source)
    try:
        result = reconstruct(
            given,
            method=method,
            resolution=resolution,
            steps=steps,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
        )
    except KeyboardInterrupt:
        if checkpoint is not None:
            raise KeyboardInterrupt(f"go on by --checkpoint {checkpoint} --resume") from None
        raise
    save(result.mesh, out)
    more: dict[str, object] = {"method": method, "resolution": resolution}
    more["steps"] = len(result.history.get("step", ()))
    more["loss"] = result.history["loss"][-1] if result.history.get("loss") else None
    if picture:
        from meshlearn.render.picture import contact_sheet

        shown = {f"{method} {resolution}": result.mesh.to("cpu")}
        if isinstance(given, Mesh) and given.num_faces:
            shown = {source.name: given, **shown}
        contact_sheet(list(shown.values()), sheet, labels=list(shown))
        more["picture"] = sheet
        if not as_json:
            message(f"wrote {sheet}")
    tell_written(out, summary(result.mesh), seconds=result.seconds, as_json=as_json, **more)
