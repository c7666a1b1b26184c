"""A population of hearts: spreads of the parameter functions, smooth flows, and PCA of meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from meshlearn.heart.model.constants import (
    BODY,
    BODY_WALL,
    CONTRACTED_WALL,
    CONTRACTION,
    FARTHEST,
    MOMENT,
    NEIGHBOURS,
    OWN,
    OWN_SIZE,
    PRIOR_HEARTS,
    SAMPLED,
    SMOOTH,
)
from meshlearn.heart.model.heart_model import HeartModel
from meshlearn.heart.model.parameters import ENTRIES, SIZE, index_of
from meshlearn.mesh import Mesh


def sample_theta(n: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Parameters (n, N) of hearts: smooth parameter functions within their spreads.

    Splines are drawn with neighbours that agree (by `NEIGHBOURS`), sizes of both ventricles
    together (a body's size), and each heart at a random moment between filled and contracted: then
    it is shorter and narrower, its wall thicker.
    """
    theta = torch.zeros(n, SIZE)
    for e in ENTRIES:
        rows = e.shape[0] if e.shape else 1
        noise = torch.randn(n, rows, max(1, e.size // rows), generator=generator)
        if rows >= 4 and e.name not in ("top", "rv_top"):
            for k in range(1, rows):
                noise[:, k] = NEIGHBOURS[0] * noise[:, k - 1] + NEIGHBOURS[1] * noise[:, k]
        theta[:, index_of(e.name)] = OWN * noise.reshape(n, -1)
    size = torch.randn(n, 1, generator=generator)
    moment = torch.rand(n, 1, generator=generator) ** MOMENT
    for name in ("length", "r1", "r2", "bulge"):
        part = index_of(name)
        theta[:, part] = OWN_SIZE * theta[:, part] + BODY * size + moment * CONTRACTION[name]
    wall = theta[:, index_of("wall")].clone().reshape(n, 5, 5)
    wall[:, :, 0] += BODY_WALL * size + CONTRACTED_WALL * moment
    theta[:, index_of("wall")] = wall.reshape(n, -1)
    return theta.clamp(-FARTHEST, FARTHEST)


@lru_cache(maxsize=1)
def gaussian_prior() -> tuple[Tensor, Tensor]:
    """Mean (N,) and inverse covariance (N, N), float64, of the hearts that `sample_theta` draws:
    what sets hearts apart together, size and contraction above all, costs little."""
    theta = sample_theta(PRIOR_HEARTS, generator=torch.Generator().manual_seed(0)).double()
    return theta.mean(0), torch.linalg.inv(torch.cov(theta.T))


def random_flow(
    model: HeartModel, *, size: float = 3.0, generator: torch.Generator | None = None
) -> None:
    """Gives a model a smooth random flow that moves its surfaces by `size` mm on average."""
    with torch.no_grad():
        weight = model.flow.weights[2]
        weight.copy_(torch.randn(weight.shape, generator=generator).to(weight))
        model.flow.weights[0][:3] *= SMOOTH
        model.flow.biases[2].zero_()
        tess = model.tessellation(10, 20)
        for _ in range(2):
            world, before, _ = model.vertices(tess)
            moved = (model.to_heart(world) - before).norm(dim=1).mean()
            weight.mul_(size / moved.clamp(min=1e-6))


def sample_heart(
    *,
    theta: Tensor | None = None,
    flow: float = 2.0,
    generator: torch.Generator | None = None,
) -> HeartModel:
    """One heart of the population: parameters of `sample_theta` and a flow of `flow` mm.

    Example:
        >>> heart = sample_heart(generator=torch.Generator().manual_seed(3))
        >>> heart.mesh("lv").volume() / 1000          # mL
    """
    seed = torch.Generator().manual_seed(
        int(torch.randint(2**31, (1,), generator=generator).item())
    )
    model = HeartModel(generator=seed, density=SAMPLED)
    with torch.no_grad():
        model.theta.copy_(sample_theta(1, generator=generator) if theta is None else theta)
    if flow > 0:
        strength = float(torch.rand(1, generator=generator)) * 2 * flow
        random_flow(model, size=strength, generator=seed)
    return model


@dataclass(frozen=True)
class MeshPCA:
    """Modes of meshes in correspondence.

    Attributes:
        mean: (V, 3).
        modes: (M, V, 3), orthonormal.
        spread: (M,) standard deviation along each, in the unit of the meshes.
        faces: (F, 3).
    """

    mean: Tensor
    modes: Tensor
    spread: Tensor
    faces: Tensor

    def mesh(self, weights: Tensor) -> Mesh:
        """The mesh of weights (M,), in spreads."""
        moved = (self.modes * (weights * self.spread)[:, None, None]).sum(0)
        return Mesh(self.mean + moved, self.faces)

    def sample(self, *, generator: torch.Generator | None = None) -> Mesh:
        """A mesh with weights from a normal distribution."""
        return self.mesh(torch.randn(len(self.spread), generator=generator).to(self.mean))


def pca_of(meshes: Sequence[Mesh], *, modes: int = 10, align: bool = True) -> MeshPCA:
    """Principal modes of meshes with the same faces, such as the frames of a heart.

    Args:
        meshes: two or more of the same topology.
        modes: how many at most; never more than meshes less one.
        align: rotate and move each onto the first beforehand.

    Raises:
        ValueError: fewer than two meshes, or faces that differ.
    """
    if len(meshes) < 2:
        raise ValueError(f"meshes: expected two or more, got {len(meshes)}")
    first = meshes[0]
    for i, mesh in enumerate(meshes):
        if mesh.faces.shape != first.faces.shape or not torch.equal(mesh.faces, first.faces):
            raise ValueError(
                f"meshes: expected the same faces in all, mesh {i} differs; pass meshes in "
                "correspondence"
            )
    points = torch.stack([m.vertices.detach().double() for m in meshes])
    if align:
        points = torch.stack([onto(p, points[0]) for p in points])
    mean = points.mean(0)
    flat = (points - mean).reshape(len(meshes), -1)
    _, values, rows = torch.linalg.svd(flat, full_matrices=False)
    count = min(modes, len(meshes) - 1)
    spread = values[:count] / (len(meshes) - 1) ** 0.5
    return MeshPCA(mean, rows[:count].reshape(count, -1, 3), spread, first.faces)


def onto(points: Tensor, target: Tensor, *, scale: bool = False) -> Tensor:
    """Points (P, 3) rotated and moved (and scaled) onto corresponding ones, least squares.

    Source: Umeyama, Least-squares estimation of transformation parameters (1991).
    """
    a, b = points - points.mean(0), target - target.mean(0)
    u, values, v = torch.linalg.svd(a.T @ b)
    sign = torch.ones(3, dtype=points.dtype)
    sign[2] = torch.sign(torch.linalg.det(u @ v))
    turn = u @ torch.diag(sign) @ v
    size = (values * sign).sum() / (a**2).sum() if scale else 1.0
    return size * a @ turn + target.mean(0)
