"""Rooms stand on floors and import only from floors below; no two modules import each other.

Every way to import counts: at the top of a file, inside a function, under TYPE_CHECKING, and by a
string that names a module of the package or begins like one. A package's `__init__` that only
gathers names, or holds a table of names to be imported on first use, is no module in this sense:
whoever imports a name from it imports the module which defines the name.

``python tests/test_architecture.py --write`` writes the table of rooms into CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# room -> floor
FLOOR = {
    "__main__": 9,
    "cli": 8,
    "viewer": 7,
    "toolbox": 7,
    "heart": 6,
    "reconstruct": 5,
    "train": 5,
    "representations": 4,
    "losses": 4,
    "metrics": 4,
    "isosurface": 3,
    "convex": 3,
    "geometry": 3,
    "io": 3,
    "interop": 3,
    "data": 3,
    "run_folder": 3,
    "mesh": 2,
    "render": 2,
    "fields": 1,
    "progress": 1,
    "_compiled": 0,
    "_compile": 0,
    "arrays": 1,
    "captures": 1,
    "_native": 1,
    "_segment": 1,
    "_zeros": 1,
    "_validate": 1,
    "_manifold": 1,
    "_memory": 1,
    "_saving": 1,
    "_showing": 1,
    "_seeds": 1,
    "_threads": 1,
    "_files": 1,
}
# Rooms that may use another of their own floor; never the other way round.
SIDEWAYS = {
    ("_segment", "_native"),
    ("_zeros", "_native"),
    ("fields", "_segment"),
    ("fields", "_files"),
    ("fields", "_validate"),
    ("io", "geometry"),
    ("convex", "io"),
    ("data", "geometry"),
    ("geometry", "isosurface"),
    ("render", "mesh"),
}
# Tables of names that are imported on first use: no logic, and above all that they name.
FACADES = {
    "meshlearn", "meshlearn.io", "meshlearn.reconstruct", "meshlearn.reconstruct.targets",
    "meshlearn.representations",
}  # fmt: skip
# Arrows that close a circle, or go up, and are still to be mended. The set only shrinks.
KNOWN: set[tuple[str, str]] = set()


class Arrow(NamedTuple):
    module: str  # what is imported
    line: int


def name_of(path: Path) -> str:
    """The dotted name under which a file is imported; the folder viewer/ is meshlearn.viewer."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "viewer":
        parts = ("meshlearn", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    name_of(path): path
    for folder in ("meshlearn", "viewer")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def is_package(module: str) -> bool:
    return FILES[module].name == "__init__.py"


@cache
def gathers(module: str) -> bool:
    """Whether a module is an `__init__` of nothing but imports and `__all__`, or a facade."""
    if module in FACADES:
        return True
    if not is_package(module):
        return False
    for node in tree_of(module).body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and [
            t.id for t in node.targets if isinstance(t, ast.Name)
        ] == ["__all__"]
        if not (text or names or isinstance(node, (ast.Import, ast.ImportFrom))):
            return False
    return True


def source_of(node: ast.ImportFrom, module: str) -> str:
    """The module that a `from ... import` names, relative ones resolved."""
    base = node.module or ""
    if node.level:
        up = module.split(".")[: len(module.split(".")) - node.level + is_package(module)]
        base = ".".join([*up, base] if base else up)
    return base


@cache
def defined_in(package: str, name: str) -> tuple[str, ...]:
    """The modules that `from package import name` needs: one, or all that the package gathers."""
    if f"{package}.{name}" in FILES:
        return defined_in(f"{package}.{name}", "")
    if not gathers(package):
        return (package,)
    whole: list[str] = []
    for node in ast.walk(tree_of(package)):  # in a facade the imports stand under TYPE_CHECKING
        if isinstance(node, ast.ImportFrom):
            source = source_of(node, package)
            for alias in node.names:
                if source in FILES:
                    found = defined_in(source, alias.name)
                    if name and name == (alias.asname or alias.name):
                        return found
                    whole.extend(found)
    if package in FACADES and name:
        return (package,)  # what the facade itself holds, as __version__
    return tuple(dict.fromkeys(whole)) or (package,)


@cache
def arrows(module: str) -> tuple[Arrow, ...]:
    """Modules of the package that a module imports, wherever and however it does."""
    found: list[Arrow] = []
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree_of(module))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree_of(module)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in FILES:
                    named = defined_in(alias.name, "")
                    found.extend(Arrow(other, line) for other in named)
        elif isinstance(node, ast.ImportFrom) and source_of(node, module) in FILES:
            for alias in node.names:
                named = defined_in(source_of(node, module), alias.name)
                found.extend(Arrow(other, line) for other in named)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            other = node.value.partition(":")[0]
            if id(node) not in docstrings and "." in other and other in FILES:
                found.extend(Arrow(one, line) for one in defined_in(other, ""))
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            start = str(node.values[0].value)  # of f"meshlearn.cli.{verb}": all that it may become
            if start.startswith("meshlearn."):
                found.extend(Arrow(other, line) for other in FILES if other.startswith(start))
    return tuple(arrow for arrow in found if arrow.module != module)


def graph() -> dict[str, set[str]]:
    """Who imports whom, without the `__init__`s that gather names."""
    return {
        module: {arrow.module for arrow in arrows(module) if not gathers(arrow.module)}
        for module in FILES
        if not gathers(module)
    }


def circles(links: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules each of which reaches all others (Tarjan's strongly connected parts)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(links.get(module, ())):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            part = []
            while not part or part[-1] != module:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for module in sorted(links):
        if module not in index:
            visit(module)
    return found


def may_import(room: str, other: str) -> bool:
    return (
        room in ("", other)
        or other == ""
        or FLOOR[other] < FLOOR[room]
        or (room, other) in SIDEWAYS
    )


def test_every_room_has_a_floor():
    rooms = {room_of(module) for module in FILES} - {""}
    assert rooms == FLOOR.keys(), "FLOOR and the folders differ: " + ", ".join(
        sorted(rooms ^ FLOOR.keys())
    )


def test_sideways_imports_are_used_and_make_no_circle():
    used = {
        (room_of(module), room_of(arrow.module)) for module in FILES for arrow in arrows(module)
    }
    for a, b in SIDEWAYS:
        assert (b, a) not in SIDEWAYS and FLOOR[a] == FLOOR[b]
        assert (a, b) in used, f"{a} does not import {b} any more: take it out of SIDEWAYS"


@pytest.mark.parametrize("module", [m for m in FILES if m not in FACADES])
def test_imports_go_down(module):
    wrong = [
        f"line {arrow.line}: {module} (floor {FLOOR[room_of(module)]}) imports {arrow.module}"
        for arrow in arrows(module)
        if not may_import(room_of(module), room_of(arrow.module))
        and (module, arrow.module) not in KNOWN
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others():
    links = {a: {b for b in links if (a, b) not in KNOWN} for a, links in graph().items()}
    found = circles(links)
    text = "\n".join(
        f"{a} -> {b}" for part in found for a in part for b in sorted(links[a] & set(part))
    )
    assert not found, f"modules that import each other:\n{text}"


def test_what_is_known_is_still_there():
    links = graph()
    together = {module: part for part in circles(links) for module in part}
    for a, b in KNOWN:
        mended = b not in links.get(a, ()) or (
            b not in together.get(a, ()) and may_import(room_of(a), room_of(b))
        )
        assert not mended, f"{a} -> {b} is mended: take it out of KNOWN"


@pytest.mark.parametrize("module", sorted(FACADES))
def test_facades_hold_no_logic(module):
    allowed = (
        ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.If, ast.FunctionDef,
    )  # fmt: skip
    assert is_package(module)
    for node in tree_of(module).body:
        assert isinstance(node, allowed), f"{module}, line {node.lineno}"
        size = (node.end_lineno or 0) - node.lineno
        assert not isinstance(node, ast.FunctionDef) or size < 15, f"{module}: {node.name}"


def test_kernels_are_free_of_torch():
    for path in (ROOT / "csrc" / "kernels").glob("*.h"):
        assert "torch/" not in path.read_text(encoding="utf-8"), f"{path.name} includes torch"


def test_the_test_sees_what_it_should(tmp_path, monkeypatch):
    """Late, relative, TYPE_CHECKING and string imports are seen (else the rest could not fail)."""
    text = {
        "a/__init__.py": 'from meshlearn.a.one import f\nfrom .two import g\n__all__ = ["f"]\n',
        "a/one.py": '"""meshlearn.b"""\ndef f():\n    from meshlearn.b import thing\n',
        "a/two.py": "if TYPE_CHECKING:\n    from meshlearn.c import C\n",
        "b.py": "from .a import g\n",
        "c.py": 'x = "meshlearn.b:main"\n',
        "d.py": 'x = import_module(f"meshlearn.a.{name}")\n',
        "e.py": "def f():\n    from meshlearn.table import C\n",
        "table/__init__.py": "if TYPE_CHECKING:\n    from meshlearn.c import C as C\n",
    }
    files = {}
    for name, body in text.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(body)
        parts = ("meshlearn", *Path(name).with_suffix("").parts)
        files[".".join(parts).removesuffix(".__init__")] = path
    here = sys.modules[__name__]
    caches = (tree_of, gathers, defined_in, arrows)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr(here, "FILES", files)
    monkeypatch.setattr(here, "FACADES", {"meshlearn.table"})
    try:
        links = graph()
        found = circles(links)
    finally:
        for cached in caches:
            cached.cache_clear()
    assert links == {
        "meshlearn.a.one": {"meshlearn.b"},
        "meshlearn.a.two": {"meshlearn.c"},
        "meshlearn.b": {"meshlearn.a.two"},
        "meshlearn.c": {"meshlearn.b"},
        "meshlearn.d": {"meshlearn.a.one", "meshlearn.a.two"},
        "meshlearn.e": {"meshlearn.c"},
    }
    assert found == [["meshlearn.a.two", "meshlearn.b", "meshlearn.c"]]


# --- the table of CONTRIBUTING.md ---

BEGIN, END = "<!-- rooms: written by tests/test_architecture.py -->", "<!-- end of rooms -->"


def summary(room: str) -> str:
    """The first sentence of a room's docstring."""
    text = ast.get_docstring(tree_of(f"meshlearn.{room}")) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return first.partition(". ")[0].removesuffix(".")


def table() -> str:
    """A row for each room: its floor, its name, what it holds, whom of its floor it may use."""
    rows = ["| floor | room | what it holds | uses of its own floor |", "|---|---|---|---|"]
    for room in sorted(FLOOR, key=lambda r: (-FLOOR[r], r.startswith("_"), r)):
        beside = ", ".join(f"`{b}`" for a, b in sorted(SIDEWAYS) if a == room)
        rows.append(f"| {FLOOR[room]} | `{room}` | {summary(room)} | {beside} |")
    rows.append("| 0 | `csrc` | The native operators: schemas, kernels, CPU and CUDA drivers | |")
    return "\n".join(rows)


def written(text: str) -> str:
    """CONTRIBUTING.md with the table of today."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def test_contributing_has_the_table_of_rooms():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert text == written(text), "run: python tests/test_architecture.py --write"


if __name__ == "__main__":
    target = ROOT / "CONTRIBUTING.md"
    if "--write" in sys.argv:
        target.write_text(written(target.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(table() + "\n")
