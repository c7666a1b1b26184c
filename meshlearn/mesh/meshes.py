"""A batch of meshes of different sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import torch
from torch import Tensor

from meshlearn.mesh.mesh import Mesh


class Meshes:
    """Several meshes, of any sizes, empty ones too, on one device and of one dtype.

    The packed form is canonical: all vertices one after another, and all faces, whose indices point
    into the packed vertices, with offsets (``ptr``) where each mesh begins. Lists and padded
    tensors are made of it on demand. Gradients flow from every form to the members' vertices.

    Worked example, a tetrahedron (4 vertices, 4 faces) and a triangle (3, 1):

        form                    shape       content
        ``vertices_packed``     (7, 3)      rows 0-3 the tetrahedron's, rows 4-6 the triangle's
        ``vertices_ptr``        (3,)        [0, 4, 7]: mesh i has rows ptr[i] to ptr[i + 1] - 1
        ``vertices_mesh``       (7,)        [0, 0, 0, 0, 1, 1, 1]: mesh of each vertex
        ``faces_packed``        (5, 3)      the last row is [4, 5, 6]: local [0, 1, 2] + ptr[1]
        ``faces_ptr``           (3,)        [0, 4, 5]
        ``vertices_list[1]``    (3, 3)      rows 4-6
        ``faces_list[1]``       (1, 3)      [[0, 1, 2]], local indices
        ``vertices_padded()``   (2, 4, 3)   row [1, 3] is 0
        ``faces_padded()``      (2, 4, 3)   rows [1, 1:] are -1

    Args:
        meshes: a sequence of `Mesh`; may be empty.

    Raises:
        ValueError: where a member is no Mesh, or differs in device or dtype from the first.

    Example:
        >>> batch = ml.Meshes([ml.data.shapes.tetrahedron(), ml.data.shapes.box()])
        >>> batch.vertices_ptr.tolist(), batch.vertices_padded().shape
        ([0, 4, 12], torch.Size([2, 8, 3]))
    """

    def __init__(self, meshes: Sequence[Mesh]) -> None:
        if isinstance(meshes, (Mesh, Tensor)):
            raise ValueError(
                f"meshes: expected a list of Mesh, got {type(meshes).__name__}; pass [mesh]"
            )
        members = list(meshes)
        for i, mesh in enumerate(members):
            if not isinstance(mesh, Mesh):
                raise ValueError(
                    f"meshes[{i}]: expected a Mesh, got {type(mesh).__name__}; "
                    f"build it with ml.Mesh(vertices, faces)"
                )
            if mesh.device != members[0].device or mesh.dtype != members[0].dtype:
                raise ValueError(
                    f"meshes[{i}]: expected {members[0].dtype} on {members[0].device} (as "
                    f"meshes[0]), got {mesh.dtype} on {mesh.device}; convert it with .to"
                )
        self._members = tuple(members)
        device = self.device
        self._vertex_counts = [mesh.num_vertices for mesh in members]
        self._face_counts = [mesh.num_faces for mesh in members]
        self.vertices_ptr = _offsets(self._vertex_counts, device)
        self.faces_ptr = _offsets(self._face_counts, device)
        if members:
            self.vertices_packed = torch.cat([mesh.vertices for mesh in members])
            self.faces_packed = torch.cat([mesh.faces for mesh in members])
            self.faces_packed += self.vertices_ptr[self.faces_mesh][:, None]
        else:
            self.vertices_packed = torch.zeros(0, 3)
            self.faces_packed = torch.zeros(0, 3, dtype=torch.int64)

    @property
    def device(self) -> torch.device:
        return self._members[0].device if self._members else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        return self._members[0].dtype if self._members else torch.float32

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Mesh]:
        return iter(self._members)

    @overload
    def __getitem__(self, index: int) -> Mesh: ...

    @overload
    def __getitem__(self, index: slice) -> Meshes: ...

    def __getitem__(self, index: int | slice) -> Mesh | Meshes:
        """One mesh, as it was put in, or for a slice a batch of several."""
        if isinstance(index, slice):
            return Meshes(self._members[index])
        return self._members[index]

    def __repr__(self) -> str:
        return (
            f"Meshes({len(self)} meshes, {sum(self._vertex_counts)} vertices, "
            f"{sum(self._face_counts)} faces, {str(self.dtype).removeprefix('torch.')}, "
            f"{self.device})"
        )

    @property
    def vertices_mesh(self) -> Tensor:
        """(sum V,) int64, mesh of each packed vertex."""
        return _owners(self.vertices_ptr, sum(self._vertex_counts))

    @property
    def faces_mesh(self) -> Tensor:
        """(sum F,) int64, mesh of each packed face."""
        return _owners(self.faces_ptr, sum(self._face_counts))

    @property
    def vertices_list(self) -> list[Tensor]:
        """Vertices (V_i, 3) of each mesh: views of the packed ones."""
        return list(self.vertices_packed.split(self._vertex_counts)) if self._members else []

    @property
    def faces_list(self) -> list[Tensor]:
        """Faces (F_i, 3) of each mesh, local indices."""
        return [mesh.faces for mesh in self._members]

    def vertices_padded(self, value: float = 0.0) -> Tensor:
        """(N, max V, 3) vertices, filled with `value`."""
        return _padded(self.vertices_packed, self.vertices_ptr, self._vertex_counts, value)

    def faces_padded(self, value: int = -1) -> Tensor:
        """(N, max F, 3) int64 faces, local indices, filled with `value`."""
        local = self.faces_packed - self.vertices_ptr[self.faces_mesh][:, None]
        return _padded(local, self.faces_ptr, self._face_counts, value)

    def to(self, *targets: str | int | torch.device | torch.dtype) -> Meshes:
        """Every member on another device, in another dtype; see `Mesh.to`."""
        moved = [mesh.to(*targets) for mesh in self._members]
        same = all(a is b for a, b in zip(moved, self._members, strict=True))
        return self if same else Meshes(moved)

    def detach(self) -> Meshes:
        """Without gradients."""
        return Meshes([mesh.detach() for mesh in self._members])

    def with_vertices(self, vertices: Tensor) -> Meshes:
        """Other packed positions (sum V, 3); members share topology and attributes with before."""
        if not isinstance(vertices, Tensor) or vertices.shape != self.vertices_packed.shape:
            got = tuple(vertices.shape) if isinstance(vertices, Tensor) else type(vertices).__name__
            raise ValueError(
                f"vertices: expected packed positions of shape "
                f"{tuple(self.vertices_packed.shape)}, got {got}; pass one row for each vertex"
            )
        pieces = vertices.split(self._vertex_counts) if self._members else ()
        return Meshes(
            [mesh.with_vertices(v) for mesh, v in zip(self._members, pieces, strict=True)]
        )


def _offsets(counts: list[int], device: torch.device) -> Tensor:
    return torch.tensor([0, *counts], dtype=torch.int64).cumsum(0).to(device)


def _owners(ptr: Tensor, total: int) -> Tensor:
    index = torch.arange(ptr.numel() - 1, device=ptr.device)
    return torch.repeat_interleave(index, ptr.diff(), output_size=total)


def _padded(packed: Tensor, ptr: Tensor, counts: list[int], value: float) -> Tensor:
    owner = _owners(ptr, packed.shape[0])
    row = torch.arange(packed.shape[0], device=packed.device) - ptr[owner]
    out = packed.new_full((len(counts), max(counts, default=0), 3), value)
    return out.index_put((owner, row), packed)
