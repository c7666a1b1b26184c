"""Two meshes beside one another, on top of one another, or one coloured by its distance."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import torch

from meshlearn import metrics
from meshlearn.geometry import point_mesh_distance
from meshlearn.mesh import Mesh
from meshlearn.viewer.coloring import NONE
from meshlearn.viewer.fields import Field
from meshlearn.viewer.panel import Panel, Scene

LAYOUTS = ("side by side", "overlay", "distance map")
SHOWN = {
    "chamfer_raw": "chamfer distance",
    "hausdorff_raw": "Hausdorff distance",
    "f1": "F1 (0.003 of the diagonal)",
    "normal_consistency": "normal consistency",
    "edge_chamfer": "edge chamfer (diagonals)",
    "volume_error": "volume error",
    "area_error": "area error",
    "watertight": "closed",
    "self_intersecting_percent": "self-intersecting %",
}


def distance_field(mesh: Mesh, to: Mesh, name: str = "distance") -> Field:
    """Distance of each vertex of `mesh` to the surface of `to`, in their unit."""
    wide = torch.float64
    squared, _, _ = point_mesh_distance(mesh.vertices.to(wide), to.to(wide))
    return Field(name, "vertex", squared.clamp(min=0).sqrt().numpy())


def metrics_html(found: Mapping[str, object], a: str, b: str) -> str:
    """The figures as a table."""
    rows = []
    for key, label in SHOWN.items():
        if key not in found:
            continue
        value = found[key]
        if value is None:
            text = "–"
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        else:
            text = f"{value:.4g}"
        rows.append(
            f"<tr><td>{escape(label)}</td>"
            f"<td style='text-align:right' data-metric='{key}'>{text}</td></tr>"
        )
    return (
        f"<div style='font-size:0.8em;padding:0 1em 0.5em'><b>{escape(a)}</b> against "
        f"<b>{escape(b)}</b><table class='ml-metrics' style='width:100%'>"
        f"{''.join(rows)}</table></div>"
    )


class ComparePanel(Panel):
    """The first two meshes compared: the first is judged, the second is what it should be.

    Attributes:
        figures: of `meshlearn.metrics.compare`.

    Raises:
        ValueError: fewer than two meshes with faces, or vertices that are not numbers.
    """

    def __init__(self, scene: Scene, *, samples: int = 30_000) -> None:
        self.scene = scene
        pair = [(d, d.item.name, d.item.mesh) for d in scene.drawings if d.item.has_faces][:2]
        meshes = [mesh for _, _, mesh in pair if mesh is not None]
        if len(meshes) < 2:
            raise ValueError("compare: expected two meshes with faces to compare")
        self.own, self.goal = (drawing for drawing, _, _ in pair)
        for _, name, mesh in pair:
            if mesh is not None and not bool(torch.isfinite(mesh.vertices).all()):
                raise ValueError(f"compare: {name} has vertices that are not numbers")
        (_, a, _), (_, b, _) = pair
        scene.fields.add(a, distance_field(meshes[0], meshes[1]))
        scene.fields.add(b, distance_field(meshes[1], meshes[0]))
        self.figures = metrics.compare(meshes[0], meshes[1], samples=samples)
        gui = scene.page.gui
        with gui.add_folder("Compare", order=-1.0):
            self.layout = gui.add_dropdown("Layout", LAYOUTS)
            self._table = metrics_html(self.figures, a, b)
            gui.add_html(self._table)
        self.layout.on_update(lambda _: self.arrange())
        self.arrange()

    @classmethod
    def of(cls, scene: Scene) -> ComparePanel | None:
        return cls(scene) if scene.comparing else None

    def arrange(self) -> None:
        """Places both as the layout says."""
        self.scene.beside(self.own, self.goal, apart=self.layout.value == "side by side")
        self.goal.show(self.layout.value != "distance map")
        wanted = "distance" if self.layout.value == "distance map" else NONE
        if self.scene.fields.chosen != wanted:
            self.scene.fields.choose(wanted)

    def html(self) -> str:
        return self._table
