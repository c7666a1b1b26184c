"""`meshlearn info FILE`: what a mesh, point cloud or volume file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, command
from meshlearn.cli._files import input_file
from meshlearn.cli._mesh import summary
from meshlearn.cli._output import print_json, print_table

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


def _describe_mesh(mesh: Mesh) -> dict[str, object]:
    finite = mesh.vertices[mesh.vertices.isfinite().all(1)]
    low, high = (finite.amin(0), finite.amax(0)) if len(finite) else (None, None)
    return {
        "kind": "mesh",
        **summary(mesh),
        "non_finite_vertices": mesh.num_vertices - len(finite),
        "components": mesh.topology.components().count,
        "boundary_loops": len(mesh.topology.boundary_loops()),
        "lower": None if low is None else low.tolist(),
        "upper": None if high is None else high.tolist(),
        "area": float(mesh.area()),
        "volume": float(mesh.volume()) if mesh.is_watertight else None,
        "dtype": str(mesh.dtype).removeprefix("torch."),
        "vertex_attributes": {k: list(v.shape[1:]) for k, v in mesh.vertex_attributes.items()},
        "face_attributes": {k: list(v.shape[1:]) for k, v in mesh.face_attributes.items()},
        "corner_attributes": sorted(mesh.corner_attributes),
        "materials": len(mesh.materials),
    }


def describe(path: Path) -> dict[str, object]:
    """What a mesh, point cloud or volume file holds."""
    from meshlearn.io import load
    from meshlearn.io.points import is_points, load_points
    from meshlearn.io.volume import is_volume, load_volume

    size = {"file": str(path), "bytes": path.stat().st_size}
    if is_points(path):
        cloud = load_points(path)
        low, high = cloud.points.amin(0).tolist(), cloud.points.amax(0).tolist()
        facts = {"kind": "points", "points": len(cloud.points), "lower": low, "upper": high}
        return {**size, **facts, "normals": cloud.normals is not None}
    if is_volume(path):
        volume = load_volume(path, fill=float("nan"))
        values = volume.values[volume.values.isfinite()]
        low, high = volume.bounds().tolist()
        return {
            **size,
            "kind": "volume",
            "samples": list(volume.values.shape),
            "spacing": volume.spacing,
            "lower": low,
            "upper": high,
            "smallest": float(values.min()) if len(values) else None,
            "largest": float(values.max()) if len(values) else None,
            "non_finite_values": volume.values.numel() - len(values),
            "affine": volume.affine.tolist(),
        }
    return {**size, **_describe_mesh(load(path))}


@command("info")
def info(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A mesh, point cloud or volume.")],
    as_json: JsonFlag = False,
) -> None:
    """Say what a file holds."""
    facts = describe(input_file(path, name="FILE"))
    if as_json:
        print_json(facts)
        return
    facts.pop("affine", None)
    rows = []
    for name, value in facts.items():
        if isinstance(value, dict):
            value = [key if not shape else f"{key} {shape}" for key, shape in value.items()]
        rows.append((name.replace("_", " "), value))
    print_table(rows)
