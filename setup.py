"""Build of meshlearn: pure Python plus, where it can be compiled, an extension of native operators.

The extension uses torch's stable ABI: it needs torch's headers and a C++17 compiler, and one build
serves every torch from 2.10 on. Nothing here fails the installation: without torch's headers or a
compiler the package installs all the same, and `meshlearn doctor` says what is missing.

Environment: MESHLEARN_BUILD_NATIVE=0 skips the extension; MESHLEARN_BUILD_CUDA=0|1 decides on CUDA
(default: when torch was built with CUDA and nvcc is found); DEBUG=1 builds with the address and
undefined-behaviour sanitizers; TORCH_CUDA_ARCH_LIST as torch reads it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
DEBUG = os.environ.get("DEBUG") == "1"


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


class BuildNative(build_ext):
    """Compiles sources in parallel, .cu files with nvcc, and never fails the installation."""

    def run(self) -> None:
        self.in_source = bool(self.inplace)  # setuptools clears it while it builds
        super().run()

    def build_extension(self, ext: Extension) -> None:
        info = {"native": False, "cuda": False, "reason": ""}
        try:
            try:
                info.update(self._build(ext))
            except CudaCompilerFailed as error:
                info.update({**self._build(ext, cuda=False), "cuda_reason": str(error)})
        except Exception as error:
            if os.environ.get("MESHLEARN_BUILD_NATIVE") == "1":
                raise
            info["reason"] = f"the compiler failed: {str(error).splitlines()[0]}"
        if info["reason"]:
            print(f"meshlearn: native operators not built: {info['reason']}", file=sys.stderr)
        target = ROOT if self.in_source else Path(self.build_lib)
        (target / "meshlearn").mkdir(parents=True, exist_ok=True)
        (target / "meshlearn" / "_build_info.json").write_text(json.dumps(info) + "\n")

    def _build(self, ext: Extension, *, cuda: bool = True) -> dict:
        if os.environ.get("MESHLEARN_BUILD_NATIVE") == "0":
            return {"reason": "MESHLEARN_BUILD_NATIVE=0 was set when it was installed"}
        found = find_torch()
        if found is None:
            return {
                "reason": "torch's headers (torch 2.10 or later) were not there when it was "
                "installed; install torch first, then reinstall with --no-build-isolation"
            }
        torch_dir, torch_cuda = found
        nvcc = find_nvcc()
        choice, cuda_reason = cuda_choice(torch_cuda, nvcc)
        cuda = cuda and choice
        include = [str(torch_dir / "include"), sysconfig.get_path("include")]
        macros = ["-DTORCH_TARGET_VERSION=0x020a000000000000"] + (["-DUSE_CUDA"] if cuda else [])
        flags = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-ffp-contract=off"]
        if platform.machine() in ("x86_64", "AMD64"):  # popcount; every x86-64 CPU since 2009
            flags.append("-march=" + os.environ.get("MESHLEARN_MARCH", "x86-64-v2"))
        if DEBUG:
            flags += ["-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
            flags += ["-fno-sanitize-recover=undefined", "-DMESHLEARN_SANITIZE"]
        else:
            flags += ["-O3", "-DNDEBUG"]
        headers = [p for p in (ROOT / "csrc").rglob("*.h")]
        newest_header = max(p.stat().st_mtime for p in [*headers, ROOT / "setup.py"])
        temp = Path(self.build_temp) / ("debug" if DEBUG else "release")
        temp = temp / ("cuda" if cuda else "cpu")
        cxx = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
        if shutil.which(cxx.split()[0]) is None:
            cxx = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), "")
        if not cxx:
            return {"reason": "no C++ compiler (c++, g++ or clang++) was found"}

        def compile_one(source: str) -> str:
            path = ROOT / source
            target = (temp / source).with_suffix(path.suffix + ".o")
            target.parent.mkdir(parents=True, exist_ok=True)
            newest = max(path.stat().st_mtime, newest_header)
            if target.exists() and target.stat().st_mtime > newest:
                return str(target)
            if path.suffix == ".cu":
                command = [
                    nvcc,
                    "-c",
                    "-std=c++17",
                    "-O3",
                    "--expt-relaxed-constexpr",
                    "--fmad=false",  # the bits of the CPU's build (-ffp-contract=off)
                    "-Xcompiler",
                ]
                command += ["-fPIC,-Wall,-fvisibility=hidden", *cuda_arch_flags()]
            else:
                command = [*cxx.split(), "-c", *flags]
            command += [
                *macros,
                *(f"-I{folder}" for folder in include),
                str(path),
                "-o",
                str(target),
            ]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.stderr.strip():
                print(result.stderr, file=sys.stderr)
            if result.returncode != 0:
                target.unlink(missing_ok=True)
                failed = CudaCompilerFailed if path.suffix == ".cu" else RuntimeError
                raise failed(f"{source}: compiler exited with {result.returncode}")
            return str(target)

        sources = sorted(s for s in ext.sources if cuda or not s.endswith(".cu"))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = list(pool.map(compile_one, sources))
        output = Path(self.get_ext_fullpath(ext.name))
        output.parent.mkdir(parents=True, exist_ok=True)
        library = torch_dir / "lib"
        link = [*cxx.split(), *objects, f"-L{library}", "-ltorch_cpu", "-ltorch"]
        link += (
            ["-undefined", "dynamic_lookup", "-bundle"] if sys.platform == "darwin" else ["-shared"]
        )
        link += shared_runtime(cxx)
        if cuda:
            link += ["-ltorch_cuda", f"-L{Path(nvcc).parents[1] / 'lib64'}", "-lcudart"]
        if DEBUG:
            link += ["-fsanitize=address,undefined"]
        subprocess.run([*link, "-o", str(output)], check=True)
        found = {"native": True, "cuda": cuda, "torch_cuda": torch_cuda}
        return {**found, "cuda_reason": cuda_reason}


def sources() -> list[str]:
    folder = ROOT / "csrc"
    found = [folder / "ops.cpp", *folder.glob("cpu/*.cpp"), *folder.glob("cuda/*.cu")]
    return [str(path.relative_to(ROOT)) for path in found]


setup(
    ext_modules=[Extension("meshlearn._C", sources())],
    cmdclass={"build_ext": BuildNative},
)
