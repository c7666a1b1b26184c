"""Convex polyhedra as intersections of half-spaces, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._segment import Incidence, gather, segment_sum
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.convex._ops import intersect
from meshlearn.convex.constants import TOLERANCE_EPSILONS
from meshlearn.mesh import Mesh, PolygonMesh

Bounds = Sequence[Sequence[float]] | Tensor


@dataclass(frozen=True)
class Convexes:
    """C convex polyhedra, packed: the faces and vertices of one after those of another.

    Faces are convex polygons, counter-clockwise seen from outside; each convex is closed and has
    Euler number 2, or is empty. Sides of the box are planes -1 to -6 (low x, high x, low y, ...).

    Attributes:
        vertices: (V, 3), of the planes' dtype; gradients reach the planes.
        vertex_planes: (V, 3) int64, three planes that a vertex is the intersection of.
        start: (F + 1,) int64, first corner of each face.
        index: (M,) int64, vertices of the corners.
        face_plane: (F,) int64, plane that each face lies in.
        vertex_start, face_start: (C + 1,) int64, first vertex and face of each convex.
    """

    vertices: Tensor
    vertex_planes: Tensor
    start: Tensor
    index: Tensor
    face_plane: Tensor
    vertex_start: Tensor
    face_start: Tensor

    def __len__(self) -> int:
        return self.face_start.numel() - 1

    def __repr__(self) -> str:
        return (
            f"Convexes({len(self)}, {int(self.empty.sum())} of them empty, "
            f"{self.vertices.shape[0]} vertices, {self.face_plane.numel()} faces)"
        )

    @property
    def empty(self) -> Tensor:
        """(C,) bool: convexes without a face."""
        return self.face_start.diff() == 0

    @cached_property
    def face_convex(self) -> Tensor:
        """(F,) int64, convex of each face."""
        which = torch.arange(len(self), device=self.face_start.device)
        return torch.repeat_interleave(which, self.face_start.diff())

    def __getitem__(self, i: int) -> PolygonMesh:
        """Convex i with a face attribute "plane"."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"convex {i} of {len(self)}")
        i %= len(self)
        v0, v1 = (int(k) for k in self.vertex_start[i : i + 2])
        f0, f1 = (int(k) for k in self.face_start[i : i + 2])
        start = self.start[f0 : f1 + 1]
        corners = self.index[int(start[0]) : int(start[-1])]
        return PolygonMesh(
            self.vertices[v0:v1],
            (start - start[0], corners - v0),
            face_attributes={"plane": self.face_plane[f0:f1]},
            validate=False,
        )

    def list(self) -> list[PolygonMesh]:
        """The convexes one by one, see `__getitem__`; empty ones too."""
        return [self[i] for i in range(len(self))]

    def polygon_mesh(self) -> PolygonMesh:
        """All convexes in one mesh, with face attributes "convex" and "plane"."""
        return PolygonMesh(
            self.vertices,
            (self.start, self.index),
            face_attributes={"convex": self.face_convex, "plane": self.face_plane},
            validate=False,
        )

    @cached_property
    def _fans(self) -> tuple[Tensor, Tensor]:
        """(T, 3) triangles, each face a fan from its first corner, and (T,) their faces."""
        sizes = self.start.diff() - 2
        face = torch.repeat_interleave(torch.arange(sizes.numel(), device=sizes.device), sizes)
        first = torch.cumsum(sizes, 0) - sizes
        step = torch.arange(face.numel(), device=sizes.device) - first[face]
        begin = self.start[face]
        corners = torch.stack([begin, begin + step + 1, begin + step + 2], 1)
        return self.index[corners], face

    def mesh(self) -> Mesh:
        """All convexes as triangles, with face attributes "convex" and "plane"."""
        faces, face = self._fans
        attributes = {"convex": self.face_convex[face], "plane": self.face_plane[face]}
        return Mesh(self.vertices, faces, face_attributes=attributes, validate=False)

    def volumes(self) -> Tensor:
        """(C,) volumes, 0 where empty; differentiable."""
        faces, face = self._fans
        if not len(faces):
            return self.vertices.new_zeros(len(self)) + self.vertices.sum()
        which = self.face_convex[face]
        names = torch.cat([faces, self.vertex_start[which][:, None]], 1).reshape(-1)
        points = gather(self.vertices, Incidence(names, self.vertices.shape[0])).view(-1, 4, 3)
        a, b, c = (points[:, :3] - points[:, 3:]).unbind(1)
        part = (a * torch.linalg.cross(b, c, dim=1)).sum(1, keepdim=True) / 6
        return segment_sum(part, Incidence(which, len(self)))[:, 0]

    def centres(self) -> Tensor:
        """(C, 3) means of the vertices, NaN where empty."""
        sizes = self.vertex_start.diff()
        which = torch.repeat_interleave(torch.arange(len(self), device=sizes.device), sizes)
        return segment_sum(self.vertices, Incidence(which, len(self))) / sizes[:, None]


@eager
def intersect_halfspaces(
    planes: Tensor,
    *,
    mask: Tensor | None = None,
    bounds: Bounds,
    tolerance: float | None = None,
) -> Convexes:
    """Intersections of half-spaces ax + by + cz + d <= 0, cut to a box, C at once.

    Each convex starts as the box and is cut by one plane after another, in float64. Planes that cut
    nothing off are dropped, so that every face is a plane's and no plane has two; of planes that
    agree the first stays. Planes need not be of unit length.

    Args:
        planes: (C, P, 4) float32 or float64; or (P, 4), a table that all convexes share, with
            `mask` saying which bound which, as in BSP-Net.
        mask: (C, P) bool, which planes count; default: all. Values of the others do not matter. A
            convex without planes is the box.
        bounds: (2, 3) lower and upper corner of the box, which bounds what planes leave open.
        tolerance: a vertex this near a plane counts as on it, in the unit of the planes; what is
            thinner than that is empty. Default: 32 machine epsilons of the dtype times the largest
            distance of a corner of the box from the origin. A plane whose normal is 0 is all of
            space for d <= 0 and nothing for d > 0.

    Returns:
        Convexes; some may be empty. Gradients reach `planes` through the vertices: each is the
        solution of the 3 x 3 system of its planes; where their unit normals span less than 1e-6,
        there are none.

    Raises:
        ValueError: wrong shape, dtype or device, NaN or infinite planes, a box without extent.

    Example:
        >>> corner = torch.tensor([[1.0, 1, 1, -1]])  # cut off a cube
        >>> intersect_halfspaces(corner[None], bounds=((0, 0, 0), (1, 1, 1))).volumes()
        tensor([0.1667])
    """
    check_tensor(planes, "planes", dtype=FLOATS)
    shared = planes.dim() == 2 and mask is not None
    if not shared:
        check_tensor(planes, "planes", shape=("C", "P", 4))
    elif planes.shape[1] != 4:
        check_tensor(planes, "planes", shape=("P", 4))
    count = planes.shape[-2]
    if mask is not None:
        size: tuple = ("C", count) if shared else (planes.shape[0], count)
        check_tensor(
            mask, "mask", shape=size, dtype=torch.bool, device=planes.device, like="planes"
        )
    box = check_box(bounds)
    convexes = mask.shape[0] if shared and mask is not None else planes.shape[0]
    if mask is None:
        start = torch.arange(convexes + 1, device=planes.device) * count
        index = torch.arange(convexes * count, device=planes.device)
    else:
        convex, plane = torch.nonzero(mask.contiguous(), as_tuple=True)
        sizes = torch.bincount(convex, minlength=convexes)
        start = torch.nn.functional.pad(torch.cumsum(sizes, 0), (1, 0))
        index = plane if shared else convex * count + plane
    table = planes.reshape(-1, 4)
    used = table.detach() if mask is None else table.detach()[index]
    check_tensor(used, "planes", finite=True)
    if tolerance is None:
        reach = float(torch.maximum(box[0].abs(), box[1].abs()).norm())
        tolerance = TOLERANCE_EPSILONS * torch.finfo(planes.dtype).eps * reach
    elif not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive distance, got {tolerance}")
    out = Convexes(*intersect(table, start, index, box.reshape(-1).tolist(), tolerance))
    if shared or not count:
        return out
    own = torch.where(out.face_plane < 0, out.face_plane, out.face_plane % count)
    three = torch.where(out.vertex_planes < 0, out.vertex_planes, out.vertex_planes % count)
    return replace(out, vertex_planes=three, face_plane=own)


def check_box(bounds: Bounds) -> Tensor:
    """(2, 3) float64 on the CPU, or ValueError."""
    box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
    if box.shape != (2, 3):
        raise ValueError(f"bounds: expected shape (2, 3), got {tuple(box.shape)}")
    if not bool(torch.isfinite(box).all()) or not bool((box[1] > box[0]).all()):
        raise ValueError(
            f"bounds: expected a lower and a larger upper corner, got {box.tolist()}; half-spaces "
            "are cut to this box"
        )
    return box


@eager
def convexes_from_halfspaces(
    planes: Tensor, *, mask: Tensor | None = None, bounds: Bounds
) -> list[PolygonMesh]:
    """`intersect_halfspaces` as a list: one polygon mesh a convex, some of them empty.

    Args:
        planes: (C, P, 4), inside where ax + by + cz + d <= 0.
        mask: (C, P) bool, which planes count; default: all.
        bounds: (2, 3) box that the convexes are cut to.

    Returns:
        C meshes with a face attribute "plane" (F,): the row of `planes`, -1 to -6 for sides of the
        box. Gradients of vertices reach `planes`.

    Example:
        >>> convexes_from_halfspaces(torch.randn(4, 20, 4), bounds=((-1,) * 3, (1,) * 3))
    """
    return intersect_halfspaces(planes, mask=mask, bounds=bounds).list()
