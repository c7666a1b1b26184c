"""Other seeds than the written ones, for every test: MESHLEARN_TEST_SEED=n adds n to each.

A test that passes with the seed it was written with only holds that seed, not the code. With the
variable set, `shift` makes `torch.manual_seed`, `torch.Generator().manual_seed`,
`numpy.random.default_rng` and `random.Random` start from other numbers, in tests and in what they
call; so the suites pass with any.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch


def offset() -> int:
    """What is added to written seeds: MESHLEARN_TEST_SEED, 0 by default."""
    return int(os.environ.get("MESHLEARN_TEST_SEED") or 0)


def shift(by: int) -> None:
    """Adds `by` to every seed from here on, in this process."""
    torch_seed, generator, numbers, chance = (
        torch.manual_seed,
        torch.Generator,
        np.random.default_rng,
        random.Random,
    )

    class Kind(type(generator)):  # type: ignore[misc]
        def __instancecheck__(cls, value: object) -> bool:  # those made before the shift too
            return isinstance(value, generator)

    class Generator(generator, metaclass=Kind):  # type: ignore[misc, valid-type]
        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed(seed + by)

    class Random(chance):  # type: ignore[misc, valid-type]
        def seed(self, a: Any = None, version: int = 2) -> None:
            super().seed(a + by if isinstance(a, int) else a, version)

    def manual_seed(seed: int) -> torch.Generator:
        return torch_seed(seed + by)

    def default_rng(seed: Any = None) -> np.random.Generator:
        return numbers(seed + by if isinstance(seed, int) else seed)

    torch.manual_seed, torch.Generator = manual_seed, Generator  # type: ignore[misc]
    np.random.default_rng = default_rng  # type: ignore[assignment]
    random.Random = Random  # type: ignore[misc]
