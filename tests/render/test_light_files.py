"""Panoramas in files: Radiance's bytes by their definition, OpenEXR, images, what is damaged."""

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn.render.environment import EnvironmentLight
from meshlearn.render.light_files import load_light, read_hdr, save_light, write_hdr


def texels(rows=6, columns=12, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((rows, columns, 3)) * 10 ** rng.uniform(-4, 4, (rows, columns, 1))).astype(
        np.float32
    )


@pytest.mark.parametrize("columns", [1, 7, 8, 12, 129, 300])
def test_what_is_written_is_read_within_a_step_of_the_mantissa(columns):
    given = texels(5, columns)
    given[0, 0] = 0
    found = read_hdr(write_hdr(given))
    assert found.shape == given.shape and not found[0, 0].any()
    step = given.max(2, keepdims=True) / 128
    assert (np.abs(found - given) <= 0.51 * step).all()


def test_bytes_mean_what_radiance_says():
    """(128, 64, 0) with the exponent 129 is (128.5, 64.5, 0.5) / 2⁷; runs repeat a byte."""
    head = b"#?RADIANCE\n# made by hand\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 8\n"
    runs = b"\x02\x02\x00\x08" + b"\x88\x80" + b"\x84\x40\x84\x20" + b"\x08" + bytes(range(8))
    found = read_hdr(head + runs + b"\x88\x81")
    assert np.allclose(found[0, :, 0], 128.5 / 128)
    assert np.allclose(found[0, :4, 1], 64.5 / 128) and np.allclose(found[0, 4:, 1], 32.5 / 128)
    assert np.allclose(found[0, :, 2], (np.arange(8) + 0.5) / 128)
    flat = b"#?RGBE\nFORMAT=32-bit_rle_rgbe\nEXPOSURE=2\n\n-Y 2 +X 1\n" + bytes(
        [128, 0, 0, 129, 0, 0, 0, 0]
    )
    found = read_hdr(flat)
    assert found[0, 0, 0] == pytest.approx(128.5 / 128 / 2) and not found[1].any()
    turned = read_hdr(flat.replace(b"-Y 2 +X 1", b"+Y 2 +X 1"))
    assert np.array_equal(turned, found[::-1])


def test_files_go_round_and_nothing_is_left_half_written(tmp_path):
    given = torch.from_numpy(texels(16, 32))
    save_light(EnvironmentLight(given), tmp_path / "light.hdr")
    found = load_light(tmp_path / "light.hdr")
    assert float((found.texels - given).abs().div(given.amax(2, keepdim=True)).max()) < 0.005
    assert [p.name for p in tmp_path.iterdir()] == ["light.hdr"]
    with pytest.raises(ValueError, match=r"\.hdr"):
        save_light(given, tmp_path / "light.png")


def test_an_ordinary_image_is_light_and_told(tmp_path):
    Image.fromarray(np.full((4, 8, 3), 188, np.uint8)).save(tmp_path / "grey.png")
    with pytest.warns(UserWarning, match="no brighter than white"):
        light = load_light(tmp_path / "grey.png")
    assert float(light.texels.mean()) == pytest.approx(0.503, abs=1e-3)


def test_black_and_bad_numbers_are_told(tmp_path):
    save_light(torch.zeros(4, 8, 3), tmp_path / "black.hdr")
    with pytest.warns(UserWarning, match="black"):
        assert load_light(tmp_path / "black.hdr").is_black


def test_openexr(tmp_path):
    exr = pytest.importorskip("OpenEXR", reason="the extra exr is not installed")
    given = texels(4, 8)
    given[1, 2, 0] = -1
    head = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(head, {"RGB": given}).write(str(tmp_path / "a.exr"))
    with pytest.warns(UserWarning, match="1 texels are negative"):
        found = load_light(tmp_path / "a.exr").texels.numpy()
    given[1, 2] = [0, *given[1, 2, 1:]]
    assert np.allclose(found, given, rtol=1e-3)
    (tmp_path / "b.exr").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.exr"):
        load_light(tmp_path / "b.exr")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "begins with"),
        (b"\x89PNG", "begins with"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "cut short"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n-Y 1 +X 1\nabcd", "format"),
        (b"#?RADIANCE\n\n-Y one +X 1\nabcd", "size"),
        (b"#?RADIANCE\n\n+X 1 -Y 1\nabcd", "size line"),
        (b"#?RADIANCE\n\n-Y 99999999 +X 99999999\nabcd", "not read"),
        (b"#?RADIANCE\n\n-Y 0 +X 4\n", "not read"),
        (b"#?RADIANCE\n\n-Y 2 +X 1\nabcd", "cut short"),
        (b"#?RADIANCE\nEXPOSURE=dark\n\n-Y 1 +X 1\nabcd", "exposure"),
        (b"#?RADIANCE\nEXPOSURE=0\n\n-Y 1 +X 1\nabcd", "exposure"),
        (b"#?RADIANCE\n\n-Y 1 +X 2\n\x01\x01\x01\x05abcd", "old kind"),
        (b"#?RADIANCE\n\n-Y 1 +X 8\n\x02\x02\x00\x08\x89\x01" + 40 * b"\x00", "runs"),
        (b"#?RADIANCE\n\n-Y 1 +X 8\n\x02\x02\x00\x08\x00\x01" + 40 * b"\x00", "runs"),
        (b"#?RADIANCE\n\n-Y 2 +X 8\n\x02\x02\x00\x08" + 4 * b"\x88\x01", "cut short"),
    ],
)
def test_damaged_files_are_one_sentence(data, words):
    with pytest.raises(ValueError, match=words) as error:
        read_hdr(data, "a.hdr")
    assert str(error.value).startswith("a.hdr: ") and "\n" not in str(error.value)


def test_any_bytes_are_a_panorama_or_a_sentence():
    rng = np.random.default_rng(1)
    whole = write_hdr(texels(5, 20))
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(len(data))] = rng.integers(256)
        data = bytes(data[: rng.integers(1, len(data) + 1)])
        try:
            assert read_hdr(data).shape[2] == 3
        except ValueError as error:
            assert "\n" not in str(error)


def test_another_extension(tmp_path):
    (tmp_path / "a.obj").write_bytes(b"")
    with pytest.raises(ValueError, match="expected light in one of"):
        load_light(tmp_path / "a.obj")
