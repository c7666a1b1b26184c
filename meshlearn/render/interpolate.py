"""Values of vertices, corners and faces at each pixel, and how they change from pixel to pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._segment import Incidence, gather
from meshlearn._validate import FLOATS, check_index, check_tensor
from meshlearn.render.camera import Camera
from meshlearn.render.fragments import Fragments
from meshlearn.render.weighted_rows import mix_rows

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


@overload
def interpolate(
    attributes: Tensor,
    fragments: Fragments,
    index: Tensor | None = ...,
    *,
    background: float = ...,
    derivatives: None = ...,
) -> Tensor: ...
@overload
def interpolate(
    attributes: Tensor,
    fragments: Fragments,
    index: Tensor | None = ...,
    *,
    background: float = ...,
    derivatives: Tensor,
) -> tuple[Tensor, Tensor]: ...
@eager
def interpolate(
    attributes: Tensor,
    fragments: Fragments,
    index: Tensor | None = None,
    *,
    background: float = 0.0,
    derivatives: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Values of corners, mixed by barycentric weights at each pixel.

    Args:
        attributes: (A, D) values; one row a vertex, a row of an indexed corner attribute, or one
            a face.
        fragments: from `rasterize`.
        index: (F, 3) int64 rows of `attributes` at the corners of each face: `mesh.faces` for
            vertex attributes, the attribute's own index for corner attributes. None for face
            attributes: row f is shown, unmixed, wherever face f is seen.
        background: value where no face is seen.
        derivatives: (..., H, W, 3, 2) from `barycentric_derivatives`, where the image-space
            derivatives of the values are wanted too, as `texture` needs for its mipmaps.

    Returns:
        (..., H, W, D), differentiable in `attributes` and in the barycentrics of the fragments,
        with a deterministic gradient. With `derivatives` a pair: that image, and
        (..., H, W, D, 2), the change of each value per pixel to the right and per pixel down
        (0 where no face is seen).

    Raises:
        ValueError: a shape or dtype is not as said, or a face seen has no row.

    Example:
        >>> color = interpolate(mesh.vertex_attributes["color"], fragments, mesh.faces)
    """
    check_tensor(attributes, "attributes", shape=("A", "D"), dtype=FLOATS)
    face = fragments.face
    device = attributes.device
    check_tensor(face, "fragments.face", dtype=torch.int64, device=device, like="attributes")
    top = int(face.max()) if face.numel() else -1
    if index is None:
        rows = face.reshape(-1, 1)
        weight = (face >= 0).to(attributes.dtype).reshape(-1, 1)
        if top >= attributes.shape[0]:
            raise ValueError(
                f"attributes: expected a row for each face, got {attributes.shape[0]} for face "
                f"{top}; give `index` where they belong to vertices"
            )
    else:
        check_tensor(index, "index", shape=("F", 3), dtype=torch.int64, device=device)
        check_index(index, "index", attributes.shape[0], of="attributes")
        if top >= len(index):
            raise ValueError(
                f"fragments.face: index {top} is out of range for {len(index)} rows of index"
            )
        rows = face.reshape(-1, 1).expand(-1, 3)
        if len(index):
            rows = torch.where(rows >= 0, index[face.reshape(-1).clamp(min=0)], -1)
        weight = fragments.barycentric.to(attributes.dtype).reshape(-1, 3)
    image = mix_rows(attributes, rows, weight).view(*face.shape, attributes.shape[1])
    if background:
        image = torch.where(fragments.mask[..., None], image, background)
    if derivatives is None:
        return image
    check_tensor(derivatives, "derivatives", shape=(*face.shape, 3, 2), dtype=FLOATS, device=device)
    if index is None:
        return image, torch.zeros_like(image)[..., None].expand(*image.shape, 2)
    parts = [
        mix_rows(attributes, rows, derivatives[..., k].to(attributes.dtype).reshape(-1, 3))
        for k in range(2)
    ]
    return image, torch.stack(parts, -1).view(*image.shape, 2)


def barycentric_derivatives(
    fragments: Fragments, mesh: Mesh, cam: Camera, size: int | Sequence[int] | None = None
) -> Tensor:
    """Change of the barycentric weights per pixel to the right and per pixel down.

    Args:
        fragments: from `rasterize(mesh, cam, size)`.
        mesh, cam: the same.
        size: of the whole image; by default the size of the fragments.

    Returns:
        (H, W, 3, 2) or (N, H, W, 3, 2), 0 where no face is seen; differentiable in the vertices.

    Example:
        >>> change = barycentric_derivatives(fragments, mesh, cam)
        >>> uv, uv_change = interpolate(uv, fragments, uv_index, derivatives=change)
        >>> color = texture(image, uv, uv_change)
    """
    face = fragments.face if cam.batched else fragments.face[None]
    if face.dim() != 3:
        raise ValueError(
            f"fragments: expected of one mesh, face (H, W) or (N, H, W) as cam, got "
            f"{tuple(fragments.face.shape)}"
        )
    n, h, w = face.shape
    whole = (h, w) if size is None else size
    view, row, col = torch.nonzero(face >= 0, as_tuple=True)
    change = barycentric_changes(mesh, cam, whole, face[view, row, col], (view, row, col))
    out = change.new_zeros(n, h, w, 3, 2).index_put((view, row, col), change)
    return out if cam.batched else out[0]


def barycentric_changes(
    mesh: Mesh,
    cam: Camera,
    size: int | Sequence[int],
    face: Tensor,
    pixels: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """`barycentric_derivatives` (P, 3, 2) of P pixels alone.

    Args:
        size: of the whole image.
        face: (P,) the face that each sees.
        pixels: view, row and column (P,) of each; of one camera, view is 0.
    """
    view, row, col = pixels
    clip = cam.homogeneous(mesh.vertices, size)
    clip = clip if cam.batched else clip[None]
    rows = mesh.faces[face] + (view * clip.shape[1])[:, None]
    flat = clip.reshape(-1, 4)
    if flat.requires_grad and torch.is_grad_enabled():
        corner = gather(flat, Incidence(rows.reshape(-1), flat.shape[0])).view(-1, 3, 4)
    else:
        corner = flat[rows]
    px, py = col.to(clip.dtype)[:, None] + 0.5, row.to(clip.dtype)[:, None] + 0.5
    wc = corner[..., 3]
    qx, qy = corner[..., 0] - wc * px, corner[..., 1] - wc * py
    # e_i = q_j x q_k and its slopes e_i'; b_i = e_i / Σe, so b_i' = (e_i' - b_i Σe') / Σe
    (xj, xk), (yj, yk), (wj, wk) = ((t.roll(-1, 1), t.roll(-2, 1)) for t in (qx, qy, wc))
    edge = xj * yk - yj * xk
    slope = torch.stack((yj * wk - wj * yk, wj * xk - xj * wk), -1)
    total = edge.sum(1)[:, None, None]
    return (slope - (edge[..., None] / total) * slope.sum(1, keepdim=True)) / total
