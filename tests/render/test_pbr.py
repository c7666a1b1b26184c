"""Metal-rough shading: energy, known values, gradients, and materials as meshes have them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn.io import Looks, Material, Texture
from meshlearn.render.environment import EnvironmentLight, texel_directions
from meshlearn.render.pbr import Surface, _row, shade, smith, split_sum, tone_mapped


def unit(count: int, seed: int, dtype=torch.float64) -> torch.Tensor:
    found = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return found / found.norm(dim=1, keepdim=True)


def seen(count: int, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Normals and views on their side, at all angles."""
    n, v = unit(count, 0, dtype), unit(count, 1, dtype)
    return n, torch.where((n * v).sum(1, keepdim=True) < 0, -v, v)


@pytest.mark.parametrize("roughness", [0.0, 0.1, 0.35, 0.7, 1.0])
def test_white_furnace(roughness):
    """A white dielectric in constant light sends out what it gets, a white metal no more."""
    n, v = seen(500)
    light = EnvironmentLight.constant().to(torch.float64)
    white = Surface.of(torch.ones(500, 3, dtype=torch.float64), 0.0, roughness)
    assert torch.allclose(shade(white, n, v, light), torch.ones(1, dtype=torch.float64), atol=1e-3)
    metal = shade(white._replace(metallic=white.roughness * 0 + 1), n, v, light)
    assert float(metal.max()) < 1.001
    if roughness <= 0.35:
        clear = (n * v).sum(1) > 0.2
        assert float(metal[clear].min()) > 0.85  # what is lost is scattered more than once


@pytest.mark.parametrize("roughness", [0.08, 0.3, 0.6, 1.0])
def test_the_table_is_the_integral(roughness):
    """Against a direct sum over directions of light, of another kind of points."""
    cosine = torch.tensor([0.1, 0.3, 0.6, 0.95], dtype=torch.float64)
    found = split_sum(cosine, torch.full_like(cosine, roughness))
    fine = _row(roughness, cosine, (1024, 512))
    assert float((found - fine).abs().max()) < 4e-3
    if roughness < 0.3:
        return  # too narrow for the sum below
    count, a2 = 700, roughness**4
    z = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    turn = torch.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count
    flat = (1 - z * z).sqrt()
    light = torch.stack(
        [flat[:, None] * turn.cos(), flat[:, None] * turn.sin(), z[:, None].expand(count, count)], 2
    )
    for c, (scale, bias) in zip(cosine.tolist(), found.tolist(), strict=True):
        view = torch.tensor([(1 - c * c) ** 0.5, 0, c], dtype=torch.float64)
        half = light + view
        half = half / half.norm(dim=2, keepdim=True)
        toward = half @ view
        density = a2 / torch.pi / ((half[..., 2] ** 2) * (a2 - 1) + 1) ** 2
        open_ = smith(torch.tensor(c), a2) * smith(light[..., 2], a2)
        gain = density * open_ / (4 * c)
        fresnel = (1 - toward) ** 5
        mean = [float((w * gain).mean() * 2 * torch.pi) for w in (1 - fresnel, fresnel)]
        assert [scale, bias] == pytest.approx(mean, abs=6e-3)


@pytest.mark.parametrize(
    ("roughness", "traced"),
    [
        (0.3, (0.787, 0.796, 0.787, 0.788, 0.775)),
        (0.7, (0.548, 0.551, 0.550, 0.549, 0.602)),
        (1.0, (0.242, 0.251, 0.258, 0.295, 0.411)),
    ],
)
def test_metals_reflect_what_a_path_tracer_finds(roughness, traced):
    """A ball of metal 0.8 in constant light; Mitsuba 3.9.1, principled, 2,000 samples a pixel."""
    across = torch.arange(0, 21, 5, dtype=torch.float64) / 20.5
    cosine = (1 - across**2).sqrt()
    scale, bias = split_sum(cosine, torch.full_like(cosine, roughness)).unbind(1)
    assert (0.8 * scale + bias).tolist() == pytest.approx(traced, abs=0.015)


def test_matte_surfaces_are_their_colour_times_the_irradiance():
    texels = (1 + texel_directions(32, 64)[..., 1:2]).expand(-1, -1, 3).contiguous()
    n, v = seen(50)
    base = torch.rand(50, 3, dtype=torch.float64)
    full = shade(Surface.of(base, 0.0, 1.0), n, v, EnvironmentLight(texels))
    black = shade(Surface.of(0 * base, 0.0, 1.0), n, v, EnvironmentLight(texels))
    ratio = (full - black) / base / (1 + 2 / 3 * n[:, 1:2])
    assert float(ratio.min()) > 0.8 and float(ratio.max()) < 1.01


def test_metals_reflect_their_colour_and_occlusion_and_emission_do_what_they_say():
    n = torch.tensor([[0.0, 0, 1]], dtype=torch.float64)
    light = EnvironmentLight.constant(2.0).to(torch.float64)
    gold = Surface.of(torch.tensor([[0.9, 0.6, 0.2]], dtype=torch.float64), 1.0, 0.1)
    out = shade(gold, n, n, light)
    assert out[0].tolist() == pytest.approx([1.8, 1.2, 0.4], rel=0.01)
    half = gold._replace(occlusion=gold.occlusion * 0.5, emissive=gold.base * 0 + 0.25)
    assert torch.allclose(shade(half, n, n, light), out / 2 + 0.25)


def test_gradcheck():
    n, v = seen(4)
    n.requires_grad_()
    v.requires_grad_()
    generator = torch.Generator().manual_seed(3)
    base, emissive = (
        torch.rand(4, 3, generator=generator, dtype=torch.float64).requires_grad_() for _ in "ab"
    )
    rest = [torch.rand(4, generator=generator, dtype=torch.float64) for _ in "abc"]
    rest = [(0.1 + 0.8 * r).requires_grad_() for r in rest]
    texels = torch.rand(4, 8, 3, generator=generator, dtype=torch.float64).requires_grad_()

    def of(n, v, base, emissive, metallic, roughness, occlusion, texels):
        n, v = (x / x.norm(dim=1, keepdim=True) for x in (n, v))
        surface = Surface(base, metallic, roughness, occlusion, emissive)
        return shade(surface, n, v, EnvironmentLight(texels))

    given = (n, v, base, emissive, *rest, texels)
    assert torch.autograd.gradcheck(of, given, atol=1e-6, fast_mode=True)


def test_a_material_is_found_from_what_is_seen_of_it():
    n, v = seen(4000, torch.float32)
    light = EnvironmentLight(
        (0.3 + 4 * (texel_directions(64, 128)[..., 1:2] > 0.8))
        .float()
        .expand(-1, -1, 3)
        .contiguous()
    )
    base = torch.tensor([0.7, 0.4, 0.2]).expand(4000, 3)
    goal = shade(Surface.of(base, 0.8, 0.3), n, v, light)
    inner = torch.zeros(5, requires_grad=True)
    optimizer = torch.optim.Adam([inner], lr=0.1)
    for _ in range(150):
        found = torch.sigmoid(inner)
        one = torch.ones(4000)
        surface = Surface(found[:3].expand(4000, 3), found[3] * one, found[4] * one, one, 0 * base)
        loss = (shade(surface, n, v, light) - goal).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.sigmoid(inner).tolist() == pytest.approx([0.7, 0.4, 0.2, 0.8, 0.3], abs=0.03)


def ball(looks: Looks, images: dict[str, bytes] | None = None) -> ml.Mesh:
    mesh = ml.data.shapes.icosphere(4)
    x, y, z = mesh.vertices.unbind(1)
    uv = torch.stack((0.5 + torch.atan2(x, z) / 6.4, 0.5 + torch.asin(y) / 3.2), 1)
    made = ml.Mesh(
        mesh.vertices, mesh.faces, vertex_attributes={"uv": uv},
        face_attributes={"material": torch.zeros(mesh.num_faces, dtype=torch.int64)},
    )  # fmt: skip
    material = Material("it")
    material.looks, material.images = looks, images or {}
    made.materials = (material,)
    return made


def png(color) -> bytes:
    table = np.zeros((8, 8, 3), np.uint8) + np.array(color, np.uint8)
    out = io.BytesIO()
    Image.fromarray(table).save(out, "PNG")
    return out.getvalue()


TO_LAMP = torch.tensor([0.3, 0.6, 0.742], dtype=torch.float64)
GLOW = 0.2 + 2 * torch.exp(9 * (texel_directions(32, 64) @ TO_LAMP - 1))
LIGHT = EnvironmentLight(GLOW[..., None].float().expand(-1, -1, 3).contiguous())
CAM = ml.Camera.look_at((0.3, 0.4, 3.0))
CAM_SET = ml.Camera.orbit(2)


def picture(mesh: ml.Mesh, **more) -> torch.Tensor:
    return ml.render(mesh, CAM, 48, channels=("shaded",), light=LIGHT, **more)["shaded"]


def test_textures_say_what_factors_say():
    plain = Looks(base_color=(1.0, 1.0, 1.0), metallic=1.0, roughness=0.4)
    by_image = Looks(
        base_color=(1.0, 1.0, 1.0),
        metallic_texture=Texture("m.png"),
        roughness_texture=Texture("m.png"),
    )
    made = picture(ball(by_image, {"m.png": png((0, 102, 255))}))  # green 0.4, blue 1
    assert torch.allclose(made, picture(ball(plain)), atol=1e-5)
    matte = picture(ball(Looks(base_color=(1.0, 1.0, 1.0))))
    assert float((made - matte).abs().max()) > 0.1


def test_emission_occlusion_and_unlit():
    glow = picture(ball(Looks(base_color=(0.0, 0.0, 0.0), emissive=(0.0, 0.25, 0.0))))
    dark = picture(ball(Looks(base_color=(0.0, 0.0, 0.0))))
    assert float((glow - dark)[24, 24, 1]) > 0.2 and float((glow - dark)[24, 24, 0]) == 0
    shut = Looks(base_color=(1.0, 1.0, 1.0), occlusion_texture=Texture("o.png", strength=1.0))
    assert float(picture(ball(shut, {"o.png": png((0, 0, 0))})).max()) == 0
    flat = picture(ball(Looks(base_color=(0.5, 0.5, 0.5), unlit=True)))
    assert float(flat[24, 24, 0]) == pytest.approx(0.735, abs=0.01)  # sRGB of 0.5


def test_normal_maps_turn_normals_along_texture_coordinates():
    looks = Looks(base_color=(1.0, 1.0, 1.0), roughness=1.0, normal_texture=Texture("n.png"))
    even = picture(ball(looks, {"n.png": png((128, 128, 255))}))
    none = picture(ball(Looks(base_color=(1.0, 1.0, 1.0), roughness=1.0)))
    assert float((even - none).abs().max()) < 0.02
    # the lamp is to the right and above: normals that lean to the right along u are lit more
    right = picture(ball(looks, {"n.png": png((200, 128, 230))}))
    left = picture(ball(looks, {"n.png": png((55, 128, 230))}))
    above = picture(ball(looks, {"n.png": png((128, 200, 230))}))
    below = picture(ball(looks, {"n.png": png((128, 55, 230))}))
    assert float(right[24, 24, 0]) > float(left[24, 24, 0]) + 0.05
    assert float(above[24, 24, 0]) > float(below[24, 24, 0]) + 0.05


def test_batches_backs_and_gradients_of_vertices():
    mesh = ball(Looks(base_color=(0.8, 0.8, 0.8), metallic=0.5, roughness=0.3))
    cams = ml.Camera.orbit(3)
    images = ml.render(mesh, cams, 32, channels=("shaded",), light=LIGHT)["shaded"]
    for i in range(3):
        one = ml.render(mesh, cams[i], 32, channels=("shaded",), light=LIGHT)["shaded"]
        assert torch.allclose(images[i], one, atol=1e-6)
    inside_out = mesh.flip_faces() if hasattr(mesh, "flip_faces") else None
    if inside_out is not None:
        back = ml.render(inside_out, cams, 32, channels=("shaded",), light=LIGHT)["shaded"]
        assert torch.allclose(back, images, atol=1e-3)
    moved = mesh.vertices.clone().requires_grad_()
    ml.render(
        mesh.with_vertices(moved), CAM, 32, channels=("shaded",), light=LIGHT
    )["shaded"].sum().backward()  # fmt: skip
    assert bool(torch.isfinite(moved.grad).all()) and float(moved.grad.abs().max()) > 0


def test_pictures_show_what_is_only_metal_or_has_only_a_normal_map():
    lamp = ml.render.Illumination(LIGHT)
    plain = ml.render.shaded_view(ball(Looks()), CAM, 48, light=lamp)
    for looks in (
        Looks(metallic=1.0, roughness=0.2),
        Looks(normal_texture=Texture("n.png")),
        Looks(base_color=(1.0, 1.0, 1.0), metallic=1.0, roughness=0.2),
    ):
        made = ball(looks, {"n.png": png((200, 128, 230))})
        assert float((ml.render.shaded_view(made, CAM, 48, light=lamp) - plain).abs().max()) > 0.1
        views = [
            ml.render.render_images(m, CAM_SET, size=32, light=lamp).colors
            for m in (made, ball(Looks()))
        ]
        assert float((views[0] - views[1]).abs().max()) > 0.1


def test_tones():
    linear = torch.tensor([0.0, 0.18, 1.0, 4.0])
    clip = tone_mapped(linear)
    assert clip.tolist() == pytest.approx([0, 0.4613, 1, 1], abs=1e-3)
    assert torch.equal(tone_mapped(linear, exposure=0.25)[3], clip[2])
    for tone in ("reinhard", "filmic"):
        found = tone_mapped(linear, tone=tone)
        assert bool((found[1:] > found[:-1]).all()) and float(found[-1]) < 1
    with pytest.raises(ValueError, match="tone: "):
        tone_mapped(linear, tone="aces")
    with pytest.raises(ValueError, match="exposure: "):
        tone_mapped(linear, exposure=0.0)


def test_bad_shapes():
    n, v = seen(3)
    light = EnvironmentLight.constant().to(torch.float64)
    with pytest.raises(ValueError, match="view: "):
        shade(Surface.of(torch.rand(3, 3).double()), n, v[:2], light)
    with pytest.raises(ValueError, match="base: "):
        shade(Surface.of(torch.rand(3, 3)), n, v, light)
