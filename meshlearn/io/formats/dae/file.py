"""A COLLADA file: its elements by id, its numbers and sources, and what of it is left out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import FileFormatError
from meshlearn.io.xml import parse

_COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")


class OutsideError(FileFormatError):
    """What an element names is in another file."""


class File:
    """A COLLADA file that is being read.

    Attributes:
        path: of the file, for errors.
        root: its element COLLADA; names have no namespace.
        ids: its elements by their ids.
        commas: how many arrays have decimal commas.
        lost: what is left out, as (what, what the reader does), with how many of it.

    Raises:
        FileFormatError: it is no XML, or none of COLLADA.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        try:
            self.root = parse(data)
        except ValueError as error:
            raise self.error(str(error)) from None
        if self.root.tag != "COLLADA":
            raise self.error(f"expected COLLADA, got {self.root.tag!r}")
        self.commas = 0
        self.lost: Counter[tuple[str, str]] = Counter()
        self.ids = {e.get("id"): e for e in self.root.iter() if e.get("id")}

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def target(self, reference: str | None) -> Element:
        """What "#id" names.

        Raises:
            OutsideError: it is in another file.
            FileFormatError: it is not there.
        """
        if reference is None or not reference.startswith("#"):
            raise OutsideError(f"{self.path}: it names {reference!r}, which is outside the file")
        found = self.ids.get(unquote(reference[1:]))
        if found is None:
            raise self.error(f"it names {reference!r}, which is not there")
        return found

    def numbers(self, entry: Element | None, whole: bool = False) -> np.ndarray:
        """The numbers in an element's text."""
        words = (entry.text or "").split() if entry is not None else []
        try:
            if whole:
                return np.array([int(w) for w in words], np.int64)
            if words and entry is not None and "," in (entry.text or ""):
                words = self._without_commas(words)
            return np.array([float(w) for w in words], np.float64)
        except (ValueError, OverflowError):
            raise self.error("expected numbers in an array") from None

    def _without_commas(self, words: list[str]) -> list[str]:
        """Numbers with a comma for the decimal point, as some programs write them."""
        good = all(_COMMA.fullmatch(word) for word in words)
        if not good or any("." in word for word in words):
            raise self.error("an array has commas that are no decimal ones; expected spaces")
        self.commas += 1
        return [word.replace(",", ".") for word in words]

    def source(self, reference: str | None) -> np.ndarray:
        """(N, D) values of a source."""
        entry = self.target(reference)
        holder = entry.find("float_array")
        values = self.numbers(holder)
        accessor = entry.find("technique_common/accessor")
        stride, offset = 1, 0
        if accessor is not None:
            stride, offset = int(accessor.get("stride", "1")), int(accessor.get("offset", "0"))
            count = int(accessor.get("count", "0"))
            stride = stride or (1 if count == 0 else 0)  # of no rows
            if stride < 1 or offset < 0 or offset + count * stride > len(values):
                raise self.error(
                    f"a source promises {count} rows of {stride}, it has {len(values)} numbers"
                )
            values = values[offset : offset + count * stride]
        return values[: len(values) // stride * stride].reshape(-1, stride)

    def words(self, reference: str | None) -> list[str]:
        """The names of a source, and those of elements."""
        entry = self.target(reference)
        for tag in ("Name_array", "IDREF_array", "SIDREF_array"):
            holder = entry.find(tag)
            if holder is not None:
                return (holder.text or "").split()
        return []
