"""The part of the panel that makes links to a camera, a field and a look, and follows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from meshlearn.viewer.panel import Key, Panel, Scene

if TYPE_CHECKING:
    from viser import ClientHandle


class LinkPanel(Panel):
    """Links are made on demand, and followed when a page connects."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        gui = scene.page.gui
        with gui.add_folder("Link", expand_by_default=False):
            button = gui.add_button("Link to this view")
            self.text = gui.add_html("")
        button.on_click(lambda event: self.make(event.client))
        scene.page.on_connect(self._connected)

    @classmethod
    def of(cls, scene: Scene) -> LinkPanel | None:
        return cls(scene) if scene.drawings else None

    def keys(self) -> Sequence[Key]:
        return (Key("Link to this view", "L", self.make),)

    def make(self, client: ClientHandle | None = None) -> str:
        """A link to what a client (default: the newest) sees now; shown in the panel."""
        clients = self.scene.page.clients()
        client = client or (clients[max(clients)] if clients else None)
        query = {"view": json.dumps(self.scene.state(), separators=(",", ":"))}
        if client is not None:
            camera = client.camera
            for name, value in (("Position", camera.position), ("LookAt", camera.look_at),
                                ("Up", camera.up_direction)):  # fmt: skip
                query[f"initialCamera{name}"] = ",".join(f"{v:.4g}" for v in value)
        url = f"{self.scene.page.url}/?{urlencode(query, quote_via=quote)}"
        self.text.content = (
            f"<div style='padding:0 1em 0.5em;font-size:0.75em;word-break:break-all'>"
            f"<a class='ml-link' href='{escape(url, quote=True)}'>{escape(url)}</a></div>"
        )
        return url

    def _connected(self, address: str) -> None:
        text = parse_qs(urlsplit(address).query).get("view", [""])[0]
        try:
            state = json.loads(unquote(text))
        except ValueError:
            return
        if isinstance(state, dict):
            self.scene.follow(state)
