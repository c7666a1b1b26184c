"""Open surfaces in images: where to start, and what was seen of a template."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn.isosurface import dual_marching_cubes
from meshlearn.mesh import Mesh, cut_mesh
from meshlearn.mesh.connected import connected_components
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.image_levels import Level, Views, level_within
from meshlearn.reconstruct.targets.points import FromPoints
from meshlearn.reconstruct.targets.visual_hull import backproject, facing
from meshlearn.render import Camera
from meshlearn.representations.flexicubes import cubic_grid

Field = Callable[[Tensor], Tensor]  # of points (P, 3) -> (P,), negative inside


def image_evidence(target: Views, template: Mesh, scale: float) -> Tensor:
    """(V,) what all images say of a template's vertices, in [-1, 1]; 0 where nothing is seen.

    Where the template is seen beside the mask, or its normal is not the one seen, or its depth is
    not, there is no surface; where they agree, there is. Slanted views count less.
    """
    level = level_within(target.levels, settings.EVIDENCE_IMAGE)
    total = torch.zeros(template.num_vertices, 2, dtype=torch.float64, device=template.device)
    normals = template.face_normals()
    for i in range(len(level.cameras)):
        cam = level.cameras[i]
        seen = target.backend.rasterize(template, cam, level.size)
        looked = seen.mask & level.images["known"][i] if "known" in level.images else seen.mask
        place = looked.nonzero(as_tuple=True)
        face = seen.face[place]
        if not len(face):
            continue
        _, ray = cam.rays(level.size)
        ray = torch.nn.functional.normalize(ray[place].to(normals), dim=1)
        mine = normals[face]
        facing = -(mine * ray).sum(1)
        says = torch.where(level.images["masks"][i][place] > settings.COVERED, 1.0, -1.0).to(
            normals
        )
        if "normals" in level.images:
            wanted = level.images["normals"][i][place].to(normals)
            known = wanted.norm(dim=1) > 0.5
            wanted = torch.nn.functional.normalize(wanted, dim=1)
            if target.two_sided:
                wanted = wanted * -torch.sign((wanted * ray).sum(1, keepdim=True))
            agree = ((mine * wanted).sum(1) - settings.NORMAL_DOUBT) * settings.NORMAL_SLOPE
            says = torch.where(known, torch.minimum(says, agree.clamp(-1, 1)), says)
        if "depth" in level.images:
            wanted = level.images["depth"][i][place].to(normals)
            off = (seen.depth[place].to(normals) - wanted).abs() * facing.abs() / scale
            agree = settings.DEPTH_DOUBT - off
            says = torch.where(wanted > 0, torch.minimum(says, agree.clamp(-1, 1)), says)
        weight = facing.clamp(min=0) ** 2
        both = torch.stack([says * weight, weight], 1).double()
        corner = template.faces[face].reshape(-1)
        total.index_add_(0, corner, both.repeat_interleave(3, 0))
    least = settings.LEAST_WEIGHT
    found = torch.where(total[:, 1] > least, total[:, 0] / total[:, 1].clamp(min=least), 0.0)
    return found.to(template.dtype)


def closed_masks(
    cameras: Camera,
    masks: Tensor,
    normals: Tensor,
    *,
    around: float = 0.0,
    least: float = settings.BACK_SHARE,
) -> Tensor:
    """Masks (N, H, W) of an open surface, in which gaps are filled: one looks in at one opening and
    out at another, and a template is closed there.

    A gap is a part of the background that does not reach the image's border.

    Args:
        around: share of the covered pixels around a gap that have to show the surface's back.
        least: share of all covered pixels that have to; the masks of others stay as they are.
    """
    inside = masks >= settings.COVERED
    n, h, w = inside.shape
    back = torch.zeros_like(inside)
    for i in range(n):
        _, ray = cameras[i].rays((h, w))
        back[i] = inside[i] & ((normals[i].to(ray) * ray).sum(-1) > settings.BACK_COSINE)
    if int(back.sum()) < least * int(inside.sum()):
        return masks
    number = torch.arange(n * h * w, device=masks.device).view(n, h, w)
    links, edges = [], []
    for axis, size in ((1, h), (2, w)):
        a, b = (number.narrow(axis, k, size - 1) for k in (0, 1))
        ia, ib = (inside.narrow(axis, k, size - 1) for k in (0, 1))
        links.append(torch.stack([a[~ia & ~ib], b[~ia & ~ib]], 1))
        edges.append(torch.stack([a[~ia & ib], b[~ia & ib]], 1))
        edges.append(torch.stack([b[~ib & ia], a[~ib & ia]], 1))
    part = connected_components(torch.cat(links), n * h * w)
    keep = torch.zeros(part.count, dtype=torch.bool, device=masks.device)
    for side in (number[:, 0], number[:, -1], number[:, :, 0], number[:, :, -1]):
        keep[part.labels[side.reshape(-1)]] = True
    rim = torch.cat(edges)
    owner = part.labels[rim[:, 0]]
    shown = torch.bincount(owner, minlength=part.count)
    backs = torch.bincount(owner[back.reshape(-1)[rim[:, 1]]], minlength=part.count)
    keep |= backs < around * shown
    return torch.where(keep[part.labels].view(n, h, w) | inside, masks, 1.0)


def open_template(target: Views, level: Level) -> Field:
    """The field (P, 3) -> (P,) of the best template for an open surface.

    There are several: the hull of the masks, carved by depth; with normals, hulls of masks whose
    gaps are filled, for a gap may be a view in at one opening and out at another, or a handle; with
    depth, a film through the points that were seen, for depth seen through an opening carves the
    hull away from within. Each is cut by its own `image_evidence`; the one that looks most like the
    images is kept.
    """
    fields: list[Field] = [target.hull.field]
    if "normals" in level.images and not target.two_sided:
        masks, normals = level.images["masks"], level.images["normals"]
        tried = [masks]
        for around in settings.GAP_RIMS:
            filled = closed_masks(level.cameras, masks, normals, around=around)
            if not any(torch.equal(filled, other) for other in tried):
                tried.append(filled)
        fields += [target.hull_of(m).field for m in tried[1:]]
    if "depth" in level.images:
        film = _film(target, level)
        fields += [] if film is None else [film]
    if len(fields) == 1:
        return fields[0]
    return fields[max(range(len(fields)), key=lambda k: _explained(target, fields[k]))]


def _film(target: Views, level: Level, most: int = settings.FILM_POINTS) -> Field | None:
    """A template through the points that depth shows, oriented by normals where those are known."""
    depth = level.images["depth"]
    points, normals = backproject(level.cameras, depth), None
    keep = facing(level.cameras, depth)[depth > 0] > settings.FILM_COSINE
    if "normals" in level.images and not target.two_sided:
        normals = level.images["normals"][depth > 0]
        keep &= normals.norm(dim=1) > 0.5
    chosen = torch.nonzero(keep)[:, 0]
    order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0))[:most]
    chosen = chosen[order.to(chosen.device)]
    if len(chosen) < settings.FILM_LEAST:
        return None
    cloud = FromPoints(points[chosen], None if normals is None else normals[chosen])
    return lambda query: cloud.shell(query, 0.0)[0]


def _explained(target: Views, field: Field, cells: int = settings.EXPLAIN_CELLS) -> float:
    """Share of the pixels covered in images, or by the cut template, that agree in the mask and in
    the normal or the depth."""
    grid = cubic_grid(cells, target.bounds, device=target.hull.distance.device)
    template = dual_marching_cubes(grid, field(grid.vertices))
    if template.num_faces == 0:
        return 0.0
    scale = max(grid.spacing)
    said = image_evidence(target, template, scale)
    msdf = torch.where(said == 0, settings.UNSEEN_MSDF, said).to(template.dtype)
    mesh = cut_mesh(template, msdf).mesh
    level = level_within(target.levels, settings.EVIDENCE_IMAGE)
    agree, covered = 0, 0
    for i in range(len(level.cameras)):
        seen = target.backend.rasterize(mesh, level.cameras[i], level.size)
        mask = level.images["masks"][i] >= settings.COVERED
        alike = mask & seen.mask
        if "normals" in level.images and mesh.num_faces and not target.two_sided:
            wanted = torch.nn.functional.normalize(level.images["normals"][i], dim=-1)
            normal = mesh.face_normals()[seen.face.clamp(min=0)]
            alike &= (normal * wanted).sum(-1) > settings.EXPLAIN_COSINE
        if "depth" in level.images:
            alike &= (seen.depth - level.images["depth"][i]).abs() < settings.EXPLAIN_DEPTH * scale
        either = mask | seen.mask
        if "known" in level.images:
            either &= level.images["known"][i]
        agree += int(alike.sum())
        covered += int(either.sum())
    return agree / max(1, covered)
