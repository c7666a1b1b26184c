"""What the materials of a mesh are made of, where they are seen: metal, roughness, their normals.

The words are glTF 2.0's (metallic-roughness). Where a mesh has no material, or one that says
nothing of metal and roughness, it is matte: no metal, roughness 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.measure import safe_normalize
from meshlearn.mesh.tangents import from_tangent_space, tangents
from meshlearn.render.camera import Camera
from meshlearn.render.color_space import to_linear
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import interpolate
from meshlearn.render.materials import channel_of, coordinates, looked_up, used_materials
from meshlearn.render.pbr import Surface


def surface_of(mesh: Mesh, part: Fragments, color: Tensor, change: Tensor | None = None) -> Surface:
    """What P pixels see: their base colour, given as sRGB (P, 3), and what materials say beside it.

    Args:
        part: of P pixels: face (P,), barycentric (P, 3).
        change: (P, 3, 2) derivatives of the barycentrics, which choose mipmap levels.
    """
    base = to_linear(color)
    one = base.new_ones(len(base))
    surface = Surface(base, 0 * one, one, one, torch.zeros_like(base))
    label = mesh.face_attributes.get("material")
    for number, material in used_materials(mesh).items():
        if material is None or label is None:
            continue
        rows = (label[part.face] == number).nonzero().squeeze(1)
        if not len(rows):
            continue
        some = Fragments(*(t[rows] for t in part))
        slope = None if change is None else change[rows]
        found = _said(mesh, material, some, base[rows], slope)
        surface = Surface(
            *(old.index_put((rows,), new) for old, new in zip(surface, found, strict=True))
        )
    return surface


def _said(mesh: Mesh, material, part: Fragments, base: Tensor, change: Tensor | None) -> Surface:  # type: ignore[no-untyped-def]
    looks = material.looks
    one = base.new_ones(len(base))

    def number(name: str, default: float, channel: str) -> Tensor:
        factor = getattr(looks, name, None)
        texture = getattr(looks, f"{name}_texture", None)
        value = one * (default if factor is None and texture is None else 1.0)
        if factor is not None:
            value = one * float(factor)
        if texture is not None:
            image = looked_up(mesh, material, texture, part, change, color=False)
            if image is not None:
                value = value * channel_of(image, texture.channel or channel)
        return value.clamp(0, 1)

    occlusion = one
    texture = getattr(looks, "occlusion_texture", None)
    if texture is not None:
        image = looked_up(mesh, material, texture, part, change, color=False)
        if image is not None:
            occlusion = 1 + texture.strength * (channel_of(image, texture.channel or "r") - 1)
    factor = getattr(looks, "emissive", None)
    texture = getattr(looks, "emissive_texture", None)
    emissive = torch.zeros_like(base)
    if factor is not None or texture is not None:
        emissive = torch.ones_like(base) * base.new_tensor(
            (1.0, 1.0, 1.0) if factor is None else factor
        )
        image = None if texture is None else looked_up(mesh, material, texture, part, change)
        emissive = emissive if image is None else emissive * image[:, :3]
    metallic, roughness = number("metallic", 0.0, "b"), number("roughness", 1.0, "g")
    if getattr(looks, "unlit", None):  # its colour, whatever the light
        return Surface(0 * base, 0 * one, one, 0 * one, base + emissive)
    return Surface(base, metallic, roughness, occlusion.clamp(0, 1), emissive)


def mapped_normals(
    mesh: Mesh, part: Fragments, normal: Tensor, change: Tensor | None = None
) -> Tensor:
    """Unit normals (P, 3) of P pixels with the normal maps of their materials.

    Args:
        normal: (P, 3) unit normals of the surface, outward.
        part, change: as in `surface_of`.
    """
    label = mesh.face_attributes.get("material")
    frames: dict[int, CornerAttribute] = {}
    for number, material in used_materials(mesh).items():
        texture = None if material is None else getattr(material.looks, "normal_texture", None)
        if material is None or texture is None or label is None:
            continue
        rows = (label[part.face] == number).nonzero().squeeze(1)
        if not len(rows):
            continue
        some = Fragments(*(t[rows] for t in part))
        slope = None if change is None else change[rows]
        image = looked_up(mesh, material, texture, some, slope, color=False)
        if image is None:
            continue
        if texture.uv not in frames:
            frames[texture.uv] = _frame(mesh, texture.uv)
        frame = frames[texture.uv]
        along = interpolate(frame.values[:, :3].to(normal), some, frame.index)
        side = frame.values[frame.index[some.face, 0], 3].to(normal)
        x, y, z = (2 * image[:, :3] - 1).unbind(1)
        said = torch.stack((x * texture.strength, y * texture.strength, z), 1)
        found = from_tangent_space(safe_normalize(said), normal[rows], along, side)
        normal = normal.index_put((rows,), found)
    return normal


def _frame(mesh: Mesh, number: int) -> CornerAttribute:
    """Tangents along a set of texture coordinates; those of the mesh, where it has them."""
    if number == 0 and "tangent" in mesh.corner_attributes:
        return mesh.corner_attributes["tangent"]
    if number == 0 and "tangent" in mesh.vertex_attributes:
        return CornerAttribute(mesh.vertex_attributes["tangent"], mesh.faces)
    values, index = coordinates(mesh, number) or (mesh.vertices[:, :2], mesh.faces)
    own = Mesh(mesh.vertices.detach(), mesh.faces, validate=False)
    own.corner_attributes["uv"] = CornerAttribute(values[:, :2].detach(), index)
    return tangents(own)


def toward(position: Tensor, cam: Camera, which: Tensor) -> Tensor:
    """(P, 3) unit directions to the viewer from places (P, 3), by `which` (P,) of a batch."""
    if cam.orthographic:
        ray = cam.forward.to(position)
        return -(ray[which] if cam.batched else ray.expand_as(position))
    eye = cam.position.to(position)
    return safe_normalize((eye[which] if cam.batched else eye) - position)
