"""What a fault is, and where it stands."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        name: of the fault, room first.
        file: path from the root of the project.
        old, new: text that stands once in the file, and what takes its place.
        tests: what pytest is given: the nearest tests, done in seconds.
        equivalent: why no test can see it; "" where one should.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str = ""


def place_of(mutant: Mutant, text: str) -> tuple[str, str]:
    """Why the fault cannot be planted in a file's text ("" if it can), and the text with it."""
    found = text.count(mutant.old)
    if found != 1:
        return f"{mutant.file}: expected {mutant.old!r} once, found it {found} times", text
    return "", text.replace(mutant.old, mutant.new)
