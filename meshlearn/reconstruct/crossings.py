"""Triangles of a fit that cross each other, taken apart at its end.

Extractors split quads in two where a fit saw four triangles about a middle, or chose a diagonal
before the vertices had come to rest: where a quad is bent, one diagonal cuts through the sheet
beside it, and the other does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.mesh import Mesh
from meshlearn.metrics import self_intersections
from meshlearn.reconstruct import settings


def uncrossed(mesh: Mesh, scale: float) -> Mesh:
    """A mesh of which fewer faces cross others, with the same vertices and as many faces.

    Edges of faces that cross others are turned to the other diagonal of the two faces beside them,
    then vertices of what still crosses move towards their neighbours, by less than a tenth of a
    cell; each only where fewer faces cross by it. Components, handles and cavities stay.

    Args:
        mesh: F faces, edges with two faces at most.
        scale: edge of a cell.

    Returns:
        The mesh itself where nothing is mended, or where attributes of faces or corners would
        lose their places.

    Example:
        >>> mended = uncrossed(shape.final_mesh(), shape.scale)
    """
    bad = (self_intersections(mesh) >= 0).nonzero().squeeze(1)
    few = len(bad) <= settings.CROSSINGS_FEW + settings.CROSSINGS_SHARE * mesh.num_faces
    if len(bad) == 0 or not few or mesh.face_attributes or mesh.corner_attributes:
        return mesh
    work = _Work(mesh, scale)
    for mend in (work.turn_edges_of, work.move_vertices_of):
        for _ in range(settings.CROSSINGS_ROUNDS):
            bad = work.crossing()
            if not len(bad) or not sum([mend(face) for face in bad.tolist()]):
                break
    if not work.changed:
        return mesh
    return Mesh(
        work.points.to(mesh.vertices),
        work.faces.to(mesh.device),
        vertex_attributes=mesh.vertex_attributes,
        validate=False,
    )


class _Work:
    """A mesh under change, in float64 on the CPU, and the boxes of its faces."""

    def __init__(self, mesh: Mesh, scale: float) -> None:
        self.dtype, self.scale, self.changed = mesh.dtype, scale, False
        self.points = mesh.vertices.detach().double().cpu().clone()
        self.given = self.points.clone()
        self.faces = mesh.faces.cpu().clone()
        corner = self.points[self.faces]
        self.low, self.high = corner.amin(1), corner.amax(1)

    def crossing(self) -> Tensor:
        """(K,) faces that cross others."""
        return (self_intersections(Mesh(self.points, self.faces)) >= 0).nonzero().squeeze(1)

    def _near(self, low: Tensor, high: Tensor) -> Tensor:
        """(K,) faces whose boxes meet a box."""
        return ((self.low <= high) & (self.high >= low)).all(1).nonzero().squeeze(1)

    def _crossings(self, near: Tensor) -> int:
        """How many of some faces cross others of them."""
        return int((self_intersections(Mesh(self.points, self.faces[near])) >= 0).sum())

    def _set_faces(self, which: Tensor, faces: Tensor) -> None:
        self.faces[which] = faces
        corner = self.points[faces]
        self.low[which], self.high[which] = corner.amin(1), corner.amax(1)

    def turn_edges_of(self, face: int) -> bool:
        """Turns the edge of a face by which most crossings go, if any goes."""
        best: tuple[int, Tensor, Tensor] | None = None
        for side in range(3):
            found = self._turned(face, side)
            if found is None:
                continue
            pair, faces = found
            corner = self.points[faces.reshape(-1)]
            near = self._near(corner.amin(0), corner.amax(0))
            old, before = self.faces[pair].clone(), self._crossings(near)
            self._set_faces(pair, faces)
            gone = before - self._crossings(near)
            self._set_faces(pair, old)
            if gone > 0 and (best is None or gone > best[0]):
                best = gone, pair, faces
        if best is not None:
            self._set_faces(*best[1:])
            self.changed = True
        return best is not None

    def _turned(self, face: int, side: int) -> tuple[Tensor, Tensor] | None:
        """The two faces at a side of one, and what they become with the other diagonal; None where
        that is an edge already, or far from the one that it replaces."""
        a, b, c = self.faces[face].roll(-side).tolist()
        ring = self._near(self.low[face], self.high[face])
        around = self.faces[ring]
        across = ((around == b) & (around.roll(-1, 1) == a)).any(1).nonzero().squeeze(1)
        if len(across) != 1:
            return None
        other = self.faces[ring[across[0]]]
        d = int(other[(other != a) & (other != b)][0])
        if c == d or bool(((around == c).any(1) & (around == d).any(1)).any()):
            return None
        p, q, r, s = self.points[[a, b, c, d]]
        normal = torch.linalg.cross(q - p, s - r)
        apart = ((r - p) * normal).sum().abs() / normal.norm().clamp(min=1e-300)
        if float(apart) > settings.TURNED_BY * self.scale:
            return None
        pair = torch.stack([torch.tensor(face), ring[across[0]]])
        return pair, torch.tensor([[a, d, c], [d, b, c]])

    def move_vertices_of(self, face: int) -> bool:
        """Moves one vertex of a face towards its neighbours, if fewer faces cross by it."""
        reach = settings.MOVED_BY * self.scale
        for vertex in self.faces[face].tolist():
            star = (self.faces == vertex).any(1).nonzero().squeeze(1)
            ring = self.faces[star].reshape(-1)
            here = self.points[vertex].clone()
            way = self.points[ring[ring != vertex]].mean(0) - here
            corner = self.points[self.faces[star].reshape(-1)]
            near = self._near(corner.amin(0) - reach, corner.amax(0) + reach)
            before = self._crossings(near)
            for part in settings.MOVED_PARTS:
                step = part * way / max(1.0, float(way.norm()) / reach)
                away = here + step - self.given[vertex]
                away = away / max(1.0, float(away.norm()) / reach)
                # as it will be in the mesh's own precision
                self.points[vertex] = (self.given[vertex] + away).to(self.dtype).double()
                if self._crossings(near) < before:
                    self._set_faces(star, self.faces[star])
                    self.changed = True
                    return True
            self.points[vertex] = here
        return False
