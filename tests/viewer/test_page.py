"""The page in a headless browser: what is seen, what the panel does, what is said."""

import time

import pytest

pytest.importorskip("viser", reason="viser is not installed")

import numpy as np
import torch

import viewer
from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from tests.viewer.conftest import open_box, pixels
from viewer.draw import EDGES
from viewer.items import item_of
from viewer.shot import settled


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


def near(picture, color, tolerance=40):
    """How many pixels are close to a colour."""
    return int((np.abs(picture.astype(int) - color).max(2) < tolerance).sum())


def test_a_mesh_is_seen_named_and_can_be_hidden(page):
    with viewer.App([item_of("ball.obj", shapes.icosphere(3))]) as app:
        tab = page(app)
        assert "ball.obj" in tab.evaluate("document.title")
        text = tab.evaluate("document.body.innerText")
        assert "ball.obj" in text and "642 vertices, 1,280 faces" in text
        assert 0.1 < drawn(tab) < 0.6
        click_text(tab, "ball.obj")
        for _ in range(50):
            if not app.drawings[0].node.visible:
                break
            time.sleep(0.1)
        assert drawn(tab) < 0.02


def test_boundary_edges_are_drawn_in_their_colour(page):
    with viewer.App([item_of("box.obj", open_box())]) as app:
        tab = page(app)
        before = near(pixels(settled(tab)), EDGES["boundary"])
        click_text(tab, "Boundary edges")
        tab.evaluate("new Promise(done => setTimeout(done, 500))")
        assert near(pixels(settled(tab)), EDGES["boundary"]) > before + 500
        assert len(app.drawings[0].edge_vertices("boundary")) == 4


def test_bad_files_are_listed_and_the_rest_is_shown(page, tmp_path):
    broken = tmp_path / "broken.obj"
    broken.write_text("v 0 0 0\nf 1 2 3\n")
    empty = tmp_path / "empty.ply"
    empty.write_text("")
    mesh = shapes.icosphere(2)
    vertices = mesh.vertices.clone()
    vertices[0, 1] = torch.nan
    items = [
        viewer.read_item(broken),
        viewer.read_item(empty),
        viewer.read_item(tmp_path / "nowhere.stl"),
        item_of("holes", Mesh(vertices, mesh.faces)),
        item_of("nothing", Mesh(vertices[:0], mesh.faces[:0])),
    ]
    with viewer.App(items) as app:
        tab = page(app)
        words = tab.evaluate("[...document.querySelectorAll('[role=note]')].map(n => n.innerText)")
        assert any("broken.obj: " in w and "vertex" in w for w in words)
        assert any(w.startswith("empty.ply: ") for w in words)
        assert "nowhere.stl: there is no such file" in words
        assert any(w.startswith("nothing: there is nothing in it") for w in words)
        assert any(
            "1 of 162 vertices are NaN or infinite; 5 faces are not drawn" in w for w in words
        )
        assert drawn(tab) > 0.1


def test_without_anything_the_page_says_so(page):
    with viewer.App([]) as app:
        assert "no file was given" in page(app).evaluate("document.body.innerText")


def test_keyboard_help_opens_and_closes(page):
    with viewer.App([item_of("ball", shapes.icosphere(1))]) as app:
        tab = page(app)
        tab.press("?")
        assert tab.wait("document.getElementById('ml-help').open")
        assert "wireframe" in tab.evaluate("document.getElementById('ml-help').innerText")
        tab.press("?")
        assert tab.wait("!document.getElementById('ml-help').open")
