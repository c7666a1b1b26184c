"""What a type checker and an editor see of the package: the true types of the public names."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import meshlearn as ml

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import meshlearn as ml

grid = ml.VoxelGrid(8)
reveal_type(ml.load)
reveal_type(ml.VoxelGrid)
reveal_type(ml.render)
reveal_type(ml.flexicubes(grid, grid.vertices[:, 0]).mesh)
reveal_type(ml.representations.FlexiCubes)
ml.no_such_name
"""
WANTED = [
    r"def \(path: str \| os.PathLike\[str\] \| .*\) -> meshlearn.mesh.mesh.Mesh",
    r"def \(resolution: int \| .*\) -> meshlearn.isosurface.grid.VoxelGrid",
    r"def \(mesh: meshlearn.mesh.mesh.Mesh \| meshlearn.mesh.meshes.Meshes, "
    r"cam: meshlearn.render.camera.Camera, .*\) -> dict.*",
    r"meshlearn.mesh.mesh.Mesh",
    r"def \(.*\) -> meshlearn.representations.flexicubes.FlexiCubes",
]
FACADES = ["meshlearn", "meshlearn.io", "meshlearn.representations"]


def test_types_that_a_user_meets(tmp_path):
    script = tmp_path / "user.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, str(script)], cwd=ROOT, capture_output=True, text=True)
    found = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert len(found) == len(WANTED), done.stdout + done.stderr
    for text, pattern in zip(found, WANTED, strict=True):
        assert re.fullmatch(pattern, text), text
    assert 'Module has no attribute "no_such_name"' in done.stdout


def names_for_checkers(module: str) -> dict[str, str]:
    """Name -> the module it is imported from, under `if TYPE_CHECKING`."""
    tree = ast.parse(Path(import_module(module).__file__ or "").read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    found.update({alias.name: inner.module or "" for alias in inner.names})
    return found


@pytest.mark.parametrize("module", FACADES)
def test_tables_and_types_name_the_same_things(module):
    told = names_for_checkers(module)
    package = import_module(module)
    for name, source in told.items():
        if source == module:
            assert getattr(package, name) is import_module(f"{module}.{name}")
        elif (module, name) != ("meshlearn", "render"):
            assert getattr(package, name) is getattr(import_module(source), name), name
    rooms = {name for name, source in told.items() if source == module}
    assert told.keys() - rooms == set(package.__all__) - {"__version__"}


def test_render_is_room_and_function():
    from meshlearn.render import Camera, render

    assert ml.render.render is render and ml.render.Camera is Camera is ml.Camera
    mesh = ml.data.shapes.icosphere(1)
    camera = Camera.look_at((0.0, 0.0, 3.0))
    called, plain = ml.render(mesh, camera, 8), render(mesh, camera, 8)
    assert called.keys() == plain.keys() and called["mask"].equal(plain["mask"])
