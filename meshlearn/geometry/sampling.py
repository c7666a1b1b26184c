"""Points on the surface of a mesh, uniformly by area."""

from __future__ import annotations

from typing import Literal, NamedTuple, overload

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._segment import Incidence, gather
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.mesh import Mesh, Meshes


class SurfaceSamples(NamedTuple):
    """Points on a mesh and where they lie."""

    points: Tensor  # (n, 3), differentiable in the vertices
    faces: Tensor  # (n,) int64
    barycentric: Tensor  # (n, 3)


@eager
def sample_surface(
    mesh: Mesh,
    n: int,
    *,
    generator: torch.Generator | None = None,
    stratified: bool = True,
    face_weights: Tensor | None = None,
) -> SurfaceSamples:
    """Samples a mesh uniformly by area.

    Args:
        mesh: at least one face of positive area (when n > 0).
        n: number of points, 0 or more.
        generator: source of randomness, on any device; the CPU's global one by default.
        stratified: one point in each of n equal strata of the cumulative area, in face order;
            points are then more even than independent ones, and as uniform.
        face_weights: (F,) density per area relative to uniform, finite, 0 or more.

    Returns:
        SurfaceSamples(points, faces, barycentric) on the mesh's device. Gradients of `points` reach
        the vertices.

    Raises:
        ValueError: nothing to sample (no faces, no area, NaN vertices) or n < 0.

    Source: Osada et al., "Shape Distributions" (2002), section 3.1.
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    if int(n) != n or n < 0:
        raise ValueError(f"n: expected a number of points, 0 or more, got {n}")
    device = mesh.device
    if n == 0:
        empty = mesh.vertices.new_zeros(0, 3)
        return SurfaceSamples(empty, torch.zeros(0, dtype=torch.int64, device=device), empty)
    with torch.no_grad():
        # in float64 and in one order, whatever the mesh's dtype and device
        areas = mesh.detach().to(torch.float64).face_areas().cpu()
        if face_weights is not None:
            check_tensor(
                face_weights, "face_weights", shape=(mesh.num_faces,), dtype=FLOATS, finite=True
            )
            if bool((face_weights < 0).any()):
                raise ValueError(
                    f"face_weights: expected 0 or more, got {float(face_weights.min())}; clamp them"
                )
            areas = areas * face_weights.detach().to(areas)
        cumulative = torch.cumsum(areas, 0)
        total = float(cumulative[-1]) if areas.numel() else 0.0
        if not 0 < total < float("inf"):
            raise ValueError(
                f"mesh: expected a surface with a positive, finite area to sample, got {total} on "
                f"{mesh.num_faces} faces"
            )
        source = device_of(generator)
        u = torch.rand(int(n), generator=generator, dtype=torch.float64, device=source).cpu()
        if stratified:
            u = (u + torch.arange(int(n), dtype=torch.float64)) / n
        face = torch.searchsorted(cumulative, u * total, right=True)
        last = int((areas > 0).nonzero()[-1])  # rounding never picks a face beyond the last
        face = face.clamp(max=last).to(device)
        r = torch.rand(int(n), 2, generator=generator, dtype=torch.float64, device=source)
        r = r.to(device)
        root = r[:, 0].sqrt()
        barycentric = torch.stack([1 - root, root * (1 - r[:, 1]), root * r[:, 1]], 1)
        barycentric = barycentric.to(mesh.dtype)
    if torch.is_grad_enabled() and mesh.vertices.requires_grad:
        corners = gather(mesh.triangles.reshape(-1, 9), Incidence(face, mesh.num_faces))
    else:
        corners = mesh.vertices[mesh.faces[face]]
    points = (corners.reshape(-1, 3, 3) * barycentric[:, :, None]).sum(1)
    return SurfaceSamples(points, face, barycentric)


def device_of(generator: torch.Generator | None) -> torch.device:
    """Where random numbers are drawn."""
    return torch.device("cpu") if generator is None else generator.device


@overload
def sample_points(
    mesh: Mesh | Meshes,
    n: int,
    *,
    normals: Literal[False] = False,
    generator: torch.Generator | None = None,
) -> Tensor: ...


@overload
def sample_points(
    mesh: Mesh | Meshes, n: int, *, normals: Literal[True], generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]: ...


@eager
def sample_points(
    mesh: Mesh | Meshes,
    n: int,
    *,
    normals: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Samples a mesh uniformly by area; see `sample_surface` for where the points lie.

    Args:
        mesh: at least one face of positive area; of `Meshes` each is sampled.
        n: number of points, of each mesh.
        normals: also return the unit normals of the faces the points lie on.
        generator: source of randomness, on any device; the CPU's global one by default.

    Returns:
        points (n, 3), or (B, n, 3) of `Meshes`, or (points, normals), in the order of
        faces. Differentiable in the vertices.

    Raises:
        ValueError: nothing to sample, or n < 0.

    Example:
        >>> mesh = ml.data.shapes.icosphere(2)
        >>> points, normals = ml.sample_points(mesh, 10_000, normals=True)
    """
    if isinstance(mesh, Meshes):
        if not len(mesh):
            raise ValueError("mesh: expected one mesh or more to sample, got none")
        each = [sample_points(m, n, normals=True, generator=generator) for m in mesh]
        found = tuple(torch.stack(part) for part in zip(*each, strict=True))
        return (found[0], found[1]) if normals else found[0]
    samples = sample_surface(mesh, n, generator=generator)
    if not normals:
        return samples.points
    if n == 0:
        return samples.points, samples.points
    chosen = Incidence(samples.faces, mesh.num_faces)
    return samples.points, gather(mesh.face_normals(), chosen)
