"""The process that opens USD layers: a damaged file may take what memory there is, or end it.

One process serves file after file. It is given a bounded memory above what it has, and a bounded
time; where it dies or is late, the file is refused and the next file gets a new one.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from meshlearn.io.document import FileFormatError
from meshlearn.io.formats.usd import dump as usd_dump

FREE, RATIO = 20 << 20, 64  # bytes above what the process has, and for each byte of the file
SECONDS, SECONDS_EACH = 2.0, 4e-6  # of computing for a file, and for each of its bytes
PATIENCE = 10  # times as long it may take on a busy machine
MOST_LAYERS, MOST_BYTES = 1000, 1 << 30  # of a file and those that it names
MOST_FILES = 500  # of one process


def need_library() -> None:
    """Raises ImportError, which names the extra, where the library is absent."""
    if find_spec("pxr") is None:
        raise ImportError("USD files need usd-core: pip install 'meshlearn[usd]'")


class _Child:
    def __init__(self) -> None:
        spec = find_spec("pxr")
        numpy = find_spec("numpy")
        homes = {
            str(Path(s.origin).parents[1]) for s in (spec, numpy) if s is not None and s.origin
        }
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PXR_", "PYTHON"))}
        self.process = subprocess.Popen(
            [sys.executable, "-I", usd_dump.__file__, *sorted(homes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **clean,
                "PXR_WORK_THREAD_LIMIT": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "TMPDIR": os.devnull,
            },
        )
        self.owner = os.getpid()
        self.served = 0
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            self.end()
            raise RuntimeError(
                "usd-core does not start in a process of its own, which is not the fault of the "
                f"file; to see why: {sys.executable} -I {usd_dump.__file__} < /dev/null"
            )

    def ask(self, request: dict, seconds: float) -> bool:
        """Whether an answer came in time; the process is ended where none did."""
        late = threading.Timer(seconds, self.process.kill)
        late.start()
        try:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            self.served += 1
            return self.process.stdout.readline() == b"done\n"
        except OSError:
            return False
        finally:
            late.cancel()

    def end(self) -> None:
        if self.owner != os.getpid():  # that of the process this one was forked from
            return
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.wait()


_lock = threading.Lock()
_child: _Child | None = None


def _current() -> _Child:
    global _child
    old = _child
    stale = old is not None and (old.owner != os.getpid() or old.process.poll() is not None)
    if old is not None and (stale or old.served >= MOST_FILES):
        old.end()
        old = None
    if old is None:
        old = _child = _Child()
    return old


@atexit.register
def close() -> None:
    """Ends the process; the next file starts another."""
    global _child
    if _child is not None:
        _child.end()
        _child = None


def dump(
    path: Path,
    layers: list[tuple[str, bytes]],
    fetch: Callable[[str], bytes | None] = lambda place: None,
) -> dict:
    """What the layers of a file hold, and those that they name.

    Args:
        path: the file, for messages.
        layers: name in its package and content of each; the first is opened, and the others where
            it needs them.
        fetch: content of a layer that another names, by its place from that of the first.

    Returns:
        The scene of `dump.py`, its arrays in place.

    Raises:
        FileFormatError: what the library says of it; or it took too much memory or time.
        ImportError: the library is absent.
        RuntimeError: it does not start.
    """
    layers = list(layers)
    while True:
        body = _dump(path, layers)
        if "needs" not in body:
            return body
        found = {}
        for place, asset in body["needs"]:
            data = fetch(place) if place not in found else None
            if data is not None:
                found[place] = data
            elif place not in found:
                raise FileFormatError(
                    f"{path}: it needs the layer {asset[:200]!r}, which is not found with it; put "
                    f"it beside the file, or flatten it first (usdcat --flatten)"
                )
        layers += found.items()
        if len(layers) > MOST_LAYERS or sum(len(data) for _, data in layers) > MOST_BYTES:
            raise FileFormatError(f"{path}: it needs more than {MOST_LAYERS:,} layers, or 1 GB")


def _dump(path: Path, layers: list[tuple[str, bytes]]) -> dict:
    need_library()
    size = sum(len(data) for _, data in layers)
    with _lock, tempfile.TemporaryDirectory(prefix="meshlearn-usd-") as folder:
        names = []
        for number, (name, data) in enumerate(layers):
            ending = ".usdc" if data[:8] == b"PXR-USDC" else ".usda"
            (Path(folder) / f"{number}{ending}").write_bytes(data)
            names.append([f"{number}{ending}", name])
        request = {"folder": folder, "layers": names, "memory": FREE + RATIO * size}
        seconds = SECONDS + SECONDS_EACH * size
        request["seconds"] = seconds
        child = _current()
        if not child.ask(request, PATIENCE * seconds):
            child.end()
            raise FileFormatError(
                f"{path}: the USD library gave up on it: it is damaged, or its content takes "
                f"far more memory or time than its {size:,} bytes should"
            )
        with open(Path(folder) / "answer", "rb") as stream:
            answer = bytearray(os.fstat(stream.fileno()).st_size)
            stream.readinto(answer)
    length = int.from_bytes(answer[:8], "little")
    body = json.loads(bytes(answer[8 : 8 + length]))
    if "error" in body:
        raise FileFormatError(f"{path}: {' '.join(str(body['error']).split())[:400]}")
    return _filled(body, answer, 8 + length)


def _filled(value, data: bytearray, base: int):
    """The same with arrays for their places."""
    if isinstance(value, dict):
        if set(value) == {"array"}:
            kind, shape, at = value["array"]
            count = int(np.prod(shape, dtype=np.int64))
            return np.frombuffer(data, np.dtype(kind), count, base + at).reshape(shape).copy()
        if set(value) == {"text"}:
            return np.array(value["text"], dtype=np.str_)
        return {k: _filled(v, data, base) for k, v in value.items()}
    return [_filled(v, data, base) for v in value] if isinstance(value, list) else value
