"""What `meshlearn convert --outdir` and `reconstruct --to` say of many files."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from meshlearn.cli._app import message
from meshlearn.cli._output import print_json
from meshlearn.progress import progress_bar

if TYPE_CHECKING:
    from meshlearn.io.conversion.batch import BatchOptions, Job, Outcome, Runner
    from meshlearn.io.conversion.pipeline import ConvertOptions
    from meshlearn.io.conversion.workers import Run
    from meshlearn.reconstruct.corpus import CorpusOptions

_ERRORS_SHOWN = 20
_SENTENCES_SHOWN = 20
_HERE = (24, 32 << 20)  # up to so many files and bytes, starting processes takes longer


def _runner(
    planned: Sequence[Job], jobs: int | None, cluster: str | None, work: Run, *, quick: bool
) -> Runner:
    from meshlearn.io.conversion.workers import Processes, cluster_runner

    if cluster is not None:
        try:
            return replace(cluster_runner(cluster, count=jobs), work=work)  # type: ignore[type-var]
        except ValueError as error:
            text = str(error).partition(": ")[2]
            raise typer.BadParameter(text, param_hint="--cluster") from None
    if jobs is None:
        size = sum(os.path.getsize(j.source) for j in planned if os.path.isfile(j.source))
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        few = quick and len(planned) <= _HERE[0] and size <= _HERE[1]
        jobs = 0 if few or len(planned) == 1 else min(cpus or 1, len(planned))
    if jobs:
        return Processes(jobs, work)
    return lambda todo, options: (work(job, options) for job in todo)


def convert_many(
    texts: Sequence[str],
    outdir: Path,
    options: ConvertOptions,
    *,
    jobs: int | None,
    cluster: str | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Converts all that `texts` mean into `outdir`; exits 1 where a file failed."""
    from meshlearn.io.conversion.batch import plan, run_job

    _check_folder(outdir, "--outdir")
    suffix = options.target_format or ""
    planned = plan(texts, outdir, suffix, format=options.source_format)
    runner = _runner(planned, jobs, cluster, run_job, quick=True)
    _run(planned, options, outdir, runner, resume=resume, as_json=as_json, done="converted")


def reconstruct_many(
    text: str,
    outdir: Path,
    suffix: str,
    options: CorpusOptions,
    *,
    jobs: int | None,
    cluster: str | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Reconstructs all that `text` means into `outdir`; exits 1 where a file failed."""
    from meshlearn.io.conversion.batch import plan
    from meshlearn.reconstruct.corpus import reconstruct_job

    _check_folder(outdir, "OUT")
    planned = plan([text], outdir, suffix)
    runner = _runner(planned, jobs, cluster, reconstruct_job, quick=False)
    _run(planned, options, outdir, runner, resume=resume, as_json=as_json, done="reconstructed")


def _check_folder(outdir: Path, name: str) -> None:
    if outdir.exists() and not outdir.is_dir():
        raise ValueError(f"{name}: {outdir} is a file, expected a folder")
    if not outdir.exists() and not outdir.absolute().parent.is_dir():
        raise ValueError(f"{name}: the folder {outdir.parent} does not exist; make it first")


def _run(
    planned: Sequence[Job],
    options: BatchOptions,
    outdir: Path,
    runner: Runner,
    *,
    resume: bool,
    as_json: bool,
    done: str,
) -> None:
    from meshlearn.io.conversion.batch import run_batch

    begin = time.perf_counter()
    states: Counter[str] = Counter()
    with progress_bar(done.removesuffix("ed") + "ing", len(planned)) as bar:

        def on_done(outcome: Outcome) -> None:
            states[outcome.state] += 1
            failed = states["failed"]
            bar.update(states.total(), f"{failed} failed" if failed else Path(outcome.source).name)

        try:
            outcomes = run_batch(
                planned, options, outdir, runner=runner, resume=resume, on_done=on_done
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{states.total()} of {len(planned)} files were done; "
                f"the same command goes on from there"
            ) from None
    _tell(outcomes, states, time.perf_counter() - begin, as_json=as_json, done=done)
    if states["failed"]:
        raise SystemExit(1)


def _tell(
    outcomes: Sequence[Outcome], states: Counter[str], seconds: float, *, as_json: bool, done: str
) -> None:
    losses: dict[tuple[str, str], list[int]] = {}  # values, files
    for outcome in outcomes:
        for loss in outcome.losses:
            entry = losses.setdefault((loss.what, loss.why), [0, 0])
            entry[0] += loss.count
            entry[1] += 1
    if as_json:
        print_json(
            {
                **{state: states[state] for state in ("converted", "failed", "skipped")},
                "seconds": round(seconds, 3),
                "losses": [
                    {"count": count, "name": name, "why": why, "files": files}
                    for (name, why), (count, files) in losses.items()
                ],
                "files": [outcome.to_dict() for outcome in outcomes],
            }
        )
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    for outcome in failed[:_ERRORS_SHOWN]:
        message(f"error: {outcome.error}")
    if len(failed) > _ERRORS_SHOWN:
        message(f"error: … and {len(failed) - _ERRORS_SHOWN} more files; --json lists them")
    if as_json:
        return
    sentences: dict[str, list[str]] = {}  # what was done or understood otherwise, in which files
    for outcome in outcomes:
        for sentence in dict.fromkeys(outcome.steps):
            sentences.setdefault(sentence, []).append(outcome.source)
    for sentence, sources in list(sentences.items())[:_SENTENCES_SHOWN]:
        where = sources[0] if len(sources) == 1 else f"{len(sources):,} files"
        message(f"{where}: {sentence}")
    if len(sentences) > _SENTENCES_SHOWN:
        more = len(sentences) - _SENTENCES_SHOWN
        message(f"… and {more:,} more sentences on single files; --json lists them")
    for (name, why), (count, files) in losses.items():
        where = f" in {files:,} files" if files > 1 else ""
        message(f"lost: {name} ({count:,}{where}: {why})")
    words = [f"{done} {states['converted']:,} of {len(outcomes):,} files"]
    words += [f"{states['skipped']:,} were done before"] if states["skipped"] else []
    words += [f"{states['failed']:,} failed"] if states["failed"] else []
    message(f"{', '.join(words)} ({seconds:.2f} s)")
