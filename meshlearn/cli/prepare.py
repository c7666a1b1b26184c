"""`meshlearn prepare DIR OUT`: meshes or families of shapes, made ready to train from."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, message
from meshlearn.cli._output import print_json
from meshlearn.progress import progress_bar

if TYPE_CHECKING:
    from meshlearn.io.conversion.batch import Outcome

_SHOWN = 20


@dataclass
class SampleOptions:
    """What is kept of each shape."""

    near: Annotated[int, typer.Option(min=0, help="Points near each surface.")] = 20_000
    space: Annotated[int, typer.Option(min=0, help="Points all over the box.")] = 8_000
    surface: Annotated[int, typer.Option(min=0, help="Points on each surface.")] = 10_000
    voxels: Annotated[
        str, typer.Option(metavar="N,…", help="Resolutions of occupancy grids; none for none.")
    ] = "16,32,64"
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same samples.")] = 0


@command("prepare")
def prepare(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="A folder of meshes, a glob, or families such as families:chairs+mugs:200.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder; made if missing.")],
    samples: SampleOptions,
    jobs: Annotated[
        int | None, typer.Option(min=0, help="Processes; default: one for each processor.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where a mesh could not be read; else 0.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make all anew; else go on where it was.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Sample signed distances, surfaces and voxels of meshes, to train from."""
    grids = _resolutions(samples.voxels)
    from meshlearn.train.prepare import is_family_spec
    from meshlearn.train.prepare import prepare as run
    from meshlearn.train.prepared import PrepareOptions

    if not is_family_spec(source) and not os.path.exists(source) and not set(source) & set("*?["):
        raise ValueError(f"DIR: there is no folder {source}")
    if not out.exists() and not out.absolute().parent.is_dir():
        raise ValueError(f"OUT: the folder {out.parent} does not exist; make it first")
    options = PrepareOptions(samples.near, samples.space, samples.surface, grids, samples.seed)
    if jobs is None:
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        jobs = cpus or 1
    states: Counter[str] = Counter()
    begin = time.perf_counter()
    with progress_bar("preparing", 1.0) as bar:

        def on_done(outcome: Outcome) -> None:
            states[outcome.state] += 1
            bar.update(0.0, f"{states.total():,} done, {states['failed']} failed")

        try:
            outcomes = run(source, out, options, jobs=jobs, overwrite=overwrite, on_done=on_done)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{states.total():,} shapes were done; the same command goes on from there"
            ) from None
        bar.update(1.0)
    _tell(outcomes, time.perf_counter() - begin, as_json=as_json)
    if states["failed"] == len(outcomes) or (strict and states["failed"]):
        raise SystemExit(1)


def _resolutions(text: str) -> tuple[int, ...]:
    parts = [] if text == "none" else [p.strip() for p in text.split(",") if p.strip()]
    if not all(p.isdigit() and 1 <= int(p) <= 512 for p in parts):
        raise typer.BadParameter(
            f"expected numbers from 1 to 512 such as 16,32,64, got {text!r}", param_hint="--voxels"
        )
    return tuple(int(p) for p in parts)


def _tell(outcomes: list[Outcome], seconds: float, *, as_json: bool) -> None:
    states = Counter(outcome.state for outcome in outcomes)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if as_json:
        print_json(
            {
                "prepared": states["converted"],
                "failed": states["failed"],
                "skipped": states["skipped"],
                "seconds": round(seconds, 3),
                "files": [
                    {
                        "input": o.source,
                        "output": o.target,
                        "state": "prepared" if o.state == "converted" else o.state,
                        **({"error": o.error} if o.error else {}),
                    }
                    for o in outcomes
                ],
            }
        )
    for outcome in failed[:_SHOWN]:
        message(f"left out: {outcome.error}")
    if len(failed) > _SHOWN:
        message(f"left out: … and {len(failed) - _SHOWN} more; --json lists them")
    if as_json:
        return
    words = [f"prepared {states['converted']:,} of {len(outcomes):,} shapes"]
    words += [f"{states['skipped']:,} were done before"] if states["skipped"] else []
    words += [f"{states['failed']:,} left out"] if states["failed"] else []
    message(f"{', '.join(words)} ({seconds:.2f} s)")
