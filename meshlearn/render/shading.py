"""From fragments to images: masks, depth, normals, colours, lit surfaces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn.mesh import Mesh, Meshes
from meshlearn.render.backends import get_backend
from meshlearn.render.blending import Blend, composite, peeled
from meshlearn.render.camera import Camera
from meshlearn.render.environment import EnvironmentLight
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import barycentric_derivatives, interpolate
from meshlearn.render.lighting import HEADLIGHT, STUDIO, Lights, lambert, sh_light
from meshlearn.render.materials import attribute_colors, blends, has_looks, material_colors
from meshlearn.render.pbr import shade, tone_mapped
from meshlearn.render.surfaces import mapped_normals, surface_of, toward
from meshlearn.render.texture import texture as look_up
from meshlearn.render.visible import pixels_of, visible

__all__ = ["HEADLIGHT", "STUDIO", "Lights", "lambert", "render", "surface_colors"]

CHANNELS = ("mask", "depth", "normal", "color", "position", "face", "shaded")


def surface_normals(mesh: Mesh, fragments: Fragments, *, smooth: bool = True) -> Tensor:
    """World-space unit normals of what is seen, (…, H, W, 3); 0 where nothing is.

    Smooth ones mix vertex normals, flat ones are the face's; outward in either case, also where the
    back of a face is seen.
    """
    if smooth:
        normal = interpolate(mesh.vertex_normals(), fragments, mesh.faces)
    else:
        normal = interpolate(mesh.face_normals(), fragments)
    length = (normal * normal).sum(-1, keepdim=True)
    return normal * torch.rsqrt(length.clamp(min=1e-24))


def surface_colors(
    mesh: Mesh,
    fragments: Fragments,
    default: Sequence[float],
    *,
    texture: Tensor | None = None,
    cam: Camera | None = None,
    change: Tensor | None = None,
) -> Tensor:
    """Albedo of what is seen, (…, H, W, 3), 0 where nothing is.

    From `texture` by the corner (or vertex) attribute "uv"; else of the mesh's materials, see
    `meshlearn.render.materials`; else the vertex, corner or face attribute "color" (bytes, or
    float in 0 to 1; alpha dropped); else `default`.

    Args:
        texture: (R, S, 3), row 0 at v = 1.
        cam: the camera, which chooses the mipmap level; without it the lookup is bilinear.
        change: (…, H, W, 3, 2) as from `barycentric_derivatives`, which chooses it too.
    """
    if texture is not None:
        return _textured(mesh, fragments, texture, cam)
    if has_looks(mesh):
        place = torch.nonzero(fragments.mask, as_tuple=True)
        part = Fragments(*(t[place] for t in fragments))
        slopes = None if change is None else change[place]
        if cam is not None and change is None:
            slopes = pixels_of(mesh, fragments, cam, fragments.face.shape[-2:]).change
        colors = material_colors(mesh, part, default, slopes)
        return colors.new_zeros(*fragments.face.shape, 3).index_put(place, colors)
    found = attribute_colors(mesh, fragments)
    if found is None:
        out = mesh.vertices.new_tensor(default).expand(*fragments.face.shape, 3)
        return out * fragments.mask[..., None]
    return found[..., :3]


def _textured(mesh: Mesh, fragments: Fragments, image: Tensor, cam: Camera | None) -> Tensor:
    if image.dim() != 3 or image.shape[2] != 3:
        raise ValueError(f"texture: expected (R, S, 3), got {tuple(image.shape)}")
    if "uv" in mesh.corner_attributes:
        uv, index = mesh.corner_attributes["uv"]
    elif "uv" in mesh.vertex_attributes:
        uv, index = mesh.vertex_attributes["uv"], mesh.faces
    else:
        raise ValueError(
            'mesh: a texture needs the corner or vertex attribute "uv"; unwrap the mesh first'
        )
    image = image.to(mesh.vertices)
    uv = uv[:, :2].to(image)
    change = None
    if cam is not None:
        with torch.no_grad():
            change = barycentric_derivatives(fragments, mesh.detach(), cam)
        place, change = interpolate(uv, fragments, index, derivatives=change)
    else:
        place = interpolate(uv, fragments, index)
    return look_up(image, place, change, mask=fragments.mask)


@eager
def render(
    mesh: Mesh | Meshes,
    cam: Camera,
    size: int | Sequence[int],
    *,
    channels: Sequence[str] = ("mask", "depth", "normal", "color"),
    backend: str = "native",
    smooth: bool = True,
    antialias: bool = False,
    lights: Lights | Tensor = HEADLIGHT,
    light: EnvironmentLight | None = None,
    exposure: float = 1.0,
    tone: str = "clip",
    two_sided: bool = True,
    texture: Tensor | None = None,
    default_color: Sequence[float] = (0.7, 0.7, 0.7),
    background: Sequence[float] | None = None,
) -> dict[str, Tensor]:
    """Images of a mesh, differentiable in its vertices, colours and texture.

    What its materials cut out (alpha masks, textures that are clear in places) is looked through,
    in every channel; what is transparent is drawn over what is behind it in "color" and "shaded",
    and in other channels it is there. See `meshlearn.render.materials` for what is drawn of
    materials.

    Args:
        mesh: V or F may be 0: the image is empty. Of `Meshes` each has an image of its own, which
            adds a leading dimension.
        cam: one camera or a batch of N, which adds a leading dimension to every image. Of `Meshes`
            one camera for all, or one each.
        size: height and width in pixels, or one int for both.
        channels: any of

            - "mask" (H, W), 1 where the mesh is seen;
            - "depth" (H, W), camera-space z;
            - "normal" (H, W, 3), outward unit normals in the world;
            - "color" (H, W, 3), `texture`, or the colours and textures of `mesh.materials`, or
              attribute "color" of vertices, corners or faces, else `default_color`;
            - "position" (H, W, 3), the point seen, in the world;
            - "face" (H, W) int64, the face seen or -1;
            - "shaded" (H, W, 3), lit by `lights`, clamped to 1.

            All are 0 (face: -1) where nothing is seen.
        backend: "native", "reference" or "nvdiffrast", see `meshlearn.render.backends`.
        smooth: mix vertex normals (Phong) instead of one normal a face.
        antialias: blend "mask", "color" and "shaded" along silhouettes by how much of a pixel is
            covered, which gives them a gradient in where the shape ends. The others stay values at
            the pixel's centre, whose means would be of no surface.
        lights: for "shaded": `Lights`, which move with the camera, or (9,) or (9, 3) spherical
            harmonics fixed in the world, see `meshlearn.render.lighting.sh_light`.
        light: instead of `lights` for "shaded": light from everywhere on metal-rough materials
            (see `meshlearn.render.pbr`), with their normal maps, occlusion and emission; computed
            in linear light and made sRGB by `tone_mapped`.
        exposure, tone: of `light`, see `meshlearn.render.pbr.tone_mapped`.
        two_sided: light the back of a face like its front; else it is lit by its outward normal.
        texture: (R, S, 3), looked up by the attribute "uv"; materials then do not matter.
        default_color: albedo of a mesh without colour.
        background: colour behind "color" and "shaded" instead of 0.

    Raises:
        ValueError: an option is not as said, or the mesh lacks what a texture needs.
        ImportError: a backend that cannot be used here.

    Example:
        >>> images = render(mesh, Camera.orbit(8), 128, channels=("mask", "shaded"))
        >>> images["shaded"].shape
        torch.Size([8, 128, 128, 3])
    """
    unknown = [c for c in channels if c not in CHANNELS]
    if unknown:
        raise ValueError(f"channels: {unknown[0]!r} is not one of {', '.join(CHANNELS)}")
    if isinstance(mesh, Meshes):
        cams = [cam[i] for i in range(len(cam))] if cam.batched else [cam] * len(mesh)
        if len(cams) != len(mesh) or not cams:
            raise ValueError(
                f"cam: expected one camera or {len(mesh)}, one for each mesh, got {len(cams)}"
            )
        each = [
            render(
                mesh[i], cams[i], size, channels=channels, backend=backend, smooth=smooth,
                antialias=antialias, lights=lights, light=light, exposure=exposure, tone=tone,
                two_sided=two_sided, texture=texture,
                default_color=default_color, background=background,
            )
            for i in range(len(mesh))
        ]  # fmt: skip
        return {channel: torch.stack([images[channel] for images in each]) for channel in each[0]}
    engine = get_backend(backend)
    if texture is None and has_looks(mesh):
        fragments = visible(mesh, cam, size, engine)
    else:
        fragments = engine.rasterize(mesh, cam, size)

    def albedo(seen: Fragments) -> Tensor:
        return surface_colors(mesh, seen, default_color, texture=texture, cam=cam)

    def shaded(seen: Fragments) -> Tensor:
        if light is not None:
            linear = _lit(mesh, cam, size, seen, albedo(seen), light, smooth, two_sided)
            return tone_mapped(linear, exposure=exposure, tone=tone)
        return _shaded(mesh, cam, seen, albedo(seen), lights, smooth, two_sided)

    paints = {"color": albedo, "shaded": shaded}
    mixed: dict[str, Blend] = {}
    if texture is None and blends(mesh) and paints.keys() & set(channels):
        found = list(peeled(mesh, cam, size, engine))
        mixed = {c: composite(found, paints[c]) for c in paints if c in channels}
    out: dict[str, Tensor] = {}
    for channel in channels:
        if channel == "mask":
            out[channel] = fragments.mask.to(mesh.vertices.dtype)
        elif channel == "depth":
            out[channel] = fragments.depth
        elif channel == "normal":
            out[channel] = surface_normals(mesh, fragments, smooth=smooth)
        elif channel in mixed:  # what nothing is behind has its own colour
            out[channel] = mixed[channel].color * fragments.mask[..., None]
        elif channel in paints:
            out[channel] = paints[channel](fragments)
        elif channel == "position":
            out[channel] = interpolate(mesh.vertices, fragments, mesh.faces)
        else:
            out[channel] = fragments.face
    if background is not None:
        for channel in {"color", "shaded"} & out.keys():
            behind = out[channel].new_tensor(background)
            if behind.shape != (3,):
                raise ValueError(f"background: expected three numbers, got {background!r}")
            if channel in mixed:
                out[channel] = mixed[channel].over(behind)
            else:
                out[channel] = torch.where(fragments.mask[..., None], out[channel], behind)
    if antialias:
        blended = [c for c in ("mask", "color", "shaded") if c in out]
        layers = [out[c] if c != "mask" else out[c][..., None] for c in blended]
        if layers:
            image = engine.antialias(torch.cat(layers, -1), fragments, mesh, cam)
            parts = image.split([layer.shape[-1] for layer in layers], -1)
            for channel, part in zip(blended, parts, strict=True):
                out[channel] = part[..., 0] if channel == "mask" else part
    return out


def toward_viewer(normal: Tensor, position: Tensor, cam: Camera) -> Tensor:
    """+1 where a surface (…, 3) at `position` is seen from its front, -1 from its back, (…, 1)."""
    ray = cam.forward.to(position)
    if not cam.orthographic:
        ray = position - cam.position.to(position)
    away = (normal * ray).sum(-1, keepdim=True) > 0
    return 1.0 - 2.0 * away.to(normal.dtype)


def _lit(mesh, cam, size, fragments, color, light, smooth, two_sided) -> Tensor:
    """Linear light (…, H, W, 3) of metal-rough materials under an environment."""
    seen = pixels_of(mesh, fragments, cam, size)
    part, place = seen.part, seen.place
    row = Fragments(*(t[None] for t in part))
    view = toward(interpolate(mesh.vertices, row, mesh.faces)[0], cam, place[0])
    normal = surface_normals(mesh, row, smooth=smooth)[0]
    normal = mapped_normals(mesh, part, normal, seen.change)
    if two_sided:
        flat = surface_normals(mesh.detach(), row, smooth=False)[0]
        away = (flat * view.detach()).sum(1, keepdim=True) < 0
        normal = torch.where(away, -normal, normal)
    surface = surface_of(mesh, part, color[place], seen.change)
    lit = shade(surface, normal, view, light)
    return color.new_zeros(color.shape).index_put(place, lit)


def _shaded(mesh, cam, fragments, albedo, lights, smooth, two_sided) -> Tensor:
    cams = [cam[i] for i in range(len(cam))] if cam.batched else [cam]
    images = []
    for i, c in enumerate(cams):
        view = Fragments(*(t[i] for t in fragments)) if cam.batched else fragments
        color = albedo[i] if cam.batched else albedo
        # only the pixels that see the mesh, as an image of one row
        row, col = torch.nonzero(view.mask, as_tuple=True)
        part = Fragments(*(t[row, col][None] for t in view))
        normal = surface_normals(mesh, part, smooth=smooth)
        if two_sided:
            position = interpolate(mesh.vertices.detach(), part, mesh.faces)
            flat = surface_normals(mesh.detach(), part, smooth=False)
            normal = normal * toward_viewer(flat, position, c)
        seen = color[row, col][None]
        light = sh_light(normal, seen, lights) if isinstance(lights, Tensor) else None
        light = lambert(normal, seen, c, lights) if light is None else light
        images.append(torch.zeros_like(color).index_put((row, col), light[0].clamp(0, 1)))
    return torch.stack(images) if cam.batched else images[0]
