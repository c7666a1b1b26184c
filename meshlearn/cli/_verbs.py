"""The application with all its verbs."""

from __future__ import annotations

from importlib import import_module

import typer

from meshlearn.cli import _app

# The modules that register verbs, in the order of the help; those of `train` are one a model.
VERBS = (
    "reconstruct wrap prepare train train_deepmesh train_heart heart extract convert boolean"
    " decompose repair register remesh smooth subdivide bake info check compare render view doctor"
    " bench"
).split()


def build() -> typer.Typer:
    """The application with every verb registered; verbs import torch and rooms when they run."""
    for verb in VERBS:
        import_module(f"meshlearn.cli.{verb}")
    return _app.app
