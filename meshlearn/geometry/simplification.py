"""Simplification: fewer triangles, by collapses of edges that keep shape, seams and attributes."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import check_tensor
from meshlearn.geometry.bvh import point_mesh_distance
from meshlearn.geometry.carry import carry_attributes
from meshlearn.geometry.collapses import Collapsed, Values, collapsed
from meshlearn.geometry.sampling import sample_points
from meshlearn.mesh import CornerAttribute, Edit, Mesh, far_middle, moved, used_vertices

# what a difference of an attribute costs, in lengths of the box's longest side
_UV = 1.0  # times the length that a difference of texture coordinates has on the surface
_NORMAL = 0.02  # a difference of 1, about 60 degrees
_COLOUR = 0.05  # a difference of 1, black to white
_OTHER = 0.05  # the whole range of a field
_WIDE = 24  # numbers of an attribute beyond which it costs nothing, and is looked up in the end
_STEP = 2.0**-36  # to which coordinates are rounded, of the box's longest side
_ROUNDS = 8  # halvings of the number of faces, with an error asked for
_LOOKED_AT = 20_000  # points at which a simplified surface is held against its origin
_UV_NAME = re.compile(r"uv\d*")


@eager
def simplify(mesh: Mesh, faces: int | None = None, *, error: float | None = None) -> Mesh:
    """The mesh with fewer triangles, as `simplify_edit` gives it, without the maps.

    Example:
        >>> small = ml.geometry.simplify(mesh, 1000)
    """
    return simplify_edit(mesh, faces, error=error).mesh


@eager
def simplify_edit(mesh: Mesh, faces: int | None = None, *, error: float | None = None) -> Edit:
    """About `faces` triangles in the shape of `mesh`, by quadric error, with maps to them.

    Edges collapse one after the other, the cheapest first; what a collapse costs is its error of
    the shape and of vertex and corner attributes (`meshlearn.geometry.collapses` has the
    equations). A collapse that would turn a face over, in space or in the texture, make it thin
    or the surface no manifold is not made. Vertices at one position are merged first.

    Borders of the surface, of materials and of other whole numbers of faces, and seams of
    attributes but normals are kept, until nothing else is left. Where more than two faces meet at
    an edge, or several fans at a vertex, its vertices stay where they are. Numbers of vertices and
    corners are mixed, normals of unit length; whole numbers but colours are those of the nearest
    vertex that is gone into the new one. Attributes of faces are those of the faces that are left.
    Vertex attributes that differ along seams become corner attributes. Materials are kept.

    The same input gives the same bits. It runs on one thread of a CPU.

    Args:
        faces: triangles wanted, at least 1; a mesh that has no more is given back as it is.
        error: farthest that the surfaces may be from each other, in the mesh's unit, measured at
            points of both; the fewest faces that keep it are looked for. With `faces` too, no
            fewer than these.

    Returns:
        `Edit`: the mesh, vertex_map (V,) with the new vertex of each old one, -1 where no face
        had it, and face_map (F,) with the new number of each face that is left, else -1.

    Raises:
        ValueError: wrong arguments, vertices that are not finite.

    Warns:
        UserWarning: more faces than asked for are left, with the reason.

    Example:
        >>> edit = ml.geometry.simplify_edit(mesh, 1000)
        >>> moved = edit.mesh.vertices[edit.vertex_map] - mesh.vertices

    Source: M. Garland, P. Heckbert, Surface simplification using quadric error metrics, 1997;
    H. Hoppe, New quadric metric for simplifying meshes with appearance attributes, 1999.
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    if faces is None and error is None:
        raise ValueError("simplify: expected a number of faces or an error, got neither")
    if faces is not None and (not isinstance(faces, int) or isinstance(faces, bool) or faces < 1):
        raise ValueError(f"faces: expected a whole number of at least 1, got {faces!r}")
    if error is not None and not 0 < error < math.inf:
        raise ValueError(f"error: expected a positive distance, got {error!r}")
    whole = _as_is(mesh)
    if faces is not None and mesh.num_faces <= faces:
        return whole
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if error is None:
        assert faces is not None
        made = _to_faces(mesh, faces)
        if made.mesh.num_faces > faces:
            warnings.warn(
                f"simplify: {made.mesh.num_faces:,} faces are left of {mesh.num_faces:,}, not "
                f"{faces:,}: {why_no_fewer(mesh)}",
                stacklevel=3,
            )
        return made
    least = 4 if faces is None else faces
    best, low, high = whole, least, mesh.num_faces
    for _ in range(_ROUNDS):
        wanted = round((low * high) ** 0.5) if high > 2 * low else (low + high) // 2
        if wanted >= high:
            break
        made = _to_faces(mesh, wanted)
        if made.mesh.num_faces and _apart(made.mesh, mesh) <= error:
            best, high = made, wanted
        else:
            low = wanted + 1
    return best


def simplify_quietly(mesh: Mesh, faces: int) -> Mesh:
    """`simplify`, which says nothing where more faces are left."""
    return mesh if mesh.num_faces <= faces else _to_faces(mesh, faces).mesh


def why_no_fewer(mesh: Mesh) -> str:
    """Why collapses end: the part of a sentence after a colon."""
    joined = mesh.detach().merge_vertices().mesh.remove_degenerate().mesh
    topology = joined.topology
    odd = topology.edge_face_counts > 2
    odd[topology.inconsistent_edges] = True
    held = torch.zeros(joined.num_vertices, dtype=torch.bool, device=mesh.device)
    held[topology.edges[odd].reshape(-1)] = True
    held[topology.non_manifold_vertices] = True
    found = ["the next collapse would turn faces over, or change what is joined to what"]
    parts = topology.components().count
    if bool(held.any()):
        found = [
            f"{int(held.sum()):,} of {int(topology.referenced.sum()):,} vertices stay, at edges of "
            "more than two faces or of two that look apart, or where fans of faces meet (`repair` "
            "parts them)"
        ]
    if parts > 1:
        found.append(f"{parts:,} parts that are not joined stay as many")
    return ", and ".join(found)


def _as_is(mesh: Mesh) -> Edit:
    rows = (torch.arange(n, device=mesh.device) for n in (mesh.num_vertices, mesh.num_faces))
    return Edit(mesh, *rows)


def _apart(a: Mesh, b: Mesh) -> float:
    """Largest distance between two surfaces, at points of both."""
    far = 0.0
    for one, other in ((a, b), (b, a)):
        generator = torch.Generator().manual_seed(0)
        points = sample_points(one.detach(), _LOOKED_AT, generator=generator)
        points = torch.cat((points, one.vertices.detach()[one.faces.unique()]))
        squared = point_mesh_distance(points, other.detach())[0]
        far = max(far, float(squared.max()) ** 0.5)
    return far


def _to_faces(mesh: Mesh, target: int) -> Edit:
    old = mesh.detach().to("cpu")
    middle = far_middle(used_vertices(old))
    old = old if middle is None else moved(old, -middle)
    merged = old.merge_vertices()
    joined = merged.mesh.faces
    kept = (joined != joined.roll(1, 1)).all(1).nonzero().squeeze(1)
    flat = Mesh(merged.mesh.vertices, joined[kept], validate=False)
    size = _size(flat)
    centre = _centre(flat)
    # rounded, so that what is equal but for rounding is equal at every size
    points = torch.round((flat.vertices.double() - centre) / size / _STEP) * _STEP
    given = _attributes(old, kept, Mesh(points, flat.faces, validate=False))
    seams = [item.numbers for item in given if item.seam]
    for name, labels in old.face_attributes.items():
        if labels.dim() == 1 and (name == "material" or not labels.is_floating_point()):
            seams.append(labels[kept].long()[:, None].expand(-1, 3))
    # what has no seams is one group: its wedges are its vertices
    plain = [item for item in given if item.plain]
    split = [item for item in given if not item.plain]
    values = [Values(item.index, item.rows * item.scale, item.flat) for item in split]
    if plain:
        rows = torch.cat([item.rows * item.scale for item in plain], 1)
        index = old.faces[kept]
        values.insert(0, Values(index, rows))
    made = collapsed(points, flat.faces, target, values, seams)
    vertices = (made.vertices * size + centre).to(old.dtype)
    still = (made.vertices == points[made.nearest]).all(1)
    vertices[still] = flat.vertices[made.nearest[still]]
    out = _result(old, made, vertices, kept[made.face_index], merged.vertex_map, plain, split)
    if middle is not None:
        out = out.with_vertices((out.vertices.double() + middle).to(mesh.dtype))
    vertex_map = made.vertex_map[merged.vertex_map]
    face_map = torch.full((mesh.num_faces,), -1)
    face_map[kept[made.face_index]] = torch.arange(len(made.faces))
    device = mesh.device
    return Edit(out.to(device), vertex_map.to(device), face_map.to(device))


def _size(mesh: Mesh) -> float:
    """The longest side of the box, which becomes one: weights of attributes are lengths."""
    if not mesh.num_faces:
        return 1.0
    used = used_vertices(mesh)
    extent = float((used.amax(0) - used.amin(0)).max())
    return extent if extent > 0 else 1.0


def _centre(mesh: Mesh) -> Tensor:
    if not mesh.num_faces:
        return torch.zeros(3, dtype=torch.float64)
    used = used_vertices(mesh).double()
    return (used.amax(0) + used.amin(0)) / 2


# --- attributes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """An attribute that collapses mix."""

    name: str
    of_vertices: bool  # whether it is one of vertices
    like: Tensor  # (R, ...) as given
    rows: Tensor  # (R, D) float64
    index: Tensor  # (F, 3)
    numbers: Tensor  # (F, 3) the same where values are
    scale: float
    plain: bool  # an attribute of vertices without seams
    flat: bool  # coordinates of a texture
    seam: bool  # whether its jumps are features


def _mixes(name: str, values: Tensor) -> bool:
    """Whether the attribute takes part: numbers to be mixed, finite, not too many."""
    if not (values.is_floating_point() or (name == "color" and values.dtype == torch.uint8)):
        return False
    width = values[0].numel() if len(values) else 0
    return 0 < width <= _WIDE and bool(torch.isfinite(values).all())


def _attributes(old: Mesh, kept: Tensor, flat: Mesh) -> list[_Given]:
    """The attributes that collapses mix, of the mesh as given at the faces `kept` of `flat`."""
    found: list[_Given] = []
    if not len(kept):
        return found
    tables = [(name, values, old.faces, True) for name, values in old.vertex_attributes.items()]
    tables += [(n, item.values, item.index, False) for n, item in old.corner_attributes.items()]
    for name, values, index, of_vertices in tables:
        if not _mixes(name, values):
            continue
        rows = values.reshape(len(values), -1).double()
        index = index[kept]
        same = torch.unique(rows, dim=0, return_inverse=True)[1]
        numbers = same[index]
        first = torch.zeros(flat.num_vertices, dtype=torch.int64)
        first[flat.faces.reshape(-1)] = numbers.reshape(-1)
        plain = bool((first[flat.faces] == numbers).all())
        uv = _UV_NAME.fullmatch(name) is not None and rows.shape[1] == 2
        found.append(
            _Given(
                name,
                of_vertices,
                values,
                rows,
                index,
                numbers,
                _scale(name, values, rows[index], flat, uv=uv),
                plain and of_vertices,
                uv,
                not plain and name != "normal",
            )
        )
    return found


def _scale(name: str, values: Tensor, corners: Tensor, flat: Mesh, *, uv: bool) -> float:
    """What a difference of 1 costs, as a length of a surface whose longest side is 1."""
    if uv:
        a, b, c = corners.unbind(1)
        (ax, ay), (bx, by) = (b - a).unbind(1), (c - a).unbind(1)
        inside = float((ax * by - ay * bx).abs().sum()) / 2
        return _UV * (float(flat.face_areas().sum()) / inside) ** 0.5 if inside > 0 else _UV
    if name == "normal":
        return _NORMAL
    if name == "color":
        return _COLOUR if values.is_floating_point() else _COLOUR / 255
    extent = float((corners.amax((0, 1)) - corners.amin((0, 1))).norm())
    return _OTHER / extent if extent > 0 else 0.0


def _result(
    old: Mesh,
    made: Collapsed,
    vertices: Tensor,
    face_index: Tensor,
    vertex_map: Tensor,
    plain: list[_Given],
    split: list[_Given],
) -> Mesh:
    """The mesh of `vertices` that is left, with its attributes."""
    faces = made.faces
    vertex: dict[str, Tensor] = {}
    corner: dict[str, CornerAttribute] = {}
    groups = list(made.values)
    if plain:
        both = groups.pop(0)
        at = torch.zeros(len(vertices), dtype=torch.int64)
        at[faces.reshape(-1)] = both.index.reshape(-1)
        columns = both.rows.split([item.rows.shape[1] for item in plain], 1)
        for item, rows in zip(plain, columns, strict=True):
            vertex[item.name] = _unscaled(item, rows[at])
    for item, group in zip(split, groups, strict=True):
        corner[item.name] = CornerAttribute(_unscaled(item, group.rows), group.index)
    # what is not mixed: of vertices by the nearest of those that are gone into one, of corners by
    # the face that is left
    first = torch.full((int(vertex_map.max()) + 1 if len(vertex_map) else 0,), old.num_vertices)
    first.scatter_reduce_(0, vertex_map, torch.arange(old.num_vertices), "amin")
    done = {item.name for item in (*plain, *split)}
    wide = {}
    for name, values in old.vertex_attributes.items():
        if name in done:
            continue
        if values.is_floating_point() and bool(torch.isfinite(values).all()):
            wide[name] = values
        else:
            vertex[name] = values[first[made.nearest]]
    for name, given in old.corner_attributes.items():
        if name not in done:
            corner[name] = CornerAttribute(given.values, given.index[face_index])
    if wide and len(faces):
        source = Mesh(old.vertices, old.faces, vertex_attributes=wide, validate=False)
        looked_up = carry_attributes(source, Mesh(vertices, faces, validate=False))
        vertex |= looked_up.vertex_attributes
        corner |= looked_up.corner_attributes
    return Mesh(
        vertices,
        faces,
        vertex_attributes={n: vertex[n] for n in old.vertex_attributes if n in vertex},
        face_attributes={n: values[face_index] for n, values in old.face_attributes.items()},
        corner_attributes=corner,
        materials=old.materials,
    )


def _unscaled(item: _Given, rows: Tensor) -> Tensor:
    """Values as they were given, of rows (N, D) that were scaled: in their range, normals of unit
    length."""
    values = rows / item.scale if item.scale > 0 else rows
    used = item.rows[item.index.reshape(-1)]
    values = torch.minimum(torch.maximum(values, used.amin(0)), used.amax(0))
    if item.name == "normal" and values.shape[1] == 3:
        values = torch.nn.functional.normalize(values, dim=1)
    if item.like.dtype == torch.uint8:
        values = values.round()
    return values.to(item.like.dtype).reshape(-1, *item.like.shape[1:])
