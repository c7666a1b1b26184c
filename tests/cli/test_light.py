"""`render --light`: panoramas of light on materials, in pictures and in folders of views."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import meshlearn as ml
from meshlearn.io import Looks, Material

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "lights"


@pytest.fixture
def ball(tmp_path):
    mesh = ml.data.shapes.icosphere(3)
    made = ml.Mesh(
        mesh.vertices,
        mesh.faces,
        face_attributes={"material": torch.zeros(mesh.num_faces, dtype=torch.int64)},
    )
    material = Material("metal")
    material.looks = Looks(base_color=(0.9, 0.6, 0.3), metallic=1.0, roughness=0.2)
    made.materials = (material,)
    ml.save(made, tmp_path / "ball.glb")
    return tmp_path / "ball.glb"


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def test_lights_make_different_pictures_of_a_metal(cli, ball, tmp_path):
    found = {}
    for name in ("studio", "overcast", "sunset"):
        out = tmp_path / f"{name}.png"
        done = cli("render", ball, out, "--light", ASSETS / f"{name}.hdr", "--size", 96)
        assert done.returncode == 0, done.stderr
        found[name] = pixels(out)
    assert np.abs(found["studio"] - found["overcast"]).mean() > 4
    red = [found["sunset"][..., c].mean() for c in (0, 2)]
    assert red[0] > red[1] + 8  # the sun is low
    out = tmp_path / "dark.png"
    light = ("--light", ASSETS / "studio.hdr", "--size", 96)
    assert cli("render", ball, out, *light, "--exposure", 0.2).returncode == 0
    assert pixels(out).mean() < found["studio"].mean() - 4


def test_a_folder_of_views_under_a_light(cli, ball, tmp_path):
    light = ("--light", ASSETS / "studio.hdr", "--views", 3, "--size", 32)
    assert cli("render", ball, tmp_path / "views", *light).returncode == 0
    assert cli("render", ball, tmp_path / "plain", *light[2:]).returncode == 0
    lit, plain = (
        np.stack([pixels(p) for p in sorted((tmp_path / name / "images").iterdir())])
        for name in ("views", "plain")
    )
    assert lit.shape == plain.shape and np.abs(lit - plain).mean() > 3


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--light", "none.hdr"), 1, "none.hdr"),
        (("--light", "bad.hdr"), 1, "begins with #?RADIANCE"),
        (("--light", "bad.txt"), 1, "expected light in one of"),
        (("--exposure", "2"), 2, "--light"),
        (("--light", ASSETS / "studio.hdr", "--exposure", "0"), 1, "exposure"),
    ],
)
def test_bad_lights(cli, ball, tmp_path, monkeypatch, options, code, words):
    monkeypatch.chdir(tmp_path)
    Path("bad.hdr").write_bytes(b"no light")
    Path("bad.txt").write_bytes(b"no light")
    done = cli("render", ball, "out.png", *options)
    assert done.returncode == code and words in done.stderr
    assert "Traceback" not in done.stderr and not Path("out.png").exists()


def test_an_ordinary_image_is_taken_and_told(cli, ball, tmp_path):
    Image.fromarray(np.full((16, 32, 3), 200, np.uint8)).save(tmp_path / "room.png")
    done = cli("render", ball, tmp_path / "out.png", "--light", tmp_path / "room.png")
    assert done.returncode == 0 and "no brighter than white" in done.stderr
