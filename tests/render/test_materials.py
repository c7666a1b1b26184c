"""What materials show: factors, textures and their placing, vertex colours, cut-outs."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn import Camera
from meshlearn.io import Looks, Material, Texture
from meshlearn.mesh import cat
from meshlearn.render import render, render_images, shaded_view
from meshlearn.render.color_space import to_linear, to_srgb
from meshlearn.render.decoded import decoded
from meshlearn.render.materials import has_looks

CAM = Camera.look_at((0.5, 0.5, 3.0), (0.5, 0.5, 0.0), fov=30.0)  # sees the quad and around it
TEXELS = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255]],
        [[255, 255, 255], [10, 60, 130], [0, 0, 0]],
    ],
    np.uint8,
)  # row 0 at the top, v = 1


def png(texels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(texels).save(stream, format="PNG", **options)
    return stream.getvalue()


def encoded(linear: float | np.ndarray) -> np.ndarray:
    """sRGB of linear light, as IEC 61966-2-1 has it."""
    x = np.asarray(linear, np.float64)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-12) ** (1 / 2.4) - 0.055)


def linear(srgb: float | np.ndarray) -> np.ndarray:
    x = np.asarray(srgb, np.float64)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def quad(
    looks: Looks | None, image: bytes | None = None, *, z: float = 0.0, uv: str = "uv", **vertex
) -> ml.Mesh:
    """The unit square in the plane at z, whose coordinates are x and y."""
    corners = torch.tensor([[0.0, 0, z], [1, 0, z], [1, 1, z], [0, 1, z]])
    images = {} if image is None else {"t.png": image}
    given = Material("m", {}, looks, images)
    return ml.Mesh(
        corners,
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        vertex_attributes={uv: corners[:, :2].clone(), **vertex},
        face_attributes={"material": torch.zeros(2, dtype=torch.int64)},
        materials=[given],
    )


def seen(mesh: ml.Mesh, **options) -> tuple[np.ndarray, np.ndarray]:
    """(P, 3) colours of the pixels that see the mesh, and (P, 2) where on the plane they see it."""
    out = render(mesh, CAM, 64, channels=("mask", "color", "position"), **options)
    mask = out["mask"] > 0
    return out["color"][mask].double().numpy(), out["position"][mask][:, :2].double().numpy()


def sampled(texels: np.ndarray, uv: np.ndarray, wrap=("repeat", "repeat"), *, nearest=False):
    """Bilinear lookups (P, 3) in linear light, written out texel by texel."""
    rows, columns = texels.shape[:2]
    light = linear(texels / 255)

    def fold(index: np.ndarray, size: int, kind: str) -> np.ndarray:
        if kind == "repeat":
            return index % size
        if kind == "mirror":
            index = index % (2 * size)
            return np.where(index >= size, 2 * size - 1 - index, index)
        return index.clip(0, size - 1)

    x, y = uv[:, 0] * columns - 0.5, (1 - uv[:, 1]) * rows - 0.5
    if nearest:
        x, y = np.floor(x + 0.5), np.floor(y + 0.5)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    out = np.zeros((len(uv), 3))
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            r = fold(top + dy, rows, wrap[1])
            c = fold(left + dx, columns, wrap[0])
            out += wy * wx * light[r, c]
    return out


def test_colour_spaces_are_each_other_s_inverse():
    x = torch.linspace(-0.1, 1.2, 1000, dtype=torch.float64)
    assert (to_linear(to_srgb(x)) - x).abs().max() < 1e-7  # the standard's own rounding of the knee
    known = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    assert np.allclose(to_linear(known), [0, 0.214041, 1], atol=1e-6)
    assert np.allclose(to_srgb(known), [0, 0.735357, 1], atol=1e-6)
    leaf = torch.zeros(1, requires_grad=True)
    to_srgb(to_linear(leaf)).sum().backward()
    assert float(leaf.grad) == pytest.approx(1)


def test_a_factor_is_linear_light():
    color, _ = seen(quad(Looks(base_color=(0.5, 0.2, 1.0))))
    assert np.abs(color - encoded([0.5, 0.2, 1.0])).max() < 1e-5


def test_a_texture_is_mixed_in_linear_light():
    color, place = seen(quad(Looks(base_texture=Texture("t.png")), png(TEXELS)))
    assert np.abs(color - encoded(sampled(TEXELS, place))).max() < 1e-4
    # halfway between black and white is not the mean of their numbers
    pair = np.array([[[0] * 3, [255] * 3]], np.uint8)
    color, place = seen(quad(Looks(base_texture=Texture("t.png")), png(pair)))
    middle = np.abs(place[:, 0] - 0.5) < 0.02
    assert middle.any() and np.abs(color[middle] - encoded(0.5)).max() < 0.04


def test_factor_texture_and_vertex_colours_multiply():
    tint = torch.tensor([[51, 102, 204], [51, 102, 204], [51, 102, 204], [51, 102, 204]])
    looks = Looks(base_color=(0.5, 1.0, 0.25), base_texture=Texture("t.png"))
    mesh = quad(looks, png(TEXELS), color=tint.to(torch.uint8))
    color, place = seen(mesh)
    light = sampled(TEXELS, place) * [0.5, 1, 0.25] * linear(tint[0].numpy() / 255)
    assert np.abs(color - encoded(light)).max() < 1e-4


def test_vertex_colours_alone_stay_as_they_are():
    tint = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
    white = quad(Looks(base_color=(1.0, 1.0, 1.0)), color=tint)
    bare = ml.Mesh(white.vertices, white.faces, vertex_attributes={"color": tint})
    assert np.abs(seen(white)[0] - seen(bare)[0]).max() < 1e-5


WRAPS = ("repeat", "clamp", "mirror")


@pytest.mark.parametrize("wrap", [(u, v) for u in WRAPS for v in WRAPS])
def test_each_axis_goes_on_in_its_own_way(wrap):
    texture = Texture("t.png", offset=(-1.25, -1.5), scale=(3.5, 4.0), wrap=wrap)
    color, place = seen(quad(Looks(base_texture=texture), png(TEXELS)))
    place = place * [3.5, 4.0] + [-1.25, -1.5]
    assert np.abs(color - encoded(sampled(TEXELS, place, wrap))).max() < 1e-3


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.3])
def test_textures_are_placed_by_offset_rotation_and_scale(turn):
    texture = Texture("t.png", offset=(0.2, -0.1), scale=(0.5, 1.5), rotation=turn)
    color, place = seen(quad(Looks(base_texture=texture), png(TEXELS)))
    u, v = (place * [0.5, 1.5]).T
    c, s = np.cos(turn), np.sin(turn)
    place = np.stack([0.2 + c * u - s * v, -0.1 + s * u + c * v], 1)
    assert np.abs(color - encoded(sampled(TEXELS, place))).max() < 1e-3


def test_a_texture_without_interpolation_shows_its_texels():
    texture = Texture("t.png", nearest=True)
    color, place = seen(quad(Looks(base_texture=texture), png(TEXELS)))
    assert np.abs(color - encoded(sampled(TEXELS, place, nearest=True))).max() < 1e-5


def test_second_texture_coordinates():
    texture = Texture("t.png", uv=1)
    zero = torch.zeros(4, 2)
    first = quad(Looks(base_texture=texture), png(TEXELS), uv="uv1", uv_=zero)
    first.vertex_attributes["uv"] = first.vertex_attributes.pop("uv_")
    color, place = seen(first)
    assert np.abs(color - encoded(sampled(TEXELS, place))).max() < 1e-4


def test_far_textures_are_means_in_linear_light():
    board = ((np.indices((512, 512)).sum(0) % 2) * 255).astype(np.uint8)[..., None].repeat(3, 2)
    color, _ = seen(quad(Looks(base_texture=Texture("t.png")), png(board)))
    assert np.abs(color - encoded(0.5)).max() < 0.01


def test_several_materials_on_one_mesh():
    red = quad(Looks(base_color=(1.0, 0.0, 0.0)))
    image = quad(Looks(base_texture=Texture("t.png")), png(TEXELS[:, :1] * 0 + 77))
    none = quad(None)
    both = cat([m.with_vertices(m.vertices + 1.2 * k * torch.tensor([1.0, 0, 0]))
                for k, m in enumerate((red, image, none))]).mesh  # fmt: skip
    both.face_attributes["material"][-1] = -1
    cam = Camera.look_at((1.7, 0.5, 8.0), (1.7, 0.5, 0.0), fov=30.0)
    out = render(both, cam, 64, channels=("face", "color"), default_color=(0.1, 0.2, 0.3))
    wanted = [[1.0, 0, 0]] * 2 + [[77 / 255] * 3] * 2 + [[0.1, 0.2, 0.3]] * 2
    color = out["color"][out["face"] >= 0]
    assert torch.allclose(color, torch.tensor(wanted)[out["face"][out["face"] >= 0]], atol=1e-5)
    assert set(out["face"].unique().tolist()) == {-1, 0, 1, 2, 3, 4, 5}


def holed(cut: int = 40) -> bytes:
    """Blue, whose left half has the opacity `cut` of 255."""
    texels = np.zeros((8, 8, 4), np.uint8)
    texels[..., 2], texels[..., 3] = 255, 255
    texels[:, :4, 3] = cut
    return png(texels)


def stacked(front: ml.Mesh) -> ml.Mesh:
    return cat([front, quad(Looks(base_color=(1.0, 0.0, 0.0)), z=-1.0)]).mesh


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_mask_is_looked_through_in_every_channel(backend):
    looks = Looks(base_texture=Texture("t.png", nearest=True), alpha_mode="MASK")
    mesh = stacked(quad(looks, holed()))
    mesh.vertices[4:, :2] = 3 * mesh.vertices[4:, :2] - 1  # a wall behind all of it
    names = ("mask", "color", "position", "depth", "face", "normal", "shaded")
    out = render(mesh, CAM, 64, channels=names, backend=backend)
    spot = render(quad(None), CAM, 64, channels=("mask", "position"))
    here = spot["mask"] > 0
    left = here & (spot["position"][..., 0] < 0.5)
    assert left.any() and (here & ~left).any() and (out["mask"] == 1).all()
    assert (out["face"][left] >= 2).all() and (out["face"][here & ~left] < 2).all()
    assert torch.allclose(out["depth"][left], torch.tensor(4.0))
    assert torch.allclose(out["depth"][here & ~left], torch.tensor(3.0))
    assert torch.allclose(out["color"][left], torch.tensor([1.0, 0, 0]), atol=1e-5)
    assert torch.allclose(out["color"][here & ~left], torch.tensor([0, 0, 1.0]), atol=1e-5)


def test_many_layers_of_holes_show_what_is_behind():
    looks = Looks(base_texture=Texture("t.png", nearest=True), alpha_mode="MASK")
    sheets = [quad(looks, holed(), z=-0.01 * k) for k in range(9)]
    out = render(cat(sheets).mesh, CAM, 64, channels=("mask", "position"))
    right = out["position"][out["mask"] > 0][:, 0]
    assert len(right) and right.min() > 0.5  # holes behind holes, and nothing behind them


@pytest.mark.parametrize(("cutoff", "shown"), [(0.1, True), (0.2, False), (None, False)])
def test_the_cutoff_of_a_mask(cutoff, shown):
    looks = Looks(base_texture=Texture("t.png", nearest=True), alpha_mode="MASK")
    looks.alpha_cutoff = cutoff
    _, place = seen(quad(looks, holed(cut=40)))  # 0.157
    assert bool((place[:, 0] < 0.5).any()) is shown


def test_a_factor_and_vertex_colours_belong_to_a_mask():
    looks = Looks(base_color=(1.0, 1.0, 1.0), alpha=0.6, alpha_mode="MASK")
    assert len(seen(quad(looks))[0])
    clear = torch.tensor([[255, 255, 255, 200]] * 4, dtype=torch.uint8)
    assert len(seen(quad(looks, color=clear))[0]) == 0  # 0.6 of 0.78


def test_clear_vertex_colours_are_cut_by_a_mask_that_says_nothing_else():
    clear = torch.tensor([[255, 255, 255, 40]] * 4, dtype=torch.uint8)
    assert len(seen(quad(Looks(alpha_mode="MASK"), color=clear))[0]) == 0
    assert len(seen(quad(Looks(), color=clear))[0])


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
def test_whole_numbers_of_colours_have_eight_bits(kind):
    color, _ = seen(quad(None, color=torch.tensor([[255, 51, 0]] * 4, dtype=kind)))
    assert np.abs(color - [1, 0.2, 0]).max() < 1e-6


def glass(color, alpha: float, z: float) -> ml.Mesh:
    mode = "BLEND" if alpha < 1 else None
    return quad(Looks(base_color=color, alpha=alpha, alpha_mode=mode), z=z)


def test_what_blends_is_drawn_over_what_is_behind():
    """In light: 0.25 red over 0.5 green over blue, whatever their order in the file."""
    layers = [glass((0.0, 0.0, 1.0), 1, -2), glass((1.0, 0.0, 0.0), 0.25, 0)]
    layers.append(glass((0.0, 1.0, 0.0), 0.5, -1))
    wanted = encoded([0.25, 0.75 * 0.5, 0.75 * 0.5])
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        mesh = cat([layers[k] for k in order])[0]
        for backend in ("native", "reference"):
            out = render(mesh, CAM, 17, channels=("color", "mask", "depth"), backend=backend)
            assert np.abs(out["color"][8, 8].numpy() - wanted).max() < 1e-5
            assert float(out["depth"][8, 8]) == pytest.approx(3)  # the nearest, transparent or not
    cams = Camera.orbit(2)
    both = render(mesh, cams, 9, channels=("color", "shaded"))
    for k in range(2):
        one = render(mesh, cams[k], 9, channels=("color", "shaded"))
        assert all(torch.allclose(one[c], both[c][k], atol=1e-6) for c in one)


def test_glass_alone_has_its_colour_and_a_ground_shines_through():
    mesh = glass((1.0, 0.0, 0.0), 0.25, 0)
    bare = render(mesh, CAM, 9, channels=("color", "mask"))
    assert (
        torch.allclose(bare["color"][4, 4], torch.tensor([1.0, 0, 0])) and bare["mask"][4, 4] == 1
    )
    over = render(mesh, CAM, 9, channels=("color",), background=(1.0, 1.0, 1.0))["color"][4, 4]
    assert np.abs(over.numpy() - encoded([1.0, 0.75, 0.75])).max() < 1e-5
    picture = shaded_view(mesh, CAM, 32, samples=1)
    solid = shaded_view(glass((1.0, 0.0, 0.0), 1, 0), CAM, 32, samples=1)
    assert float(solid[16, 16, 1]) < 0.2 < 0.6 < float(picture[16, 16, 1])


def test_opaque_pixels_of_a_mesh_with_glass_are_as_without_it():
    wall = quad(Looks(base_texture=Texture("t.png")), png(TEXELS), z=-1.0)
    far = glass((1.0, 0.0, 0.0), 0.25, -2.0)  # behind the wall
    a = render(cat([wall, far])[0], CAM, 32, channels=("color", "mask"))
    b = render(wall, CAM, 32, channels=("color", "mask"))
    seen = b["mask"] > 0
    assert torch.equal(a["color"][seen], b["color"][seen])


def test_opacity_of_a_texture_blends_and_counts_from_one_half():
    clear = Looks(base_texture=Texture("t.png", nearest=True), alpha_mode="BLEND")
    _, place = seen(quad(clear, holed(cut=100)))
    assert len(place) and place[:, 0].min() > 0.5  # 100 of 255 is no part of the mask
    opaque = Looks(base_texture=Texture("t.png"))  # an image's opacity alone cuts nothing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, place = seen(quad(opaque, holed()))
    assert place[:, 0].min() < 0.1
    wall = quad(Looks(base_color=(0.0, 0.0, 1.0)), z=-1.0)
    mesh = cat([quad(clear, holed(cut=100)), wall])[0]
    left = render(mesh, CAM, 32, channels=("color",))["color"][16, 12]
    share = 100 / 255
    assert float(left[2]) > float(encoded(1 - share)) - 1e-4  # blue through it


def test_clear_vertex_colours_blend():
    color = torch.tensor([[255, 0, 0, 51]] * 4, dtype=torch.uint8)
    wall = quad(Looks(base_color=(0.0, 0.0, 1.0)), z=-1.0, color=torch.full_like(color, 255))
    mesh = cat([quad(Looks(alpha_mode="BLEND"), color=color), wall])[0]
    found = render(mesh, CAM, 9, channels=("color",))["color"][4, 4].numpy()
    assert np.abs(found - encoded([0.2, 0, 0.8])).max() < 1e-4


def test_glass_has_gradients_in_colours_behind_it():
    color = torch.full((4, 3), 0.5, requires_grad=True)
    wall = quad(Looks(base_color=(1.0, 1.0, 1.0)), z=-1.0, color=color)
    front = quad(Looks(alpha=0.5, alpha_mode="BLEND"), color=torch.ones(4, 3))
    render(cat([front, wall])[0], CAM, 9, channels=("color",))["color"][4, 4].sum().backward()
    assert color.grad.abs().max() > 0.01


@pytest.mark.parametrize("channel", ["", "r", "luminance"])
def test_opacity_of_an_image_of_its_own(channel):
    """`map_d` of an OBJ: white is opaque."""
    grey = np.zeros((8, 8), np.uint8)
    grey[:, 4:] = 200
    alpha = Texture("d.png", nearest=True, channel=channel)
    looks = Looks(base_color=(0.0, 0.0, 1.0), alpha_texture=alpha, alpha_mode="MASK")
    mesh = quad(looks)
    mesh.materials[0].images["d.png"] = png(grey)
    color, place = seen(mesh)
    assert len(place) and place[:, 0].min() > 0.5 and np.abs(color - [0, 0, 1]).max() < 1e-5


def test_both_sides_are_shown():
    mesh = quad(Looks(base_color=(0.0, 0.5, 0.0)))
    back = Camera.look_at((0.5, 0.5, -3.0), (0.5, 0.5, 0.0), fov=30.0)
    front, behind = (render(mesh, c, 32, channels=("shaded",))["shaded"] for c in (CAM, back))
    assert front.max() > 0.5 and torch.allclose(front.max(), behind.max(), atol=1e-4)


def test_images_that_cannot_be_used_are_told():
    texture = Texture("t.png")
    for mesh, words in (
        (quad(Looks(base_color=(0.0, 1.0, 0.0), base_texture=texture), b"no image"), "decoded"),
        (quad(Looks(base_color=(0.0, 1.0, 0.0), base_texture=texture)), "no image 't.png'"),
        (
            quad(Looks(base_color=(0.0, 1.0, 0.0), base_texture=texture), png(TEXELS), uv="st"),
            "no texture coordinates",
        ),
    ):
        with pytest.warns(UserWarning, match=words):
            color, _ = seen(mesh)
        assert np.abs(color - [0, 1, 0]).max() < 1e-5


def pictures() -> dict[str, tuple[bytes, list[float]]]:
    """Images of one colour in many forms, with what they show."""
    out = {}
    for mode, fill, options in (
        ("RGB", (204, 102, 51), {}),
        ("RGBA", (204, 102, 51, 128), {}),
        ("L", 204, {}),
        ("LA", (204, 128), {}),
        ("1", 1, {}),
        ("P", 7, {}),
    ):
        stream = io.BytesIO()
        image = Image.new(mode, (4, 4), fill)
        if mode == "P":
            image.putpalette([k for n in range(256) for k in (n, 20 * n % 256, 3)])
        image.save(stream, format="PNG", **options)
        shown = np.asarray(image.convert("RGBA"))[0, 0] / 255
        out[mode] = (stream.getvalue(), shown.tolist())
    wide = io.BytesIO()
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(wide, format="PNG")
    out["16 bits"] = (wide.getvalue(), [40000 / 65535] * 3 + [1])
    for kind in ("JPEG", "BMP", "TGA", "TIFF", "WEBP"):
        stream = io.BytesIO()
        Image.new("RGB", (8, 8), (200, 200, 200)).save(stream, format=kind)
        out[kind] = (stream.getvalue(), [200 / 255] * 3 + [1])
    return out


@pytest.mark.parametrize("name", pictures())
def test_images_of_every_form_are_decoded(name):
    data, wanted = pictures()[name]
    found = decoded(data, torch.device("cpu"), linear=False)
    assert np.abs(found.values.numpy() - wanted).max() < 0.01
    light = decoded(data, torch.device("cpu"))
    assert np.abs(light.values[:, :3].numpy() - linear(np.array(wanted[:3]))).max() < 0.02


def test_gradients_flow_through_materials():
    tint = torch.full((4, 3), 0.5, requires_grad=True)
    mesh = quad(Looks(base_color=(0.5, 0.5, 0.5), base_texture=Texture("t.png")), png(TEXELS))
    leaf = mesh.vertices.clone().requires_grad_()
    shown = ml.Mesh(
        leaf,
        mesh.faces,
        vertex_attributes={**mesh.vertex_attributes, "color": tint},
        face_attributes=mesh.face_attributes,
        materials=mesh.materials,
    )
    render(shown, CAM, 32, channels=("color",))["color"].sum().backward()
    assert tint.grad.abs().min() > 0 and leaf.grad.abs().max() > 0
    assert torch.isfinite(leaf.grad).all()


def test_a_batch_of_cameras_equals_each():
    looks = Looks(base_texture=Texture("t.png"), alpha_mode="MASK")
    mesh = stacked(quad(looks, holed()))
    cams = Camera.orbit(3, radius=4.0)
    names = ("mask", "color", "shaded")
    both = render(mesh, cams, 32, channels=names)
    for k in range(3):
        one = render(mesh, cams[k], 32, channels=names)
        assert all(torch.allclose(both[n][k], one[n], atol=1e-5) for n in names)


def test_a_texture_that_is_given_stands_before_materials():
    mesh = quad(Looks(base_color=(1.0, 0.0, 0.0), alpha=0.0, alpha_mode="MASK"))
    color, _ = seen(mesh, texture=torch.full((2, 2, 3), 0.25))
    assert np.abs(color - 0.25).max() < 1e-5


# --- pictures and photographs ---------------------------------------------------------------


def test_plain_materials_leave_pictures_as_of_clay():
    """White and a program's default grey say nothing; a picture shows form then."""
    ball = ml.data.shapes.icosphere(3)
    label = {"material": torch.zeros(ball.num_faces, dtype=torch.int64)}
    cam = Camera.look_at((0.4, 0.6, 3.0), fov=45.0)
    bare = shaded_view(ball, cam, 48)
    for factor in ((1.0, 1.0, 1.0), (0.8, 0.8, 0.8)):
        made = ml.Mesh(
            ball.vertices,
            ball.faces,
            face_attributes=label,
            materials=[Material("m", {}, Looks(base_color=factor))],
        )
        assert has_looks(made) and not has_looks(made, plain=False)
        assert torch.equal(shaded_view(made, cam, 48), bare)
        assert made.materials  # the mesh that was given keeps them
        photographs = render_images(made, 1, size=32)
        assert torch.equal(photographs.colors, render_images(ball, 1, size=32).colors)
    made.materials = (Material("m", {}, Looks(base_color=(0.8, 0.0, 0.0))),)
    red = shaded_view(made, cam, 48)[24, 24]
    assert red[0] > 0.4 and red[1] < 0.3


def test_pictures_and_photographs_show_textures():
    mesh = quad(Looks(base_texture=Texture("t.png", nearest=True)), png(TEXELS))
    picture = shaded_view(mesh, CAM, 64, samples=2)
    for (u, v), texel in (((0.17, 0.75), TEXELS[0, 0]), ((0.83, 0.75), TEXELS[0, 2])):
        column, row = CAM.project(torch.tensor([[u, v, 0.0]]), 64)[0, :2].round().long().tolist()
        assert picture[row, column].argmax() == texel.argmax()
        images = render_images(mesh, batch(), size=64, light=None)
        shown = images.colors[0, row, column, :3]
        assert torch.allclose(shown, torch.from_numpy(texel / 255).float(), atol=0.02)


def batch() -> Camera:
    """A batch of one camera."""
    return Camera.look_at(torch.tensor([[0.5, 0.5, 3.0]]), (0.5, 0.5, 0.0), fov=30.0)
