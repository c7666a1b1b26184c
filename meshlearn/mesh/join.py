"""Meshes put together as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from meshlearn.mesh.attributes import CornerAttribute
from meshlearn.mesh.mesh import Mesh


class Joined(NamedTuple):
    """Meshes put together, and where each begins.

    Attributes:
        mesh: all vertices and faces, one mesh after another.
        vertex_ptr: (N + 1,) int64, first vertex of each mesh.
        face_ptr: (N + 1,) int64, first face of each mesh.
    """

    mesh: Mesh
    vertex_ptr: Tensor
    face_ptr: Tensor


def cat(meshes: Sequence[Mesh]) -> Joined:
    """Several meshes as one, one after another; no vertices are merged.

    Raises:
        ValueError: if there is no mesh, or they differ in device, dtype or names of attributes.

    Materials are put one after another, and the face attribute "material" is moved along.
    """
    parts = list(meshes)
    if not parts:
        raise ValueError("meshes: expected at least one Mesh, got none; pass [mesh, ...]")
    first = parts[0]
    for i, mesh in enumerate(parts):
        if not isinstance(mesh, Mesh):
            raise ValueError(f"meshes[{i}]: expected a Mesh, got {type(mesh).__name__}")
        if mesh.device != first.device or mesh.dtype != first.dtype:
            raise ValueError(
                f"meshes[{i}]: expected {first.dtype} on {first.device} (as meshes[0]), got "
                f"{mesh.dtype} on {mesh.device}; convert it with .to"
            )
        for domain in ("vertex_attributes", "face_attributes", "corner_attributes"):
            want, got = getattr(first, domain), getattr(mesh, domain)
            if want.keys() != got.keys():
                raise ValueError(
                    f"meshes[{i}].{domain}: expected the names of meshes[0], "
                    f"{sorted(want) or 'none'}, got {sorted(got) or 'none'}; add or remove some"
                )
    vertex_ptr = _offsets([mesh.num_vertices for mesh in parts], first.device)
    face_ptr = _offsets([mesh.num_faces for mesh in parts], first.device)
    faces = torch.cat([m.faces + vertex_ptr[i] for i, m in enumerate(parts)])
    face_attributes = {
        k: torch.cat([mesh.face_attributes[k] for mesh in parts]) for k in first.face_attributes
    }
    materials: list[Any] = []
    moved = []
    for mesh in parts:
        if "material" in mesh.face_attributes:
            moved.append(mesh.face_attributes["material"] + len(materials))
        materials += mesh.materials
    if moved:
        face_attributes["material"] = torch.cat(moved)
    made = Mesh(
        torch.cat([mesh.vertices for mesh in parts]),
        faces,
        vertex_attributes={
            k: torch.cat([m.vertex_attributes[k] for m in parts]) for k in first.vertex_attributes
        },
        face_attributes=face_attributes,
        corner_attributes={k: _cat_corners(k, parts) for k in first.corner_attributes},
        materials=materials,
        validate=False,
    )
    return Joined(made, vertex_ptr, face_ptr)


def _cat_corners(name: str, parts: list[Mesh]) -> CornerAttribute:
    items = [mesh.corner_attributes[name] for mesh in parts]
    shift = _offsets([item.values.shape[0] for item in items], items[0].values.device)
    return CornerAttribute(
        torch.cat([item.values for item in items]),
        torch.cat([item.index + shift[i] for i, item in enumerate(items)]),
    )


def _offsets(counts: list[int], device: torch.device) -> Tensor:
    return torch.tensor([0, *counts], dtype=torch.int64).cumsum(0).to(device)
