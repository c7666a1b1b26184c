"""Data outside the project, which a test that uses it cannot do without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared_data(*parts: str) -> Path:
    """Path under MESHLEARN_SHARED_DATA (default ../shared/data); skips the test where absent."""
    folder = Path(os.environ.get("MESHLEARN_SHARED_DATA") or ROOT.parent / "shared" / "data")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is not in the shared data (set MESHLEARN_SHARED_DATA)")
    return path
