"""The room of hearts: light to import, and each part built on those before it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import meshlearn.heart

ROOM = Path(meshlearn.heart.__file__).parent
# what each part may import; late imports and those for types alone count too
BELOW = {
    "data": set(),
    "model": {"data"},
    "fit": {"data", "model"},
    "results": {"data", "model", "fit"},
    "learn": {"data", "model", "fit"},
}


def imported(path: Path) -> set[str]:
    """Modules of the room that a file imports, anywhere in it, by their name in the room."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("meshlearn.heart"):
            found.add(node.module.removeprefix("meshlearn.heart").lstrip("."))
    return found


def test_parts_import_only_what_lies_below():
    for part, below in BELOW.items():
        for path in sorted((ROOM / part).glob("*.py")):
            others = {module.split(".")[0] for module in imported(path)} - {part}
            assert others <= below, f"{path.relative_to(ROOM)} imports {others - below}"


def test_no_module_of_the_room_imports_itself_through_others():
    graph = {
        ".".join(path.relative_to(ROOM).with_suffix("").parts): imported(path)
        for path in ROOM.glob("*/*.py")
        if path.name != "__init__.py"
    }
    assert len(graph) > 15 and "fit.settings" in graph["fit.one_frame"]

    def walk(module: str, trail: list[str]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        for other in graph.get(module, ()):
            walk(other, [*trail, module])

    for module in graph:
        walk(module, [])


def test_every_name_is_there_also_for_type_checkers():
    tree = ast.parse((ROOM / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == sorted(meshlearn.heart.__all__)
    for name, module in seen.items():
        value = getattr(meshlearn.heart, name)
        assert getattr(value, "__module__", module) == module


def test_importing_the_room_loads_nothing_of_it():
    code = "import sys, meshlearn.heart\nprint('torch' in sys.modules, *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    torch_loaded, *modules = out.stdout.split()
    assert torch_loaded == "False"
    assert [m for m in modules if m.startswith("meshlearn.heart.")] == []
