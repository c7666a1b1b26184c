"""Simpler ways to a heart, held against a fit: ellipsoid, mean shape, PCA, a flow alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn.data.shapes import icosphere
from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.data_term import huber as huber_loss
from meshlearn.heart.fit.gauss_newton import Solver
from meshlearn.heart.fit.initial_pose import find_initial_pose
from meshlearn.heart.fit.one_frame import apply_initial_pose
from meshlearn.heart.fit.settings import HeartSettings
from meshlearn.heart.model import HeartModel, quaternion, rotation
from meshlearn.heart.model.population import (
    MeshPCA,
    gaussian_prior,
    pca_of,
    sample_heart,
)
from meshlearn.heart.model.tessellation import Tessellation
from meshlearn.mesh import Mesh

TESSELLATION = (12, 30)


class ShapeFit:
    """Rotation, shift, scale and the weights of modes of a mean shape, by Gauss-Newton.

    Args:
        mean: (V, 3) vertices of a tessellation in the heart's frame.
        modes: (M, V, 3), each of the length of one spread; none for the mean shape alone.
    """

    def __init__(self, mean: Tensor, modes: Tensor | None = None) -> None:
        self.mean = mean
        self.modes = mean.new_zeros(0, *mean.shape) if modes is None else modes

    @torch.no_grad()
    def fit(self, contours: Contours, *, steps: int = 15) -> Tensor:
        """Vertices (V, 3) in the frame of the contours."""
        pose = find_initial_pose(contours)
        turn, centre = pose.rotation.float(), pose.centre.float()
        scale, weights = torch.ones(()), torch.zeros(len(self.modes))
        data = DataTerm(contours, HeartSettings(shift=0.0), rv=pose.rv)
        tess = HeartModel().tessellation(*TESSELLATION)
        best, kept, damping = float("inf"), None, 1e-2
        for _ in range(steps):
            shape = self.mean + (weights[:, None, None] * self.modes).sum(0)
            world = scale * shape @ turn.T + centre
            loss = float(data.loss(world, tess)) + 0.01 * float((weights**2).sum())
            if loss < best:
                best, kept, damping = loss, (turn, centre, scale, weights), damping / 3
                system = self._system(data, tess, world, turn, scale, weights, centre)
            else:
                damping *= 8
                turn, centre, scale, weights = kept
            matrix, right = system
            held = matrix + damping * torch.diag(matrix.diagonal().clamp(min=1e-9))
            move = torch.linalg.solve(held, right).float()
            angle = torch.cat([torch.ones(1), move[:3].clamp(-0.3, 0.3) / 2])
            turn = rotation(angle[None])[0] @ turn
            centre = centre + move[3:6]
            scale = scale * move[6].clamp(-0.3, 0.3).exp()
            weights = (weights + move[7:]).clamp(-4, 4)
        turn, centre, scale, weights = kept
        shape = self.mean + (weights[:, None, None] * self.modes).sum(0)
        return scale * shape @ turn.T + centre

    def _system(self, data, tess: Tessellation, world, turn, scale, weights, centre):
        size = 7 + len(self.modes)
        matrix, right = torch.zeros(size, size).double(), torch.zeros(size).double()
        change = scale * self.modes @ turn.T
        for points, _, weight, corners, share, _ in data.feet(world, tess):
            foot = (world[corners] * share[..., None]).sum(1)
            gap = points - foot
            distance = gap.norm(dim=1)
            toward = gap / distance.clamp(min=1e-6)[:, None]
            robust = weight * (3.0 / distance.clamp(min=3.0))
            rows = torch.zeros(len(points), size)
            rows[:, :3] = torch.linalg.cross(foot - centre, toward)
            rows[:, 3:6] = toward
            rows[:, 6] = ((foot - centre) * toward).sum(1)
            carried = (change[:, corners] * share[..., None]).sum(2)
            rows[:, 7:] = (carried * toward).sum(-1).T
            weighted = rows * robust[:, None]
            matrix += (weighted.T @ rows).double()
            right += (weighted * distance[:, None]).sum(0).double()
        matrix[7:, 7:] += 0.02 * torch.eye(len(self.modes))
        right[7:] -= 0.02 * weights.double()
        return matrix, right


def fit_ellipsoid(points: Tensor, *, huber: float = 3.0, steps: int = 30) -> Mesh:
    """The ellipsoid of nine numbers near points (P, 3) of one surface, float64; a closed mesh.

    Distances run along the ray from the centre; robust as the fit of a heart is.
    """
    points = points.double()
    centre = points.mean(0)
    frame = torch.linalg.svd(points - centre, full_matrices=False)[2]
    frame[2] *= torch.sign(torch.linalg.det(frame))
    spread = ((points - centre) @ frame.T).std(0)
    x = torch.cat([centre, centre.new_zeros(3), (1.7 * spread).log()])

    def axes(x: Tensor) -> Tensor:
        return frame @ torch.linalg.matrix_exp(_cross(x[3:6]))

    def gaps(x: Tensor) -> Tensor:
        away = points - x[:3]
        level = (away @ axes(x).T / x[6:].exp()).norm(dim=1)
        return (1 - 1 / level) * away.norm(dim=1)

    def loss(gap: Tensor) -> float:
        return float(huber_loss(gap * gap, huber).sum())

    damping, now = 1e-2, gaps(x)
    for _ in range(steps):
        rows = torch.func.jacfwd(gaps)(x)
        weighted = rows * (huber / now.abs().clamp(min=huber))[:, None]
        matrix = weighted.T @ rows
        held = matrix + damping * torch.diag(matrix.diagonal())
        other = x - torch.linalg.solve(held, weighted.T @ now)
        gap = gaps(other)
        if loss(gap) < loss(now):
            x, now, damping = other, gap, damping / 3
        else:
            damping *= 8
    sphere = icosphere(4)
    return Mesh(sphere.vertices.double() * x[6:].exp() @ axes(x) + x[:3], sphere.faces)


def _cross(turn: Tensor) -> Tensor:
    """The matrix (3, 3) of the cross product with a vector (3,)."""
    x, y, z = turn
    zero = torch.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return torch.stack([torch.stack(row) for row in rows])


@torch.no_grad()
def fit_mean_shape(contours: Contours) -> Tensor:
    """The average heart, turned, moved and scaled onto contours: vertices on `TESSELLATION`."""
    model = HeartModel()
    return ShapeFit(model.vertices(model.tessellation(*TESSELLATION))[0]).fit(contours)


@torch.no_grad()
def fit_pca(count: int, rows: int, columns: int, *, modes: int = 20) -> Callable:
    """A function from contours to vertices, by the modes of `count` generated hearts."""
    meshes = []
    for seed in range(count):
        model = sample_heart(generator=torch.Generator().manual_seed(70_000_000 + seed))
        tess = model.tessellation(rows, columns)
        meshes.append(Mesh(model.vertices(tess)[0], tess.faces["epi"]))
    found: MeshPCA = pca_of(meshes, modes=modes, align=True)
    scaled = found.modes * found.spread[:, None, None]
    return ShapeFit(found.mean.float(), scaled.float()).fit


@torch.no_grad()
def fit_flow_only(contours: Contours, *, settings: HeartSettings | None = None) -> HeartModel:
    """The average heart of the population, placed by the contours' pose, moved by a flow alone."""
    settings = settings or HeartSettings(prior=1e4, rough=0.0, energy=1e-4, strain=1.0)
    pose = find_initial_pose(contours)
    model = HeartModel(rv=pose.rv, steps=6, density=(24, 60)).requires_grad_(False)
    apply_initial_pose(model, pose)
    model.theta.copy_(gaussian_prior()[0][None])
    model.quaternion.copy_(quaternion(pose.rotation.float())[None])
    data = DataTerm(contours, settings, rv=pose.rv)
    Solver(model, data, model.tessellation(settings.rows, settings.columns), flow=True).run(25)
    return model
