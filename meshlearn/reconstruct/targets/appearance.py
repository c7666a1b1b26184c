"""The colours of a shape that is being fitted: an albedo in space, under one light."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.render import Camera, fit_sh_light, interpolate, sh_light
from meshlearn.render.fragments import Fragments
from meshlearn.render.shading import surface_normals


class Appearance:
    """Albedo on a grid in space, and the light that it is seen under.

    Args:
        bounds: (2, 3) box that holds the surface.
        light: "sh" or "none", see `FromImages`.
        resolution: samples of the albedo along each side of the box.
    """

    def __init__(
        self,
        bounds: Tensor,
        *,
        light: str = "sh",
        resolution: int = settings.ALBEDO_CELLS,
        device: torch.device | str = "cpu",
    ) -> None:
        extent = (bounds[1] - bounds[0]).clamp(min=1e-12)
        self.low = (bounds[0] - settings.ALBEDO_MARGIN * extent).float().to(device)
        self.high = (bounds[1] + settings.ALBEDO_MARGIN * extent).float().to(device)
        self.light = light
        n = resolution
        # as a logarithm, so that it stays positive and one step of it is one share
        self.albedo = torch.zeros(1, 3, n, n, n, device=device, requires_grad=True)

    def parameters(self) -> dict[str, Tensor]:
        """The albedo, by name."""
        return {"albedo": self.albedo}

    def at(self, points: Tensor) -> Tensor:
        """(P, 3) albedo at (P, 3) points."""
        where = ((points.float() - self.low) / (self.high - self.low) * 2 - 1).flip(1)
        found = torch.nn.functional.grid_sample(
            self.albedo, where[None, :, None, None], align_corners=True, padding_mode="border"
        )
        return found[0, :, :, 0, 0].T.exp().to(points)

    def shade(
        self, mesh: Mesh, fragments: Fragments, cams: Camera, colors: Tensor, masks: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Colours (…, 3) of what is seen, and a regulariser of the albedo.

        Args:
            fragments: (N, H, W).
            cams: N cameras; the back of a face is lit like its front.
            colors: (N, H, W, 3) what should be seen, which the light is found from.
            masks: (N, H, W).
        """
        place = torch.nonzero(fragments.mask, as_tuple=True)
        part = Fragments(*(t[place][None] for t in fragments))
        position = interpolate(mesh.vertices, part, mesh.faces)[0]
        albedo = self.at(position)
        if self.light == "sh":
            normal = surface_normals(mesh, part, smooth=True)[0]
            flat = surface_normals(mesh.detach(), part, smooth=False)[0]
            ray = cams.rays(tuple(fragments.face.shape[1:3]))[1][place].to(flat)
            normal = torch.where((flat * ray).sum(1, keepdim=True) > 0, -normal, normal)
            with torch.no_grad():
                sure = masks[place] > settings.SURELY_COVERED
                light = fit_sh_light(
                    normal[sure], albedo[sure], colors[place][sure][:, :3].to(albedo)
                )
            albedo = sh_light(normal, albedo, light)
        else:
            albedo = settings.UNLIT * albedo
        image = albedo.new_zeros(*fragments.face.shape, 3).index_put(place, albedo)
        return image, {}
