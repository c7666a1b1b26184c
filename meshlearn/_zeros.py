"""Zero tensors for gradients of fine grids: large, mostly untouched, wanted again at each step."""

from __future__ import annotations

import math
import threading
import weakref

import numpy as np
import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE

if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::clear")
    def _(values):
        return None


_KEPT_BYTES = 1 << 30  # free arrays beyond this go back to the system
_SMALL_BYTES = 1 << 20  # below this the allocator is as quick
_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


class _Arrays:
    """Arrays that tensors have given back, for the next tensors of the same size.

    A new array comes from calloc, whose pages the system clears at first touch; an array that was
    used before has its pages already, and clearing it is several times quicker than faulting them
    in anew.
    """

    def __init__(self) -> None:
        self.free: list[np.ndarray] = []
        self.lock = threading.RLock()  # a tensor may die, and give back, while one is taken

    def take(self, shape: tuple[int, ...], dtype: type) -> Tensor:
        size = math.prod(shape)
        with self.lock:
            same = (k for k, a in enumerate(self.free) if a.size == size and a.dtype == dtype)
            found = next(same, None)
            if found is None:
                self.free.clear()  # of another grid: not wanted any more
                array: np.ndarray = np.zeros(size, dtype)
            else:
                array = self.free.pop(found)
        view = array[:]
        back = weakref.finalize(view, self.give, array)
        back.atexit = False
        tensor = torch.from_numpy(view)  # holds the view as long as anything uses the memory
        if found is not None:
            torch.ops.meshlearn.clear(tensor) if HAS_NATIVE else tensor.zero_()
        return tensor.view(shape)

    def give(self, array: np.ndarray) -> None:
        with self.lock:
            if sum(a.nbytes for a in self.free) + array.nbytes <= _KEPT_BYTES:
                self.free.append(array)


_arrays = _Arrays()


def zeros_lazily(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape` with the dtype and device of `like`.

    On the CPU the memory of a tensor that is gone serves the next one of its size; the first one's
    untouched pages cost neither time nor memory. Elsewhere this is new_zeros.
    """
    dtype = _DTYPES.get(like.dtype)
    small = math.prod(shape) * like.dtype.itemsize < _SMALL_BYTES
    if like.device.type != "cpu" or dtype is None or small:
        return like.new_zeros(shape)
    return _arrays.take(shape, dtype)
