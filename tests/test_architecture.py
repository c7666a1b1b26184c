"""Rooms import only from floors below, no two modules import each other, files stay small."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "meshlearn"
VIEWER = ROOT / "viewer"

FLOOR = {
    "cli": 8,
    "__main__": 9,
    "reconstruct": 5,
    "train": 5,
    "viewer": 7,
    "heart": 6,
    "representations": 4,
    "losses": 4,
    "metrics": 4,
    "isosurface": 3,
    "convex": 3,
    "geometry": 3,
    "io": 3,
    "interop": 3,
    "data": 3,
    "mesh": 2,
    "render": 2,
    "fields": 1,
    "progress": 1,
    "run_folder": 1,
    "_native": 1,
    "_segment": 1,
    "_zeros": 1,
    "_validate": 1,
    "_memory": 1,
    "_seeds": 1,
    "_threads": 1,
}
# Rooms that may use another of their own floor; never the other way round.
SIDEWAYS = {
    ("_segment", "_native"),
    ("_zeros", "_native"),
    ("fields", "_segment"),
    ("fields", "run_folder"),
    ("fields", "_validate"),
    ("interop", "io"),
    ("io", "geometry"),
    ("convex", "io"),
    ("data", "geometry"),
}
# Imports inside a function that go up: the one convenience of `mesh.save(path)`.
LATE = {("mesh", "io")}


def modules() -> list[Path]:
    return sorted([*PACKAGE.rglob("*.py"), *VIEWER.rglob("*.py")])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "viewer":  # lies at the top of the source, imported as meshlearn.viewer
        parts = ("meshlearn", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def imports(path: Path) -> tuple[tuple[str, bool, int], ...]:
    """Modules of these packages a file imports: name, whether inside a function, line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    found: list[tuple[str, bool, int]] = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                visit(other, late)
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, late, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, base] if base else up)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.append((whole if exists(whole) else base, late, node.lineno))
        inside = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(tree, False)
    return tuple(item for item in found if item[0].split(".")[0] == "meshlearn")


def exists(module: str) -> bool:
    parts = module.split(".")
    path = ROOT.joinpath(*(parts[1:] if parts[1:2] == ["viewer"] else parts))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_every_room_has_a_floor():
    rooms = {room_of(name_of(path)) for path in modules()} - {""}
    assert rooms <= FLOOR.keys(), f"give a floor to {sorted(rooms - FLOOR.keys())}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_down(path):
    room = room_of(name_of(path))
    if not room:
        return
    wrong = []
    for module, late, line in imports(path):
        other = room_of(module)
        if other in ("", room) or other not in FLOOR:
            continue
        allowed = FLOOR[other] < FLOOR[room] or (room, other) in SIDEWAYS
        if late and (room, other) in LATE:
            allowed = True
        if not allowed:
            wrong.append(f"line {line}: {room} (floor {FLOOR[room]}) imports {module}")
    assert not wrong, "\n".join(wrong)


def test_sideways_imports_make_no_circle():
    for a, b in SIDEWAYS:
        assert (b, a) not in SIDEWAYS and FLOOR[a] == FLOOR[b]


def test_no_module_imports_itself_through_others():
    graph = {
        name_of(path): {module for module, late, _ in imports(path) if not late}
        for path in modules()
    }
    done: set[str] = set()

    def walk(module: str, trail: list[str]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module in done or module not in graph:
            return
        for other in sorted(graph[module]):
            # A package's __init__ gathers its modules; they name each other directly.
            if other != module and not module.startswith(other + "."):
                walk(other, [*trail, module])
        done.add(module)

    for module in sorted(graph):
        walk(module, [])


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_files_stay_small(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{path.name} has {lines} lines: it wants to be two"


def test_kernels_are_free_of_torch():
    for path in (ROOT / "csrc" / "kernels").glob("*.h"):
        assert "torch/" not in path.read_text(encoding="utf-8"), f"{path.name} includes torch"


def test_the_test_sees_what_it_should():
    """The parser finds late, relative and plain imports (else the rest could not fail)."""
    found = imports(PACKAGE / "mesh" / "mesh.py")
    names = {(module, late) for module, late, _ in found}
    assert ("meshlearn.io", True) in names
    assert ("meshlearn.mesh.topology", False) in names
