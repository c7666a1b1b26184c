"""The data term of a fit: contour points, the surfaces they lie on, and closest points there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from meshlearn.geometry import point_mesh_distance
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.bases import short_axis_bases
from meshlearn.heart.fit.initial_pose import slice_axes
from meshlearn.heart.fit.settings import HeartSettings
from meshlearn.heart.fit.valves import (
    curtain,
    rim_points,
    rv_annuli,
    rv_discs,
    rv_roof,
)
from meshlearn.heart.model.tessellation import Tessellation
from meshlearn.mesh import Mesh

# what contours of a label lie on
TARGETS = {
    "lv": ("lv_endo",),
    "epi": ("lv_epi", "rv_epi", "apex"),
    "free": ("rv_free",),
    "septum": ("rv_septum",),
    "rv": ("rv_endo",),
    "lv_lid": ("mitral", "aortic"),
}


class DataTerm:
    """Contour points by the surface they lie on, float32, with the slices' shifts in their plane.

    Attributes:
        groups: (surface, points (P, 3), slot (P,) of the slice or -1, weight (P,)).
        numbers, axes: slices, and two directions in the plane of each (S, 3, 2).
        shifts: (S, 2) mm.
        round: whether points lie on the smooth surface beyond the facets, see `bulge`; where
            short-axis slices alone are seen.
    """

    def __init__(self, contours: Contours, settings: HeartSettings, *, rv: bool) -> None:
        self.settings = settings
        self.numbers, axes = slice_axes(contours)
        self.axes = axes.float()
        self.shifts = torch.zeros(len(self.numbers), 2)
        where = {n: i for i, n in enumerate(self.numbers)}
        total = contours.weight.sum()
        self.groups: list[tuple[str, Tensor, Tensor, Tensor]] = []
        between = curtain(contours)
        bases = short_axis_bases(contours)
        # measured: with long axes seen, facets meet another program's surfaces better at
        # end-systole (5 % too small against 7 %), though its own contours no better
        self.round = bool(bases)
        for surface, labels in TARGETS.items():
            if not rv and surface in ("free", "septum", "rv"):
                continue
            on = contours.mask(*(n for n in labels if rv or n != "rv_epi"))
            part = contours.take(on & ~between)
            if len(part):
                slot = torch.tensor([where.get(n, -1) for n in part.slice.tolist()])
                gain = settings.valve if surface.endswith("lid") else 1.0
                name = "wall" if surface == "epi" and not rv else surface
                weight = (part.weight / total * gain).float()
                self.groups.append((name, part.points.float(), slot, weight))
        part = contours.take(between)
        if len(part):  # the lid of the LV stands for the wall between its valves
            slot = torch.tensor([where.get(n, -1) for n in part.slice.tolist()])
            weight = (part.weight / total).float()
            self.groups.append(("lv_lid", part.points.float(), slot, weight))
        if rv:
            annuli = rv_annuli(contours, self.numbers, self.axes)
            discs, which = rv_discs(annuli)
            roof = rv_roof(contours, annuli)
            once = len(annuli[0]) * len(annuli[1]) * float(total)  # seen twice it counts once
            for points, slots, gain in (
                (discs, which, settings.disc / float(total)),
                (roof, torch.full((len(roof),), -1), settings.roof / max(once, 1.0)),
            ):
                if len(points):
                    self.groups.append(("rv_lid", points, slots, torch.full((len(points),), gain)))
        self.lines: list[tuple[Sequence[str], Tensor, Tensor, Tensor]] = []
        edges: list[tuple[Contours, float, Sequence[str]]] = []
        edges.append((rim_points(contours), settings.valve, ["lv_rim"]))
        if rv:
            names = ["insertion_back", "insertion_front"]
            edges.append((contours.of("rv_insert"), settings.insertion, names))
            edges.append((contours.of("tricuspid", "pulmonary"), settings.valve, ["rv_rim"]))
        for name, base in bases.items():
            if name == "lv" or rv:
                last, first = where[base.last], where[base.first]

                def like(points: Tensor, slot: int) -> tuple[Tensor, Tensor, Tensor]:
                    weight = torch.full((len(points),), 1 / float(total))
                    return points.float(), torch.full((len(points),), slot), weight

                if len(base.lid):  # a septum alone on the last slice has nothing beside it
                    self.groups.append((f"{name}_lid", *like(base.lid, last)))
                self.lines.append(([f"{name}_rim"], *like(base.rim, last)))
                if len(base.floor):
                    self.lines.append(([f"{name}_floor"], *like(base.floor, first)))
        for part, gain, lines in edges:
            if len(part):
                slot = torch.tensor([where.get(n, -1) for n in part.slice.tolist()])
                weight = (part.weight / total * gain).float()
                self.lines.append((lines, part.points.float(), slot, weight))

    def moved(self, points: Tensor, slot: Tensor) -> Tensor:
        """Points with the shift of their slice."""
        if not self.settings.shift or not len(self.numbers):
            return points
        by = (self.axes @ self.shifts[..., None]).squeeze(-1)
        return points + by[slot.clamp(min=0)] * (slot >= 0)[:, None]

    def feet(self, vertices: Tensor, tess: Tessellation) -> Iterator[tuple[Tensor, ...]]:
        """For each group: points, slots, weights, the corners (P, 3) and shares (P, 3) of their
        closest points on the surface, and how far (P, 3) the smooth surface lies beyond the facet
        there; last the insertions and the rims of the valves on their lines."""
        for surface, points, slot, weight in self.groups:
            names = ["septum", "free"] if surface == "rv" else [surface]
            mesh = Mesh(vertices, torch.cat([tess.faces[n] for n in names]), validate=False)
            _, face, share = point_mesh_distance(self.moved(points, slot), mesh)
            corners = mesh.faces[face]
            beyond = bulge(vertices, mesh.faces, corners, share)
            if surface == "rv" or not self.round:  # on the edge of its walls normals say nothing
                beyond = torch.zeros_like(beyond)
            yield points, slot, weight, corners, share, beyond
        for edges, points, slot, weight in self.lines:
            lines = [tess.lines[n] for n in edges]
            pairs = torch.cat([torch.stack([line[:-1], line[1:]], 1) for line in lines])
            share, best = _on_lines(self.moved(points, slot), vertices[pairs])
            shares = torch.stack([1 - share, share, torch.zeros_like(share)], 1)
            corners = torch.cat([pairs[best], pairs[best][:, :1]], 1)
            yield points, slot, weight, corners, shares, torch.zeros_like(points)

    def loss(self, vertices: Tensor, tess: Tessellation) -> Tensor:
        """Robust loss (0-d, mm²) of vertices (V, 3), with the prior of the shifts (H8)."""
        total = vertices.new_zeros(())
        for points, slot, weight, corners, share, beyond in self.feet(vertices, tess):
            foot = (vertices[corners] * share[..., None]).sum(1) + beyond
            squared = ((self.moved(points, slot) - foot) ** 2).sum(1)
            total = total + (huber(squared, self.settings.huber) * weight).sum()
        if self.settings.shift and len(self.numbers):
            share = (self.shifts / self.settings.shift).square().sum(1).mean()
            total = total + self.settings.shift_weight * share
        return total


def bulge(vertices: Tensor, faces: Tensor, corners: Tensor, share: Tensor) -> Tensor:
    """How far (P, 3) a smooth surface lies beyond its facets, at shares (P, 3) of corners (P, 3).

    Half of the way from the facet to the planes through its corners that stand on the vertices'
    normals: exact for a parabola. Facets lie inside a round cavity, and a fit of them would make it
    too large, by 1 to 2 % of its volume here. Source: Boubekeur and Alexa, Phong tessellation
    (2008), whose factor is a matter of taste.
    """
    a, b, c = vertices[faces].unbind(1)
    across = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices).index_add_(0, faces.T.reshape(-1), across.repeat(3, 1))
    normals = torch.nn.functional.normalize(normals, dim=1)[corners]
    at = vertices[corners]
    foot = (at * share[..., None]).sum(1)
    below = ((at - foot[:, None]) * normals).sum(-1, keepdim=True)
    return (share[..., None] * below * normals).sum(1) / 2


def _on_lines(points: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Closest of segments (L, 2, 3) for points (P, 3): share of the second end, and which."""
    a, d = ends[:, 0], ends[:, 1] - ends[:, 0]
    along = ((points[:, None] - a) * d).sum(-1) / (d * d).sum(-1).clamp(min=1e-12)
    along = along.clamp(0, 1)
    off = ((points[:, None] - a - along[..., None] * d) ** 2).sum(-1)
    best = off.argmin(1)
    return along[torch.arange(len(points)), best], best


def huber(squared: Tensor, delta: float) -> Tensor:
    """Huber's loss of distances given by their squares: d² / 2, linear beyond `delta` (H9)."""
    far = squared > delta * delta
    root = torch.where(far, squared, 1.0).sqrt()
    return torch.where(far, delta * (root - delta / 2), squared / 2)
