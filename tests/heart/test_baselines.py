"""What benchmarks hold fits of hearts against must itself be right."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import torch

from meshlearn.geometry import point_mesh_distance

ROOT = Path(__file__).resolve().parents[2]
baselines = runpy.run_path(str(ROOT / "scripts" / "bench" / "heart_baselines.py"))


def test_an_ellipsoid_is_found_from_half_of_it():
    generator = torch.Generator().manual_seed(0)
    places = torch.nn.functional.normalize(torch.randn(300, 3, generator=generator).double(), dim=1)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator).double())[0]
    sizes = torch.tensor([25.0, 30.0, 50.0])
    points = (places[places[:, 2] < 0.4] * sizes) @ turn.T + 20
    found = baselines["fit_ellipsoid"](points)
    assert point_mesh_distance(points, found).squared_distance.sqrt().max() < 0.1
    assert abs(float(found.volume()) / (4 / 3 * math.pi * float(sizes.prod())) - 1) < 0.01
