"""Captures as people have them: sizes, splits, names, models, what is missing; each is told."""

import dataclasses
import json
import math
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from meshlearn.captures.capture import find_image, view_names
from meshlearn.captures.colmap import is_colmap, read_colmap_model
from meshlearn.captures.describe import describe_capture
from meshlearn.captures.image_heads import image_head
from meshlearn.captures.lens import MODELS
from meshlearn.captures.reading import is_capture, read_capture
from meshlearn.captures.transforms import read_transforms_file
from meshlearn.render import load_images, save_images
from meshlearn.render.read_images import upright

EYE = np.eye(4).tolist()


def picture(path, width=40, height=30, mode="RGB", color=90, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    fill = (color,) * len(mode) if len(mode) > 1 else color
    Image.new(mode, (width, height), fill).save(path, **more)
    return path


def write(folder, name="transforms.json", frames=1, width=40, height=30, pictures=True, **fields):
    """A camera file with frames images/0.png …, and its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = fields.pop("listed", None) or [
        {"file_path": f"images/{i}.png", "transform_matrix": EYE} for i in range(frames)
    ]
    (folder / name).write_text(json.dumps({**fields, "frames": listed}))
    if pictures:
        for frame in listed:
            picture(folder / frame["file_path"], width, height)
    return folder


def quiet(folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_images(folder, **options)


def told(folder, **options) -> list[str]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", UserWarning)
        load_images(folder, **options)
    return [str(w.message) for w in seen]


def pixels(images, view=0):
    """fx, fy, cx, cy in pixels."""
    k = images.cameras[view].intrinsics(images.size)
    return [float(v) for v in (k[0, 0], k[1, 1], k[0, 2], k[1, 2])]


# --- sizes --------------------------------------------------------------------------------------


def test_a_size_that_is_not_said_is_that_of_the_images(tmp_path):
    images = load_images(write(tmp_path / "a", fl_x=50.0, fl_y=48.0, cx=19.0))
    assert pixels(images) == pytest.approx([50, 48, 19, 15], rel=1e-5)
    images = load_images(write(tmp_path / "b", camera_angle_x=math.pi / 2))
    assert pixels(images) == pytest.approx([20, 20, 20, 15], rel=1e-5)
    angles = {"camera_angle_x": math.pi / 2, "camera_angle_y": math.pi / 3}
    images = load_images(write(tmp_path / "c", **angles))
    assert pixels(images) == pytest.approx([20, 15 * math.sqrt(3), 20, 15], rel=1e-5)
    assert told(tmp_path / "a") == told(tmp_path / "b") == []


def test_without_images_there_is_no_size(tmp_path):
    folder = write(tmp_path, fl_x=50.0, pictures=False)
    with pytest.raises(ValueError, match="w and h are missing, and its image is not there"):
        load_images(folder)
    # the angle alone needs none: that is how NeRF's scenes come
    write(folder, camera_angle_x=1.0, pictures=False)
    assert read_transforms_file(folder).lenses[0].relative


def test_every_frame_may_have_its_own_camera_and_size(tmp_path):
    listed = [
        {"file_path": "0.png", "transform_matrix": EYE, "fl_x": 30.0, "w": 40, "h": 30},
        {"file_path": "1.png", "transform_matrix": EYE, "fl_x": 20.0, "w": 20, "h": 50, "cy": 24},
        {"file_path": "2.png", "transform_matrix": EYE, "camera_angle_x": math.pi / 2},
    ]
    folder = write(tmp_path, listed=listed, pictures=False, fl_x=99.0)
    for name, size in (("0", (40, 30)), ("1", (20, 50)), ("2", (10, 10))):
        picture(folder / f"{name}.png", *size, mode="RGBA", color=255)
    with pytest.warns(UserWarning, match=r"different sizes \(40×30, 10×10, 20×50\)|laid on 40×50"):
        images = load_images(folder)
    assert images.size == (50, 40)
    assert pixels(images, 0) == pytest.approx([30, 30, 20, 15], rel=1e-5)
    assert pixels(images, 1) == pytest.approx([20, 20, 10, 24], rel=1e-5)
    assert pixels(images, 2) == pytest.approx([5, 5, 5, 5], rel=1e-5)
    assert images.known.sum((1, 2)).tolist() == [1200, 1000, 100]
    assert torch.equal(images.known, images.colors.amax(-1) == 1)  # opaque alpha is left out


@pytest.mark.parametrize("factor", [2, 4])
def test_a_folder_of_smaller_images_stands_in(tmp_path, factor):
    """images_2 and images_4 of nerfstudio and mip-NeRF 360: intrinsics scaled, and told."""
    folder = write(tmp_path, fl_x=400.0, w=401, h=300, cx=200.0, cy=140.0, pictures=False)
    picture(folder / f"images_{factor}" / "0.png", 401 // factor, 300 // factor)
    x = (401 // factor) / 401
    assert pixels(quiet(folder)) == pytest.approx(
        [400 * x, 400 / factor, 200 * x, 140 / factor], rel=1e-5
    )
    text = " ".join(told(folder))
    assert f"those of images_{factor} are read" in text and "are scaled" in text


def test_the_folder_that_holds_most_images_is_read(tmp_path):
    folder = write(tmp_path / "a", frames=5, fl_x=80.0, w=80, h=60, pictures=False)
    for i in range(5):
        picture(folder / f"images_4/{i}.png", 20, 15)
    for i in (0, 1):
        picture(folder / f"images_2/{i}.png")
    picture(folder / "images/4.png", 80, 60)
    images = quiet(folder)
    assert len(images) == 5 and images.size == (15, 20)
    assert "1 of 5 colors of images are there; those of images_4 are read" in told(folder)[0]
    assert "5 of 5 are there" in told(folder)[0]
    # of equal ones the folder that is named
    for i in range(4):
        picture(folder / f"images/{i}.png", 80, 60)
    assert quiet(folder).size == (60, 80) and told(folder) == []
    (folder / "images/3.png").unlink()
    (folder / "images_4/3.png").unlink()
    assert len(quiet(folder)) == 4 and quiet(folder).size == (60, 80)


def test_images_of_another_size_are_told_and_of_another_shape_refused(tmp_path):
    folder = write(tmp_path, fl_x=80.0, w=80, h=60)
    assert pixels(quiet(folder)) == pytest.approx([40, 40, 20, 15], rel=1e-5)
    (text,) = told(folder)
    assert "1 of 1 images are of another size" in text and "40×30 where 80×60" in text
    for w, h in ((60, 60), (30, 40), (40, 40)):
        write(folder, fl_x=80.0, w=w, h=h)
        with pytest.raises(ValueError, match=rf"is 40×30 pixels, but its camera is for {w}×{h}"):
            load_images(folder)


# --- EXIF ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_pillow_has_it(tmp_path, orientation):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    assert image_head(tmp_path / "a.png") == ((5, 7), orientation)
    with Image.open(tmp_path / "a.png") as found:
        wanted = np.asarray(ImageOps.exif_transpose(found))
    assert np.array_equal(upright(torch.from_numpy(np.array(image)), orientation), wanted)


def test_photographs_that_lie_on_their_side(tmp_path):
    """Cameras of the upright image turn it; cameras of the stored one take it so; both tell."""
    exif = Image.Exif()
    exif[0x0112] = 6
    folder = write(tmp_path, fl_x=50.0, w=30, h=40, pictures=False)
    picture(folder / "images" / "0.png", 40, 30, exif=exif)
    assert quiet(folder).size == (40, 30)
    assert "1 of 1 images are turned upright" in told(folder)[0]
    write(folder, fl_x=50.0, w=40, h=30, pictures=False)
    assert quiet(folder).size == (30, 40)
    assert "taken as they are stored" in told(folder)[0]
    write(folder, fl_x=50.0, pictures=False)
    assert quiet(folder).size == (30, 40) and "taken as they are stored" in told(folder)[0]


# --- which file, which images -------------------------------------------------------------------


def test_nerf_synthetic(tmp_path):
    """Splits, names without an extension, alpha as masks, a size from the images."""
    for split, count in (("train", 3), ("test", 2), ("val", 1)):
        listed = [
            {"file_path": f"./{split}/r_{i}", "rotation": 0.1, "transform_matrix": EYE}
            for i in range(count)
        ]
        write(tmp_path, f"transforms_{split}.json", listed=listed, pictures=False,
              camera_angle_x=0.69)  # fmt: skip
        for i in range(count):
            image = Image.new("RGBA", (20, 20))
            image.paste((90, 90, 90, 255), (5, 5, 15, 15))
            image.save(picture(tmp_path / split / f"r_{i}.png"))
            picture(tmp_path / split / f"r_{i}_depth_0001.png", 20, 20, "RGBA")
    assert is_capture(tmp_path) and is_capture(tmp_path / "transforms_test.json")
    images = quiet(tmp_path)
    assert images.names == ("r_0", "r_1", "r_2") and images.colors.shape == (3, 20, 20, 4)
    assert pixels(images)[0] == pytest.approx(10 / math.tan(0.345), rel=1e-5)
    (text,) = told(tmp_path)
    assert "its 3 views are read" in text
    assert "transforms_test.json and transforms_val.json are left aside" in text
    assert len(load_images(tmp_path / "transforms_test.json")) == 2
    assert quiet(tmp_path, use=("masks",)).masks.shape == (3, 20, 20)
    write(tmp_path, camera_angle_x=0.5, listed=[{"file_path": "val/r_0", "transform_matrix": EYE}],
          pictures=False)  # fmt: skip
    assert len(load_images(tmp_path)) == 1  # transforms.json comes first


def test_nerfstudio(tmp_path):
    """What a processed capture carries beside: it is read as it stands."""
    folder = write(
        tmp_path, w=40, h=30, fl_x=50.0, fl_y=51.0, cx=20.0, cy=15.0, k1=0, k2=0, p1=0, p2=0,
        camera_model="OPENCV", ply_file_path="sparse_pc.ply", aabb_scale=16,
        applied_transform=[[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]], orientation_override="none",
        listed=[{"file_path": "images/0.png", "transform_matrix": EYE, "colmap_im_id": 3}],
    )  # fmt: skip
    images = load_images(folder)
    assert told(folder) == [] and images.known is None
    assert torch.allclose(images.cameras.forward, torch.tensor([0.0, 0, -1]))


def test_missing_images_are_counted_and_the_first_is_named(tmp_path):
    folder = write(tmp_path, frames=5, fl_x=50.0)
    for name in ("1", "3"):
        (folder / "images" / f"{name}.png").unlink()
    images = quiet(folder)
    assert images.names == ("0", "2", "4") and len(images.cameras) == 3
    (text,) = told(folder)
    assert "of 2 of 5 views are not there (the first: " in text and "images/1.png" in text
    with pytest.raises(ValueError, match=r"2 of 5 colors are not there, .*images/1\.png"):
        load_images(folder, missing="refuse")
    with pytest.raises(ValueError, match="missing: expected one of skip, refuse"):
        load_images(folder, missing="ignore")
    for path in (folder / "images").iterdir():
        path.unlink()
    write(folder, frames=5, fl_x=50.0, w=40, h=30, pictures=False)
    with pytest.raises(ValueError, match=r"of its 5 views no image is there; .*images/0\.png"):
        load_images(folder)


@pytest.mark.parametrize(
    "name",
    ["/home/me/data/set/images/0.png", "C:\\data\\set\\images\\0.png", "../set/images/0.png",
     "images\\0.png", "/elsewhere/0.png"],
)  # fmt: skip
def test_names_of_another_machine(tmp_path, name):
    listed = [{"file_path": name, "transform_matrix": EYE}]
    folder = write(tmp_path / "other", listed=listed, fl_x=50.0, w=40, h=30, pictures=False)
    place = "0.png" if name.startswith("/elsewhere") else "images/0.png"
    picture(folder / place)
    capture = read_capture(folder)
    assert capture.paths["colors"] == [folder / place]
    assert bool(capture.remarks) == (name != "images\\0.png")
    (folder / place).unlink()
    if name != "images\\0.png":
        with pytest.raises(ValueError, match="leads out of the folder"):
            read_capture(folder)


def test_known_pixels_are_kept_in_a_file(tmp_path):
    from meshlearn.render import save_images

    listed = [
        {"file_path": "0.png", "transform_matrix": EYE, "fl_x": 30.0},
        {"file_path": "1.png", "transform_matrix": EYE, "fl_x": 20.0},
    ]
    folder = write(tmp_path / "a", listed=listed, pictures=False)
    picture(folder / "0.png", 40, 30), picture(folder / "1.png", 30, 40)
    images = quiet(folder)
    save_images(images, tmp_path / "b")
    back = load_images(tmp_path / "b")
    assert torch.equal(back.known, images.known) and back.size == images.size == (40, 40)
    assert torch.allclose(back.cameras.focal, images.cameras.focal)
    half = load_images(tmp_path / "b", max_size=20)
    assert half.known.sum((1, 2)).tolist() == [300, 300]
    Image.new("L", (7, 7)).save(tmp_path / "b" / "known" / "001.png")
    Image.new("L", (7, 7)).save(tmp_path / "b" / "known" / "1.png")
    with pytest.raises(ValueError, match=r"is 7×7 pixels, but the images of its view are 40×40"):
        load_images(tmp_path / "b")


# --- lenses of transforms.json ------------------------------------------------------------------

SEEN = {"w": 40, "h": 30, "fl_x": 50.0}


@pytest.mark.parametrize(
    ("fields", "model", "coefficients"),
    [
        ({}, "PINHOLE", ()),
        ({"camera_model": "PERSPECTIVE", "k1": 0.0}, "PINHOLE", ()),
        ({"k1": 0.1}, "OPENCV", (0.1, 0, 0, 0)),
        ({"camera_model": "OPENCV", "k1": 0.1, "k4": 0, "p2": 0.2}, "OPENCV", (0.1, 0, 0, 0.2)),
        ({"camera_model": "PINHOLE", "k2": 0.1}, "OPENCV", (0, 0.1, 0, 0)),
        ({"k1": 0.1, "k3": 0.3}, "FULL_OPENCV", (0.1, 0, 0, 0, 0.3, 0, 0, 0)),
        ({"camera_model": "SIMPLE_RADIAL", "k1": 0.1, "k2": 0}, "SIMPLE_RADIAL", (0.1,)),
        ({"camera_model": "RADIAL", "k1": 0.1, "k2": 0.2}, "RADIAL", (0.1, 0.2)),
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE", (0, 0, 0, 0)),
        ({"camera_model": "fisheye", "k4": 0.4}, "OPENCV_FISHEYE", (0, 0, 0, 0.4)),
        ({"is_fisheye": True, "k1": 0.1, "p1": 0}, "OPENCV_FISHEYE", (0.1, 0, 0, 0)),
        ({"is_fisheye": True, "camera_model": "OPENCV"}, "OPENCV_FISHEYE", (0, 0, 0, 0)),
        ({"is_fisheye": True, "camera_model": "RADIAL"}, "RADIAL_FISHEYE", (0, 0)),
        ({"is_fisheye": False, "k1": 0.1}, "OPENCV", (0.1, 0, 0, 0)),
        (
            {"camera_model": "FULL_OPENCV", "k1": 1, "k4": 4, "k6": 6, "p1": 7},
            "FULL_OPENCV", (1, 0, 7, 0, 0, 4, 0, 6),
        ),
        (
            {"camera_model": "THIN_PRISM_FISHEYE", "k1": 1, "k3": 3, "sx1": 5},
            "THIN_PRISM_FISHEYE", (1, 0, 0, 0, 3, 0, 5, 0),
        ),
        ({"camera_model": "FOV", "omega": 0.9}, "FOV", (0.9,)),
        ({"distortion_params": [1, 2, 0, 0, 5, 6]}, "OPENCV", (1, 2, 5, 6)),
        (
            {"is_fisheye": True, "distortion_params": [1, 2, 3, 4, 0, 0]},
            "OPENCV_FISHEYE", (1, 2, 3, 4),
        ),
    ],
)  # fmt: skip
def test_names_of_lenses(tmp_path, fields, model, coefficients):
    write(tmp_path, **SEEN, **fields, pictures=False)
    lens = read_transforms_file(tmp_path).lenses[0]
    assert (lens.model, lens.coefficients) == (model, coefficients)
    # in a frame it is the same
    listed = [{"file_path": "0.png", "transform_matrix": EYE, **fields}]
    write(tmp_path, listed=listed, **SEEN, pictures=False)
    assert read_transforms_file(tmp_path).lenses[0] == lens


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"camera_model": "EQUIRECTANGULAR"}, "'EQUIRECTANGULAR' is not supported"),
        ({"camera_model": "OMNIDIRECTIONALSTEREO_L"}, "'OMNIDIRECTIONALSTEREO_L' is not supp"),
        ({"camera_model": "VR180_L"}, "'VR180_L' is not supported"),
        ({"camera_model": 7}, "camera_model is 7, expected a name"),
        ({"equirectangular": True}, "'EQUIRECTANGULAR' is not supported"),
        ({"latlong": True}, "'LATLONG' is not supported"),
        ({"ftheta_p0": 0.1}, "'FTHETA' is not supported"),
        ({"k4": 0.1}, "k4 of the camera model OPENCV means other things"),
        ({"k6": 0.1, "camera_model": "PINHOLE"}, "k6 of the camera model PINHOLE"),
        ({"camera_model": "SIMPLE_RADIAL", "p1": 0.1}, "SIMPLE_RADIAL has no coefficient p1"),
        ({"is_fisheye": True, "p1": 0.1}, "OPENCV_FISHEYE has no coefficient p1"),
        ({"camera_model": "FOV"}, "FOV lacks its coefficient omega"),
        ({"k1": "much"}, "k1 is 'much', expected a finite number"),
        ({"k1": math.nan}, "k1 is nan, expected a finite number"),
        ({"distortion_params": [1, 2]}, "distortion_params is .*, expected the 6 numbers"),
        ({"fl_x": 10**400}, "fl_x is 1000+, expected a positive number"),
        ({"cx": math.inf}, "cx is inf"),
        ({"fl_x": 1e-300}, "PINHOLE has focal lengths 1e-300 and 1e-300 for 40 pixels"),
        ({"fl_y": 1e300}, "PINHOLE has focal lengths 50 and 1e.300 for 40 pixels"),
        ({"cy": -1e300}, "PINHOLE has its centre at 20, -1e.300"),
        ({"w": 1e9, "h": 1e9}, "PINHOLE is 1000000000×1000000000 pixels large"),
    ],
)
def test_lenses_that_are_refused_by_name(tmp_path, fields, text):
    write(tmp_path, **{**SEEN, **fields}, pictures=False)
    with pytest.raises(ValueError, match=text) as found:
        read_capture(tmp_path)
    assert "\n" not in str(found.value) and "frame 0" in str(found.value)


def test_a_camera_beyond_all_measure_is_refused(tmp_path):
    far = np.eye(4)
    far[0, 3] = 1e30
    write(tmp_path, **SEEN, listed=[{"file_path": "a.png", "transform_matrix": far.tolist()}],
          pictures=False)  # fmt: skip
    with pytest.raises(ValueError, match=r"frame 0: transform_matrix: stands more than 1e.15 away"):
        read_capture(tmp_path)


def test_a_lens_that_folds_everything_is_refused_when_images_are_read(tmp_path):
    write(tmp_path, w=40, h=30, fl_x=50.0, cx=1e7, k1=-9.0)
    with pytest.raises(
        ValueError, match=r"transforms.json: view '0': .*OPENCV with k1 -9 shows nothing without"
    ):
        load_images(tmp_path)


def test_rolling_shutters_are_told(tmp_path):
    write(tmp_path, **SEEN, rolling_shutter=[0, 0, 0.01])
    assert "rolling_shutter is not modelled" in told(tmp_path)[0]
    write(tmp_path, **SEEN, rolling_shutter=[0.0, 0, 0])
    assert told(tmp_path) == []


# --- COLMAP ---------------------------------------------------------------------------------------


def colmap(folder, cameras, images, binary=False, points=0):
    """cameras: (id, model, w, h, parameters); images: (id, camera, name)."""
    folder.mkdir(parents=True, exist_ok=True)
    pose = (1.0, 0, 0, 0, 0, 0, 4)
    if not binary:
        (folder / "cameras.txt").write_text(
            "\n".join(f"{k} {m} {w} {h} {' '.join(map(str, p))}" for k, m, w, h, p in cameras)
        )
        (folder / "images.txt").write_text(
            "".join(f"{k} {' '.join(map(str, pose))} {c} {n}\n\n" for k, c, n in images)
        )
        return folder
    data = struct.pack("<Q", len(cameras))
    for k, m, w, h, p in cameras:
        data += struct.pack(f"<iiQQ{len(p)}d", k, list(MODELS).index(m), w, h, *p)
    (folder / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(images))
    for k, c, n in images:
        data += struct.pack("<i7di", k, *pose, c) + n.encode() + b"\0"
        data += struct.pack("<Q", points) + struct.pack("<ddq", 1.0, 2.0, -1) * points
    (folder / "images.bin").write_bytes(data)
    return folder


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_colmap(tmp_path, model, binary):
    names = MODELS[model].parameters
    values = [round(0.01 * (i + 1), 2) for i in range(len(names))]
    start = names.index("cx")
    values[:start] = [50.0, 51.0][:start]
    values[start : start + 2] = [20.0, 15.0]
    cameras = [(3, model, 40, 30, values)]
    colmap(tmp_path, cameras, [(1, 3, "a.png")], binary, points=2000)
    (lens,) = read_colmap_model(tmp_path).lenses
    assert lens.model == model and lens.coefficients == tuple(values[start + 2 :])
    assert lens.focal == (values[0], values[start - 1]) and lens.centre == (20.0, 15.0)
    assert lens.size == (30, 40)


@pytest.mark.parametrize("binary", [False, True])
def test_panoramas_of_colmap_are_refused_by_name(tmp_path, binary):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path, cameras, [(1, 1, "a.png")], binary)
    if binary:
        data = bytearray((tmp_path / "cameras.bin").read_bytes())
        data[12:16] = struct.pack("<i", 17)
        (tmp_path / "cameras.bin").write_bytes(data)
    else:
        (tmp_path / "cameras.txt").write_text("1 EQUIRECTANGULAR 40 20 40 20\n")
    with pytest.raises(ValueError, match="EQUIRECTANGULAR is not supported; cut the panoramas"):
        read_capture(tmp_path)


def test_cameras_of_different_sizes(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15]), (2, "SIMPLE_PINHOLE", 20, 20, [9, 8, 7])]
    colmap(tmp_path / "sparse/0", cameras, [(1, 1, "left/a.png"), (2, 2, "right/a.png")])
    picture(tmp_path / "images/left/a.png")
    picture(tmp_path / "images/right/a.png", 20, 20)
    images = quiet(tmp_path)
    assert images.size == (30, 40)
    assert pixels(images, 1) == pytest.approx([9, 9, 8, 7], rel=1e-5)


@pytest.mark.parametrize("place", ["images", "images_4", "input", "."])
@pytest.mark.parametrize("sparse", ["sparse/0", "sparse", "colmap/sparse/0"])
def test_where_the_pictures_of_a_model_are(tmp_path, place, sparse):
    cameras = [(1, "PINHOLE", 160, 120, [200, 200, 80, 60])]
    colmap(tmp_path / sparse, cameras, [(1, 1, "a.png")])
    picture(tmp_path / place / "a.png")
    assert is_colmap(tmp_path)
    assert pixels(quiet(tmp_path)) == pytest.approx([50, 50, 20, 15], rel=1e-5)
    remarks = told(tmp_path)
    assert any("is no folder images" in r for r in remarks) == (place != "images")
    assert any("are scaled" in r for r in remarks)


@pytest.mark.parametrize("first", [True, False])
def test_the_folder_of_a_model_is_that_of_most_pictures(tmp_path, first):
    """Whether or not it holds the first of them."""
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path / "sparse/0", cameras, [(i, 1, f"{i}.png") for i in range(5)])
    for i in range(1, 5):
        picture(tmp_path / f"images/{i}.png")
    picture(tmp_path / f"images_2/{0 if first else 1}.png", 20, 15)
    assert len(quiet(tmp_path)) == 4 and quiet(tmp_path).size == (30, 40)
    (said,) = told(tmp_path)
    assert "images of 1 of 5 views are not there (the first:" in said and "images/0.png" in said
    for i in range(5):
        picture(tmp_path / f"images_2/{i}.png", 20, 15)
    assert len(quiet(tmp_path)) == 5 and quiet(tmp_path).size == (15, 20)
    said = " ".join(told(tmp_path))
    assert "5 of 5 are there; fewer are in folder images" in said and "is no folder" not in said


NESTED = [(1, 1, "left/0001.png"), (2, 1, "right/0001.png"), (3, 1, "0002.png")]


@pytest.mark.parametrize("kind", ["colmap", "transforms"])
def test_images_of_one_name_in_several_folders_are_views_of_their_own(tmp_path, kind):
    folder = tmp_path / "a"
    if kind == "colmap":
        colmap(folder / "sparse/0", [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])], NESTED)
        wanted = ("0002", "left_0001", "right_0001")
    else:
        names = [f"images/{name}" for _, _, name in NESTED]
        listed = [{"file_path": name, "transform_matrix": EYE} for name in names]
        write(folder, listed=listed, fl_x=50.0, pictures=False)
        wanted = ("images_left_0001", "images_right_0001", "0002")
    for k, (_, _, name) in enumerate(NESTED):
        picture(folder / "images" / name, color=50 * (k + 1))
    images = quiet(folder)
    assert images.names == wanted
    save_images(images, tmp_path / "b")
    assert sorted(p.stem for p in (tmp_path / "b/images").iterdir()) == sorted(wanted)
    again = load_images(tmp_path / "b")
    assert again.names == wanted
    torch.testing.assert_close(again.colors, images.colors)
    alike = dataclasses.replace(images, names=("a", "a", "b"))
    with pytest.raises(ValueError, match="2 views have the name 'a'"):
        save_images(alike, tmp_path / "c")
    with pytest.raises(ValueError, match="a name for each of 3 views, got 0"):
        save_images(dataclasses.replace(images, names=()), tmp_path / "c")
    with pytest.raises(ValueError, match=r"names of files, got '\.\./a'"):
        save_images(dataclasses.replace(images, names=("../a", "a", "b")), tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "files, names",
    [
        (["a/0.png", "a/1.png"], ("0", "1")),
        (["a/0.png", "b/0.png", "1.png"], ("a_0", "b_0", "1")),
        (["0.png", "0.jpg", "0_2.png"], ("0", "0_3", "0_2")),
        (["a/0.png", "a/0.png"], ("a_0", "a_0_2")),
        (["a_0.png", "a/0.png", "b/0.png"], ("a_0", "a_0_2", "b_0")),
        ([r"C:\a\0.png", "/b/0.png", "../c/0.png"], ("a_0", "b_0", "c_0")),
    ],
)
def test_names_of_views(files, names):
    assert view_names(files) == names


@pytest.mark.parametrize("name", ["{}.png", "my {} 1.png", "a photo {}"])
def test_poses_of_colmap_without_observations_are_refused(tmp_path, name):
    """An image takes two lines; a pose on the second would be skipped unseen."""
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path, cameras, [(i, 1, name.format(i)) for i in range(6)])
    file = tmp_path / "images.txt"
    text = file.read_text()
    assert len(read_colmap_model(tmp_path)) == 6
    file.write_text("# two lines an image\n" + text.replace("\n\n", "\n"))
    with pytest.raises(ValueError, match="line 3 lists no observations; an image takes two lines"):
        read_colmap_model(tmp_path)
    file.write_text(text.replace("\n\n", "\n1 2 -1 3.5 4.25 7\n"))
    assert len(read_colmap_model(tmp_path)) == 6
    file.write_text(text.rstrip())  # an editor took the last, blank line
    assert len(read_colmap_model(tmp_path)) == 6
    for row in ("1 2", "1 2 3.5", "1 x 3", "1 2 3 4 5 6.5"):
        file.write_text(text.replace("\n\n", f"\n{row}\n", 1))
        with pytest.raises(ValueError, match="line 2 lists no observations"):
            read_colmap_model(tmp_path)


def test_other_models_beside_are_told(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    for number in ("0", "1", "2"):
        colmap(tmp_path / "sparse" / number, cameras, [(1, 1, "a.png")])
    picture(tmp_path / "images/a.png")
    assert "2 models beside it are left aside" in told(tmp_path)[0]


def test_what_a_model_says_behind_its_end_is_refused(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    images = [(i, 1, f"{i}.png") for i in range(3)]
    colmap(tmp_path, cameras, images, binary=True)
    path = tmp_path / "images.bin"
    data = path.read_bytes()
    path.write_bytes(struct.pack("<Q", 2) + data[8:])  # promises fewer than it holds
    with pytest.raises(ValueError, match="bytes behind the last record"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("1 PINHOLE 40 30 nan 50 20 15", "PINHOLE holds NaN or infinite numbers"),
        ("1 PINHOLE 40 30 1e999 50 20 15", "PINHOLE holds NaN or infinite numbers"),
        ("1 PINHOLE 40 30 -50 50 20 15", "PINHOLE has focal lengths -50 and 50"),
        ("1 SIMPLE_PINHOLE 40 30 1e-40 20 15", "SIMPLE_PINHOLE has focal lengths 1e-40"),
        ("1 PINHOLE 0 30 50 50 20 15", "PINHOLE is 0×30 pixels large"),
        ("1 OPENCV 40 30 50 50 20 15", "OPENCV takes 8 parameters, got 4"),
    ],
)
def test_cameras_that_make_no_image(tmp_path, row, text):
    colmap(tmp_path, [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])], [(1, 1, "a.png")])
    (tmp_path / "cameras.txt").write_text(row)
    with pytest.raises(ValueError, match=text):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("pose", "text"),
    [
        ("nan 0 0 0 0 0 4", "has no rotation and place"),
        ("0 0 0 0 0 0 4", "has no rotation and place"),
        ("1 0 0 0 0 inf 4", "has no rotation and place"),
        ("1 0 0 0 0 0 1e30", "has no rotation and place"),
    ],
)
def test_poses_that_are_none(tmp_path, pose, text):
    colmap(tmp_path, [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])], [(1, 1, "a.png")])
    (tmp_path / "images.txt").write_text(f"1 {pose} 1 a.png\n\n")
    with pytest.raises(ValueError, match=text):
        read_capture(tmp_path)


def test_a_quaternion_of_any_length_is_the_same_rotation(tmp_path):
    for length in (1e-6, 1.0, 1e300):
        q = " ".join(str(v * length) for v in (0.5, -0.5, 0.5, 0.5))
        colmap(tmp_path, [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])], [(1, 1, "a.png")])
        (tmp_path / "images.txt").write_text(f"1 {q} 0 0 4 1 a.png\n\n")
        turn = read_capture(tmp_path).poses[0, :3, :3]
        np.testing.assert_allclose(turn, [[0, -1, 0], [0, 0, 1], [-1, 0, 0]], atol=1e-12)


def test_masks_beside_a_model_stay_in_the_folder(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path / "set/sparse/0", cameras, [(1, 1, "a.jpg")])
    picture(tmp_path / "set/images/a.jpg")
    picture(tmp_path / "set/masks/a.jpg.png", mode="L", color=255)
    assert quiet(tmp_path / "set").kinds == ("masks", "colors")


# --- what is told without reading ---------------------------------------------------------------


def test_description(tmp_path):
    folder = write(tmp_path, frames=3, **SEEN, k1=-0.1)
    (folder / "images/1.png").unlink()
    facts = describe_capture(folder)
    assert facts["kind"] == "images" and facts["views"] == 3 and facts["images"] == {"colors": 2}
    assert facts["missing"] == 1 and facts["first_missing"].endswith("images/1.png")
    assert facts["sizes"] == [{"width": 40, "height": 30, "views": 2}]
    (lens,) = facts["lenses"]
    assert lens["model"] == "OPENCV" and lens["views"] == 3 and lens["bends_by"] == "k1 -0.1"
    write(folder, frames=3, **SEEN, pictures=False)
    (lens,) = describe_capture(folder)["lenses"]
    assert lens["horizontal_angle"] == pytest.approx(2 * math.degrees(math.atan(0.4)))
    write(tmp_path / "none", camera_angle_x=1.0, pictures=False)
    (lens,) = describe_capture(tmp_path / "none")["lenses"]
    assert lens["horizontal_angle"] == pytest.approx(math.degrees(1.0))


@pytest.mark.parametrize("kind", ["depth", "masks"])
def test_depth_smaller_than_its_photograph_is_enlarged(tmp_path, kind):
    """As telephones give it; no depth is mixed, and the photograph keeps its detail."""
    key = {"depth": "depth_file_path", "masks": "mask_path"}[kind]
    listed = [{"file_path": "0.png", key: "small.png", "transform_matrix": EYE}]
    folder = write(tmp_path, listed=listed, fl_x=50.0, pictures=False)
    picture(folder / "0.png")
    small = np.zeros((15, 20), np.uint8)
    small[:, :10] = 250
    Image.fromarray(small).save(folder / "small.png")
    images = quiet(folder)
    assert images.size == (30, 40) and pixels(images) == pytest.approx([50, 50, 20, 15], rel=1e-5)
    assert f"({kind} of 20×15 to 40×30 pixels)" in " ".join(told(folder))
    if kind == "depth":
        assert images.depth.unique().tolist() == pytest.approx([0, 0.25])
        assert (images.depth > 0).sum() == 600
    Image.fromarray(small[:10]).save(folder / "small.png")
    with pytest.raises(
        ValueError, match=r"small\.png: is 20×10 pixels, but its camera is for 40×30"
    ):
        load_images(folder)


def test_kinds_that_some_views_lack_are_told(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path / "sparse/0", cameras, [(i, 1, f"{i}.jpg") for i in range(3)])
    for i in range(3):
        picture(tmp_path / f"images/{i}.jpg")
    picture(tmp_path / "masks/0.jpg.png", mode="L"), picture(tmp_path / "masks/2.png", mode="L")
    assert quiet(tmp_path).kinds == ("colors",)
    (text,) = told(tmp_path)
    assert "only 2 of 3 views have masks, which are left aside (the first without: 1)" in text
    with pytest.raises(ValueError, match="masks are missing for the view '1'"):
        load_images(tmp_path, use=("masks",))


def test_images_without_a_camera_and_files_named_twice_are_told(tmp_path):
    folder = write(tmp_path, frames=2, **SEEN)
    picture(folder / "images/extra.png"), picture(folder / "images/notes.txt.png")
    facts = describe_capture(folder)
    assert facts["without_camera"] == 2 and facts["first_without_camera"].endswith("extra.png")
    assert facts["missing"] == 0 and facts["remarks"] == []
    listed = [{"file_path": "images/0.png", "transform_matrix": EYE}] * 3
    write(folder, listed=listed, **SEEN, pictures=False)
    (text,) = told(folder)
    assert "2 of 3 views name the same files as another view" in text


def test_names_of_other_case(tmp_path):
    folder = write(tmp_path / "a", **SEEN, pictures=False)
    picture(folder / "images/0.PNG")
    assert quiet(folder).size == (30, 40) and told(folder) == []
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path / "b/sparse/0", cameras, [(1, 1, "IMG_1.JPG")])
    picture(tmp_path / "b/images/img_1.jpg")
    assert quiet(tmp_path / "b").size == (30, 40)
    if (tmp_path / "b/images/IMG_1.JPG").exists():
        pytest.skip("names of files are the same in any case here")
    picture(tmp_path / "b/images/Img_1.jpg")  # which of the two it is, nobody can tell
    with pytest.raises(ValueError, match=r"of its 1 view no image is there; .*IMG_1\.JPG"):
        load_images(tmp_path / "b")


RIG = ["left/0001", "right/0001", "left/0002"]


@pytest.mark.parametrize("place", ["images_2/{}", "images/{}_2", "images_4/{}"])
@pytest.mark.parametrize("kind", ["colmap", "transforms"])
def test_smaller_images_below_folders_of_a_rig(tmp_path, kind, place):
    """The tail of the name is on the folder of all, or on that of each camera."""
    factor = int(place[7]) if place[6] == "_" else 2
    if kind == "colmap":
        names = [(k, 1, f"{name}.png") for k, name in enumerate(RIG, 1)]
        colmap(tmp_path / "sparse/0", [(1, "PINHOLE", 40, 32, [50, 50, 20, 16])], names)
    else:
        listed = [{"file_path": f"images/{n}.png", "transform_matrix": EYE} for n in RIG]
        write(tmp_path, listed=listed, pictures=False, fl_x=50.0, w=40, h=32)
    picture(tmp_path / "images/left/0001.png", 40, 32)  # one of the large ones is left
    for name in RIG:
        folder, stem = name.split("/")
        picture(tmp_path / place.format(folder) / f"{stem}.png", 40 // factor, 32 // factor)
    images = quiet(tmp_path)
    assert len(images) == 3 and images.size == (32 // factor, 40 // factor)
    assert pixels(images)[0] == pytest.approx(50 / factor, rel=1e-5)
    said = " ".join(told(tmp_path))
    assert "are scaled" in said and "3 of 3 are there" in said


def test_smaller_images_of_another_type(tmp_path):
    cameras = [(1, "PINHOLE", 40, 30, [50, 50, 20, 15])]
    colmap(tmp_path / "sparse/0", cameras, [(1, 1, "a.JPG"), (2, 1, "b.JPG")])
    for name in "ab":
        picture(tmp_path / f"images_2/{name}.png", 20, 15)
    assert quiet(tmp_path).size == (15, 20)
    picture(tmp_path / "images_2/a.bmp", 20, 15)  # two of one stem: neither is the one
    assert len(quiet(tmp_path)) == 1


def test_a_folder_that_is_named_small_and_is_there_large(tmp_path):
    listed = [{"file_path": "images_4/0.png", "transform_matrix": EYE}]
    folder = write(tmp_path, listed=listed, pictures=False, fl_x=10.0, w=10, h=8)
    picture(folder / "images/0.png", 40, 32)
    assert quiet(folder).size == (32, 40)
    assert "those of images are read" in " ".join(told(folder))


def test_folders_beside_the_capture_are_not_its_own(tmp_path):
    listed = [{"file_path": "0.png", "transform_matrix": EYE}]
    folder = write(tmp_path / "a", listed=listed, pictures=False, fl_x=10.0, w=10, h=8)
    picture(tmp_path / "a_2/0.png", 5, 4)
    with pytest.raises(ValueError, match="no image is there"):
        load_images(folder)


def test_an_absolute_path_inside_the_folder_is_that_file(tmp_path):
    """Not another of its name, and no word about it; one outside is found by its end, and told."""
    for place in ("a", "b/a"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1.png").write_bytes(b"")
    for name in (str(tmp_path / "b" / "a" / "1.png"), str(tmp_path / "b" / "a" / "1")):
        assert find_image(tmp_path, name, "here") == (tmp_path / "b" / "a" / "1.png", False)
    assert find_image(tmp_path, "/else/a/1.png", "here") == (tmp_path / "a" / "1.png", True)
    with pytest.raises(ValueError, match="leads out of the folder"):
        find_image(tmp_path, "/else/2.png", "here")
    (tmp_path / "2.png").write_bytes(b"")  # as the sentence says
    assert find_image(tmp_path, "/else/2.png", "here") == (tmp_path / "2.png", True)
