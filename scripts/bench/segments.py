"""Segment sums: the deterministic operator against torch's atomics (index_add)."""

from __future__ import annotations

import torch
from _common import Bench, main

from meshlearn import _segment


def run(bench: Bench) -> None:
    for rows in (10_000,) if bench.quick else (100_000, 1_000_000):
        generator = torch.Generator().manual_seed(0)
        values = torch.rand(rows, 3, generator=generator)
        index = torch.randint(0, rows // 6, (rows,), generator=generator)
        incidence = _segment.Incidence(index, rows // 6)
        zeros = values.new_zeros(rows // 6, 3)
        bench.compare(
            f"sum {rows:,} rows of 3 into {rows // 6:,}",
            lambda values=values, at=incidence: _segment.segment_sum(values, at),
            {"torch index_add": lambda z=zeros, v=values, i=index: z.index_add(0, i, v)},
        )


if __name__ == "__main__":
    main(run)
