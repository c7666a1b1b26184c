"""Images through lenses that bend: straightened, points are where the pinhole has them."""

import numpy as np
import pytest
import torch

from meshlearn.captures.lens import MODELS, Lens
from meshlearn.render.straighten import resampling, straighten
from tests.captures.test_lens import BENT, lens

# directions in front of the camera, far enough from each other for a blob each
X, Y = (a.ravel() for a in np.meshgrid(np.linspace(-0.6, 0.6, 7), np.linspace(-0.45, 0.45, 5)))


def blobs(own: Lens, width: float = 1.2) -> torch.Tensor:
    """(h, w, 1) the image of bright dots in those directions, drawn where the lens puts them."""
    h, w = own.known_size
    u, v = own.pixels(X, Y)
    across = np.exp(-(((np.arange(w) + 0.5)[:, None] - u) ** 2) / (2 * width**2))
    along = np.exp(-(((np.arange(h) + 0.5)[:, None] - v) ** 2) / (2 * width**2))
    return torch.from_numpy(np.einsum("rk,ck->rc", along, across)).float()[..., None]


def middles(image: torch.Tensor, u: np.ndarray, v: np.ndarray, reach: int = 8) -> np.ndarray:
    """(K, 2) centres of mass of an image around places."""
    out = []
    for a, b in zip(u, v, strict=True):
        c, r = int(a), int(b)
        part = image[r - reach : r + reach + 1, c - reach : c + reach + 1, 0].double().numpy()
        rows = np.arange(r - reach, r + reach + 1) + 0.5
        columns = np.arange(c - reach, c + reach + 1) + 0.5
        out.append(((part * columns).sum() / part.sum(), (part.T * rows).sum() / part.sum()))
    return np.array(out)


@pytest.mark.parametrize("model", MODELS)
def test_points_are_where_the_pinhole_has_them(model):
    """A blob's middle moves by less than a tenth of a pixel; ignoring the lens, by many."""
    own = lens(model)
    how = resampling(own)
    u, v = how.lens.pixels(X, Y)
    image = straighten("colors", blobs(own).expand(-1, -1, 3), how)
    assert image.shape == (*how.lens.known_size, 3)
    off = np.hypot(*(middles(image, u, v) - np.stack([u, v], 1)).T)
    assert off.max() < 0.1
    if not own.straight:
        plain_u, plain_v = Lens("PINHOLE", own.focal, own.centre, own.size).pixels(X, Y)
        bent_u, bent_v = own.pixels(X, Y)
        assert np.hypot(plain_u - bent_u, plain_v - bent_v).max() > 3


@pytest.mark.parametrize("kind", ["masks", "depth", "normals", "colors"])
def test_what_no_lens_saw_is_nothing_and_known_as_that(kind):
    own = lens("OPENCV")
    shape = {"masks": (), "depth": (), "normals": (3,), "colors": (4,)}[kind]
    how = resampling(own)
    out = straighten(kind, torch.ones(*own.known_size, *shape), how)
    assert torch.equal(out.reshape(*out.shape[:2], -1)[..., 0] > 0, how.known)
    assert torch.allclose(out[how.known], torch.ones(()))
    assert 0.02 < 1 - how.known.float().mean() < 0.3


def test_depth_and_normals_are_not_mixed_across_an_edge():
    own = lens("OPENCV_FISHEYE")
    depth = torch.full(own.known_size, 1.0)
    depth[:, 300:] = 5.0
    how = resampling(own)
    assert set(straighten("depth", depth, how)[how.known].unique().tolist()) == {1.0, 5.0}
    mask = straighten("masks", (depth > 2).float(), how)
    assert ((mask > 0.01) & (mask < 0.99)).any()


def test_colours_are_mixed_by_how_much_they_cover():
    """Beside an object with alpha its colours stay its own, whatever stands where alpha is 0."""
    own = lens("RADIAL")
    image = torch.zeros(*own.known_size, 4)
    image[..., 1] = 1.0  # green where nothing is
    image[100:300, 150:400] = torch.tensor([1.0, 0, 0, 1])
    out = straighten("colors", image, resampling(own))
    covered = out[..., 3] > 1e-3
    assert torch.allclose(out[covered][:, :3], torch.tensor([1.0, 0, 0]), atol=1e-5)


def test_every_model_is_drawn():
    assert set(BENT) == set(MODELS)
