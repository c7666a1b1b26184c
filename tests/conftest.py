"""Where there is a GPU, every operator that a test calls on the CPU runs there too and agrees."""

from __future__ import annotations

import pytest
from mirror import Mirror, device

SECOND = device()


@pytest.fixture(autouse=SECOND is not None)
def every_operator_on_both_machines():
    with Mirror(SECOND):
        yield
