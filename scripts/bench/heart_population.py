"""Hearts of a generated population, held out: the encoder, and what each part brings.

Rows: (a) the mean shape with rotation, shift and scale, (b) a PCA model fitted to the contours, (c)
the primitive without flow, (d) a flow of the mean primitive without its parameter functions, the
fit of both, the encoder alone, and the encoder with refinement. Every one sees the same contours.
Distances are mm; "correspondence" is between vertices of the same (row, column).

The encoder is read from MESHLEARN_HEART_RUN, a folder of `meshlearn train heart`.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from _common import Bench, main
from heart_baselines import fit_flow_only, fit_mean_shape, fit_pca

import meshlearn as ml
from meshlearn.geometry import chamfer_distance
from meshlearn.heart import HeartSettings, fit_heart
from meshlearn.heart.fit.predict import load_encoder, predict_heart
from meshlearn.heart.learn.scanner import acquire
from meshlearn.heart.model import HeartModel, part_of
from meshlearn.heart.model.population import sample_heart

ROWS, COLUMNS = 12, 30
SURFACES = ("lv", "rv", "epi")


def measures(found: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    tess = HeartModel().tessellation(ROWS, COLUMNS)
    result: dict[str, float] = {"correspondence": float((found - truth).norm(dim=1).mean())}
    chamfers, means, tails = [], [], []
    for name in SURFACES:
        a, b = (part_of(v, tess, name, closed=False) for v in (found, truth))
        points = [
            ml.sample_points(m, 3000, generator=torch.Generator().manual_seed(0)) for m in (a, b)
        ]
        there = ml.point_mesh_distance(points[0], b).squared_distance.sqrt()
        back = ml.point_mesh_distance(points[1], a).squared_distance.sqrt()
        means.append(float(there.mean() + back.mean()) / 2)
        tails.append(max(float(there.quantile(0.95)), float(back.quantile(0.95))))
        chamfers.append(float(chamfer_distance(*points)))
    result |= {"assd": statistics.fmean(means), "hd95": statistics.fmean(tails)}
    result["chamfer_mm2"] = statistics.fmean(chamfers)
    for name in ("lv", "rv"):
        a, b = (float(part_of(v, tess, name).volume()) / 1000 for v in (found, truth))
        result[f"{name}_volume_error_ml"] = abs(a - b)
    return result


def vertices_of(model: HeartModel) -> torch.Tensor:
    with torch.no_grad():
        return model.vertices(model.tessellation(ROWS, COLUMNS))[0]


def run(bench: Bench) -> None:
    warnings.simplefilter("ignore", UserWarning)
    hearts = []
    for seed in range(1 if bench.quick else 10):
        generator = torch.Generator().manual_seed(90_000_000 + seed)
        model = sample_heart(generator=generator)
        hearts.append((acquire(model, generator=generator), vertices_of(model)))
    methods: dict[str, Callable] = {
        "(a) mean shape, similarity": fit_mean_shape,
        "(b) PCA of 60 hearts": fit_pca(60, ROWS, COLUMNS),
        "(c) primitive without flow": lambda c: vertices_of(
            fit_heart(c, settings=HeartSettings(local_steps=0)).model
        ),
        "(d) flow without primitive": lambda c: vertices_of(fit_flow_only(c)),
        "primitive and flow": lambda c: vertices_of(fit_heart(c).model),
    }
    folder = os.environ.get("MESHLEARN_HEART_RUN")
    if folder:
        encoder = load_encoder(folder)
        methods["encoder"] = lambda c: vertices_of(predict_heart(encoder, c, refine=False).model)
        methods["encoder and refinement"] = lambda c: vertices_of(predict_heart(encoder, c).model)
    for name, method in methods.items():
        rows, seconds = [], []
        for contours, truth in hearts:
            begin = time.perf_counter()
            found = method(contours)
            seconds.append(time.perf_counter() - begin)
            rows.append(measures(found, truth))
        mean = {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}
        bench.value(name, **mean, seconds=statistics.median(seconds), hearts=len(rows))


if __name__ == "__main__":
    main(run)
