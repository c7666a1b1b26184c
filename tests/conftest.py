"""What every test runs under: other seeds where they are asked for, and a GPU where there is one.

Where there is a GPU, every operator that a test calls on the CPU runs there too and agrees. With
MESHLEARN_TEST_SEED every written seed is another one, see `seeds`.
"""

from __future__ import annotations

import pytest
import seeds
import torch
from mirror import Mirror, device

SECOND = device()
if seeds.offset():
    seeds.shift(seeds.offset())


@pytest.fixture(autouse=SECOND is not None)
def every_operator_on_both_machines():
    with Mirror(SECOND):
        yield


@pytest.fixture(autouse=bool(seeds.offset()))
def numbers_of_no_seed():
    """A test that names no seed starts from another one too."""
    torch.manual_seed(0)
