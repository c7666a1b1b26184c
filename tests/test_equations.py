"""Equations are listed by number at the top of their module, and cited where they are computed."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = [
    path
    for folder in ("meshlearn", "viewer", "csrc")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".h", ".cpp", ".cu")
]
LISTED = re.compile(r"^(?:// )?\(([A-Z]\d+)\) ", re.MULTILINE)
CITED = re.compile(r"\(([A-Z]\d+(?:, [A-Z]\d+)*)\)")
CASES = {"C16", "C19"}  # of marching cubes, by their numbers in the papers


def head(text: str) -> str:
    """What stands before the code of a file: its docstring or first comment."""
    return re.split(r"^(?:from|import|#pragma|#include) ", text, maxsplit=1, flags=re.MULTILINE)[0]


def numbers() -> tuple[dict[str, list[Path]], dict[str, set[Path]]]:
    """The files that list an equation, and those that cite it."""
    listed: dict[str, list[Path]] = defaultdict(list)
    cited: dict[str, set[Path]] = defaultdict(set)
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        top = head(text)
        for name in LISTED.findall(top):
            listed[name].append(path)
        code = LISTED.sub("", top) + text[len(top) :]
        for group in CITED.findall(code):
            for name in group.split(", "):
                cited[name].add(path)
    return listed, cited


def test_each_number_has_one_equation():
    listed, cited = numbers()
    twice = {name: paths for name, paths in listed.items() if len(paths) > 1}
    assert not twice, f"listed twice: {twice}"
    unknown = cited.keys() - listed.keys() - CASES
    assert not unknown, f"cited, but listed nowhere: { {n: cited[n] for n in unknown} }"


def test_each_equation_is_cited_where_it_is_computed():
    listed, cited = numbers()
    assert len(listed) > 30
    missing = listed.keys() - cited.keys()
    assert not missing, f"no code says that it computes {sorted(missing)}"


def test_gradients_are_found_under_the_numbers_of_their_equations():
    """The dual vertex and its crossings: in the forward kernel, the backward one and in torch."""
    _, cited = numbers()
    for name in ("F1", "F4", "F5", "F7", "F8"):
        places = {path.name for path in cited[name]}
        assert {"flexicubes.h", "flexicubes_backward.h", "flexicubes_parts.py"} <= places, name
