"""Comments and docstrings are whole: no sentence broken by a reflow, no section rule wrapped."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100  # of lines, as ruff and clang-format keep it
FOLDERS = ("meshlearn", "viewer", "csrc", "scripts", "examples", "tests")
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".h", ".cpp", ".cu") and path != Path(__file__)
]

Block = list[tuple[int, str]]  # consecutive lines of prose: number, text with its indent


def prose_of_python(text: str) -> list[Block]:
    """Docstrings and runs of comments that stand on lines of their own."""
    lines = text.splitlines()
    blocks: list[Block] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                span = range(first.lineno, (first.end_lineno or first.lineno) + 1)
                blocks.append([(n, lines[n - 1]) for n in span])
    comments: Block = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            n, column = token.start
            if comments and comments[-1][0] != n - 1:
                blocks.append(comments)
                comments = []
            comments.append((n, " " * column + token.string[1:]))
    return [*blocks, comments]


def prose_of_cpp(text: str) -> list[Block]:
    """Runs of // comments that stand on lines of their own."""
    blocks: list[Block] = [[]]
    for n, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("//"):
            blocks[-1].append((n, line.replace("//", "", 1)))
        elif blocks[-1]:
            blocks.append([])
    return blocks


def prose(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return prose_of_python(text) if path.suffix == ".py" else prose_of_cpp(text)


def broken_sentences(block: Block) -> list[int]:
    """Lines that hold what fell off the full line above, with the sentence going on below.

    That is what a reflow leaves: a line near the width, a few words, and a line that goes on
    although its first word had room beside them.
    """
    found = []
    for (_, above), (n, line), (_, below) in zip(block, block[1:], block[2:], strict=False):
        above, words, next_ = above.rstrip(), line.split(), below.split()
        if not (words and next_) or len(above) < WIDTH - 15:
            continue
        item = re.match(r"[-*]$|\(\w{1,3}\)$|\w{1,3}[.)]$", next_[0])
        goes_on = re.search(r"[\w,)`]$", line) and re.match(r"[a-z(`]", next_[0]) and not item
        wraps = re.search(r"[\w,)`]$", above) and re.match(r"[\w(`]", words[0])
        had_room = len(line) + 1 + len(next_[0]) <= WIDTH - 20
        if wraps and goes_on and had_room and len(words) <= 4:
            found.append(n)
    return sorted({*found, *lost_indents(block)})


def lost_indents(block: Block) -> list[int]:
    """Lines that go on with the item of a list (`name: what it is`) at the indent of its name."""
    found, indent = [], ""
    for (_, above), (n, line) in pairwise(block):
        heading = re.match(r"(\s*)(Args|Attributes|Keys):$", above)
        indent = heading[1] + "    " if heading else indent if line.strip() else ""
        full = len(above) >= WIDTH - 15 and re.search(r"[\w,]$", above)
        if indent and full and re.match(indent + r"[\w`]+(, [\w`]+)*: \w", above):
            if re.match(indent + r"\w", line) and not re.match(r"\s*\w+(, \w+)*:", line):
                found.append(n)
    return found


def wrapped_rules(block: Block) -> list[int]:
    """Section rules (`--- name ---`) whose dashes went to a line of their own."""
    return [n for n, line in block if re.fullmatch(r"\s*-{8,}\s*", line)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_sentences_are_whole(path):
    name = path.relative_to(ROOT)
    wrong = [f"{name}:{n}" for block in prose(path) for n in broken_sentences(block)]
    assert not wrong, f"a sentence is broken by a reflow: {', '.join(wrong)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_section_rules_are_whole(path):
    name = path.relative_to(ROOT)
    wrong = [f"{name}:{n}" for block in prose(path) for n in wrapped_rules(block)]
    assert not wrong, f"a section rule is wrapped: {', '.join(wrong)}"


def test_the_test_sees_what_it_should():
    """Sentences and rules that a reflow broke once (else the rest could not fail)."""
    broken = (
        "def f():\n"
        '    """Cells.\n\n'
        "    Grid vertex (i, j, k) lies at ``lower + (i, j, k) * spacing``; vertices and cells are "
        "numbered\n"
        "    with\n"
        "    x slowest and z fastest.\n\n"
        "    Args:\n"
        "        weights: weights of loss terms by name, on top of the target's and "
        "representation's\n"
        "        defaults.\n"
        '    """\n'
    )
    found = [n for block in prose_of_python(broken) for n in broken_sentences(block)]
    assert found == [5, 10]
    whole = broken.replace("with\n    x", "with x").replace(
        "        defaults", " " * 12 + "defaults"
    )
    assert not [n for block in prose_of_python(whole) for n in broken_sentences(block)]
    rule = "// --- mesh\n// " + "-" * 80 + "\nint x;\n// --- mesh ---\n"
    assert [n for block in prose_of_cpp(rule) for n in wrapped_rules(block)] == [2]
