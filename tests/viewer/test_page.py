"""The page in a headless browser: what is seen, what the panel does, what is said."""

import json

import pytest

pytest.importorskip("viser", reason="viser is not installed")

import numpy as np
import torch

from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from meshlearn.viewer.compare_panel import ComparePanel
from meshlearn.viewer.draw import EDGES
from meshlearn.viewer.export import export_page
from meshlearn.viewer.field_panel import FieldPanel
from meshlearn.viewer.items import item_of
from meshlearn.viewer.link_panel import LinkPanel
from meshlearn.viewer.look_panel import LookPanel
from meshlearn.viewer.pick_panel import PickPanel
from meshlearn.viewer.run_panel import RunPanel
from meshlearn.viewer.runs import Run
from meshlearn.viewer.shot import settled
from tests.viewer.conftest import near, open_box, pixels, soon, with_color


def click_text(page, text):
    """Clicks the control whose label reads `text`."""
    at = page.evaluate(f"""(() => {{
        const all = [...document.querySelectorAll('label, button')];
        const label = all.find(n => n.textContent.trim() === {text!r});
        if (!label) return null;
        const input = label.htmlFor ? document.getElementById(label.htmlFor) : label;
        const box = (input || label).getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    }})()""")
    assert at, f"no control {text!r} in: {page.evaluate('document.body.innerText')}"
    page.click(*at)


def drawn(page):
    """Share of the scene's pixels that are not background."""
    picture = pixels(settled(page)).astype(int)
    return float((np.abs(picture - picture[2, 300]).sum(2) > 30).mean())


def text_of(tab):
    return tab.evaluate("document.body.innerText")


def test_a_mesh_is_seen_named_hidden_picked_and_helped(page, serve):
    app = serve([item_of("ball.obj", shapes.icosphere(3))])
    tab = page(app)
    assert "ball.obj" in tab.evaluate("document.title")
    assert "ball.obj" in text_of(tab) and "642 vertices, 1,280 faces" in text_of(tab)
    assert 0.1 < drawn(tab) < 0.7

    middle = tab.evaluate(
        "(() => { const b = document.querySelector('canvas').getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    tab.click(*middle)
    tab.wait("document.querySelector('.ml-picked') !== null")
    words = tab.evaluate("document.querySelector('.ml-picked').innerText")
    assert f"{app.panel(PickPanel).last.face}" in words and "position" in words
    eye = np.array(app.page.initial_camera.position, float)
    seen = app.panel(
        PickPanel
    ).last.position  # a unit ball: the place under the middle faces the eye
    assert np.linalg.norm(seen - eye / np.linalg.norm(eye)) < 0.15
    face = app.drawings[0].item.mesh.triangles[app.panel(PickPanel).last.face].numpy()
    assert np.linalg.norm(face.mean(0) - seen) < 0.15

    tab.press("?")
    assert tab.wait("document.getElementById('ml-help').open")
    assert "wireframe" in tab.evaluate("document.getElementById('ml-help').innerText")
    tab.press("?")
    assert tab.wait("!document.getElementById('ml-help').open")

    click_text(tab, "ball.obj")
    soon(lambda: not app.drawings[0].visible)
    soon(lambda: drawn(tab) < 0.02)


def test_bad_files_are_listed_and_the_rest_is_shown(page, serve, tmp_path):
    broken = tmp_path / "broken.obj"
    broken.write_text("v 0 0 0\nf 1 2 3\n")
    empty = tmp_path / "empty.ply"
    empty.write_text("")
    mesh = shapes.icosphere(2)
    vertices = mesh.vertices.clone()
    vertices[0, 1] = torch.nan
    missing = tmp_path / "nowhere.stl"
    items = [viewer.read_item(path) for path in (broken, empty, missing)]
    items.append(item_of("holes", Mesh(vertices, mesh.faces)))
    items.append(item_of("nothing", Mesh(vertices[:0], mesh.faces[:0])))
    tab = page(serve(items))
    words = tab.evaluate("[...document.querySelectorAll('[role=note]')].map(n => n.innerText)")
    assert any("broken.obj: " in w and "vertex" in w for w in words)
    assert any(w.startswith("empty.ply: ") for w in words)
    assert "nowhere.stl: there is no such file" in words
    assert any(w.startswith("nothing: there is nothing in it") for w in words)
    assert any("1 of 162 vertices are NaN or infinite; 5 faces are not drawn" in w for w in words)
    assert drawn(tab) > 0.1


def test_a_field_colours_the_surface_and_a_link_brings_it_back(page, serve):
    app = serve([item_of("box", shapes.icosphere(3))], field="y")
    tab = page(app)
    picture = pixels(settled(tab)).astype(int)
    assert "histogram of y" in tab.evaluate("document.querySelector('.ml-legend').innerHTML")
    rows, columns = np.nonzero(np.abs(picture - picture[2, 300]).sum(2) > 30)
    top = picture[np.quantile(rows, 0.05).astype(int), int(np.median(columns))]
    bottom = picture[np.quantile(rows, 0.95).astype(int), int(np.median(columns))]
    assert top[0] > 150 and top[1] > 150 and top[2] < 120  # yellow above
    assert bottom[0] < 110 and bottom[1] < 80  # violet below
    client = next(iter(app.page.clients().values()))
    client.camera.position = (0.0, 0.0, 4.0)
    soon(lambda: abs(client.camera.position[2] - 4.0) < 1e-3)
    link = app.panel(LinkPanel).make()
    app.fields.choose("none")
    app.fields.choose("x")
    page(link)
    soon(lambda: app.fields.chosen == "y")
    clients = app.page.clients
    soon(lambda: np.allclose(clients()[max(clients())].camera.position, (0, 0, 4), atol=1e-2))


def test_the_exported_page_opens_from_disk(page, serve, tmp_path):
    app = serve([item_of("ball", shapes.icosphere(3))], field="y")
    export_page(app, tmp_path / "page.html")
    app.close()
    tab = page(f"file://{tmp_path}/page.html", "document.querySelector('canvas') !== null")
    assert 0.1 < drawn(tab) < 0.8
    assert "642 vertices" in tab.evaluate("document.getElementById('ml-about').innerText")
    assert [r for r in tab.requests if r.startswith(("http", "ws"))] == []


@pytest.mark.slow
def test_boundary_edges_are_drawn_in_their_colour(page, serve):
    app = serve([item_of("box.obj", open_box())])
    tab = page(app)
    before = near(pixels(settled(tab)), EDGES["boundary"])
    click_text(tab, "Boundary edges")
    soon(lambda: near(pixels(settled(tab)), EDGES["boundary"]) > before + 100)
    assert len(app.drawings[0].edge_vertices("boundary")) == 4


@pytest.mark.slow
def test_wireframe_dark_and_flat_by_keys(page, serve):
    app = serve([item_of("ball", shapes.icosphere(2))])
    tab = page(app)
    solid = drawn(tab)
    tab.press("w")
    soon(lambda: app.look.shading == "wireframe")
    soon(lambda: drawn(tab) < 0.7 * solid)
    tab.press("f")
    soon(lambda: app.look.shading == "flat")
    tab.press("d")
    soon(lambda: pixels(settled(tab))[5, 300].max() < 60)


@pytest.mark.slow
def test_colours_of_the_file_are_seen(page, serve):
    red = with_color(shapes.icosphere(2), (0.9, 0.1, 0.1))
    tab = page(serve([item_of("red", red)]))
    picture = pixels(settled(tab)).astype(int)
    assert ((picture[..., 0] > 120) & (picture[..., 1] < 90) & (picture[..., 2] < 90)).mean() > 0.05


@pytest.mark.slow
def test_point_clouds_and_polylines(page, serve, tmp_path):
    points = shapes.icosphere(4).vertices.numpy()
    np.savetxt(tmp_path / "cloud.xyz", points)
    (tmp_path / "line.obj").write_text("v -1 -1 1.2\nv 1 1 1.2\nv 1 -1 1.2\nl 1 2 3\n")
    items = [viewer.read_item(tmp_path / name) for name in ("cloud.xyz", "line.obj")]
    tab = page(serve(items))
    assert "2,562 points" in text_of(tab) and "2 line segments" in text_of(tab)
    assert drawn(tab) > 0.03


@pytest.mark.slow
def test_compare_has_figures_and_a_distance_map(page, serve):
    ball, box = shapes.icosphere(3), shapes.box()
    app = serve([item_of("ball", ball), item_of("box", box)], compare=True)
    tab = page(app)
    picture = pixels(settled(tab)).astype(int)
    there = np.abs(picture - picture[2, 300]).sum(2) > 30
    half = there.shape[1] // 2
    assert there[:, :half].mean() > 0.03 and there[:, half:].mean() > 0.03
    shown = tab.evaluate("document.querySelector('[data-metric=chamfer_raw]').innerText")
    assert float(shown) == pytest.approx(app.panel(ComparePanel).figures["chamfer_raw"], rel=1e-3)
    app.panel(ComparePanel).layout.value = "distance map"
    soon(lambda: not app.drawings[1].visible)
    tab.wait("document.querySelector('.ml-legend') !== null")
    assert app.fields.chosen == "distance"


@pytest.mark.slow
def test_a_run_is_scrubbed_and_followed(page, serve, tmp_path):
    run = write_run(tmp_path / "run", [1, 2])
    app = serve([], run=Run(run))
    tab = page(app)
    tab.wait("document.querySelector('.ml-run[data-step=\"20\"]') !== null")
    assert "20 of 40 steps" in text_of(tab)
    big = drawn(tab)
    write_run(run, [1, 2, 3])  # the run goes on
    tab.wait("document.querySelector('.ml-run[data-step=\"30\"]') !== null")
    assert app.panel(RunPanel).slider.max == 2
    tab.press("ArrowLeft")
    tab.press("ArrowLeft")
    tab.wait("document.querySelector('.ml-run[data-step=\"10\"]') !== null")
    soon(lambda: drawn(tab) < big)
    assert not app.panel(RunPanel).following.value
    assert tab.evaluate("performance.getEntriesByType('navigation').length") == 1


@pytest.mark.slow
def test_a_run_that_has_only_begun(page, serve, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{")  # being written
    tab = page(serve([], run=Run(tmp_path / "run")))
    assert "Nothing is written yet" in text_of(tab)
    write_run(tmp_path / "run", [2])
    tab.wait("document.querySelector('.ml-run[data-step=\"10\"]') !== null")


@pytest.mark.slow
def test_without_anything_and_after_the_end_the_page_says_so(page, serve):
    app = serve([])
    tab = page(app)
    assert "no file was given" in text_of(tab)
    app.close()
    assert tab.wait("document.getElementById('ml-status').innerText.includes('has ended')")


def write_run(folder, sizes):
    """A run whose mesh at step 10 k is a ball of radius sizes[k - 1]."""
    from meshlearn.run_folder import save_snapshot

    for k, size in enumerate(sizes, 1):
        ball = shapes.icosphere(2)
        save_snapshot(folder, 10 * k, ball.with_vertices(ball.vertices * size))
    steps = list(range(1, 10 * len(sizes) + 1))
    history = {"step": steps, "loss": [1.0 / s for s in steps]}
    (folder / "run.json").write_text(json.dumps({"stages": [[16, 40]]}))
    (folder / "history.json").write_text(json.dumps(history))
    return folder


def test_textures_and_materials_are_seen(page, serve, tmp_path):
    """A quad with a picture, red and blue, and one with a plain green material."""
    from PIL import Image

    picture = Image.new("RGB", (8, 4), (200, 20, 20))
    picture.paste((20, 20, 200), (4, 0, 8, 4))
    picture.save(tmp_path / "half.png")
    (tmp_path / "two.mtl").write_text(
        "newmtl picture\nmap_Kd half.png\nnewmtl plain\nKd 0.1 0.7 0.1\n"
    )
    (tmp_path / "two.obj").write_text(
        "mtllib two.mtl\nv -1 -1 0\nv 1 -1 0\nv 1 0 0\nv -1 0 0\nv 1 1 0\nv -1 1 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl picture\nf 1/1 2/2 3/3 4/4\n"
        "usemtl plain\nf 4/1 3/2 5/3 6/4\n"
    )
    item = viewer.read_item(tmp_path / "two.obj")
    assert [patch.image is not None for patch in item.patches] == [True, False]
    tab = page(serve([item], azimuth=0.0, elevation=0.0))
    seen = pixels(settled(tab)).astype(int)
    red = (seen[..., 0] > 2 * seen[..., 1] + 30) & (seen[..., 0] > 2 * seen[..., 2] + 30)
    blue = (seen[..., 2] > 2 * seen[..., 1] + 30) & (seen[..., 2] > 2 * seen[..., 0] + 30)
    green = (seen[..., 1] > 1.5 * seen[..., 0] + 20) & (seen[..., 1] > 1.5 * seen[..., 2] + 20)
    assert min(red.sum(), blue.sum(), green.sum()) > 2000
    assert np.nonzero(red)[1].mean() < np.nonzero(blue)[1].mean()  # as in the picture
    assert np.nonzero(green)[0].mean() < np.nonzero(red)[0].mean()  # it lies above


def test_parts_are_taken_apart_and_coloured_by_label(page, serve, tmp_path):
    """Two boxes that touch, of two groups; faces carry colours."""
    lines = []
    for k, low in enumerate((-1.0, 0.0)):
        box = shapes.box()
        at = box.vertices.numpy()
        at = (at - at.min(0)) / (at.max(0) - at.min(0)) * [1.0, 0.6, 0.6] + [low, -0.3, -0.3]
        lines += [f"v {x} {y} {z}" for x, y, z in at]
        lines.append(f"g part{k}")
        lines += ["f " + " ".join(str(int(i) + 1 + k * len(at)) for i in f) for f in box.faces]
    path = tmp_path / "boxes.obj"
    path.write_text("\n".join(lines) + "\n")
    item = viewer.read_item(path)
    assert sorted(set(item.parts.tolist())) == [0, 1]
    app = serve([item], azimuth=0.0, elevation=0.0)
    tab = page(app)

    def columns(picture):  # of the scene, left of the panel
        at = (np.abs(picture[60:, :600].astype(int) - picture[2, 300]).sum(2) > 30).any(0)
        return np.nonzero(at)[0]

    before = columns(pixels(settled(tab)))
    app.panel(LookPanel).apart.value = 0.4
    app.panel(LookPanel).take_apart(0.4)
    after = columns(pixels(settled(tab)))
    assert after[-1] - after[0] > (before[-1] - before[0]) * 1.1
    assert np.diff(after).max() > 20 > np.diff(before).max()  # a gap opened between the two
    app.fields.choose("group")
    app.panel(FieldPanel).colormap.value = "labels"
    app.panel(FieldPanel).update()
    seen = pixels(settled(tab)).astype(int)
    left, right = (seen[260, int(c)] for c in (after[0] + 30, after[-1] - 30))
    assert np.abs(left - right).sum() > 60


def test_colours_of_faces_are_seen(page, serve):
    ball = shapes.icosphere(2)
    color = torch.zeros(ball.num_faces, 3)
    color[:, 0] = 0.9
    mesh = Mesh(ball.vertices, ball.faces, face_attributes={"color": color})
    picture = pixels(settled(page(serve([item_of("red", mesh)])))).astype(int)
    red = (picture[..., 0] > 1.5 * picture[..., 1] + 20) & (picture[..., 0] > 100)
    assert red.sum() > 5000


def test_the_template_of_an_open_fit_is_shown_with_its_cut(page, serve, tmp_path):
    from meshlearn.data import open_shapes
    from meshlearn.reconstruct import fit, targets
    from meshlearn.representations import GShell

    target = targets.FromMesh(open_shapes.bowl(segments=24, rings=8), samples=500)
    shape = GShell(12, bounds=target.bounds)
    fit(shape, target, steps=2, progress=False, checkpoint=tmp_path / "run", snapshot_every=1)
    app = serve([], run=Run(tmp_path / "run"), field="msdf")
    tab = page(app)
    assert "run: template" in text_of(tab)
    template = app.drawings[[d.item.name for d in app.drawings].index("run: template")]
    assert template.visible and not app.drawings[0].visible
    assert template.item.mesh.is_watertight and len(template.item.lines) > 10
    assert drawn(tab) > 0.02
