"""Fits to photographs through lenses that bend are as good as to those of pinholes."""

import json
import warnings

import pytest
import torch

from meshlearn.captures.lens import Lens
from meshlearn.data import shapes
from meshlearn.metrics import compare
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.targets.images import FromImages
from meshlearn.reconstruct.targets.visual_hull import Hull
from meshlearn.render import Camera, ImageSet, load_images, sphere_cameras
from meshlearn.render.image_set import halved
from tests.render.bending import write_capture

VIEWS = 12
OPENCV = (-0.25, 0.05, 0.004, -0.003)
FISHEYE = (0.05, -0.01, 0.004, -0.001)


def lens(model="PINHOLE", coefficients=(), size=(120, 160), focal=100.0) -> Lens:
    return Lens(model, (focal, focal), (size[1] / 2 + 3, size[0] / 2 - 2), size, coefficients)


def quietly(folder, **options) -> ImageSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_images(folder, **options)


def chamfer(images: ImageSet) -> float:
    fit = reconstruct(images.only(("masks",)), resolution=24, steps=20, progress=False)
    return compare(fit.mesh, shapes.torus())["chamfer"]


@pytest.fixture(scope="module")
def cameras() -> Camera:
    return sphere_cameras(VIEWS, radius=3.4)


@pytest.fixture(scope="module")
def straight(cameras, tmp_path_factory) -> float:
    folder = tmp_path_factory.mktemp("straight") / "views"
    return chamfer(load_images(write_capture(folder, shapes.torus(), cameras, [lens()] * VIEWS)))


@pytest.mark.parametrize(
    "bent",
    [
        [lens("OPENCV", OPENCV)] * VIEWS,
        [lens("OPENCV_FISHEYE", FISHEYE, focal=110.0)] * VIEWS,
        [lens("RADIAL", (-0.2, 0.05)), lens("FISHEYE", (), (130, 150)), lens(size=(126, 140))]
        * (VIEWS // 3),
    ],
    ids=["opencv", "fisheye", "mixed"],
)
def test_a_fit_through_lenses_is_as_good(bent, cameras, straight, tmp_path):
    folder = write_capture(tmp_path / "views", shapes.torus(), cameras, bent)
    with pytest.warns(UserWarning, match="through lenses that bend"):
        images = load_images(folder)
    assert images.known is not None and not images.known.all()
    found = chamfer(images)
    assert found < 1.5 * straight  # seeds move it by a fifth; with the lens ignored it is fourfold
    record = json.loads((folder / "transforms.json").read_text())
    for frame in record["frames"]:
        frame["camera_model"] = "PINHOLE"
        for key in ("k1", "k2", "k3", "k4", "p1", "p2"):
            frame.pop(key, None)
    (folder / "transforms.json").write_text(json.dumps(record))
    assert chamfer(quietly(folder)) > 2 * found  # the lens taken for a pinhole


def test_a_border_costs_the_middle_no_detail(cameras, tmp_path):
    """Images that fit are not halved because their straightened ones are larger."""
    bent = [lens("OPENCV", OPENCV)] * 2
    folder = write_capture(tmp_path / "views", shapes.torus(), cameras[:2], bent)
    images = quietly(folder, max_size=160)
    assert images.size == quietly(folder).size and max(images.size) > 160
    focal = images.cameras.focal[0] * images.size[0]
    assert focal.tolist() == pytest.approx([100.0, 100.0])
    half = quietly(folder, max_size=159)
    assert (half.cameras.focal[0] * half.size[0]).tolist() == pytest.approx([50.0, 50.0])
    assert max(half.size) <= max(images.size) / 2 + 2


def test_depth_through_a_lens_is_where_the_surface_is(cameras, tmp_path):
    from meshlearn import point_mesh_distance
    from meshlearn.reconstruct.targets.visual_hull import backproject

    folder = write_capture(
        tmp_path / "views", shapes.torus(), cameras[:3], [lens("OPENCV", OPENCV)] * 3, depth=True
    )
    images = quietly(folder)
    points = backproject(images.cameras, images.depth)
    off = point_mesh_distance(points, shapes.torus())[0].sqrt()
    assert off.quantile(0.98) < 0.02  # a pixel is 0.03 wide there; nearest ones are taken


def ball(center, radius=1.0):
    """Masks of a ball, seen by two cameras that look along -z and -x."""
    cams = Camera.look_at(torch.tensor([[0.0, 0, 4], [4.0, 0, 0]]), fov=50.0)
    origin, ray = cams.rays(64)
    away = torch.as_tensor(center) - origin
    along = (away * ray).sum(-1)
    return cams, ((away * away).sum(-1) - along**2 < radius**2).float()


def test_what_no_camera_saw_carves_nothing():
    cams, masks = ball((0.0, 0, 0))
    known = torch.ones(2, 64, 64, dtype=torch.bool)
    known[0, :, :28] = False  # the first camera's left is not seen, and cuts the ball
    seen = masks * known
    point = torch.tensor([[-0.7, 0.0, 0.0], [0.7, 0, 0], [1.3, 0, 0], [-1.3, 0, 0]])
    assert (Hull(cams, masks).field(point) < 0).tolist() == [True, True, False, False]
    assert (Hull(cams, seen).field(point) < 0).tolist() == [False, True, False, False]
    field = Hull(cams, seen, known=known).field(point)
    assert (field < 0).tolist() == [True, True, False, True]
    # a point that only such pixels show is seen by nobody, and outside
    alone = Hull(cams[:1], seen[:1], known=known[:1]).field(point[:2])
    assert (alone < 0).tolist() == [False, True]
    # nor is the end of what is known a silhouette
    near = Hull(cams, seen, known=known).field(torch.tensor([[-0.1, 0.0, 0.0]]))
    assert float(near) == pytest.approx(float(Hull(cams, masks).field(torch.zeros(1, 3))), abs=0.15)


def test_a_ball_inside_what_is_known_is_carved_everywhere():
    cams, masks = ball((0.3, 0, 0), 0.5)
    known = torch.ones(2, 64, 64, dtype=torch.bool)
    known[:, :, :6] = False
    point = torch.tensor([[-2.0, 0, 0.0]])
    assert float(Hull(cams, masks, known=known).field(point)) > 0


def test_losses_look_only_where_a_camera_did():
    cams, masks = ball((0.0, 0, 0))
    known = torch.ones(2, 64, 64, dtype=torch.bool)
    known[:, :, :28] = False
    seen = masks * known
    mesh = shapes.icosphere(4)
    generator = torch.Generator().manual_seed(0)

    def loss(**given):
        target = FromImages(cams, masks=seen, bounds=[[-1.5] * 3, [1.5] * 3], **given)
        return float(target.losses(mesh, scale=0.05, generator=generator, done=1.0)["mask"])

    assert loss(known=known) < 0.1 * loss()
    with pytest.raises(ValueError, match="known: expected a bool tensor"):
        loss(known=known.float())
    with pytest.raises(ValueError, match="known: expected a bool tensor"):
        loss(known=known[:1])


def test_known_pixels_of_a_half_are_those_all_four_were():
    known = torch.ones(1, 4, 6, dtype=torch.bool)
    known[0, 1, 3] = False
    half = halved("known", known)
    assert half.dtype == torch.bool and half.shape == (1, 2, 3)
    assert half[0].tolist() == [[True, False, True], [True, True, True]]
