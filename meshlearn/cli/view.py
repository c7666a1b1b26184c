"""`meshlearn view FILE…`: meshes, point clouds and runs in a browser page."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import OverwriteFlag, choice, command, message
from meshlearn.cli._files import output_file


@command("view")
def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Meshes, points, contours, cameras; folders of runs or hearts."
        ),
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare the first two: is FILE 1 as FILE 2?")
    ] = False,
    field: Annotated[
        str, typer.Option(help="Name of the field to show, or a .npy file for the first mesh.")
    ] = "",
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="First port tried; the next one if in use.")
    ] = 8080,
    shading: Annotated[
        str, choice("smooth", "flat", "wireframe", help="How surfaces are drawn.")
    ] = "smooth",
    dark: Annotated[bool, typer.Option("--dark", help="A dark page.")] = False,
    decimate: Annotated[
        int | None, typer.Option(min=1, help="Most faces of a mesh; larger ones are simplified.")
    ] = None,
    shot: Annotated[
        Path | None, typer.Option(help="Write a picture (.png) of the page and end.")
    ] = None,
    size: Annotated[str, typer.Option(help="Of --shot, in pixels.")] = "1280x800",
    export: Annotated[
        Path | None, typer.Option(help="Write the scene as one .html file and end.")
    ] = None,
    overwrite: OverwriteFlag = False,
) -> None:
    """Show files in a browser page that this machine alone can open."""
    if shot is not None:
        output_file(shot, overwrite=overwrite, suffixes=(".png",), name="--shot")
    if export is not None:
        output_file(export, overwrite=overwrite, suffixes=(".html",), name="--export")
    pixels = _pixels(size)
    from meshlearn.viewer.page import Page, import_viser, title_of

    import_viser()
    watched = shot is None and export is None
    with contextlib.ExitStack() as stack:
        served = None
        if watched:  # the page loads while the files are read
            title = title_of(path.name for path in files)
            served = stack.enter_context(Page(title, port=port, dark=dark))
            if served.port != port:
                message(f"port {port} is in use; took {served.port}")
            message(f"{served.url}  (Ctrl-C ends it)")
        from meshlearn.viewer.app import App, Options
        from meshlearn.viewer.draw import Look
        from meshlearn.viewer.gather_items import gather

        items, run, field, extra = gather(files, field=field, most_faces=decimate)
        for item in items:
            for text in [item.error] if item.error else item.notes:
                message(f"warning: {item.path}: {text}")
        if run is None and all(item.error for item in items):
            raise ValueError("FILE: none of them could be read")
        options = Options(
            port=port,
            dark=dark,
            look=Look(shading=shading),
            field=field,
            compare=compare,
            extra=extra,
        )
        app = stack.enter_context(App(items, options, run=run, page=served))
        if shot is not None:
            from meshlearn.viewer.shot import take_shot

            take_shot(app, shot, size=pixels)
            message(f"wrote {shot}")
        if export is not None:
            from meshlearn.viewer.export import export_page

            export_page(app, export)
            message(f"wrote {export} ({export.stat().st_size / 1e6:.1f} MB)")
        if watched:
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
