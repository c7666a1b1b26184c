"""XML without what can hurt: no document types, no entities, nothing external, bounded in depth."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import NoReturn
from xml.parsers import expat

DEPTH = 256
ELEMENTS = 2_000_000  # of a tree


def scan(
    data: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Calls `start`, `end` and `text` for what the document holds, in order; names are local.

    Raises:
        ValueError: it is no XML, is nested too deeply, or has a document type.
    """
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise ValueError(f"its XML is nested more than {DEPTH} deep")
        start(name.rpartition("}")[2], attributes)

    def finish(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition("}")[2])

    def refuse(*_: object) -> NoReturn:
        raise ValueError("its XML has a document type or entities, which are refused")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.StartElementHandler = begin
    parser.EndElementHandler = finish
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(bytes(data), True)
    except expat.ExpatError as error:
        raise ValueError(f"its XML is damaged: {error}") from None
    except LookupError as error:
        if type(error) is not LookupError:  # a handler's own
            raise
        raise ValueError("its XML has an unknown encoding") from None


def parse(data: bytes) -> ET.Element:
    """The tree of a document; names without namespace.

    Raises:
        ValueError: as `scan`, or for more elements than a mesh file of this kind has.
    """
    builder = ET.TreeBuilder()
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > ELEMENTS:
            raise ValueError(f"its XML has more than {ELEMENTS:,} elements")
        builder.start(name, {k.rpartition("}")[2]: v for k, v in attributes.items()})

    def end(name: str) -> None:
        builder.end(name)

    scan(data, start, end, builder.data)
    return builder.close()
