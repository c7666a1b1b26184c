"""Zero tensors whose memory is used again."""

import threading

import pytest
import torch

from meshlearn._native import HAS_NATIVE
from meshlearn._zeros import _arrays, zeros_lazily

SHAPE = (300_000, 3)


@pytest.fixture(autouse=True)
def emptied():
    _arrays.free.clear()
    yield
    _arrays.free.clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_serves_again_and_is_zero(dtype):
    like = torch.zeros((), dtype=dtype)
    first = zeros_lazily(like, SHAPE)
    assert first.shape == SHAPE and first.dtype == dtype and not first.any()
    first += 1
    place = first.data_ptr()
    del first
    again = zeros_lazily(like, SHAPE)
    assert again.data_ptr() == place and not again.any()


def test_memory_in_use_is_left_alone():
    like = torch.zeros(())
    first = zeros_lazily(like, SHAPE)
    part = first[5:7]  # a view holds the memory
    part += 1
    del first
    other = zeros_lazily(like, SHAPE)
    assert other.data_ptr() != part.data_ptr() and not other.any()
    assert bool((part == 1).all())


def test_another_size_lets_the_old_memory_go():
    like = torch.zeros(())
    tensor = zeros_lazily(like, SHAPE)
    del tensor
    assert len(_arrays.free) == 1
    tensor = zeros_lazily(like, (400_000, 3))
    assert not _arrays.free
    del tensor
    assert len(_arrays.free) == 1


def test_small_ones_and_other_dtypes_are_plain():
    assert not zeros_lazily(torch.zeros(()), (10, 3)).any() and not _arrays.free
    assert zeros_lazily(torch.zeros((), dtype=torch.int64), SHAPE).dtype == torch.int64


def test_threads_do_not_share_memory():
    like, wrong = torch.zeros(()), []

    def work(number: int) -> None:
        for _ in range(20):
            tensor = zeros_lazily(like, SHAPE)
            if tensor.any():
                wrong.append(number)
            tensor += number
            if not bool((tensor == number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k + 1,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100, 70_000, 1_000_003])
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_clear_clears_its_own_and_nothing_else(size, offset):
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            whole = torch.ones(size + 20)
            torch.ops.meshlearn.clear(whole[offset : offset + size])
        finally:
            torch.set_num_threads(before)
        assert not whole[offset : offset + size].any()
        assert bool((whole[:offset] == 1).all()) and bool((whole[offset + size :] == 1).all())


@pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")
def test_clear_opcheck():
    torch.library.opcheck(torch.ops.meshlearn.clear.default, (torch.ones(99),))
