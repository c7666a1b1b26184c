"""The triangle mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import torch
from torch import Tensor

from meshlearn import _saving, _showing
from meshlearn._validate import FLOATS, TensorLike, as_tensor, check_index, check_tensor
from meshlearn.mesh import edit, measure, placing, repair, report
from meshlearn.mesh.attributes import CornerAttribute, check_corners, check_domain, map_corners
from meshlearn.mesh.report import MeshReport
from meshlearn.mesh.topology import Topology


class Mesh:
    """Triangles over shared vertices, with attributes, on one device.

    Nothing is merged, reordered or dropped; NaN vertices are legal and reported by `check`.
    Measures are differentiable in ``vertices``. Triangles are counter-clockwise seen from outside.

    Args:
        vertices: (V, 3) float32 or float64, in any unit. V may be 0.
        faces: (F, 3) int64, values in [0, V); other whole numbers become such. F may be 0.
        vertex_attributes: name -> (V, ...) tensor of any dtype.
        face_attributes: name -> (F, ...) tensor of any dtype.
        corner_attributes: name -> CornerAttribute(values (K, D), index (F, 3) int64).
        materials: any objects; the face attribute "material" (F,) int64 indexes them.
        validate: False skips the check that indices are in range (shapes, dtypes and devices are
            always checked); `check` then reports them, other methods need them right.

    Arrays of numpy and lists are taken where a tensor is: vertices of an array keep its float32 or
    float64, those of a list are float32.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    Example:
        >>> mesh = ml.Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]))
        >>> float(mesh.area()), mesh.is_watertight
        (0.8660253882408142, False)
    """

    def __init__(
        self,
        vertices: TensorLike,  # (V, 3)
        faces: TensorLike,  # (F, 3)
        *,
        vertex_attributes: Mapping[str, Tensor] | None = None,
        face_attributes: Mapping[str, Tensor] | None = None,
        corner_attributes: Mapping[str, CornerAttribute] | None = None,
        materials: Sequence[Any] | None = None,
        validate: bool = True,
    ) -> None:
        vertices = vertices if isinstance(vertices, Tensor) else _positions(vertices)
        check_tensor(vertices, "vertices", shape=("V", 3), dtype=FLOATS)
        device = vertices.device
        faces = faces if isinstance(faces, Tensor) else _indices(faces, device)
        if faces.dtype in _WHOLE:
            faces = faces.long()
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

    def copy(self) -> Mesh:
        """With tensors of its own, so that changes in place reach neither; gradients go through."""
        return self._like(
            self.vertices.clone(),
            Topology(self.faces.clone(), self.num_vertices),
            vertex={k: v.clone() for k, v in self.vertex_attributes.items()},
            face={k: v.clone() for k, v in self.face_attributes.items()},
            corner=map_corners(self.corner_attributes, Tensor.clone, Tensor.clone),
        )

    # --- placing, differentiable in vertices ------------------------------------------------------

    def transform(self, matrix: Tensor | Sequence[Sequence[float]]) -> Mesh:
        """The mesh by an affine map: each vertex v becomes ``A v + t``.

        Attributes "normal", "tangent" and "bitangent" turn along, at unit length. A map that
        mirrors turns the faces too, so that a closed mesh stays outward.

        Args:
            matrix: (4, 4) or (3, 4), ``[A | t]``, or (3, 3) for A alone; gradients reach it.

        Raises:
            ValueError: another shape, not finite, or a last row that is not 0 0 0 1.
        """
        return self._placed(*placing.affine(matrix, self.vertices))

    def translate(self, offset: Tensor | Sequence[float]) -> Mesh:
        """Moved by an offset (3,), in the mesh's unit; gradients reach it."""
        found = placing.as_numbers(offset, "offset", self.vertices)
        check_tensor(found, "offset", shape=(3,))
        return self.with_vertices(self.vertices + found)

    def scale(
        self,
        factor: float | Sequence[float] | Tensor,
        *,
        about: Tensor | Sequence[float] | None = None,
    ) -> Mesh:
        """Scaled by a factor, or by three along the axes, about a point (3,), the origin if None.

        A negative factor mirrors, see `transform`.
        """
        return self._about(placing.factors(factor, self.vertices), about)

    def rotate(
        self,
        axis: str | Sequence[float] | Tensor,
        degrees: float,
        *,
        about: Tensor | Sequence[float] | None = None,
    ) -> Mesh:
        """Turned by an angle in degrees, counter-clockwise seen from the axis' tip.

        Args:
            axis: "x", "y", "z" or a direction (3,) of any length.
            about: a point (3,) on the axis; the origin if None.

        Example:
            >>> ml.data.shapes.box((1, 2, 3)).rotate("z", 90).bounds()[1]
            tensor([1.0000, 0.5000, 1.5000])
        """
        return self._about(placing.rotation(axis, degrees, self.vertices), about)

    def _about(self, linear: Tensor, about: Tensor | Sequence[float] | None) -> Mesh:
        centre = None if about is None else placing.as_numbers(about, "about", self.vertices)
        if centre is not None:
            check_tensor(centre, "about", shape=(3,))
        return self._placed(linear, about=centre)

    def _placed(
        self, linear: Tensor, offset: Tensor | None = None, about: Tensor | None = None
    ) -> Mesh:
        corner = self.corner_attributes
        values = placing.turned({name: item.values for name, item in corner.items()}, linear)
        made = self._like(
            placing.positions(self.vertices, linear, offset, about),
            self.topology,
            vertex=placing.turned(self.vertex_attributes, linear),
            face=placing.turned(self.face_attributes, linear),
            corner={k: CornerAttribute(values[k], item.index) for k, item in corner.items()},
        )
        return made.flip().mesh if placing.mirrors(linear) else made

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

    # --- edits: as indices in meshlearn.mesh.edit and meshlearn.mesh.repair, carried out here -----
    #
    # Attributes follow their vertices, faces and corners, and are kept as they are: an edit that
    # turns faces does not turn an attribute that holds normals.

    def _rebuilt(
        self, faces: Tensor, vertex_index: Tensor | None, face_index: Tensor | None
    ) -> Mesh:
        """Some vertices and faces (None: all), `faces` in new indices."""

        def rows(values: dict[str, Tensor], index: Tensor | None) -> dict[str, Tensor]:
            if index is None:
                return values
            return {k: v.index_select(0, index) for k, v in values.items()}

        vertices = self.vertices
        if vertex_index is not None:
            vertices = vertices.index_select(0, vertex_index)
        corner = self.corner_attributes
        if face_index is not None:
            corner = map_corners(corner, index=lambda index: index.index_select(0, face_index))
        return self._like(
            vertices,
            Topology(faces, vertices.shape[0]),
            vertex=rows(self.vertex_attributes, vertex_index),
            face=rows(self.face_attributes, face_index),
            corner=corner,
        )

    def _edited(self, change: edit.Change) -> Edit:
        made = self._rebuilt(change.faces, change.vertex_index, change.face_index)
        order = change.corner_order
        if order is not None:
            made.corner_attributes = map_corners(
                made.corner_attributes, index=lambda index: index.gather(1, order)
            )
        return Edit(made, change.vertex_map, change.face_map)

    def merge_vertices(self, tol: float = 0.0) -> Edit:
        """Vertices at most `tol` apart become one, which keeps the attributes of the first.

        Args:
            tol: 0 merges equal positions only; above, those at most `tol` apart (Euclidean, in the
                mesh's unit), and chains of such. Memory is bounded; time grows with the number of
                vertices in a ball of `tol`.

        Faces are neither dropped nor reordered: those that collapse name a vertex twice (see
        `remove_degenerate`). Vertices keep the order of their first. NaN vertices are never merged.
        Corner attributes keep their seams.
        """
        return self._edited(repair.merge_vertices(self.vertices, self.topology, tol))

    def remove_unreferenced(self) -> Edit:
        """Without the vertices that no face uses; the order of the others is kept."""
        return self._edited(edit.remove_unreferenced(self.topology))

    def remove_degenerate(self) -> Edit:
        """Without the faces that name a vertex twice or have no area; vertices stay."""
        areas = report.areas_of(self.vertices, self.faces)
        return self._edited(repair.remove_degenerate(self.topology, areas))

    def remove_duplicate_faces(self) -> Edit:
        """Without the faces of the same three vertices, in any order, as an earlier face."""
        return self._edited(repair.remove_duplicate_faces(self.topology))

    def submesh(self, faces: Tensor) -> Edit:
        """Some faces, with the vertices they use.

        Args:
            faces: (F,) bool mask, or (N,) int64 indices of distinct faces, whose order is taken.

        Vertices keep their relative order.
        """
        return self._edited(edit.submesh(self.topology, faces))

    def split(self) -> list[Part]:
        """Components of faces joined through edges, in the order of their first face.

        A vertex shared by two components is in both. Vertices without faces are in none.
        """
        return [
            Part(self._rebuilt(*piece), piece.vertex_index, piece.face_index)
            for piece in edit.split(self.topology)
        ]

    def flip(self, faces: Tensor | None = None) -> Edit:
        """With the orientation of faces turned: (a, b, c) becomes (a, c, b).

        Args:
            faces: (F,) bool, which ones; None for all.
        """
        return self._edited(edit.flip(self.topology, faces))

    def orient(self, *, outward: bool = True) -> Edit:
        """Faces turned so that neighbours agree, as few of them as possible.

        Args:
            outward: turn each closed component so that its volume is positive. Pass False for a
                mesh with cavities, whose inner shells are negative.

        Orientation goes through edges of two faces. A component that cannot be oriented (a Moebius
        band) stays as it is.
        """
        return self._edited(repair.orient(self.vertices, self.topology, outward=outward))

    def check(self) -> MeshReport:
        """Counts and indices of every kind of defect, also of a mesh that was not validated.

        Faces with an index out of range are listed and left out of everything else; NaN vertices
        are left out of bounds, and make area and volume None where a face uses one.
        """
        return report.check(self.vertices, self.faces)

    def save(self, path: str | PathLike[str], **options: Any) -> None:
        """Writes the mesh to a file; the format follows the extension (see `meshlearn.io.save`)."""
        _saving.save(self, path, **options)

    def show(self, **options: Any) -> Any:
        """Opens a page with the mesh in the browser (see `meshlearn.viewer.showing.show`)."""
        return _showing.show(self, **options)

    def _repr_html_(self) -> str:
        """A picture and the words of `repr`, for notebooks."""
        return _showing.html(self)


_WHOLE = (torch.int32, torch.int16, torch.int8, torch.uint8)


def _positions(vertices: object) -> Tensor:
    """Vertices of an array or a list; none where it is empty."""
    made = as_tensor(vertices, "vertices")
    made = made if made.is_floating_point() else made.to(torch.float32)
    return made.view(0, 3) if made.shape == (0,) else made


def _indices(faces: object, device: torch.device) -> Tensor:
    """Faces of an array or a list; none where it is empty."""
    made = as_tensor(faces, "faces", device=device)
    return made.view(0, 3).long() if made.shape == (0,) else made


class Edit(NamedTuple):
    """An edited mesh and where the old vertices and faces went.

    Attributes:
        mesh: the new mesh.
        vertex_map: (V,) int64, new index of each old vertex, -1 if it is gone.
        face_map: (F,) int64, new index of each old face, -1 if it is gone.
    """

    mesh: Mesh
    vertex_map: Tensor
    face_map: Tensor


class Part(NamedTuple):
    """A part of a mesh and where its vertices and faces came from.

    Attributes:
        mesh: the part.
        vertex_index: (V',) int64, old index of each vertex of the part.
        face_index: (F',) int64, old index of each face of the part.
    """

    mesh: Mesh
    vertex_index: Tensor
    face_index: Tensor
