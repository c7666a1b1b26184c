"""The spectral indicator of oriented points: sides, scale, gradients."""

from __future__ import annotations

import torch

from meshlearn import geometry
from meshlearn.data import shapes
from meshlearn.geometry.splatting import gather_at
from meshlearn.reconstruct.poisson import point_areas, screened_indicator, spectral_indicator
from meshlearn.reconstruct.poisson.screened import finer


def ball(count: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    out = torch.nn.functional.normalize(torch.randn(count, 3, generator=g, dtype=dtype), dim=1)
    return 0.5 + 0.3 * out, out


def test_a_ball_is_a_half_below_inside_and_above_outside() -> None:
    points, normals = ball(4000)
    weights = point_areas(geometry.knn(points, points, 13)[0])
    # 4 pi r^2, and a few percent, as discs around points of a cloud are larger than they are full
    assert abs(float(weights.sum()) / (4 * torch.pi * 0.09) - 1) < 0.1
    chi = spectral_indicator(points, normals, weights, 48, sigma=1.0)
    assert abs(float(chi[0, 0, 0]) - 0.5) < 1e-5
    assert abs(float(chi[24, 24, 24]) + 0.5) < 0.1
    assert float(gather_at(points * 48, chi[None]).abs().mean()) < 0.06
    lattice = torch.stack(torch.meshgrid(*[torch.arange(48) / 48] * 3, indexing="ij"), -1)
    off = (lattice - 0.5).norm(dim=-1) - 0.3
    far = off.abs() > 2.5 / 48
    assert bool((chi.sign() == off.sign())[far].all())


def test_points_that_crowd_on_one_side_do_not_move_it() -> None:
    points, normals = ball(6000)
    keep = (points[:, 0] > 0.5) | (torch.arange(6000) % 8 == 0)
    points, normals = points[keep], normals[keep]
    weights = point_areas(geometry.knn(points, points, 13)[0])
    chi = spectral_indicator(points, normals, weights, 48, sigma=1.5)
    grid = torch.tensor([[0.5 - 0.24, 0.5, 0.5], [0.5 + 0.24, 0.5, 0.5]]) * 48
    inside = gather_at(grid, chi[None])[:, 0]
    assert bool((inside < -0.4).all())
    even = spectral_indicator(points, normals, torch.ones_like(weights), 48, sigma=1.5)
    assert float(gather_at(grid, even[None])[0, 0]) > float(inside[0]) + 0.02


def test_gradcheck_in_points_normals_and_weights() -> None:
    points, normals = ball(6, torch.float64)
    weights = torch.rand(6, dtype=torch.float64) + 0.5
    leaves = tuple(t.clone().requires_grad_() for t in (points, normals, weights))

    def field(*given: torch.Tensor) -> torch.Tensor:
        return spectral_indicator(*given, 8, sigma=1.0)[::2, 1::3, ::2]

    assert torch.autograd.gradcheck(field, leaves, eps=1e-7, atol=1e-5)


def test_points_move_towards_a_surface_by_their_gradient() -> None:
    target = shapes.icosphere(3)
    points = (0.5 + 0.3 * target.vertices.double()).requires_grad_()
    normals = target.vertices.double()
    goal = spectral_indicator(points.detach(), normals, points.new_ones(len(points)), 24, sigma=1.0)
    start = (0.5 + 0.25 * normals).requires_grad_()
    found = spectral_indicator(start, normals, start.new_ones(len(start)), 24, sigma=1.0)
    (slope,) = torch.autograd.grad(((found - goal) ** 2).sum(), start)
    assert float((-slope * normals).sum(1).mean()) > 0


def test_screening_draws_the_indicator_to_zero_around_a_gap() -> None:
    points, normals = ball(4000)
    seen = points[:, 2] < 0.62
    points, normals = points[seen], normals[seen]
    weights = point_areas(geometry.knn(points, points, 13)[0])
    chi = spectral_indicator(points, normals, weights, 64, sigma=1.0)
    screened = screened_indicator(chi, points, weights)

    def off(field: torch.Tensor) -> float:
        return float(gather_at(points * 64, field[None]).abs().mean())

    assert off(screened) < 0.7 * off(chi)
    assert float(screened[32, 32, 24]) < -0.2 and float(screened[0, 0, 0]) > 0.2
    # weaker strings change less
    assert off(screened) < off(screened_indicator(chi, points, weights, reach=20.0)) < off(chi)


def test_a_field_of_few_waves_is_the_same_on_a_finer_grid() -> None:
    def waves(nodes: int) -> torch.Tensor:
        x, y, z = torch.meshgrid(*[torch.arange(nodes) * (2 * torch.pi / nodes)] * 3, indexing="ij")
        return torch.sin(2 * x) * torch.cos(y) + torch.cos(3 * z - x) + 0.5

    assert torch.allclose(finer(waves(12), 30), waves(30), atol=1e-5)
    assert torch.equal(finer(waves(12), 12), waves(12))
