"""How much memory can still be had, asked before a large allocation rather than after."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def _read_int(path: str) -> int | None:
    try:
        text = Path(path).read_text(encoding="ascii").strip()
        return int(text)
    except (OSError, ValueError):  # absent, or "max"
        return None


def _cgroup_room() -> int | None:
    """Bytes left in the container's memory limit (cgroup 2, then 1), or None without a limit."""
    for folder, limit_name, used_name in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = _read_int(f"{folder}/{limit_name}"), _read_int(f"{folder}/{used_name}")
        if limit is None or used is None:
            continue
        try:  # cached files count as used, but are given back
            lines = Path(folder, "memory.stat").read_text(encoding="ascii").splitlines()
            cached = sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file"))
        except (OSError, ValueError, IndexError):
            cached = 0
        return max(limit - used + cached, 0)
    return None


def memory_status() -> tuple[int | None, int | None]:
    """Bytes of main memory installed, and available to this process; None where unknown."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            sizes = {
                key: int(rest.split()[0]) * 1024 for key, rest in (li.split(":") for li in file)
            }
        total, available = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        try:
            total = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):
            return None, None
    room = _cgroup_room()
    return total, available if room is None else min(available, room)


def available_memory(device: str | torch.device = "cpu") -> int:
    """Bytes that can be allocated on `device` now; a very large number where nobody knows."""
    if str(device) != "cpu":  # torch is imported for a device that only torch knows
        import torch

        if torch.device(device).type == "cuda":
            return int(torch.cuda.mem_get_info(device)[0])
    available = memory_status()[1]
    return 1 << 62 if available is None else available


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory.

    torch has a class of its own for GPUs, but tells of the CPU by a RuntimeError that nothing but
    the name of its allocator sets apart; here alone that text is looked at.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def check_memory(
    need: int, device: str | torch.device, what: str, *, argument: str = "resolution"
) -> None:
    """Raises ValueError, naming `argument`, when `what` needs more bytes than `device` has left."""
    have = available_memory(device)
    if need > have:
        mend = "lower the resolution" if argument == "resolution" else "use a smaller one"
        raise ValueError(
            f"{argument}: {what} needs about {need / 2**30:,.1f} GiB of memory, but {device} has "
            f"{have / 2**30:,.1f} GiB left; {mend}"
        )
