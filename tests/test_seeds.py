"""MESHLEARN_TEST_SEED shifts every seed; without it none."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import seeds
import torch

DRAW = """
import random, numpy, torch
torch.manual_seed(0)
a = torch.rand(1)
b = torch.rand(1, generator=torch.Generator().manual_seed(0))
c = numpy.random.default_rng(0).random()
d = random.Random(0).random()
assert isinstance(torch.default_generator, torch.Generator)
print(float(a), float(b), c, d)
"""


def drawn(by: int) -> list[float]:
    text = f"import sys; sys.path.insert(0, {os.path.dirname(seeds.__file__)!r})\nimport seeds\n"
    if by:
        text += f"seeds.shift({by})\n"
    done = subprocess.run(
        [sys.executable, "-c", text + DRAW], capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def test_seeds_are_shifted():
    want = [
        float(torch.rand(1, generator=torch.Generator().manual_seed(5 - seeds.offset()))),
        float(np.random.default_rng(5 - seeds.offset()).random()),
        random.Random(5 - seeds.offset()).random(),
    ]
    a, b, c, d = drawn(5)
    assert [a, c, d] == pytest.approx(want) and a == b
    for one, other in zip(drawn(0), (a, b, c, d), strict=True):
        assert one != other
