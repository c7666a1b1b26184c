"""`meshlearn info FILE`: what a mesh, point cloud, volume or set of posed images holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._files import input_file
from meshlearn.cli._output import print_json, print_table

if TYPE_CHECKING:
    import numpy as np

    from meshlearn.io import Document, Part

_PARTS_SHOWN = 20


def _field(values: np.ndarray) -> dict[str, object]:
    return {"dtype": str(values.dtype), "shape": list(values.shape[1:]), "count": len(values)}


def _part(part: Part) -> dict[str, object]:
    sizes = part.sizes
    return {
        "name": part.name,
        "vertices": len(part.vertices),
        "polygons": part.num_faces,
        "triangles": int((sizes == 3).sum()),
        "quads": int((sizes == 4).sum()),
        "larger": int((sizes > 4).sum()),
        "lines": len(part.lines),
        "points": len(part.points),
        "dtype": str(part.vertices.dtype),
        "vertex_fields": {k: _field(v) for k, v in part.vertex_fields.items()},
        "face_fields": {k: _field(v) for k, v in part.face_fields.items()},
        "corner_fields": {k: _field(f.values) for k, f in part.corner_fields.items()},
        "groups": part.groups,
        "transform": part.transform,
    }


def _describe_mesh(document: Document) -> dict[str, object]:
    import numpy as np

    from meshlearn.arrays.report import report_of
    from meshlearn.io.changes.skin import with_surface
    from meshlearn.io.surface import one_surface

    surface = one_surface(document)
    vertices = surface.vertices
    finite = vertices[np.isfinite(vertices).all(1)]
    low, high = (finite.min(0), finite.max(0)) if len(finite) else (None, None)
    report = report_of(vertices, surface.polygon_index.reshape(-1, 3))
    facts = report.facts
    sizes = [with_surface(part).sizes for part in document.parts]
    counts = {
        "polygons": sum(len(s) for s in sizes),
        "quads": sum(int((s == 4).sum()) for s in sizes),
        "larger_polygons": sum(int((s > 4).sum()) for s in sizes),
        "lines": sum(len(part.lines) for part in document.parts),
        "points": sum(len(part.points) for part in document.parts),
        "cells": _cells(document),
    }
    frame = {key: frame_of(document, key) for key in ("unit", "up")}
    return {
        "kind": "mesh",
        "vertices": facts["vertices"],
        "faces": facts["faces"],
        "watertight": facts["watertight"],
        "manifold": facts["edge_manifold"] and facts["vertex_manifold"],
        "consistently_oriented": facts["consistently_oriented"],
        "euler_number": facts["euler_number"],
        **counts,
        "non_finite_vertices": len(vertices) - len(finite),
        "edges": facts["edges"],
        "components": facts["components"],
        "boundary_loops": facts["boundary_loops"],
        "genus": facts["genus"],
        "lower": None if low is None else low.tolist(),
        "upper": None if high is None else high.tolist(),
        "size": None if low is None or high is None else (high - low).tolist(),
        "area": facts["area"],
        "volume": facts["volume"] if facts["watertight"] else None,
        "dtype": str(vertices.dtype),
        "offset": document.metadata.get("offset"),
        **frame,
        "vertex_attributes": {k: list(v.shape[1:]) for k, v in surface.vertex_fields.items()},
        "face_attributes": {k: list(v.shape[1:]) for k, v in surface.face_fields.items()},
        "corner_attributes": sorted(surface.corner_fields),
        "materials": len(document.materials),
        "material_names": [material.name for material in document.materials],
        "defects": {name: count for name, count in report.counts.items() if count},
        "remarks": _words(document, seams=report.has_open_seams),
        "metadata": document.metadata,
        "parts": [_part(part) for part in document.parts],
    }


def _cells(document: Document) -> dict[str, int]:
    """How many volume cells of each kind there are."""
    found: dict[str, int] = {}
    for part in document.parts:
        for kind, index in part.cells.items():
            found[kind] = found.get(kind, 0) + len(index)
    return found


def _describe_points(document: Document) -> dict[str, object]:
    """Facts of a table of points."""
    (part,) = document.parts
    points, fields = part.vertices, part.vertex_fields
    return {
        "kind": "points",
        "points": len(points),
        "lower": points.min(0).tolist() if len(points) else None,
        "upper": points.max(0).tolist() if len(points) else None,
        "normals": "normal" in fields,
        "fields": {k: _field(v) for k, v in fields.items()},
        "remarks": _words(document),
    }


def _words(document: Document, *, seams: bool = False) -> list[str]:
    """What a reader understood otherwise than it is written or could not read, and a way on."""
    from meshlearn.cli.check import SEAMS

    words = list(document.remarks)
    if any(part.cells and not part.num_faces for part in document.parts):
        words.append("there are volume cells and no faces: the surface is their outer skin")
    words += [f"not read: {loss}" for loss in document.left_out]
    return [*words, SEAMS] if seams else words


def frame_of(document: Document, key: str) -> str | None:
    """The unit or the up axis that a file states."""
    return getattr(document, key, None) or document.metadata.get(key)


def _describe_volume(path: Path) -> dict[str, object]:
    """Facts of a volume; of several, those of the first."""
    import numpy as np

    from meshlearn.io.volumes.samples import Wanted, bounds_of, labels_of
    from meshlearn.io.volumes.table import read_samples

    samples = read_samples(path, Wanted(any=True))
    values = samples.values
    count = values.size
    smallest: float | None
    largest: float | None
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        count = int(finite.sum())
        smallest = float(values.min(where=finite, initial=np.inf)) if count else None
        largest = float(values.max(where=finite, initial=-np.inf)) if count else None
    else:
        smallest, largest = float(values.min()), float(values.max())
    low, high = bounds_of(samples)
    labels = labels_of(values) if count == values.size else None
    return {
        "kind": "volume",
        "samples": list(values.shape),
        "frames": samples.frames,
        "arrays": list(samples.arrays),
        "dtype": str(values.dtype),
        "spacing": np.linalg.norm(samples.affine[:3, :3], axis=0).tolist(),
        "lower": low.tolist(),
        "upper": high.tolist(),
        "unit": samples.unit,
        "space": samples.space or None,
        "smallest": smallest,
        "largest": largest,
        "non_finite_values": values.size - count,
        "labels": [
            {"label": label, "name": samples.names.get(label), "samples": number}
            for label, number in (labels or {}).items()
        ],
        "affine": samples.affine.tolist(),
        "remarks": samples.remarks,
    }


def describe(path: Path) -> dict[str, object]:
    """What a mesh, point cloud or volume file, or a set of posed images, holds."""
    from meshlearn.captures.reading import is_capture
    from meshlearn.io import load_document
    from meshlearn.io.numpy_files import POINTS_SUFFIXES, is_points
    from meshlearn.io.registry import suffix_of
    from meshlearn.io.volumes.table import is_volume

    if is_capture(path):
        from meshlearn.captures.describe import describe_capture

        return {"file": str(path), **describe_capture(path)}
    size = {"file": str(path), "bytes": path.stat().st_size}
    if suffix_of(path) in POINTS_SUFFIXES:
        return {**size, **_describe_points(load_document(path))}
    if is_points(path):
        from meshlearn.io.points import load_points

        cloud = load_points(path)
        low, high = cloud.points.amin(0).tolist(), cloud.points.amax(0).tolist()
        facts = {"kind": "points", "points": len(cloud.points), "lower": low, "upper": high}
        return {**size, **facts, "normals": cloud.normals is not None}
    if path.is_dir():
        try:
            return {**size, **_describe_volume(path)}
        except ValueError as error:
            raise ValueError(
                f"{error}; nor are there cameras of images (transforms.json, a COLMAP model)"
            ) from None
    if is_volume(path):
        try:
            return {**size, **_describe_volume(path)}
        except ValueError:
            if path.suffix.lower() not in (".vtk", ".vti", ".pvti"):
                raise  # those of VTK may be flat, or have no numbers: a sheet
    return {**size, **_describe_mesh(load_document(path))}


def _rows(facts: dict[str, object]) -> list[tuple[str, object]]:
    """The table of a file: what is not there, or is as usual, is left out."""
    if facts.get("kind") == "images":
        from meshlearn.captures.describe import rows_of

        return rows_of(facts)
    apart = ("affine", "metadata", "parts", "remarks")
    facts = {k: v for k, v in facts.items() if k not in apart}
    quiet = (
        "offset",
        "quads",
        "larger_polygons",
        "lines",
        "points",
        "cells",
        "non_finite_vertices",
        "materials",
    )
    if facts.get("kind") == "volume":
        unsaid = ("arrays", "labels", "unit", "space", "non_finite_values")
        facts = {k: v for k, v in facts.items() if v or k not in unsaid}
        if facts["frames"] == 1:
            facts.pop("frames")
    if facts.get("kind") == "mesh":
        facts = {k: v for k, v in facts.items() if v or k not in quiet}
        if facts.get("polygons") == facts.get("faces"):
            facts.pop("polygons")
    rows: list[tuple[str, object]] = []
    corners = _corners(facts)
    for name, value in facts.items():
        if name == "defects" and isinstance(value, dict):
            value = ", ".join(f"{v:,} {k.replace('_', ' ')}" for k, v in value.items()) or "none"
        elif name == "labels" and isinstance(value, list):
            value = _label_words(value)
        elif name == "arrays" and isinstance(value, list):
            value = "; ".join(value)
        elif name == "offset" and isinstance(value, list):
            value = " ".join(f"{x:.12g}" for x in value)
        elif name == "cells" and isinstance(value, dict):
            value = ", ".join(f"{n:,} {kind}" for kind, n in value.items())
        elif name in corners:
            value = " ".join(corners[name])
        elif isinstance(value, dict):
            value = [key if not shape else f"{key} {shape}" for key, shape in value.items()]
        elif name == "material_names":
            if not value:
                continue
            value = ", ".join(map(str, value))  # type: ignore[call-overload]
        rows.append((name.replace("_", " "), value))
    return rows


def _label_words(labels: list[dict]) -> str:
    """Labels with their names and how many samples they have."""
    words = [
        f"{label['label']}{' ' + label['name'] if label['name'] else ''} ({label['samples']:,})"
        for label in labels[:_PARTS_SHOWN]
    ]
    rest = len(labels) - len(words)
    return ", ".join(words) + (f", … and {rest:,} more; --json lists them" if rest else "")


def _corners(facts: dict[str, object]) -> dict[str, list[str]]:
    """The corners of a file's box, with digits that tell them apart however far it is."""
    import numpy as np

    from meshlearn.arrays.precision import corner_texts

    names = ("lower", "upper")
    if any(facts.get(name) is None for name in names):
        return {}
    box = np.array([facts[name] for name in names], np.float64)
    return dict(zip(names, corner_texts(box, 5), strict=True))


def _part_rows(parts: list[dict]) -> list[list[object]]:
    rows = []
    for number, part in enumerate(parts[:_PARTS_SHOWN]):
        fields = [
            f"{name} ({domain})"
            for domain in ("vertex", "face", "corner")
            for name in part[f"{domain}_fields"]
        ]
        row = [number, part["name"] or "-", part["vertices"], part["polygons"]]
        rows.append([*row, ", ".join(fields) or "-"])
    return rows


@command("info")
def info(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Meshes, point clouds or volumes, or folders of DICOM or of posed images.",
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Say what files hold."""
    for path in paths:
        if not path.is_dir():
            input_file(path, name="FILE")
    found: list[dict[str, object]] = []
    failed = False
    for number, path in enumerate(paths):
        try:
            facts = describe(path)
        except (ValueError, OSError, ImportError) as error:
            if len(paths) == 1:
                raise
            failed = True
            message(f"error: {' '.join(str(error).split())}")
            facts = {"file": str(path), "error": str(error)}
        found.append(facts)
        if as_json or "error" in facts:
            continue
        if number:
            typer.echo()
        print_table(_rows(facts))
        for sentence in facts.get("remarks") or ():  # type: ignore[attr-defined]
            message(f"  {sentence}")
        parts = facts.get("parts", [])
        if isinstance(parts, list) and len(parts) > 1:
            typer.echo()
            print_table(_part_rows(parts), header=["part", "name", "vertices", "faces", "fields"])
            if len(parts) > _PARTS_SHOWN:
                typer.echo(f"… and {len(parts) - _PARTS_SHOWN:,} more; --json lists them")
    if as_json:
        print_json(found[0] if len(paths) == 1 else found)
    if failed:
        raise SystemExit(1)
