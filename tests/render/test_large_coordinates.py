"""Pictures and posed images of what lies far from the origin: those at the origin."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn.mesh import far_middle
from meshlearn.reconstruct.paint import fit_vertex_colors
from meshlearn.render import Camera, load_images, render, render_images, save_images
from meshlearn.render.camera_paths import sphere_cameras, views_around
from meshlearn.render.picture import contact_sheet, render_png
from tests.survey import NAMES, PLACES, UTM, resolution, survey_mesh

places = pytest.mark.parametrize(("offset", "size"), PLACES, ids=NAMES)


def grey(path):
    return np.asarray(Image.open(path)).astype(int)


@places
@pytest.mark.parametrize("frame", ["shared", "each"])
def test_a_picture_is_that_at_the_origin(frame, offset, size, tmp_path):
    pictures = []
    for name, place in (("near", 0 * offset), ("far", offset)):
        path = tmp_path / f"{name}.png"
        mesh = survey_mesh(place, size=size)
        contact_sheet([mesh, mesh], path, views=2, size=96, frame=frame, wireframe=True)
        pictures.append(grey(path))
    assert (np.abs(pictures[0] - pictures[1]) > 3).mean() < 2e-3


def test_a_stray_vertex_at_the_origin_does_no_harm(tmp_path):
    from meshlearn import Mesh

    mesh = survey_mesh()
    stray = Mesh(torch.cat((mesh.vertices, torch.zeros(1, 3, dtype=torch.float64))), mesh.faces)
    for name, shape in (("a", mesh), ("b", stray)):
        render_png(shape, tmp_path / f"{name}.png", size=96)
    assert np.array_equal(grey(tmp_path / "a.png"), grey(tmp_path / "b.png"))


@places
def test_a_given_camera_sees_the_same_from_far_off(offset, size, tmp_path):
    near, far = survey_mesh(0 * offset, size=size), survey_mesh(offset, size=size)
    cam = Camera.framing(near.vertices.amin(0), near.vertices.amax(0), direction=(0.2, -0.5, 1))
    there = Camera.framing(far.vertices.amin(0), far.vertices.amax(0), direction=(0.2, -0.5, 1))
    assert there.view.dtype == torch.float64 and cam.view.dtype == torch.float32
    render_png(near, tmp_path / "near.png", cam=cam, size=96)
    render_png(far, tmp_path / "far.png", cam=there, size=96)
    render_png(far, tmp_path / "moved.png", cam=cam.moved(torch.from_numpy(offset)), size=96)
    first = grey(tmp_path / "near.png")
    for name in ("far", "moved"):
        assert (np.abs(first - grey(tmp_path / f"{name}.png")) > 3).mean() < 2e-3


@places
def test_cameras_around_a_place_stand_around_it(offset, size):
    shift = torch.from_numpy(offset)
    middle = torch.tensor([10.0, 10, 0]).double() * size
    bound = 20 * resolution(offset)
    point = survey_mesh(0 * offset, size=size).vertices[200:201]
    for make in (
        lambda at: Camera.orbit(3, radius=40 * size, target=(middle + at).tolist()),
        lambda at: sphere_cameras(3, radius=40 * size, target=(middle + at).tolist()),
        lambda at: views_around(survey_mesh(at.numpy(), size=size).vertices, 3),
        lambda at: Camera.look_at((middle + at + 9 * size).tolist(), (middle + at).tolist()),
    ):
        here, there = make(0 * shift), make(shift)
        assert there.view.dtype == torch.float64
        scale = float(here.position.norm())
        torch.testing.assert_close(
            there.position - shift, here.position.double(), rtol=0, atol=bound + 1e-5 * scale
        )
        seen = there.project(point + shift, 100) - here.to(torch.float64).project(point, 100)
        assert float(seen[..., :2].abs().max()) < 0.01 + 1e4 * bound / size


def test_images_of_what_is_far_are_those_at_the_origin_and_come_back_from_a_folder(tmp_path):
    near = render_images(survey_mesh(0 * UTM), 6, size=64)
    far = render_images(survey_mesh(), 6, size=64)
    for kind in near.kinds:
        off = (getattr(near, kind) - getattr(far, kind)).abs()
        assert float((off > 1e-3).double().mean()) < 5e-3, kind
    shift = torch.from_numpy(UTM)
    torch.testing.assert_close(
        far.cameras.position, near.cameras.position + shift, rtol=0, atol=1e-5
    )
    save_images(far, tmp_path / "far")
    again = load_images(tmp_path / "far")
    torch.testing.assert_close(again.cameras.position, far.cameras.position, rtol=0, atol=1e-7)
    assert all(getattr(again, kind).dtype == torch.float32 for kind in again.kinds)
    record = json.loads((tmp_path / "far" / "transforms.json").read_text())
    place = np.array(record["frames"][0]["transform_matrix"])[:3, 3]
    np.testing.assert_allclose(place, far.cameras.position[0], rtol=0, atol=1e-7)


def test_given_cameras_far_off_are_kept():
    cams = views_around(survey_mesh().vertices, 3)
    images = render_images(survey_mesh(), cams, size=32)
    torch.testing.assert_close(images.cameras.view, cams.view, rtol=1e-6, atol=1e-6)


def test_colours_of_images_are_found_far_off():
    from meshlearn import Mesh

    colors = []
    for offset in (0 * UTM, UTM):
        mesh = survey_mesh(offset)
        height = mesh.vertices[:, 2:3]
        shade = (0.5 + height).clamp(0, 1).expand(-1, 3)
        painted = Mesh(mesh.vertices, mesh.faces, vertex_attributes={"color": shade})
        images = render_images(painted, 6, size=64, light=None)
        found = fit_vertex_colors(mesh, images)
        assert torch.equal(found.vertices, mesh.vertices)
        colors.append(found.vertex_attributes["color"])
    torch.testing.assert_close(colors[1], colors[0], rtol=0, atol=0.03)


def test_tensors_of_double_precision_are_rendered_in_it():
    near, far = survey_mesh(0 * UTM), survey_mesh()
    cams = [views_around(m.vertices, 1)[0].to(torch.float64) for m in (near, far)]
    first, second = (
        render(m, c, 48, channels=("depth", "normal", "mask"))
        for m, c in zip((near, far), cams, strict=True)
    )
    for key in first:
        assert float(((first[key] - second[key]).abs() > 1e-4).double().mean()) < 5e-3


def test_near_the_origin_nothing_changes_its_precision():
    mesh = survey_mesh(0 * UTM)
    assert far_middle(mesh.vertices) is None
    assert render_images(mesh, 1, size=16).cameras.view.dtype == torch.float32
