"""`meshlearn heart …`: hearts fitted to contours, over a cycle, and sampled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, app, choice, command, message
from meshlearn.cli._files import input_file, mesh_output
from meshlearn.cli._output import print_json, print_table

if TYPE_CHECKING:
    from meshlearn.heart.data import Contours

heart = typer.Typer(help="Hearts from contours of magnetic resonance slices.", no_args_is_help=True)
app.add_typer(heart, name="heart")
UnitOption = Annotated[str, choice("auto", "mm", "cm", "m", help="Unit of the contours.")]
LabelsOption = Annotated[
    str,
    typer.Option(
        metavar="lv=3,myo=2,rv=1",
        help="What the labels of a segmentation mean; what is not said is found by anatomy.",
    ),
]
SpacingOption = Annotated[
    str,
    typer.Option(
        metavar="X,Y,Z", help="Spacing of a segmentation's voxels, mm, where its file is wrong."
    ),
]
SeedOption = Annotated[int, typer.Option(help="Same seed, same heart.")]


def _folder(path: Path, *, overwrite: bool) -> Path:
    if path.exists() and not path.is_dir():
        raise ValueError(f"OUT: {path} exists and is no folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise ValueError(f"OUT: the folder {path} is not empty; give --overwrite to write into it")
    if not path.parent.is_dir():
        raise ValueError(f"OUT: the folder {path.parent} does not exist; make it first")
    return path


def _volume_options(path: Path, labels: str, spacing: str) -> dict:
    """Options of segmentations, for `load_segmentation`; refused for anything else."""
    from meshlearn.heart.data.anatomy import parse_labels
    from meshlearn.heart.data.segmentation import is_segmentation

    if not is_segmentation(path):
        for name, given in (("labels", labels), ("spacing", spacing)):
            if given:
                raise ValueError(f"--{name}: {path} is no segmentation (.nii, .nii.gz); leave it")
        return {}
    try:
        lengths = [float(v) for v in spacing.split(",")] if spacing else None
    except ValueError:
        raise ValueError(f"--spacing: expected such as 1.4,1.4,8, got {spacing!r}") from None
    return {"labels": parse_labels(labels) if labels else None, "spacing": lengths}


def _read(path: Path, unit: str, labels: str, spacing: str, frame: int | None) -> Contours:
    from meshlearn.heart.data import load_contours
    from meshlearn.heart.data.segmentation import is_segmentation, load_segmentation

    options = _volume_options(path, labels, spacing)
    if is_segmentation(path):
        return load_segmentation(path, frame=frame, **options)
    return load_contours(path, unit=unit, frame=frame)


def _read_series(path: Path, unit: str, labels: str, spacing: str) -> list[Contours]:
    from meshlearn.heart.data import load_contour_series
    from meshlearn.heart.data.segmentation import (
        is_segmentation,
        load_segmentation_series,
        segmentations_in,
    )

    files = segmentations_in(path)
    if files or is_segmentation(path):
        options = _volume_options(files[0] if files else path, labels, spacing)
        return load_segmentation_series(path, **options)
    _volume_options(path, labels, spacing)
    return load_contour_series(path, unit=unit)


@command("fit", group=heart)
def fit(
    contours: Annotated[
        Path,
        typer.Argument(
            metavar="CONTOURS", help="A contour file, labelled points, or a NIfTI segmentation."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A folder for everything, or one mesh file."),
    ],
    surface: Annotated[
        str,
        choice("muscle", "lv", "rv", "epi", "wall", help="What a single mesh file holds."),
    ] = "muscle",
    weights: Annotated[
        Path | None,
        typer.Option(help="A model of `train heart`: predicts first, then refines."),
    ] = None,
    labels: LabelsOption = "",
    spacing: SpacingOption = "",
    frame: Annotated[
        int | None, typer.Option(help="Which time frame of a file of several; the first, told.")
    ] = None,
    unit: UnitOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a heart to the contours of one frame."""
    input_file(contours, name="CONTOURS")
    if out.suffix:
        mesh_output(out, overwrite=overwrite)
    else:
        _folder(out, overwrite=overwrite)
    from meshlearn.heart import fit_heart, read_out, write_heart

    given = _read(contours, unit, labels, spacing, frame)
    if weights is None:
        made = fit_heart(given, seed=seed)
    else:
        from meshlearn.heart.fit.predict import load_encoder, predict_heart

        made = predict_heart(load_encoder(weights), given)
    report = read_out(made)
    files = write_heart(made, out, surface=surface)
    if as_json:
        print_json({"output": out, "files": files, **report})
        return
    rows: list[tuple[object, ...]] = []
    for side in ("lv", "rv"):
        span = report[f"{side}_volume_interval_ml"]
        between = f"{span[0]:.0f} to {span[1]:.0f}, nine times of ten" if span else ""
        rows.append((f"{side.upper()} volume, mL", report[f"{side}_volume_ml"], between))
    rows += [("LV mass, g", report["lv_mass_g"], "")]
    rows += [("wall, mm", report["wall_thickness_mm"]["mean"], "")]
    for name, values in report["contour_distance_after_shifts"].items():
        rows.append((f"contours to {name}, mm", values["mean_mm"], ""))
    for number, move in report["moved_slices"].items():
        what = "left out" if move["left_out"] else "moved"
        rows.append((f"slice {number} {what}, mm", move["mm"], ""))
    print_table(rows)
    message(f"wrote {out} ({made.seconds:.1f} s)")


@command("series", group=heart)
def series(
    frames: Annotated[
        Path,
        typer.Argument(
            metavar="FRAMES",
            help="A folder with one file a frame, or one file of all: contours, or a NIfTI "
            "segmentation over time.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, made if needed.")],
    labels: LabelsOption = "",
    spacing: SpacingOption = "",
    unit: UnitOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Fit a heart over its cycle: volumes, ejection fraction, corresponding meshes."""
    _folder(out, overwrite=overwrite)
    from meshlearn.heart import fit_series, write_series

    begin = time.perf_counter()
    fits = fit_series(_read_series(frames, unit, labels, spacing), seed=seed)
    cycle = write_series(fits, out)
    seconds = time.perf_counter() - begin
    if as_json:
        print_json({"output": out, "seconds": seconds, **cycle})
        return
    rows = []
    for side in ("lv", "rv"):
        if side in cycle:
            c = cycle[side]
            rows += [
                (f"{side.upper()} largest volume, mL", c["ed_volume_ml"], f"frame {c['ed_frame']}"),
                (f"{side.upper()} least volume, mL", c["es_volume_ml"], f"frame {c['es_frame']}"),
                (f"{side.upper()} ejection fraction, %", c["ejection_fraction_percent"], ""),
            ]
    print_table([*rows, ("LV mass, g", cycle["lv_mass_g"], "")])
    message(f"wrote {len(fits)} frames to {out} ({seconds:.1f} s)")


@command("sample", group=heart)
def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder, made if needed.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many hearts.")] = 5,
    surface: Annotated[
        str, choice("muscle", "lv", "rv", "epi", "wall", help="What each file holds.")
    ] = "muscle",
    contours: Annotated[
        bool, typer.Option("--contours", help="Also the contours of a virtual acquisition.")
    ] = False,
    suffix: Annotated[str, typer.Option(help="Mesh format of the files.")] = ".vtp",
    seed: SeedOption = 0,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Sample hearts of a generated population."""
    _folder(out, overwrite=overwrite)
    import torch

    from meshlearn.heart.data.contours import save_contours
    from meshlearn.heart.learn.scanner import acquire
    from meshlearn.heart.model.population import sample_heart
    from meshlearn.io import save

    generator = torch.Generator().manual_seed(seed)
    out.mkdir(exist_ok=True)
    rows = []
    for i in range(count):
        model = sample_heart(generator=generator)
        with torch.no_grad():
            mesh = model.mesh(surface)
            volumes = [float(model.mesh(s).volume()) / 1000 for s in ("lv", "rv")]
        path = out / f"heart_{i:03d}{suffix}"
        mesh_output(path, overwrite=overwrite)
        save(mesh, path)
        if contours:
            save_contours(acquire(model, generator=generator), out / f"heart_{i:03d}.txt")
        rows.append({"file": path, "lv_volume_ml": volumes[0], "rv_volume_ml": volumes[1]})
    if as_json:
        print_json({"hearts": rows})
        return
    print_table([list(r.values()) for r in rows], header=["file", "LV mL", "RV mL"])
