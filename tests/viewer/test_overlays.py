"""What stands beside meshes: cameras, contours of a heart, and large meshes in motion."""

import json
import math

import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="viser is not installed")

import meshlearn as ml
from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.heart.data.contours import from_arrays, save_contours
from meshlearn.mesh import Mesh
from meshlearn.render.camera import Camera
from meshlearn.render.transforms import transforms_record
from meshlearn.viewer.cameras import are_cameras, pyramids
from meshlearn.viewer.coarse import clustered
from meshlearn.viewer.contours import are_contours, joins
from meshlearn.viewer.field_panel import FieldPanel
from meshlearn.viewer.gather_items import gather
from meshlearn.viewer.items import item_of
from meshlearn.viewer.pick_panel import PickPanel
from meshlearn.viewer.shot import settled
from tests.viewer.conftest import near, pixels, soon


def ring(radius: float, height: float, count: int = 40) -> torch.Tensor:
    """(count, 3) points of a circle around the y axis."""
    turn = torch.arange(count) * (2 * math.pi / count)
    return torch.stack([radius * turn.cos(), torch.full((count,), height), radius * turn.sin()], 1)


@pytest.fixture
def contours(tmp_path):
    """Three slices of a ball of 40 mm."""
    heights = (-15.0, 0.0, 15.0)
    points = torch.cat([ring(math.sqrt(1600 - h * h), h) for h in heights])
    slices = np.repeat([0, 1, 2], 40).tolist()
    made = from_arrays(points, ["lv_epi"] * 120, view=["sax"] * 120, slice=slices)
    return save_contours(made, tmp_path / "contours.txt")


@pytest.fixture
def views(tmp_path):
    """The cameras of `render --views`, without their pictures."""
    eyes = [(4.0, 0.0, 0.0), (0.0, 0.0, 4.0), (-4.0, 1.0, 0.0)]
    cameras = Camera.look_at(torch.tensor(eyes), fov=40.0)
    folder = tmp_path / "views"
    folder.mkdir()
    files = [{"file_path": f"images/{k}.png"} for k in range(3)]
    record = transforms_record(cameras, (60, 80), files)
    (folder / "transforms.json").write_text(json.dumps(record))
    return folder, eyes


def test_pyramids_stand_where_the_cameras_do_and_look_at_the_middle():
    eyes = torch.tensor([(4.0, 0.0, 0.0), (0.0, 3.0, 1.0)])
    found, lines = pyramids(Camera.look_at(eyes, fov=90.0), 1.0)
    np.testing.assert_allclose(found, eyes.numpy(), atol=1e-6)
    assert lines.shape == (18, 2, 3)
    rays = lines.reshape(2, 9, 2, 3)[:, :4]
    np.testing.assert_allclose(rays[:, :, 0], np.repeat(found[:, None], 4, 1), atol=1e-6)
    middle = rays[:, :, 1].mean(1) - found  # the four rays of a pyramid average to where it looks
    toward = -found / np.linalg.norm(found, axis=1, keepdims=True)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    np.testing.assert_allclose(middle, toward, atol=1e-6)
    tick = lines.reshape(2, 9, 2, 3)[:, 8]
    assert (tick[:, 1, 1] > tick[:, 0, 1]).all()  # up in the image is up here


def test_contours_are_joined_along_a_slice_but_not_across_gaps():
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [20, 0, 0], [21, 0, 0], [0, 1, 5]], float)
    label, part = np.zeros(6, int), np.array([0, 0, 0, 0, 0, 1])
    assert joins(points, label, part).tolist() == [[0, 1], [1, 2], [3, 4]]
    near = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5.9, 0, 0], [6.9, 0, 0], [11, 0, 0]], float)
    assert joins(near, label, np.zeros(6, int)).tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    label[4] = 3
    assert joins(points, label, part).tolist() == [[0, 1], [1, 2]]
    assert joins(points, label, np.full(6, -1)).tolist() == []


def test_clusters_keep_the_shape_and_say_where_they_come_from():
    ball = shapes.icosphere(5)
    vertices, faces = ball.vertices.numpy(), ball.faces.numpy()
    points, kept, one, whole = clustered(vertices, faces, 12)
    coarse = Mesh(torch.from_numpy(points), torch.from_numpy(kept))
    assert 200 < len(kept) < 4000
    assert coarse.volume() == pytest.approx(4 / 3 * math.pi, rel=0.08)
    assert np.linalg.norm(vertices[one] - points, axis=1).max() < 2 * 3**0.5 / 12
    assert (np.sort(faces[whole], 1)[:, 0] >= 0).all() and len(whole) == len(kept)
    normals = ball.face_normals().numpy()[whole]  # faces keep their side
    assert ((coarse.face_normals().numpy() * normals).sum(1) > 0).mean() > 0.99


def test_cameras_are_shown_around_a_mesh_and_picked(page, serve, views):
    folder, eyes = views
    assert are_cameras(folder) and are_cameras(folder / "transforms.json")
    item = viewer.read_item(folder)
    assert not item.error and len(item.lines) == 27
    np.testing.assert_allclose(item.points, eyes, atol=1e-5)
    ball = item_of("ball", shapes.icosphere(3))
    app = serve([ball, item], azimuth=0.0, elevation=0.0)
    np.testing.assert_allclose(app.frame.scale, 1 / 3**0.5)  # of the ball alone
    tab = page(app)
    orange = app.drawings[1].color
    soon(lambda: near(pixels(settled(tab)), orange) > 100)
    middle = app.frame.into(np.array(eyes[0]))
    got = app.panel(PickPanel).pick(middle + np.array([0, 0, 5.0]), np.array([0, 0, -1.0]))
    assert got.item == "views" and got.vertex == 0
    assert got.attributes == {"camera": "0", "image": "80 × 60"}


def test_a_bad_cameras_file_is_told(tmp_path):
    (tmp_path / "transforms.json").write_text('{"frames": []}')
    assert "frames is missing or empty" in viewer.read_item(tmp_path).error
    (tmp_path / "cameras.json").write_text("[1")
    assert "not readable as JSON" in viewer.read_item(tmp_path / "cameras.json").error


def test_contours_lie_over_a_heart_and_are_named(page, serve, contours):
    assert are_contours(contours)
    item = viewer.read_item(contours)
    assert len(item.points) == 120 and len(item.lines) == 3 * 39
    ball = shapes.icosphere(3)
    heart = item_of("heart", ball.with_vertices(39.0 * ball.vertices))
    app = serve([heart, item])
    tab = page(app)
    assert "lv_epi" in tab.evaluate("document.querySelector('.ml-names').innerText")
    green = item.legend[0][1]
    soon(lambda: near(pixels(settled(tab)), green) > 300)
    at = app.frame.into(item.points[45])
    got = app.panel(PickPanel).pick(3 * at, -at)
    assert got.item == "contours.txt" and got.vertex == 45
    assert got.attributes == {"contour": "lv_epi", "slice": "1"}


def test_a_folder_of_a_heart_opens_with_its_contours_and_thickness(page, serve, contours):
    folder = contours.parent
    ball = shapes.icosphere(3)
    thickness = torch.where(ball.vertices[:, 0] > 0, 8 + ball.vertices[:, 1], torch.nan)
    segment = torch.where(ball.vertices[:, 0] > 0, 1 + (ball.vertices[:, 1] > 0).long(), 0)
    fields = {"wall_thickness": thickness, "aha_segment": segment}
    ml.save(Mesh(39 * ball.vertices, ball.faces, vertex_attributes=fields), folder / "muscle.vtp")
    (folder / "report.json").write_text("{}")
    items, run, field, _ = gather([folder])
    assert run is None and field == "wall_thickness" and len(items[0].lines) == 117
    app = serve(items, field=field, azimuth=-60.0)
    tab = page(app)
    legend = tab.evaluate("document.querySelector('.ml-legend').innerText")
    off = int(thickness.isnan().sum())
    assert f"{off} off the left ventricle (grey)" in legend

    def grey():
        picture = pixels(settled(tab)).astype(int)
        plain = (np.ptp(picture, axis=2) < 12) & (picture.max(2) < 200)
        return int(plain[60:].sum())

    soon(lambda: grey() > 3000)
    app.panel(FieldPanel).hide.value = True
    app.panel(FieldPanel).update()
    soon(lambda: grey() < 300)
    app.fields.choose("aha_segment")  # 0 is no segment
    shown = app.fields.of(app.drawings[0])["aha_segment"]
    assert sorted(set(shown.values[~shown.missing()])) == [1, 2]
    assert int(shown.missing().sum()) == off


def test_a_large_mesh_is_simplified_in_motion_and_whole_at_rest(page, serve):
    count = 420
    index = torch.arange(count * count).reshape(count, count)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    x, y = torch.meshgrid(*[torch.linspace(-1, 1, count)] * 2, indexing="ij")
    height = 0.3 * torch.sin(5 * x) * torch.sin(5 * y)
    faces = torch.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
    sheet = Mesh(torch.stack([x, height, y], -1).reshape(-1, 3), faces)
    app = serve([item_of("sheet", sheet)])
    tab = page(app)
    tab.wait("window.__mlFrames.cost > 0")
    assert (np.abs(pixels(settled(tab)).astype(int) - 255).sum(2) > 30).mean() > 0.1
    seen = (
        "window.__seen = []; window.addEventListener('ml-simplified', e => __seen.push(e.detail))"
    )
    tab.evaluate(f"{seen}; 1")
    dear = tab.evaluate("window.__mlFrames.cost") > 80  # a fast machine draws the whole in motion
    tab.drag((200, 300), (300, 330))
    if dear:
        tab.wait("__seen[0] === true")
    tab.wait("!window.__mlFrames.simplified")
    assert tab.evaluate("__seen.at(-1) !== true")
    drawn = tab.evaluate("window.__mlFrames.drawn")
    tab.evaluate("new Promise(done => setTimeout(done, 1500))")
    assert tab.evaluate("window.__mlFrames.drawn") - drawn <= 2  # at rest nothing is drawn
