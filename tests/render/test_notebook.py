"""What notebooks show of a mesh."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn import Mesh
from meshlearn.data.shapes import icosphere


def picture_of(mesh: Mesh) -> np.ndarray | None:
    found = re.search(r"data:image/png;base64,([^']+)'", mesh._repr_html_())
    if found is None:
        return None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGB"))


def test_a_picture_and_the_words():
    ball = icosphere(2)
    html = ball._repr_html_()
    assert "Mesh(162 vertices, 320 faces" in html and "http" not in html
    pixels = picture_of(ball)
    assert pixels is not None and pixels.shape == (320, 320, 3)
    ground = pixels[:, :2].astype(int).mean(1, keepdims=True)
    away = np.abs(pixels - ground).sum(2) > 20
    disc = np.pi * 0.43**2  # of a picture that it fills to 0.86
    assert away[160, 160] and not away[2, 2] and abs(away.mean() - disc) < 0.06


def test_it_is_in_the_picture_wherever_it_lies():
    pixels = picture_of(icosphere(2).to(torch.float64).translate((1e6, 0, 0)))
    assert np.abs(pixels[160, 160].astype(int) - pixels[2, 2].astype(int)).sum() > 30


def test_words_alone_where_nothing_can_be_drawn():
    ball = icosphere(1)
    for mesh in (ball.with_vertices(ball.vertices / 0), Mesh(ball.vertices, [])):
        assert picture_of(mesh) is None and "<code>Mesh(" in mesh._repr_html_()


def test_show_opens_a_page_that_closes():
    pytest.importorskip("viser", reason="viser is not installed")
    app = icosphere(1).show(name="ball", browser=False, block=False, port=19790)
    try:
        assert app.items[0].name == "ball" and "127.0.0.1" in app.url
    finally:
        app.close()
    with pytest.raises(ValueError, match="nothing in it to draw"):
        Mesh([], []).show(browser=False, block=False)
