"""The colours of a mesh from posed images: of its vertices, then in a texture.

Both are one least-squares problem: each pixel that sees the surface is a mix of three vertices or
of four texels, and neighbours that no pixel tells of take after those around them. It is solved by
conjugate gradients; the same images give the same colours on any number of threads. Colours are
what the images show, light included.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum, stable_sum
from meshlearn.geometry.texturing import unwrap as unwrap
from meshlearn.io.document import Material
from meshlearn.io.looks import Looks, Texture
from meshlearn.mesh import Mesh, far_middle, moved, used_vertices
from meshlearn.reconstruct import settings
from meshlearn.render import ImageSet, interpolate
from meshlearn.render.backends import get_backend
from meshlearn.render.fragments import Fragments
from meshlearn.render.picture import to_pil


class _Samples(NamedTuple):
    """Pixels that see the surface."""

    part: Fragments  # (1, P)
    color: Tensor  # (P, 3)
    weight: Tensor  # (P,)


def _samples(mesh: Mesh, images: ImageSet, backend: str, seed: int) -> _Samples:
    if images.colors is None:
        raise ValueError(
            f"images: expected colors, got only {', '.join(images.kinds) or 'nothing'}"
        )
    if mesh.num_faces == 0:
        raise ValueError("mesh: there are no faces to colour")
    if mesh.device != images.colors.device:
        raise ValueError(
            f"images: expected on {mesh.device} (as mesh), got {images.colors.device}; move them "
            f"with .to('{mesh.device}')"
        )
    middle = far_middle(used_vertices(mesh))
    if middle is not None:
        mesh = moved(mesh, -middle).to(torch.float32)
        cameras = images.cameras.moved(-middle).to(torch.float32)
    else:
        cameras = images.cameras
    engine, normals = get_backend(backend), mesh.face_normals()
    masks = images.masks
    if masks is None and images.colors.shape[3] == 4:
        masks = images.colors[..., 3]
    parts, colors, weights = [], [], []
    generator = torch.Generator().manual_seed(seed)
    most = max(1, settings.PAINT_PIXELS // len(images))
    for i in range(len(images)):
        cam = cameras[i]
        fragments = engine.rasterize(mesh, cam, images.size)
        keep = (
            fragments.mask
            if masks is None
            else fragments.mask & (masks[i] > settings.SURELY_COVERED)
        )
        if images.known is not None:
            keep = keep & images.known[i]
        row, col = torch.nonzero(keep, as_tuple=True)
        if len(row) > most:
            some = torch.randperm(len(row), generator=generator)[:most].sort().values.to(row.device)
            row, col = row[some], col[some]
        part = Fragments(*(t[row, col] for t in fragments))
        _, ray = cam.rays(images.size)
        facing = (normals[part.face] * ray[row, col].to(normals)).sum(1).abs()
        parts.append(part)
        colors.append(images.colors[i, row, col, :3].to(mesh.dtype))
        weights.append(facing**2 + settings.PAINT_GRAZING)
    part = Fragments(*(torch.cat(t)[None] for t in zip(*parts, strict=True)))
    if not part.face.numel():
        raise ValueError("images: no pixel sees the mesh; check cameras and masks")
    return _Samples(part, torch.cat(colors), torch.cat(weights))


def _solve(
    rows: Tensor,  # (P, K) int64
    mix: Tensor,  # (P, K)
    samples: _Samples,
    count: int,
    pairs: Tensor,  # (E, 2) neighbours
    *,
    smooth: float,
    iterations: int,
) -> Tensor:
    """(count, 3): the values whose mixes are nearest to the samples' colours."""
    own = Incidence(rows.reshape(-1), count)
    near = Incidence(pairs.reshape(-1), count)
    mix, weight = mix.double(), samples.weight.double()[:, None]

    def spread(values: Tensor) -> Tensor:
        """(P, 3) -> (count, 3), each to its rows by its mix."""
        return segment_sum((mix[..., None] * values[:, None]).reshape(-1, 3), own)

    def apply(x: Tensor) -> Tensor:
        seen = (mix[..., None] * x[rows]).sum(1)
        away = x[pairs[:, 0]] - x[pairs[:, 1]]
        pull = segment_sum(torch.stack((away, -away), 1).reshape(-1, 3), near)
        return spread(weight * seen) + smooth * pull

    valence = (near.start[1:] - near.start[:-1]).double()
    diagonal = segment_sum((mix * mix * weight).reshape(-1, 1), own)[:, 0] + smooth * valence
    inverse = 1 / diagonal.clamp(min=1e-12)[:, None]
    mean = [stable_sum(samples.color[:, c].double()) / len(samples.color) for c in range(3)]
    x = torch.stack(mean).expand(count, 3).clone()
    rest = spread(weight * samples.color.double()) - apply(x)
    z = inverse * rest
    direction, size = z, stable_sum(rest * z)
    first = float(size)
    for _ in range(iterations):
        if float(size) <= settings.PAINT_END * first or first == 0:
            break
        image = apply(direction)
        step = size / stable_sum(direction * image)
        x = x + step * direction
        rest = rest - step * image
        z = inverse * rest
        new = stable_sum(rest * z)
        direction, size = z + (new / size) * direction, new
    return x.clamp(0, 1).to(samples.color)


def fit_vertex_colors(
    mesh: Mesh,
    images: ImageSet,
    *,
    smooth: float = 0.02,
    iterations: int = 60,
    backend: str = "native",
    seed: int = 0,
) -> Mesh:
    """The mesh with the vertex attribute "color" (V, 3) that makes it look like the images.

    Args:
        mesh: with at least one face.
        images: with colours; pixels that a mask does not wholly cover are not looked at.
        smooth: how strongly neighbours that few pixels tell of are drawn together.
        iterations: most steps of conjugate gradients.
        backend: who rasterises.
        seed: of the pixels that are looked at, where there are more than 1.5 million.

    Raises:
        ValueError: there are no colours or faces, or no pixel sees the mesh.

    Example:
        >>> painted = fit_vertex_colors(result.mesh, load_images("views"))
        >>> painted.save("painted.glb")
    """
    mesh = mesh.detach()
    samples = _samples(mesh, images, backend, seed)
    color = _solve(
        mesh.faces[samples.part.face[0]], samples.part.barycentric[0], samples,
        mesh.num_vertices, mesh.topology.edges, smooth=smooth, iterations=iterations,
    )  # fmt: skip
    return Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes={**mesh.vertex_attributes, "color": color.to(mesh.dtype)},
        face_attributes=mesh.face_attributes,
        corner_attributes=mesh.corner_attributes,
        materials=mesh.materials or None,
    )


def fit_texture(
    mesh: Mesh,
    images: ImageSet,
    *,
    size: int = 1024,
    smooth: float = 0.01,
    iterations: int = 40,
    backend: str = "native",
    seed: int = 0,
    name: str = "texture.png",
) -> tuple[Mesh, Tensor]:
    """A texture (size, size, 3) that makes the mesh look like the images, and the mesh with "uv"
    and the texture as its one material, so that it is saved and drawn with it.

    A mesh that has the corner attribute "uv" keeps it, else it is unwrapped by xatlas (the extra
    `texture`). Row 0 of the texture is v = 1, as `meshlearn.render.texture` reads it.

    Args:
        mesh, images, smooth, iterations, backend, seed: as in `fit_vertex_colors`.
        size: texels of a side.
        name: of the image in the material; a file of that name beside an OBJ.

    Raises:
        ImportError: the mesh has no "uv" and xatlas is not installed.
        ValueError: as in `fit_vertex_colors`.

    Example:
        >>> mesh, texture = fit_texture(result.mesh, load_images("views"))
        >>> mesh.save("textured.glb")
    """
    if not isinstance(size, int) or not 8 <= size <= 8192:
        raise ValueError(f"size: expected 8 to 8192 texels, got {size!r}")
    mesh = mesh.detach()
    if "uv" not in mesh.corner_attributes:
        mesh = unwrap(mesh, size=size)
    samples = _samples(mesh, images, backend, seed)
    values, index = mesh.corner_attributes["uv"]
    uv = interpolate(values[:, :2].to(samples.color), samples.part, index)[0].double()
    x, y = uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5
    left, top = x.floor(), y.floor()
    fx, fy = x - left, y - top
    rows, mix = [], []
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            column = (left + dx).clamp(0, size - 1).long()
            row = (top + dy).clamp(0, size - 1).long()
            rows.append(row * size + column)
            mix.append(wy * wx)
    at = torch.arange(size * size, device=mesh.device).view(size, size)
    pairs = torch.cat(
        (
            torch.stack((at[:, :-1], at[:, 1:]), -1).view(-1, 2),
            torch.stack((at[:-1], at[1:]), -1).view(-1, 2),
        )
    )
    texels = _solve(
        torch.stack(rows, 1), torch.stack(mix, 1), samples, size * size, pairs,
        smooth=smooth, iterations=iterations,
    )  # fmt: skip
    texture = texels.view(size, size, 3)
    return textured(mesh, texture, name=name), texture


def textured(mesh: Mesh, texture: Tensor, *, name: str = "texture.png") -> Mesh:
    """The mesh with a texture (R, S, 3) as its one material, looked up at the attribute "uv".

    Args:
        texture: sRGB in 0 to 1, row 0 at v = 1.
        name: of the image, which a format that keeps images beside its file writes it to.

    Returns:
        A mesh without other colours, which would multiply the texture.

    Raises:
        ValueError: the mesh has no texture coordinates.

    Example:
        >>> textured(mesh, texture).save("textured.obj")
    """
    if "uv" not in mesh.corner_attributes and "uv" not in mesh.vertex_attributes:
        raise ValueError('mesh: expected texture coordinates, an attribute "uv", got none')

    def uncolored(attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in attributes.items() if k != "color"}

    stream = io.BytesIO()
    to_pil(texture).save(stream, format="PNG")
    looks = Looks(base_texture=Texture(name, wrap=("clamp", "clamp")), metallic=0.0)
    material = Material("texture", {}, looks, {name: stream.getvalue()})
    label = torch.zeros(mesh.num_faces, dtype=torch.int64, device=mesh.device)
    return Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes=uncolored(mesh.vertex_attributes),
        face_attributes={**uncolored(mesh.face_attributes), "material": label},
        corner_attributes=uncolored(mesh.corner_attributes),
        materials=[material],
    )
