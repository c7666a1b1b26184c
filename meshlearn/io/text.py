"""Text numbers in and out: native where compiled, the same in plain Python elsewhere."""

from __future__ import annotations

import numpy as np
import torch

from meshlearn._native import HAS_NATIVE


def as_bytes(data: bytes | memoryview | np.ndarray) -> torch.Tensor:
    """A uint8 tensor over the same memory where that is writable (torch asks for it), else a
    copy."""
    if len(data) == 0:
        return torch.zeros(0, dtype=torch.uint8)
    array = np.frombuffer(data, dtype=np.uint8)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def call(name: str, *arguments):
    """An operator of the io room; its RuntimeError becomes a ValueError of one line."""
    try:
        return getattr(torch.ops.meshlearn, name)(*arguments)
    except RuntimeError as error:
        raise ValueError(_clean(str(error))) from None


def _clean(message: str) -> str:
    """The sentence of a failed check, without the stack that torch puts around it."""
    first = message.splitlines()[0]
    for mark in ("Error: ", "] "):
        if mark in first and "(" in first.split(mark)[0][-80:]:
            first = first.split(mark, 1)[1]
    return first.strip()


def rows_of(data: bytes | memoryview) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of all lines (K,) float64, and how many each line holds (R,); '#' comments.

    Raises:
        ValueError: a token that is no number, with its line.
    """
    if HAS_NATIVE:
        values, lengths = call("text_rows", as_bytes(data))
        return values.numpy(), lengths.numpy()
    found: list[float] = []
    counts: list[int] = []
    for number, line in enumerate(bytes(data).split(b"\n"), 1):
        tokens = line.split(b"#", 1)[0].replace(b",", b" ").split()
        try:
            found.extend(map(float, tokens))
        except ValueError:
            raise ValueError(f"line {number}: expected a number") from None
        if tokens:
            counts.append(len(tokens))
    return np.array(found, np.float64), np.array(counts, np.int64)


def _shortest(value) -> str:
    text = np.format_float_positional(value, unique=True, trim="-")
    other = np.format_float_scientific(value, unique=True, trim="-")
    return text if len(text) <= len(other) + 1 else other


def write_rows(values: np.ndarray, prefix: str = "") -> bytes:
    """Lines "prefix a b c" of values (R, D), in the fewest digits that read back the same."""
    values = np.ascontiguousarray(values)
    if len(values) == 0:
        return b""
    if values.dtype not in (np.float32, np.float64, np.int64):
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
    if HAS_NATIVE:
        out = call("format_rows", torch.from_numpy(values.copy()), as_bytes(prefix.encode()))
        return out.numpy().tobytes()
    show = str if values.dtype == np.int64 else _shortest
    lines = [prefix + " ".join(show(x) for x in row) for row in values]
    return ("\n".join(lines) + "\n").encode()


def write_polygons(
    start: np.ndarray,
    fields: list[np.ndarray],
    prefix: str = "",
    *,
    base: int = 0,
    counted: bool = False,
) -> bytes:
    """Lines of polygons; `fields` are the indices of each corner (C,), joined by '/'; -1 absent."""
    if len(start) <= 1:
        return b""
    index = np.ascontiguousarray(np.stack(fields, axis=1), dtype=np.int64)
    start = np.ascontiguousarray(start, dtype=np.int64)
    if HAS_NATIVE:
        out = call(
            "format_polygons",
            torch.from_numpy(start.copy()),
            torch.from_numpy(index),
            as_bytes(prefix.encode()),
            base,
            counted,
        )
        return out.numpy().tobytes()

    def corner(row: np.ndarray) -> str:
        texts = ["" if k < 0 else str(k + base) for k in row.tolist()]
        return "/".join(texts).rstrip("/")

    lines = []
    for a, b in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
        head = [str(b - a)] if counted else []
        lines.append(prefix + " ".join(head + [corner(row) for row in index[a:b]]))
    return ("\n".join(lines) + "\n").encode()
