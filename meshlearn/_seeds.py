"""Seeds out of several numbers."""

from __future__ import annotations

import numpy as np


def seed_of(*numbers: int) -> int:
    """One well-mixed seed (63 bits) out of several numbers that are not negative."""
    high, low = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (high & 0x7FFFFFFF) << 32 | low
