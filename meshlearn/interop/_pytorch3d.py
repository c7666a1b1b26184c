"""pytorch3d.structures.Meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from meshlearn.interop._common import check_dtype, require
from meshlearn.mesh import CornerAttribute, Mesh, Meshes

if TYPE_CHECKING:
    import pytorch3d.structures


def _color(mesh: Mesh) -> torch.Tensor | None:
    color = mesh.vertex_attributes.get("color")
    if color is None or color.dim() != 2 or color.is_floating_point():
        return color
    return color.float() / torch.iinfo(color.dtype).max


def to_pytorch3d(
    mesh: Mesh | Meshes, *, texture: torch.Tensor | None = None
) -> pytorch3d.structures.Meshes:
    """A batch of PyTorch3D, on the same device and in the same graph, in float32.

    Args:
        mesh: one mesh or a batch. "color" becomes TexturesVertex where every mesh has it (bytes as
            0 to 1), "normal" vertex normals, "uv" (of corners or vertices) TexturesUV where
            `texture` is given.
        texture: (H, W, 3) or (N, H, W, 3) image of TexturesUV.

    Raises:
        ImportError: PyTorch3D is not installed.
        ValueError: not a Mesh or Meshes, or a texture for meshes without "uv".

    Example:
        >>> batch = ml.interop.to_pytorch3d(mesh)
    """
    structures = require("pytorch3d.structures", "to_pytorch3d")
    renderer = require("pytorch3d.renderer", "to_pytorch3d")
    if isinstance(mesh, Mesh):
        meshes = [mesh]
    elif isinstance(mesh, Meshes):
        meshes = list(mesh)
    else:
        raise ValueError(f"mesh: expected a Mesh or Meshes, got {type(mesh).__name__}")
    colors = [_color(m) for m in meshes]
    textures: Any = None
    if texture is not None:
        textures = _textures_uv(renderer, meshes, texture)
    elif meshes and all(c is not None for c in colors):
        textures = renderer.TexturesVertex([c.float() for c in colors if c is not None])
    normals = [m.vertex_attributes.get("normal") for m in meshes]
    held = [n.float() for n in normals if n is not None]
    return structures.Meshes(
        verts=[m.vertices.float() for m in meshes],
        faces=[m.faces for m in meshes],
        textures=textures,
        verts_normals=held if held and len(held) == len(meshes) else None,
    )


def _textures_uv(renderer: Any, meshes: list[Mesh], texture: torch.Tensor) -> Any:
    values, faces = [], []
    for number, mesh in enumerate(meshes):
        if "uv" in mesh.corner_attributes:
            item = mesh.corner_attributes["uv"]
            values.append(item.values[:, :2].float())
            faces.append(item.index)
        elif "uv" in mesh.vertex_attributes:
            values.append(mesh.vertex_attributes["uv"][:, :2].float())
            faces.append(mesh.faces)
        else:
            raise ValueError(f"texture: mesh {number} has no attribute 'uv' to place it by")
    maps = texture if texture.dim() == 4 else texture.expand(len(meshes), *texture.shape)
    return renderer.TexturesUV(maps=maps, faces_uvs=faces, verts_uvs=values)


def from_pytorch3d(
    meshes: pytorch3d.structures.Meshes, *, dtype: torch.dtype | None = None
) -> Meshes:
    """A batch of a PyTorch3D batch, on the same device and in the same graph.

    Colours of TexturesVertex become "color", coordinates of TexturesUV the corner attribute "uv",
    normals that were set "normal". Take ``[0]`` of a batch of one.

    Args:
        dtype: of vertices and float attributes; None keeps PyTorch3D's float32.

    Raises:
        ImportError: PyTorch3D is not installed.
        ValueError: not a Meshes of PyTorch3D.
    """
    structures = require("pytorch3d.structures", "from_pytorch3d")
    check_dtype(dtype)
    if not isinstance(meshes, structures.Meshes):
        raise ValueError(f"meshes: expected a pytorch3d Meshes, got {type(meshes).__name__}")
    vertices, faces = meshes.verts_list(), meshes.faces_list()
    textures = meshes.textures
    colors = textures.verts_features_list() if hasattr(textures, "verts_features_list") else None
    uvs = textures.verts_uvs_list() if hasattr(textures, "verts_uvs_list") else None
    has_normals = getattr(meshes, "_verts_normals_packed", None) is not None
    normals = meshes.verts_normals_list() if has_normals else None
    out = []
    for number, (points, triangles) in enumerate(zip(vertices, faces, strict=True)):
        vertex, corners = {}, {}
        if colors is not None:
            vertex["color"] = colors[number]
        if normals is not None:
            vertex["normal"] = normals[number]
        if uvs is not None:
            index = textures.faces_uvs_list()[number].long()
            corners["uv"] = CornerAttribute(uvs[number], index)
        made = Mesh(points, triangles.long(), vertex_attributes=vertex, corner_attributes=corners)
        out.append(made if dtype is None else made.to(dtype))
    return Meshes(out)
