"""What is read and written does not depend on the number of threads."""

import numpy as np
import pytest

from meshlearn import _compiled
from meshlearn.io import text
from meshlearn.io.formats.obj import read as obj

pytestmark = pytest.mark.skipif(
    not _compiled.HAS_COMPILED, reason="the compiled readers are not built"
)


@pytest.fixture
def numbers(tmp_path):
    """Numbers whose text takes some pieces of a megabyte."""
    return np.random.default_rng(0).normal(size=(60_000, 3))


@pytest.mark.parametrize("count", [2, 7])
def test_threads_change_nothing(numbers, count, monkeypatch):
    found = []
    for threads in (1, count):
        for module in (text, obj):
            monkeypatch.setattr(module, "threads", lambda n=threads: n)
        rows = text.write_rows(numbers, "v ")
        assert len(rows) > 3 << 20
        polygons = text.write_polygons(np.arange(0, 60_001, 3), [np.arange(60_000)], "f ", base=[1])
        parsed = obj._native(bytearray(rows + polygons))
        block = text.read_block(rows.replace(b"v ", b""), 0, 50_000)
        found.append((rows, polygons, *parsed, block.values, np.array(block.end)))
    for one, many in zip(*found, strict=True):
        assert np.array_equal(one, many) if isinstance(one, np.ndarray) else one == many
    assert np.array_equal(found[0][2], numbers)


def test_a_fault_in_a_later_piece_has_its_line(numbers, monkeypatch):
    rows = text.write_rows(numbers)
    broken = rows + b"1 2 three\n" + rows
    for threads in (1, 4):
        monkeypatch.setattr(text, "threads", lambda n=threads: n)
        with pytest.raises(ValueError, match=r"^line 60001: expected a number$"):
            text.rows_of(broken)


def test_the_number_is_that_of_torch_or_of_the_environment(monkeypatch):
    import torch

    assert _compiled.threads() == torch.get_num_threads()
    monkeypatch.delitem(_compiled.sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert _compiled.threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert _compiled.threads() >= 1
