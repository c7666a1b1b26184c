"""The place that coordinates were moved from, as files say it: "offset X Y Z".

`convert --center` moves a mesh to the origin; `Document.metadata["offset"]`, three numbers in its
unit, is then what has to be added to be where it was. Formats with remarks keep it in one, others
where their programs keep such things; no program moves anything for it, nor does `load`.
"""

from __future__ import annotations

import math
import re

from meshlearn.io.document import Document

KEY = "offset"
_NUMBER = rb"([-+]?\d[^\s]*|[-+]?\.\d[^\s]*)"
_LINE = re.compile(
    rb"^(?:#|//|comment|meshlearn)?\s*offset\s+" + rb"\s+".join([_NUMBER] * 3) + rb"\s*$",
    re.MULTILINE,
)
_HEAD = 4096  # bytes in which a file says it


def offset_of(document: Document) -> tuple[float, float, float] | None:
    """The offset that a document states; None where there is none of three finite numbers."""
    return as_offset(document.metadata.get(KEY))


def as_offset(value: object) -> tuple[float, float, float] | None:
    """Three finite numbers as an offset; None for anything else."""
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return None
    try:
        x, y, z = (float(number) for number in value)
    except (TypeError, ValueError):
        return None
    return (x, y, z) if all(map(math.isfinite, (x, y, z))) else None


def offset_line(document: Document) -> str:
    """ "offset X Y Z" in all digits; empty where there is none."""
    found = offset_of(document)
    return "" if found is None else " ".join([KEY, *map(repr, found)])


def take_offset(document: Document, text: bytes | bytearray | str) -> None:
    """Puts the offset that the head of a file, or a remark, says into a document's metadata."""
    head = text[:_HEAD]
    match = _LINE.search(head.encode() if isinstance(head, str) else bytes(head))
    found = None if match is None else as_offset([word.decode() for word in match.groups()])
    if found is not None:
        document.metadata[KEY] = list(found)


def take_offset_of_lines(document: Document, lines: list[str]) -> list[str]:
    """The same of lines, the first that says it -> those that are left."""
    for number, line in enumerate(lines):
        match = _LINE.search(line.encode())
        found = None if match is None else as_offset([word.decode() for word in match.groups()])
        if found is not None:
            document.metadata[KEY] = list(found)
            return [*lines[:number], *lines[number + 1 :]]
    return lines


def take_offset_of_remarks(document: Document) -> None:
    """The same of the remarks in ``metadata["comments"]``, which lose that line."""
    remarks = document.metadata.get("comments", [])
    rest = take_offset_of_lines(document, [str(line) for line in remarks])
    if len(rest) == len(remarks):
        return
    document.metadata["comments"] = rest
    if not rest:
        del document.metadata["comments"]
