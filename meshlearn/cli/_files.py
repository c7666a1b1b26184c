"""Checks of input and output names, made before any work starts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import typer


def input_file(path: Path, *, name: str = "INPUT") -> Path:
    """`path` if it is a file that can be read and is not empty."""
    if path.is_dir():
        raise ValueError(f"{name}: expected a file, got the folder {path}")
    if not path.exists():
        raise ValueError(f"{name}: there is no file {path}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{name}: {path} cannot be read (permission denied)")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{name}: the file {path} is empty")
    return path


def holds_images(path: Path, *, name: str = "INPUT") -> bool:
    """Whether `path` has cameras of images: a folder of them, or a file `transforms….json`.

    Anything else is checked as `input_file` does.
    """
    from meshlearn.captures.reading import is_capture
    from meshlearn.captures.transforms import FILE

    if path.is_dir():
        if not is_capture(path):
            raise ValueError(f"{name}: the folder {path} holds neither {FILE} nor a COLMAP model")
        return True
    input_file(path, name=name)
    return is_capture(path)


def output_file(path: Path, *, overwrite: bool, suffixes: Iterable[str], name: str = "OUT") -> Path:
    """`path` if it may be written: a known extension, an existing folder, nothing to lose."""
    known = sorted(suffixes)
    if not any(path.name.lower().endswith(suffix) for suffix in known):
        raise ValueError(
            f"{name}: unknown extension {path.suffix!r} of {path}; expected {', '.join(known)}"
        )
    if path.is_dir():
        raise ValueError(f"{name}: expected a file name, got the folder {path}")
    if not path.parent.is_dir():
        raise ValueError(f"{name}: the folder {path.parent} does not exist; make it first")
    if path.exists() and not overwrite:
        raise ValueError(f"{name}: {path} exists; give --overwrite to replace it")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{name}: the folder {path.parent} cannot be written to")
    return path


def mesh_output(path: Path, *, overwrite: bool, name: str = "OUT") -> Path:
    """As `output_file`, for the mesh formats that can be written."""
    from meshlearn.io.registry import (
        GZIPPED,
        is_gzipped,
        knows,
        suffix_of,
        writable_suffixes,
    )

    plain = suffix_of(path)
    known = writable_suffixes()
    if knows(plain, writing=True):
        known = (plain + GZIPPED if is_gzipped(path) else plain,)
    return output_file(path, overwrite=overwrite, suffixes=known, name=name)


def triple(text: str | None, name: str) -> list[float] | None:
    """ "1,2,3" as three numbers."""
    numbers = None if text is None else _numbers(text)
    if numbers is not None and len(numbers) != 3:
        raise typer.BadParameter(
            f"expected three numbers such as 1,2,3, got {text!r}", param_hint=name
        )
    return numbers


def one_or_three(text: str | None, name: str) -> float | list[float] | None:
    """ "1,2,3" as three numbers, "1" as one."""
    numbers = None if text is None else _numbers(text)
    if numbers is None or len(numbers) == 3:
        return numbers
    if len(numbers) != 1:
        raise typer.BadParameter(
            f"expected one or three numbers such as 1,2,3, got {text!r}", param_hint=name
        )
    return numbers[0]


def _numbers(text: str) -> list[float]:
    """The numbers of a text; an empty list where a part of it is no number."""
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        return []
