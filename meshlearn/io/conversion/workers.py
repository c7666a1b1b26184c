"""Runners of a batch: processes on this machine, Dask, Ray."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

from meshlearn.io.conversion.batch import Job, Outcome, Runner, run_job

Run = Callable[[Job, Any], Outcome]  # a job and its options

_CHUNK = 16  # files that a cluster's task converts
_AT_ONCE = 8  # files that a process takes at most


def _begin_worker() -> None:
    """What a worker process does first: one thread, no say in Ctrl-C, an end with its parent."""
    os.environ["OMP_NUM_THREADS"] = "1"  # torch, too, takes so many when it is loaded
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
    # half-written files are removed; last, since what ends a beginning is told with a traceback
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _context() -> multiprocessing.context.BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["meshlearn.io.conversion.batch"])  # imported once
    return context


@dataclass(frozen=True)
class Processes:
    """Runs jobs in several processes of this machine.

    A process that dies (of memory, of a fault in a library) takes no other file with it: the files
    that were under way are tried again one by one, and the one it dies of fails.

    Attributes:
        count: number of processes.
        work: what is done with a job, a function of a module; by default it is converted.
    """

    count: int
    work: Run = run_job

    def __call__(self, jobs: Iterable[Job], options: Any) -> Iterator[Outcome]:
        began = time.time_ns()
        left = deque(jobs)
        size = max(1, min(_AT_ONCE, len(left) // (8 * self.count)))
        doubtful: deque[Job] = deque()
        while left or doubtful:
            alone = bool(doubtful)
            queue = doubtful if alone else left
            pool = ProcessPoolExecutor(
                1 if alone else self.count, mp_context=_context(), initializer=_begin_worker
            )
            under_way: dict[Future[list[Outcome]], list[Job]] = {}
            try:
                while queue or under_way:
                    while queue and len(under_way) < (1 if alone else 4 * self.count):
                        chunk = [queue.popleft() for _ in range(1 if alone else size) if queue]
                        own = _for_retry(chunk[0], options, began) if alone else options
                        try:
                            under_way[pool.submit(_run_chunk, self.work, chunk, own)] = chunk
                        except BrokenProcessPool:
                            queue.extendleft(reversed(chunk))
                            raise
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        outcomes = future.result()
                        del under_way[future]
                        yield from outcomes
            except BrokenProcessPool:
                for job in (job for chunk in under_way.values() for job in chunk):
                    if alone:
                        text = f"{job.source}: the process that worked on it died"
                        yield Outcome(job.source, job.target, "failed", text)
                    else:
                        doubtful.append(job)
                pool.shutdown(wait=False, cancel_futures=True)
            except BaseException:
                _stop(pool)
                raise
            else:
                pool.shutdown()


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends the processes, in a hurry and without half-written files."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + 3
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()


def _for_retry(job: Job, options: Any, began: int) -> Any:
    """Options of a second try: what the first one wrote, and nobody heard of, is written again."""
    if not hasattr(options, "overwrite"):
        return options
    try:
        written = os.stat(job.target).st_mtime_ns >= began
    except OSError:
        return options
    return replace(options, overwrite=True) if written else options


def _run_chunk(run: Run, jobs: list[Job], options: Any) -> list[Outcome]:
    return [run(job, options) for job in jobs]


def _run_chunk_again(run: Run, jobs: list[Job], options: Any, began: int) -> list[Outcome]:
    """A chunk that may have been run before: files written since `began` are written again."""
    return [run(job, _for_retry(job, options, began)) for job in jobs]


def _chunks(jobs: Iterable[Job]) -> list[list[Job]]:
    jobs = list(jobs)
    return [jobs[k : k + _CHUNK] for k in range(0, len(jobs), _CHUNK)]


def _lost(job: Job, error: object) -> Outcome:
    text = " ".join(str(error).split()) or type(error).__name__
    sentence = f"{job.source}: the process that converted it was lost ({text[:200]})"
    return Outcome(job.source, job.target, "failed", sentence)


@dataclass(frozen=True)
class Dask:
    """Runs jobs on a Dask cluster; sources and targets must be on a disk that all workers see.

    Files of a task whose worker is lost are tried again at the end, each alone. Dask itself also
    repeats tasks, finished ones too when their outcomes are lost with the worker that held them.

    Attributes:
        address: of the scheduler; empty for a cluster of this machine.
        count: processes of the latter.
        work: what is done with a job; by default it is converted.
    """

    address: str = ""
    count: int | None = None
    work: Run = run_job

    def __call__(self, jobs: Iterable[Job], options: Any) -> Iterator[Outcome]:
        import dask
        from distributed import Client, as_completed

        began = time.time_ns()
        dask.config.set({"distributed.scheduler.allowed-failures": 1})
        if self.address:
            client = Client(self.address, timeout="10s")
        else:
            client = Client(
                n_workers=self.count, threads_per_worker=1, dashboard_address=None, silence_logs=50
            )
        with client:  # closes a cluster of its own too
            chunks = {
                client.submit(_run_chunk_again, self.work, chunk, options, began, pure=False): chunk
                for chunk in _chunks(jobs)
            }
            doubtful: list[Job] = []
            for future in as_completed(list(chunks)):
                chunk = chunks.pop(future)
                if future.exception():
                    doubtful += chunk
                else:
                    yield from future.result()
            for job in doubtful:
                future = client.submit(
                    _run_chunk_again, self.work, [job], options, began, pure=False
                )
                error = future.exception()
                yield _lost(job, error) if error else future.result()[0]


@dataclass(frozen=True)
class Ray:
    """Runs jobs on a Ray cluster; sources and targets must be on a disk that all nodes see.

    Files of a task whose worker is lost are tried again at the end, each alone.

    Attributes:
        address: of the cluster; empty for one of this machine, or what RAY_ADDRESS names.
        count: processes of the former.
        work: what is done with a job; by default it is converted.
    """

    address: str = ""
    count: int | None = None
    work: Run = run_job

    def __call__(self, jobs: Iterable[Job], options: Any) -> Iterator[Outcome]:
        import ray

        began = time.time_ns()
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        where = {"address": self.address} if self.address else {"num_cpus": self.count}
        ray.init(**where, **quiet)
        try:
            task = ray.remote(num_cpus=1, max_retries=0)(_run_chunk)
            chunks = {task.remote(self.work, chunk, options): chunk for chunk in _chunks(jobs)}
            doubtful: list[Job] = []
            while chunks:
                (ready,), _ = ray.wait(list(chunks), num_returns=1)
                chunk = chunks.pop(ready)
                try:
                    yield from ray.get(ready)
                except ray.exceptions.RayError:
                    doubtful += chunk
            for job in doubtful:
                try:
                    own = _for_retry(job, options, began)
                    yield from ray.get(task.remote(self.work, [job], own))
                except ray.exceptions.RayError as error:
                    yield _lost(job, error)
        finally:
            ray.shutdown()


def cluster_runner(name: str, *, count: int | None = None) -> Runner:
    """The runner of a cluster.

    Args:
        name: "dask" or "ray" for one of this machine; a scheduler's address otherwise: "ray://…"
            for Ray, another scheme ("tcp://…", "tls://…") for Dask.
        count: processes, where the cluster is made here.

    Raises:
        ValueError: not such a name.
        ImportError: the package is not installed; names the extra.
    """
    from importlib.util import find_spec

    if name not in ("dask", "ray") and "://" not in name:
        raise ValueError(
            f"cluster: expected dask, ray, or an address such as tcp://host:8786 or "
            f"ray://host:10001, got {name!r}"
        )
    is_ray = name == "ray" or name.startswith("ray://")
    package, extra = ("ray", "ray") if is_ray else ("distributed", "dask")
    if find_spec(package) is None:
        raise ImportError(
            f"--cluster {name} needs {package}, which is not installed: "
            f"pip install 'meshlearn[{extra}]'"
        )
    address = name if "://" in name else ""
    return Ray(address, count) if is_ray else Dask(address, count)
