"""The build: CUDA sources compile, kernels stay free of torch, the package installs anywhere."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from meshlearn import _native

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
STABLE = ("torch/csrc/stable/", "torch/headeronly/", "torch/csrc/inductor/aoti_torch/c/")
# counting sorts, union-find, collapses and flips of edges and the factor of a sparse matrix
# are sequential by nature; on a GPU torch serves, or the CPU
CPU_ONLY = {"topology", "cholesky", "simplify", "remesh"}
CUDA_SOURCES = sorted(CSRC.glob("cuda/*.cu"))


def closure(source: Path) -> list[Path]:
    """`source` and every file of csrc it includes."""
    found, queue = [], [source]
    while queue:
        path = queue.pop()
        if path not in found:
            found.append(path)
            names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)
            queue += [p for p in ((path.parent / name).resolve() for name in names) if p.exists()]
    return sorted(found)


def nvcc() -> str:
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    found = shutil.which("nvcc", path=f"{home}/bin") or shutil.which("nvcc")
    if found is None:
        pytest.skip("nvcc is not installed here (CUDA_HOME/bin or PATH)")
    return found


@pytest.mark.parametrize("source", CUDA_SOURCES, ids=lambda path: path.stem)
def test_cuda_source_compiles(source, tmp_path):
    command = [nvcc(), "-c", "-std=c++17", "-arch=sm_90", "--expt-relaxed-constexpr"]
    command += ["-O0", "-Xcicc", "-O0", "-Xptxas", "-O0"]  # what is asked is whether it compiles
    command += ["-Xcompiler", "-fPIC,-Wall", "-DUSE_CUDA"]
    command += ["-DTORCH_TARGET_VERSION=0x020a000000000000"]
    command += [f"-I{Path(torch.__file__).parent / 'include'}", str(source)]
    key = hashlib.sha256(f"{torch.__version__} {command}".encode())
    for path in closure(source):
        key.update(path.read_bytes())
    stamp = ROOT / "build" / "cuda-check" / f"{source.stem}-{key.hexdigest()[:16]}"
    if stamp.exists():  # these very lines compiled before
        return
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "out.o")], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    stamp.parent.mkdir(parents=True, exist_ok=True)
    for old in stamp.parent.glob(f"{source.stem}-*"):
        old.unlink(missing_ok=True)
    stamp.touch()


def test_every_kernel_runs_on_both_machines():
    cpu = {path.stem for path in CSRC.glob("cpu/*.cpp")}
    cuda = {path.stem for path in CUDA_SOURCES}
    kernels = {path.stem for path in CSRC.glob("kernels/*.h")}
    assert cuda <= cpu and cuda, cuda - cpu
    # whatever has a kernel has both
    for name in cpu - cuda - CPU_ONLY:
        used = {path.stem for path in closure(CSRC / "cpu" / f"{name}.cpp")} & kernels
        assert not used, f"csrc/cpu/{name}.cpp has kernels {used} but no csrc/cuda/{name}.cu"


def test_kernels_are_free_of_torch():
    for path in CSRC.glob("kernels/*.h"):
        for file in closure(path):
            includes = re.findall(r'#\s*include\s+[<"]([^>"]+)', file.read_text())
            assert not [name for name in includes if "torch" in name or "ATen" in name], file


def test_only_the_stable_abi_is_included():
    for path in CSRC.rglob("*"):
        if path.suffix in (".h", ".cpp", ".cu"):
            names = re.findall(r"#\s*include\s+<((?:torch|ATen|c10)/[^>]+)", path.read_text())
            stable = (
                "torch/csrc/stable/",
                "torch/headeronly/",
                "torch/csrc/inductor/aoti_torch/c/",
            )
            assert all(name.startswith(stable) for name in names), (path, names)


def test_every_operator_has_a_cpu_implementation():
    schema = set(re.findall(r'm\.def\(\s*"(\w+)\(', (CSRC / "ops.cpp").read_text()))
    assert schema
    for folder, sources in (("cpu", CSRC.glob("cpu/*.cpp")), ("cuda", CUDA_SOURCES)):
        bound = {n for p in sources for n in re.findall(r'm\.impl\(\s*"(\w+)"', p.read_text())}
        assert bound <= schema, f"{folder}: no schema for {bound - schema}"
        if folder == "cpu":
            assert bound == schema, f"no CPU implementation of {schema - bound}"
            for name in schema if _native.HAS_NATIVE else ():
                assert hasattr(torch.ops.meshlearn, name)


def clean_tree(folder: Path) -> Path:
    """A copy of the sources, with nothing built but what is out of date."""
    tree = folder / "source tree"
    skip = shutil.ignore_patterns("*.so", "__pycache__", "_build_info.json", "*.egg-info")
    for name in ("meshlearn", "viewer", "csrc"):
        shutil.copytree(ROOT / name, tree / name, ignore=skip)
    # what an earlier build of an earlier layout left
    built = f"build/lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    for name in ("meshlearn", "viewer"):
        (tree / built / name).mkdir(parents=True)
        (tree / built / name / "moved_away.py").touch()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree / name)
    return tree


def install(folder: Path, *options: str, **environment: str) -> tuple[Path, str]:
    """`pip install` of a clean tree into folder/site, without dependencies; and what pip said."""
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "-v", "--no-deps", "--target", str(site)]
    done = subprocess.run(
        [*command, *options, str(clean_tree(folder))],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site / "meshlearn" / "viewer" / "page.js").is_file()
    assert not (site / "viewer").exists() and not list(site.rglob("moved_away.py"))
    return site, done.stdout + done.stderr


# an editable install answers for modules that the installed package lacks: it is asked to be quiet
ALONE = """
import sys
sys.meta_path = [f for f in sys.meta_path if "editable" not in getattr(f, "__module__", "")]
"""


def in_site(site: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code],
        capture_output=True,
        text=True,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SUMS = """
import torch
from meshlearn import _native, _segment
values = torch.arange(6.0).reshape(3, 2).requires_grad_()
rows = _segment.Incidence(torch.tensor([0, 2, 2]), 3)
sums = _segment.segment_sum(values, rows)
sums.sum().backward()
assert sums.tolist() == [[0, 1], [0, 0], [6, 8]] and values.grad.eq(1).all()
print(_native.HAS_NATIVE, _native.status()["reason"], sep="|")
"""


@pytest.mark.slow
def test_installed_without_native_operators_the_references_serve(tmp_path):
    site, _ = install(tmp_path, "--no-build-isolation", MESHLEARN_BUILD_NATIVE="0")
    assert not list(site.glob("meshlearn/*.so"))
    assert in_site(site, SUMS) == "False|MESHLEARN_BUILD_NATIVE=0 was set when it was installed"


@pytest.mark.slow
def test_installed_without_a_compiler_the_references_serve(tmp_path):
    tools = tmp_path / "tools"  # a PATH with no compiler on it
    tools.mkdir()
    for name in ("sh", "env", "uname", "ldconfig"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    environment = {"PATH": str(tools), "CXX": ""}
    site, said = install(tmp_path, "--no-build-isolation", **environment)
    assert "native operators not built: no C++ compiler" in said
    assert in_site(site, SUMS) == "False|no C++ compiler (c++, g++ or clang++) was found"


@pytest.mark.slow
def test_installed_with_a_compiler_the_operators_are_built_in_isolation_too(tmp_path):
    if not _native.HAS_NATIVE or _native.SANITIZED:
        pytest.skip("native operators are not built here")
    site, said = install(tmp_path)
    assert list(site.glob("meshlearn/_C*.so")), said
    assert in_site(site, SUMS) == "True|"


@pytest.mark.slow
def test_a_failing_compiler_does_not_fail_the_install(tmp_path):
    site, said = install(tmp_path, "--no-build-isolation", CXX="false")
    assert "native operators not built" in said
    assert "compiler exited with 1" in in_site(site, SUMS)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers are preloaded as on Linux")
def test_operators_pass_under_the_sanitizers():
    """The rooms that test operators themselves; `scripts/sanitize` alone runs fits as well."""
    rooms = ("mesh", "convex", "geometry", "isosurface", "render", "arrays")
    rooms += ("io/test_formats.py", "io/test_faults.py", "io/test_threads.py")
    done = subprocess.run(
        [
            ROOT / "scripts" / "sanitize",
            *(f"tests/{room}" for room in rooms),
            "tests/test_zeros.py",
        ],
        capture_output=True,
        text=True,
        timeout=5000,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]


MODULE = """
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_C", "", -1,
                                        nullptr, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC PyInit__C(void) { return PyModule_Create(&definition); }
"""


def small_tree(folder: Path) -> Path:
    """setup.py over three sources: `a` includes near.h, `b` includes far.h through near.h."""
    tree = folder / "a tree"
    for name, text in {
        "csrc/ops.cpp": MODULE,
        "csrc/io/module.cpp": MODULE.replace('"_C"', '"_io"').replace("PyInit__C", "PyInit__io"),
        "csrc/common/far.h": "inline int far_away() { return 1; }\n",
        "csrc/common/near.h": '#include "far.h"\ninline int near_by() { return far_away(); }\n',
        "csrc/cpu/a.cpp": '#include "../common/far.h"\nint a() { return far_away(); }\n',
        "csrc/cpu/b.cpp": '#include "../common/near.h"\nint b() { return near_by(); }\n',
        "meshlearn/__init__.py": "",
    }.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy2(ROOT / "setup.py", tree / "setup.py")
    return tree


def compiled(tree: Path, **environment: str) -> set[str]:
    """Builds `tree` in place; the sources that were compiled."""
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        capture_output=True,
        text=True,
        cwd=tree,
        env={**os.environ, "MESHLEARN_BUILD_CUDA": "0", **environment},
        timeout=200,
    )
    assert done.returncode == 0 and "not built" not in done.stderr, done.stdout + done.stderr
    return set(re.findall(r"^compiling csrc/(?:cpu/)?(\w+)\.cpp$", done.stdout, re.MULTILINE))


def test_a_header_recompiles_what_includes_it(tmp_path):
    if not _native.HAS_NATIVE:
        pytest.skip("native operators are not built here")
    tree = small_tree(tmp_path)
    assert compiled(tree) == {"ops", "a", "b"}
    assert compiled(tree) == set()
    (tree / "csrc" / "common" / "near.h").touch()
    assert compiled(tree) == {"b"}
    (tree / "csrc" / "common" / "far.h").touch()
    assert compiled(tree) == {"a", "b"}
    (tree / "csrc" / "ops.cpp").touch()
    assert compiled(tree) == {"ops"}
    assert compiled(tree, MESHLEARN_MARCH="x86-64") == (
        {"ops", "a", "b"} if platform.machine() in ("x86_64", "AMD64") else set()
    )
    old = tree / "meshlearn" / f"_C{sysconfig.get_config_var('EXT_SUFFIX')}"
    old.touch()  # what an earlier version built would be imported first
    (tree / "csrc" / "common" / "near.h").unlink()
    (tree / "csrc" / "cpu" / "b.cpp").write_text("int b() { return 2; }\n")
    compiled(tree)
    assert {p.name for p in tree.glob("meshlearn/*.so")} == {"_C.abi3.so", "_io.abi3.so"}


def test_setup_finds_the_torch_that_runs_here(monkeypatch):
    import setuptools

    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    torch_dir, cuda = runpy.run_path(str(ROOT / "setup.py"))["find_torch"]()
    assert torch_dir == Path(torch.__file__).resolve().parent and cuda == torch.version.cuda


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the runtime is always shared")
def test_there_is_one_c_runtime_whatever_the_compiler_prefers(tmp_path, monkeypatch):
    """Two in one process end it, or lose the message, when an operator throws through torch."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed here")
    source, library = tmp_path / "throws.cpp", tmp_path / "throws.so"
    source.write_text('#include <stdexcept>\nvoid f() { throw std::runtime_error("no"); }\n')
    monkeypatch.setattr("setuptools.setup", lambda **options: None)
    runtime = runpy.run_path(str(ROOT / "setup.py"))["shared_runtime"](compiler)
    flags = ["-fPIC", "-shared", "-static-libstdc++"]
    command = [compiler, str(source), *flags, *runtime, "-o", str(library)]
    subprocess.run(command, check=True, timeout=100)
    assert runtime and b"libstdc++.so.6" in library.read_bytes()


@pytest.mark.parametrize(
    ("torch_cuda", "release", "wanted", "built", "why"),
    [
        ("13.0", "13.0", None, True, ""),
        ("12.8", "13.0", None, False, "nvcc is of CUDA 13, torch of CUDA 12.8; install"),
        ("12.8", "13.0", "1", True, ""),
        (None, "13.0", None, False, "torch was built without CUDA"),
        ("13.0", None, None, False, "nvcc was not found"),
        ("13.0", "13.0", "0", False, "MESHLEARN_BUILD_CUDA=0 was set"),
    ],
)
def test_cuda_is_built_where_toolkit_and_torch_agree(
    monkeypatch, tmp_path, torch_cuda, release, wanted, built, why
):
    import setuptools

    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    monkeypatch.delenv("MESHLEARN_BUILD_CUDA", raising=False)
    if wanted is not None:
        monkeypatch.setenv("MESHLEARN_BUILD_CUDA", wanted)
    nvcc = None
    if release is not None:
        nvcc = tmp_path / "nvcc"
        nvcc.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V1'\n")
        nvcc.chmod(0o755)
    choice = runpy.run_path(str(ROOT / "setup.py"))["cuda_choice"]
    chosen, reason = choice(torch_cuda, nvcc and str(nvcc))
    assert chosen is built and reason.startswith(why)
