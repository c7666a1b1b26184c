"""`meshlearn view`: what it says before a page is up, and the picture it writes."""

import builtins

import pytest
from PIL import Image

from meshlearn.data import shapes


@pytest.fixture
def ball(tmp_path):
    path = tmp_path / "ball.obj"
    shapes.icosphere(1).save(path)
    return path


def test_nothing_readable_is_bad_input(cli, tmp_path):
    pytest.importorskip("viser", reason="viser is not installed")
    done = cli("view", tmp_path / "no.obj", "--shot", tmp_path / "a.png")
    assert done.returncode == 1 and "there is no such file" in done.stderr
    assert "error: FILE: none of them could be read" in done.stderr


def test_without_viser_the_extra_is_named(cli, ball, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "viser":
            raise ImportError("No module named 'viser'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    done = cli("view", ball)
    assert done.returncode == 1 and "pip install 'meshlearn[viewer]'" in done.stderr


def test_names_and_sizes_are_checked_first(cli, ball, tmp_path):
    (tmp_path / "there.png").write_bytes(b"x")
    assert "--overwrite" in cli("view", ball, "--shot", tmp_path / "there.png").stderr
    assert cli("view", ball, "--size", "big").returncode == 2
    assert cli("view", ball, "--export", tmp_path / "page.txt").returncode == 1


def test_unknown_fields_and_single_meshes_are_told(cli, ball, tmp_path):
    pytest.importorskip("viser", reason="viser is not installed")
    shot = tmp_path / "a.png"
    done = cli("view", ball, "--field", "heat", "--shot", shot)
    assert done.returncode == 1 and "there is no 'heat'; there are x, y, z" in done.stderr
    done = cli("view", ball, "--compare", "--shot", shot)
    assert done.returncode == 1 and "two meshes" in done.stderr


@pytest.mark.slow
def test_a_shot(cli, ball, tmp_path):
    pytest.importorskip("viser", reason="viser is not installed")
    from meshlearn.viewer.browser import find_browser

    if find_browser() is None:
        pytest.skip("no Chromium on PATH")
    done = cli("view", ball, "--shot", tmp_path / "a.png", "--size", "640x400")
    assert done.returncode == 0 and done.stdout == ""
    picture = Image.open(tmp_path / "a.png").convert("RGB")
    assert picture.size == (640, 400) and len(picture.getcolors(1 << 20)) > 100
