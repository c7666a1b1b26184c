"""Build of meshlearn: pure Python plus, where they can be compiled, its native extensions.

`meshlearn._C` holds the operators. It uses torch's stable ABI: it needs torch's headers and a C++17
compiler, and one build serves every torch from 2.10 on. `meshlearn._io` reads, writes and checks
files, and knows nothing of torch. Every extension keeps to Python's limited API, so that one build
serves every Python from 3.10 on. Nothing here fails the installation: without torch's headers or a
compiler the package installs all the same, and `meshlearn doctor` says what is missing;
meshlearn/_build_info.json holds it for each extension.

Environment: MESHLEARN_BUILD_NATIVE=0 skips the extension; MESHLEARN_BUILD_CUDA=0|1 decides on CUDA
(default: when torch was built with CUDA and nvcc is found); DEBUG=1 builds with the address and
undefined-behaviour sanitizers; TORCH_CUDA_ARCH_LIST as torch reads it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
DEBUG = os.environ.get("DEBUG") == "1"
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")  # free-threaded Pythons have none


def find_torch() -> tuple[Path, str | None] | None:
    """Folder of the torch that will be imported, and the CUDA version it was built with.

    Looked for without importing it, also beside an isolated build environment (pip builds there
    with another sys.path, though the interpreter, and so sysconfig's paths, are the target's own).
    """
    places = [*sys.path, sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]
    for place in places:
        folder = Path(place or ".") / "torch"
        if (folder / "include" / "torch" / "csrc" / "stable" / "library.h").is_file():
            text = (folder / "version.py").read_text(encoding="utf-8")
            version = re.search(r"__version__ = '(\d+)\.(\d+)", text)
            if version and (int(version[1]), int(version[2])) < (2, 10):
                continue
            cuda = re.search(r"^cuda[^=]*= '([^']+)'", text, re.MULTILINE)
            return folder.resolve(), cuda[1] if cuda else None
    return None


def find_cxx() -> str:
    """The C++ compiler: CXX, Python's own, or the first that is there; empty where none is."""
    cxx = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
    if shutil.which(cxx.split()[0]) is None:
        return next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), "")
    return cxx


def find_nvcc() -> str | None:
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    candidate = Path(home) / "bin" / "nvcc"
    return str(candidate) if candidate.is_file() else shutil.which("nvcc")


def cuda_choice(torch_cuda: str | None, nvcc: str | None) -> tuple[bool, str]:
    """Whether to compile for CUDA, and why not."""
    wanted = os.environ.get("MESHLEARN_BUILD_CUDA")
    if wanted == "0":
        return False, "MESHLEARN_BUILD_CUDA=0 was set when it was installed"
    if nvcc is None:
        return False, "nvcc was not found when it was installed (CUDA_HOME/bin or PATH)"
    if wanted == "1":
        return True, ""
    if torch_cuda is None:
        return False, "torch was built without CUDA when it was installed"
    told = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    release = re.search(r"release (\d+)\.", told)
    if release and release[1] != torch_cuda.split(".")[0]:
        return False, (
            f"nvcc is of CUDA {release[1]}, torch of CUDA {torch_cuda}; install the toolkit of "
            "torch's CUDA and reinstall, or set MESHLEARN_BUILD_CUDA=1 to build all the same"
        )
    return True, ""


def cuda_arch_flags() -> list[str]:
    listed = os.environ.get("TORCH_CUDA_ARCH_LIST", "").replace(",", " ").replace(";", " ").split()
    flags = []
    for arch in listed or ["8.0", "9.0+PTX"]:
        number = arch.split("+")[0].replace(".", "")
        flags.append(f"-gencode=arch=compute_{number},code=sm_{number}")
        if arch.endswith("+PTX"):
            flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


def shared_runtime(cxx: str) -> list[str]:
    """The C++ runtime as a shared library, to be linked before what the compiler chooses itself.

    A compiler that has it as an archive alone would put a second runtime into the extension, and
    the first error thrown through torch's own would end the process.
    """
    if sys.platform != "linux":
        return []
    command = [*cxx.split(), "-print-file-name=libstdc++.so.6"]
    path = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return [path] if os.path.isfile(path) else []


class CudaCompilerFailed(RuntimeError):
    """nvcc failed: the operators are then built for the CPU alone."""


class Build(build):
    """Builds into an empty folder: a module that moved does not come back from an earlier build."""

    def run(self) -> None:
        for name in ("meshlearn", "viewer"):
            shutil.rmtree(Path(self.build_lib) / name, ignore_errors=True)
        super().run()


class NativeExtension(Extension):
    """An extension in C++ of the limited API; one of torch's operators also has .cu sources."""

    def __init__(self, name: str, sources: list[str], *, torch: bool) -> None:
        super().__init__(name, sources, py_limited_api=LIMITED_API, optional=True)
        self.torch = torch


class Toolchain:
    """The commands that make one extension here, or in `reason` what is missing."""

    def __init__(self, ext: NativeExtension, *, cuda: bool) -> None:
        self.reason = ""
        self.facts: dict[str, object] = {}
        self.cuda, self.nvcc = False, find_nvcc()
        self.cxx = find_cxx()
        include = [sysconfig.get_path("include")]
        macros, libraries, version = [], [], ""
        if os.environ.get("MESHLEARN_BUILD_NATIVE") == "0":
            self.reason = "MESHLEARN_BUILD_NATIVE=0 was set when it was installed"
        elif ext.torch and (found := find_torch()) is None:
            self.reason = (
                "torch's headers (torch 2.10 or later) were not there when it was "
                "installed; install torch first, then reinstall with --no-build-isolation"
            )
        elif not self.cxx:
            self.reason = "no C++ compiler (c++, g++ or clang++) was found"
        if self.reason:
            return
        if ext.torch:
            folder, torch_cuda = found
            choice, cuda_reason = cuda_choice(torch_cuda, self.nvcc)
            self.cuda = cuda and choice
            self.facts = {"cuda": self.cuda, "torch_cuda": torch_cuda, "cuda_reason": cuda_reason}
            version = (folder / "version.py").read_text(encoding="utf-8")
            include.insert(0, str(folder / "include"))
            macros.append("-DTORCH_TARGET_VERSION=0x020a000000000000")
            libraries += [f"-L{folder / 'lib'}", "-ltorch_cpu", "-ltorch"]
        if self.cuda:
            macros.append("-DUSE_CUDA")
            libraries += ["-ltorch_cuda", f"-L{Path(self.nvcc).parents[1] / 'lib64'}", "-lcudart"]
        if DEBUG:
            macros.append("-DMESHLEARN_SANITIZE")
            libraries.append("-fsanitize=address,undefined")
        self.common = [*macros, *(f"-I{path}" for path in include)]
        shared = (
            ["-undefined", "dynamic_lookup", "-bundle"] if sys.platform == "darwin" else ["-shared"]
        )
        # libraries after the objects that need them
        self.link_command = [*self.cxx.split()], [*shared, *shared_runtime(self.cxx), *libraries]
        tools = [self.cxx.split(), *([[self.nvcc]] if self.cuda else [])]
        told = [subprocess.run([*tool, "--version"], capture_output=True).stdout for tool in tools]
        self.made_by = f"{version}{told}"  # what a command's own words do not say

    def compile_command(self, path: Path) -> list[str]:
        """The command that compiles `path`, but for the files that it writes."""
        if path.suffix == ".cu":
            command = [
                self.nvcc,
                "-c",
                "-std=c++17",
                "-O3",
                "--expt-relaxed-constexpr",
                "--fmad=false",  # the bits of the CPU's build (-ffp-contract=off)
                "-Xcompiler",
            ]
            command += ["-fPIC,-Wall,-fvisibility=hidden", *cuda_arch_flags()]
        else:
            command = [*self.cxx.split(), "-c", "-std=c++17", "-fPIC", "-fvisibility=hidden"]
            command += ["-Wall", "-ffp-contract=off"]
            if platform.machine() in ("x86_64", "AMD64"):  # popcount; every CPU since 2009
                command.append("-march=" + os.environ.get("MESHLEARN_MARCH", "x86-64-v2"))
            if DEBUG:
                command += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
                command.append("-fno-sanitize-recover=undefined")
            else:
                command += ["-O3", "-DNDEBUG"]
        return [*command, *self.common, str(path)]


def is_current(target: Path, key: str) -> bool:
    """Whether `target` was made by the command of `key`, after the last change of what it read.

    The compiler wrote beside it, as a rule of make, which files it read (`-MMD`).
    """
    stamp, rule = target.with_name(target.name + ".key"), target.with_name(target.name + ".d")
    try:
        if stamp.read_text(encoding="utf-8") != key:
            return False
        made = target.stat().st_mtime
        return all(os.stat(name).st_mtime < made for name in files_of_rule(rule.read_text()))
    except (OSError, ValueError):  # never made, or a header that is gone
        return False


def files_of_rule(rule: str) -> list[str]:
    """The files that a rule of make names after its target."""
    text = rule.replace("\\\n", " ").strip()
    _, _, needs = text.partition(": ")
    if not needs:
        raise ValueError("no rule")
    words = re.findall(r"(?:\\.|[^\s\\])+", needs)
    return [re.sub(r"\\([ #])", r"\1", word).replace("$$", "$") for word in words]


class BuildNative(build_ext):
    """Compiles sources in parallel, .cu files with nvcc, and never fails the installation."""

    def run(self) -> None:
        in_source = bool(self.inplace)  # setuptools clears it while it builds
        if in_source:  # an editable installation too keeps what it compiled
            self.build_temp = str(ROOT / "build" / "native")
        self.facts: dict[str, dict] = {}
        super().run()
        target = (ROOT if in_source else Path(self.build_lib)) / "meshlearn"
        target.mkdir(parents=True, exist_ok=True)
        (target / "_build_info.json").write_text(json.dumps(self.facts) + "\n")
        if in_source:  # an older build of another name, or of another state of the sources
            for ext in self.extensions:
                made = Path(self.get_ext_fullpath(ext.name)).name
                name = ext.name.rpartition(".")[2]
                for old in target.glob(f"{name}.*so"):
                    if not self.facts[name]["native"] or old.name != made:
                        old.unlink()

    def build_extension(self, ext: NativeExtension) -> None:
        name = ext.name.rpartition(".")[2]
        facts = {"native": False, "reason": ""}
        Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)
        try:
            try:
                facts.update(self._build(ext))
            except CudaCompilerFailed as error:
                facts.update({**self._build(ext, cuda=False), "cuda_reason": str(error)})
        except Exception as error:
            if os.environ.get("MESHLEARN_BUILD_NATIVE") == "1":
                raise
            facts["reason"] = f"the compiler failed: {str(error).splitlines()[0]}"
        if facts["reason"]:
            print(f"meshlearn: {WHAT[name]} not built: {facts['reason']}", file=sys.stderr)
        self.facts[name] = facts

    def _build(self, ext: NativeExtension, *, cuda: bool = True) -> dict:
        tools = Toolchain(ext, cuda=cuda)
        if tools.reason:
            return {"reason": tools.reason}
        temp = Path(self.build_temp) / ("debug" if DEBUG else "release")
        temp = temp / ("cuda" if tools.cuda else "cpu")

        def compile_one(source: str) -> str:
            path = ROOT / source
            target = (temp / source).with_suffix(path.suffix + ".o")
            target.parent.mkdir(parents=True, exist_ok=True)
            command = tools.compile_command(path)
            key = f"{shlex.join(command)}\n{tools.made_by}"
            if is_current(target, key):
                return str(target)
            print(f"compiling {source}\n", end="", flush=True)  # whole lines from every thread
            stamp = target.with_name(target.name + ".key")
            stamp.unlink(missing_ok=True)
            command += ["-MMD", "-MF", str(target) + ".d", "-o", str(target)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.stderr.strip():
                print(result.stderr, file=sys.stderr)
            if result.returncode != 0:
                target.unlink(missing_ok=True)
                failed = CudaCompilerFailed if path.suffix == ".cu" else RuntimeError
                raise failed(f"{source}: compiler exited with {result.returncode}")
            stamp.write_text(key, encoding="utf-8")
            return str(target)

        sources = sorted(s for s in ext.sources if tools.cuda or not s.endswith(".cu"))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = list(pool.map(compile_one, sources))
        output = Path(self.get_ext_fullpath(ext.name))
        output.parent.mkdir(parents=True, exist_ok=True)
        begin, end = tools.link_command
        subprocess.run([*begin, *objects, *end, "-o", str(output)], check=True)
        return {"native": True, **tools.facts}


def sources(*patterns: str) -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)
    )


OPERATORS = NativeExtension(
    "meshlearn._C", sources("csrc/ops.cpp", "csrc/cpu/*.cpp", "csrc/cuda/*.cu"), torch=True
)
READERS = NativeExtension("meshlearn._io", sources("csrc/io/*.cpp"), torch=False)
WHAT = {"_C": "native operators", "_io": "native readers"}  # for messages

setup(
    # viewer/ lies at the top of the source and is imported as meshlearn.viewer
    packages=[*find_packages(include=["meshlearn", "meshlearn.*"]), "meshlearn.viewer"],
    package_dir={"meshlearn.viewer": "viewer"},
    ext_modules=[OPERATORS, READERS],
    cmdclass={"build": Build, "build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if LIMITED_API else {},
)
