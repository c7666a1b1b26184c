"""One shape of a family: mesh, parts, exact distance."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

import torch
from torch import Tensor

from meshlearn.data.families.solids import Dice, union
from meshlearn.geometry import MeshBVH
from meshlearn.mesh import Mesh

FAMILIES = ("cars", "chairs", "mugs", "planes", "wings")
BOUNDS = ((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
SIDE = 0.9  # the longest side of a shape


@dataclass(frozen=True)
class Shape:
    """A shape of a family.

    Attributes:
        name: such as "chairs-0-7" (family, seed, number).
        mesh: closed, manifold, outward; longest side 0.9, about the origin, y up.
        part: (F,) int64, which of `parts` a face belongs to.
        parts: names; not every shape has every part.
    """

    name: str
    mesh: Mesh
    part: Tensor
    parts: tuple[str, ...]
    _trees: list[MeshBVH] = field(default_factory=list, repr=False, compare=False)

    @property
    def tree(self) -> MeshBVH:
        """For queries; built when first asked for."""
        if not self._trees:
            self._trees.append(MeshBVH(self.mesh))
        return self._trees[0]

    def sdf(self, points: Tensor) -> Tensor:
        """Exact distances (P,) to the surface at points (P, 3), negative inside."""
        return self.tree.signed_distance(points)

    def labels(self, points: Tensor) -> Tensor:
        """(P,) int64: the part of the face that is nearest to each of points (P, 3)."""
        return self.part[self.tree.closest(points).face]

    def voxels(self, resolution: int) -> Tensor:
        """Occupancy (r, r, r) bool, x slowest: whether centres of cells of the unit box are
        inside."""
        return occupied(self.tree, resolution)


def cell_centres(resolution: int, like: Tensor) -> Tensor:
    """Centres (r³, 3) of the cells of the unit box, x slowest."""
    line = (torch.arange(resolution, dtype=torch.float64) + 0.5) / resolution - 0.5
    return torch.cartesian_prod(line, line, line).to(like)


def occupied(tree: MeshBVH, resolution: int) -> Tensor:
    """Occupancy (r, r, r) bool of the unit box, by the winding number of a mesh.

    A closed mesh is asked from coarse to fine, only where its surface is near: the same answer.
    """
    if not isinstance(resolution, int) or resolution < 1:
        raise ValueError(f"resolution: expected 1 cell or more, got {resolution!r}")
    coarse = resolution
    while coarse % 2 == 0 and coarse > 8 and tree.mesh.is_watertight:
        coarse //= 2
    centres = cell_centres(coarse, tree.mesh.vertices)
    inside = _inside(tree, centres)
    while coarse < resolution:
        reach = 0.5 * 3**0.5 / coarse * 1.001
        near = (tree.closest(centres).squared_distance <= reach * reach).view((coarse,) * 3)
        coarse *= 2
        inside = _finer(inside.view((coarse // 2,) * 3)).reshape(-1)
        near = _finer(near).reshape(-1)
        centres = cell_centres(coarse, centres)
        inside[near] = _inside(tree, centres[near])
        if coarse < resolution:  # far from the surface no child can be near it
            centres = torch.where(near[:, None], centres, 10.0)
    return inside.view((resolution,) * 3)


def _inside(tree: MeshBVH, points: Tensor) -> Tensor:
    return tree.winding_number(points).abs() > 0.5


def _finer(values: Tensor) -> Tensor:
    """Each cell (r, r, r) as its eight children."""
    for axis in range(3):
        values = values.repeat_interleave(2, axis)
    return values


def shape(family: str, number: int, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Shape:
    """Shape number `number` of a family.

    Args:
        family: "cars", "chairs", "mugs", "planes" or "wings".
        number: 0 or more; any two differ.
        seed: of the whole family.
        dtype: of the mesh, float32 or float64.

    Raises:
        ValueError: an unknown family or a negative number.
        ImportError: manifold3d, which joins the parts, is not installed.
    """
    if family not in FAMILIES:
        raise ValueError(f"family: expected one of {', '.join(FAMILIES)}, got {family!r}")
    if number < 0 or seed < 0:
        raise ValueError(f"number, seed: expected 0 or more, got {number} and {seed}")
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype: expected torch.float32 or torch.float64, got {dtype}")
    module = import_module(f"meshlearn.data.families.{family}")
    pieces, cuts = module.build(Dice(seed, FAMILIES.index(family), number))
    mesh, part = union(pieces, cuts)
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    vertices = (mesh.vertices - (low + high) / 2) * (SIDE / float((high - low).max()))
    name = f"{family}-{seed}-{number}"
    return Shape(name, Mesh(vertices.to(dtype), mesh.faces), part, module.PARTS)
