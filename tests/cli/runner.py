"""Runs the command line as a user does: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, with this tree on PYTHONPATH."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, **extra}


def meshlearn(
    *args: object, cwd: Path | None = None, timeout: float = 600, **extra: str
) -> subprocess.CompletedProcess[str]:
    """`python -m meshlearn ARGS`; `extra` goes into its environment."""
    return subprocess.run(
        [sys.executable, "-m", "meshlearn", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**extra),
        timeout=timeout,
    )
