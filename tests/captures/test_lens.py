"""Lenses: by the published formulas, by COLMAP and OpenCV where they are; what is shown."""

import math

import numpy as np
import pytest

from meshlearn.captures.lens import MODELS, WIDEST, Lens, shown_share, straightened

SIZE = (480, 640)
CENTRE = (330.0, 250.0)
# coefficients that bend visibly, and do not fold within the image
BENT = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": (-0.1,),
    "RADIAL": (-0.25, 0.06),
    "OPENCV": (-0.28, 0.07, 0.004, -0.003),
    "OPENCV_FISHEYE": (0.05, -0.01, 0.004, -0.001),
    "FULL_OPENCV": (-0.2, 0.05, 0.003, -0.002, 0.01, 0.02, -0.01, 0.003),
    "FOV": (0.9,),
    "SIMPLE_RADIAL_FISHEYE": (0.04,),
    "RADIAL_FISHEYE": (0.04, -0.01),
    "THIN_PRISM_FISHEYE": (0.03, -0.01, 0.002, -0.003, 0.004, -0.001, 0.002, -0.001),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        0.03, -0.01, 0.004, -0.002, 0.001, -0.0005, 0.002, -0.003, 0.001, -0.002, 0.0015, 0.0005,
    ),
    "SIMPLE_DIVISION": (-0.2,),
    "DIVISION": (0.1,),
    "SIMPLE_FISHEYE": (),
    "FISHEYE": (),
    "EUCM": (0.6, 1.1),
}  # fmt: skip


def lens(model: str, focal: float = 400.0) -> Lens:
    one = MODELS[model].parameters[0] == "f"
    return Lens(model, (focal, focal if one else 1.04 * focal), CENTRE, SIZE, BENT[model])


def directions(count: int = 300) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.7, 0.7, (count, 2))


def one_by_one(model: str, x: float, y: float) -> tuple[float, float]:
    """The same models, written a point at a time with angles where the room has powers."""
    k = BENT[model]
    r = math.hypot(x, y)
    if model.endswith("PINHOLE"):
        return x, y
    if model in ("SIMPLE_RADIAL", "RADIAL"):
        k1, k2 = (*k, 0.0)[:2]
        s = 1 + k1 * r**2 + k2 * r**4
        return s * x, s * y
    if model in ("OPENCV", "FULL_OPENCV"):
        k1, k2, p1, p2, k3, k4, k5, k6 = (*k, *[0.0] * 4)[:8]
        s = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
        return (
            s * x + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
            s * y + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
        )
    if model == "FOV":
        s = math.atan(2 * r * math.tan(k[0] / 2)) / k[0] / r
        return s * x, s * y
    if model.endswith("DIVISION"):
        far = (1 - math.sqrt(1 - 4 * k[0] * r**2)) / (2 * k[0] * r)  # r = far / (1 + k far^2)
        return far / r * x, far / r * y
    if model == "EUCM":
        alpha, beta = k
        d = math.sqrt(beta * (x**2 + y**2) + 1)
        return x / (alpha * d + 1 - alpha), y / (alpha * d + 1 - alpha)
    theta, turn = math.atan(r), math.atan2(y, x)
    c, s = math.cos(turn), math.sin(turn)
    if model == "THIN_PRISM_FISHEYE":
        k1, k2, p1, p2, k3, k4, sx, sy = k
        a, b = theta * c, theta * s
        grow = k1 * theta**2 + k2 * theta**4 + k3 * theta**6 + k4 * theta**8
        return (
            a + a * grow + 2 * p1 * a * b + p2 * (theta**2 + 2 * a**2) + sx * theta**2,
            b + b * grow + 2 * p2 * a * b + p1 * (theta**2 + 2 * b**2) + sy * theta**2,
        )
    poly = k[:6] if model.startswith("RAD_TAN") else k
    far = theta * (1 + sum(v * theta ** (2 * i + 2) for i, v in enumerate(poly)))
    a, b = far * c, far * s
    if model.startswith("RAD_TAN"):
        p0, p1, s0, s1, s2, s3 = k[6:]
        q = a * a + b * b
        return (
            a + (2 * a * a + q) * p0 + 2 * a * b * p1 + s0 * q + s1 * q * q,
            b + (2 * b * b + q) * p1 + 2 * a * b * p0 + s2 * q + s3 * q * q,
        )
    return a, b


@pytest.mark.parametrize("model", MODELS)
def test_the_published_formula(model):
    points = directions()
    x, y = lens(model).bent(points[:, 0], points[:, 1])
    wanted = np.array([one_by_one(model, *p) for p in points])
    np.testing.assert_allclose(np.stack([x, y], 1), wanted, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_straight(model):
    """Without coefficients a perspective lens is a pinhole; a fisheye never is."""
    bare = Lens(model, (400.0, 400.0), CENTRE, SIZE, (0.0,) * len(BENT[model]))
    points = directions()
    x, y = bare.bent(points[:, 0], points[:, 1])
    off = np.hypot(x - points[:, 0], y - points[:, 1]).max()
    assert bare.straight == (off < 1e-12) == ("FISHEYE" not in model)
    assert lens(model).straight == model.endswith("PINHOLE")


@pytest.mark.parametrize("model", MODELS)
def test_the_axis_falls_on_the_centre(model):
    u, v = lens(model).pixels(np.zeros(1), np.zeros(1))
    assert (float(u[0]), float(v[0])) == pytest.approx(CENTRE)


@pytest.mark.parametrize("model", MODELS)
def test_as_colmap_has_it(model):
    pycolmap = pytest.importorskip("pycolmap")
    number = getattr(pycolmap.CameraModelId, model, None)
    if number is None:
        pytest.skip(f"this pycolmap has no {model}")
    assert int(number) == list(MODELS).index(model)
    own = lens(model)
    one = MODELS[model].parameters[0] == "f"
    parameters = [*own.focal[: 1 if one else 2], *CENTRE, *own.coefficients]
    theirs = pycolmap.Camera(model=model, width=640, height=480, params=parameters)
    points = directions()
    wanted = theirs.img_from_cam(np.c_[points, np.ones(len(points))])
    u, v = own.pixels(points[:, 0], points[:, 1])
    np.testing.assert_allclose(np.stack([u, v], 1), wanted, atol=1e-9)


@pytest.mark.parametrize("model", ["OPENCV", "FULL_OPENCV", "OPENCV_FISHEYE"])
def test_as_opencv_has_it(model):
    cv2 = pytest.importorskip("cv2")
    own = lens(model)
    matrix = np.array([[own.focal[0], 0, CENTRE[0]], [0, own.focal[1], CENTRE[1]], [0, 0, 1]])
    points = directions()
    solid = np.c_[points, np.ones(len(points))][:, None]
    zero, k = np.zeros(3), np.array(own.coefficients)
    project = cv2.fisheye.projectPoints if model == "OPENCV_FISHEYE" else cv2.projectPoints
    wanted, _ = project(solid, zero, zero, matrix, k)
    u, v = own.pixels(points[:, 0], points[:, 1])
    np.testing.assert_allclose(np.stack([u, v], 1), wanted[:, 0], atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_a_straightened_image_shows_what_the_lens_sees(model):
    own = lens(model)
    flat = straightened(own)
    assert flat.straight and flat.focal == own.focal
    assert shown_share(own) > 0.99
    h, w = flat.known_size
    # no larger than it has to be: a pixel of the lens's image is near each of its sides
    x = (np.arange(w) + 0.5 - flat.middle[0]) / flat.focal[0]
    y = (np.arange(h) + 0.5 - flat.middle[1]) / flat.focal[1]
    seen = own.sees(*np.meshgrid(x, y), own.reach())
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert rows[0] <= 3 and columns[0] <= 3 and h - rows[-1] <= 4 and w - columns[-1] <= 4


def test_a_fisheye_of_half_the_world_is_shown_up_to_sixty_degrees():
    wide = Lens("OPENCV_FISHEYE", (200.0, 200.0), (320.0, 320.0), (640, 640), (0.0,) * 4)
    flat = straightened(wide)
    half = flat.known_size[1] / 2 / flat.focal[0]
    assert half == pytest.approx(WIDEST, rel=0.01)
    assert 0.3 < shown_share(wide) < 0.5


def test_a_lens_that_folds_is_shown_up_to_the_fold():
    # r (1 - r²) grows up to r = 1/sqrt(3)
    own = Lens("SIMPLE_RADIAL", (400.0, 400.0), CENTRE, SIZE, (-1.0,))
    assert own.reach() == pytest.approx(1 / math.sqrt(3), rel=0.03)
    flat = straightened(own)
    assert flat.known_size[1] < 2 * 0.6 * 400
    assert shown_share(own) < 0.9
    broken = Lens("SIMPLE_RADIAL", (400.0, 400.0), (1e6, 1e6), SIZE, (-1.0,))
    with pytest.raises(ValueError, match="shows nothing without folding"):
        straightened(broken)


def test_a_straightened_image_stays_of_a_size_that_fits():
    for k in ((9e5, 0, 0, 0), (-1e-9, 0, 0, 0), (1e12, -1e12, 0, 0)):
        own = Lens("OPENCV", (1e5, 1e5), CENTRE, SIZE, k)
        h, w = straightened(own).known_size
        assert 1 <= h <= 4 * SIZE[0] and 1 <= w <= 4 * SIZE[1]


def test_sizes():
    own = lens("OPENCV")
    half = own.of_size((240, 320))
    assert half.focal == (200.0, 208.0) and half.middle == (165.0, 125.0)
    points = directions(20).T
    np.testing.assert_allclose(
        np.array(half.pixels(*points)) * 2, np.array(own.pixels(*points)), atol=1e-9
    )
    assert own.halved() == half
    unsized = Lens("PINHOLE", (300.0, 300.0))
    with pytest.raises(ValueError, match="its size is not known"):
        _ = unsized.middle
    assert unsized.of_size((100, 50)).middle == (25.0, 50.0)
    assert Lens("PINHOLE", (0.5, 0.5), relative=True).of_size((100, 60)).focal == (30.0, 30.0)
