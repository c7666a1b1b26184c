"""Which example a step sees: an endless shuffled stream whose place is one number.

Place p of the stream is entry p mod N of the permutation of epoch p div N. So a resumed run, and
several processes that share each batch, see what one uninterrupted process would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from meshlearn._seeds import seed_of


class Stream:
    """Batches of a data set by their place.

    Args:
        data: ``len(data)`` and ``data[i]``; where it has ``sample(i, generator)``, that is called
            instead, with a generator that depends on the seed and the place alone.
        seed: of the order and of the generators.
        collate: a list of examples -> batch; default: torch's, which stacks tensors.
    """

    def __init__(
        self, data: Any, *, seed: int, collate: Callable[[list], Any] | None = None
    ) -> None:
        self.data, self.seed = data, seed
        self.collate = collate or getattr(data, "collate", None) or default_collate
        self.size = len(data)
        if self.size < 1:
            raise ValueError("data: expected one example or more, got none")
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def index(self, place: int) -> int:
        """Number of the example at a place."""
        epoch, offset = divmod(place, self.size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(seed_of(self.seed, 1, epoch))
            self._order = torch.randperm(self.size, generator=generator)
            self._epoch = epoch
        return int(self._order[offset])

    def batch(self, places: Sequence[int]) -> Any:
        """The examples at some places, collated."""
        sample = getattr(self.data, "sample", None)
        items = []
        for place in places:
            if sample is None:
                items.append(self.data[self.index(place)])
            else:
                generator = torch.Generator().manual_seed(seed_of(self.seed, 2, place))
                items.append(sample(self.index(place), generator))
        return self.collate(items)


def moved(batch: Any, device: torch.device) -> Any:
    """A batch of tensors in tuples, lists and dicts, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(moved(value, device) for value in batch)
    return batch.to(device) if hasattr(batch, "to") else batch
