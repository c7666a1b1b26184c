"""From fragments to images: masks, depth, normals, colours, lit surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from meshlearn.render.camera import Camera
from meshlearn.render.rasterize import Fragments, interpolate, rasterize

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

CHANNELS = ("mask", "depth", "normal", "color", "position", "face", "shaded")
BACKENDS = ("native", "reference")


@dataclass(frozen=True)
class Lights:
    """Directional lights that move with the camera, over an ambient that is brighter from above.

    Attributes:
        directions: where light comes from, in camera space (x right, y down, z forward).
        intensities: one a direction; a surface that faces a light of 1 gets all its albedo.
        sky, ground: ambient on surfaces that face up and down in the image.
    """

    directions: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, -1.0),)
    intensities: tuple[float, ...] = (0.8,)
    sky: float = 0.2
    ground: float = 0.2


HEADLIGHT = Lights()
STUDIO = Lights(
    directions=((-0.55, -0.75, -0.85), (0.9, -0.15, -0.6), (0.1, -0.5, 0.9)),
    intensities=(0.62, 0.22, 0.2),
    sky=0.46,
    ground=0.26,
)


def lambert(normal: Tensor, albedo: Tensor, cam: Camera, lights: Lights = HEADLIGHT) -> Tensor:
    """Light reflected by a matte surface.

    Args:
        normal: (..., 3) unit normals in the world, turned towards the viewer.
        albedo: (..., 3).
        cam: one camera, whose axes the lights are given in.

    Returns:
        (..., 3), not clamped.
    """
    turn = cam.view[:3, :3].to(normal)
    strength = torch.zeros_like(normal[..., 0])
    for direction, intensity in zip(lights.directions, lights.intensities, strict=True):
        to_light = normal.new_tensor(direction)
        to_light = ((to_light / to_light.norm())[:, None] * turn).sum(0)
        strength = strength + intensity * (normal * to_light).sum(-1).clamp(min=0)
    up = -(normal * turn[1]).sum(-1)
    strength = strength + lights.ground + (lights.sky - lights.ground) * (0.5 + 0.5 * up)
    return albedo * strength[..., None]


def surface_normals(mesh: Mesh, fragments: Fragments, *, smooth: bool = True) -> Tensor:
    """World-space unit normals of what is seen, (…, H, W, 3); 0 where nothing is.

    Smooth ones mix vertex normals, flat ones are the face's; outward in either case, also where the
    back of a face is seen.
    """
    if smooth:
        normal = interpolate(mesh.vertex_normals(), fragments, mesh.faces)
    else:
        rows = torch.arange(mesh.faces.shape[0], device=mesh.faces.device)
        normal = interpolate(mesh.face_normals(), fragments, rows[:, None].expand(-1, 3))
    length = (normal * normal).sum(-1, keepdim=True)
    return normal * torch.rsqrt(length.clamp(min=1e-24))


def surface_colors(mesh: Mesh, fragments: Fragments, default: Sequence[float]) -> Tensor:
    """Vertex or face attribute "color" (uint8, or float in 0 to 1; alpha dropped), (…, H, W, 3)."""
    rows = mesh.faces
    color = mesh.vertex_attributes.get("color")
    if color is None and mesh.face_attributes.get("color") is not None:
        color = mesh.face_attributes["color"]
        rows = torch.arange(rows.shape[0], device=rows.device)[:, None].expand(-1, 3)
    if color is None:
        out = mesh.vertices.new_tensor(default).expand(*fragments.face.shape, 3)
        return out * fragments.mask[..., None]
    if color.dim() != 2 or color.shape[1] < 3:
        raise ValueError(
            f'mesh: expected attribute "color" of shape (*, 3) or (*, 4), got {tuple(color.shape)}'
        )
    scale = 255 if color.dtype == torch.uint8 else 1
    color = color[:, :3].to(mesh.vertices.dtype) / scale
    return interpolate(color, fragments, rows)


def render(
    mesh: Mesh,
    cam: Camera,
    size: int | Sequence[int],
    *,
    channels: Sequence[str] = ("mask", "depth", "normal", "color"),
    backend: str = "native",
    smooth: bool = True,
    lights: Lights = HEADLIGHT,
    default_color: Sequence[float] = (0.7, 0.7, 0.7),
) -> dict[str, Tensor]:
    """Images of a mesh, differentiable in its vertices and colours.

    Args:
        mesh: V or F may be 0: the image is empty.
        cam: one camera or a batch of N, which adds a leading dimension to every image.
        size: height and width in pixels, or one int for both.
        channels: any of

            - "mask" (H, W), 1 where the mesh is seen;
            - "depth" (H, W), camera-space z;
            - "normal" (H, W, 3), outward unit normals in the world;
            - "color" (H, W, 3), vertex or face attribute "color", else `default_color`;
            - "position" (H, W, 3), the point seen, in the world;
            - "face" (H, W) int64, the face seen or -1;
            - "shaded" (H, W, 3), Lambert, both sides lit.

            All are 0 (face: -1) where nothing is seen.
        backend: "native" or "reference", as in `rasterize`.
        smooth: mix vertex normals (Phong) instead of one normal a face.
        lights: for "shaded".

    Example:
        >>> images = render(mesh, Camera.orbit(8), 128, channels=("mask", "shaded"))
        >>> images["shaded"].shape
        torch.Size([8, 128, 128, 3])
    """
    unknown = [c for c in channels if c not in CHANNELS]
    if unknown:
        raise ValueError(f"channels: {unknown[0]!r} is not one of {', '.join(CHANNELS)}")
    fragments = rasterize(mesh, cam, size, backend=backend)
    out: dict[str, Tensor] = {}
    for channel in channels:
        if channel == "mask":
            out[channel] = fragments.mask.to(mesh.vertices.dtype)
        elif channel == "depth":
            out[channel] = fragments.depth
        elif channel == "normal":
            out[channel] = surface_normals(mesh, fragments, smooth=smooth)
        elif channel == "color":
            out[channel] = surface_colors(mesh, fragments, default_color)
        elif channel == "position":
            out[channel] = interpolate(mesh.vertices, fragments, mesh.faces)
        elif channel == "face":
            out[channel] = fragments.face
        else:
            normal = surface_normals(mesh, fragments, smooth=smooth)
            albedo = surface_colors(mesh, fragments, default_color)
            out[channel] = _shaded(mesh, cam, fragments, normal, albedo, lights)
    return out


def toward_viewer(normal: Tensor, position: Tensor, cam: Camera) -> Tensor:
    """+1 where a surface (…, 3) at `position` is seen from its front, -1 from its back, (…, 1)."""
    ray = cam.forward.to(position)
    if not cam.orthographic:
        ray = position - cam.position.to(position)
    away = (normal * ray).sum(-1, keepdim=True) > 0
    return 1.0 - 2.0 * away.to(normal.dtype)


def _shaded(mesh, cam, fragments, normal, albedo, lights) -> Tensor:
    position = interpolate(mesh.vertices.detach(), fragments, mesh.faces)
    cams = [cam[i] for i in range(len(cam))] if cam.batched else [cam]
    parts = (
        zip(normal, albedo, position, strict=True) if cam.batched else [(normal, albedo, position)]
    )
    images = [
        lambert(n * toward_viewer(n, p, c), a, c, lights).clamp(max=1)
        for c, (n, a, p) in zip(cams, parts, strict=True)
    ]
    shaded = torch.stack(images) if cam.batched else images[0]
    return shaded * fragments.mask[..., None]
