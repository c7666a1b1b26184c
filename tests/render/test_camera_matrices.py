"""Cameras of OpenCV and OpenGL, both ways, against projections written out by hand."""

import math

import numpy as np
import pytest
import torch

from meshlearn import Camera
from meshlearn.render import sphere_cameras

SIZE = (480, 640)
POINTS = torch.rand(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5


def turn(angle: float) -> np.ndarray:
    """About y, then about x."""
    c, s = math.cos(angle), math.sin(angle)
    about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ about_y


K = np.array([[510.0, 0, 300], [0, 490, 250], [0, 0, 1]])
R, T = turn(0.4), np.array([0.1, -0.2, 4.0])


def by_hand(points, k=K, r=R, t=T):
    own = points @ r.T + t
    return np.stack(
        [k[0, 0] * own[:, 0] / own[:, 2] + k[0, 2], k[1, 1] * own[:, 1] / own[:, 2] + k[1, 2]], 1
    )


def tensors(*arrays):
    return [torch.from_numpy(np.array(a)) for a in arrays]


def test_opencv_projects_as_by_hand():
    cam = Camera.from_opencv(*tensors(K, R, T), SIZE)
    assert cam.view.dtype == torch.float64
    found = cam.project(POINTS, SIZE).numpy()
    assert np.abs(found[:, :2] - by_hand(POINTS.numpy())).max() < 1e-9
    assert np.allclose(found[:, 2], (POINTS.numpy() @ R.T + T)[:, 2], rtol=1e-13)
    assert np.allclose(cam.position.numpy(), -R.T @ T)
    # arrays and lists make a camera of float32, columns and rows are vectors alike
    for t in (T[:, None], T.tolist()):
        plain = Camera.from_opencv(K.tolist(), R, t, SIZE, distortion=np.zeros((1, 5)))
        assert plain.view.dtype == torch.float32
        assert (
            np.abs(plain.project(POINTS.float(), SIZE)[:, :2].numpy() - found[:, :2]).max() < 1e-2
        )


def test_opencv_far_from_the_origin_keeps_its_place():
    eye = np.array([5e5, 4e6, 100.0])
    cam = Camera.from_opencv(K, R, -R @ eye, SIZE)
    assert cam.view.dtype == torch.float64 and np.abs(cam.position.numpy() - eye).max() < 1e-6


def test_opencv_there_and_back_is_exact():
    k, r, t = Camera.from_opencv(*tensors(K, R, T), SIZE).to_opencv(SIZE)
    assert np.abs(k.numpy() - K).max() < 1e-10
    assert np.array_equal(r.numpy(), R) and np.array_equal(t.numpy(), T)
    many = sphere_cameras(5, radius=2.5, fov=40.0).to(torch.float64)
    back = Camera.from_opencv(*many.to_opencv(SIZE), SIZE)
    assert torch.equal(back.view, many.view)
    assert torch.allclose(back.project(POINTS, SIZE), many.project(POINTS, SIZE), rtol=1e-12)


def test_opencv_batches_share_what_is_one():
    turns = np.stack([turn(a) for a in (0.0, 0.3, 0.6)])
    places = np.stack([T, T + 1, T + 2])
    one = Camera.from_opencv(K, turns, places, SIZE)
    assert len(one) == 3
    lenses = Camera.from_opencv(np.stack([K, 1.1 * K, K]) * [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
                                + [[0, 0, 0], [0, 0, 0], [0, 0, 1]], R, T, SIZE)  # fmt: skip
    assert len(lenses) == 3 and lenses.batched
    for i in range(3):
        want = by_hand(POINTS.numpy(), K, turns[i], places[i])
        assert np.abs(one[i].project(POINTS, SIZE)[:, :2].numpy() - want).max() < 1e-2
    moved = Camera.from_opencv(K, R, places[..., None], SIZE)
    assert np.allclose(moved.position.numpy(), -(places @ R), atol=1e-6)


def test_pixels_counted_from_the_first_centre():
    """The first pixel's centre, (0, 0) of `calibrateCamera`, is (0.5, 0.5) here."""
    cam = Camera.from_opencv(*tensors(K, R, T), SIZE, integer_centres=True)
    found = cam.project(POINTS, SIZE)[:, :2].numpy()
    assert np.abs(found - by_hand(POINTS.numpy()) - 0.5).max() < 1e-9
    assert np.abs(cam.to_opencv(SIZE, integer_centres=True).K.numpy() - K).max() < 1e-10


def test_opengl_projects_as_by_hand():
    n, f, w, h = 0.1, 50.0, SIZE[1], SIZE[0]
    fx, fy, cx, cy = 510.0, 490.0, 300.0, 250.0
    projection = np.array([
        [2 * fx / w, 0, 1 - 2 * cx / w, 0],
        [0, 2 * fy / h, 2 * cy / h - 1, 0],
        [0, 0, -(f + n) / (f - n), -2 * f * n / (f - n)],
        [0, 0, -1, 0],
    ])  # fmt: skip
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = np.diag([1, -1, -1]) @ R, np.diag([1, -1, -1]) @ T
    cam = Camera.from_opengl(*tensors(view, projection), SIZE)
    assert np.abs(cam.project(POINTS, SIZE)[:, :2].numpy() - by_hand(POINTS.numpy())).max() < 1e-9
    assert cam.near == pytest.approx(n, rel=1e-9) and cam.far == pytest.approx(f, rel=1e-9)
    back = cam.to_opengl(SIZE)
    assert np.allclose(back.view.numpy(), view, rtol=0, atol=1e-15)
    assert np.allclose(back.projection.numpy(), projection, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("height", [None, 2.0])
def test_opengl_there_and_back(height):
    cam = Camera.look_at((0.3, 1, 2), height=height).to(torch.float64)
    back = Camera.from_opengl(*cam.to_opengl(SIZE), SIZE)
    assert back.orthographic == cam.orthographic
    assert torch.equal(back.view, cam.view)
    assert torch.allclose(back.project(POINTS, SIZE), cam.project(POINTS, SIZE), rtol=1e-12)
    assert back.near == pytest.approx(cam.near, rel=1e-6)
    assert back.far == pytest.approx(cam.far, rel=1e-6)


def test_an_endless_frustum_has_a_far_plane():
    n = 0.1
    projection = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, -1, -2 * n], [0, 0, -1, 0]])
    cam = Camera.from_opengl(torch.eye(4), projection, 64)
    assert cam.near == pytest.approx(n) and math.isfinite(cam.far) and cam.far > 1e3
    assert torch.isfinite(cam.projection(64)).all()


def changed(matrix, row, column, value):
    out = np.array(matrix)
    out[row, column] = value
    return out


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Camera.from_opencv(K, R, T, SIZE, [-0.25, 0.05, 0, 0]), "k1 -0.25, k2 0.05 bend"),
        (lambda: Camera.from_opencv(K, R, T, SIZE, [0, 0, 0, 0, 0.1]), "k3 0.1 bend"),
        (lambda: Camera.from_opencv(K, R, T, SIZE, [0.1, 0.2]), "expected 4, 5, 8, 12, 14"),
        (lambda: Camera.from_opencv(K, [0.1, 0.2, 0.3], T, SIZE), r"cv2\.Rodrigues"),
        (lambda: Camera.from_opencv(K, np.ones((3, 1)), T, SIZE), r"cv2\.Rodrigues"),
        (lambda: Camera.from_opencv(K, np.diag([1.0, 1, -1]), T, SIZE), "R: mirrors"),
        (lambda: Camera.from_opencv(K, 2 * R, T, SIZE), "R: "),
        (lambda: Camera.from_opencv(K, R, np.zeros(4), SIZE), r"t: expected \(3,\)"),
        (lambda: Camera.from_opencv(K, np.stack([R, R]), np.zeros((3, 3)), SIZE), "each of 2"),
        (lambda: Camera.from_opencv(changed(K, 0, 1, 2.0), R, T, SIZE), "skew of 2 pixels"),
        (lambda: Camera.from_opencv(changed(K, 1, 1, -490), R, T, SIZE), "mirrors the image"),
        (lambda: Camera.from_opencv(K.T, R, T, SIZE), "last row 0 0 1"),
        (lambda: Camera.from_opencv(changed(K, 0, 2, np.nan), R, T, SIZE), "K: holds NaN"),
        (lambda: Camera.from_opencv(np.eye(4), R, T, SIZE), r"K: expected \(3, 3\)"),
        (lambda: Camera.from_opencv(np.stack([K] * 3), np.stack([R] * 2), T, SIZE), "1 or 2"),
        (lambda: Camera.from_opencv(K, R, T, (480, 0)), "size: expected"),
        (lambda: Camera.look_at((0, 0, 2), height=1.0).to_opencv(8), "orthographic"),
        (lambda: Camera.from_opengl(torch.eye(4), torch.eye(4)), "size: expected"),
        (lambda: Camera.from_opengl(torch.eye(4), torch.ones(4, 4), 8), "projection: is singular"),
    ],
)
def test_bad_matrices_are_one_sentence(make, text):
    with pytest.raises(ValueError, match=text) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_transposed_view_is_refused_with_the_mend():
    view = Camera.look_at((1.0, 2.0, 3.0)).view
    Camera.from_opengl(view)
    for made in (lambda: Camera.from_opengl(view.mT), lambda: Camera.from_opengl(view.mT[None])):
        with pytest.raises(ValueError, match=r"last row \(0, 0, 0, 1\).*transpose"):
            made()
