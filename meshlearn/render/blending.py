"""Transparent materials: layers from front to back, each over what is behind it.

Of a layer with opacity a and light c, in linear light, over light b: ``a c + (1 - a) b`` (the
operator "over" of Porter and Duff, 1984, which glTF 2.0 asks for, 3.9.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from meshlearn.render.backends import Backend
from meshlearn.render.camera import Camera
from meshlearn.render.color_space import to_linear, to_srgb
from meshlearn.render.fragments import Fragments
from meshlearn.render.materials import opacity_of
from meshlearn.render.rasterize import rasterize
from meshlearn.render.visible import LAYERS, pixels_of

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

LEAST = 1 / 1024  # of the light from behind a layer, below which nothing is looked for there


class Layer(NamedTuple):
    """What is seen one behind the other.

    Attributes:
        fragments: of the pixels that are still looked through; others see nothing in it.
        opacity: (…, H, W), 0 where nothing is seen.
    """

    fragments: Fragments
    opacity: Tensor


class Blend(NamedTuple):
    """Layers together.

    Attributes:
        color: (…, H, W, 3) sRGB of what is seen, without what is behind it all; 0 where nothing is.
        cover: (…, H, W), the share of it: 1 - cover is seen through.
    """

    color: Tensor
    cover: Tensor

    def over(self, background: Tensor) -> Tensor:
        """(…, H, W, 3) in front of one colour (3,), sRGB."""
        share = self.cover[..., None]
        light = share * to_linear(self.color) + (1 - share) * to_linear(background)
        return torch.where(share < 1, to_srgb(light), self.color)


def peeled(mesh: Mesh, cam: Camera, size: int | Sequence[int], engine: Backend) -> Iterator[Layer]:
    """The layers of a mesh up to the first opaque one at each pixel, `LAYERS` at most.

    Args:
        engine: who rasterises the first; those behind are our own rasteriser's.
    """
    own = engine.name if engine.name in ("native", "reference") else "native"
    fragments = engine.rasterize(mesh, cam, size)
    through, light = fragments.mask, torch.ones_like(fragments.depth)
    for number in range(LAYERS):
        if number and not bool(through.any()):
            return
        shown = Fragments(
            torch.where(through, fragments.face, -1),
            torch.where(through[..., None], fragments.barycentric, 0.0),
            torch.where(through, fragments.depth, 0.0),
        )
        seen = pixels_of(mesh, shown, cam, size)
        opacity = torch.zeros_like(light)
        if len(seen.part.face):
            opacity = opacity.index_put(seen.place, opacity_of(mesh, seen.part, seen.change))
        yield Layer(shown, opacity)
        light = light * (1 - opacity.detach())
        fragments = rasterize(mesh, cam, size, behind=fragments, backend=own)
        through = through & (light > LEAST) & fragments.mask


def composite(found: Iterable[Layer], paint: Callable[[Fragments], Tensor]) -> Blend:
    """Layers, from front to back, with the colours that `paint` gives each, (…, H, W, 3) sRGB.

    Pixels whose first layer is opaque have its colour as it is.
    """
    light = cover = first = whole = None
    for layer in found:
        color = paint(layer.fragments)
        if light is None or cover is None:
            light, cover = torch.zeros_like(color), torch.zeros_like(layer.opacity)
            first, whole = color, layer.opacity >= 1
        share = (1 - cover) * layer.opacity
        light = light + share[..., None] * to_linear(color)
        cover = cover + share
    assert light is not None and cover is not None and first is not None and whole is not None
    mixed = to_srgb(light / cover.clamp(min=1e-6)[..., None])
    return Blend(torch.where(whole[..., None], first, mixed), torch.where(whole, 1.0, cover))
