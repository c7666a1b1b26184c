"""The triangle mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_index, check_tensor
from meshlearn.mesh import edit, measure, repair, report
from meshlearn.mesh.attributes import CornerAttribute, check_corners, check_domain, map_corners
from meshlearn.mesh.edit import Edit, Part
from meshlearn.mesh.report import MeshReport
from meshlearn.mesh.topology import Topology


class Mesh:
    """Triangles over shared vertices, with attributes, on one device.

    Nothing is merged, reordered or dropped; NaN vertices are legal and reported by `check`.
    Measures are differentiable in ``vertices``. Triangles are counter-clockwise seen from outside.

    Args:
        vertices: (V, 3) float32 or float64, in any unit. V may be 0.
        faces: (F, 3) int64, values in [0, V). F may be 0.
        vertex_attributes: name -> (V, ...) tensor of any dtype.
        face_attributes: name -> (F, ...) tensor of any dtype.
        corner_attributes: name -> CornerAttribute(values (K, D), index (F, 3) int64).
        materials: any objects; the face attribute "material" (F,) int64 indexes them.
        validate: False skips the check that indices are in range (shapes, dtypes and devices are
            always checked); `check` then reports them, other methods need them right.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> mesh = ml.Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
        >>> float(mesh.area()), mesh.is_watertight
        (0.8660253882408142, False)
    """

    def __init__(
        self,
        vertices: Tensor,  # (V, 3)
        faces: Tensor,  # (F, 3)
        *,
        vertex_attributes: Mapping[str, Tensor] | None = None,
        face_attributes: Mapping[str, Tensor] | None = None,
        corner_attributes: Mapping[str, CornerAttribute] | None = None,
        materials: Sequence[Any] | None = None,
        validate: bool = True,
    ) -> None:
        check_tensor(vertices, "vertices", shape=("V", 3), dtype=FLOATS)
        device = vertices.device
        check_tensor(
            faces, "faces", shape=("F", 3), dtype=torch.int64, device=device, like="vertices"
        )
        if validate:
            check_index(faces, "faces", vertices.shape[0], of="vertices")
        self.vertices = vertices
        self.faces = faces
        self.vertex_attributes = check_domain(
            vertex_attributes, "vertex_attributes", vertices.shape[0], "vertices", device
        )
        self.face_attributes = check_domain(
            face_attributes, "face_attributes", faces.shape[0], "faces", device
        )
        self.corner_attributes = check_corners(
            corner_attributes, "corner_attributes", tuple(faces.shape), device, indices=validate
        )
        self.materials = tuple(materials) if materials is not None else ()
        self.topology = Topology(faces, vertices.shape[0])

    # --- what it is -----------------------------------------------------------------------------

    @property
    def num_vertices(self) -> int:
        return self.vertices.shape[0]

    @property
    def num_faces(self) -> int:
        return self.faces.shape[0]

    @property
    def device(self) -> torch.device:
        return self.vertices.device

    @property
    def dtype(self) -> torch.dtype:
        return self.vertices.dtype

    def __repr__(self) -> str:
        parts = [f"{self.num_vertices} vertices", f"{self.num_faces} faces"]
        parts += [str(self.dtype).removeprefix("torch."), str(self.device)]
        for domain in ("vertex", "face", "corner"):
            names = getattr(self, f"{domain}_attributes")
            if names:
                parts.append(f"{domain}: {', '.join(names)}")
        if self.materials:
            parts.append(f"{len(self.materials)} materials")
        return f"Mesh({'; '.join([', '.join(parts[:4]), *parts[4:]])})"

    # --- copies ---------------------------------------------------------------------------------

    def _like(self, vertices: Tensor, topology: Topology, **attributes: Any) -> Mesh:
        """A mesh of parts already checked."""
        made = object.__new__(type(self))
        made.vertices, made.faces, made.topology = vertices, topology.faces, topology
        made.vertex_attributes = dict(attributes.get("vertex", self.vertex_attributes))
        made.face_attributes = dict(attributes.get("face", self.face_attributes))
        made.corner_attributes = dict(attributes.get("corner", self.corner_attributes))
        made.materials = self.materials
        return made

    def with_vertices(self, vertices: Tensor) -> Mesh:
        """The same mesh with other positions (V, 3); shares `topology` and attributes."""
        check_tensor(
            vertices,
            "vertices",
            shape=(self.num_vertices, 3),
            dtype=FLOATS,
            device=self.device,
            like="the mesh",
        )
        return self._like(vertices, self.topology)

    def to(self, *targets: str | int | torch.device | torch.dtype) -> Mesh:
        """On another device, in another dtype: ``mesh.to("cuda")``, ``mesh.to(torch.float64)``.

        A dtype (float32 or float64) is taken by the vertices and by floating attributes. The mesh
        itself is returned if there is nothing to do; topology is shared on the same device.
        """
        device, dtype = self.device, self.dtype
        for target in targets:
            if isinstance(target, torch.dtype):
                if target not in FLOATS:
                    raise ValueError(
                        f"to: expected dtype float32 or float64, got "
                        f"{str(target).removeprefix('torch.')}; pass torch.float32"
                    )
                dtype = target
            else:
                device = torch.empty(0, device=target).device
        if device == self.device and dtype == self.dtype:
            return self

        def move(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else value.dtype)

        topology = self.topology
        if device != self.device:
            topology = Topology(self.faces.to(device), self.num_vertices)
        return self._like(
            self.vertices.to(device, dtype),
            topology,
            vertex={k: move(v) for k, v in self.vertex_attributes.items()},
            face={k: move(v) for k, v in self.face_attributes.items()},
            corner=map_corners(self.corner_attributes, move, lambda index: index.to(device)),
        )

    def detach(self) -> Mesh:
        """Without gradients, in vertices and attributes."""
        return self._like(
            self.vertices.detach(),
            self.topology,
            vertex={k: v.detach() for k, v in self.vertex_attributes.items()},
            face={k: v.detach() for k, v in self.face_attributes.items()},
            corner=map_corners(self.corner_attributes, Tensor.detach),
        )

    # --- measures, differentiable in vertices -----------------------------------------------------

    def face_areas(self) -> Tensor:
        """(F,) area of each face, in squared units."""
        return measure.face_areas(self.vertices, self.topology)

    def area(self) -> Tensor:
        """() sum of face areas, in squared units."""
        return measure.stable_sum(self.face_areas())

    def volume(self) -> Tensor:
        """() signed volume in cubed units: positive if faces are counter-clockwise from outside.

        Of an open surface it is the volume of the cone to the centre of the bounding box of its
        faces, that point held fixed in the gradient; for a closed one the point does not matter.
        """
        return measure.volume(self.vertices, self.topology)

    def bounds(self) -> Tensor:
        """(2, 3) smallest and largest coordinates of all vertices; NaN without vertices."""
        if not self.num_vertices:
            return self.vertices.new_full((2, 3), float("nan"))
        return torch.stack([self.vertices.amin(0), self.vertices.amax(0)])

    def centroid(self) -> Tensor:
        """(3,) centre of the surface: face centres weighted by area; NaN without area."""
        return measure.centroid(self.vertices, self.topology)

    def face_normals(self) -> Tensor:
        """(F, 3) unit normals, outward where faces are counter-clockwise; zero without area."""
        return measure.face_normals(self.vertices, self.topology)

    def vertex_normals(self, weighting: measure.Weighting = "area") -> Tensor:
        """(V, 3) unit normals: mean of face normals at each vertex; zero at a vertex without faces.

        Args:
            weighting: "area" (by face area), "angle" (by the angle at the vertex: Thürmer and
                Wüthrich, Computing vertex normals from polygonal facets, 1998) or "uniform".
        """
        return measure.vertex_normals(self.vertices, self.topology, weighting)

    # --- facts ----------------------------------------------------------------------------------

    @property
    def is_watertight(self) -> bool:
        """There are faces, and each edge has exactly two; orientation is a separate question."""
        return self.topology.is_watertight

    @property
    def is_edge_manifold(self) -> bool:
        """No edge has more than two faces."""
        return self.topology.is_edge_manifold

    @property
    def is_vertex_manifold(self) -> bool:
        """The faces at each vertex form one fan, open or closed."""
        return self.topology.is_vertex_manifold

    @property
    def is_consistently_oriented(self) -> bool:
        """Neighbouring faces traverse their common edge in opposite directions."""
        return self.topology.is_consistently_oriented

    @property
    def triangles(self) -> Tensor:
        """(F, 3, 3) corner positions, differentiable."""
        return measure.corner_positions(self.vertices, self.topology)

    # --- edits: see meshlearn.mesh.edit and meshlearn.mesh.repair ---------------------------------

    def merge_vertices(self, tol: float = 0.0) -> Edit:
        """Vertices at most `tol` apart become one (`repair.merge_vertices`)."""
        return repair.merge_vertices(self, tol)

    def remove_unreferenced(self) -> Edit:
        """Without the vertices that no face uses (`edit.remove_unreferenced`)."""
        return edit.remove_unreferenced(self)

    def remove_degenerate(self) -> Edit:
        """Without the faces that have no area (`repair.remove_degenerate`)."""
        return repair.remove_degenerate(self)

    def remove_duplicate_faces(self) -> Edit:
        """Without the faces of the same vertices as an earlier one."""
        return repair.remove_duplicate_faces(self)

    def submesh(self, faces: Tensor) -> Edit:
        """Some faces, by mask or index, with the vertices they use (`edit.submesh`)."""
        return edit.submesh(self, faces)

    def split(self) -> list[Part]:
        """Components of faces joined through edges (`edit.split`)."""
        return edit.split(self)

    def flip(self) -> Edit:
        """With the orientation of all faces turned (`edit.flip`)."""
        return edit.flip(self)

    def orient(self, *, outward: bool = True) -> Edit:
        """With neighbours agreeing, and closed components outward (`repair.orient`)."""
        return repair.orient(self, outward=outward)

    def check(self) -> MeshReport:
        """Counts and indices of every kind of defect (`report.check`)."""
        return report.check(self)

    def save(self, path: str | PathLike[str], **options: Any) -> None:
        """Writes the mesh to a file; the format follows the extension (see `meshlearn.io.save`)."""
        from meshlearn.io import save

        save(self, path, **options)
