"""Scans by the thousand: each becomes a mesh, by the runners of `meshlearn.io.conversion`."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from meshlearn.io.conversion.batch import Job, Outcome, failed


@dataclass(frozen=True)
class CorpusOptions:
    """How each scan is reconstructed, see `meshlearn.reconstruct.reconstruct`.

    Attributes:
        overwrite: write over files that are there.
    """

    method: str = "poisson"
    resolution: int | None = None
    sparse: bool = False
    trim: float | None = None
    steps: int | None = None
    seed: int = 0
    device: str = "cpu"
    wrap: bool = False
    overwrite: bool = False

    def signature(self) -> str:
        """A short text that differs where the options would make another mesh."""
        fields = {k: v for k, v in asdict(self).items() if k != "overwrite"}
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]


def reconstruct_job(job: Job, options: CorpusOptions) -> Outcome:
    """Reconstructs one file; whatever is wrong with it becomes the outcome's sentence, and what was
    warned of its steps.

    Example:
        >>> reconstruct_job(Job("scan.las", "scan.glb"), CorpusOptions()).state
        'converted'
    """
    from meshlearn.io import save
    from meshlearn.reconstruct.methods import reconstruct
    from meshlearn.reconstruct.poisson.surface import most_points
    from meshlearn.reconstruct.sources import read_source, read_thinned

    begin, said = time.perf_counter(), []
    try:
        if Path(job.target).exists() and not options.overwrite:
            raise ValueError(f"{job.target} is there already; --overwrite replaces it")
        with warnings.catch_warnings(record=True) as caught:
            for kind in (UserWarning, RuntimeWarning):
                warnings.simplefilter("always", kind)
            thin = None
            if options.method == "poisson":
                thin = read_thinned(job.source, most_points(options.resolution))
            if thin is not None and len(thin[0].points) < thin[1]:
                said.append(f"{thin[1]:,} points thinned to {len(thin[0].points):,}")
            made = reconstruct(
                thin[0] if thin is not None else read_source(job.source),
                method=options.method,
                resolution=options.resolution,
                sparse=options.sparse,
                steps=options.steps,
                seed=options.seed,
                device=options.device,
                trim=options.trim,
                wrap=options.wrap,
            )
            save(made.mesh, job.target)
        said += [str(warning.message) for warning in caught]
    except Exception as error:
        return failed(job, error)
    return Outcome(
        job.source,
        job.target,
        vertices=made.mesh.num_vertices,
        faces=made.mesh.num_faces,
        seconds=round(time.perf_counter() - begin, 4),
        steps=tuple(dict.fromkeys(said)),
    )
