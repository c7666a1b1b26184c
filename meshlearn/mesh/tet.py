"""Meshes of tetrahedra."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from meshlearn._segment import Incidence, gather
from meshlearn._validate import FLOATS, check_index, check_tensor
from meshlearn.mesh._keys import row_groups
from meshlearn.mesh.attributes import check_domain
from meshlearn.mesh.measure import stable_sum
from meshlearn.mesh.mesh import Mesh

# Faces of a tetrahedron (a, b, c, d) of positive volume, counter-clockwise from outside.
_FACES = ((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1))


def determinants(points: Tensor, tets: Tensor) -> Tensor:
    """(T,) of the edges from the first corner of each, six times the signed volumes."""
    a, b, c, d = points[tets].unbind(1)
    return (torch.linalg.cross(b - a, c - a) * (d - a)).sum(1)


def mean_ratios(points: Tensor, tets: Tensor) -> Tensor:
    """(T,) what `TetMesh.quality` gives."""
    corner = points[tets]
    side = corner[:, 1:] - corner[:, :1]
    square = side.square().sum((1, 2)) + (side - side.roll(-1, 1)).square().sum((1, 2))
    six = determinants(points, tets)
    return six.sign() * 12 * (six.abs() / 2) ** (2 / 3) / square.clamp(min=1e-300)


class TetMesh:
    """Tetrahedra over shared vertices.

    Args:
        vertices: (V, 3) float32 or float64.
        tets: (T, 4) int64, values in [0, V). (b - a) × (c - a) · (d - a) > 0 is the positive
            orientation; both are legal.
        vertex_attributes: name -> (V, ...).
        tet_attributes: name -> (T, ...).
        validate: False skips the check that indices are in range.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> tet = ml.TetMesh(corner, torch.tensor([[0, 1, 2, 3]]))
        >>> float(tet.volume()), tet.boundary().is_watertight
        (0.1666666716337204, True)
    """

    def __init__(
        self,
        vertices: Tensor,  # (V, 3)
        tets: Tensor,  # (T, 4)
        *,
        vertex_attributes: Mapping[str, Tensor] | None = None,
        tet_attributes: Mapping[str, Tensor] | None = None,
        validate: bool = True,
    ) -> None:
        check_tensor(vertices, "vertices", shape=("V", 3), dtype=FLOATS)
        device = vertices.device
        check_tensor(
            tets, "tets", shape=("T", 4), dtype=torch.int64, device=device, like="vertices"
        )
        if validate:
            check_index(tets, "tets", vertices.shape[0], of="vertices")
        self.vertices = vertices
        self.tets = tets
        self.vertex_attributes = check_domain(
            vertex_attributes, "vertex_attributes", vertices.shape[0], "vertices", device
        )
        self.tet_attributes = check_domain(
            tet_attributes, "tet_attributes", tets.shape[0], "tetrahedra", device
        )

    @property
    def num_vertices(self) -> int:
        return self.vertices.shape[0]

    @property
    def num_tets(self) -> int:
        return self.tets.shape[0]

    @property
    def device(self) -> torch.device:
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        return self.vertices.dtype

    def to(self, *targets: str | int | torch.device | torch.dtype) -> TetMesh:
        """On another device, in another dtype; see `Mesh.to`."""
        carrier = Mesh(
            self.vertices,
            self.tets.new_zeros(0, 3),
            vertex_attributes=self.vertex_attributes,
            validate=False,
        ).to(*targets)
        return TetMesh(
            carrier.vertices,
            self.tets.to(carrier.device),
            vertex_attributes=carrier.vertex_attributes,
            tet_attributes={
                k: v.to(carrier.device, carrier.dtype if v.is_floating_point() else v.dtype)
                for k, v in self.tet_attributes.items()
            },
            validate=False,
        )

    def volumes(self) -> Tensor:
        """(T,) signed volumes in cubed units, differentiable."""
        vertices = self.vertices
        if torch.is_grad_enabled() and vertices.requires_grad:
            corners = gather(vertices, Incidence(self.tets.reshape(-1), self.num_vertices))
            corners = corners.view(-1, 4, 3)
        else:
            corners = vertices[self.tets]
        a, b, c, d = corners.unbind(1)
        return (torch.linalg.cross(b - a, c - a) * (d - a)).sum(1) / 6

    def volume(self) -> Tensor:
        """() sum of the signed volumes."""
        return stable_sum(self.volumes())

    def quality(self) -> Tensor:
        """(T,) float64 mean ratios: 1 for a regular tetrahedron, 0 for a flat one, negative for one
        of negative volume: 12 (3 V)^(2/3) over the sum of the squares of its six edges.

        Source: Liu, Joe, "Relationship between tetrahedron shape measures" (1994).
        """
        return mean_ratios(self.vertices.detach().double(), self.tets)

    def boundary(self) -> Mesh:
        """Triangles that belong to one tetrahedron only, outward, over the same vertices.

        A tetrahedron of negative volume is taken as if its orientation were mended. Inner vertices
        stay, unused: `Mesh.remove_unreferenced` drops them. Vertex attributes are kept.
        """
        pattern = torch.tensor(_FACES, device=self.device)
        faces = self.tets[:, pattern]  # (T, 4, 3)
        with torch.no_grad():
            inverted = self.volumes() < 0
        faces = torch.where(inverted[:, None, None], faces.flip(2), faces).reshape(-1, 3)
        group, count = row_groups(faces.sort(1).values, self.num_vertices)
        once = torch.bincount(group, minlength=count)[group] == 1
        return Mesh(
            self.vertices,
            faces[once],
            vertex_attributes=self.vertex_attributes,
            validate=False,
        )

    def __repr__(self) -> str:
        return (
            f"TetMesh({self.num_vertices} vertices, {self.num_tets} tets, "
            f"{str(self.dtype).removeprefix('torch.')}, {self.device})"
        )
