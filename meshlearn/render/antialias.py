"""Antialiasing of silhouettes, which is what gives an image a gradient in where a shape ends.

Two neighbouring pixel centres see different things where a silhouette passes between them. The
place where it crosses the line from one centre to the other says how much of the pixels each side
covers, and the pixel which the silhouette cuts is blended by that much (Laine et al., Modular
Primitives for High-Performance Differentiable Rendering, 2020, section 3.5). Unlike there, the
silhouette is found by walking over the mesh from face to face along that line until the surface
ends or folds back, so it is found also where faces are smaller than pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._compile import eager, once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather, segment_sum
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.mesh import Mesh, Meshes, Topology
from meshlearn.render.camera import Camera
from meshlearn.render.fragments import Fragments

STEPS = 64  # faces a walk between two pixel centres may cross


@eager
def antialias(
    image: Tensor,
    fragments: Fragments,
    mesh: Mesh | Meshes,
    cam: Camera,
    *,
    backend: str = "native",
) -> Tensor:
    """An image whose pixels along silhouettes are blended by how much of them is covered.

    A silhouette is an edge of the mesh where, as seen from the camera, the surface ends (a boundary
    edge) or folds back. Edges inside the visible surface, creases and seams of texture coordinates
    are none; nor is the line where two surfaces cut each other, or the cut of the near plane. Which
    faces meet at an edge is decided by positions: triangles that share no vertices, as an STL file
    has them, blend as the welded mesh does, and each edge's gradient goes to the vertices of one of
    its faces.

    Args:
        image: (H, W) or (H, W, C), any number of channels, made from `fragments`; with the leading
            dimensions of `fragments.face`. A mask has to be of float.
        fragments: from `rasterize(mesh, cam, (H, W))`.
        mesh, cam: what was rasterised.
        backend: "native" (compiled where it can be) or "reference" (plain torch).

    Returns:
        the blended image, differentiable in `image` and, through the place of the silhouettes, in
        the vertices and the camera; deterministic.

    Raises:
        ValueError: the image does not fit the fragments.

    Example:
        >>> fragments = rasterize(mesh, cam, 256)
        >>> mask = antialias(fragments.mask.float(), fragments, mesh, cam)
        >>> (mask - target).square().mean().backward()   # moves the silhouette
    """
    check_tensor(image, "image", dtype=FLOATS)
    face = fragments.face
    if image.shape[: face.dim()] != face.shape or image.dim() > face.dim() + 1:
        raise ValueError(
            f"image: expected {tuple(face.shape)} as the fragments, or that with channels after, "
            f"got {tuple(image.shape)}"
        )
    if backend not in ("native", "reference"):
        raise ValueError(f"backend: expected 'native' or 'reference', got {backend!r}")
    if isinstance(mesh, Meshes):
        return _batch(image, fragments, mesh, cam, backend)
    if face.dim() != 2 + cam.batched:
        raise ValueError(
            f"fragments: expected face {'(N, H, W)' if cam.batched else '(H, W)'} as cam, got "
            f"{tuple(face.shape)}"
        )
    h, w = face.shape[-2:]
    if face.numel() == 0 or mesh.faces.shape[0] == 0:
        return image
    clip = cam.homogeneous(mesh.vertices, (h, w)).reshape(-1, mesh.vertices.shape[0], 4)
    near = clip.new_full((clip.shape[0],), cam.near)
    half_edges = _joined(mesh).edge_half_edges
    args = (
        clip.detach().contiguous(),
        mesh.faces.contiguous(),
        near,
        face.reshape(-1, h, w).contiguous(),
        fragments.depth.detach().reshape(-1, h, w).to(clip.dtype).contiguous(),
        half_edges.index,
        half_edges.start,
        half_edges.order,
    )
    flat = image.reshape(clip.shape[0] * h * w, -1)
    if backend == "native" and use_native(clip):
        pairs = torch.ops.meshlearn.silhouettes(*args)
        out = _Blend.apply(flat, pairs, clip, mesh.faces, (h, w)) if len(pairs) else flat
    else:
        out = blend_reference(flat, silhouettes_reference(*args), clip, mesh.faces, (h, w))
    return out.view(image.shape)


def _joined(mesh: Mesh) -> Topology:
    """Connectivity with vertices of equal position taken as one; faces in their order."""
    if mesh.topology.boundary_edges.numel() == 0:
        return mesh.topology
    place = mesh.detach().merge_vertices().vertex_map
    count = int(place.max()) + 1 if place.numel() else 0
    if count == mesh.num_vertices:
        return mesh.topology
    return Topology(place[mesh.faces], count)


def _batch(image, fragments, meshes, cam, backend) -> Tensor:
    """`antialias` of every mesh of a batch, whose faces count in the packed faces."""
    if len(meshes) != image.shape[0]:
        raise ValueError(
            f"image: expected {len(meshes)} images for so many meshes, got {image.shape[0]}"
        )
    out = []
    for i, mesh in enumerate(meshes):
        face, bary, depth = (t[i] for t in fragments)
        face = torch.where(face >= 0, face - meshes.faces_ptr[i], -1)
        out.append(antialias(image[i], Fragments(face, bary, depth), mesh, cam, backend=backend))
    return torch.stack(out) if out else image


class _Blend(torch.autograd.Function):
    """`blend_reference` by compiled operators."""

    @staticmethod
    def forward(ctx, image: Tensor, pairs: Tensor, clip: Tensor, faces: Tensor, size):
        image, clip, faces = image.contiguous(), clip.contiguous(), faces.contiguous()
        ctx.save_for_backward(image, pairs, clip, faces)
        ctx.size = size
        return torch.ops.meshlearn.silhouette_blend(image, pairs, clip, faces, *size)

    @staticmethod
    @once("antialias")
    def backward(ctx, grad: Tensor):
        image, *scene = ctx.saved_tensors
        grad, ops = grad.contiguous(), torch.ops.meshlearn
        grad_image = grad_clip = None
        if ctx.needs_input_grad[0]:
            grad_image = ops.silhouette_blend_image(grad, *scene, *ctx.size)
        if ctx.needs_input_grad[2]:
            grad_clip = ops.silhouette_blend_clip(grad, image, *scene, *ctx.size)
        return grad_image, None, grad_clip, None, None


def blend_reference(
    image: Tensor, pairs: Tensor, clip: Tensor, faces: Tensor, size: tuple[int, int]
) -> Tensor:
    """Torch reference of `silhouette_blend`: one side of each pair moves towards the other.

    Args:
        image: (N H W, C).
        pairs: (P, 2) from `silhouettes_reference`.
        clip: (N, V, 4) homogeneous image coordinates; faces (F, 3).
        size: (H, W).

    Returns:
        (N H W, C), differentiable in `image` and, by the place of the silhouettes, in `clip`.
    """
    if pairs.shape[0] == 0:
        return image
    h, w = size
    code, half = pairs.unbind(1)
    pixel, axis, side = code // 4, (code // 2) % 2, code % 2
    other = pixel + torch.where(axis == 0, 1, w)
    inner, outer = torch.where(side == 0, pixel, other), torch.where(side == 0, other, pixel)
    corner, number = half // 3, clip.shape[1]
    ends = torch.stack((faces[corner, half % 3], faces[corner, (half + 1) % 3]), 1)
    ends = ends + (pixel // (h * w) * number)[:, None]
    flat = clip.reshape(-1, 4)
    if flat.requires_grad:
        place = gather(flat, Incidence(ends.reshape(-1), flat.shape[0]))
    else:
        place = flat[ends.reshape(-1)]
    place = place.view(-1, 2, 4).double()

    def line(at: Tensor) -> Tensor:
        u = ((at % w).double() + 0.5)[:, None]
        v = ((at // w % h).double() + 0.5)[:, None]
        x, y = place[..., 0] - place[..., 3] * u, place[..., 1] - place[..., 3] * v
        return x[:, 0] * y[:, 1] - y[:, 0] * x[:, 1]

    a, b = line(inner), line(outer)
    over = (a / (a - b) - 0.5).to(image.dtype)  # how far past the border of the two pixels
    reached = over.detach() >= 0
    receiver, donor = torch.where(reached, outer, inner), torch.where(reached, inner, outer)
    rows = Incidence(torch.cat((receiver, donor)), image.shape[0])
    mine, theirs = gather(image, rows).chunk(2)
    change = over.abs()[:, None] * (theirs - mine)
    return image + segment_sum(change, Incidence(receiver, image.shape[0]))


def silhouettes_reference(
    clip: Tensor,
    faces: Tensor,
    near: Tensor,
    face: Tensor,
    depth: Tensor,
    edge_of: Tensor,
    start: Tensor,
    order: Tensor,
) -> Tensor:
    """Torch reference of the `silhouettes` operator: where silhouettes part neighbouring pixels.

    Args:
        clip: (N, V, 4) homogeneous image coordinates; faces (F, 3); near (N,).
        face, depth: (N, H, W), what is seen.
        edge_of: (3F,) edge of each half-edge; start (E + 1,), order (3F,) half-edges by edge.

    Returns:
        (P, 2) int64: 4 pixel + 2 axis + side, where pixel counts through (N, H, W), axis 0 pairs it
        with its right and axis 1 with its lower neighbour, and side 1 says that the surface which
        ends is the neighbour's; and the half-edge of the silhouette. In ascending order.
    """
    n, h, w = face.shape
    at = torch.arange(n * h * w, device=face.device).view(n, h, w)
    pairs = [(at[:, :, :-1], at[:, :, 1:], 0), (at[:, :-1], at[:, 1:], 1)]
    first = torch.cat([p.reshape(-1) for p, _, _ in pairs])
    second = torch.cat([q.reshape(-1) for _, q, _ in pairs])
    axis = torch.cat([torch.full_like(p.reshape(-1), k) for p, _, k in pairs])
    seen, z = face.reshape(-1), depth.reshape(-1)
    differ = seen[first] != seen[second]
    first, second, axis = first[differ], second[differ], axis[differ]
    f, s = seen[first], seen[second]
    side = ((f < 0) | ((s >= 0) & (z[second] < z[first]))).long()
    scene = (clip.double(), faces, near.double(), seen, (h, w), edge_of, start, order)
    half, passed = _walk(scene, first, second, axis, side)
    again = passed & (f >= 0) & (s >= 0)
    side = torch.where(again, 1 - side, side)
    half[again] = _walk(scene, first[again], second[again], axis[again], side[again])[0]
    found = half >= 0
    code = (4 * first + 2 * axis + side)[found]
    rank = torch.argsort(code)
    return torch.stack((code[rank], half[found][rank]), 1)


def _walk(scene, first: Tensor, second: Tensor, axis: Tensor, side: Tensor):
    """Half-edge of the silhouette met from one centre to the other or -1; whether none was met."""
    clip, faces, near, seen, (h, w), edge_of, start, order = scene
    begin, end = torch.where(side == 0, first, second), torch.where(side == 0, second, first)
    view = begin // (h * w)
    half_out = torch.full_like(begin, -1)
    passed = torch.zeros_like(begin, dtype=torch.bool)
    at = torch.arange(begin.numel(), device=begin.device)
    face, entry = seen[begin], torch.full_like(begin, -1)
    for _ in range(STEPS):
        if at.numel() == 0:
            break
        on = face != seen[end[at]]  # else the walk has arrived at what is seen there
        at, face, entry_at = at[on], face[on], entry[on]
        b, e = begin[at], end[at]
        p = clip[view[at][:, None], faces[face]]  # (M, 3, 4)
        q = p.roll(-1, 1)
        x, y, wc = p[..., 0], p[..., 1], p[..., 3]
        x1, y1, w1 = q[..., 0], q[..., 1], q[..., 3]
        # line through corners k and k + 1, inside positive
        ka, kb, kc = y * w1 - wc * y1, wc * x1 - x * w1, x * y1 - y * x1
        det = ka[:, 0] * x[:, 2] + kb[:, 0] * y[:, 2] + kc[:, 0] * wc[:, 2]
        sign = det.sign()[:, None]

        def value(pixel: Tensor, a=ka, b=kb, c=kc) -> Tensor:
            u = ((pixel % w).double() + 0.5)[:, None]
            v = ((pixel // w % h).double() + 0.5)[:, None]
            return a * u + (b * v + c)

        vb, ve = sign * value(b), sign * value(e)
        leaves = (vb > ve) & (torch.arange(3, device=at.device) != entry_at[:, None])
        t = torch.where(leaves, vb / (vb - ve), torch.inf)
        t_out, k = t.min(1)
        goes_on = t_out < 1
        passed[at[~goes_on]] = True
        at, face, k, p, t_out = at[goes_on], face[goes_on], k[goes_on], p[goes_on], t_out[goes_on]
        ka, kb, kc, det, e = (m[goes_on] for m in (ka, kb, kc, det, e))
        row = torch.arange(len(at), device=at.device)
        la, lb, lc = ka[row, k], kb[row, k], kc[row, k]
        half = 3 * face + k
        # the first other face on the edge that lies beyond it
        edge = edge_of[half]
        following = torch.full_like(face, -1)
        from_, to = start[edge], start[edge + 1]
        for j in range(int((to - from_).max()) if len(at) else 0):
            candidate = order[(from_ + j).clamp(max=order.numel() - 1)]
            tip = faces[candidate // 3, (candidate + 2) % 3]
            c = clip[view[at], tip]
            across = la * c[:, 0] + lb * c[:, 1] + lc * c[:, 3]
            beyond = ((across > 0) & (det < 0)) | ((across < 0) & (det > 0))
            take = (from_ + j < to) & (candidate != half) & beyond & (following < 0)
            following = torch.where(take, candidate, following)
        ends = following < 0
        # a silhouette: steep enough to be this axis' own, and behind the near plane where it is met
        z, z1 = p[row, k, 2], p[row, (k + 1) % 3, 2]
        steep = torch.where(axis[at] == 0, la.abs() >= lb.abs(), la.abs() < lb.abs())
        keep = ends & steep & _behind(p, k, z, z1, near[view[at]], b[goes_on], e, t_out, (h, w))
        half_out[at[keep]] = half[keep]
        at, face, entry = at[~ends], following[~ends] // 3, following[~ends] % 3
    return half_out, passed


def _behind(p, k, z, z1, near, begin, end, t, size) -> Tensor:
    """Whether the point of edge k seen at the crossing is not nearer than the near plane."""
    h, w = size
    u = (1 - t) * (begin % w) + t * (end % w) + 0.5
    v = (1 - t) * (begin // w % h) + t * (end // w % h) + 0.5
    row = torch.arange(len(k), device=k.device)
    a, b = p[row, k], p[row, (k + 1) % 3]
    ax, ay = a[:, 0] - a[:, 3] * u, a[:, 1] - a[:, 3] * v
    bx, by = b[:, 0] - b[:, 3] * u, b[:, 1] - b[:, 3] * v
    across = ax.abs() + bx.abs() >= ay.abs() + by.abs()
    da, db = torch.where(across, ax, ay), torch.where(across, bx, by)
    s = da / (da - db)
    return (1 - s) * z + s * z1 >= near


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::silhouettes")
    def _(clip, faces, near, face, depth, edge_of, start, order) -> Tensor:
        return faces.new_empty(torch.library.get_ctx().new_dynamic_size(), 2)

    @torch.library.register_fake("meshlearn::silhouette_blend")
    def _(image, pairs, clip, faces, height: int, width: int) -> Tensor:
        return torch.empty_like(image)

    @torch.library.register_fake("meshlearn::silhouette_blend_image")
    def _(grad, pairs, clip, faces, height: int, width: int) -> Tensor:
        return torch.empty_like(grad)

    @torch.library.register_fake("meshlearn::silhouette_blend_clip")
    def _(grad, image, pairs, clip, faces, height: int, width: int) -> Tensor:
        return torch.empty_like(clip)
