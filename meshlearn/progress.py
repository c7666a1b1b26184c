"""Progress of long work: a rich bar on a terminal, nothing in a pipe; stops that wait."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol


class Bar(Protocol):
    """What `progress_bar` yields."""

    def update(self, done: float, text: str = "") -> None:
        """Sets how much of `total` is done, and the text at the end of the line."""


class _Quiet:
    def update(self, done: float, text: str = "") -> None:
        pass


@contextmanager
def progress_bar(title: str, total: float, *, enabled: bool | None = None) -> Iterator[Bar]:
    """A progress bar on stderr if that is a terminal, else silent.

    Args:
        title: what is being done.
        total: the amount that means done.
        enabled: force it on or off; default: on when stderr is a terminal.

    Example:
        >>> with progress_bar("fitting", 100) as bar:
        ...     bar.update(50, "loss 0.1")
    """
    if enabled is None:
        enabled = sys.stderr.isatty()
    if not enabled:
        yield _Quiet()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=False) as live:
        task = live.add_task(title, total=total, text="")

        class _Live:
            def update(self, done: float, text: str = "") -> None:
                live.update(task, completed=done, text=text)

        yield _Live()


class Stop:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.asked = False


@contextmanager
def delayed_interrupt() -> Iterator[Stop]:
    """The first SIGINT sets ``stop.asked``; the second one interrupts at once.

    Outside the main thread, where no handler can be set, nothing changes.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handler(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
