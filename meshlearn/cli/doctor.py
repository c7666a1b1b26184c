"""`meshlearn doctor`: what is installed here, what runs, and why not the rest."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._output import print_json, print_table

# an optional package as it is installed: what is imported of it, and what it unlocks
OPTIONAL = {
    "nibabel": (
        "nibabel",
        "segmentations of hearts in NIfTI (pip install 'meshlearn[nifti]')",
    ),
    "pydicom": ("pydicom", "folders of DICOM slices (pip install 'meshlearn[dicom]')"),
    "laspy": ("laspy", "LAS and LAZ files (pip install 'meshlearn[las]')"),
    "cascadio": ("cascadio", "STEP and IGES files (pip install 'meshlearn[cad]')"),
    "viser": ("viser", "`view` (pip install 'meshlearn[viewer]')"),
    "xatlas": ("xatlas", "textures of fits to images (pip install 'meshlearn[texture]')"),
    "trimesh": ("trimesh", "meshlearn.interop; a peer in `bench`"),
    "open3d": ("open3d", "meshlearn.interop; a peer in `bench`"),
    "scikit-image": ("skimage.measure", "a peer in `bench`"),
    "scipy": ("scipy.spatial", "a peer in `bench`"),
    "meshio": ("meshio", "a peer in `bench`"),
    "pytorch3d": ("pytorch3d.structures", "meshlearn.interop; a peer in `bench`"),
    "pyvista": ("pyvista", "meshlearn.interop"),
    "fast-simplification": ("fast_simplification", "a peer in `bench`"),
    "distributed": ("distributed", "`convert --cluster dask` (pip install 'meshlearn[dask]')"),
    "ray": ("ray", "`convert --cluster ray` (pip install 'meshlearn[ray]')"),
    "manifold3d": (
        "manifold3d",
        "unions, `reconstruct --method bspnet` (pip install 'meshlearn[union]')",
    ),
    "usd-core": ("pxr.Usd", "USD files (pip install 'meshlearn[usd]')"),
    "nvdiffrast": ("nvdiffrast.torch", "render(backend='nvdiffrast') on CUDA"),
}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def import_fault(module: str, *, seconds: float = 120) -> str:
    """Why `module` cannot be imported here, in one line; empty where it can.

    It is imported by a process of its own: a library that ends it takes nothing else along.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"its import did not end within {seconds:g} s"
    except OSError as error:
        return f"no process could be started: {error}"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"its import ends the process (signal {-done.returncode})"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"its import ends the process (exit {done.returncode})"


def _optional(name: str) -> dict[str, object]:
    module, unlocks = OPTIONAL[name]
    version = _version(name)
    reason = "not installed" if version is None else import_fault(module)
    return {"version": version, "usable": not reason, "reason": reason, "unlocks": unlocks}


def _tool(names: list[str], line: str) -> dict[str, object]:
    """The first of `names` that runs: its path, and the line of --version that holds `line`."""
    for name in filter(None, names):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            continue
        lines = done.stdout.splitlines()
        if done.returncode == 0 and lines:
            text = next((entry for entry in lines if line in entry), lines[0])
            return {"found": True, "path": path, "version": text.strip()}
    return {"found": False, "path": None, "version": None}


def _cuda() -> dict[str, object]:
    import torch

    if torch.version.cuda is None:
        return {"available": False, "devices": [], "reason": "this torch was built without CUDA"}
    if not torch.cuda.is_available():
        return {
            "available": False,
            "devices": [],
            "reason": f"torch (CUDA {torch.version.cuda}) sees no device or no driver",
        }
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"available": True, "devices": names, "reason": ""}


def self_test(device: str) -> dict[str, object]:
    """Runs one compiled operator on `device` against its torch reference."""
    import torch

    from meshlearn import _segment

    try:
        generator = torch.Generator().manual_seed(0)
        values = torch.rand(1000, 3, generator=generator, dtype=torch.float64).to(device)
        index = torch.randint(0, 50, (1000,), generator=generator).to(device)
        rows = _segment.Incidence(index, 50)
        got = torch.ops.meshlearn.gather_sum(values, rows.start, rows.order)
        want = _segment.gather_sum_reference(values, rows.start, rows.order)
        error = float((got - want).abs().max())
    except Exception as problem:
        return {"passed": False, "reason": str(problem).splitlines()[0]}
    passed = error < 1e-9
    return {"passed": passed, "reason": "" if passed else f"off by {error:g} from the reference"}


def diagnose() -> dict[str, Any]:
    """Everything `doctor` says, as one JSON-able dict; ``healthy`` is false if a test fails."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # imported meanwhile
        optional = {name: pool.submit(_optional, name) for name in OPTIONAL}
        facts = _facts()
    facts["optional"] = {name: found.result() for name, found in optional.items()}
    return facts


def _facts() -> dict[str, Any]:
    """What `diagnose` says of all but the optional packages."""
    import torch

    import meshlearn
    from meshlearn import _compiled, _memory, _native

    total, available = _memory.memory_status()
    native, cuda = _native.status(), _cuda()
    operators: dict[str, dict[str, Any]] = {}
    cpu_runs, cuda_runs = bool(native["native"]), bool(native["native_cuda"])
    operators["cpu"] = {"compiled": cpu_runs, "reason": native["reason"]}
    readers = _compiled.status()
    why = ""
    if not cuda["available"]:
        why = str(cuda["reason"])
    elif not cuda_runs:
        why = str(native["cuda_reason"]) or "they were not built"
    operators["cuda"] = {"compiled": cuda_runs, "reason": why}
    if cpu_runs:
        operators["cpu"]["self_test"] = self_test("cpu")
    if cuda_runs and cuda["available"]:
        operators["cuda"]["self_test"] = self_test("cuda")
    tests = [entry["self_test"] for entry in operators.values() if "self_test" in entry]
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda"
    compilers = [os.environ.get("CXX", "").split(" ")[0], "c++", "g++", "clang++"]
    return {
        "meshlearn": meshlearn.__version__,
        "location": str(Path(meshlearn.__file__).parent),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "torch": torch.__version__,
        "operators": operators,
        "readers": {"compiled": readers["native"], "reason": readers["reason"]},
        "sanitized": native["sanitized"],
        "compiler": _tool(compilers, ""),
        "nvcc": _tool([str(Path(home) / "bin" / "nvcc"), "nvcc"], "release"),
        "cuda": cuda,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "memory": {"total": total, "available": available},
        "healthy": all(test["passed"] for test in tests),
    }


def _operator_text(entry: dict) -> str:
    if not entry["compiled"] or "self_test" not in entry:
        state = "compiled, not usable" if entry["compiled"] else "torch references serve"
        return f"{state}: {entry['reason']}"
    test = entry["self_test"]
    return "compiled, self-test " + ("passed" if test["passed"] else f"FAILED: {test['reason']}")


def _readers_text(entry: dict) -> str:
    return "compiled" if entry["compiled"] else f"plain Python serves: {entry['reason']}"


@command("doctor")
def doctor(as_json: JsonFlag = False) -> None:
    """Say what runs here, compiled or by reference, and why; exit 1 if a self-test fails."""
    facts = diagnose()
    if as_json:
        print_json(facts)
    else:
        gigabyte = 1024**3
        memory = [
            "unknown" if size is None else f"{size / gigabyte:.1f} GB"
            for size in facts["memory"].values()
        ]
        rows = [
            ("meshlearn", f"{facts['meshlearn']} in {facts['location']}"),
            ("python", f"{facts['python']} ({facts['executable']})"),
            ("platform", facts["platform"]),
            ("torch", facts["torch"]),
            ("operators on CPU", _operator_text(facts["operators"]["cpu"])),
            ("operators on CUDA", _operator_text(facts["operators"]["cuda"])),
            ("readers of files", _readers_text(facts["readers"])),
            (
                "CUDA device",
                ", ".join(facts["cuda"]["devices"]) or f"none: {facts['cuda']['reason']}",
            ),
            ("C++ compiler", facts["compiler"]["version"] or "none (c++, g++ or clang++)"),
            ("nvcc", facts["nvcc"]["version"] or "none (CUDA_HOME/bin or PATH)"),
            ("threads", f"{facts['threads']} of {facts['cpus']} CPUs"),
            ("memory", f"{memory[1]} available of {memory[0]}"),
        ]
        for name, entry in facts["optional"].items():
            state = entry["version"] or "not installed"
            if entry["version"] and not entry["usable"]:
                state = f"{entry['version']} is not usable ({entry['reason']})"
            rows.append((name, f"{state}: {entry['unlocks']}"))
        print_table(rows)
    if not facts["healthy"]:
        message("error: a compiled operator disagrees with its reference; reinstall meshlearn")
        raise SystemExit(1)
