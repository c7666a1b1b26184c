"""The installed package: from an editable tree, an sdist and the one wheel of all Pythons."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from meshlearn import _native

ROOT = Path(__file__).resolve().parents[1]
PAGE = ("page.css", "page.js", "frames.js")
NOT_SOURCE = shutil.ignore_patterns("*.so", "__pycache__", "_build_info.json", "*.egg-info")

native = pytest.mark.skipif(
    not _native.HAS_NATIVE or _native.SANITIZED, reason="native operators are not built here"
)

LAYOUT = """
import importlib.resources, importlib.util
import meshlearn.viewer
assert importlib.util.find_spec("viewer") is None, "the package puts `viewer` at top level"
assert importlib.util.find_spec("tests") is None and importlib.util.find_spec("csrc") is None
for name in ("page.css", "page.js", "frames.js"):
    assert (importlib.resources.files("meshlearn.viewer") / name).is_file(), name
print(meshlearn.__file__)
"""


def sources(folder: Path) -> Path:
    """A copy of what an installation is made from, without anything built."""
    tree = folder / "source tree"
    for name in ("meshlearn", "viewer", "csrc"):
        shutil.copytree(ROOT / name, tree / name, ignore=NOT_SOURCE)
    for path in ROOT.iterdir():
        if path.suffix in (".py", ".toml", ".in", ".md", ".cff") or path.name == "LICENSE":
            shutil.copy2(path, tree / path.name)
    return tree


def run(*command: str | Path, cwd: Path, timeout: int = 900, **environment: str) -> str:
    """Runs a command outside of the source tree; what it printed."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def new_environment(folder: Path, python: str = sys.executable, *, libraries: bool) -> Path:
    """The interpreter of a new virtual environment, with the libraries of this one or none."""
    place = folder / "environment"
    run(python, "-m", "venv", "--without-pip", place, cwd=folder)
    if libraries:
        site = next(place.glob("lib/python*/site-packages"))
        paths = [path for path in sys.path if path.endswith("site-packages")]
        (site / "libraries.pth").write_text("\n".join(paths) + "\n")
    return place / "bin" / "python"


def pip_install(python: Path, *what: str | Path, cwd: Path, **environment: str) -> None:
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed")
    run(*pip, *options, *what, cwd=cwd, **environment)


def doctor(python: Path, cwd: Path) -> dict:
    return json.loads(run(python, "-m", "meshlearn", "doctor", "--json", cwd=cwd))


def assert_compiled(python: Path, cwd: Path) -> None:
    place = run(python, "-c", LAYOUT, cwd=cwd).strip()
    assert Path(place).is_relative_to(python.parents[1]), place
    operators = doctor(python, cwd)["operators"]["cpu"]
    assert operators["compiled"] and operators["self_test"]["passed"], operators


def other_python() -> str:
    """A Python from 3.10 on of another version than this one; skips where none is found."""
    for minor in (13, 12, 10, 11, 14):
        if minor == sys.version_info.minor:
            continue
        named = shutil.which(f"python3.{minor}")
        homes = Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")
        for python in [*([named] if named else []), *map(str, homes)]:
            told = subprocess.run(
                [python, "-c", "import sys, venv; print(sys.version_info.minor)"],
                capture_output=True,
                text=True,
            )
            if told.stdout.strip() == str(minor):
                return python
    pytest.skip("no other Python from 3.10 on is installed here")


@pytest.mark.slow
def test_an_editable_tree_is_meshlearn_alone(tmp_path):
    tree = sources(tmp_path)
    python = new_environment(tmp_path, libraries=True)
    pip_install(python, "-e", tree, cwd=tmp_path, MESHLEARN_BUILD_NATIVE="0")
    assert run(python, "-c", LAYOUT, cwd=tmp_path).strip() == str(
        tree / "meshlearn" / "__init__.py"
    )


@pytest.mark.slow
@native
def test_an_sdist_builds_the_operators(tmp_path):
    tree = sources(tmp_path)
    run(sys.executable, "setup.py", "-q", "sdist", "--dist-dir", tmp_path / "dist", cwd=tree)
    (sdist,) = (tmp_path / "dist").iterdir()
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    for path in (ROOT / "csrc").rglob("*.*"):
        assert str(path.relative_to(ROOT)) in held
    assert {f"viewer/{name}" for name in PAGE} <= held
    assert not [name for name in held if name.endswith(("_build_info.json", ".so"))]
    python = new_environment(tmp_path, libraries=True)
    pip_install(python, sdist, cwd=tmp_path, MESHLEARN_BUILD_CUDA="0")
    assert_compiled(python, tmp_path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """What scripts/wheel makes of this tree; it also audits it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(ROOT / "scripts" / "wheel", folder, cwd=folder, VIRTUAL_ENV=sys.prefix)
    (made,) = folder.glob("*.whl")
    assert len(list(folder.glob("*.tar.gz"))) == 1
    return made


@pytest.mark.slow
@native
@pytest.mark.xdist_group("wheel")
def test_the_wheel_holds_meshlearn_alone(wheel, tmp_path):
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-cp310-abi3-{platform}.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"meshlearn"}
    assert {f"meshlearn/viewer/{name}" for name in PAGE} <= set(names)
    # every module of the source, each once, and nothing that was moved
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "meshlearn").rglob("*.py")}
    code |= {
        f"meshlearn/viewer/{p.relative_to(ROOT / 'viewer')}"
        for p in (ROOT / "viewer").rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == code
    python = new_environment(tmp_path, libraries=True)
    pip_install(python, wheel, cwd=tmp_path)
    assert_compiled(python, tmp_path)


LOAD = """
import importlib.util, pathlib, sys, sysconfig
folder = pathlib.Path(sysconfig.get_path("platlib")) / "meshlearn"
for path in sorted(folder.glob("*.abi3.so")):
    name = path.name.partition(".")[0]
    spec = importlib.util.spec_from_file_location(f"meshlearn.{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    print(name, module.__doc__)
"""


@pytest.mark.slow
@native
@pytest.mark.xdist_group("wheel")
def test_the_wheel_serves_another_python(wheel, tmp_path):
    """pip takes it there and its extensions load; torch's libraries know no Python."""
    other = other_python()
    python = new_environment(tmp_path, other, libraries=False)
    pip_install(python, wheel, cwd=tmp_path)
    libraries = str(Path(torch.__file__).parent / "lib")
    loaded = run(python, "-c", LOAD, cwd=tmp_path, LD_LIBRARY_PATH=libraries)
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".abi3.so")]
    assert len(loaded.splitlines()) == len(names) == 2 and "_C Compiled operators" in loaded
