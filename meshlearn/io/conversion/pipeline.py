"""One file to another with changes on the way: the options of `convert` and their order."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from meshlearn.io.changes import enclosed, holes, operations, placement, repair
from meshlearn.io.changes.operations import Changed
from meshlearn.io.changes.skin import with_skins
from meshlearn.io.contents import counts_in
from meshlearn.io.conversion.mends import refusal
from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.files import (
    encode,
    find_losses,
    load_document,
    prepared,
    read_document,
    save_document,
)
from meshlearn.io.left_behind import Loss, LossKind, LossReport
from meshlearn.io.registry import format_of


@dataclass(frozen=True)
class ConvertOptions:
    """What `convert_file` does between reading and writing, in this order.

    Attributes:
        select: parts to keep, see `operations.select`.
        unit: "mm" or "in:mm", see `placement.change_unit`.
        scale: factor of coordinates.
        up: "z" or "y:z", see `placement.change_up`.
        center: True moves the middle to the origin and states the offset, False moves back by
            the offset that the file states, see `placement.center`.
        merge: distance of vertices that become one.
        repair: the steps of `repair.STEPS`.
        drop_islands: size below which components are dropped, see `holes.drop_islands`.
        fill_holes: width up to which holes are filled, see `holes.fill_holes`.
        remove_enclosed: without what nobody sees from outside, see `enclosed.remove_enclosed`.
        simplify: triangles wanted, or below 1 the fraction of them.
        triangulate: cut polygons into triangles.
        precision: "float32", "float64" or a number of significant digits.
        ascii: the text variant of the target format.
        strict: a loss is an error.
        overwrite: replace an existing target.
        source_format: extension that stands for the source's own.
        tolerance: of curved solids, how far triangles may be from them, in the source's unit.
        target_format: extension that stands for the target's own.
        compress: "meshopt" or "draco", where the target format has it.

    Raises:
        ValueError: an option that means nothing.
    """

    select: tuple[str, ...] = ()
    unit: str | None = None
    scale: float | None = None
    up: str | None = None
    center: bool | None = None
    merge: float | None = None
    repair: bool = False
    drop_islands: float | None = None
    fill_holes: float | None = None
    remove_enclosed: bool = False
    simplify: float | None = None
    triangulate: bool = False
    precision: str | None = None
    ascii: bool = False
    strict: bool = False
    overwrite: bool = False
    source_format: str | None = None
    tolerance: float | None = None
    target_format: str | None = None
    compress: str | None = None

    def __post_init__(self) -> None:
        if self.unit is not None:
            placement.check_unit(self.unit)
        if self.up is not None:
            placement.check_up(self.up)
        if self.precision is not None:
            operations.check_precision(self.precision)
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale: expected a finite factor above 0, got {self.scale:g}")
        if self.merge is not None and not (math.isfinite(self.merge) and self.merge >= 0):
            raise ValueError(f"merge: expected a distance of at least 0, got {self.merge:g}")
        if self.tolerance is not None and not 0 < self.tolerance < math.inf:
            raise ValueError(f"tolerance: expected a length above 0, got {self.tolerance:g}")
        for name, size in (("drop-islands", self.drop_islands), ("fill-holes", self.fill_holes)):
            if size is not None and not size >= 0:
                raise ValueError(f"{name}: expected a length of at least 0, got {size:g}")
        wanted = self.simplify
        if wanted is not None and not (0 < wanted < 1 or (wanted >= 1 and wanted % 1 == 0)):
            raise ValueError(
                f"simplify: expected a number of faces, or a fraction below 1, got {wanted:g}"
            )

    def signature(self) -> str:
        """A short text that differs where the options would make another file."""
        fields = {k: v for k, v in asdict(self).items() if k not in ("overwrite", "strict")}
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Conversion:
    """What became of one file.

    Attributes:
        vertices, faces: counts of what was written; faces are polygons.
        steps: sentences on what the options did.
        report: what could not be kept.
    """

    vertices: int
    faces: int
    steps: tuple[str, ...]
    report: LossReport


def simplify(document: Document, wanted: float) -> Changed:
    """About `wanted` triangles (below 1: that fraction), shared out by the parts' own numbers."""
    from meshlearn.geometry.simplification import simplify_quietly, why_no_fewer
    from meshlearn.io.meshes import from_mesh, to_mesh

    meshes = [to_mesh(Document([replace(p, transform=None)]), dtype=None) for p in document.parts]
    total = sum(m.num_faces for m in meshes)
    target = wanted * total if wanted < 1 else wanted
    lost = partial(Loss, holder="simplification")
    parts, losses = [], []
    after, largest, held = 0, 0, ""
    for part, mesh in zip(document.parts, meshes, strict=True):
        share = max(1, round(target * mesh.num_faces / max(total, 1)))
        small = simplify_quietly(mesh, share)
        after += small.num_faces
        if small.num_faces - share > largest:
            largest, held = small.num_faces - share, why_no_fewer(mesh)
        if small is mesh:
            parts.append(part)
            continue
        made = from_mesh(small).parts[0]
        losses += [
            lost(LossKind.FIELD, "corner", name, len(field.index), "carries numbers of all corners")
            for name, field in part.corner_fields.items()
            if name not in made.corner_fields
        ]
        for domain in ("vertex", "face"):
            kept = {**getattr(made, f"{domain}_fields"), **made.corner_fields}
            losses += [
                lost(LossKind.FIELD, domain, name, len(values), "carries numbers only")
                for name, values in getattr(part, f"{domain}_fields").items()
                if name not in kept
            ]
        cells = part.cells.values()
        count = len(part.lines) + len(part.points) + sum(map(len, cells))
        if count:
            losses.append(lost(LossKind.ELEMENTS, count=count, limit="makes new vertices"))
        own = replace(
            operations.faces_only(part),
            vertices=made.vertices,
            polygon_start=made.polygon_start,
            polygon_index=made.polygon_index,
            vertex_fields=made.vertex_fields,
            face_fields=made.face_fields,
            corner_fields=made.corner_fields,
        )
        parts.append(own)
    done = f"simplified from {total:,} to {after:,} triangles" if after < total else ""
    if after > max(target + len(meshes), 1.01 * target) and held:  # parts have a face at least
        done = f"{done or f'not simplified: {total:,} triangles'}, not {target:,.0f}: {held}"
    return Changed(replace(document, parts=parts), done, tuple(losses))


def apply(
    document: Document, options: ConvertOptions, *, format: str | None = None
) -> tuple[Document, tuple[str, ...], tuple[Loss, ...]]:
    """The document with all that `options` ask for -> it, what was done, what could not be kept.

    Args:
        format: the extension of the file that the document is from.
    """
    steps: list[str] = []
    losses: list[Loss] = []

    def take(changed: Changed) -> Document:
        if changed.done:
            steps.append(changed.done)
        losses.extend(changed.losses)
        return changed.document

    if options.select:
        document = take(operations.select(document, options.select))
    if options.unit is not None:
        document = take(placement.change_unit(document, options.unit))
    if options.scale is not None:
        document = take(placement.scale(document, options.scale))
    if options.up is not None:
        document = take(placement.change_up(document, options.up, format=format))
    if options.center is not None:
        move = placement.center if options.center else placement.uncenter
        document = take(move(document))
    if options.merge is not None:
        document = take(repair.merge(document, options.merge))
    if options.repair:
        document = take(repair.repair(document))
    if options.drop_islands is not None:
        document = take(holes.drop_islands(document, options.drop_islands))
    if options.fill_holes is not None:
        document = take(holes.fill_holes(document, options.fill_holes))
    if options.remove_enclosed:
        document = take(enclosed.remove_enclosed(document))
    if options.simplify is not None:
        document = take(simplify(document, options.simplify))
    if options.triangulate:
        document = take(operations.triangulate(document))
    if options.precision is not None:
        document = take(operations.set_precision(document, options.precision))
    return document, tuple(steps), tuple(losses)


def _change(
    document: Document, source: Path, target: Path, options: ConvertOptions
) -> tuple[Document, Conversion]:
    form = options.source_format or source.suffix
    goal = format_of(target, options.target_format, writing=True)
    document = with_skins(document, goal.holds, goal.name)  # of which the steps are then
    document, steps, lost = apply(document, options, format=form)
    document = prepared(document, target, format=options.target_format)
    to = options.target_format
    how = {"ascii": options.ascii, "compress": options.compress}
    found = find_losses(document, target, format=to, **how).items  # type: ignore[arg-type]
    # what the user just said of the frame, and the file has no word for, is no loss
    asked = {LossKind.UNIT_UNSAID: options.unit, LossKind.UP_AXIS_UNSAID: options.up}
    found = tuple(loss for loss in found if asked.get(loss.kind) is None)
    report = LossReport((*lost, *found))
    if options.strict and report:
        raise FileFormatError(
            f"{target}: not written, since it would lose {report.listed}{refusal(report.items)}"
        )
    holds = format_of(target, to, writing=True).holds_as(ascii=options.ascii)
    vertices, faces = counts_in(document, holds)
    said = (*document.remarks, *steps)
    if not any(len(part.vertices) for part in document.parts):
        said = (*said, "there is no geometry to write")
    return document, Conversion(vertices, faces, said, report)


def _read(source: Path, data: bytes | None, options: ConvertOptions) -> Document:
    form, tolerance = options.source_format, options.tolerance
    if data is None:
        return load_document(source, format=form, tolerance=tolerance)
    return read_document(bytearray(data), source, format=form, tolerance=tolerance)


def convert_file(
    source: Path, target: Path, options: ConvertOptions, *, data: bytes | None = None
) -> Conversion:
    """Reads `source`, does what `options` say, writes `target` whole or not at all.

    Args:
        data: the content of `source`, where that is only its name.

    Raises:
        FileFormatError: a file that cannot be read or written, a loss under ``strict``, or a target
            that exists without ``overwrite``.
    """
    if target.exists() and not options.overwrite:
        raise FileFormatError(f"{target}: it exists; give --overwrite to replace it")
    document, made = _change(_read(source, data, options), source, target, options)
    save_document(
        document,
        target,
        overwrite=options.overwrite,
        format=options.target_format,
        ascii=options.ascii,
        compress=options.compress,
    )
    return made


def convert_to_bytes(
    source: Path, options: ConvertOptions, *, data: bytes | None = None
) -> tuple[bytes, Conversion]:
    """As `convert_file`, giving the content of the target; its format is named by the options.

    Raises:
        FileFormatError: as `convert_file`, and for a document that takes more than one file.
    """
    target = Path("standard output")
    document, made = _change(_read(source, data, options), source, target, options)
    files = encode(
        document,
        target,
        format=options.target_format,
        ascii=options.ascii,
        compress=options.compress,
    )
    if len(files) > 1:
        raise FileFormatError(f"{target}: it takes {len(files)} files; name a file to write to")
    return files[target.name], made
