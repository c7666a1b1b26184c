"""Work on one thread, and side by side on one thread each."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from meshlearn._threads import one_thread, side_by_side


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_inside_and_as_many_as_before_behind():
    with one_thread():
        assert torch.get_num_threads() == 1
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 2


def test_results_come_in_order_from_several_threads_of_one_each():
    meet = threading.Barrier(2, timeout=300)  # passed only where two are under way at a time

    def work(i: int) -> tuple[int, int, str]:
        if i < 2:
            meet.wait()
        return i, torch.get_num_threads(), threading.current_thread().name

    found = list(side_by_side(work, range(7)))
    assert [i for i, _, _ in found] == list(range(7))
    assert {n for _, n, _ in found} == {1} and len({name for _, _, name in found}) == 2
    assert torch.get_num_threads() == 2
    with one_thread():
        assert len({n for *_, n in side_by_side(lambda i: work(i + 2), range(5))}) == 1


def test_what_has_not_begun_is_left_out_after_a_failure():
    begun = []

    def work(i: int) -> int:
        begun.append(i)
        if i == 1:
            raise ValueError("one")
        time.sleep(0.05)
        return i

    with pytest.raises(ValueError, match="one"):
        list(side_by_side(work, range(100)))
    assert len(begun) < 20 and torch.get_num_threads() == 2
