"""The `meshlearn` command: one small file a verb; each parses, calls one function, prints."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import NoReturn


def _terminated(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


def main(args: list[str] | None = None) -> NoReturn:
    """Runs the command line; always ends by SystemExit (0 done, 1 bad input, 2 wrong usage)."""
    args = list(sys.argv[1:] if args is None else args)
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _terminated)  # so that half-written files are removed
        from meshlearn.cli import _app, _verbs

        if "--debug" in args:  # taken anywhere on the line
            args = [arg for arg in args if arg != "--debug"]
            _app.state.debug = True
        _verbs.build()(args=args, prog_name="meshlearn")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None
    raise SystemExit(0)
