"""Many files at once: which becomes which, in several processes or on a cluster, going on after a
kill."""

from __future__ import annotations

import glob
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from meshlearn.io.conversion.pipeline import ConvertOptions, convert_file
from meshlearn.io.left_behind import Loss
from meshlearn.io.registry import GZIPPED, SELDOM, plain_path, readable_suffixes

JOURNAL = ".meshlearn-convert.jsonl"
_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Job:
    """One file of a batch and what it becomes."""

    source: str
    target: str


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        state: "converted", "failed" or "skipped" (done before).
        error: one sentence where it failed.
    """

    source: str
    target: str
    state: str = "converted"
    error: str = ""
    vertices: int = 0
    faces: int = 0
    seconds: float = 0.0
    steps: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The outcome as JSON has it."""
        out: dict[str, object] = {"input": self.source, "output": self.target, "state": self.state}
        if self.state == "failed":
            out["error"] = self.error
        elif self.state == "converted":
            out |= {"vertices": self.vertices, "faces": self.faces, "seconds": self.seconds}
            out |= {"steps": list(self.steps), "losses": [x.to_dict() for x in self.losses]}
        return out


def is_pattern(text: str) -> bool:
    """Whether a name is a glob, and not a file that has such characters in its name."""
    return bool(_MAGIC.search(text)) and not os.path.exists(text)


def find_inputs(texts: Sequence[str], *, format: str | None = None) -> list[tuple[Path, Path]]:
    """Files that are meant -> (file, its place in the output folder, by its old name).

    A file is itself; a folder stands for all files in it and below whose extension can be read, but
    for .txt and .csv, which mostly are something else; a
    glob (``**`` goes into folders) for what it matches. Folders below the given one, or below the
    first wildcard, are kept.

    Args:
        format: extension that stands for the files' own: folders give every file.

    Raises:
        ValueError: a name or a pattern that stands for no file.
    """
    found: list[tuple[Path, Path]] = []
    known = tuple(suffix for suffix in readable_suffixes() if suffix not in SELDOM)

    def reads(path: str) -> bool:
        plain = path.lower().removesuffix(GZIPPED)
        hidden = os.path.basename(path).startswith(".")
        return not hidden and (format is not None or plain.endswith(known))

    for text in texts:
        if is_pattern(text):
            root = text[: _MAGIC.search(text).start()]  # type: ignore[union-attr]
            root = os.path.dirname(root)
            names = sorted(n for n in glob.iglob(text, recursive=True) if os.path.isfile(n))
            names = [n for n in names if reads(n)] if text.rstrip("/").endswith("*") else names
            if not names:
                raise ValueError(f"IN: no file matches {text}")
        elif os.path.isdir(text):
            root = text
            names = sorted(
                os.path.join(folder, name) for folder, _, files in os.walk(text) for name in files
            )
            names = [n for n in names if reads(n)]
            if not names:
                raise ValueError(f"IN: no mesh file is in the folder {text}")
        else:
            root, names = os.path.dirname(text), [text]
        found += [(Path(n), Path(os.path.relpath(n, root or "."))) for n in names]
    return list(dict.fromkeys(found))


def plan(
    texts: Sequence[str], outdir: Path, suffix: str, *, format: str | None = None
) -> list[Job]:
    """The jobs of a batch: every input with its name, and the extension `suffix`, in `outdir`.

    Raises:
        ValueError: no file is meant, two become the same, or one would become itself.
    """
    suffix = "." + suffix.lower().lstrip(".")
    targets: dict[str, str] = {}
    jobs = []
    for source, place in find_inputs(texts, format=format):
        target = str(outdir / plain_path(place).with_suffix(suffix))
        key = os.path.normcase(os.path.abspath(target))
        if key in targets:
            raise ValueError(f"OUT: {targets[key]} and {source} would both become {target}")
        if key == os.path.normcase(os.path.abspath(source)):
            raise ValueError(f"OUT: {source} would become itself; name another --outdir")
        targets[key] = str(source)
        jobs.append(Job(str(source), target))
    return jobs


class Journal:
    """Which files of a batch are done, so that a killed batch can go on.

    A line where a batch begins, and one for each file, with sizes, times and the options; a file
    that changed since, or other options, count as not done. It lies in the output folder until
    nothing is left to do.
    """

    def __init__(self, folder: Path, options: BatchOptions) -> None:
        self.path = folder / JOURNAL
        self.options = options.signature()
        self.lines: dict[str, dict] = {}
        self.began: int | None = None  # first batch with these options, ns
        self.found = self.path.is_file()
        if self.found:
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._take(line)
        self._file = open(self.path, "a", encoding="utf-8")
        self._write({"began": time.time_ns(), "options": self.options})

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if "target" in entry:
                self.lines[entry["target"]] = entry
            elif entry["options"] == self.options and self.began is None:
                self.began = int(entry["began"])
        except (ValueError, KeyError, TypeError):
            pass  # torn by the kill

    def _write(self, entry: dict) -> None:
        self._file.write("\n" * (self.found and "began" in entry) + json.dumps(entry) + "\n")
        self._file.flush()

    def _entry(self, job: Job) -> dict | None:
        try:
            before, after = os.stat(job.source), os.stat(job.target)
        except OSError:
            return None
        return {
            "source": os.path.abspath(job.source),
            "target": os.path.abspath(job.target),
            "of": [before.st_size, before.st_mtime_ns],
            "made": [after.st_size, after.st_mtime_ns],
            "options": self.options,
        }

    def has(self, job: Job) -> bool:
        """Whether the job was done, from the file as it is now, with these options."""
        entry = self._entry(job)
        if entry is None:
            return False
        if entry["target"] in self.lines:
            return self.lines[entry["target"]] == entry
        # written, and killed before it was noted
        made, slack = entry["made"][1], 2_000_000_000
        return self.began is not None and made >= max(self.began - slack, entry["of"][1])

    def add(self, job: Job) -> None:
        """Notes a job that was just done."""
        entry = self._entry(job)
        if entry is not None:
            self.lines[entry["target"]] = entry
            self._write(entry)

    def close(self, *, keep: bool) -> None:
        """Closes the file; removes it where nothing is left that it could tell."""
        self._file.close()
        if not keep:
            self.path.unlink(missing_ok=True)


def _is_newer(job: Job) -> bool:
    try:
        return os.stat(job.target).st_mtime_ns >= os.stat(job.source).st_mtime_ns
    except OSError:
        return False


def _sweep(jobs: Sequence[Job]) -> None:
    """Removes what a killed write left beside the targets."""
    names = {os.path.abspath(job.target) for job in jobs}
    for folder in {os.path.dirname(name) for name in names}:
        if not os.path.isdir(folder):
            continue
        for entry in os.scandir(folder):
            left = re.fullmatch(r"\.(.+)\.[a-z0-9_]{8}", entry.name)
            if left and os.path.join(folder, left[1]) in names:
                os.unlink(entry.path)


def failed(job: Job, error: Exception) -> Outcome:
    """The outcome of a job that an error ended: one sentence, which names the file."""
    text = " ".join(str(error).split())
    if not isinstance(error, ValueError | OSError | ImportError | NotImplementedError):
        text = f"{type(error).__name__}: {text}"
    if job.source not in text and job.target not in text:
        text = f"{job.source}: {text}"
    return Outcome(job.source, job.target, "failed", text)


def run_job(job: Job, options: ConvertOptions) -> Outcome:
    """Converts one file; whatever is wrong with it becomes the outcome's sentence."""
    begin = time.perf_counter()
    try:
        made = convert_file(Path(job.source), Path(job.target), options)
    except Exception as error:
        return failed(job, error)
    seconds = round(time.perf_counter() - begin, 4)
    return Outcome(
        job.source,
        job.target,
        vertices=made.vertices,
        faces=made.faces,
        seconds=seconds,
        steps=made.steps,
        losses=made.report.items,
    )


class BatchOptions(Protocol):
    """What a batch asks of its options: `ConvertOptions`, or those of another work."""

    @property
    def overwrite(self) -> bool:
        """Whether files that are there are written over."""

    def signature(self) -> str:
        """A short text that differs where the options would make another file."""


Runner = Callable[[Iterable[Job], Any], Iterator[Outcome]]


def run_here(jobs: Iterable[Job], options: ConvertOptions) -> Iterator[Outcome]:
    """The jobs one after another, in this process."""
    return (run_job(job, options) for job in jobs)


def run_batch(
    jobs: Sequence[Job],
    options: BatchOptions,
    outdir: Path,
    *,
    runner: Runner = run_here,
    resume: bool = False,
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Converts files; one that is bad does not stop the others. Outcomes in the jobs' order.

    Jobs that the journal of a batch cut short says are done are skipped, unless ``overwrite`` is
    asked for without `resume`.

    Args:
        outdir: folder of the targets; made, with those below it.
        runner: gives outcomes in any order: `run_here`, `workers.Processes` or a cluster's.
        resume: go on, also where files are to be overwritten: targets newer than their source are
            taken as done.
        on_done: called with each outcome as it comes.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    made = not outdir.exists()
    outdir.mkdir(exist_ok=True)
    journal = Journal(outdir, options)
    outcomes: dict[Job, Outcome] = {}

    def done(outcome: Outcome, job: Job) -> None:
        outcomes[job] = outcome
        if outcome.state == "converted":
            journal.add(job)
        if on_done is not None:
            on_done(outcome)

    if journal.found:
        _sweep(jobs)
    left = []
    for job in jobs:
        known = journal.has(job) and (resume or not options.overwrite)
        if known or (resume and not journal.found and _is_newer(job)):
            done(Outcome(job.source, job.target, "skipped"), job)
        else:
            left.append(job)
    for folder in sorted({Path(job.target).parent for job in left}):
        folder.mkdir(parents=True, exist_ok=True)
    keep = True
    try:
        by_name = {(job.source, job.target): job for job in left}
        for outcome in runner(left, options) if left else ():
            done(outcome, by_name[outcome.source, outcome.target])
        keep = bool(journal.lines) and any(o.state == "failed" for o in outcomes.values())
    finally:
        journal.close(keep=keep)
        if made and not any(outdir.iterdir()):
            outdir.rmdir()
    return [outcomes[job] for job in jobs]
