"""The process that meshes CAD files: a damaged one may end OpenCASCADE, or keep it busy for ever.

As a program: the arguments are the kind, the deflection, 1 if it is of each edge's size, the angle
in radians, 1 for several threads, and bytes of memory; then places where libraries are. Standard
input is the file, standard output the GLB.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ANGLE = 0.35  # radians between neighbouring facets at most
RELATIVE = 0.001  # of the size of each edge and face: deflection where none is said
SECONDS, SECONDS_EACH = 60.0, 1e-4  # for a file, and for each of its bytes
MEMORY, MEMORY_EACH = 4 << 30, 1000  # bytes


def need_library() -> None:
    """Raises ImportError, which names the extra, where the library is absent."""
    if find_spec("cascadio") is None:
        raise ImportError("STEP and IGES files need cascadio: pip install 'meshlearn[cad]'")


def mesh_of(data: bytes, kind: str, tolerance: float | None) -> bytes:
    """A GLB of a file, "step" or "iges"; empty where there is no shape in it.

    Args:
        tolerance: deflection in millimetres; None: `RELATIVE`.

    Raises:
        ValueError: the library died of the file, or is late.
    """
    need_library()
    spec = find_spec("cascadio")
    home = str(Path(spec.origin).parents[1]) if spec is not None and spec.origin else ""
    deflection = (RELATIVE, 1) if tolerance is None else (tolerance, 0)
    threads = 0 if os.environ.get("OMP_NUM_THREADS") == "1" else 1
    numbers = [kind, *deflection, ANGLE, threads, MEMORY + MEMORY_EACH * len(data)]
    command = [sys.executable, "-I", __file__, *map(str, numbers), home]
    seconds = SECONDS + SECONDS_EACH * len(data)
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"meshing took more than {seconds:.0f} s; give a larger --tolerance"
        ) from None
    if done.returncode:
        raise ValueError("OpenCASCADE stopped over it; it is damaged, or too large for the memory")
    return done.stdout


def _main() -> None:
    kind, deflection, relative, angle, threads, memory, home = sys.argv[1:]
    sys.path.append(home)
    out = os.dup(1)
    os.dup2(2, 1)  # the library talks on standard output
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # not on every system
        pass
    import cascadio

    found = cascadio.load(
        sys.stdin.buffer.read(),
        "iges" if kind == "iges" else "step",
        tol_linear=float(deflection),
        tol_angular=float(angle),
        tol_relative=relative == "1",
        use_parallel=threads == "1",
    )
    with os.fdopen(out, "wb") as stream:
        stream.write(found)


if __name__ == "__main__":
    _main()
