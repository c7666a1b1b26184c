"""Which face is seen at each pixel, and where on it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn._compile import eager, once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.mesh import Mesh, Meshes
from meshlearn.render.camera import Camera, image_size
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import interpolate

__all__ = ["Fragments", "interpolate", "peel", "rasterize", "rasterize_homogeneous"]


@eager
def rasterize(
    mesh: Mesh | Meshes,
    cam: Camera,
    size: int | Sequence[int],
    *,
    behind: Fragments | None = None,
    paired: bool = False,
    backend: str = "native",
) -> Fragments:
    """The nearest face at each pixel centre, or the next one behind what is peeled off.

    A pixel belongs to a face whose image holds its centre; a centre exactly on an edge or a vertex
    shared by faces on both sides belongs to exactly one of them. Faces are seen from both sides.
    Of two at the same depth the lower index wins. Faces with a coordinate that is not finite, and
    parts nearer than the near plane, are not seen.

    Args:
        mesh: vertices (V, 3) float32 or float64; V or F may be 0. A batch of B meshes adds a
            dimension B in front, and `face` then counts in its `faces_packed`.
        cam: one camera or a batch of N.
        size: height and width in pixels, or one int for both.
        behind: an earlier result for the same mesh, camera and size. What is drawn is the layer
            behind it: at each pixel the next face in the order of (depth, index); see `peel`.
        paired: mesh i of a batch is seen by camera i alone (N = B), and the dimension N is left
            out.
        backend: "native" (compiled where it can be) or "reference" (plain torch).

    Returns:
        Fragments; barycentric and depth are differentiable in the vertices, face is not. The
        gradient moves points along visible faces: silhouettes have none without antialiasing.

    Example:
        >>> fragments = rasterize(mesh, Camera.look_at((0, 0, 3)), 256)
        >>> fragments.mask.sum()
    """
    if isinstance(mesh, Meshes):
        return _rasterize_batch(mesh, cam, size, behind, paired, backend)
    if paired:
        raise ValueError("paired: expected a batch of meshes, got one mesh; pass Meshes([mesh])")
    vertices = check_tensor(mesh.vertices, "mesh.vertices", shape=("V", 3), dtype=FLOATS)
    if cam.view.device != vertices.device:
        raise ValueError(
            f"cam: expected on {vertices.device} (as mesh), got {cam.view.device}; "
            f"move it with .to('{vertices.device}')"
        )
    if backend not in ("native", "reference"):
        raise ValueError(f"backend: expected 'native' or 'reference', got {backend!r}")
    h, w = image_size(size)
    clip = cam.homogeneous(vertices, size)
    clip = clip if cam.batched else clip[None]
    near = clip.new_full((clip.shape[0],), cam.near)
    corners = mesh.topology.corners if clip.requires_grad else None
    peeled = None
    if behind is not None:
        lead = clip.shape[:1] if cam.batched else ()
        check_tensor(behind.face, "behind.face", shape=(*lead, h, w), dtype=torch.int64,
                     device=vertices.device)  # fmt: skip
        peeled = behind.face.reshape(-1, h, w)
        top = int(peeled.max()) if peeled.numel() else -1
        if top >= mesh.faces.shape[0]:
            raise ValueError(
                f"behind.face: face {top} is not one of the mesh's {mesh.faces.shape[0]}; give "
                f"fragments of the same mesh"
            )
    out = rasterize_homogeneous(
        clip, mesh.faces, near, (h, w), behind=peeled, native=backend == "native", corners=corners
    )
    return out if cam.batched else Fragments(*(t.squeeze(0) for t in out))


def peel(
    mesh: Mesh | Meshes,
    cam: Camera,
    size: int | Sequence[int],
    layers: int,
    *,
    paired: bool = False,
    backend: str = "native",
) -> list[Fragments]:
    """The first so many layers at each pixel, from front to back (depth peeling).

    Args:
        layers: how many, 1 or more; where there are fewer, the rest shows nothing.
        mesh, cam, size, paired, backend: as in `rasterize`.

    Example:
        >>> front, back = peel(sphere, cam, 256, 2)
        >>> thickness = back.depth - front.depth
    """
    if not isinstance(layers, int) or layers < 1:
        raise ValueError(f"layers: expected an int of 1 or more, got {layers!r}")
    out: list[Fragments] = []
    for _ in range(layers):
        behind = out[-1] if out else None
        out.append(rasterize(mesh, cam, size, behind=behind, paired=paired, backend=backend))
    return out


def _rasterize_batch(meshes, cam, size, behind, paired, backend) -> Fragments:
    count = len(meshes)
    if paired and (not cam.batched or len(cam) != count):
        raise ValueError(f"cam: expected {count} cameras for so many meshes, got {len(cam)}")
    if count == 0:
        raise ValueError("mesh: expected one mesh or more, got an empty batch")
    images = []
    for i, mesh in enumerate(meshes):
        before, begin = None, meshes.faces_ptr[i]
        if behind is not None:
            face = torch.where(behind.face[i] >= 0, behind.face[i] - begin, -1)
            before = Fragments(face, behind.barycentric[i], behind.depth[i])
        eye = cam[i] if paired else cam
        out = rasterize(mesh, eye, size, behind=before, backend=backend)
        images.append(out._replace(face=torch.where(out.mask, out.face + begin, -1)))
    return Fragments(*(torch.stack(t) for t in zip(*images, strict=True)))


def rasterize_homogeneous(
    clip: Tensor,
    faces: Tensor,
    near: Tensor,
    size: tuple[int, int],
    *,
    behind: Tensor | None = None,
    native: bool = True,
    corners: Incidence | None = None,
) -> Fragments:
    """`rasterize` on homogeneous image coordinates (u w, v w, z, w), (N, V, 4); near (N,).

    `behind`: (N, H, W) faces peeled off, see `rasterize`. `corners`: the inverse of `faces`, which
    the gradient needs, where it is known already.
    """
    out = _Rasterize.apply(clip, faces, near, size, behind, native and use_native(clip), corners)
    return Fragments(*out)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, clip, faces, near, size, behind, native, corners):
        clip, faces = clip.contiguous(), faces.contiguous()
        if native:
            behind = None if behind is None else behind.contiguous()
            face, bary, depth = torch.ops.meshlearn.rasterize(
                clip.detach(), faces, near, behind, *size
            )
        else:
            face, bary, depth = rasterize_reference(clip.detach(), faces, near, size, behind)
        ctx.save_for_backward(clip, faces, near, face)
        ctx.native, ctx.corners = native, corners
        ctx.mark_non_differentiable(face)
        ctx.set_materialize_grads(False)
        return face, bary, depth

    @staticmethod
    @once("rasterize")
    def backward(ctx, _, grad_bary, grad_depth):
        clip, faces, near, face = ctx.saved_tensors
        if not ctx.needs_input_grad[0] or (grad_bary is None and grad_depth is None):
            return (None,) * 7
        if ctx.native:
            corners = ctx.corners or Incidence(faces.reshape(-1), clip.shape[1])
            slopes = [g if g is None else g.contiguous() for g in (grad_bary, grad_depth)]
            grad = torch.ops.meshlearn.rasterize_backward(
                clip, faces, near, face, *slopes, corners.start, corners.order
            )
        else:
            with torch.enable_grad():
                leaf = clip.detach().requires_grad_()
                seen = zip(
                    surface_coordinates(leaf, faces, face), (grad_bary, grad_depth), strict=True
                )
                outs, along = zip(*(pair for pair in seen if pair[1] is not None), strict=True)
                (grad,) = torch.autograd.grad(outs, leaf, along, allow_unused=True)
        return grad, *(None,) * 6


def surface_coordinates(clip: Tensor, faces: Tensor, face: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentrics and depth at each pixel from the face seen there, differentiable in `clip`.

    Args:
        clip: (N, V, 4) homogeneous image coordinates.
        faces: (F, 3).
        face: (N, H, W) int64, -1 where there is none.

    Returns:
        (N, H, W, 3) and (N, H, W); 0 where there is no face.
    """
    n, h, w = face.shape
    view, row, col = torch.nonzero(face >= 0, as_tuple=True)
    index = faces[face[view, row, col]] + (view * clip.shape[1])[:, None]  # (P, 3)
    flat = clip.reshape(-1, 4)
    corner = gather(flat, Incidence(index.reshape(-1), flat.shape[0])).view(-1, 3, 4)
    px, py = col.to(clip.dtype) + 0.5, row.to(clip.dtype) + 0.5
    qx = corner[..., 0] - corner[..., 3] * px[:, None]
    qy = corner[..., 1] - corner[..., 3] * py[:, None]
    edge = qx.roll(-1, 1) * qy.roll(-2, 1) - qy.roll(-1, 1) * qx.roll(-2, 1)
    weight = edge / edge.sum(1, keepdim=True)
    z = (weight * corner[..., 2]).sum(1)
    place = (view, row, col)
    bary = clip.new_zeros(n, h, w, 3).index_put(place, weight)
    depth = clip.new_zeros(n, h, w).index_put(place, z)
    return bary, depth


def rasterize_reference(
    clip: Tensor,
    faces: Tensor,
    near: Tensor,
    size: tuple[int, int],
    behind: Tensor | None = None,
    *,
    pairs: int = 1 << 21,
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch reference of the `rasterize` operator: every pixel of every face's box is tried.

    Args:
        clip: (N, V, 4) homogeneous image coordinates (u w, v w, z, w).
        faces: (F, 3) int64.
        near: (N,) least depth seen.
        size: (height, width).
        behind: (N, H, W) faces peeled off, or None.
        pairs: how many (face, pixel) pairs are tried at a time, which bounds the memory.

    Returns:
        face (N, H, W), barycentric (N, H, W, 3), depth (N, H, W).
    """
    h, w = size
    before: Sequence[Tensor | None]
    before = [None] * len(clip) if behind is None else list(behind.unbind())
    views = [
        _reference_view(c, faces, n, h, w, b, pairs)
        for c, n, b in zip(clip, near, before, strict=True)
    ]
    if not views:
        return (
            faces.new_empty(0, h, w),
            clip.new_empty(0, h, w, 3),
            clip.new_empty(0, h, w),
        )
    return tuple(torch.stack(t) for t in zip(*views, strict=True))  # type: ignore[return-value]


def _reference_view(clip: Tensor, faces: Tensor, near: Tensor, h: int, w: int, behind, pairs):
    corner = clip.double()[faces]  # (F, 3, 4)
    low, high = _boxes(corner, float(near), h, w)
    span = (high - low + 1).clamp(min=0)
    count = span[:, 0] * span[:, 1]
    best_z = corner.new_full((h * w,), torch.inf)
    best_face = faces.new_full((h * w,), -1)
    best_b = corner.new_zeros(h * w, 3)
    if behind is not None:
        peeled = behind.reshape(-1)
        least = corner.new_full((h * w,), torch.inf)  # nothing is left behind nothing
        at = (peeled >= 0).nonzero().squeeze(1)
        least[at] = _covered(corner[peeled[at]], at % w + 0.5, at // w + 0.5, float(near))[2]
    end = torch.cumsum(count, 0)
    begin = 0
    while begin < faces.shape[0]:
        done = int(end[begin - 1]) if begin else 0
        stop = max(int(torch.searchsorted(end, done + pairs, right=True)), begin + 1)
        part = slice(begin, stop)
        face = torch.repeat_interleave(torch.arange(begin, stop, device=faces.device), count[part])
        begin = stop
        local = torch.arange(face.numel(), device=faces.device) - (end - count)[face] + done
        x = low[face, 0] + local % span[face, 0]
        y = low[face, 1] + local // span[face, 0]
        hit, weight, z = _covered(corner[face], x + 0.5, y + 0.5, float(near))
        face, pixel, weight, z = face[hit], (y * w + x)[hit], weight[hit], z[hit]
        if behind is not None:
            far = (z > least[pixel]) | ((z == least[pixel]) & (face > peeled[pixel]))
            face, pixel, weight, z = face[far], pixel[far], weight[far], z[far]
        # nearest first, then lowest index, of each pixel
        order = torch.argsort(z, stable=True)
        order = order[torch.argsort(pixel[order], stable=True)]
        face, pixel, weight, z = face[order], pixel[order], weight[order], z[order]
        first = torch.ones_like(pixel, dtype=torch.bool)
        first[1:] = pixel[1:] != pixel[:-1]
        better = first & (z < best_z[pixel])
        at = pixel[better]
        best_z[at], best_face[at], best_b[at] = z[better], face[better], weight[better]
    depth = torch.where(best_face >= 0, best_z, 0.0)
    return (
        best_face.view(h, w),
        best_b.view(h, w, 3).to(clip.dtype),
        depth.view(h, w).to(clip.dtype),
    )


def _boxes(corner: Tensor, near: float, h: int, w: int) -> tuple[Tensor, Tensor]:
    """First and last pixel (x, y) whose centre may lie in each face behind the near plane."""
    following = corner.roll(-1, 1)
    z, z_next = corner[..., 2:3], following[..., 2:3]
    t = (near - z) / (z_next - z)
    cut = corner + t * (following - corner)
    points = torch.cat((corner, cut), 1)
    seen = torch.cat((z >= near, (z >= near) != (z_next >= near)), 1)
    seen = seen & (points[..., 3:] > 0)
    place = points[..., :2] / points[..., 3:]
    low = torch.where(seen, place, torch.inf).amin(1)
    high = torch.where(seen, place, -torch.inf).amax(1)
    pad = 1e-6 + 1e-9 * (low.abs() + high.abs())
    limit = low.new_tensor([w, h])
    first = torch.ceil(low - 0.5 - pad).clamp(min=0).minimum(limit)
    last = torch.floor(high - 0.5 + pad).clamp(min=-1).minimum(limit - 1)
    ok = torch.isfinite(corner).all(-1).all(-1) & torch.isfinite(low).all(-1)
    empty = ~(ok & (first <= last).all(-1))
    first[empty], last[empty] = 0, -1
    return first.long(), last.long()


def _covered(corner: Tensor, px: Tensor, py: Tensor, near: float):
    """Which (face, pixel) pairs meet: (P,) bool, barycentrics (P, 3), depth (P,)."""
    x, y, w = corner[..., 0], corner[..., 1], corner[..., 3]
    p, q = (1, 2, 0), (2, 0, 1)
    a = y[:, p] * w[:, q] - w[:, p] * y[:, q]
    b = w[:, p] * x[:, q] - x[:, p] * w[:, q]
    c = x[:, p] * y[:, q] - y[:, p] * x[:, q]
    edge = a * px[:, None] + (b * py[:, None] + c)
    tie = edge == 0
    positive = (edge > 0) | (tie & ((a > 0) | ((a == 0) & (b > 0))))
    negative = (edge < 0) | (tie & ((a < 0) | ((a == 0) & (b < 0))))
    weight = edge / (edge[:, 0] + edge[:, 1] + edge[:, 2])[:, None]
    z = weight[:, 0] * corner[:, 0, 2] + weight[:, 1] * corner[:, 1, 2]
    z = z + weight[:, 2] * corner[:, 2, 2]
    ahead = (weight * w).sum(1) > 0
    hit = (positive.all(1) | negative.all(1)) & ~tie.all(1) & ahead & (z >= near)
    return hit, weight, z


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::rasterize")
    def _(clip: Tensor, faces: Tensor, near: Tensor, behind, height: int, width: int):
        n = clip.shape[0]
        return (
            faces.new_empty(n, height, width),
            clip.new_empty(n, height, width, 3),
            clip.new_empty(n, height, width),
        )

    @torch.library.register_fake("meshlearn::rasterize_backward")
    def _(clip, faces, near, face, grad_barycentric, grad_depth, start, order):
        return torch.empty_like(clip)
