"""Fits convexes to one shape: what `reconstruct --method bspnet` does."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from meshlearn._manifold import manifold_library
from meshlearn.convex import Convexes, convex_colors, inner_convexes, select, union_convexes
from meshlearn.data.families.shape import SIDE, occupied
from meshlearn.geometry import MeshBVH
from meshlearn.isosurface import VoxelGrid, marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.reconstruct.agreement import disagreements
from meshlearn.reconstruct.targets.base import Target
from meshlearn.reconstruct.targets.mesh import FromMesh
from meshlearn.reconstruct.targets.mesh_sides import agreeing_faces
from meshlearn.representations.bspnet import BSPNet, fit_shape


@dataclass
class ConvexFit:
    """Convexes fitted to one shape, in its own frame.

    Attributes:
        mesh: their union, one closed 2-manifold mesh, with face attributes "convex" and "plane".
        convexes: the convexes themselves.
        representation: the model in the box [-½, ½]³.
        seconds: wall time.
    """

    mesh: Mesh
    convexes: Convexes
    representation: BSPNet
    seconds: float

    def colored(self) -> Mesh:
        """The union with the colour of its convex on each face."""
        colors = convex_colors(len(self.convexes)).to(self.mesh.device)
        which = self.mesh.face_attributes["convex"]
        attributes = {**self.mesh.face_attributes, "color": colors[which]}
        mesh = self.mesh
        return Mesh(mesh.vertices, mesh.faces, face_attributes=attributes, validate=False)


def fit_convexes(
    mesh: Mesh,
    *,
    convexes: int = 100,
    resolution: int = 64,
    steps: int = 150,
    seed: int = 0,
    progress: bool | None = None,
) -> ConvexFit:
    """Fits a union of convexes to a mesh of any size and place.

    Args:
        mesh: closed, or nearly; inside is where its winding number is above one half in
            magnitude. Faces that point inward, or against their neighbours, are turned around.
        convexes: at most so many.
        resolution: of the samples that decide: about a sixth of the cells of a cube of so many
            along each side are looked at, spread over the box of the shape.
        steps: of the refinement, see `fit_shape`.
        seed: the same seed gives the same mesh.

    Raises:
        ValueError: no faces, no volume.
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> found = fit_convexes(meshlearn.load("part.obj"))
        >>> save_convexes(found.convexes, "parts.obj")
    """
    manifold_library("the union of convexes needs")  # asked for before the work, not behind it
    begin = time.perf_counter()
    if mesh.num_faces == 0:
        raise ValueError("source: expected a mesh with faces, got none")
    used = mesh.vertices[torch.unique(mesh.faces)].detach().cpu().double()
    low, high = used.amin(0), used.amax(0)
    side = float((high - low).max())
    if not side > 0 or not bool(torch.isfinite(used).all()):
        raise ValueError("source: expected a mesh of some extent with finite vertices")
    mesh = _outward(mesh)
    centre = (low + high) / 2
    scaled = (mesh.vertices.detach().cpu().double() - centre) / side
    inner = Mesh(scaled.float().clamp(-0.5, 0.5), mesh.faces.cpu())
    count = max(4000, resolution**3 // 6)
    model = fit_shape(
        inner, convexes=convexes, samples=count, steps=steps, seed=seed, progress=progress
    )
    with torch.no_grad():
        found = model.convexes()[0]
    found = select(found, ~inner_convexes(found))
    placed = moved(found, side, centre, mesh.dtype)
    union = union_convexes(placed).to(mesh.device)
    return ConvexFit(union, placed, model, time.perf_counter() - begin)


def unlike(found: Mesh, given: Mesh, resolution: int, origin: Tensor | None = None) -> list[str]:
    """Sentences on what a union of convexes has otherwise than the closed mesh that it was fitted
    to, see `disagreements`; cells are those of `fit_convexes`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what was turned is told by the fit
        solid = FromMesh(given.detach().to("cpu", found.dtype)).solid
    if solid is None or found.num_faces == 0:
        return []
    low, high = solid.bounds()
    scale = float((high - low).max()) / resolution
    return disagreements(found.to("cpu"), solid, scale, origin)


def _outward(mesh: Mesh) -> Mesh:
    """The mesh with faces that look outward; what was turned is told."""
    mesh, said = agreeing_faces(mesh)
    for sentence in said:
        warnings.warn(sentence, stacklevel=3)
    return mesh


def moved(convexes: Convexes, scale: float, shift: Tensor, dtype: torch.dtype) -> Convexes:
    """The convexes scaled, then shifted."""
    x = convexes.vertices.detach().double() * scale + shift
    return replace(convexes, vertices=x.to(dtype))


def surface_of(target: Target, resolution: int) -> Mesh:
    """A closed mesh of what a target knows beforehand: marching cubes of its starting field."""
    low, high = target.bounds.double().cpu().unbind(0)
    pad = 2 * float((high - low).max()) / resolution
    kind = target.bounds.dtype
    grid = VoxelGrid(resolution, bounds=torch.stack([low - pad, high + pad]), dtype=kind)
    field = grid.evaluate(target.field)
    return marching_cubes(grid, field)


@torch.no_grad()
def infer_convexes(model: BSPNet, mesh: Mesh) -> ConvexFit:
    """Convexes of a mesh by a trained auto-encoder: voxels, code, planes; nothing is fitted.

    Args:
        model: with an encoder of voxels, see `train.bspnet.load_bspnet`.
        mesh: as in `fit_convexes`; turned as the shapes that the model was trained on.

    Raises:
        ValueError: no faces or no volume, or a model without an encoder of voxels.
    """
    if model.options["encoder"] != "voxels":
        raise ValueError(f"model: expected an encoder of voxels, got {model.options['encoder']!r}")
    begin = time.perf_counter()
    if mesh.num_faces == 0:
        raise ValueError("source: expected a mesh with faces, got none")
    mesh = _outward(mesh)
    low, high = mesh.bounds().detach().cpu().double().unbind(0)
    centre, side = (low + high) / 2, float((high - low).max())
    if not side > 0:
        raise ValueError("source: expected a mesh of some extent")
    x = (mesh.vertices.detach().cpu().double() - centre) * (SIDE / side)
    voxels = occupied(MeshBVH(Mesh(x.float(), mesh.faces.cpu())), model.options["resolution"])
    if not bool(voxels.any()):
        raise ValueError("source: none of its voxels is inside; is it closed and thick enough?")
    code = model.encode(voxels[None, None].to(model.connection))
    found = model.convexes(code)[0]
    found = select(found, ~inner_convexes(found))
    placed = moved(found, side / SIDE, centre, mesh.dtype)
    return ConvexFit(union_convexes(placed), placed, model, time.perf_counter() - begin)
