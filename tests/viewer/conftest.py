"""A headless browser for the tests of this folder; they skip where there is none."""

import contextlib
import io
import itertools
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn import viewer
from meshlearn.data import shapes
from meshlearn.mesh import Mesh
from meshlearn.viewer.browser import Browser, find_browser


@pytest.fixture(scope="session")
def browser():
    pytest.importorskip("viser", reason="viser is not installed")
    if find_browser() is None:
        pytest.skip("no Chromium on PATH (set MESHLEARN_BROWSER)")
    with Browser((900, 520)) as opened:
        yield opened


_ports = itertools.count(18100, 7)  # each its own: a browser keeps connections to an old server


@pytest.fixture
def serve():
    """Shows items on a page that ends with the test: serve(items, field="x") -> App."""
    pytest.importorskip("viser", reason="viser is not installed")
    with contextlib.ExitStack() as stack:

        def start(items, *, run=None, **options):
            chosen = viewer.Options(port=next(_ports) + os.getpid() % 500, **options)
            return stack.enter_context(viewer.App(items, chosen, run=run))

        yield start


@pytest.fixture
def page(browser, serve):  # serve: so that the page is left before its server ends
    """Opens an App's page and waits until it is there: page(app) -> browser."""

    def go(address, ready="document.querySelector('[data-ml-ready]') !== null"):
        browser.problems.clear()
        browser.requests.clear()
        browser.open(getattr(address, "url", address))
        browser.wait(ready, patience=300)
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


def near(picture, color, tolerance=40):
    """How many pixels are close to a colour."""
    return int((np.abs(picture.astype(int) - color).max(2) < tolerance).sum())


def like(picture, color) -> int:
    """How many pixels have a colour's hue and are as strong: tones are mapped on the way."""

    def parts(rgb):
        rgb = np.asarray(rgb, float)
        high, low = rgb.max(-1), rgb.min(-1)
        span = np.maximum(high - low, 1e-9)
        r, g, b = (rgb[..., k] for k in range(3))
        hue = np.where(
            high == r,
            (g - b) / span % 6,
            np.where(high == g, (b - r) / span + 2, (r - g) / span + 4),
        )
        return 60 * hue, span / np.maximum(high, 1)

    (hue, strength), (want, least) = parts(picture), parts(color)
    away = np.abs((hue - want + 180) % 360 - 180)
    return int(((away < 12) & (strength > 0.85 * least)).sum())


def soon(condition, patience=300.0):
    """Waits until a condition of the server's side is true."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def open_box() -> Mesh:
    """A cube without its top: eight vertices, ten faces, four boundary edges."""
    mesh = shapes.box()
    normals = mesh.face_normals()
    return mesh.submesh(normals[:, 1] < 0.9).mesh


def with_color(mesh: Mesh, rgb) -> Mesh:
    color = torch.tensor(rgb, dtype=mesh.dtype).expand(mesh.num_vertices, 3)
    return Mesh(mesh.vertices, mesh.faces, vertex_attributes={"color": color.contiguous()})
