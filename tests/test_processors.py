"""The suites that decide by numbers pass on processors of other vector units and with other seeds.

What the last bits of a sum or the sequence of a vector unit's random numbers decide shows nowhere
but on another processor; its instructions can be chosen here. Seeds are shifted in the same runs
(see `seeds`): a seed that a test needs is a fault too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUITES = (
    "tests/representations",
    "tests/reconstruct",
    "tests/convex",
    "tests/heart/test_series.py",
)
RUNS = [  # ATEN_CPU_CAPABILITY of torch, MKL_CBWR of its matrix products, added to seeds
    ("default", "COMPATIBLE", 1),
    ("avx2", "AVX2", 2),
    ("avx2", "COMPATIBLE", 0),
    (None, None, 3),
]


def environment(capability: str | None, products: str | None, seed: int) -> dict[str, str]:
    """Of a child; nothing of the run that this test is in reaches it."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    found |= {"OMP_NUM_THREADS": "1", "MESHLEARN_TEST_SEED": str(seed)}
    for name, value in (("ATEN_CPU_CAPABILITY", capability), ("MKL_CBWR", products)):
        found.pop(name, None)
        if value:
            found[name] = value
    return found


def test_the_vector_unit_can_be_chosen():
    """Else the runs below would show nothing."""
    text = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=environment("default", None, 0),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] in ("DEFAULT", "AVX"), (
        done.stdout
    )  # AVX: torch's name on Windows


@pytest.mark.slow
@pytest.mark.parametrize(("capability", "products", "seed"), RUNS)
def test_suites_pass_on_other_processors_and_with_other_seeds(capability, products, seed):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", *SUITES],
        cwd=ROOT,
        env=environment(capability, products, seed),
        capture_output=True,
        text=True,
    )
    tail = "\n".join(done.stdout.splitlines()[-40:])
    assert done.returncode == 0, f"{tail}\n{done.stderr[-2000:]}"
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 150, tail
