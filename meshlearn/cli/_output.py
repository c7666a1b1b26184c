"""What the verbs print: JSON for programs, aligned tables for people."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path


def jsonable(value: object) -> object:
    """`value` as JSON's own types: tensors as lists, NaN and infinities as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):  # tensors, arrays and their scalars
        return jsonable(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable):
        return [jsonable(entry) for entry in value]
    return str(value)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(jsonable(value), indent=2, allow_nan=False) + "\n")


def text_of(value: object) -> str:
    """A value as people read it: yes/no, five digits, x y z."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(text_of(entry) for entry in value) or "-"
    return str(value)


def print_table(rows: Sequence[Sequence[object]], *, header: Sequence[str] | None = None) -> None:
    """Aligned columns on stdout; coloured and folded on a terminal only."""
    cells = [[text_of(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        lines = [*([list(header)] if header else []), *cells]
        widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
        for line in lines:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=False))
            sys.stdout.write("  ".join(padded).rstrip() + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=header is not None, pad_edge=False, header_style="bold")
    for column, name in enumerate(header or [""] * max(map(len, cells), default=0)):
        table.add_column(name, style="cyan" if column == 0 else None, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(highlight=False, emoji=False).print(table)
