"""Keys of the page, and links that carry a view."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import numpy as np

from meshlearn.viewer.draw import EDGES, SHADINGS

if TYPE_CHECKING:
    from meshlearn.viewer.app import App


def add_commands(app: App) -> None:
    """Keys as the page's help lists them."""

    def turn(shading: str) -> None:
        control = app.controls["shading"]
        control.value = "smooth" if control.value == shading else shading
        app.look_changed()

    def edges() -> None:
        on = not any(app.controls[kind].value for kind in EDGES)
        for kind in EDGES:
            app.controls[kind].value = on
        app.look_changed()

    def normals() -> None:
        app.controls["normals"].value = not app.controls["normals"].value
        app.look_changed()

    def reset() -> None:
        start = app.server.initial_camera
        for client in app.server.get_clients().values():
            client.camera.position, client.camera.look_at = start.position, start.look_at

    def step(by: int) -> None:
        panel = app.run_panel
        panel.follow.value = False
        panel.slider.value = int(np.clip(panel.slider.value + by, 0, len(panel.run.steps) - 1))
        panel.show(panel.slider.value)

    def play() -> None:
        app.run_panel.play.value = not app.run_panel.play.value

    keys = [("Back to the first view", "R", reset), ("Dark or light", "D", app.switch_theme),
            ("Link to this view", "L", lambda: app.links.make())]  # fmt: skip
    if app.controls:
        keys += [("Wireframe", "W", lambda: turn("wireframe")), ("Flat", "F", lambda: turn("flat")),
                 ("Edges", "E", edges), ("Normals", "N", normals)]  # fmt: skip
    if app.run_panel is not None:
        keys += [("Play", "space", play), ("Next step", "arrowright", lambda: step(1)),
                 ("Step before", "arrowleft", lambda: step(-1))]  # fmt: skip
    for label, key, action in keys:
        command = app.server.gui.add_command(label, hotkey=key)
        command.on_trigger(lambda _, action=action: action())


class Links:
    """Links to a camera, a field and a look: made on demand, followed when a page connects."""

    def __init__(self, app: App) -> None:
        self.app = app
        gui = app.server.gui
        with gui.add_folder("Link", expand_by_default=False):
            button = gui.add_button("Link to this view")
            self.text = gui.add_html("")
        button.on_click(lambda event: self.make(event.client))
        app.server.on_client_connect(self._connected)

    def make(self, client: object = None) -> str:
        """A link to what a client (default: the newest) sees now; shown in the panel."""
        clients = self.app.server.get_clients()
        client = client or (clients[max(clients)] if clients else None)
        query = {"view": json.dumps(self._state(), separators=(",", ":"))}
        if client is not None:
            camera = client.camera
            for name, value in (("Position", camera.position), ("LookAt", camera.look_at),
                                ("Up", camera.up_direction)):  # fmt: skip
                query[f"initialCamera{name}"] = ",".join(f"{v:.4g}" for v in value)
        url = f"{self.app.url}/?{urlencode(query, quote_via=quote)}"
        self.text.content = (
            f"<div style='padding:0 1em 0.5em;font-size:0.75em;word-break:break-all'>"
            f"<a class='ml-link' href='{escape(url, quote=True)}'>{escape(url)}</a></div>"
        )
        return url

    def _state(self) -> dict:
        look = self.app.look
        state = {"shading": look.shading, "edges": sorted(look.edges), "opacity": look.opacity}
        if self.app.field_panel is not None:
            state["field"] = self.app.field_panel.name.value
        return state

    def _connected(self, client: object) -> None:
        connections = self.app.server._websock_server._live_connections
        connection = connections.get(client.client_id)
        if connection is None or connection.request is None:
            return
        text = parse_qs(urlsplit(connection.request.path).query).get("view", [""])[0]
        if text:
            self.follow(text)

    def follow(self, text: str) -> None:
        """Takes the state of a link; what it cannot use is left as it is."""
        try:
            state = json.loads(unquote(text))
        except ValueError:
            return
        if not isinstance(state, dict):
            return
        controls = self.app.controls
        if controls:
            if state.get("shading") in SHADINGS:
                controls["shading"].value = state["shading"]
            if isinstance(state.get("opacity"), int | float):
                controls["opacity"].value = float(np.clip(state["opacity"], 0.1, 1.0))
            if isinstance(state.get("edges"), list):
                for kind in EDGES:
                    controls[kind].value = kind in state["edges"]
            self.app.look_changed()
        panel = self.app.field_panel
        if panel is not None and state.get("field") in ("none", *panel.names()):
            panel.choose(state["field"])
