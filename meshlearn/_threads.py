"""One thread for work whose steps would carry another order of sums far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, operators run on one thread, so that results are the same for any number of threads.

    For iterations that choose among closest points: a last bit decides a step there, and steps
    decide which of several near solutions is found.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results of `work` in the order of the items, of which as many are under way as there are
    threads, each on one thread as inside `one_thread`; a mode as `torch.no_grad` is not handed on.

    Where one fails, or the caller stops, those that have not begun are left out.
    """
    threads = torch.get_num_threads()
    with one_thread():
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)
