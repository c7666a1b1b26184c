"""What verbs say of a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from meshlearn.cli._app import message
from meshlearn.cli._output import print_json, text_of

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


def summary(mesh: Mesh) -> dict[str, object]:
    """Counts, and whether the mesh is closed, manifold and oriented."""
    return {
        "vertices": mesh.num_vertices,
        "faces": mesh.num_faces,
        "watertight": mesh.is_watertight,
        "manifold": mesh.is_edge_manifold and mesh.is_vertex_manifold,
        "consistently_oriented": mesh.is_consistently_oriented,
        "components": int(mesh.topology.components().count),
        "euler_number": mesh.topology.euler_number,
    }


def tell_written(
    out: Path, facts: Mapping[str, object], *, seconds: float, as_json: bool, **more: object
) -> None:
    """After a file was written: JSON on stdout, or one line on stderr."""
    if as_json:
        print_json({"output": out, "seconds": round(seconds, 3), **facts, **more})
        return
    words = [f"{text_of(facts['vertices'])} vertices", f"{text_of(facts['faces'])} faces"]
    for name in ("watertight", "manifold"):
        if name in facts:
            words.append(name if facts[name] else f"not {name}")
    if "components" in facts:
        count = facts["components"]
        words.append(f"{count} component{'s' * (count != 1)}")
        words.append(f"Euler number {facts['euler_number']}")
    message(f"wrote {out}: {', '.join(words)} ({seconds:.2f} s)")
