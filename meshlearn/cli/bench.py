"""`meshlearn bench`: the benchmarks of a checkout, one process a topic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from meshlearn.cli._app import JsonFlag, command, fail, message
from meshlearn.cli._output import print_json


def folder() -> Path:
    """scripts/bench of the checkout this package runs from, or of the current folder."""
    import meshlearn

    for root in (Path(meshlearn.__file__).resolve().parents[1], Path.cwd()):
        if (root / "scripts" / "bench" / "_common.py").is_file():
            return root / "scripts" / "bench"
    raise ValueError(
        "the benchmarks are part of the source tree, not of the installed package; "
        "run this in a checkout of meshlearn"
    )


@command("bench")
def bench(
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Default: all of them.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes only.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Name the topics, run none.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure speed and memory, beside other packages where they are installed."""
    place = folder()
    known = sorted(p.stem for p in place.glob("*.py") if not p.stem.startswith("_"))
    if listing:
        if as_json:
            print_json(known)
        else:
            typer.echo("\n".join(known))
        return
    for topic in topics or []:
        if topic not in known:
            fail(f"TOPIC: unknown topic {topic!r}; there are {', '.join(known)}", code=2)
    results: dict[str, object] = {}
    failed = []
    for topic in topics or known:
        message(f"bench {topic}")
        script = [sys.executable, str(place / f"{topic}.py"), *(["--quick"] if quick else [])]
        done = subprocess.run(
            script + (["--json"] if as_json else []), stdout=subprocess.PIPE, text=True
        )
        if done.returncode != 0:
            failed.append(topic)
        elif as_json:
            results[topic] = json.loads(done.stdout)
        else:
            typer.echo(f"\n## {topic}\n\n{done.stdout}")
    if as_json:
        print_json(results)
    if failed:
        fail(f"these topics failed: {', '.join(failed)}")
