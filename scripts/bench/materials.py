"""Metal-rough shading under a panorama: how near the split sum is to a path tracer, by metal and
roughness (Mitsuba 3, where it is installed: `pip install mitsuba`); what a picture of 512² takes.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from _common import Bench, main, optional, version

import meshlearn as ml
from meshlearn.io import Looks, Material
from meshlearn.render.environment import texel_directions

BASE = (0.8, 0.5, 0.2)
EYE, FOV = (0.4, 0.3, 3.0), 45.0


def panorama(rows: int = 128) -> torch.Tensor:
    """A sky and three lamps of different sizes and colours, (H, W, 3)."""
    at = texel_directions(rows, 2 * rows)
    sky = 0.4 + 0.3 * at[..., 1].clamp(min=0)
    out = torch.stack((0.9 * sky, sky, 1.15 * sky), -1)
    lamps = (
        ((0.5, 0.7, 0.5), (6, 5.5, 5), 60),
        ((-0.9, 0.2, 0.3), (2, 3, 5), 25),
        ((0, -0.3, 1), (1.5, 0.6, 0.3), 10),
    )
    for way, color, narrow in lamps:
        to = torch.tensor(way, dtype=torch.float64)
        glow = torch.exp(narrow * (at @ (to / to.norm()) - 1))
        out = out + glow[..., None] * torch.tensor(color, dtype=torch.float64)
    return out.float()


def ball(levels: int, metallic: float, roughness: float) -> ml.Mesh:
    mesh = ml.data.shapes.icosphere(levels)
    made = ml.Mesh(
        mesh.vertices,
        mesh.faces,
        face_attributes={"material": torch.zeros(mesh.num_faces, dtype=torch.int64)},
    )
    material = Material("it")
    material.looks = Looks(base_color=BASE, metallic=metallic, roughness=roughness)
    made.materials = (material,)
    return made


def traced(mi, texels: torch.Tensor, metallic: float, roughness: float, size: int, samples: int):  # type: ignore[no-untyped-def]
    """Mitsuba's picture (H, W, 3) of the sphere, in linear light: its panoramas begin at -z."""
    turned = np.ascontiguousarray(np.roll(texels.numpy(), -texels.shape[1] // 2, 1))
    color = {"type": "rgb", "value": list(BASE)}
    surface = {
        "type": "principled", "base_color": color, "roughness": roughness, "metallic": metallic,
    }  # fmt: skip
    film = {
        "type": "hdrfilm", "width": size, "height": size, "rfilter": {"type": "box"},
        "pixel_format": "rgb",
    }  # fmt: skip
    to_world = mi.ScalarTransform4f().look_at(origin=list(EYE), target=[0, 0, 0], up=[0, 1, 0])
    scene = {
        "type": "scene",
        "integrator": {"type": "direct"},
        "light": {"type": "envmap", "bitmap": mi.Bitmap(turned)},
        "ball": {"type": "sphere", "bsdf": surface},
        "sensor": {
            "type": "perspective", "fov": FOV, "to_world": to_world, "film": film,
            "sampler": {"type": "independent", "sample_count": samples},
        },
    }  # fmt: skip
    return np.array(mi.render(mi.load_dict(scene)))


def nearness(bench: Bench, texels: torch.Tensor) -> None:
    """A row a cell: mean error of sRGB, and its sign, within the silhouette."""
    mi = optional("mitsuba")
    if mi is None:
        bench.value("a ball beside a path tracer", peer="mitsuba", note="peer not installed")
        return
    mi.set_variant("scalar_rgb")
    size, samples = (48, 64) if bench.quick else (96, 256)
    light, cam = ml.EnvironmentLight(texels), ml.Camera.look_at(EYE, fov=FOV)
    for metallic in (0.0, 0.5, 1.0):
        for rough in (0.1, 0.3, 0.5, 0.7, 1.0):
            found = ml.render(
                ball(5, metallic, rough), cam, size, channels=("shaded", "mask"), light=light
            )
            truth = torch.from_numpy(traced(mi, texels, metallic, rough, size, samples))
            truth = ml.render.tone_mapped(truth)
            inner = -torch.nn.functional.max_pool2d(-found["mask"][None], 5, 1, 2)[0] > 0
            off = (found["shaded"] - truth)[inner]
            bench.value(
                f"a ball, metallic {metallic}, roughness {rough}",
                peer=version("mitsuba"),
                mean_error=float(off.abs().mean()),
                bias=float(off.mean()),
                psnr_db=-10 * math.log10(float(off.square().mean())),
            )


def speed(bench: Bench, texels: torch.Tensor) -> None:
    size = 128 if bench.quick else 512
    mesh = ball(4 if bench.quick else 6, 0.5, 0.4)  # 82 thousand faces
    cam = ml.Camera.look_at((0, 0, 2.6), fov=FOV)
    fragments = ml.rasterize(mesh, cam, size)
    seen = fragments.mask
    place = torch.nonzero(seen, as_tuple=True)
    position = ml.interpolate(mesh.vertices, fragments, mesh.faces)[place]
    normal = position / position.norm(dim=1, keepdim=True)
    view = torch.tensor([0, 0, 2.6]) - position
    view = view / view.norm(dim=1, keepdim=True)
    light = texels.clone().requires_grad_()
    base = torch.rand(len(normal), 3, requires_grad=True)
    rough = torch.full((len(normal),), 0.4, requires_grad=True)

    def forward() -> torch.Tensor:
        surface = ml.render.Surface.of(base, 0.5)._replace(roughness=rough)
        return ml.render.shade(surface, normal, view, ml.EnvironmentLight(light))

    def both() -> None:
        forward().square().sum().backward()

    bench.compare(f"shade {len(normal):,} pixels of {size}²", forward)
    bench.compare(f"shade {len(normal):,} pixels of {size}², with gradients", both)

    def whole() -> None:
        moved = mesh.with_vertices(mesh.vertices.clone().requires_grad_())
        lit = ml.render(moved, cam, size, channels=("shaded",), light=ml.EnvironmentLight(light))
        lit["shaded"].square().sum().backward()

    bench.compare(f"render {mesh.num_faces:,} faces at {size}², with gradients", whole)


def run(bench: Bench) -> None:
    nearness(bench, panorama())
    speed(bench, panorama(64))


if __name__ == "__main__":
    main(run)
