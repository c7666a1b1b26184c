"""What the page says and shows on the way: loading, edges, normals, ranges, simplified, ports."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("viser", reason="viser is not installed")

from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from meshlearn.viewer.draw import EDGES, Look
from meshlearn.viewer.field_panel import FieldPanel
from meshlearn.viewer.gather_items import thin
from meshlearn.viewer.items import item_of
from meshlearn.viewer.look_panel import LookPanel
from meshlearn.viewer.page import Page
from meshlearn.viewer.shot import settled
from tests.viewer.conftest import like, open_box, pixels, soon


def test_the_page_says_that_it_loads_until_there_is_something(page):
    with Page("ball", port=18840) as served:
        tab = page(served, ready="document.querySelector('canvas') !== null")
        tab.wait("document.getElementById('ml-status')?.innerText === 'Loading…'")
        scene = pixels(settled(tab)).astype(int)[60:-60, 60:-40]
        assert np.ptp(scene.reshape(-1, 3), axis=0).max() < 10  # nothing is drawn yet
        with viewer.App([item_of("ball", shapes.icosphere(3))], page=served):
            tab.wait("document.getElementById('ml-status').hidden")
            soon(lambda: np.ptp(pixels(settled(tab)).astype(int)[60:-60, 60:-40]) > 60)
            assert "642 vertices" in tab.evaluate("document.body.innerText")
        assert tab.wait("document.getElementById('ml-status').innerText.includes('has ended')")
        tab.open("about:blank")


def test_three_kinds_of_edges_in_their_colours(page, serve):
    """A box without its top, and a fin on one of its lower edges: that edge has three faces."""
    box = open_box()
    low = (box.vertices[:, 1] < 0).nonzero().squeeze(1)
    a = low[box.vertices[low, 0].argmin()]
    side = low[(box.vertices[low, 2] == box.vertices[a, 2]) & (low != a)][0]
    tip = (box.vertices[a] + box.vertices[side]) / 2 + torch.tensor([0.0, -0.7, 0.0])
    fin = torch.stack([a, side, torch.tensor(len(box.vertices))])
    mesh = Mesh(torch.cat([box.vertices, tip[None]]), torch.cat([box.faces, fin[None]]))
    app = serve([item_of("box", mesh)], look=Look(back=False), azimuth=200.0, elevation=20.0)
    drawing = app.drawings[0]
    assert [len(drawing.edge_vertices(k)) for k in ("boundary", "non-manifold")] == [6, 1]
    tab = page(app)
    before = {kind: like(pixels(settled(tab)), color) for kind, color in EDGES.items()}
    tab.press("e")
    soon(lambda: app.look.edges == frozenset(EDGES))
    for kind, color in EDGES.items():
        soon(lambda c=color, k=kind: like(pixels(settled(tab)), c) > before[k] + 40)
    tab.press("e")
    soon(lambda: like(pixels(settled(tab)), EDGES["boundary"]) <= before["boundary"] + 5)


def test_keys_do_not_move_the_camera_as_well(page, serve):
    app = serve([item_of("ball", shapes.icosphere(2))])
    tab = page(app)
    soon(lambda: app.page.clients())
    client = next(iter(app.page.clients().values()))
    first = np.array(app.page.initial_camera.position)
    soon(lambda: np.allclose(client.camera.position, first, atol=1e-4))
    for key in "wewesd":
        tab.press(key)
    soon(lambda: app.dark)  # the last of them has come
    settled(tab)
    np.testing.assert_allclose(client.camera.position, first, atol=1e-4)


def test_normals_are_drawn_and_hidden_by_their_key(page, serve):
    app = serve([item_of("ball", shapes.icosphere(2))])
    tab = page(app)
    green = (40, 120, 80)
    before = like(pixels(settled(tab)), green)
    tab.press("n")
    soon(lambda: app.panel(LookPanel).controls["normals"].value)
    soon(lambda: like(pixels(settled(tab)), green) > before + 100)
    tab.press("n")
    soon(lambda: like(pixels(settled(tab)), green) <= before + 5)


def test_a_range_by_hand_changes_colours_and_legend(page, serve):
    app = serve([item_of("ball", shapes.icosphere(3))], field="y", azimuth=0.0, elevation=0.0)
    tab = page(app)

    def yellow():
        seen = pixels(settled(tab)).astype(int)
        return int(((seen[..., 0] > 150) & (seen[..., 1] > 150) & (seen[..., 2] < 120)).sum())

    few = yellow()
    panel = app.panel(FieldPanel)
    panel.auto.value = False
    panel.low.value, panel.high.value = -1.0, 0.0
    panel.update()
    soon(lambda: yellow() > 4 * few)  # the upper half is beyond the range
    numbers = tab.evaluate("document.querySelector('.ml-legend').innerText")
    assert re.search(r"-1\s+-0\.5\s+0", numbers)
    assert tab.evaluate("document.body.innerText.includes('From')")


def test_opacity_lets_the_background_through(page, serve):
    app = serve([item_of("ball", shapes.icosphere(3))])
    tab = page(app)

    def darkness():
        return float((255 - pixels(settled(tab)).astype(int)).mean())

    solid = darkness()
    app.panel(LookPanel).controls["opacity"].value = 0.2
    app.panel(LookPanel).update()
    soon(lambda: darkness() < 0.6 * solid)


def test_a_simplified_mesh_is_told_on_the_page(page, serve):
    item = item_of("ball", shapes.icosphere(5))
    thin(item, 2000)
    tab = page(serve([item]))
    words = tab.evaluate("[...document.querySelectorAll('[role=note]')].map(n => n.innerText)")
    assert any(w.startswith("simplified from 20,480 to ") for w in words)
    assert (np.ptp(pixels(settled(tab)).astype(int), axis=2) > 20).mean() > 0.05


def test_the_verb_takes_the_next_port_and_shows_what_can_be_read(page, tmp_path):
    shapes.icosphere(2).save(tmp_path / "ball.ply")
    (tmp_path / "torn.ply").write_text("ply\nformat ascii 1.0\nelement vertex 3\n")
    with Page("other", port=18890) as other:
        files = [str(tmp_path / name) for name in ("torn.ply", "ball.ply")]
        process = subprocess.Popen(
            [sys.executable, "-m", "meshlearn", "view", *files, "--port", str(other.port)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            told = process.stderr.readline()
            assert told.startswith(f"port {other.port} is in use; took ")
            address = process.stderr.readline().split()[0]
            assert address == f"http://127.0.0.1:{told.split()[-1]}"
            tab = page(address)
            words = tab.evaluate("document.body.innerText")
            assert "torn.ply: " in words and "162 vertices, 320 faces" in words
            assert "torn.ply" in process.stderr.readline()
            tab.open("about:blank")
        finally:
            process.terminate()
            process.communicate(timeout=300)
