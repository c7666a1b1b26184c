"""The part of the panel that scrubs through a run: steps, play, curves, following it live."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from html import escape

from meshlearn.viewer.panel import Key, Panel, Scene, ShownRun

STROKES = ("#2f6fb0", "#d9822b", "#3d9950", "#a85ba8", "#888888")


class RunPanel(Panel):
    """Steers the drawing of one run.

    Args:
        scene: the page.
        shown: the folder, and what of it is drawn.
    """

    def __init__(self, scene: Scene, shown: ShownRun) -> None:
        self.scene, self.run, self.fit, self.target = scene, shown.run, shown.fit, shown.target
        self._shown: int | None = None
        run, gui = self.run, scene.page.gui
        with gui.add_folder(f"Run {run.folder.name}", order=-2.0):
            self.words = gui.add_html("")
            self.slider = gui.add_slider(run.word, 0, max(1, len(run.steps) - 1), 1, 0)
            self.play = gui.add_checkbox("Play", False)
            self.following = gui.add_checkbox("Follow", True)
            names, data = run.curves()
            self._names = names
            labels = names if run.linear else [f"log10 {name}" for name in names]
            series = [
                {"label": label, "stroke": STROKES[k], "width": 1.5}
                for k, label in enumerate(labels)
            ]
            self.chart = gui.add_uplot(
                data,
                ({"label": run.word.lower()}, *series),
                scales={"x": {"time": False}},
                height=180,
            )
        self.slider.on_update(lambda _: self.show(self.slider.value))
        if self.target is not None:
            scene.beside(self.fit, self.target)
        self.update()
        if shown.template is not None:
            shown.template.place(self.fit.shift)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, scene: Scene) -> RunPanel | None:
        return None if scene.run is None else cls(scene, scene.run)

    def keys(self) -> Sequence[Key]:
        return (
            Key("Play", "space", self._turn_play),
            Key("Next step", "arrowright", lambda: self._step(1)),
            Key("Step before", "arrowleft", lambda: self._step(-1)),
        )

    def _turn_play(self) -> None:
        self.play.value = not self.play.value

    def _step(self, by: int) -> None:
        self.following.value = False
        index = min(max(self.slider.value + by, 0), len(self.run.steps) - 1)
        self.slider.value = index
        self.show(index)

    def show(self, index: int) -> None:
        """Shows the mesh of the step at a place in ``run.steps``."""
        with self.scene.lock:
            if not self.run.steps:
                return
            step = self.run.steps[min(index, len(self.run.steps) - 1)]
            if step == self._shown:
                return
            item = self.run.shape(step)
            if item is None:
                return
            self._shown = step
            item.name = self.fit.item.name
            self.fit.replace(item)
            self.scene.shapes_changed()
        self._tell()

    def _tell(self) -> None:
        at = (
            ""
            if self._shown is None
            else f"{self.run.word} {self._shown}: {self.fit.item.summary or 'no surface yet'}. "
        )
        self.words.content = (
            f"<div class='ml-run' data-step='{self._shown}' style='font-size:0.85em;"
            f"padding:0 1em 0.4em'>{escape(at + self.run.state)}</div>"
        )

    def update(self) -> None:
        """Takes in what the folder has now; shows the newest mesh when following."""
        last = max(0, len(self.run.steps) - 1)
        if self.run.steps:
            self.slider.max = max(1, last)
        names, data = self.run.curves()
        if names == self._names:
            self.chart.data = data
        if self.following.value or self._shown is None:
            self.slider.value = last
            self.show(last)
        self._tell()

    def _live(self) -> None:
        while not self._stop.wait(0.15):
            if self.run.reload():
                self.update()
            if self.play.value and self.run.steps:
                self.following.value = False
                following = self.slider.value + 1
                self.slider.value = following if following < len(self.run.steps) else 0
                self.show(self.slider.value)
                time.sleep(0.05)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=2)
