"""trimesh.Trimesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from meshlearn.interop._common import (
    check_dtype,
    check_mesh,
    points,
    require,
    split_corners,
    tensor,
    unit_colors,
    usable,
)
from meshlearn.mesh import CornerAttribute, Mesh

if TYPE_CHECKING:
    import trimesh

_SOURCE = "source_vertex"


def to_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    """A trimesh of a mesh; nothing is merged, dropped or reordered.

    Args:
        mesh: "color" becomes vertex colours (and stays exact among the vertex attributes),
            "normal" vertex normals, "uv" texture coordinates; other attributes keep their names.
            Texture coordinates or normals of corners split vertices along their seams;
            ``vertex_attributes["source_vertex"]`` then says what each was, and `from_trimesh` joins
            them again.

    Raises:
        ImportError: trimesh is not installed.
        ValueError: not a Mesh.

    Example:
        >>> solid = ml.interop.to_trimesh(mesh)
    """
    trimesh = require("trimesh", "to_trimesh")
    plain = check_mesh(mesh)
    split = split_corners(plain, ("uv", "normal"))
    faces = plain.faces if split is None else split.faces
    take = slice(None) if split is None else split.source
    vertex = {name: values[take] for name, values in plain.vertex_attributes.items()}
    rows = {} if split is None else split.rows
    made = trimesh.Trimesh(plain.vertices[take].double().numpy(), faces.numpy(), process=False)
    normal = rows.get("normal", vertex.get("normal"))
    if normal is not None and normal.shape[1:] == (3,):
        made.vertex_normals = normal.double().numpy()
    uv = rows.get("uv", vertex.get("uv"))
    color = vertex.get("color")
    if uv is not None and uv.dim() == 2 and uv.shape[1] >= 2:
        made.visual = trimesh.visual.TextureVisuals(uv=uv[:, :2].double().numpy())
    elif color is not None and color.dim() == 2 and color.shape[1] in (3, 4):
        colors = np.round(unit_colors(color).clip(0, 1) * 255).astype(np.uint8)
        made.visual = trimesh.visual.ColorVisuals(made, vertex_colors=colors)
    for name, values in vertex.items():
        made.vertex_attributes[name] = values.numpy()
    if split is not None:
        made.vertex_attributes[_SOURCE] = split.source.numpy()
        for name, values in rows.items():
            made.vertex_attributes[f"corner:{name}"] = values.numpy()
    for name, values in plain.face_attributes.items():
        made.face_attributes[name] = values.numpy()
    for name, item in plain.corner_attributes.items():
        if name not in rows:
            made.face_attributes[f"corner:{name}"] = item.dense().numpy()
    return made


def from_trimesh(mesh: trimesh.Trimesh, *, dtype: torch.dtype | None = None) -> Mesh:
    """A mesh of a trimesh, with vertex colours, texture coordinates, normals and attributes.

    Args:
        dtype: of vertices and float attributes; None keeps trimesh's float64.

    Returns:
        Vertices as they are, except that what `to_trimesh` split along seams is joined again.
        Normals are taken only where they were set, not where trimesh computes them.

    Raises:
        ImportError: trimesh is not installed.
        ValueError: not a Trimesh (of a Scene, pass ``scene.to_mesh()``).
    """
    trimesh = require("trimesh", "from_trimesh")
    check_dtype(dtype)
    if not isinstance(mesh, trimesh.Trimesh):
        raise ValueError(
            f"mesh: expected a trimesh.Trimesh, got {type(mesh).__name__}; of a Scene, pass "
            f"scene.to_mesh()"
        )
    vertices = points(mesh.vertices, dtype)
    faces = torch.from_numpy(np.array(mesh.faces, np.int64).reshape(-1, 3))
    count = len(vertices)
    vertex = {
        str(k): tensor(v, dtype) for k, v in mesh.vertex_attributes.items() if usable(v, count)
    }
    if "color" not in vertex and mesh.visual.kind == "vertex":
        colors = np.asarray(mesh.visual.vertex_colors)
        opaque = (colors[:, 3:] == 255).all()
        vertex["color"] = tensor(colors[:, :3] if opaque else colors)
    uv = getattr(mesh.visual, "uv", None)
    if uv is not None and len(uv) == count and not {"uv", "corner:uv"} & vertex.keys():
        vertex["uv"] = tensor(uv, dtype)
    stored = mesh._cache.cache.get("vertex_normals") if hasattr(mesh, "_cache") else None
    if stored is not None and len(stored) == count and _SOURCE not in vertex:
        vertex.setdefault("normal", tensor(stored, dtype))
    face, corners = {}, {}
    for name, values in mesh.face_attributes.items():
        if not usable(values, len(faces)):
            continue
        if str(name).startswith("corner:"):
            dense = tensor(values, dtype)
            index = torch.arange(3 * len(faces)).view(-1, 3)
            corners[str(name)[7:]] = CornerAttribute(dense.reshape(-1, dense.shape[-1]), index)
        else:
            face[str(name)] = tensor(values, dtype)
    source = vertex.pop(_SOURCE, None)
    if source is not None and source.dim() == 1 and len(source):
        for name in [k for k in vertex if k.startswith("corner:")]:
            corners[name[7:]] = CornerAttribute(vertex.pop(name), faces)
        joined = int(source.max()) + 1
        first = torch.zeros(joined, dtype=torch.int64)
        first[source.flip(0)] = torch.arange(count).flip(0)
        vertices, faces = vertices[first], source[faces]
        vertex = {name: values[first] for name, values in vertex.items()}
    return Mesh(
        vertices, faces, vertex_attributes=vertex, face_attributes=face, corner_attributes=corners
    )
