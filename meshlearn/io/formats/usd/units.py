"""Units of length as USD has them: in metres."""

from __future__ import annotations

import numpy as np

from meshlearn.io.changes.placement import METRES


def metres(unit: str) -> float | None:
    """Metres of a unit such as "mm" or "0.3 m"; None where it is none of length."""
    word, _, rest = unit.partition(" ")
    try:
        found = METRES.get(unit) if not rest else float(word) if rest == "m" else None
    except ValueError:
        return None
    return found if found and np.isfinite(found) and found > 0 else None
