"""What a panel is: what it is given, and what it may be asked.

A panel is one part of the page's side: a file with one class, and one line in `PANELS` of
`meshlearn.viewer.app`. It is given the scene, and knows no other panel: what one of them changes
(which field colours the surfaces, how they are drawn, what is visible) is the scene's, which tells
the others. The shape of one:

    class GridPanel(Panel):
        def __init__(self, scene: Scene) -> None:
            self.scene = scene
            with scene.page.gui.add_folder("Grid"):
                self.shown = scene.page.gui.add_checkbox("Grid on the floor", False)
            self.shown.on_update(lambda _: self.scene.refresh())

        @classmethod
        def of(cls, scene: Scene) -> GridPanel | None:
            return cls(scene) if scene.drawings else None

        def keys(self) -> list[Key]:
            return [Key("grid", "g", self.toggle)]

        def toggle(self) -> None:
            self.shown.value = not self.shown.value

        def state(self) -> dict[str, object]:
            return {"grid": self.shown.value}

`scene.page.gui` makes viser's controls (https://viser.studio, "GUI"). A key that the page's help
shall name has a row in `KEYS` of `page.js`, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol, TypeVar

from meshlearn.viewer.coloring import Coloring
from meshlearn.viewer.draw import Drawing, Frame, Look
from meshlearn.viewer.items import Item
from meshlearn.viewer.page import Page
from meshlearn.viewer.runs import Run


@dataclass(frozen=True)
class Key:
    """A key of the page; `page.js` lists those that its help shows."""

    label: str
    key: str
    action: Callable[[], object]


@dataclass(frozen=True)
class ShownRun:
    """A run folder and what of it is drawn: the fit, its target and its template, where kept."""

    run: Run
    fit: Drawing
    target: Drawing | None
    template: Drawing | None


class Scene(Protocol):
    """What a panel is given.

    Attributes:
        page: where controls are made.
        items: all that was asked for, also what could not be read.
        drawings: what of it is drawn.
        frame: from a file's unit to the scene's.
        fields: which fields there are and which colours the surfaces.
        run: the run folder that is shown, or None.
        comparing: whether the first two meshes are to be compared.
        lock: held while drawings change; pages ask in threads of their own, and all at once.
    """

    page: Page
    items: list[Item]
    drawings: list[Drawing]
    frame: Frame
    fields: Coloring
    run: ShownRun | None
    comparing: bool
    lock: AbstractContextManager[Any]

    @property
    def look(self) -> Look:
        """How surfaces are drawn."""

    def set_look(self, look: Look) -> None:
        """Draws surfaces otherwise."""

    def refresh(self) -> None:
        """Draws what changed."""

    def shapes_changed(self) -> None:
        """To be called when a drawing shows another shape: its colours and the scene follow."""

    def beside(self, left: Drawing, right: Drawing, *, apart: bool = True) -> None:
        """Puts two drawings side by side, as seen from the first view, or back in one place."""

    def state(self) -> dict[str, object]:
        """What a link carries, of all panels."""

    def follow(self, state: Mapping[str, object]) -> None:
        """Takes what a link carried."""


Self = TypeVar("Self", bound="Panel")


class Panel(Protocol):
    """What a panel may be asked; each answer but the first may be left as it is here."""

    @classmethod
    def of(cls: type[Self], scene: Scene) -> Self | None:
        """The panel with its controls on the page; None where this scene has no use for one."""

    def keys(self) -> Sequence[Key]:
        """Keys that do what its controls do."""
        return ()

    def state(self) -> dict[str, object]:
        """What a link carries of it, as JSON."""
        return {}

    def follow(self, state: Mapping[str, object]) -> None:
        """Takes the state of a link; what it cannot use is left as it is."""

    def html(self) -> str:
        """What a page that is exported keeps of it."""
        return ""

    def shapes_changed(self) -> None:
        """A drawing shows another shape than before."""

    def visibility_changed(self, drawing: Drawing) -> None:
        """A drawing was shown or hidden by something else than this panel's own control."""

    def close(self) -> None:
        """The page ends."""


SMALL = "font-size:0.8em;opacity:0.75;padding:0 1em 0.4em 1em"
_TONES = {"error": "#c0392b", "warning": "#b7791f", "empty": "inherit"}


def note(text: str, kind: str) -> str:
    """A line of words in the panel; kind is "error", "warning" or "empty"."""
    style = f"font-size:0.85em;padding:0.2em 1em;color:{_TONES[kind]}"
    return f"<div class='ml-{kind}' role='note' style='{style}'>{escape(text)}</div>"
