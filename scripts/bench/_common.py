"""What every benchmark shares: timing side by side, peak memory, the machine, the table.

A topic is a file here whose last lines are::

    def run(bench: Bench) -> None:
        bench.compare("marching cubes 128³", lambda: ours(x), {"scikit-image": lambda: theirs(x)})

    if __name__ == "__main__":
        main(run)

`python scripts/bench/TOPIC.py [--json] [--quick]` runs one, `meshlearn bench` all of them.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@dataclass
class Timing:
    """Milliseconds of repeated runs."""

    min_ms: float
    median_ms: float
    repeats: int


@dataclass
class Row:
    """One case against one peer; ratio is peer / ours by minimum times (over 1: ours is faster)."""

    case: str
    ours: Timing | None = None
    peer: str | None = None
    theirs: Timing | None = None
    ratio: float | None = None
    note: str = ""
    values: dict[str, float | str] = field(default_factory=dict)


def optional(name: str) -> ModuleType | None:
    """The module if it is installed, else None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure_together(
    functions: Mapping[str, Callable[[], object]],
    *,
    repeats: int = 7,
    warmup: int = 1,
    budget_s: float = 20.0,
) -> dict[str, Timing]:
    """Times functions in turn (a, b, a, b, …), so that the machine's mood is the same for all.

    Each runs `warmup` times unmeasured, then up to `repeats` times, fewer when its own runs exceed
    `budget_s` (at least 2).
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(warmup):
            function()
    gc.collect()
    gc.disable()
    try:
        for turn in range(repeats):
            for name, function in functions.items():
                if turn >= 2 and sum(times[name]) > budget_s:
                    continue
                begin = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - begin)
    finally:
        gc.enable()
    return {
        name: Timing(1e3 * min(t), 1e3 * statistics.median(t), len(t)) for name, t in times.items()
    }


def peak_memory(
    setup: str, statement: str, *, more: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Resident memory of `statement` in a process of its own, in MB.

    Args:
        setup: code that imports and makes the inputs.
        statement: code that is measured.
        more: expressions to evaluate behind it, by name; the names are in the result.

    Returns:
        ``before`` (after the set-up), ``peak``, and ``above`` = peak − before.
    """
    # VmHWM is reset between the two, so that the set-up's own peak does not count
    extra = "".join(f", {name!r}: {value}" for name, value in (more or {}).items())
    code = f"""
import json, pathlib
def status(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024
{textwrap.dedent(setup)}
import gc; gc.collect()
pathlib.Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
{textwrap.dedent(statement)}
peak = status("VmHWM")
print("\\n" + json.dumps({{"before": before, "peak": peak, "above": peak - before{extra}}}))
"""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "it was killed")
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    import torch

    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


class Bench:
    """Collects rows; `quick` asks for the small sizes only."""

    def __init__(self, *, quick: bool = False, verbose: bool = True) -> None:
        self.quick = quick
        self.verbose = verbose
        self.rows: list[Row] = []

    def compare(
        self,
        case: str,
        ours: Callable[[], object],
        peers: Mapping[str, Callable[[], object] | None] | None = None,
        *,
        repeats: int = 7,
        warmup: int = 1,
        note: str = "",
        **values: float | str,
    ) -> dict[str, Timing]:
        """Times `ours` beside each peer; a peer that is None gets a row "not installed"."""
        peers = dict(peers or {})
        runs = {"": ours, **{name: run for name, run in peers.items() if run is not None}}
        times = measure_together(runs, repeats=repeats, warmup=warmup)
        for name in peers or {None: None}:
            theirs = times.get(name) if name else None
            ratio = theirs.min_ms / times[""].min_ms if theirs else None
            why = note if theirs or not name else "peer not installed"
            self.add(Row(case, times[""], name, theirs, ratio, why, dict(values)))
        return times

    def value(self, case: str, *, peer: str | None = None, note: str = "", **values: float | str):
        """A row of figures that are not times, such as memory or error."""
        self.add(Row(case, peer=peer, note=note, values=dict(values)))

    def add(self, row: Row) -> None:
        """Takes a row, and tells of it on stderr while the rest runs."""
        self.rows.append(row)
        if self.verbose:
            print("  ".join(cell for cell in _cells(row) if cell), file=sys.stderr, flush=True)


def _time(timing: Timing | None) -> str:
    return "" if timing is None else f"{timing.min_ms:,.3g} ms (median {timing.median_ms:,.3g})"


def _text(value: float | str) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def _cells(row: Row) -> list[str]:
    values = ", ".join(f"{key} {_text(value)}" for key, value in row.values.items())
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
    return [row.case, _time(row.ours), row.peer or "", _time(row.theirs), ratio, values, row.note]


def report(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    head = ["case", "meshlearn", "peer", "its time", "ratio", "values", "note"]
    lines = [head, ["---"] * len(head), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(run: Callable[[Bench], None], args: list[str] | None = None) -> None:
    """The command line of a topic: --json prints one document, else a Markdown table."""
    parser = argparse.ArgumentParser(description=sys.modules[run.__module__].__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    options = parser.parse_args(args)
    bench = Bench(quick=options.quick, verbose=sys.stderr.isatty() or options.json)
    run(bench)
    if options.json:
        rows = [asdict(row) for row in bench.rows]
        print(json.dumps({"machine": machine(), "rows": rows}, indent=2))
        return
    print(", ".join(f"{key}: {value}" for key, value in machine().items() if value is not None))
    print()
    print(report(bench.rows))


def version(name: str) -> str:
    """`name` with its installed version, as rows name peers."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name
