"""`meshlearn convert IN OUT`: from one mesh format to another, one file or ten thousand."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, OverwriteFlag, command, message
from meshlearn.cli._batch import convert_many
from meshlearn.cli._files import input_file, mesh_output, output_file
from meshlearn.cli._mesh import tell_written

if TYPE_CHECKING:
    from meshlearn.io.conversion.pipeline import Conversion, ConvertOptions


def _options(**given: object) -> ConvertOptions:
    from meshlearn.io.conversion.pipeline import ConvertOptions

    try:
        options = ConvertOptions(**given)  # type: ignore[arg-type]
    except ValueError as error:
        name, _, text = str(error).partition(": ")
        raise typer.BadParameter(text, param_hint=f"--{name}") from None
    return options


def _check_format(name: str | None, option: str, *, writing: bool = False) -> None:
    from meshlearn.io.registry import knows, readable_suffixes, writable_suffixes

    if name is not None and not knows("." + name.lstrip("."), writing=writing):
        known = writable_suffixes() if writing else readable_suffixes()
        shown = " ".join(suffix[1:] for suffix in known)
        raise typer.BadParameter(f"expected one of {shown}, got {name!r}", param_hint=option)


def _one_input(text: str) -> Path:
    """The file that IN means: itself, or the only one that a glob matches."""
    from meshlearn.io.conversion.batch import find_inputs, is_pattern

    if not is_pattern(text):
        return input_file(Path(text), name="IN")
    found = find_inputs([text])
    if len(found) > 1:
        raise typer.BadParameter(
            f"{text} matches {len(found)} files: give --outdir DIR and --to EXT for a batch"
        )
    return input_file(found[0][0], name="IN")


def _convert_one(
    source: str, target: str, options: ConvertOptions, *, overwrite: bool, as_json: bool
) -> None:
    from meshlearn.io.conversion.pipeline import convert_file, convert_to_bytes

    data = None
    if source == "-":
        if options.source_format is None:
            raise typer.BadParameter("standard input needs --from EXT", param_hint="--from")
        path = Path("standard input")
    else:
        path = _one_input(source)
        if options.source_format is None:
            _known_suffix(path)
    out = Path(target)
    if target == "-":
        if options.target_format is None:
            raise typer.BadParameter("standard output needs --to EXT", param_hint="--to")
        if as_json:
            raise typer.BadParameter("needs a file OUT, since - is standard output too")
    else:
        if source != "-" and out.exists() and os.path.samefile(path, out):
            raise ValueError(f"OUT: {out} is IN itself; name another file")
        if options.target_format:
            output_file(out, overwrite=overwrite, suffixes=[""])
        else:
            mesh_output(out, overwrite=overwrite)
    if source == "-":
        data = sys.stdin.buffer.read()
        if not data:
            raise ValueError("IN: standard input is empty")
    begin = time.perf_counter()
    if target == "-":
        content, made = convert_to_bytes(path, options, data=data)
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        _tell(made)
        return
    made = convert_file(path, out, options, data=data)
    seconds = time.perf_counter() - begin
    facts: dict[str, object] = {"input": path, "vertices": made.vertices, "faces": made.faces}
    more: dict[str, object] = {}
    if as_json:
        more = {"steps": made.steps, "losses": made.report.to_dict()}
    tell_written(out, facts, seconds=seconds, as_json=as_json, **more)
    if not as_json:
        _tell(made)


def _known_suffix(path: Path) -> None:
    from meshlearn.io.registry import readable_suffixes, reads

    if not reads(path):
        known = readable_suffixes()
        raise ValueError(
            f"IN: unknown extension {path.suffix!r} of {path}; expected {', '.join(known)}, "
            f"or --from EXT"
        )


def _tell(made: Conversion) -> None:
    for step in made.steps:
        message(f"  {step}")
    from meshlearn.io.conversion.mends import mend_of

    for loss in made.report.items:
        mend = mend_of(loss)
        message(f"  lost: {loss}" + (f"; {mend}" if mend else ""))


@command("convert")
def convert(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="IN OUT",
            help="A mesh file and what it becomes, in the format of its name; - for standard "
            "input or output. With --outdir: files, folders and globs in quotes.",
        ),
    ],
    source_format: Annotated[
        str | None, typer.Option("--from", metavar="EXT", help="Read IN as of this extension.")
    ] = None,
    target_format: Annotated[
        str | None, typer.Option("--to", metavar="EXT", help="Write OUT as of this extension.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="LENGTH",
            help="Of STEP and IGES: how far triangles may be from a surface, in the file's unit; "
            "default a thousandth of each edge's size.",
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Keep this part only, by the name of a part, object, group or material, or by "
            "its number from 0; may be given again.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="TO|FROM:TO", help="Convert lengths: um mm cm dm m km in ft yd."),
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Multiply coordinates.")] = None,
    up: Annotated[
        str | None,
        typer.Option(metavar="TO|FROM:TO", help="Turn so that x, y or z points up, as y:z."),
    ] = None,
    center: Annotated[
        bool | None,
        typer.Option(
            "--center/--no-center",
            help="Move the middle to the origin and say the offset in OUT; or move back by it.",
        ),
    ] = None,
    merge: Annotated[
        float | None,
        typer.Option(metavar="TOL", help="Merge vertices at most so far apart; seams are kept."),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Drop faces that are not finite, merge equal vertices, drop flat and repeated "
            "faces, take edges of many faces apart, orient, drop unused vertices; holes stay.",
        ),
    ] = False,
    drop_islands: Annotated[
        float | None,
        typer.Option(metavar="LENGTH", help="Drop components smaller than this; one stays."),
    ] = None,
    fill_holes: Annotated[
        float | None,
        typer.Option(metavar="LENGTH", help="Fill holes up to this width, smoothly; inf for all."),
    ] = None,
    remove_enclosed: Annotated[
        bool,
        typer.Option(
            "--remove-enclosed",
            help="Drop shells that cannot be seen from outside: inner parts, cavities of solids.",
        ),
    ] = False,
    simplify: Annotated[
        float | None,
        typer.Option(metavar="N", help="Simplify to N triangles, or below 1 to that fraction."),
    ] = None,
    triangulate: Annotated[
        bool, typer.Option("--triangulate", help="Cut polygons into triangles.")
    ] = False,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float32|float64|N", help="Dtype of numbers, or N significant digits."
        ),
    ] = None,
    ascii: Annotated[
        bool, typer.Option("--ascii", help="Write text where the format has both.")
    ] = False,
    compress: Annotated[
        str | None,
        typer.Option(
            metavar="meshopt|draco",
            help="Compress glTF: meshopt rounds nothing, draco coordinates to 16 bits.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A loss is an error, and nothing is written.")
    ] = False,
    outdir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Convert all IN into this folder.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: by the files and the CPUs.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="dask|ray|ADDRESS", help="Convert on a cluster; disks are shared."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip outputs newer than their input; a killed batch goes on without being asked.",
        ),
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert mesh files to another format, and say what it cannot hold.

    Options work in the order they are listed in. Polygons, double precision, fields, groups and
    materials stay where the format of OUT knows them; everything else is told, by count and name.
    """
    if outdir is None:
        for value, name in ((jobs, "--jobs"), (cluster, "--cluster"), (resume or None, "--resume")):
            if value is not None:
                raise typer.BadParameter("is for a batch, give --outdir DIR", param_hint=name)
        if len(paths) != 2:
            text = "OUT is missing" if len(paths) == 1 else "several inputs need --outdir DIR"
            raise typer.BadParameter(text, param_hint="IN OUT")
    elif target_format is None:
        raise typer.BadParameter("a batch needs it", param_hint="--to EXT")
    elif "-" in paths:
        raise typer.BadParameter("- does not go with --outdir", param_hint="IN")
    _check_format(source_format, "--from")
    _check_format(target_format, "--to", writing=True)
    options = _options(
        select=tuple(select or ()),
        unit=unit,
        scale=scale,
        up=up,
        center=center,
        merge=merge,
        repair=repair,
        drop_islands=drop_islands,
        fill_holes=fill_holes,
        remove_enclosed=remove_enclosed,
        simplify=simplify,
        triangulate=triangulate,
        precision=precision,
        ascii=ascii,
        compress=compress,
        strict=strict,
        overwrite=overwrite,
        source_format=source_format,
        tolerance=tolerance,
        target_format=target_format,
    )
    if outdir is None:
        _convert_one(paths[0], paths[1], options, overwrite=overwrite, as_json=as_json)
        return
    convert_many(paths, outdir, options, jobs=jobs, cluster=cluster, resume=resume, as_json=as_json)
