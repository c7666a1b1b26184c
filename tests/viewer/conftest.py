"""A headless browser for the tests of this folder; they skip where there is none."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from viewer.browser import Browser, find_browser


@pytest.fixture(scope="session")
def browser():
    pytest.importorskip("viser", reason="viser is not installed")
    if find_browser() is None:
        pytest.skip("no Chromium on PATH (set MESHLEARN_BROWSER)")
    with Browser((900, 520)) as opened:
        yield opened


@pytest.fixture
def page(browser):
    """Opens an App's page and waits until it is there: page(app) -> browser."""

    def go(app, query=""):
        browser.problems.clear()
        browser.requests.clear()
        browser.open(app.url + query)
        browser.wait("document.querySelector('[data-ml-ready]') !== null", patience=60)
        return browser

    yield go
    assert not browser.problems
    away = [r for r in browser.requests if "127.0.0.1" not in r and not r.startswith(LOCAL)]
    assert not away, f"the page asked for {away}"
    browser.open("about:blank")


LOCAL = ("data:", "blob:", "about:", "file:", "chrome")


def pixels(png: bytes) -> np.ndarray:
    """(H, W, 3) of a picture of the page, left of the panel."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return picture[:, : picture.shape[1] - 330]


def open_box() -> Mesh:
    """A cube without its top: eight vertices, ten faces, four boundary edges."""
    mesh = shapes.box()
    normals = mesh.face_normals()
    return mesh.submesh(normals[:, 1] < 0.9).mesh


def with_color(mesh: Mesh, rgb) -> Mesh:
    color = torch.tensor(rgb, dtype=mesh.dtype).expand(mesh.num_vertices, 3)
    return Mesh(mesh.vertices, mesh.faces, vertex_attributes={"color": color.contiguous()})
