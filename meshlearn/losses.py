"""What is minimised: regularisers of a mesh, each a 0-d tensor differentiable in the vertices.

Gradients and values are the same to the bit on any number of threads. A mesh without the elements
that a loss is a mean of has a loss of 0. Of `Meshes` a loss is the mean of its members' losses,
each counting alike, whatever its size; with ``reduction`` their sum, or "none" for one each.

This is the place to look for a loss, and to put one that needs a mesh alone. Those that need more
stand beside what they need:

- of a field: `meshlearn.fields.calculus.eikonal_loss`;
- of a representation, which gives its own as ``RepresentationOutput.losses``:
  `meshlearn.isosurface.flexicubes.sign_regularizer`,
  `meshlearn.representations.bspnet.fields.overlap_loss` and
  `meshlearn.representations.bspnet.fields.phase_losses`;
- of a target, which gives its own by ``Target.losses``:
  `meshlearn.reconstruct.targets.boundary.boundary_loss`;
- of a training: `meshlearn.train.deepmesh.sdf_loss`, `meshlearn.train.bspnet_image.code_loss`,
  `meshlearn.heart.learn.train.encoder_loss`.

What is reported, and not minimised, is in `meshlearn.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._segment import gather, stable_mean, stable_sum
from meshlearn.geometry import chamfer_distance, laplacian, sample_surface
from meshlearn.geometry.laplacian import LaplacianMethod
from meshlearn.mesh import Mesh, Meshes

Reduction = Literal["mean", "sum", "none"]


@eager
def normal_consistency_loss(mesh: Mesh | Meshes, *, reduction: Reduction = "mean") -> Tensor:
    """Mean over inner edges of 1 - cosine between the normals of the two faces; 0 for a plane.

    Edges with one face or more than two, and edges of a face without area, take no part. Normals
    follow the order of corners: faces of opposite orientation in one plane have a cosine of -1.

    Raises:
        ValueError: `mesh` is neither Mesh nor Meshes.

    Example:
        >>> ml.losses.normal_consistency_loss(ml.data.shapes.box())  # 12 of 18 edges bend by 90°
        tensor(0.6667)
    """
    return _over(mesh, _normal_consistency, reduction)


def _normal_consistency(mesh: Mesh) -> Tensor:
    pairs = mesh.topology.face_pair_members
    normals = gather(mesh.face_normals(), pairs).view(-1, 2, 3)
    real = (normals.detach().abs().amax(2) > 0).all(1)
    bend = torch.where(real, 1 - (normals[:, 0] * normals[:, 1]).sum(1), 0)
    return stable_sum(bend) / real.sum().clamp(min=1)


@eager
def edge_length_loss(
    mesh: Mesh | Meshes, *, target_length: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over edges of (length - target_length)^2, in the mesh's unit squared.

    Args:
        target_length: the length that costs nothing, 0 or more; 0 pulls all edges together.

    Raises:
        ValueError: `mesh` is neither Mesh nor Meshes, or the length is negative or not finite.

    Example:
        >>> loss = ml.losses.edge_length_loss(ml.data.shapes.icosphere(2), target_length=0.3)
    """
    if not 0 <= float(target_length) < float("inf"):
        raise ValueError(
            f"target_length: expected a finite length, 0 or more, got {target_length}; pass one"
        )
    return _over(mesh, lambda m: _edge_length(m, target_length), reduction)


def _edge_length(mesh: Mesh, target_length: float) -> Tensor:
    ends = gather(mesh.vertices, mesh.topology.edge_ends).view(-1, 2, 3)
    squared = ((ends[:, 0] - ends[:, 1]) ** 2).sum(1)
    if target_length != 0:
        apart = squared > 0  # an edge without length has no direction to grow in
        length = torch.where(apart, squared, torch.ones_like(squared)).sqrt() * apart
        squared = (length - target_length) ** 2
    return _mean(squared)


@eager
def laplacian_loss(
    mesh: Mesh | Meshes, *, method: LaplacianMethod = "uniform", reduction: Reduction = "mean"
) -> Tensor:
    """Mean over vertices of the squared length of the Laplacian, in the mesh's unit squared.

    Args:
        method: "uniform" draws vertices to the middle of their neighbours; "cotangent" shrinks
            the area, whatever the spacing of vertices (see `meshlearn.geometry.laplacian`).

    Raises:
        ValueError: `mesh` is neither Mesh nor Meshes, or the method is neither of the two.

    Example:
        >>> loss = ml.losses.laplacian_loss(ml.data.shapes.icosphere(2), method="cotangent")
    """
    return _over(mesh, lambda m: _mean((laplacian(m, method) ** 2).sum(1)), reduction)


@eager
def chamfer_loss(
    mesh: Mesh | Meshes,
    target_points: Tensor | Sequence[Tensor],  # (N, 3)
    *,
    samples: int | None = None,
    single_directional: bool = False,
    generator: torch.Generator | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Chamfer distance between points sampled on the mesh and target points, in squared units.

    Args:
        mesh: at least one face of positive area; of `Meshes` each.
        target_points: (N, 3) of the mesh's dtype and device, finite, N >= 1. Of `Meshes` a cloud
            for each of the B members: (B, N, 3), or a list of clouds of their own sizes.
        samples: how many points to sample on the mesh; N by default.
        single_directional: only from the mesh to the target.
        generator: source of randomness of the samples.

    Returns:
        () differentiable in the vertices and the target points: see
        `meshlearn.geometry.chamfer_distance`.

    Raises:
        ValueError: where an argument is not as described.

    Example:
        >>> mesh, target = ml.data.shapes.icosphere(2), ml.data.shapes.box()
        >>> loss = ml.losses.chamfer_loss(mesh, ml.sample_points(target, 1000))
    """

    def one(m: Mesh, target: Tensor) -> Tensor:
        count = samples
        if count is None:
            count = target.shape[0] if isinstance(target, Tensor | np.ndarray) else 1
        points = sample_surface(m, count, generator=generator).points
        return chamfer_distance(points, target, single_directional=single_directional)

    if isinstance(mesh, Mesh):
        return _over(mesh, lambda m: one(m, target_points), reduction)  # type: ignore[arg-type]
    _check(mesh)
    if isinstance(target_points, Tensor | np.ndarray) and target_points.ndim != 3:
        raise ValueError(
            f"target_points: expected a cloud for each of {len(mesh)} meshes, (B, N, 3) or a list, "
            f"got {tuple(target_points.shape)}; for one cloud pass [points] * len(meshes)"
        )
    clouds = list(target_points)
    if len(clouds) != len(mesh):
        raise ValueError(
            f"target_points: expected a cloud for each of {len(mesh)} meshes, got {len(clouds)}"
        )
    left = iter(clouds)
    return _over(mesh, lambda m: one(m, next(left)), reduction)


def _over(mesh: Mesh | Meshes, loss: Callable[[Mesh], Tensor], reduction: Reduction) -> Tensor:
    """The loss of a mesh, or those of the members of a batch, reduced."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction: expected 'mean', 'sum' or 'none', got {reduction!r}")
    if isinstance(mesh, Mesh):
        return loss(mesh)
    _check(mesh)
    each = [loss(member) for member in mesh]
    found = torch.stack(each) if each else mesh.vertices_packed.new_zeros(0)
    if reduction == "none":
        return found
    total = found.new_zeros(())
    for value in each:
        total = total + value
    return total / max(len(each), 1) if reduction == "mean" else total


def _check(mesh: object) -> None:
    if not isinstance(mesh, Mesh | Meshes):
        raise ValueError(
            f"mesh: expected a Mesh or Meshes, got {type(mesh).__name__}; make one with ml.Mesh"
        )


def _mean(values: Tensor) -> Tensor:
    return stable_mean(values) if values.numel() else values.sum()
