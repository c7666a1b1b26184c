"""One thread for work whose steps would carry another order of sums far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
