import os

import pytest

from meshlearn import _compiled, _native


def test_a_sanitized_run_has_the_sanitized_extensions():
    if os.environ.get("MESHLEARN_EXPECT_SANITIZED") != "1":
        pytest.skip("this is not a run of scripts/sanitize")
    assert _native.SANITIZED and _compiled.SANITIZED
