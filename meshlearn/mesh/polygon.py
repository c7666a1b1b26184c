"""Meshes of polygons with any number of corners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_index, check_tensor
from meshlearn.mesh._triangulate import triangulate
from meshlearn.mesh.attributes import CornerAttribute, check_corners, check_domain, map_corners
from meshlearn.mesh.mesh import Mesh


class Triangulation(NamedTuple):
    """A triangulated polygon mesh and where its triangles come from.

    Attributes:
        mesh: the triangles, over the same vertices.
        face_map: (F,) int64, polygon of each triangle.
        corner_map: (F, 3) int64, position in `PolygonMesh.index` of each corner.
    """

    mesh: Mesh
    face_map: Tensor
    corner_map: Tensor


class PolygonMesh:
    """Polygons over shared vertices, in CSR form: quadrilaterals, n-gons, mixed.

    Args:
        vertices: (V, 3) float32 or float64.
        polygons: a list of lists of vertex indices, or a tuple of two tensors (start (P + 1,),
            index (M,)), int64: polygon p has corners index[start[p]:start[p + 1]],
            counter-clockwise seen from outside. Polygons of fewer than 3 corners are legal, and
            give no triangle.
        vertex_attributes: name -> (V, ...).
        face_attributes: name -> (P, ...).
        corner_attributes: name -> CornerAttribute(values (K, D), index (M,) int64).
        materials: as in `Mesh`.
        validate: False skips the check that indices are in range.

    Attributes: ``vertices``, ``start``, ``index``, and the arguments above by their names.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
        >>> ml.PolygonMesh(square, [[0, 1, 2, 3]]).triangulate().faces.tolist()
        [[0, 1, 2], [0, 2, 3]]
    """

    def __init__(
        self,
        vertices: Tensor,  # (V, 3)
        polygons: Sequence[Sequence[int]] | tuple[Tensor, Tensor],
        *,
        vertex_attributes: Mapping[str, Tensor] | None = None,
        face_attributes: Mapping[str, Tensor] | None = None,
        corner_attributes: Mapping[str, CornerAttribute] | None = None,
        materials: Sequence[Any] | None = None,
        validate: bool = True,
    ) -> None:
        check_tensor(vertices, "vertices", shape=("V", 3), dtype=FLOATS)
        device = vertices.device
        self.vertices = vertices
        self.start, self.index = _csr(polygons, device)
        if validate:
            check_index(self.index, "polygons", vertices.shape[0], of="vertices")
        self.vertex_attributes = check_domain(
            vertex_attributes, "vertex_attributes", vertices.shape[0], "vertices", device
        )
        self.face_attributes = check_domain(
            face_attributes, "face_attributes", self.num_polygons, "polygons", device
        )
        self.corner_attributes = check_corners(
            corner_attributes,
            "corner_attributes",
            (self.index.numel(),),
            device,
            indices=validate,
        )
        self.materials = tuple(materials) if materials is not None else ()

    @property
    def num_vertices(self) -> int:
        return self.vertices.shape[0]

    @property
    def num_polygons(self) -> int:
        return self.start.numel() - 1

    @property
    def device(self) -> torch.device:
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        return self.vertices.dtype

    @property
    def sizes(self) -> Tensor:
        """(P,) int64, number of corners of each polygon."""
        return self.start.diff()

    @property
    def polygons(self) -> list[list[int]]:
        """The polygons as lists of vertex indices."""
        start, index = self.start.tolist(), self.index.tolist()
        return [index[a:b] for a, b in pairwise(start)]

    @classmethod
    def from_mesh(cls, mesh: Mesh) -> PolygonMesh:
        """The same mesh with triangles as polygons; attributes are kept."""
        start = torch.arange(mesh.num_faces + 1, device=mesh.device) * 3
        return cls(
            mesh.vertices,
            (start, mesh.faces.reshape(-1)),
            vertex_attributes=mesh.vertex_attributes,
            face_attributes=mesh.face_attributes,
            corner_attributes=map_corners(
                mesh.corner_attributes, index=lambda index: index.reshape(-1)
            ),
            materials=mesh.materials,
            validate=False,
        )

    def to(self, *targets: str | int | torch.device | torch.dtype) -> PolygonMesh:
        """On another device, in another dtype; see `Mesh.to`."""
        carrier = Mesh(
            self.vertices,
            self.index.new_zeros(0, 3),
            vertex_attributes=self.vertex_attributes,
            validate=False,
        ).to(*targets)
        device, dtype = carrier.device, carrier.dtype

        def move(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else value.dtype)

        return PolygonMesh(
            carrier.vertices,
            (self.start.to(device), self.index.to(device)),
            vertex_attributes=carrier.vertex_attributes,
            face_attributes={k: move(v) for k, v in self.face_attributes.items()},
            corner_attributes=map_corners(
                self.corner_attributes, move, lambda index: index.to(device)
            ),
            materials=self.materials,
            validate=False,
        )

    def triangulation(self) -> Triangulation:
        """Triangles, with the polygon and the corners each comes from; attributes are kept.

        A polygon of n corners gives n - 2 triangles, also where it is concave: a quadrilateral is
        cut along the diagonal inside it, the shorter one where both are; a larger one by clipping
        the best-shaped ear again and again (Meisters, Polygons have ears, 1975), seen along the
        axis it faces most. Vertices stay as they are and gradients flow through them.
        """
        corners, polygon = triangulate(self.vertices, self.start, self.index)
        mesh = Mesh(
            self.vertices,
            self.index[corners],
            vertex_attributes=self.vertex_attributes,
            face_attributes={k: v[polygon] for k, v in self.face_attributes.items()},
            corner_attributes=map_corners(
                self.corner_attributes, index=lambda index: index[corners]
            ),
            materials=self.materials,
            validate=False,
        )
        return Triangulation(mesh, polygon, corners)

    def triangulate(self) -> Mesh:
        """The triangles of `triangulation`."""
        return self.triangulation().mesh

    def __repr__(self) -> str:
        return (
            f"PolygonMesh({self.num_vertices} vertices, {self.num_polygons} polygons, "
            f"{self.index.numel()} corners, {str(self.dtype).removeprefix('torch.')}, "
            f"{self.device})"
        )


def _csr(polygons: object, device: torch.device) -> tuple[Tensor, Tensor]:
    if (
        isinstance(polygons, tuple)
        and len(polygons) == 2
        and all(isinstance(p, Tensor) for p in polygons)
    ):
        start, index = polygons
        for value, name, size in ((start, "start", "P + 1"), (index, "index", "M")):
            check_tensor(
                value,
                f"polygons.{name}",
                shape=(size,),
                dtype=torch.int64,
                device=device,
                like="vertices",
            )
        if (
            start.numel() == 0
            or int(start[0]) != 0
            or int(start[-1]) != index.numel()
            or bool((start.diff() < 0).any())
        ):
            raise ValueError(
                f"polygons.start: expected ascending offsets from 0 to the {index.numel()} entries "
                f"of index, got {start.tolist() if start.numel() < 9 else start}; "
                f"start[p] is where polygon p begins"
            )
        return start, index
    if isinstance(polygons, Tensor):
        check_tensor(
            polygons,
            "polygons",
            shape=("P", "n"),
            dtype=torch.int64,
            device=device,
            like="vertices",
        )
        count, corners = polygons.shape
        return torch.arange(count + 1, device=device) * corners, polygons.reshape(-1)
    if not isinstance(polygons, Sequence) or isinstance(polygons, str):
        raise ValueError(
            f"polygons: expected a list of lists of vertex indices or a tuple of tensors "
            f"(start, index), got {type(polygons).__name__}; pass one of these"
        )
    flat: list[int] = []
    offsets = [0]
    for i, polygon in enumerate(polygons):
        indices: Any = polygon.tolist() if isinstance(polygon, Tensor) else polygon
        if not isinstance(indices, Sequence) or not all(
            isinstance(c, int) and not isinstance(c, bool) for c in indices
        ):
            raise ValueError(
                f"polygons[{i}]: expected a list of integer vertex indices, got {polygon!r}; "
                f"pass one list of indices for each polygon"
            )
        flat.extend(indices)
        offsets.append(len(flat))
    return (
        torch.tensor(offsets, dtype=torch.int64, device=device),
        torch.tensor(flat, dtype=torch.int64, device=device),
    )
