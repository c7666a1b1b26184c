"""A mesh in memory shown on a page: what `mesh.show()` does."""

from __future__ import annotations

import sys
import webbrowser

from meshlearn.mesh import Mesh
from meshlearn.viewer.app import App, Options
from meshlearn.viewer.items import item_of
from meshlearn.viewer.material_patches import patches_of


def show(
    mesh: Mesh,
    *,
    name: str = "mesh",
    field: str = "",
    port: int = 8080,
    browser: bool = True,
    block: bool | None = None,
) -> App:
    """Opens a page with a mesh, which this machine alone can open.

    Args:
        name: what the page calls it.
        field: name of an attribute that is shown as colours first.
        port: the first port tried.
        browser: open the page in the browser of this machine.
        block: wait until interrupted, as a script has to; None: wait unless in a notebook or a
            prompt of Python, where the page stays until the answer's `close()`.

    Returns:
        The app; its ``url`` is the page.

    Raises:
        ImportError: viser is not installed (the extra "viewer").
        ValueError: there is nothing to draw.
    """
    item = item_of(name, mesh)
    if item.error:
        raise ValueError(f"mesh: {item.error}; make one with vertices or faces")
    item.patches = patches_of(item.mesh) if item.has_faces and item.mesh is not None else []
    app = App([item], Options(port=port, field=field))
    if browser:
        webbrowser.open(app.url)
    if block is None:
        block = not hasattr(sys, "ps1") and "IPython" not in sys.modules
    if block:
        with app:
            try:
                app.wait()
            except KeyboardInterrupt:
                pass
    return app
