"""Several processes as ``torchrun`` starts them; one process is a world of size 1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from meshlearn._validate import check_device


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Attributes:
        rank: number of this process; 0 writes files.
        size: how many there are.
        device: where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    def mean(self, values: list[float], largest: int = 0) -> list[float]:
        """Means over all processes, the same on each; of the last `largest` values the maxima."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        top = total[len(values) - largest :].clone()
        dist.all_reduce(total)
        total /= self.size
        if largest:
            dist.all_reduce(top, dist.ReduceOp.MAX)
            total[len(values) - largest :] = top
        return total.tolist()

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def world(device: str | torch.device = "cpu") -> Iterator[World]:
    """The processes of the environment (``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``), joined.

    A process group that stands already is used and left. Otherwise one is made where
    ``WORLD_SIZE`` is above 1 (nccl for cuda, gloo for the CPU) and ended afterwards.

    Args:
        device: "cuda" takes the GPU of ``LOCAL_RANK``.

    Raises:
        ValueError: a device that cannot be used here.
    """
    mine = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    where = check_device(mine if str(device) == "cuda" else device)
    standing = dist.is_available() and dist.is_initialized()
    begun = not standing and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if begun:
        if where.type == "cuda":
            torch.cuda.set_device(where)
        dist.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        if standing or begun:
            yield World(dist.get_rank(), dist.get_world_size(), where)
        else:
            yield World(0, 1, where)
    finally:
        if begun:
            dist.destroy_process_group()
