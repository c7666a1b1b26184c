"""`meshlearn extract FIELD OUT`: the surface of a sampled volume."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command
from meshlearn.cli._files import input_file, mesh_output, one_or_three, triple
from meshlearn.cli._mesh import summary, tell_written
from meshlearn.reconstruct.methods import EXTRACTIONS


@command("extract")
def extract(
    field: Annotated[Path, typer.Argument(metavar="FIELD", help=".npy, .npz, .nii or .nii.gz")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A mesh file; its name gives the format.")
    ],
    level: Annotated[float, typer.Option(help="The iso value.")] = 0.0,
    method: Annotated[
        str, choice(*EXTRACTIONS, help="; ".join(f"{k}: {v}" for k, v in EXTRACTIONS.items()) + ".")
    ] = "mc",
    above: Annotated[
        bool, typer.Option("--above", help="Inside is above the level, as in a CT; default below.")
    ] = False,
    close: Annotated[
        bool, typer.Option("--close", help="Cap the surface where it leaves the volume.")
    ] = False,
    spacing: Annotated[
        str | None, typer.Option(help="Distance of samples: S or SX,SY,SZ; replaces the file's.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="Position of the first sample: X,Y,Z; replaces the file's.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Name of the array in an .npz.")] = None,
    fill: Annotated[
        float | None, typer.Option(help="Replaces NaN and infinities, which are refused otherwise.")
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Write an empty mesh if nothing passes the level.")
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Extract the surface where a volume passes a level, in the volume's own coordinates."""
    input_file(field, name="FIELD")
    mesh_output(out, overwrite=overwrite)
    steps, place = one_or_three(spacing, "--spacing"), triple(origin, "--origin")
    from meshlearn.io import save
    from meshlearn.io.volume import load_volume
    from meshlearn.reconstruct.volume import extract_volume

    begin = time.perf_counter()
    volume = load_volume(field, key=key, spacing=steps, origin=place, fill=fill)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty mesh: said below
        mesh = extract_volume(volume, level=level, method=method, above=above, close=close)
    if mesh.num_faces == 0:
        low, high = float(volume.values.min()), float(volume.values.max())
        text = f"{field}: no surface at level {level:g}, values go from {low:g} to {high:g}"
        if not allow_empty:
            raise ValueError(f"{text}; choose another --level, or give --allow-empty")
        warnings.warn(text, stacklevel=1)
    save(mesh, out)
    tell_written(out, summary(mesh), seconds=time.perf_counter() - begin, as_json=as_json)
