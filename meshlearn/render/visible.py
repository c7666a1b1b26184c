"""What is seen of a mesh whose materials are cut out in places: the nearest layer that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from meshlearn.render.backends import Backend
from meshlearn.render.camera import Camera
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import barycentric_changes
from meshlearn.render.materials import needs_cutting, opacity_cut
from meshlearn.render.rasterize import rasterize

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

LAYERS = 24  # at most, one behind the other; what is cut out there is drawn


class Pixels(NamedTuple):
    """The pixels of an image that see a mesh.

    Attributes:
        part: of them alone: face (P,), barycentric (P, 3), depth (P,).
        place: their places in the image, as tensors that index it.
        change: (P, 3, 2) as from `barycentric_derivatives`, without gradient.
    """

    part: Fragments
    place: tuple[Tensor, ...]
    change: Tensor


def pixels_of(
    mesh: Mesh,
    fragments: Fragments,
    cam: Camera,
    size: int | Sequence[int],
    chosen: Tensor | None = None,
) -> Pixels:
    """The pixels of `fragments` that see the mesh, of those `chosen` (…, H, W) bool."""
    place = torch.nonzero(fragments.mask if chosen is None else chosen, as_tuple=True)
    part = Fragments(*(t[place] for t in fragments))
    where = place if cam.batched else (torch.zeros_like(place[0]), *place)
    with torch.no_grad():
        view, row, col = where
        change = barycentric_changes(mesh.detach(), cam, size, part.face, (view, row, col))
    return Pixels(part, place, change)


def visible(mesh: Mesh, cam: Camera, size: int | Sequence[int], engine: Backend) -> Fragments:
    """`rasterize`, but through what materials cut out, see `opacity_cut`.

    Args:
        engine: who rasterises the first layer; those behind are our own rasteriser's.
    """
    fragments = engine.rasterize(mesh, cam, size)
    if not needs_cutting(mesh):
        return fragments
    own = engine.name if engine.name in ("native", "reference") else "native"
    chosen = fragments.mask
    for _ in range(LAYERS):
        seen = pixels_of(mesh, fragments, cam, size, chosen)
        through = torch.zeros_like(chosen)
        through[seen.place] = opacity_cut(mesh, seen.part, seen.change)
        if not bool(through.any()):
            break
        following = rasterize(mesh, cam, size, behind=fragments, backend=own)
        fragments = Fragments(
            torch.where(through, following.face, fragments.face),
            torch.where(through[..., None], following.barycentric, fragments.barycentric),
            torch.where(through, following.depth, fragments.depth),
        )
        chosen = through & fragments.mask
    return fragments
