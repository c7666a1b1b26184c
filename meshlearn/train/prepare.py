"""Folders of meshes and procedural families, made ready to train from: in parallel, resumable."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshlearn.data.families import FAMILIES, shape
from meshlearn.io import load
from meshlearn.io.conversion.batch import Job, Outcome, find_inputs
from meshlearn.io.conversion.workers import Processes
from meshlearn.train.prepared import (
    SUFFIX,
    PreparedShape,
    PrepareOptions,
    prepare_mesh,
    read_metadata,
    save_prepared,
)

PREFIX = "families:"


@dataclass(frozen=True)
class FamilyShapes:
    """Shapes that a specification names: families, how many of each, first number, seed."""

    families: tuple[str, ...]
    count: int
    first: int = 0
    seed: int = 0

    @property
    def members(self) -> list[tuple[str, int]]:
        """(family, number) of each shape."""
        return [(f, self.first + k) for f in self.families for k in range(self.count)]


def is_family_spec(text: str) -> bool:
    """Whether a text names families of shapes, and not a folder."""
    return text.startswith(PREFIX)


def family_spec(text: str) -> FamilyShapes:
    """Reads ``families:chairs+mugs:200``, with ``:first=1000`` and ``:seed=3`` where wanted.

    Raises:
        ValueError: an unknown family, or text where a number is expected.

    Example:
        >>> family_spec("families:chairs:20:first=200").members[0]
        ('chairs', 200)
    """
    wanted = "expected such as families:chairs+mugs:200 (and :first=0, :seed=0 behind it)"
    pieces = text.removeprefix(PREFIX).split(":")
    families = tuple(FAMILIES) if pieces[0] == "all" else tuple(pieces[0].split("+"))
    unknown = [f for f in families if f not in FAMILIES]
    if not is_family_spec(text) or unknown:
        which = f"{unknown[0]!r} is no family of {', '.join(FAMILIES)}" if unknown else repr(text)
        raise ValueError(f"DATA: {wanted}, got {text!r}: {which}")
    numbers = {"count": 200, "first": 0, "seed": 0}
    for k, piece in enumerate(pieces[1:]):
        name, _, value = piece.rpartition("=")
        name = name or ("count" if k == 0 else "")
        if name not in numbers or not value.isdigit():
            raise ValueError(f"DATA: {wanted}, got {text!r}")
        numbers[name] = int(value)
    if numbers["count"] < 1:
        raise ValueError(f"DATA: {wanted}, got no shapes in {text!r}")
    return FamilyShapes(families, **numbers)


def prepare_member(
    family: str, number: int, options: PrepareOptions, *, seed: int = 0
) -> PreparedShape:
    """A shape of a family, prepared; its distances are exact."""
    one = shape(family, number, seed=seed)
    return prepare_mesh(one.mesh, options, name=one.name, part=one.part, parts=one.parts)


def prepare(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: PrepareOptions | None = None,
    *,
    jobs: int = 0,
    overwrite: bool = False,
    on_done: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Makes a folder of prepared shapes, one file for each mesh.

    A mesh that cannot be read or sampled becomes an outcome with ``state == "failed"`` and a
    sentence; the others go on. Shapes that are there, made of the same file with the same options,
    are "skipped": an interrupted call goes on where it was. Files are the same with any `jobs`.

    Args:
        source: a folder (with those below it), a file, a glob, or families such as
            ``families:chairs:200``.
        out: folder, made if missing.
        jobs: processes; 0 works in this one.
        overwrite: make all anew.
        on_done: called with each outcome as it comes.

    Raises:
        ValueError: nothing is meant by `source`.

    Example:
        >>> outcomes = prepare("meshes", "prepared", jobs=4)
        >>> [o.error for o in outcomes if o.state == "failed"]
    """
    options = options or PrepareOptions()
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"OUT: {folder} is a file, expected a folder")
    planned = _plan(str(source), folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    outcomes: dict[Job, Outcome] = {}

    def done(outcome: Outcome) -> None:
        outcomes[Job(outcome.source, outcome.target)] = outcome
        if on_done is not None:
            on_done(outcome)

    left = []
    for job in planned:
        made = {} if overwrite else read_metadata(Path(job.target))
        if made and made.get("options") == options.signature() and made.get("of") == _stamp(job):
            done(Outcome(job.source, job.target, "skipped"))
        else:
            left.append(job)
    if jobs > 0 and left:
        runner = Processes(min(jobs, len(left)), work=prepare_job)
        for outcome in runner(left, options):
            done(outcome)
    else:
        for job in left:
            done(prepare_job(job, options))
    return [outcomes[job] for job in planned]


def _plan(source: str, folder: Path) -> list[Job]:
    if is_family_spec(source):
        spec = family_spec(source)
        return [
            Job(f"{PREFIX}{f}:{k}:{spec.seed}", str(folder / f"{f}-{spec.seed}-{k:05d}{SUFFIX}"))
            for f, k in spec.members
        ]
    names: dict[str, str] = {}
    jobs = []
    for path, place in find_inputs([source]):
        target = str(folder / place.with_name(place.name + SUFFIX))
        if names.setdefault(target, str(path)) != str(path):
            raise ValueError(f"OUT: {names[target]} and {path} would both become {target}")
        jobs.append(Job(str(path), target))
    return jobs


def _stamp(job: Job) -> str:
    """What a shape was made of: the name of a family's, or size and time of a file."""
    if job.source.startswith(PREFIX):
        return job.source
    try:
        found = os.stat(job.source)
    except OSError:
        return ""
    return f"{os.path.abspath(job.source)} {found.st_size} {found.st_mtime_ns}"


def _sweep(folder: Path) -> None:
    """Removes what a killed write left."""
    for path in folder.rglob(f".*{SUFFIX}.*"):
        if re.fullmatch(rf"\..+{re.escape(SUFFIX)}\.[a-z0-9_]{{8}}", path.name):
            path.unlink(missing_ok=True)


def prepare_job(job: Job, options: PrepareOptions) -> Outcome:
    """Prepares one shape; whatever is wrong with it becomes the outcome's sentence."""
    begin = time.perf_counter()
    try:
        stamp = _stamp(job)
        if job.source.startswith(PREFIX):
            family, number, seed = job.source.removeprefix(PREFIX).split(":")
            made = prepare_member(family, int(number), options, seed=int(seed))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mesh = load(job.source, dtype=None)
            made = prepare_mesh(mesh, options, name=Path(job.target).name.removesuffix(SUFFIX))
        save_prepared(made, Path(job.target), {"options": options.signature(), "of": stamp})
    except ImportError:
        raise  # nothing is wrong with the shape
    except Exception as error:
        text = " ".join(str(error).split())
        if not isinstance(error, ValueError | OSError | NotImplementedError):
            text = f"{type(error).__name__}: {text}"
        text = text if job.source in text else f"{job.source}: {text}"
        return Outcome(job.source, job.target, "failed", text)
    return Outcome(
        job.source,
        job.target,
        "converted",
        vertices=made.mesh.num_vertices,
        faces=made.mesh.num_faces,
        seconds=round(time.perf_counter() - begin, 4),
    )


def prepared_files(folder: str | os.PathLike[str]) -> Sequence[Path]:
    """Files of prepared shapes in a folder and below, sorted.

    Raises:
        ValueError: there are none.
    """
    where = Path(folder)
    found = sorted(where.rglob(f"*{SUFFIX}")) if where.is_dir() else []
    if not found:
        raise ValueError(
            f"DATA: no prepared shapes are in {where}; make them with: meshlearn prepare DIR OUT"
        )
    return found
