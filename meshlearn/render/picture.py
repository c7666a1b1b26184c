"""Pictures for people: PNG files, contact sheets, curves. PIL only."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from meshlearn._files import write_file
from meshlearn.mesh.centring import far_middle, moved, used_vertices
from meshlearn.render.backends import get_backend
from meshlearn.render.blending import composite, peeled
from meshlearn.render.camera import Camera, image_size
from meshlearn.render.materials import blends, has_looks, says_anything
from meshlearn.render.pbr import Illumination, shade, tone_mapped
from meshlearn.render.rasterize import Fragments, interpolate, rasterize
from meshlearn.render.shading import STUDIO, lambert, surface_colors, toward_viewer
from meshlearn.render.surfaces import mapped_normals, surface_of, toward
from meshlearn.render.visible import pixels_of, visible

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

INK = (38, 44, 54)
MUTED = (118, 126, 138)
PAPER = (255, 255, 255)
_TOP, _BOTTOM = (0.975, 0.98, 0.99), (0.87, 0.89, 0.915)
_FRONT, _BACK = (0.78, 0.81, 0.86), (0.93, 0.56, 0.38)
# How a picture is lit beyond its three lights: numbers chosen by eye, as shares of full light.
_GRAZE = 0.22  # taken off where the surface is seen edge-on, so that round shapes have an outline
_GLOSS, _SHARPNESS = 0.09, 40  # of a highlight, and the exponent of its cosine (Blinn and Phong)
_CAVITY_RADII = (3, 8, 20)  # pixels around a place whose mean depth is compared with its own
_CAVITY, _CAVITY_DEPTH, _CAVITY_FLOOR = 1.6, 0.12, 0.45  # darkening a depth, its limit, the least
_LINE, _LINE_SHARE = (0.13, 0.16, 0.21), 0.75  # colour of the edges of faces, and how it covers
_VIEWS = ((35.0, 22.0), (125.0, 22.0), (-100.0, 12.0))


def save_image(picture: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Writes a PIL image as PNG; an interrupted write leaves an older file as it was."""
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"path: expected a name that ends in .png, got {str(path)!r}")
    if not target.parent.is_dir():
        raise ValueError(f"path: the folder {str(target.parent)!r} does not exist; make it first")
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_file(target, buffer.getvalue())
    return target


def save_png(image: Tensor, path: str | os.PathLike[str]) -> Path:
    """Writes an image as PNG.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); float in 0 to 1 (clamped), bool or uint8.
        path: a name that ends in .png.
    """
    return save_image(to_pil(image), path)


def to_pil(image: Tensor) -> Image.Image:
    """The PIL image of a tensor, as in `save_png`."""
    if not isinstance(image, Tensor) or image.dim() not in (2, 3):
        raise ValueError(
            f"image: expected a tensor (H, W) or (H, W, C), got {getattr(image, 'shape', image)}"
        )
    if image.dim() == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if (image.dim() == 3 and image.shape[2] not in (3, 4)) or 0 in image.shape:
        raise ValueError(f"image: expected 1, 3 or 4 channels, got {tuple(image.shape)}")
    image = image.detach().cpu()
    if image.dtype != torch.uint8:
        image = (image.float().nan_to_num().clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return Image.fromarray(image.contiguous().numpy())


def shaded_view(
    mesh: Mesh,
    cam: Camera,
    size: int | Sequence[int],
    *,
    samples: int = 4,
    smooth: bool | None = None,
    wireframe: bool = False,
    crease: float = 40.0,
    light: Illumination | None = None,
) -> Tensor:
    """A lit picture of a mesh on a light ground, (H, W, 3) float in 0 to 1.

    Three lights that move with the camera, cavities darkened by the depth around them, the
    inner side of faces in orange (where the mesh has no colours, materials or textures),
    `samples` × `samples` rays a pixel.

    Args:
        smooth: True mixes vertex normals, False shows facets; None mixes them on faces that bend
            less than `crease` degrees from their vertex normals, so sharp edges stay sharp.
        wireframe: draw the edges of faces.
        light: light from everywhere on metal-rough materials, instead of the three.
    """
    h, w = image_size(size)
    if not isinstance(samples, int) or not 1 <= samples <= 16:
        raise ValueError(f"samples: expected an int from 1 to 16, got {samples!r}")
    mesh, cam = _near(mesh.detach(), cam)
    big = (h * samples, w * samples)
    # under a panorama, also what is only metal, or only has a normal map
    dressed = has_looks(mesh, plain=False) or (light is not None and says_anything(mesh))
    glass = dressed and blends(mesh)
    if glass:
        found = list(peeled(mesh, cam, big, get_backend("native")))
        fragments = found[0].fragments
    elif dressed:
        fragments = visible(mesh, cam, big, get_backend("native"))
    else:
        mesh.materials = ()
        fragments = rasterize(mesh, cam, big)
    ground = torch.linspace(0, 1, h, device=mesh.vertices.device)[:, None, None]
    top, bottom = (torch.tensor(c, device=ground.device) for c in (_TOP, _BOTTOM))
    backdrop = (top + (bottom - top) * ground * ground).expand(h, w, 3)
    if not bool(fragments.mask.any()):
        return backdrop.clone()

    def lit_by(seen: Fragments) -> Tensor:
        lit = _lit(mesh, cam, seen, samples, smooth, wireframe, crease, dressed, light)
        return torch.zeros(*big, 3, device=lit.device).index_put((seen.mask,), lit.float())

    if glass:
        mixed = composite(found, lit_by)
        color, cover = mixed.color, mixed.cover.float()
    else:
        color, cover = lit_by(fragments), fragments.mask.float()
    canvas = torch.cat((color * cover[..., None], cover[..., None]), -1)
    pooled = canvas.view(h, samples, w, samples, 4).mean((1, 3))
    return pooled[..., :3] + backdrop * (1 - pooled[..., 3:])


def _lit(
    mesh: Mesh,
    cam: Camera,
    fragments: Fragments,
    samples: int,
    smooth: bool | None,
    wireframe: bool,
    crease: float,
    dressed: bool,
    light: Illumination | None,
) -> Tensor:
    """(P, 3) colours, in 0 to 1, of the pixels that see the mesh, as `shaded_view` has them."""
    big, seen = (fragments.face.shape[0], fragments.face.shape[1]), fragments.mask
    # From here on a list of the pixels that see the mesh, as an image of one row.
    face = fragments.face[seen][None]
    part = Fragments(face, fragments.barycentric[seen][None], fragments.depth[seen][None])
    flat = mesh.face_normals()[face]
    normal = flat
    if smooth is not False:
        soft = _safe_unit(interpolate(mesh.vertex_normals(), part, mesh.faces))
        normal = soft
        if smooth is None:
            normal = _crease_normals(mesh, part, crease)
    position = interpolate(mesh.vertices, part, mesh.faces)
    front = toward_viewer(flat, position, cam)
    colored = dressed or "color" in mesh.vertex_attributes or "color" in mesh.face_attributes
    change = pixels_of(mesh, fragments, cam, big).change[None] if dressed else None
    albedo = surface_colors(mesh, part, _FRONT, change=change)
    if light is not None:
        lit = _under(mesh, cam, part, normal, front, albedo, change, light)
        return _with_wire(lit, mesh, cam, fragments, big, samples, wireframe)
    if not colored:
        albedo = torch.where(front > 0, albedo, albedo.new_tensor(_BACK))
    normal = normal * front
    lit = lambert(normal, albedo, cam, STUDIO)
    to_eye = -cam.forward.to(position).expand_as(position)
    if not cam.orthographic:
        to_eye = _safe_unit(cam.position.to(position) - position)
    graze = (1 - (normal * to_eye).sum(-1, keepdim=True).clamp(0, 1)) ** 3
    lit = lit * (1 - _GRAZE * graze)
    half = _safe_unit(to_eye + _key_light(cam, position))
    lit = lit + _GLOSS * (normal * half).sum(-1, keepdim=True).clamp(min=0) ** _SHARPNESS
    lit = lit[0] * _cavities(fragments, samples)[seen][:, None]
    return _with_wire(lit, mesh, cam, fragments, big, samples, wireframe)


def _with_wire(lit, mesh, cam, fragments, big, samples, wireframe) -> Tensor:
    if wireframe:
        line = _wire(mesh, cam, fragments, big, samples)
        lit = lit + (lit.new_tensor(_LINE) - lit) * (_LINE_SHARE * line[:, None])
    return lit.clamp(0, 1)


def _under(mesh, cam, part, normal, front, albedo, change, light: Illumination) -> Tensor:
    """(P, 3) sRGB of metal-rough materials under an environment; all given as images of one row."""
    pixels = Fragments(*(t[0] for t in part))
    slope = None if change is None else change[0]
    position = interpolate(mesh.vertices, part, mesh.faces)[0]
    view = toward(position, cam, torch.zeros(1, dtype=torch.int64))
    mapped = mapped_normals(mesh, pixels, normal[0], slope) * front[0]
    surface = surface_of(mesh, pixels, albedo[0], slope)
    linear = shade(surface, mapped, view, light.environment.to(position))
    return tone_mapped(linear, exposure=light.exposure, tone=light.tone)


def _near(mesh: Mesh, cam: Camera) -> tuple[Mesh, Camera]:
    """Mesh and camera in float32 about the origin, where the mesh lies far from it."""
    middle = far_middle(used_vertices(mesh))
    if middle is None:
        return mesh, cam
    return moved(mesh, -middle).to(torch.float32), cam.moved(-middle).to(torch.float32)


def _safe_unit(v: Tensor) -> Tensor:
    return v * torch.rsqrt((v * v).sum(-1, keepdim=True).clamp(min=1e-24))


def _key_light(cam: Camera, like: Tensor) -> Tensor:
    direction = like.new_tensor(STUDIO.directions[0])
    return _safe_unit((direction[:, None] * cam.view[:3, :3].to(like)).sum(0))


def _crease_normals(mesh: Mesh, part: Fragments, degrees: float) -> Tensor:
    """Normals averaged, at each corner, over the faces around the vertex that bend little."""
    flat, faces = mesh.face_normals(), mesh.faces
    count = faces.shape[0]
    corner_face = torch.arange(count, device=faces.device).repeat_interleave(3)
    vertex = faces.reshape(-1)
    order = torch.argsort(vertex, stable=True)
    valence = torch.bincount(vertex, minlength=mesh.vertices.shape[0])
    begin = torch.cumsum(valence, 0) - valence
    # all (corner, other face at its vertex) pairs
    per = valence[vertex]
    corner = torch.repeat_interleave(torch.arange(3 * count, device=faces.device), per)
    local = torch.arange(corner.numel(), device=faces.device) - torch.repeat_interleave(
        torch.cumsum(per, 0) - per, per
    )
    other = corner_face[order[begin[vertex[corner]] + local]]
    a, b, c = (mesh.vertices[faces[:, k]] for k in range(3))
    area = torch.linalg.cross(b - a, c - a).norm(dim=1, keepdim=True)
    near = (flat[corner_face[corner]] * flat[other]).sum(1) > math.cos(math.radians(degrees))
    weight = torch.where(near[:, None], flat[other] * area[other], 0.0)
    total = flat.new_zeros(3 * count, 3).index_add(0, corner, weight)
    index = torch.arange(3 * count, device=faces.device).view(-1, 3)
    soft = _safe_unit(interpolate(_safe_unit(total), part, index))
    return torch.where((soft * soft).sum(-1, keepdim=True) > 0.5, soft, flat[part.face])


def _cavities(fragments: Fragments, samples: int) -> Tensor:
    """(H, W) factor below 1 where the surroundings are nearer than the pixel."""
    depth, seen = fragments.depth.float(), fragments.mask
    low, high = torch.aminmax(depth[seen])
    reach = float(high - low) or 1.0
    weight = seen.float()
    shade = torch.ones_like(depth)
    # at the resolution of the picture: nobody sees finer cavities
    pair = torch.stack((depth * weight, weight))[None]
    small = torch.nn.functional.avg_pool2d(pair, samples)
    for radius in _CAVITY_RADII:
        blurred = small
        for _ in range(2):
            blurred = _box_mean(_box_mean(blurred, radius).mT, radius).mT
        big = torch.nn.functional.interpolate(blurred, size=depth.shape, mode="bilinear")[0]
        mean = big[0] / big[1].clamp(min=1e-6)
        shade = shade - _CAVITY * ((depth - mean) / reach).clamp(0, _CAVITY_DEPTH)
    return shade.clamp(min=_CAVITY_FLOOR)


def _box_mean(image: Tensor, radius: int) -> Tensor:
    """Mean along the last axis over 2 radius + 1 pixels, 0 outside."""
    total = torch.cumsum(torch.nn.functional.pad(image, (radius + 1, radius)).double(), -1)
    width = 2 * radius + 1
    return ((total[..., width:] - total[..., :-width]) / width).to(image.dtype)


def _wire(
    mesh: Mesh, cam: Camera, fragments: Fragments, size: tuple[int, int], samples: int
) -> Tensor:
    """Coverage of edge lines at the pixels that see the mesh, (P,)."""
    row, col = torch.nonzero(fragments.mask, as_tuple=True)
    corner = cam.project(mesh.vertices, size)[mesh.faces[fragments.face[row, col]]][..., :2]
    pixel = torch.stack((col + 0.5, row + 0.5), -1)[:, None].to(corner)
    following = corner.roll(-1, 1)
    along, away = following - corner, pixel - corner
    area = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
    distance = (area.abs() / along.norm(dim=-1).clamp(min=1e-9)).amin(1)
    line = (0.3 * samples + 0.5 - distance).clamp(0, 1)
    # lines of faces too small to tell apart would paint everything black
    breadth = area.sum(1).abs() / along.norm(dim=-1).amax(1).clamp(min=1e-9) / samples
    return line * (breadth / 6).clamp(0.12, 1)


def render_png(
    mesh: Mesh,
    path: str | os.PathLike[str],
    *,
    cam: Camera | None = None,
    size: int | Sequence[int] = 512,
    samples: int = 4,
    smooth: bool | None = None,
    wireframe: bool = False,
) -> Path:
    """Writes a lit picture of a mesh; by default from a camera that frames it."""
    if cam is None:
        (mesh,) = _together([mesh])
        cam = _frames([mesh], [_VIEWS[0]], shared=True)[0][0]
    image = shaded_view(mesh, cam, size, samples=samples, smooth=smooth, wireframe=wireframe)
    return save_png(image, path)


def portrait(mesh: Mesh, size: int = 320, *, samples: int = 2) -> Image.Image:
    """One lit view of a mesh that fills a square picture, see `shaded_view`."""
    near = _together([mesh.to("cpu")])[0]
    camera = _frames([near], _VIEWS[:1], shared=False)[0][0]
    return to_pil(shaded_view(near, camera, size, samples=samples))


def _together(meshes: Sequence[Mesh]) -> list[Mesh]:
    """The meshes in float32, detached; moved alike where they lie far from the origin."""
    middle = far_middle(*(used_vertices(m).cpu() for m in meshes if m.num_faces))
    plain = [m.detach() for m in meshes]
    near = plain if middle is None else [moved(m, -middle) for m in plain]
    return [m.to(torch.float32) for m in near]


def _frames(
    meshes: Sequence[Mesh], views: Sequence[tuple[float, float]], *, shared: bool
) -> list[list[Camera]]:
    """For each mesh, one camera a view, zoomed to what it has to show."""
    clouds = [_points(m) for m in meshes]
    everything = torch.cat(clouds)
    out = []
    for mesh, cloud in zip(meshes, clouds, strict=True):
        points = everything if shared or not cloud.numel() else cloud
        if not points.numel():
            points = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
        cams = []
        for azimuth, elevation in views:
            a, e = math.radians(azimuth), math.radians(elevation)
            direction = (math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a))
            cam = Camera.framing(points.amin(0), points.amax(0), direction=direction, fov=26.0)
            cams.append(_zoomed(cam, points).to(mesh.vertices.device))
        out.append(cams)
    return out


def _points(mesh: Mesh) -> Tensor:
    """Finite vertices that faces use, on the CPU."""
    used = mesh.vertices.detach()[torch.unique(mesh.faces)].float().cpu()
    return used[torch.isfinite(used).all(1)]


def _zoomed(cam: Camera, points: Tensor, fill: float = 0.86) -> Camera:
    """The same view, shifted and scaled so that the points fill `fill` of a square image."""
    place = cam.project(points, 1)[:, :2]
    low, high = place.amin(0), place.amax(0)
    scale = fill / max(float((high - low).max()), 1e-6)
    middle = (low + high) / 2 - cam.centre
    return replace(cam, focal=cam.focal * scale, centre=0.5 - middle * scale)


def font_of(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.load_default(size=size)
    except TypeError:  # Pillow before 10.1
        return ImageFont.load_default()


_SPELLED = {"³": "^3", "²": "^2", "×": "x", "·": ".", "–": "-", "—": "-", "≤": "<=", "≥": ">="}


def drawable(text: object, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """The text with characters that the font lacks spelled out."""
    try:
        missing = bytes(font.getmask("\uffff"))
        parts = [
            _SPELLED.get(c, "?") if not c.isascii() and bytes(font.getmask(c)) == missing else c
            for c in str(text)
        ]
    except (UnicodeError, OSError):  # the bitmap font of old Pillow: Latin-1 only
        parts = [c if c.isascii() else _SPELLED.get(c, "?") for c in str(text)]
    return "".join(parts)


def _columns(count: int, views: int) -> int:
    """Meshes a row: a page wider than high, with few cells left empty."""

    def cost(k: int) -> float:
        rows = -(-count // k)
        return abs(math.log(k * views / rows / 1.6)) + 3 * (1 - count / (k * rows))

    return min(range(1, count + 1), key=cost)


def contact_sheet(
    meshes: Sequence[Mesh],
    path: str | os.PathLike[str],
    *,
    labels: Sequence[str] | None = None,
    captions: Sequence[str] | None = None,
    views: int | Sequence[tuple[float, float]] = 3,
    size: int = 360,
    frame: str = "shared",
    columns: int | None = None,
    samples: int = 4,
    smooth: bool | None = None,
    wireframe: bool = False,
    title: str = "",
    light: Illumination | None = None,
) -> Path:
    """Writes a grid of lit views of meshes.

    Args:
        meshes: one or more; each takes one cell of `views` pictures side by side.
        labels: a name for each mesh; by default none.
        captions: a smaller second line for each, such as its figures.
        views: how many (evenly around, slightly from above), or (azimuth, elevation) in degrees.
        size: pixels of one view.
        frame: "shared": all seen through the same cameras, so that they can be compared; "each":
            every mesh fills its view.
        columns: meshes a row; by default as fits a page that is wider than high.
        samples, smooth, wireframe: as in `shaded_view`.
        title: a headline.
        light: as in `shaded_view`.
    """
    if isinstance(meshes, (str, bytes)) or not len(meshes):
        raise ValueError("meshes: expected one mesh or more, got none")
    for name, texts in (("labels", labels), ("captions", captions)):
        if texts is not None and len(texts) != len(meshes):
            raise ValueError(f"{name}: expected one for each of {len(meshes)}, got {len(texts)}")
    if frame not in ("shared", "each"):
        raise ValueError(f"frame: expected 'shared' or 'each', got {frame!r}")
    if isinstance(views, int):
        if views < 1:
            raise ValueError(f"views: expected 1 or more, got {views}")
        views = (
            _VIEWS[:views]
            if views <= len(_VIEWS)
            else [(35.0 + 360.0 * i / views, 22.0) for i in range(views)]
        )
    (size, _) = image_size(size)
    per_row = columns or _columns(len(meshes), len(views))
    gap, margin = max(8, size // 30), max(16, size // 16)
    name_font, note_font, head_font = font_of(size // 18), font_of(size // 24), font_of(size // 13)
    label_height = (size // 12 if labels else 0) + (size // 16 if captions else 0)
    head = size // 7 if title else 0
    cell_w, cell_h = size * len(views) + 2 * (len(views) - 1), size + label_height
    rows = -(-len(meshes) // per_row)
    sheet = Image.new(
        "RGB",
        (
            2 * margin + per_row * cell_w + (per_row - 1) * gap,
            2 * margin + head + rows * cell_h + (rows - 1) * gap,
        ),
        PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    if title:
        text = drawable(title, head_font)
        draw.text((margin, margin - size // 40), text, fill=INK, font=head_font)
    if frame == "shared":
        meshes = _together(meshes)
    else:
        meshes = [near for mesh in meshes for near in _together([mesh])]
    cameras = _frames(meshes, views, shared=frame == "shared")
    for i, mesh in enumerate(meshes):
        x = margin + (i % per_row) * (cell_w + gap)
        y = margin + head + (i // per_row) * (cell_h + gap)
        for j, cam in enumerate(cameras[i]):
            view = shaded_view(
                mesh, cam, size, samples=samples, smooth=smooth, wireframe=wireframe, light=light
            )
            sheet.paste(to_pil(view), (x + j * (size + 2), y))
        line = y + size + size // 60
        if labels:
            text = drawable(labels[i], name_font)
            draw.text((x + 2, line), text, fill=INK, font=name_font)
            line += size // 15
        if captions:
            text = drawable(captions[i], note_font)
            draw.text((x + 2, line), text, fill=MUTED, font=note_font)
    return save_image(sheet, path)
