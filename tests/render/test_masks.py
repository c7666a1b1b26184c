"""Masks as people have them: what their numbers mean is understood, or refused with the numbers."""

import json
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn.data import shapes
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.targets.images import FromImages
from meshlearn.render import load_images, render_images, save_images
from meshlearn.render.mask_values import are_premultiplied, look_inverted

VIEWS = 10


@pytest.fixture(scope="module")
def images():
    return render_images(shapes.icosphere(3), VIEWS, size=64, samples=3)


@pytest.fixture
def folder(images, tmp_path):
    return save_images(images.only(("masks",)), tmp_path / "views")


@pytest.fixture
def photographs(images, tmp_path):
    """Colours with alpha, and no masks."""
    return save_images(images.only(("colors",)), tmp_path / "views")


def files(folder, kind="masks"):
    return sorted((folder / kind).iterdir())


def rewrite(folder, change, kind="masks"):
    """Each image (H, W[, C]) of bytes as `change` makes it: an array, or a picture."""
    for file in files(folder, kind):
        made = change(np.asarray(Image.open(file)))
        made = made if isinstance(made, Image.Image) else Image.fromarray(made)
        made.save(file)


def read(folder, **options):
    """The set, and what is told about it."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", UserWarning)
        found = load_images(folder, **options)
    return found, " ".join(str(w.message) for w in seen)


def binary(images):
    return images.masks > 0.5


def palette(a):
    out = Image.fromarray((a > 127).astype(np.uint8), "P")
    out.putpalette([0, 0, 0, 128, 0, 0] + [0] * 762)
    return out


def opaque(a):
    return np.dstack([np.where(a > 127, 255, 0).astype(np.uint8)] * 3 + [np.full_like(a, 255)])


FORMS = {
    "0 and 1": (lambda a: (a > 127).astype(np.uint8), "hold 0 and 1 only"),
    "0 and 7": (lambda a: 7 * (a > 127).astype(np.uint8), "hold 0 and 7 only"),
    "1 and 2": (lambda a: 1 + (a > 127).astype(np.uint8), "hold 1 and 2 only"),
    "palette": (palette, r"hold 0 and \(128, 0, 0\) only"),
    "red": (lambda a: np.dstack([255 * (a > 127).astype(np.uint8), 0 * a, 0 * a]), "255, 0, 0"),
    "one bit": (lambda a: Image.fromarray(a > 127), ""),
    "16 bits": (lambda a: (a > 127).astype(np.uint16) * 65535, ""),
    "16 bits, 0 and 1": (lambda a: (a > 127).astype(np.uint16), "hold 0 and 1 only"),
    "16 bits, 0 and 255": (lambda a: (a > 127).astype(np.uint16) * 255, "hold 0 and 255 only"),
    "RGBA, opaque": (opaque, f"alpha of {VIEWS} of {VIEWS} masks is opaque everywhere"),
    "RGBA, white with a cut": (lambda a: np.dstack([a * 0 + 255] * 3 + [a]), ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_two_values_are_background_and_object(images, folder, form):
    change, text = FORMS[form]
    rewrite(folder, change)
    found, told = read(folder)
    assert torch.equal(found.masks > 0.5, binary(images))
    assert bool(text) == bool(told)
    if text:
        assert re.search(text, told)


def test_shades_of_16_bits_stay(images, folder):
    rewrite(folder, lambda a: a.astype(np.uint16) * 257)
    found, told = read(folder)
    assert not told and (found.masks - images.masks).abs().max() <= 0.5 / 255 + 1e-6


def test_masks_as_arrays(images, folder):
    """(H, W) of bool, and of floats in 0 to 1, as segmentation programs write them."""
    record = json.loads((folder / "transforms.json").read_text())
    for i, frame in enumerate(record["frames"]):
        frame["mask_path"] = frame["mask_path"].replace(".png", ".npy")
        whole = images.masks[i].numpy()
        np.save(folder / frame["mask_path"], whole > 0.5)
    (folder / "transforms.json").write_text(json.dumps(record))
    assert torch.equal(read(folder)[0].masks > 0.5, binary(images))


def test_a_jpeg_is_black_and_white(images, folder):
    record = json.loads((folder / "transforms.json").read_text())
    for frame in record["frames"]:
        file = folder / frame["mask_path"]
        frame["mask_path"] = frame["mask_path"].replace(".png", ".jpg")
        Image.open(file).point(lambda v: 255 * (v > 127)).save(folder / frame["mask_path"])
    (folder / "transforms.json").write_text(json.dumps(record))
    found, told = read(folder)
    assert not told
    assert ((found.masks > 0.5) != binary(images)).float().mean() < 0.01


def labels(a):
    out = np.zeros_like(a)
    out[a > 127] = 1
    out[: a.shape[0] // 2][a[: a.shape[0] // 2] > 127] = 2
    return out


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (labels, r"areas of 3 values \(0, 1, 2;"),
        (lambda a: labels(a) * 100, r"areas of 3 values \(0, 100, 200;"),
        (lambda a: (a // 4).astype(np.uint8), "brightest value of all masks is 63"),
        (lambda a: np.full_like(a, 9), "hold the value 9 in every pixel"),
        (
            lambda a: np.dstack([128 * (a > 127), 0 * a, 128 * (a <= 127)]).astype(np.uint8),
            "equally bright",
        ),
        (lambda a: 255 - a, f"of {VIEWS} of {VIEWS} masks the border is bright"),
        (lambda a: (a <= 127).astype(np.uint8), "as where they are inverted"),
    ],
    ids=["labels", "labels high", "dark", "one value", "two colours", "inverted", "inverted 0/1"],
)
def test_what_may_mean_several_things_is_refused_with_its_values(folder, change, text):
    rewrite(folder, change)
    with pytest.raises(ValueError, match=text) as found:
        load_images(folder)
    assert "\n" not in str(found.value)


def test_one_mask_of_another_kind_is_named(folder):
    file = files(folder)[3]
    Image.fromarray((np.asarray(Image.open(file)) > 127).astype(np.uint8)).save(file)
    with pytest.raises(ValueError, match=rf"1 of {VIEWS} masks .*003\.png, 1 at most"):
        load_images(folder)


def test_photographs_are_no_masks(folder):
    rng = np.random.default_rng(0)
    rewrite(folder, lambda a: rng.integers(0, 256, (*a.shape, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="look like photographs"):
        load_images(folder)


def test_inverted_masks_are_turned_when_told(images, folder):
    rewrite(folder, lambda a: 255 - a)
    turned = read(folder, masks="inverted")[0]
    assert (turned.masks - images.masks).abs().max() <= 1 / 255
    stored = read(folder, masks="stored")[0]
    assert (stored.masks - (1 - images.masks)).abs().max() <= 1 / 255
    with pytest.warns(UserWarning, match="as where they are inverted"):
        FromImages(stored.cameras, masks=stored.masks)
    with pytest.raises(ValueError, match="masks: expected one of auto, stored, inverted"):
        load_images(folder, masks="flipped")


def test_what_reaches_the_border_looks_inverted_too(images, folder):
    """A stand below the object; upright, and close-ups that fill the image, are left alone."""

    def stand(a):
        out = a.copy()
        out[48:, 20:44] = 255
        return out

    rewrite(folder, stand)
    assert read(folder)[0].masks[:, -1, 20:44].all()
    rewrite(folder, lambda a: 255 - a)
    with pytest.raises(ValueError, match="as where they are inverted"):
        load_images(folder)
    close = images.masks.clone()
    close[:, 8:, 8:] = 1
    assert look_inverted(close) == 0 and look_inverted(torch.ones(2, 9, 9)) == 0


def test_stored_masks_are_asked_nothing(folder):
    rewrite(folder, lambda a: (labels(a) * 100).astype(np.uint8))
    found = read(folder, masks="stored")[0]
    assert float(found.masks.max()) == pytest.approx(200 / 255)


def test_opaque_alpha_of_photographs_is_no_mask(images, photographs):
    rewrite(photographs, lambda a: np.dstack([a[..., :3], a[..., 3] * 0 + 255]), "images")
    found, told = read(photographs)
    assert found.colors.shape[-1] == 3 and "alpha of all images is 255 everywhere" in told
    with pytest.raises(ValueError, match="masks: are missing"):
        FromImages(found)
    with pytest.raises(ValueError, match=r"opaque everywhere \(255\), which is no mask"):
        load_images(photographs, use=("masks",))
    with pytest.raises(ValueError, match="every pixel of every image is covered"):
        FromImages(images.cameras, colors=torch.ones(VIEWS, 8, 8, 4))


def test_alpha_of_0_and_1_is_a_mask(images, photographs):
    rewrite(
        photographs,
        lambda a: np.dstack([a[..., :3], (a[..., 3] > 127).astype(np.uint8)]),
        "images",
    )
    found, told = read(photographs)
    assert torch.equal(found.colors[..., 3] > 0.5, binary(images)) and "1 of 255 at most" in told
    assert torch.equal(read(photographs, use=("masks",))[0].masks > 0.5, binary(images))


def test_inverted_alpha(images, photographs):
    rewrite(photographs, lambda a: np.dstack([a[..., :3], 255 - a[..., 3]]), "images")
    with pytest.raises(ValueError, match="as where they are inverted"):
        load_images(photographs)
    turned = read(photographs, masks="inverted")[0]
    assert (turned.colors[..., 3] - images.masks).abs().max() <= 1 / 255


def test_premultiplied_colours_are_divided(images, photographs):
    assert not are_premultiplied(images.colors)
    assert "premultiplied" not in read(photographs)[1]

    def multiply(a):
        alpha = a[..., 3:].astype(float) / 255
        return np.dstack([np.rint(a[..., :3] * alpha).astype(np.uint8), a[..., 3]])

    rewrite(photographs, multiply, "images")
    found, told = read(photographs)
    assert "premultiplied" in told
    part = images.masks > 0.3
    assert (found.colors - images.colors)[part].abs().max() < 0.02


def test_known_pixels_of_0_and_1(images, folder):
    record = json.loads((folder / "transforms.json").read_text())
    (folder / "known").mkdir()
    for i, frame in enumerate(record["frames"]):
        frame["known_path"] = f"known/{i}.png"
        seen = np.ones((64, 64), np.uint8)
        seen[:, :8] = 0
        Image.fromarray(seen).save(folder / frame["known_path"])
    (folder / "transforms.json").write_text(json.dumps(record))
    known = read(folder)[0].known
    assert not known[..., :8].any() and known[..., 8:].all()


@pytest.mark.parametrize("form", ["0 and 1", "palette", "RGBA, opaque"])
def test_the_volume_is_that_of_the_ball(folder, form):
    rewrite(folder, FORMS[form][0])
    fit = reconstruct(read(folder)[0], resolution=20, steps=15, progress=False)
    assert float(fit.mesh.volume()) == pytest.approx(4.19, rel=0.1)
