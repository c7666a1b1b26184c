"""What lies under a click: id, position and attributes of the nearest face, vertex or point."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch

from meshlearn.arrays.precision import box_of, place_texts
from meshlearn.geometry import MeshBVH, ray_mesh_intersection
from meshlearn.mesh import Mesh
from meshlearn.viewer.draw import Drawing
from meshlearn.viewer.items import drawable_faces
from meshlearn.viewer.panel import Panel, Scene


@dataclass(frozen=True)
class Picked:
    """A place on an item.

    Attributes:
        item: its name.
        face: index of the face in the file, or None for a point.
        vertex: index of the nearest corner, or of the point.
        position: (3,) in the file's unit.
        attributes: name -> value there.
        distance: along the ray, in the scene's unit.
        text: the position as people read it, with the digits that the item's size asks for.
    """

    item: str
    face: int | None
    vertex: int
    position: np.ndarray
    attributes: dict[str, str]
    distance: float
    text: str

    def html(self) -> str:
        rows = [("item", self.item)]
        if self.face is not None:
            rows.append(("face", f"{self.face}"))
        rows += [("vertex" if self.face is not None else "point", f"{self.vertex}")]
        rows.append(("position", self.text))
        rows += list(self.attributes.items())
        cells = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in rows)
        return f"<table class='ml-picked' style='font-size:0.85em;margin:0 1em'>{cells}</table>"


def _text(place: np.ndarray, points: np.ndarray) -> str:
    """A place (3,) among points (P, 3) as people read it."""
    box = box_of(points)
    return " ".join(place_texts(place[None], place[None].repeat(2, 0) if box is None else box)[0])


class PickPanel(Panel):
    """Answers clicks; search trees are built on the first click of each shape."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._trees: dict[Drawing, tuple[Mesh, MeshBVH, np.ndarray]] = {}
        self.last: Picked | None = None
        gui = scene.page.gui
        with gui.add_folder("Picked"):
            self.text = gui.add_html(
                "<div style='font-size:0.8em;opacity:0.75;padding:0 1em 0.4em'>"
                "Click the shape to see what is there.</div>"
            )
        self._mark: Any = None

        @scene.page.scene.on_click()
        def _(event: Any) -> None:
            self.pick(np.array(event.ray_origin), np.array(event.ray_direction))

    @classmethod
    def of(cls, scene: Scene) -> PickPanel | None:
        return cls(scene) if scene.drawings else None

    def pick(self, origin: np.ndarray, direction: np.ndarray) -> Picked | None:
        """The first thing along a ray (scene's unit), told in the panel; None for a miss."""
        origin = np.asarray(origin, np.float64)
        direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        visible = [d for d in self.scene.drawings if d.visible]
        tries = [
            find(d, origin - d.shift, direction)
            for d in visible
            for find in (self._face, self._point)
        ]
        hits = [hit for hit in tries if hit is not None]
        self.last = min(hits, key=lambda hit: hit.distance) if hits else None
        if self._mark is not None:
            self._mark.remove()
            self._mark = None
        if self.last is None:
            self.text.content = "<div style='padding:0 1em'>Nothing is there.</div>"
            return None
        self.text.content = self.last.html()
        self._mark = self.scene.page.scene.add_icosphere(
            "/picked", 0.012, (230, 60, 40), cast_shadow=False,
            position=tuple(origin + self.last.distance * direction),
        )  # fmt: skip
        return self.last

    def _tree(self, drawing: Drawing) -> tuple[MeshBVH, np.ndarray]:
        mesh = drawing.mesh
        known = self._trees.get(drawing)
        if known is None or known[0] is not mesh:
            keep = drawable_faces(mesh)
            vertices = np.nan_to_num(drawing.frame.into(mesh.vertices.numpy())).astype(np.float64)
            plain = Mesh(torch.from_numpy(vertices), mesh.faces[torch.from_numpy(keep)])
            known = (mesh, MeshBVH(plain), keep)
            self._trees[drawing] = known
        return known[1], known[2]

    def _face(self, drawing: Drawing, origin: np.ndarray, direction: np.ndarray) -> Picked | None:
        item = drawing.item
        if not item.has_faces or not len(drawable_faces(drawing.mesh)):
            return None
        tree, keep = self._tree(drawing)
        hit = ray_mesh_intersection(
            torch.from_numpy(origin[None]), torch.from_numpy(direction[None]), tree
        )
        if int(hit.face[0]) < 0:
            return None
        face = int(keep[int(hit.face[0])])
        distance = float(hit.distance[0])
        corner = int(hit.barycentric[0].argmax())
        vertex = int(drawing.mesh.faces[face, corner])
        place = drawing.frame.back(origin + distance * direction)
        told = self._told(drawing, face, vertex)
        text = _text(place, drawing.mesh.vertices.numpy())
        return Picked(item.name, face, vertex, place, told, distance, text)

    def _point(self, drawing: Drawing, origin: np.ndarray, direction: np.ndarray) -> Picked | None:
        item = drawing.item
        if not len(item.points):
            return None
        away = drawing.frame.into(item.points) - origin
        along = away @ direction
        off = np.linalg.norm(away - along[:, None] * direction, axis=1)
        near = (off < 0.02) & (along > 0)
        if not near.any():
            return None
        index = int(np.where(near, along, np.inf).argmin())
        told = {name: texts[index] for name, texts in item.told.items()}
        place = item.points[index]
        text = _text(place, item.points)
        return Picked(item.name, None, index, place, told, float(along[index]), text)

    def _told(self, drawing: Drawing, face: int, vertex: int) -> dict[str, str]:
        mesh, told = drawing.mesh, {}
        for attributes, index in ((mesh.vertex_attributes, vertex), (mesh.face_attributes, face)):
            for name, value in attributes.items():
                row = value[index].reshape(-1)[:4].tolist()
                told[name] = " ".join(f"{number:.5g}" for number in row)
        chosen = self.scene.fields.shown(drawing)
        if chosen is not None:
            value = chosen.values[vertex if chosen.domain == "vertex" else face]
            told.setdefault(chosen.name, f"{value:.5g}")
        return told
