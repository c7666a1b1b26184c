"""Names in formats where a name is a key: each on one line, no two the same."""

from __future__ import annotations

from collections.abc import Iterable


def on_one_line(name: str) -> str:
    """A name without breaks of lines, and with one blank where it has several."""
    return " ".join(name.split())


def distinct(names: Iterable[str], *, empty: str = "") -> list[str]:
    """A name for each that stays on its line, no two the same: the second "a" is "a_2".

    Args:
        empty: stands for a name of nothing; "" leaves those as they are, however many.
    """
    plain = [on_one_line(name) or empty for name in names]
    taken = set(plain)
    used: set[str] = set()
    out: list[str] = []
    for name in plain:
        made, number = name, 2
        while name and (made in used or (made != name and made in taken)):
            made, number = f"{name}_{number}", number + 1
        used.add(made)
        out.append(made)
    return out
