"""Images of shaded meshes, contact sheets, curves."""

import math

import pytest
import torch
from PIL import Image

from meshlearn import Camera, Mesh, render
from meshlearn.render import HEADLIGHT, contact_sheet, plot_curves, render_png, save_png
from meshlearn.render.curves import nice_ticks
from meshlearn.render.picture import shaded_view
from tests.render.shapes import box, sphere


def test_channels_of_a_sphere() -> None:
    mesh = sphere(60, 80)
    cam = Camera.look_at((0, 0, 4), height=3.0)
    out = render(mesh, cam, 60, channels=("mask", "depth", "normal", "position", "color", "face"))
    inside = out["mask"] > 0
    area = float(out["mask"].sum()) * (3.0 / 60) ** 2
    assert area == pytest.approx(math.pi, rel=0.02)
    # on the unit sphere the normal is the position, and the depth is 4 - z
    assert float((out["normal"] - out["position"])[inside].abs().max()) < 0.02
    assert torch.allclose(out["depth"][inside], 4 - out["position"][inside][:, 2], atol=1e-5)
    assert torch.allclose(out["color"][inside], torch.tensor(0.7))
    assert not bool(out["color"][~inside].any())
    assert out["face"].dtype == torch.int64


def test_flat_normals_and_vertex_colors() -> None:
    mesh = box()
    mesh.vertex_attributes["color"] = mesh.vertices + 0.5
    cam = Camera.look_at((0, 0, 3))
    out = render(mesh, cam, 32, channels=("normal", "color", "position", "mask"), smooth=False)
    inside = out["mask"] > 0
    assert torch.allclose(out["normal"][inside], torch.tensor([0.0, 0, 1]))
    assert torch.allclose(out["color"][inside], out["position"][inside] + 0.5, atol=1e-6)


def test_shading_is_two_sided_and_lambert() -> None:
    mesh = box()
    cam = Camera.look_at((0, 0, 3))
    inside_out = Mesh(mesh.vertices, mesh.faces.flip(1))
    a, b = (
        render(m, cam, 16, channels=("shaded",), smooth=False)["shaded"] for m in (mesh, inside_out)
    )
    assert torch.allclose(a, b)
    want = 0.7 * (HEADLIGHT.intensities[0] + HEADLIGHT.sky)
    assert float(a[8, 8, 0]) == pytest.approx(want, abs=1e-4)


def test_batch_equals_single_views_and_gradients_flow() -> None:
    mesh = sphere()
    leaf = mesh.vertices.clone().requires_grad_()
    mesh = mesh.with_vertices(leaf)
    cams = Camera.orbit(3)
    names = ("mask", "depth", "normal", "color", "shaded", "position", "face")
    out = render(mesh, cams, 24, channels=names)
    for i in range(3):
        single = render(mesh, cams[i], 24, channels=names)
        for name in names:
            assert torch.equal(out[name][i], single[name]), name
    (grad,) = torch.autograd.grad((out["normal"][..., 0] * out["depth"]).sum(), leaf)
    assert bool(torch.isfinite(grad).all()) and bool(grad.any())


def test_empty_mesh_renders_empty() -> None:
    mesh = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))
    out = render(mesh, Camera.orbit(2), 8, channels=("mask", "normal", "color", "shaded"))
    assert all(not bool(v.any()) for v in out.values())
    assert shaded_view(mesh, Camera.look_at((0, 0, 3)), 8).shape == (8, 8, 3)


def test_unknown_channel() -> None:
    with pytest.raises(ValueError, match="channels: 'albedo' is not one of mask"):
        render(box(), Camera.look_at((0, 0, 3)), 8, channels=("albedo",))


def test_creases_stay_sharp_and_rounds_stay_round() -> None:
    cam = Camera.look_at((0.0, 0, 4), fov=30.0)
    face = shaded_view(box(), cam, 64, samples=1)[28:36, 28:36]
    assert float((face.amax((0, 1)) - face.amin((0, 1))).amax()) < 0.02  # one flat colour
    coarse = sphere(10, 14)
    rough = shaded_view(coarse, cam, 64, samples=1, smooth=False)[16:48, 16:48, 0]
    fine = shaded_view(coarse, cam, 64, samples=1)[16:48, 16:48, 0]
    assert float(fine.diff(dim=1).abs().amax()) < 0.6 * float(rough.diff(dim=1).abs().amax())


def test_inner_sides_are_tinted() -> None:
    mesh = box()
    cam = Camera.look_at((0, 0, 3))
    out = shaded_view(Mesh(mesh.vertices, mesh.faces.flip(1)), cam, 32, samples=1)[16, 16]
    assert float(out[0]) > float(out[2]) + 0.15
    front = shaded_view(mesh, cam, 32, samples=1)[16, 16]
    assert float(front[0]) <= float(front[2])


def test_save_png_round_trip(tmp_path) -> None:
    image = torch.rand(5, 7, 3)
    path = save_png(image, tmp_path / "a.png")
    with Image.open(path) as back:
        assert back.size == (7, 5) and back.mode == "RGB"
        want = tuple(int(255 * float(v) + 0.5) for v in image[2, 3])
        assert back.getpixel((3, 2)) == want
    save_png(torch.rand(4, 4) > 0.5, tmp_path / "b.png")
    save_png(torch.rand(4, 4, 4), tmp_path / "c.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png", "c.png"]
    for bad, text in (
        ((torch.rand(2, 2, 5), tmp_path / "x.png"), "image: expected 1, 3 or 4 channels"),
        ((image, tmp_path / "x.jpg"), "path: expected a name that ends in .png"),
        ((image, tmp_path / "no" / "x.png"), "path: the folder"),
    ):
        with pytest.raises(ValueError, match=text):
            save_png(*bad)


def test_contact_sheet(tmp_path) -> None:
    meshes = [sphere(), box(), Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64))]
    path = contact_sheet(
        meshes, tmp_path / "sheet.png", labels=["sphere", "box", "nothing"],
        captions=["a", "b", "c"], size=48, samples=2, title="Shapes", wireframe=True,
    )  # fmt: skip
    with Image.open(path) as sheet:
        assert sheet.width > 3 * 48 and sheet.height > 3 * 48
        assert len(sheet.getcolors(1 << 20)) > 200
    render_png(box(), tmp_path / "one.png", size=32)
    with pytest.raises(ValueError, match="labels: expected one for each of 3, got 1"):
        contact_sheet(meshes, path, labels=["x"])
    with pytest.raises(ValueError, match="meshes: expected one mesh or more"):
        contact_sheet([], path)


def test_plot_curves(tmp_path) -> None:
    history = {
        "step": [0, 10, 20],
        "loss": [1.0, 0.1, math.nan],
        "note": "text",
        "b": [0, 1, 2],
    }
    path = plot_curves(history, tmp_path / "a.png", title="Fit", y_label="loss", smooth=3)
    with Image.open(path) as image:
        assert image.size == (760, 460)
        colors = {color for _, color in image.getcolors(1 << 20)}
        assert any(abs(r - 37) + abs(g - 99) + abs(b - 176) < 12 for r, g, b in colors)
    rows = [{"step": i, "x": 1.0, "y": -i} for i in range(4)]
    plot_curves(rows, tmp_path / "b.png", log=False, names=["x"])
    plot_curves({}, tmp_path / "c.png")
    plot_curves({"one": [3.0]}, tmp_path / "d.png")
    with pytest.raises(ValueError, match="names: 'z' is not in the history"):
        plot_curves(rows, path, names=["z"])
    with pytest.raises(ValueError, match="history: expected"):
        plot_curves(3, path)


def test_nice_ticks() -> None:
    assert nice_ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert nice_ticks(0.13, 0.37, 5) == pytest.approx([0.15, 0.2, 0.25, 0.3, 0.35])
    assert nice_ticks(3, 3) == [3]
