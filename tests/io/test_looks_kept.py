"""Looks in the lossless formats: all of them come back, and damaged ones are refused."""

import json

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io.looks import Looks, Texture, looks_of_plain, plain_of
from tests.io.samples import png, polygons

LOOKS = Looks(
    base_color=(0.25, 0.5, 0.75),
    alpha=0.5,
    alpha_mode="MASK",
    alpha_cutoff=0.25,
    emissive=(4.0, 0.0, 0.0),
    metallic=0.125,
    double_sided=True,
    unlit=False,
    base_texture=Texture("wood.png", 1, (0.5, 0.25), (2.0, 3.0), 0.75, ("clamp", "mirror"), True),
    normal_texture=Texture("wood.png", strength=0.5, channel="g"),
    beyond=("sheen",),
)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_every_property_comes_back(tmp_path, suffix):
    document = polygons(
        np.eye(3, dtype=np.float32), [[0, 1, 2]], face_fields={"material": np.zeros(1, np.int32)}
    )
    document.materials = [mio.Material("stuff", looks=LOOKS), mio.Material("plain")]
    document.images = {"wood.png": png()}
    mio.save_document(document, tmp_path / f"a{suffix}")
    found = mio.load_document(tmp_path / f"a{suffix}").materials
    assert found[0].looks == LOOKS and found[1].looks is None


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"colour": 1},
        {"base_color": [1, 2]},
        {"base_color": "red"},
        {"alpha": True},
        {"alpha": "half"},
        {"unlit": 1},
        {"alpha_mode": 3},
        {"beyond": [1]},
        {"base_texture": "wood.png"},
        {"base_texture": {"offset": [0, 0]}},
        {"base_texture": {"image": "a", "wrap": ["clamp"]}},
        {"base_texture": {"image": "a", "uv": 0.5}},
        {"base_texture": {"image": "a", "base_color": [0, 0, 0]}},
    ],
)
def test_what_is_none_of_its_is_refused(said):
    with pytest.raises(ValueError, match="looks: "):
        looks_of_plain(said)


def test_json_and_back():
    assert looks_of_plain(json.loads(json.dumps(plain_of(LOOKS)))) == LOOKS
    assert looks_of_plain(json.loads(json.dumps(plain_of(Looks())))) == Looks()
