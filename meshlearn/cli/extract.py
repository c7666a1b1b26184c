"""`meshlearn extract FIELD OUT`: the surface of a sampled volume, or of the labels in it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, choice, command, message
from meshlearn.cli._files import input_file, mesh_output, one_or_three, triple
from meshlearn.cli._mesh import summary, tell_written
from meshlearn.cli._output import print_json
from meshlearn.reconstruct.methods import EXTRACTIONS

if TYPE_CHECKING:
    from meshlearn.io import LossReport
    from meshlearn.io.volumes.samples import Samples
    from meshlearn.mesh import Mesh

_PLACE = "{label}"


@command("extract")
def extract(
    field: Annotated[
        Path,
        typer.Argument(
            metavar="FIELD",
            help="A volume: .npy, .npz, NIfTI, NRRD, MetaImage, .mgh, .mgz, a grid of VTK, or a "
            "folder of DICOM slices.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="A mesh file; its name gives the format. With {label} in it: a file a label.",
        ),
    ],
    level: Annotated[float | None, typer.Option(help="The iso value; default 0.")] = None,
    method: Annotated[
        str, choice(*EXTRACTIONS, help="; ".join(f"{k}: {v}" for k, v in EXTRACTIONS.items()) + ".")
    ] = "mc",
    above: Annotated[
        bool, typer.Option("--above", help="Inside is above the level, as in a CT; default below.")
    ] = False,
    close: Annotated[
        bool, typer.Option("--close", help="Cap the surface where it leaves the volume.")
    ] = False,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N|all",
            help="The closed surface of a label instead of one at a level; 1,2 or given again: of "
            "several, each a part of OUT by its name. It takes no level, and nothing to close or "
            "fill.",
        ),
    ] = None,
    frame: Annotated[
        int | None, typer.Option(metavar="N", help="Which of several volumes, from 0.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="ras|lps",
            help="Patient's coordinates: x right, y front, as NIfTI has them (default), or x left, "
            "y back, as DICOM has them.",
        ),
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(help="Distance of samples: S or SX,SY,SZ; replaces the file's.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="Position of the first sample: X,Y,Z; replaces the file's.")
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="TO|FROM:TO", help="Convert lengths: um mm cm dm m km in ft yd."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Name of the array in an .npz or a grid, number of the series in a folder."
        ),
    ] = None,
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
    if not field.is_dir():
        input_file(field, name="FIELD")
    labels = _labels(label)
    if labels is not None:
        options = {"--level": level, "--fill": fill}
        options |= {"--above": above, "--close": close, "--allow-empty": allow_empty}
        for name, given in options.items():
            if given is not None and given is not False:  # 0 is a level
                raise typer.BadParameter("does not go with --label", param_hint=name)
    elif _PLACE in out.name:
        raise typer.BadParameter(f"{_PLACE} is for --label", param_hint="OUT")
    mesh_output(_file_of(out, 0), overwrite=overwrite or _PLACE in out.name)
    steps, place = one_or_three(spacing, "--spacing"), triple(origin, "--origin")
    if space not in (None, "ras", "lps"):
        raise typer.BadParameter(f"expected ras or lps, got {space!r}", param_hint="--space")
    if unit is not None:
        _check_unit(unit)
    from meshlearn.io.volume import volume_of
    from meshlearn.io.volumes.samples import Wanted
    from meshlearn.io.volumes.table import read_samples
    from meshlearn.reconstruct.volume import extract_volume

    begin = time.perf_counter()
    samples = read_samples(field, Wanted(key=key, frame=frame))
    placed: dict[str, Any] = {"space": space, "spacing": steps, "origin": place}
    if labels is not None:
        numbers = _present(field, samples, labels)
        if len(numbers) > 1:
            _check_parts(out)
        for number in numbers if _PLACE in out.name else ():
            mesh_output(_file_of(out, number), overwrite=overwrite)

        def meshes() -> Iterator[tuple[int, Mesh]]:
            for number in numbers:
                volume = volume_of(samples, field, label=number, **placed)
                yield number, extract_volume(volume, method=method)

        _write_labels(out, samples, meshes(), unit, begin=begin, as_json=as_json)
        return
    volume = volume_of(samples, field, fill=fill, **placed)
    level = level or 0.0
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the field has no zero crossing")  # said below
        mesh = extract_volume(volume, level=level, method=method, above=above, close=close)
    if mesh.num_faces == 0:
        low, high = float(volume.values.min()), float(volume.values.max())
        text = f"{field}: no surface at level {level:g}, values go from {low:g} to {high:g}"
        if not allow_empty:
            raise ValueError(f"{text}; choose another --level, or give --allow-empty")
        warnings.warn(text, stacklevel=1)
    report = _write(out, [("", mesh)], samples, unit)
    tell_written(out, summary(mesh), seconds=time.perf_counter() - begin, as_json=as_json)
    if not as_json:
        _tell(samples, report)


def _labels(given: list[str] | None) -> list[int] | None:
    """The labels of the option; an empty list for all, None without the option."""
    words = [word for text in given or () for word in text.replace(",", " ").split()]
    if given is None or not words:
        return None
    if "all" in words:
        return []
    try:
        return list(dict.fromkeys(int(word) for word in words))
    except ValueError:
        text = f"expected whole numbers or all, got {' '.join(words)!r}"
        raise typer.BadParameter(text, param_hint="--label") from None


def _present(field: Path, samples: Samples, labels: list[int]) -> list[int]:
    """The labels that are wanted: those given, or all that there are."""
    from meshlearn.io.volumes.labels import all_labels

    if labels:
        return labels
    try:
        return all_labels(samples)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _file_of(out: Path, label: int) -> Path:
    """The file of one label."""
    return out.with_name(out.name.replace(_PLACE, str(label)))


def _check_parts(out: Path) -> None:
    """Raises ValueError where several labels cannot be told apart in one file."""
    if _PLACE in out.name:
        return
    from meshlearn.io.registry import format_of

    found = format_of(out, writing=True)
    if not found.holds.parts:
        raise ValueError(
            f"OUT: {found.name} holds one part; put {_PLACE} into the name for a file each, as in "
            f"{out.stem}_{_PLACE}{out.suffix}, or take a format of parts such as .obj or .glb"
        )


def _check_unit(unit: str) -> None:
    from meshlearn.io.changes.placement import check_unit

    try:
        check_unit(unit)
    except ValueError as error:
        text = str(error).partition(": ")[2]
        raise typer.BadParameter(text, param_hint="--unit") from None


def _write(
    out: Path, meshes: list[tuple[str, Mesh]], samples: Samples, unit: str | None
) -> LossReport:
    """Writes meshes as parts of one file, in another unit where one is given."""
    from meshlearn.io import Document, from_mesh, save_document
    from meshlearn.io.changes.placement import change_unit

    parts = [from_mesh(mesh, name).parts[0] for name, mesh in meshes]
    document = Document(parts, unit=samples.unit)
    if unit is not None:
        document = change_unit(document, unit).document
    return save_document(document, out)


def _write_labels(
    out: Path,
    samples: Samples,
    meshes: Iterator[tuple[int, Mesh]],
    unit: str | None,
    *,
    begin: float,
    as_json: bool,
) -> None:
    from meshlearn.io.volumes.labels import name_of

    if _PLACE in out.name:
        written = []
        for number, mesh in meshes:
            file = _file_of(out, number)
            report = _write(file, [(name_of(samples, number), mesh)], samples, unit)
            facts = {"label": number, "name": name_of(samples, number), **summary(mesh)}
            written.append({"output": file, **facts})
            if not as_json:
                tell_written(file, facts, seconds=time.perf_counter() - begin, as_json=False)
        if as_json:
            print_json(written)
        else:
            _tell(samples, report)
        return
    found = list(meshes)
    named = [(name_of(samples, number), mesh) for number, mesh in found]
    report = _write(out, named, samples, unit)
    seconds = time.perf_counter() - begin
    parts = [
        {"label": number, "name": name_of(samples, number), **summary(mesh)}
        for number, mesh in found
    ]
    if len(found) == 1:
        tell_written(out, summary(found[0][1]), seconds=seconds, as_json=as_json, parts=parts)
    else:
        counts = {
            "vertices": sum(mesh.num_vertices for _, mesh in found),
            "faces": sum(mesh.num_faces for _, mesh in found),
        }
        tell_written(out, counts, seconds=seconds, as_json=as_json, parts=parts)
    if as_json:
        return
    for part in parts if len(parts) > 1 else ():
        message(f"  {part['name']}: {part['vertices']:,} vertices, {part['faces']:,} faces")
    _tell(samples, report)


def _tell(samples: Samples, report: LossReport) -> None:
    """What was understood otherwise than it is written, and a unit that could not be kept."""
    from meshlearn.io import LossKind

    for remark in samples.remarks:
        message(f"  {remark}")
    for loss in report.items:
        if loss.kind in (LossKind.UNIT, LossKind.UNIT_UNSAID):
            message(f"  lost: {loss}")
