"""Atlases of texture coordinates, and what a fine mesh shows as a texture of a coarse one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.carry import mixed
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.measure import safe_normalize
from meshlearn.mesh.tangents import (
    shading_normals,
    tangents,
    texture_coordinates,
    to_tangent_space,
)
from meshlearn.render.fragments import Fragments
from meshlearn.render.materials import attribute_colors, has_looks, material_colors

NormalSpace = Literal["mesh", "tangent"]
_OUT = 1e-4  # by which coordinates may lie outside of the texture
_PAIRS = 1 << 20  # faces and texels that are held together at once
_EDGE = 1e-6  # by which a texel's centre may lie outside a face's weights
_ABOVE = 1e-4  # of the mesh's size: how far above the surface rays to the sky begin
_GREY = (0.7, 0.7, 0.7)  # what has no colour


def unwrap(mesh: Mesh, *, size: int = 1024) -> Mesh:
    """The mesh with the corner attribute "uv": an atlas in [0, 1]², charts a few texels apart.

    Args:
        mesh: with at least one face; its vertices stay as they are.
        size: texels of a side of the texture that it is meant for.

    Raises:
        ImportError: xatlas is not installed (`pip install meshlearn[texture]`).
        ValueError: there are no faces, or none has area.

    Example:
        >>> coarse = ml.geometry.unwrap(ml.geometry.simplify(scan, 5000))
    """
    try:
        import xatlas
    except ImportError:
        raise ImportError(
            "a texture atlas needs the package xatlas; install it with "
            "pip install 'meshlearn[texture]'"
        ) from None
    if mesh.num_faces == 0:
        raise ValueError("mesh: there are no faces to unwrap")
    vertices = mesh.vertices.detach().cpu().double()
    extent = float((vertices.amax(0) - vertices.amin(0)).max())
    vertices = (vertices - vertices.amin(0)) / max(extent, 1e-30)
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices.float().numpy(), mesh.faces.cpu().numpy().astype("uint32"))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding, packing.bilinear = size, 2, True
    atlas.generate(xatlas.ChartOptions(), packing, False)
    _, index, uv = atlas[0]
    index = torch.from_numpy(index.astype("int64"))
    if len(index) != mesh.num_faces:
        raise ValueError(f"mesh: the atlas holds {len(index)} of its {mesh.num_faces} faces")
    values = torch.from_numpy(uv).to(mesh.dtype).clamp(0, 1)
    corner = {
        **mesh.corner_attributes,
        "uv": CornerAttribute(values.to(mesh.device), index.to(mesh.device)),
    }
    return Mesh(
        mesh.vertices,
        mesh.faces,
        vertex_attributes=mesh.vertex_attributes,
        face_attributes=mesh.face_attributes,
        corner_attributes=corner,
        materials=mesh.materials or None,
    )


def bake(
    fine: Mesh,
    coarse: Mesh,
    what: str = "color",
    *,
    size: int = 1024,
    reach: float | None = None,
    rays: int = 64,
    margin: int = 4,
    space: NormalSpace = "mesh",
) -> Tensor:
    """A texture (size, size, C) of a coarse mesh that shows what a fine one has.

    From the middle of each texel on the coarse surface a ray goes along its normal, outward and
    inward, to the nearer hit on the fine one; where neither hits, its nearest point is taken.

    Args:
        fine: what is shown; coarse: with the attribute "uv" (see `unwrap`), near to it.
        what: "color": of materials, their textures and the attribute "color", sRGB in 0 to 1;
            "normal": unit normals of the fine surface, -1 to 1, in the frame that `space` says;
            "occlusion": the share of the sky that is seen from the fine surface, weighted by the
            cosine, 0 to 1; "distance": from the coarse surface to the fine one, positive outward;
            else the name of an attribute of `fine`.
        size: texels of a side. Row 0 is v = 1, as `meshlearn.render.texture` reads it.
        reach: how far rays go, in the mesh's unit; default: a fiftieth of the size of `fine`.
        rays: of each texel, for occlusion.
        margin: texels around charts that are filled from their nearest ones.
        space: of "normal": "mesh", or "tangent": that of the coarse surface's tangents, as normal
            maps of glTF 2.0 and most programs have it; see `geometry.tangents`. The coarse mesh is
            then to be drawn with the normals that it is baked with: its attribute "normal", or
            those of its vertices.

    Returns:
        The texture in the dtype of `coarse`; where no face is near 0, in tangent space (0, 0, 1).

    Raises:
        ValueError: no texture coordinates, no such attribute, no faces, or a wrong number.

    Example:
        >>> image = ml.geometry.bake(scan, coarse, "color", size=2048)
        >>> ml.reconstruct.paint.textured(coarse, image).save("coarse.glb")
    """
    check_mesh(fine, "fine")
    check_mesh(coarse, "coarse")
    for name, number, least in (("size", size, 8), ("rays", rays, 1), ("margin", margin, 0)):
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= 16384:
            raise ValueError(f"{name}: expected {least} to 16384, got {number!r}; pass such")
    device, kind = coarse.device, coarse.dtype
    fine = fine.detach().to("cpu").to(torch.float64)
    coarse = coarse.detach().to("cpu").to(torch.float64)
    for name, mesh in (("fine", fine), ("coarse", coarse)):
        check_tensor(mesh.vertices, f"{name}.vertices", finite=True)
    if space not in ("mesh", "tangent"):
        raise ValueError(f"space: expected 'mesh' or 'tangent', got {space!r}; pass one")
    low, high = fine.bounds()
    fine = fine.with_vertices(fine.vertices - low)
    coarse = coarse.with_vertices(coarse.vertices - low)
    extent = float((high - low).max()) or 1.0
    if reach is not None and not 0 < reach < math.inf:
        raise ValueError(f"reach: expected a number above 0, got {reach!r}; pass a length")
    part = texels(coarse, size)
    shown = _Shown(fine, what, extent, rays)
    seen = part.mask.reshape(-1).nonzero().squeeze(1)
    face, weight = part.face.reshape(-1)[seen], part.barycentric.reshape(-1, 3)[seen]
    start = (coarse.triangles[face] * weight[..., None]).sum(1)
    normal = (coarse.vertex_normals()[coarse.faces[face]] * weight[..., None]).sum(1)
    values = shown.at(start, safe_normalize(normal), extent / 50 if reach is None else reach)
    mapped = what == "normal" and space == "tangent"
    if mapped:
        values = _in_frames(values, coarse, face, weight)
    texture = torch.zeros(size * size, values.shape[1], dtype=torch.float64)
    texture[seen] = values
    filled = _spread(texture.view(size, size, -1), part.mask, margin)
    if what == "normal":
        filled = safe_normalize(filled.view(-1, 3)).view_as(filled)
    if mapped:
        none = ~filled.any(2)
        filled[none] = filled.new_tensor((0.0, 0.0, 1.0))
    return filled.to(device, kind)


def _in_frames(normals: Tensor, coarse: Mesh, face: Tensor, weight: Tensor) -> Tensor:
    """Normals (P, 3) in the frames of tangents at places of a mesh; those that look inward, which a
    normal map does not have, along the surface."""
    base, of_corner = shading_normals(coarse)
    along = tangents(coarse)
    normal = (base[of_corner[face]] * weight[..., None]).sum(1)
    tangent = along.values[along.index[face]]  # (P, 3, 4)
    mixed_tangent = (tangent[..., :3] * weight[..., None]).sum(1)
    found = to_tangent_space(normals, normal, mixed_tangent, tangent[:, 0, 3])
    return safe_normalize(torch.cat((found[:, :2], found[:, 2:].clamp(min=0)), 1))


def texels(mesh: Mesh, size: int) -> Fragments:
    """Which face covers the middle of each texel, and where; of several the lowest number.

    Raises:
        ValueError: the mesh has no texture coordinates.
    """
    item = texture_coordinates(mesh, "coarse")
    at, places = _covering(item, size)
    covers = torch.full((size * size,), len(at), dtype=torch.int64)
    for face, place, weight in places:
        inside = (weight >= -_EDGE).all(1)
        covers = covers.scatter_reduce(0, place[inside], face[inside], "amin")
    covered = covers < len(at)
    place = covered.nonzero().squeeze(1)
    weight = torch.zeros(size * size, 3, dtype=torch.float64)
    found = _weights(at[covers[place]], place % size, place // size).clamp(min=0)
    weight[place] = found / found.sum(1, keepdim=True)
    face = torch.where(covered, covers, -1).view(size, size)
    return Fragments(face, weight.view(size, size, 3), torch.zeros(size, size))


def shared_texels(mesh: Mesh, size: int = 512) -> float:
    """The share of the texture coordinates' area in the texture that another face has too, or that
    lies outside of [0, 1]²: what a baked texture cannot have right.

    Raises:
        ValueError: the mesh has no texture coordinates.
    """
    item = texture_coordinates(mesh, "coarse")
    uv = item.values[:, :2].detach().double()
    edge = uv[item.index]
    edge = edge[:, 1:] - edge[:, :1]
    area = (edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]).abs() / 2
    out = ((uv < -_OUT) | (uv > 1 + _OUT)).any(1)[item.index].any(1)
    outside = float(area[out].sum() / area.sum().clamp(min=1e-300))
    count = torch.zeros(size * size, dtype=torch.int64)
    for _, place, weight in _covering(item, size)[1]:
        inside = (weight > 1e-3).all(1)  # a middle on an edge is both faces', and neither's here
        count += torch.bincount(place[inside], minlength=size * size)
    twice = float((count > 1).sum()) / max(float((count > 0).sum()), 1.0)
    return max(outside, twice)


def _covering(
    item: CornerAttribute, size: int
) -> tuple[Tensor, Iterator[tuple[Tensor, Tensor, Tensor]]]:
    """Corners of faces in texels (F, 3, 2); and, some faces at a time, faces with the texels of
    their boxes (P,) and the weights there (P, 3)."""
    uv = item.dense()[..., :2].double()
    at = torch.stack((uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5), 2)  # column, row
    begin = at.amin(1).ceil().long().clamp(min=0)
    end = at.amax(1).floor().long().clamp(max=size - 1)
    span = (end - begin + 1).clamp(min=0)
    count = span.prod(1)
    ahead = torch.cumsum(count, 0)

    def parts() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        first = 0
        while first < len(at):
            before = int(ahead[first - 1]) if first else 0
            last = max(int(torch.searchsorted(ahead, before + _PAIRS, right=True)), first + 1)
            number = count[first:last]
            face = torch.arange(first, last).repeat_interleave(number)
            inner = torch.arange(len(face))
            inner = inner - (ahead[first:last] - number - before).repeat_interleave(number)
            column = begin[face, 0] + inner % span[face, 0]
            row = begin[face, 1] + inner // span[face, 0]
            yield face, row * size + column, _weights(at[face], column, row)
            first = last

    return at, parts()


def _weights(at: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """(N, 3) weights of points in triangles (N, 3, 2); far below 0 where they have no area."""
    point = torch.stack((column, row), 1).double()
    a, b, c = at.unbind(1)

    def twice(p: Tensor, q: Tensor, r: Tensor) -> Tensor:
        u, v = q - p, r - p
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    area = twice(a, b, c)
    flat = area == 0
    whole = torch.where(flat, 1, area)
    parts = torch.stack((twice(point, b, c), twice(point, c, a), twice(point, a, b)), 1)
    return torch.where(flat[:, None], -1.0, parts / whole[:, None])


class _Shown:
    """What a fine mesh has at the points that rays find."""

    def __init__(self, fine: Mesh, what: str, extent: float, rays: int) -> None:
        self.fine, self.what, self.extent, self.rays = fine, what, extent, rays
        self.tree = MeshBVH(fine)
        self.known = ("color", "normal", "occlusion", "distance")
        names = {*fine.vertex_attributes, *fine.face_attributes, *fine.corner_attributes}
        if what not in self.known and what not in names:
            raise ValueError(
                f"what: expected one of {', '.join(self.known)}, or an attribute of fine "
                f"({', '.join(sorted(names)) or 'it has none'}), got {what!r}; pass one"
            )

    def at(self, start: Tensor, normal: Tensor, reach: float) -> Tensor:
        face, weight = self._found(start, normal, reach)
        if self.what == "color":
            part = Fragments(face, weight, weight.new_zeros(len(face)))
            if has_looks(self.fine):
                return material_colors(self.fine, part, _GREY)
            tint = attribute_colors(self.fine, part)
            return weight.new_tensor(_GREY).expand(len(face), 3) if tint is None else tint
        if self.what == "normal":
            return self._normals(face, weight)
        point = (self.fine.triangles[face] * weight[..., None]).sum(1)
        if self.what == "distance":
            return ((point - start) * normal).sum(1, keepdim=True)
        if self.what == "occlusion":
            return self._sky(point, self._normals(face, weight))
        return self._attribute(face, weight).double()

    def _found(self, start: Tensor, normal: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        """The face of the fine mesh that each texel shows, and where in it."""
        _, face, weight = self.tree.closest(start)
        best = torch.full((len(start),), reach, dtype=start.dtype)
        for way in (normal, -normal):
            hits = self.tree.rays(start, way)
            nearer = (hits.face >= 0) & (hits.distance < best)
            face = torch.where(nearer, hits.face, face)
            weight = torch.where(nearer[:, None], hits.barycentric, weight)
            best = torch.where(nearer, hits.distance, best)
        return face, weight

    def _normals(self, face: Tensor, weight: Tensor) -> Tensor:
        item = self.fine.corner_attributes.get("normal")
        values = (
            item.values[item.index[face]]
            if item is not None
            else self.fine.vertex_attributes.get("normal", self.fine.vertex_normals())[
                self.fine.faces[face]
            ]
        )
        return safe_normalize((values.double() * weight[..., None]).sum(1))

    def _sky(self, point: Tensor, normal: Tensor) -> Tensor:
        """(N, 1) share of rays that meet nothing, denser around the normal by its cosine."""
        free = torch.zeros(len(point), dtype=torch.float64)
        start = point + _ABOVE * self.extent * normal
        axis = torch.nn.functional.one_hot(normal.abs().argmin(1), 3).to(normal)
        u = safe_normalize(torch.linalg.cross(normal, axis))
        v = torch.linalg.cross(normal, u)
        golden = math.pi * (3 - math.sqrt(5))
        for k in range(self.rays):
            radius = math.sqrt((k + 0.5) / self.rays)
            x, y = radius * math.cos(golden * k), radius * math.sin(golden * k)
            way = x * u + y * v + math.sqrt(1 - radius * radius) * normal
            free += self.tree.rays(start, way, any_hit=True).face < 0
        return (free / self.rays)[:, None]

    def _attribute(self, face: Tensor, weight: Tensor) -> Tensor:
        name = self.what
        if name in self.fine.corner_attributes:
            item = self.fine.corner_attributes[name]
            return mixed(name, item.values[item.index[face]], weight)
        if name in self.fine.vertex_attributes:
            values = self.fine.vertex_attributes[name].reshape(self.fine.num_vertices, -1)
            return mixed(name, values[self.fine.faces[face]], weight)
        return self.fine.face_attributes[name].reshape(self.fine.num_faces, -1)[face]


def _spread(texture: Tensor, known: Tensor, steps: int) -> Tensor:
    """Texels beside known ones take the mean of these, `steps` times."""
    for _ in range(steps):
        weight = known[None, None].double()
        total = texture.permute(2, 0, 1)[:, None] * weight[0]
        kernel = torch.ones(1, 1, 3, 3, dtype=torch.float64)
        near = torch.nn.functional.conv2d(weight, kernel, padding=1)[0, 0]
        mean = torch.nn.functional.conv2d(total, kernel, padding=1)[:, 0].permute(1, 2, 0)
        new = ~known & (near > 0)
        texture = torch.where(new[..., None], mean / near.clamp(min=1)[..., None], texture)
        known = known | new
    return texture
