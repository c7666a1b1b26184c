"""Attributes of new faces that are parts of old ones: mixed by where their corners lie in those.

Unlike `carry`, which looks for the nearest point, nothing is searched here: each new face says
which face of which mesh it is a part of, and where its corners are in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.carry import mixed
from meshlearn.mesh import CornerAttribute, Mesh, cat

_SAME = 1e-5  # of the range of a value: differences that are rounding
_NO_MATERIAL = "default"  # the name of what a mesh without materials is made of, beside others


class Origin(NamedTuple):
    """Where new faces come from.

    Attributes:
        source: (F',) int64, which of the meshes; -1 for a face that is part of none.
        face: (F',) int64, face of that mesh; -1 likewise.
        barycentric: (F', 3, 3), where each corner lies in that face; zero likewise.
    """

    source: Tensor
    face: Tensor
    barycentric: Tensor


def inherit(
    sources: Sequence[Mesh],
    vertices: Tensor,
    faces: Tensor,
    origin: Origin,
    turned: Tensor | None = None,
) -> Mesh:
    """The mesh of `vertices` and `faces` with the attributes and materials of its sources.

    A vertex attribute stays one where all faces at a vertex agree on it; else, as where surfaces of
    two meshes meet, it becomes an attribute of corners. What only some sources have is white for
    colours, the surface's own for normals, zero for others; their material is "default". Faces that
    are part of none have vertex attributes of their vertices, and else likewise.

    Args:
        sources: meshes on the CPU.
        origin: see `Origin`.
        turned: (F',) bool, faces whose orientation is not that of their source: their normals turn.
    """
    whole, start = _together(sources, faces, origin.source)
    if not (whole.vertex_attributes or whole.face_attributes or whole.corner_attributes):
        return Mesh(vertices, faces, materials=whole.materials)
    face = start[origin.source] + origin.face.clamp(min=0)
    rows = torch.arange(len(faces))
    # faces that are part of none have a row of their own behind the sources'
    made = origin.source < 0
    face = torch.where(made, start[-1] + made.cumsum(0) - 1, face)
    weight = torch.where(made[:, None, None], torch.eye(3, dtype=torch.float64), origin.barycentric)

    def at_corners(name: str, values: Tensor) -> Tensor:
        """(F', 3, D) of values (F', 3, D) at the corners of the old faces."""
        old = values[:, None].expand(-1, 3, -1, -1).reshape(-1, 3, values.shape[-1])
        found = mixed(name, old, weight.reshape(-1, 3)).view(len(rows), 3, values.shape[-1])
        if name == "normal" and found.shape[2] == 3 and bool(made.any()):
            own = Mesh(vertices, faces[made], validate=False).face_normals()
            found[made] = own[:, None].to(found)
        if turned is not None and name == "normal":
            found = torch.where(turned[:, None, None], -found, found)
        return found

    vertex: dict[str, Tensor] = {}
    corner: dict[str, CornerAttribute] = {}
    for name, given in whole.vertex_attributes.items():
        flat = given.reshape(len(given), -1)
        found = at_corners(name, flat[whole.faces[face]])
        own = made if name != "normal" else torch.zeros_like(made)
        shared = shared_corners(found, faces, len(vertices), ~own)
        if shared is not None:
            vertex[name] = shared.view(-1, *given.shape[1:])
        else:
            corner[name] = joined_corners(found, faces, len(vertices))
    for name, item in whole.corner_attributes.items():
        found = at_corners(name, item.values[item.index[face]])
        corner[name] = joined_corners(found, faces, len(vertices))
    by_face = {name: values[face] for name, values in whole.face_attributes.items()}
    if turned is not None and "normal" in by_face:
        sign = torch.where(turned, -1.0, 1.0).to(by_face["normal"])
        by_face["normal"] = by_face["normal"] * sign[:, None]
    return Mesh(
        vertices,
        faces,
        vertex_attributes=vertex,
        face_attributes=by_face,
        corner_attributes=corner,
        materials=whole.materials,
    )


def shared_corners(
    values: Tensor, faces: Tensor, count: int, known: Tensor | None = None
) -> Tensor | None:
    """(V, D) values of vertices of values (F, 3, D) of corners; None where corners disagree.

    Args:
        known: (F,) bool, faces whose values count.
    """
    if known is not None and not bool(known.all()):
        values, faces = values[known], faces[known]
    flat, index = values.reshape(-1, values.shape[-1]), faces.reshape(-1)
    first = _first(index, count)
    used = first < len(index)
    out = flat.new_zeros(count, flat.shape[1])
    out[used] = flat[first[used]]
    return out if bool(_same(flat, out[index], _room(flat)).all()) else None


def joined_corners(values: Tensor, faces: Tensor, count: int) -> CornerAttribute:
    """Values (F, 3, D) as an attribute of corners: those of a vertex that agree with its first are
    one, those that agree with the first that does not another one, and so on."""
    flat, index = values.reshape(-1, values.shape[-1]), faces.reshape(-1)
    place, room = torch.full_like(index, -1), _room(flat)
    left = torch.arange(len(index))
    rows: list[Tensor] = []
    size = 0
    while len(left):
        first = _first(index[left], count)
        mine = left[first[index[left]]]
        same = _same(flat[left], flat[mine], room)
        same |= left == mine  # also where it is NaN
        leaders = left[first[first < len(left)]]
        number = torch.full((len(place),), -1)
        number[leaders] = size + torch.arange(len(leaders))
        place[left[same]] = number[mine[same]]
        rows.append(leaders)
        size += len(leaders)
        left = left[~same]
    order = torch.cat(rows) if rows else left
    return CornerAttribute(flat[order], place.view(-1, 3))


def _first(index: Tensor, count: int) -> Tensor:
    """(count,) place of the first of each number in `index` (N,), N where it is not there."""
    found = torch.full((count,), len(index), dtype=torch.int64)
    return found.scatter_reduce(0, index, torch.arange(len(index)), "amin")


def _room(values: Tensor) -> Tensor:
    """(D,) by how much values (N, D) may differ and be the same."""
    if not values.is_floating_point() or not len(values):
        return values.new_zeros(values.shape[1])
    finite = torch.where(torch.isfinite(values), values, 0)
    return _SAME * (finite.amax(0) - finite.amin(0)) + _SAME * 0.1 * finite.abs().amax(0)


def _same(a: Tensor, b: Tensor, room: Tensor) -> Tensor:
    """(N,) which rows agree."""
    if not a.is_floating_point():
        return (a == b).all(1)
    return (((a - b).abs() <= room) | (a == b) | (a.isnan() & b.isnan())).all(1)


# --- several meshes as one ----------------------------------------------------------------------


def _together(sources: Sequence[Mesh], faces: Tensor, source: Tensor) -> tuple[Mesh, Tensor]:
    """The sources as one mesh, all with the same attributes, and behind them a face of its own for
    each that is part of none; and the first face of each source."""
    parts = [mesh.detach().to(sources[0].dtype) for mesh in sources]
    extra = int((source < 0).sum())
    if extra:
        like = parts[0].vertices
        own = torch.arange(3 * extra).view(-1, 3)
        parts.append(Mesh(like.new_zeros(3 * extra, 3), own))
    start = torch.tensor([0, *(m.num_faces for m in sources)]).cumsum(0)
    if len(parts) > 1:
        parts = _completed(parts)
    whole = cat(parts).mesh if len(parts) > 1 else parts[0]
    return _without_doubles(whole), start


def _completed(parts: list[Mesh]) -> list[Mesh]:
    """Meshes that all have the attributes that any has, on the same domain."""
    materials = any("material" in m.face_attributes for m in parts)
    corner = {k: v for m in parts for k, v in m.corner_attributes.items()}
    vertex = {k: v for m in parts for k, v in m.vertex_attributes.items() if k not in corner}
    face = {k: v for m in parts for k, v in m.face_attributes.items() if k != "material"}
    done = []
    for mesh in parts:
        corners = dict(mesh.corner_attributes)
        for name, like in corner.items():
            if name in corners:
                continue
            if name in mesh.vertex_attributes:
                values = mesh.vertex_attributes[name]
                corners[name] = CornerAttribute(values.reshape(len(values), -1), mesh.faces)
            else:
                corners[name] = _blank_corners(name, like, mesh)
        of_vertices = {k: v for k, v in mesh.vertex_attributes.items() if k in vertex}
        for name, values in vertex.items():
            if name not in of_vertices:
                own = mesh.vertex_normals() if name == "normal" else None
                of_vertices[name] = _blank(name, values, mesh.num_vertices, own)
        of_faces = dict(mesh.face_attributes)
        for name, values in face.items():
            if name not in of_faces:
                own = mesh.face_normals() if name == "normal" else None
                of_faces[name] = _blank(name, values, mesh.num_faces, own)
        kinds = mesh.materials
        if materials and "material" not in of_faces:
            kinds = (_NO_MATERIAL,)
            of_faces["material"] = torch.zeros(mesh.num_faces, dtype=torch.int64)
        done.append(
            Mesh(
                mesh.vertices,
                mesh.faces,
                vertex_attributes={k: _as(of_vertices[k], v, k) for k, v in vertex.items()},
                face_attributes={
                    k: _as(v, face[k], k) if k in face else v for k, v in of_faces.items()
                },
                corner_attributes={
                    k: CornerAttribute(_as(corners[k].values, v.values, k), corners[k].index)
                    for k, v in corner.items()
                },
                materials=kinds,
            )
        )
    return done


def _blank_corners(name: str, like: CornerAttribute, mesh: Mesh) -> CornerAttribute:
    """What a mesh has in an attribute of corners that it does not have."""
    if name == "normal" and like.values.shape[1] == 3:
        index = torch.arange(mesh.num_faces)[:, None].expand(-1, 3)
        return CornerAttribute(mesh.face_normals().to(like.values), index.contiguous())
    return CornerAttribute(_blank(name, like.values, 1, None), torch.zeros_like(mesh.faces))


def _blank(name: str, like: Tensor, rows: int, own: Tensor | None) -> Tensor:
    if own is not None and like.shape[1:] == (3,) and like.is_floating_point():
        return own.to(like)
    white = (1 if like.is_floating_point() else 255) if name == "color" else 0
    return like.new_full((rows, *like.shape[1:]), white)


def _as(values: Tensor, like: Tensor, name: str) -> Tensor:
    """Values in the dtype and width of others of that name."""
    if name == "color" and values.dtype == torch.uint8 and like.is_floating_point():
        values = values.to(like.dtype) / 255
    elif name == "color" and values.is_floating_point() and like.dtype == torch.uint8:
        values = (values * 255).round().clamp(0, 255)
    values = values.to(like.dtype)
    if values.shape[1:] == like.shape[1:]:
        return values
    if (
        name == "color"
        and values.dim() == like.dim() == 2
        and {3, 4}
        == {
            values.shape[1],
            like.shape[1],
        }
    ):
        if values.shape[1] == 4:
            return values[:, :3]
        return torch.cat((values, _blank(name, like, len(values), None)[:, :1]), 1)
    raise ValueError(
        f"meshes: expected the attribute {name!r} in one shape, got rows of {tuple(like.shape[1:])}"
        f" and of {tuple(values.shape[1:])}; rename or remove one"
    )


def _without_doubles(mesh: Mesh) -> Mesh:
    """The mesh with each material once, where several meshes have the very same."""
    label = mesh.face_attributes.get("material")
    seen: dict[str | int, int] = {}
    kinds = [item if isinstance(item, str) else id(item) for item in mesh.materials]
    number = [seen.setdefault(kind, len(seen)) for kind in kinds]
    if label is None or len(seen) == len(kinds):
        return mesh
    inside = (label >= 0) & (label < len(kinds))
    label = torch.where(inside, torch.tensor(number)[label.clamp(0, len(kinds) - 1)], label)
    first = [kinds.index(kind) for kind in seen]
    return Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes=mesh.vertex_attributes,
        face_attributes={**mesh.face_attributes, "material": label},
        corner_attributes=mesh.corner_attributes,
        materials=[mesh.materials[k] for k in first],
    )
