"""Channels of `render`, light, antialiasing, textures; backends behind one interface."""

import pytest
import torch

from meshlearn import Camera, CornerAttribute, Mesh
from meshlearn.data import shapes
from meshlearn.render import DAYLIGHT, fit_sh_light, get_backend, render, sh_basis, sh_light
from meshlearn.render.backends import BACKENDS, available

CAM = Camera.look_at((0.4, 0.6, 3.0), fov=45.0)
CAMS = Camera.orbit(3, radius=3.0)


def normals(n: int, seed: int = 0) -> torch.Tensor:
    points = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(points, dim=1)


# --- light -----------------------------------------------------------------------------------


def test_spherical_harmonics_are_orthonormal():
    n = normals(400_000)
    basis = sh_basis(n)
    gram = 4 * torch.pi * basis.T @ basis / len(n)
    assert (gram - torch.eye(9, dtype=gram.dtype)).abs().max() < 0.02


def test_the_light_is_found_again():
    n, albedo = normals(3000), torch.rand(3000, 3).double()
    seen = sh_light(n, albedo, DAYLIGHT)
    found = fit_sh_light(n, albedo, seen, damping=1e-9)
    assert torch.allclose(found.float(), DAYLIGHT, atol=1e-4)
    grey = sh_light(n, albedo, DAYLIGHT[:, 0])
    assert torch.equal(grey, sh_light(n, albedo, DAYLIGHT[:, :1].expand(9, 3)))
    with pytest.raises(ValueError, match=r"light: expected \(9,\)"):
        sh_light(n, albedo, torch.zeros(4))


def test_light_fixed_in_the_world_does_not_turn_with_the_camera():
    ball = shapes.icosphere(3)
    left, right = (
        render(ball, c, 64, channels=("shaded", "position", "mask"), lights=DAYLIGHT)
        for c in (Camera.look_at((0.4, 0, 3)), Camera.look_at((-0.4, 0, 3)))
    )
    # pixels that see nearly the same point have nearly the same colour
    a, b = left["position"][left["mask"] > 0], right["position"][right["mask"] > 0]
    gap, index = torch.cdist(a, b).min(1)
    near = gap < 0.02
    off = left["shaded"][left["mask"] > 0][near] - right["shaded"][right["mask"] > 0][index[near]]
    assert near.sum() > 100 and off.abs().max() < 0.05


def test_two_sided():
    sheet = shapes.plane()
    back = Mesh(sheet.vertices, sheet.faces.flip(1))
    cam = Camera.look_at(sheet.vertices.mean(0) + torch.tensor([0.1, 0.2, 3.0]))
    one, other = (render(m, cam, 32, channels=("shaded",))["shaded"] for m in (sheet, back))
    assert torch.allclose(one, other, atol=1e-5) and one.max() > 0.3
    dark = [
        render(m, cam, 32, channels=("shaded",), two_sided=False)["shaded"].max()
        for m in (sheet, back)
    ]
    assert min(dark) < 0.6 * max(dark)


# --- channels --------------------------------------------------------------------------------


def test_colour_of_vertices_corners_faces_and_texture():
    box = shapes.box()
    red = torch.tensor([1.0, 0, 0])
    vertex = Mesh(box.vertices, box.faces, vertex_attributes={"color": red.repeat(8, 1)})
    face = Mesh(box.vertices, box.faces, face_attributes={"color": red.repeat(12, 1)})
    values = torch.stack((red, red))
    corner = Mesh(
        box.vertices,
        box.faces,
        corner_attributes={"color": CornerAttribute(values, torch.ones_like(box.faces))},
    )
    uv = Mesh(
        box.vertices,
        box.faces,
        corner_attributes={"uv": CornerAttribute(torch.tensor([[0.25, 0.25]]), box.faces * 0)},
    )
    image = torch.zeros(4, 4, 3)
    image[2:, :2] = red  # lower left
    for mesh, texture in ((vertex, None), (face, None), (corner, None), (uv, image)):
        out = render(mesh, CAM, 32, channels=("color", "mask"), texture=texture)
        assert torch.allclose(out["color"], out["mask"][..., None] * red, atol=1e-5)
    with pytest.raises(ValueError, match='needs the corner or vertex attribute "uv"'):
        render(box, CAM, 32, channels=("color",), texture=image)


def test_background_and_antialias():
    ball = shapes.icosphere(3)
    hard = render(ball, CAM, 48, channels=("mask", "color"), background=(0, 0, 1))
    soft = render(ball, CAM, 48, channels=("mask", "color"), background=(0, 0, 1), antialias=True)
    assert set(hard["mask"].unique().tolist()) == {0.0, 1.0}
    between = (soft["mask"] > 0.01) & (soft["mask"] < 0.99)
    assert 40 < int(between.sum()) < 400
    fine = render(ball, CAM, 48 * 8, channels=("mask",))["mask"].view(48, 8, 48, 8).mean((1, 3))
    assert (soft["mask"] - fine).abs().sum() < 0.4 * (hard["mask"] - fine).abs().sum()
    mixed = 0.7 * soft["mask"][..., None] + (1 - soft["mask"][..., None]) * torch.tensor(
        [0, 0, 1.0]
    )
    assert torch.allclose(soft["color"], mixed, atol=1e-5)
    assert torch.equal(soft["mask"] > 0.99, (hard["mask"] > 0) & ~between)


@pytest.mark.parametrize("channel", ["mask", "depth", "normal", "color", "shaded"])
def test_every_channel_has_a_gradient(channel):
    ball = shapes.icosphere(2)
    color = torch.rand(ball.num_vertices, 3)
    leaf = ball.vertices.clone().requires_grad_()
    mesh = Mesh(leaf, ball.faces, vertex_attributes={"color": color})
    out = render(mesh, CAMS, 32, channels=(channel,), antialias=True, lights=DAYLIGHT)[channel]
    assert out.shape[:3] == (3, 32, 32)
    (out * torch.rand_like(out)).sum().backward()
    assert torch.isfinite(leaf.grad).all() and leaf.grad.abs().max() > 0


def test_an_empty_mesh_is_an_empty_image():
    box = shapes.box()
    leaf = box.vertices.clone().requires_grad_()
    mesh = Mesh(leaf, box.faces[:0])
    out = render(mesh, CAMS, 16, channels=("mask", "depth", "normal", "shaded"), antialias=True)
    assert all(float(v.abs().max()) == 0 for v in out.values())
    total = sum(v.sum() for v in out.values())
    if total.requires_grad:
        total.backward()
        assert leaf.grad is None or not leaf.grad.any()


# --- backends --------------------------------------------------------------------------------


def both(name: str, other: str, device: str, atol: float, *, share=0.999, soft=(1e-5, 1e-3)):
    """`share` of the pixels see one face, to `atol`; antialiased, few are off by so much."""
    mesh = shapes.torus().to(device)
    cams = CAMS.to(device)
    channels = ("mask", "depth", "normal", "shaded", "face")
    for antialias in (False, True):
        options = {"channels": channels, "antialias": antialias}
        a, b = (render(mesh, cams, 64, backend=n, **options) for n in (name, other))
        agree = a["face"] == b["face"]
        assert agree.float().mean() > share
        for channel in channels[1:4]:
            gap = (a[channel] - b[channel])[agree].abs()
            bound, few = soft if antialias else (atol, 0.0)
            assert (gap > bound).float().mean() <= few, (channel, float(gap.max()))
        assert (a["mask"] - b["mask"]).abs().mean() < 1 - share


def test_native_equals_reference():
    both("native", "reference", "cpu", 1e-5)


def test_native_equals_nvdiffrast():
    reason = available("nvdiffrast")
    if reason:
        pytest.skip(reason)
    # it rounds corners to a sixteenth of a pixel, and blends along silhouettes by where these are
    both("native", "nvdiffrast", "cuda", 1e-5, share=0.98, soft=(0.03, 0.04))


def test_a_backend_that_is_missing_is_named(monkeypatch):
    assert [available(n) for n in BACKENDS[:2]] == ["", ""]
    with pytest.raises(ValueError, match="'opengl' is not one of native, reference, nvdiffrast"):
        get_backend("opengl")
    monkeypatch.setattr("meshlearn.render.backends.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="nvdiffrast is not installed; take backend='native'"):
        render(shapes.box(), CAM, 8, backend="nvdiffrast")
    monkeypatch.setattr("meshlearn.render.backends.util.find_spec", lambda name: object())
    if not torch.cuda.is_available():
        with pytest.raises(ImportError, match="needs a CUDA device"):
            get_backend("nvdiffrast")


class FakeNvdiffrast:
    """As much of nvdiffrast as shows what it is handed: our operators behind its conventions."""

    RasterizeCudaContext = staticmethod(lambda device: None)

    @staticmethod
    def rasterize(context, clip, faces, size):
        from meshlearn.render.rasterize import rasterize_homogeneous

        h, w = size
        x, y, _, last = clip.unbind(-1)
        # its image has row 0 at the bottom
        image = torch.stack(((x + last) * w / 2, (y + last) * h / 2, last, last), -1)
        found = rasterize_homogeneous(image, faces.long(), torch.full((len(clip),), 1e-3), (h, w))
        depth = torch.zeros_like(found.depth)
        bary = found.barycentric
        return torch.stack((bary[..., 0], bary[..., 1], depth, (found.face + 1).float()), -1), None


def test_conventions_of_nvdiffrast_are_turned_into_ours(monkeypatch):
    from meshlearn.render.backends import _Nvdiffrast

    engine = _Nvdiffrast(FakeNvdiffrast)
    monkeypatch.setattr(engine, "_context", lambda device: None)
    mesh = shapes.torus()
    mine, theirs = get_backend("native").rasterize(mesh, CAMS, 48), engine.rasterize(mesh, CAMS, 48)
    agree = mine.face == theirs.face
    assert agree.float().mean() > 0.999
    assert (mine.barycentric - theirs.barycentric)[agree].abs().max() < 1e-3
    assert (mine.depth - theirs.depth)[agree].abs().max() < 1e-4
