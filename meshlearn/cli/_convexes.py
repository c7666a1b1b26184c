"""`meshlearn reconstruct --method bspnet`: convexes fitted to one shape, or by a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshlearn.cli._app import message
from meshlearn.cli._mesh import summary, tell_written

if TYPE_CHECKING:
    from meshlearn.reconstruct.run import Source


def reconstruct_convexes(
    given: Source,
    out: Path,
    *,
    name: str,
    resolution: int,
    steps: int | None,
    seed: int,
    model: Path | None,
    parts: Path | None,
    sheet: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Writes the union to `out`, with a colour of each convex; the convexes to `parts`."""
    from meshlearn.convex import save_convexes
    from meshlearn.io import save
    from meshlearn.mesh import Mesh
    from meshlearn.reconstruct.convexes import fit_convexes, infer_convexes, surface_of
    from meshlearn.reconstruct.run import target_of
    from meshlearn.render import ImageSet

    if isinstance(given, ImageSet):
        raise ValueError("INPUT: method bspnet fits meshes, points and volumes, not images")
    mesh = given if isinstance(given, Mesh) else surface_of(target_of(given), resolution)
    if model is not None:
        from meshlearn.train.bspnet import load_bspnet

        found = infer_convexes(load_bspnet(model), mesh)
    else:
        found = fit_convexes(
            mesh, resolution=resolution, steps=150 if steps is None else steps, seed=seed
        )
    colored = found.colored()
    save(colored, out, overwrite=True)
    more: dict[str, object] = {
        "method": "bspnet",
        "convexes": int((~found.convexes.empty).sum()),
        "planes": int(found.convexes.face_plane[found.convexes.face_plane >= 0].unique().numel()),
    }
    if parts is not None:
        save_convexes(found.convexes, parts, overwrite=overwrite)
        more["parts"] = parts
        if not as_json:
            message(f"wrote {parts}: {more['convexes']} convexes")
    if sheet is not None:
        from meshlearn.render.picture import contact_sheet

        label = f"{more['convexes']} convexes"
        contact_sheet([mesh, colored], sheet, labels=[name, label])
        more["picture"] = sheet
        if not as_json:
            message(f"wrote {sheet}")
    tell_written(out, summary(colored), seconds=found.seconds, as_json=as_json, **more)
