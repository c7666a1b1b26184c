"""`meshlearn view FILE…`: meshes, point clouds and runs in a browser page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import OverwriteFlag, choice, command, message
from meshlearn.cli._files import output_file


@command("view")
def view(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Meshes, point clouds.")],
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="First port tried; the next one if in use.")
    ] = 8080,
    shading: Annotated[
        str, choice("smooth", "flat", "wireframe", help="How surfaces are drawn.")
    ] = "smooth",
    dark: Annotated[bool, typer.Option("--dark", help="A dark page.")] = False,
    shot: Annotated[
        Path | None, typer.Option(help="Write a picture (.png) of the page and end.")
    ] = None,
    size: Annotated[str, typer.Option(help="Of --shot, in pixels.")] = "1280x800",
    overwrite: OverwriteFlag = False,
) -> None:
    """Show files in a browser page that this machine alone can open."""
    if shot is not None:
        output_file(shot, overwrite=overwrite, suffixes=(".png",), name="--shot")
    pixels = _pixels(size)
    import viewer
    from viewer.app import import_viser
    from viewer.draw import Look

    import_viser()
    items = [viewer.read_item(path) for path in files]
    for item in items:
        if item.error:
            message(f"warning: {item.path}: {item.error}")
    if all(item.error for item in items):
        raise ValueError("FILE: none of them could be read")
    options = viewer.Options(port=port, dark=dark, look=Look(shading=shading))
    with viewer.App(items, options) as app:
        if shot is not None:
            from viewer.shot import take_shot

            take_shot(app, shot, size=pixels)
            message(f"wrote {shot}")
            return
        if app.port != port:
            message(f"port {port} is in use; took {app.port}")
        message(f"{app.url}  (Ctrl-C ends it)")
        app.wait()


def _pixels(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (64 <= width <= 8192 and 64 <= height <= 8192):
        raise typer.BadParameter(
            f"expected WIDTHxHEIGHT such as 1280x800, got {text!r}", param_hint="--size"
        )
    return width, height
