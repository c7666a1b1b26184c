"""Statements of OBJ files that are no polygons, lines or points: curves, surfaces, and the rest.

The words are those of the Advanced Visualizer manual, appendix B1 (object files, version 3.0).
"""

from __future__ import annotations

from collections import Counter

from meshlearn.io.left_behind import Loss, LossKind

_ELEMENTS = {
    "curv": "curves",
    "curv2": "curves in parameter space",
    "surf": "surfaces",
    "cdc": "curves",
    "bzp": "patches",
    "bsp": "patches",
    "cdp": "patches",
}
_OF_ELEMENTS = frozenset(
    "cstype deg bmat step parm trim hole scrv sp end con vp res ctech stech mg".split()
)
# how it is shown, which is no part of a shape
_OF_DISPLAY = frozenset(
    "bevel c_interp d_interp lod shadow_obj trace_obj maplib usemap vs csh".split()
)
_CALL = "call"  # of another file, whose lines belong there
KNOWN = frozenset({*_ELEMENTS, *_OF_ELEMENTS, *_OF_DISPLAY, _CALL})
_MOST_WORDS = 5  # that are told by name


class FreeForm:
    """Takes the statements that are not read, and says what they were."""

    def __init__(self) -> None:
        self._form = ""
        self._elements: Counter[tuple[str, str]] = Counter()
        self._others: Counter[str] = Counter()
        self._called: Counter[str] = Counter()

    def take(self, word: str, rest: str) -> None:
        """A line "WORD REST"."""
        if word == "cstype":
            self._form = " ".join(rest.split())
        elif word in _ELEMENTS:
            self._elements[word, self._form] += 1
        elif word == _CALL:
            self._called[rest.strip()] += 1
        elif word not in _OF_ELEMENTS:
            self._others[word] += 1

    def losses(self) -> list[Loss]:
        """Curves and surfaces, by their word and kind, and files that are called."""
        limit = "takes polygons, lines and points only"
        holder = "the reader of OBJ"
        called = [
            Loss(LossKind.NAMED_FILE, "", name, count, "does not read what is called", holder)
            for name, count in self._called.items()
        ]
        return called + [
            Loss(
                LossKind.UNREAD,
                name=f"{_ELEMENTS[word]} {word!r}" + (f" of the type {form!r}" if form else ""),
                count=count,
                limit=limit,
                holder=holder,
            )
            for (word, form), count in self._elements.items()
        ]

    def remarks(self) -> list[str]:
        """Other lines that were left out."""
        if not self._others:
            return []
        shown = [f"{w[:20]!r} ({n})" for w, n in self._others.most_common(_MOST_WORDS)]
        more = ", …" if len(self._others) > _MOST_WORDS else ""
        return [f"lines that begin with {', '.join(shown)}{more} were left out"]
