"""`meshlearn train MODEL …`: models of many shapes."""

from __future__ import annotations

import typer

from meshlearn.cli._app import app

group = typer.Typer(
    help="Train a model on many shapes; under torchrun in several processes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(group, name="train")
