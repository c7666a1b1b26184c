"""The part of the panel that says how surfaces are drawn, and takes them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meshlearn.viewer.draw import EDGES, SHADINGS, Look
from meshlearn.viewer.panel import Key, Panel, Scene


class LookPanel(Panel):
    """Controls of the scene's `Look`, by the name of what each sets.

    Attributes:
        controls: "shading", "opacity", each kind of edges, "normals", "back", "colors".
        apart: how far the parts of meshes that have some are moved away from one another, or None.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        look, gui = scene.look, scene.page.gui
        self.controls: dict[str, Any] = {}
        self.apart: Any = None
        with gui.add_folder("Look"):
            self.controls["shading"] = gui.add_dropdown(
                "Shading", SHADINGS, initial_value=look.shading
            )
            self.controls["opacity"] = gui.add_slider("Opacity", 0.1, 1.0, 0.05, look.opacity)
            for kind in EDGES:
                self.controls[kind] = gui.add_checkbox(
                    f"{kind.capitalize()} edges", kind in look.edges
                )
            self.controls["normals"] = gui.add_checkbox("Normals", look.normals)
            self.controls["back"] = gui.add_checkbox("Tint back faces", look.back)
            self.controls["colors"] = gui.add_checkbox("Colours of the file", look.colors)
            if any(d.item.parts is not None for d in scene.drawings):
                self.apart = gui.add_slider("Take apart", 0.0, 2.0, 0.05, 0.0)
                self.apart.on_update(lambda event: self.take_apart(event.target.value))
        for control in self.controls.values():
            control.on_update(lambda _: self.update())

    @classmethod
    def of(cls, scene: Scene) -> LookPanel | None:
        shaded = any(d.item.mesh is not None or d.item.normals is not None for d in scene.drawings)
        return cls(scene) if shaded else None

    def update(self) -> None:
        """Takes the look from the controls."""
        value = {name: control.value for name, control in self.controls.items()}
        edges = frozenset(kind for kind in EDGES if value.pop(kind))
        self.scene.set_look(Look(edges=edges, **value))

    def take_apart(self, share: float) -> None:
        """Moves the parts of meshes that have some away from one another."""
        with self.scene.lock:
            for drawing in self.scene.drawings:
                drawing.take_apart(share)
            self.scene.refresh()

    def keys(self) -> Sequence[Key]:
        return (
            Key("Wireframe", "W", lambda: self._turn("wireframe")),
            Key("Flat", "F", lambda: self._turn("flat")),
            Key("Edges", "E", self._turn_edges),
            Key("Normals", "N", self._turn_normals),
        )

    def _turn(self, shading: str) -> None:
        control = self.controls["shading"]
        control.value = "smooth" if control.value == shading else shading
        self.update()

    def _turn_edges(self) -> None:
        on = not any(self.controls[kind].value for kind in EDGES)
        for kind in EDGES:
            self.controls[kind].value = on
        self.update()

    def _turn_normals(self) -> None:
        self.controls["normals"].value = not self.controls["normals"].value
        self.update()

    def state(self) -> dict[str, object]:
        look = self.scene.look
        return {"shading": look.shading, "edges": sorted(look.edges), "opacity": look.opacity}

    def follow(self, state: Mapping[str, object]) -> None:
        shading, opacity, edges = (state.get(name) for name in ("shading", "opacity", "edges"))
        if shading in SHADINGS:
            self.controls["shading"].value = shading
        if isinstance(opacity, int | float):
            self.controls["opacity"].value = float(np.clip(opacity, 0.1, 1.0))
        if isinstance(edges, list):
            for kind in EDGES:
                self.controls[kind].value = kind in edges
        self.update()
