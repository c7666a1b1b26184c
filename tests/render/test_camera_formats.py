"""Cameras of other libraries: there and back, against their own definitions; bad matrices."""

import json
import math
import struct

import pytest
import torch

from meshlearn import Camera
from meshlearn.captures.colmap import is_colmap
from meshlearn.render import (
    clip_matrix,
    from_camera_to_world,
    from_projection,
    from_pytorch3d,
    read_colmap,
    read_transforms,
    sphere_cameras,
    to_camera_to_world,
    to_projection,
    to_pytorch3d,
    views_around,
)
from meshlearn.render.camera_paths import sphere_directions
from meshlearn.render.transforms import transforms_record

SIZE = (48, 64)
POINTS = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5


def cameras() -> Camera:
    from dataclasses import replace

    cams = sphere_cameras(7, radius=2.5, fov=40.0)
    return replace(cams, centre=torch.tensor([0.45, 0.55]), near=0.1, far=10.0)


def same(a: Camera, b: Camera) -> None:
    assert torch.allclose(a.project(POINTS, SIZE), b.project(POINTS, SIZE), atol=2e-3)


def test_directions_cover_the_sphere_evenly():
    d = sphere_directions(200)
    assert torch.allclose(d.norm(dim=1), torch.ones(200), atol=1e-6)
    assert d.mean(0).norm() < 0.01
    nearest = (d[:, None] - d).norm(dim=2).fill_diagonal_(9).amin(1)
    assert nearest.min() > 0.6 * nearest.max()
    up = sphere_directions(5, up=(0, 0, 1))
    assert torch.allclose(up[:, 2], torch.tensor([0.8, 0.4, 0.0, -0.4, -0.8]), atol=1e-6)
    assert sphere_directions(1).shape == (1, 3)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_views_around_see_everything_as_large_as_fits(n):
    points = POINTS * torch.tensor([1.0, 3.0, 0.2]) + 7
    place = views_around(points, n).project(points, 100)
    assert (place[..., 2] > 0).all()
    span = (place[..., :2] - 50).abs().max()
    assert 40 < float(span) < 50


def test_camera_to_world_there_and_back():
    cams = cameras()
    matrix = to_camera_to_world(cams)
    assert torch.allclose(matrix[:, :3, 3].float(), cams.position, atol=1e-5)
    assert torch.allclose(-matrix[:, :3, 2].float(), cams.forward, atol=1e-6)  # looks along -z
    same(from_camera_to_world(matrix, focal=cams.focal, centre=cams.centre), cams)


@pytest.mark.parametrize("height", [None, 2.0])
def test_projection_there_and_back(height):
    cams = sphere_cameras(3, radius=2.5) if height is None else None
    cams = cams or Camera.look_at((0.3, 1, 2), height=height, near=0.1, far=10.0)
    view, projection = to_projection(cams, SIZE)
    back = from_projection(view, projection, SIZE)
    assert back.orthographic == (height is not None)
    assert back.near == pytest.approx(cams.near, rel=1e-2)
    same(back, cams)
    assert torch.allclose(projection @ view, clip_matrix(cams, SIZE), atol=1e-5)


def test_pytorch3d_by_its_own_definition():
    """x_cam = x R + T, +x left, +y up; NDC spans the shorter side, which is the height here."""
    cams = cameras()
    p = to_pytorch3d(cams, SIZE)
    own = POINTS @ p["R"] + p["T"][:, None]
    ndc = p["focal_length"][:, None] * own[..., :2] / own[..., 2:] + p["principal_point"][:, None]
    h, w = SIZE
    u = w / 2 - ndc[..., 0] * h / 2
    v = h / 2 - ndc[..., 1] * h / 2
    assert torch.allclose(cams.project(POINTS, SIZE)[..., 0], u, atol=1e-3)
    assert torch.allclose(cams.project(POINTS, SIZE)[..., 1], v, atol=1e-3)
    same(from_pytorch3d(**p, size=SIZE), cams)
    pixels = cams.focal * h
    centre = cams.centre * torch.tensor([w, h])
    same(
        from_pytorch3d(
            p["R"], p["T"], focal_length=pixels, principal_point=centre, size=SIZE, in_ndc=False
        ),
        cams,
    )


def bad_matrices():
    eye = torch.eye(4)
    singular, mirrored, scaled, broken, sheared = (eye.clone() for _ in range(5))
    singular[2, 2] = 0
    mirrored[0, 0] = -1
    scaled[:3, :3] *= 2
    broken[0, 3] = math.nan
    sheared[0, 1] = 0.5
    return [
        (singular, "singular"),
        (mirrored, "mirrors"),
        (scaled, "no rotation"),
        (sheared, "no rotation"),
        (broken, "NaN"),
    ]


@pytest.mark.parametrize(("matrix", "text"), bad_matrices())
def test_bad_matrices_are_refused_everywhere(tmp_path, matrix, text):
    with pytest.raises(ValueError, match=text):
        from_camera_to_world(matrix, focal=(1.0, 1.0))
    with pytest.raises(ValueError, match=text):
        from_projection(matrix, to_projection(cameras()[0], SIZE)[1], SIZE)
    with pytest.raises(ValueError, match=text):
        from_pytorch3d(matrix[:3, :3], matrix[:3, 3], focal_length=1.0, size=SIZE)
    record = {"camera_angle_x": 0.8, "frames": [frame("a.png", matrix)]}
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=rf"frame 0: transform_matrix.*{text}"):
        read_transforms(path)


def test_projections_of_another_form_are_refused():
    view, projection = to_projection(cameras()[0], SIZE)
    for change, text in (((0, 1, 0.3), "skew"), ((1, 1, -1.0), "mirrors"), ((2, 3, 0.0), "sing")):
        row, column, value = change
        bad = projection.clone()
        bad[row, column] = value
        with pytest.raises(ValueError, match=text):
            from_projection(view, bad, SIZE)
    with pytest.raises(ValueError, match="perspective camera"):
        to_pytorch3d(Camera.look_at((0, 0, 2), height=1.0), SIZE)


# --- transforms.json ----------------------------------------------------------------------------


def frame(path="a.png", matrix=None, **more):
    matrix = torch.eye(4) if matrix is None else matrix
    return {"file_path": path, "transform_matrix": matrix.tolist(), **more}


def test_transforms_there_and_back(tmp_path):
    cams = cameras()
    frames = [{"file_path": f"images/{i}.png", "mask_path": f"masks/{i}.png"} for i in range(7)]
    record = transforms_record(cams, SIZE, frames, integer_depth_scale=0.25)
    (tmp_path / "transforms.json").write_text(json.dumps(record))
    posed = read_transforms(tmp_path)
    same(posed.cameras, cams)
    assert posed.size == SIZE and posed.depth_scale == 0.25
    assert posed.names == [str(i) for i in range(7)] and set(posed.paths) == {"colors", "masks"}
    assert posed.paths["masks"][3] == tmp_path / "masks" / "3.png"


def test_transforms_of_nerf_leave_out_extension_and_size(tmp_path):
    (tmp_path / "transforms.json").write_text(
        json.dumps({"camera_angle_x": math.pi / 2, "frames": [frame("./train/r_0")]})
    )
    posed = read_transforms(tmp_path)
    assert posed.size is None and posed.paths["colors"][0].name == "r_0.png"
    assert torch.allclose(posed.cameras.focal, torch.tensor(0.5))


GOOD = {"camera_angle_x": 0.8, "frames": [frame()]}


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ([], "expected an object"),
        ({"camera_angle_x": 1.0}, "frames is missing"),
        ({"frames": [frame()]}, "camera_angle_x .* is missing"),
        ({"fl_x": 100.0, "frames": [frame()]}, "w and h are missing"),
        ({**GOOD, "camera_angle_x": -1}, "camera_angle_x is -1"),
        ({**GOOD, "camera_angle_x": "wide"}, "camera_angle_x is 'wide'"),
        ({**GOOD, "frames": [{"file_path": "a.png"}]}, "transform_matrix is missing"),
        ({**GOOD, "frames": [{"transform_matrix": torch.eye(4).tolist()}]}, "file_path is missing"),
        ({**GOOD, "frames": [{**frame(), "transform_matrix": [[1, 2], [3]]}]}, "4 rows of 4"),
        ({**GOOD, "frames": [frame("../a.png")]}, "leads out of the folder"),
        ({**GOOD, "frames": [frame("/etc/passwd")]}, "leads out of the folder"),
        ({**GOOD, "frames": [frame(7)]}, "expected a file name"),
        ({**GOOD, "frames": [frame(mask_path="../../m.png")]}, "mask_path.*leads out"),
        ({**GOOD, "k4": 0.1}, "k4 of the camera model OPENCV means other things"),
        ({**GOOD, "camera_model": "EQUIRECTANGULAR"}, "'EQUIRECTANGULAR' is not supported"),
        ({**GOOD, "is_fisheye": True}, "camera_angle_x does not tell the focal length"),
        ({**GOOD, "w": 0, "h": 5}, "w is 0"),
        ({**GOOD, "normal_space": "tangent"}, "normal_space"),
        ({**GOOD, "frames": ["a"]}, "frame 0 is no object"),
    ],
)
def test_transforms_with_an_error_say_which(tmp_path, record, text):
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=text) as found:
        read_transforms(path)
    assert str(path) in str(found.value) or "folder" in str(found.value)
    assert "\n" not in str(found.value)


def test_transforms_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read_transforms(tmp_path)
    (tmp_path / "transforms.json").write_bytes(b"\xff{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        read_transforms(tmp_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    inside, outside = tmp_path / "set", tmp_path / "outside"
    inside.mkdir(), outside.mkdir()
    (inside / "images").symlink_to(outside)
    (inside / "transforms.json").write_text(json.dumps({**GOOD, "frames": [frame("images/a.png")]}))
    with pytest.raises(ValueError, match="leads out"):
        read_transforms(inside)


# --- COLMAP ---------------------------------------------------------------------------------------


def quaternion(rotation: torch.Tensor) -> list[float]:
    import numpy as np
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(np.asarray(rotation.double())).as_quat()
    return [w, x, y, z]


def write_text(folder, cams, model="PINHOLE", tail=()):
    h, w = SIZE
    f, c = cams.focal * h, cams.centre * torch.tensor([w, h])
    one = model in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL")
    numbers = [*f.tolist()[: 1 if one else 2], *c.tolist(), *tail]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text(
        f"# comment\n4 {model} {w} {h} {' '.join(map(str, numbers))}\n"
    )
    lines = ["# comment"]
    for i in range(len(cams)):
        q, t = quaternion(cams.view[i, :3, :3]), cams.view[i, :3, 3].tolist()
        lines += [f"{i + 1} {' '.join(map(str, q + t))} 4 a photo {i}.png", "1 2 -1" if i else ""]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_binary(folder, cams):
    h, w = SIZE
    f, c = cams.focal * h, cams.centre * torch.tensor([w, h])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.bin").write_bytes(
        struct.pack("<Q", 1) + struct.pack("<iiQQ4d", 4, 1, w, h, *f.tolist(), *c.tolist())
    )
    data = struct.pack("<Q", len(cams))
    for i in range(len(cams)):
        q, t = quaternion(cams.view[i, :3, :3]), cams.view[i, :3, 3].tolist()
        data += struct.pack("<i7di", i + 1, *q, *t, 4) + f"a photo {i}.png".encode() + b"\0"
        data += struct.pack("<Q", i) + struct.pack("<ddq", 1.0, 2.0, -1) * i
    (folder / "images.bin").write_bytes(data)


@pytest.mark.parametrize("writer", [write_text, write_binary])
@pytest.mark.parametrize("place", ["sparse/0", "."])
def test_colmap_there_and_back(tmp_path, writer, place):
    cams = cameras()
    writer(tmp_path / place, cams)
    assert is_colmap(tmp_path)
    posed = read_colmap(tmp_path)
    same(posed.cameras, cams)
    assert posed.size == SIZE and posed.names[3] == "a photo 3"
    assert set(posed.paths) == {"colors"}


@pytest.mark.parametrize(
    ("model", "tail", "text"),
    [
        ("SIMPLE_RADIAL", [0.0], None),
        ("OPENCV", [0.0, 0, 0, 0], None),
        ("PINHOLE", [1.0], "takes 4 parameters, got 5"),
        ("BOX", [], "unknown model"),
    ],
)
def test_colmap_lenses(tmp_path, model, tail, text):
    write_text(tmp_path, cameras(), model, tail)
    if text is None:
        same(read_colmap(tmp_path).cameras, cameras())
        return
    with pytest.raises(ValueError, match=text):
        read_colmap(tmp_path)


def test_colmap_sizes_are_not_trusted(tmp_path):
    write_binary(tmp_path, cameras())
    whole = {n: (tmp_path / n).read_bytes() for n in ("cameras.bin", "images.bin")}
    for name, data in whole.items():
        for bad in (
            b"", data[:5], data[:-1], data[: len(data) // 2],
            struct.pack("<Q", 1 << 60) + data[8:], struct.pack("<Q", 100) + data[8:],
        ):  # fmt: skip
            (tmp_path / name).write_bytes(bad)
            with pytest.raises(ValueError, match=name):
                read_colmap(tmp_path)
        (tmp_path / name).write_bytes(data)
    points = bytearray(whole["images.bin"])
    at = points.index(b"photo 0.png\0") + 12
    points[at : at + 8] = struct.pack("<Q", 1 << 59)
    (tmp_path / "images.bin").write_bytes(points)
    with pytest.raises(ValueError, match="promises"):
        read_colmap(tmp_path)


def test_colmap_text_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="no COLMAP model"):
        read_colmap(tmp_path)
    write_text(tmp_path, cameras())
    (tmp_path / "images.txt").write_text("1 0 0 0 0 0 0 0 4 a.png\n\n")
    with pytest.raises(ValueError, match="no rotation and place"):
        read_colmap(tmp_path)
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 9 a.png\n\n")
    with pytest.raises(ValueError, match="names no camera 9"):
        read_colmap(tmp_path)
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 4 ../a.png\n\n")
    with pytest.raises(ValueError, match="leads out"):
        read_colmap(tmp_path)
    (tmp_path / "images.txt").write_text("hello\n")
    with pytest.raises(ValueError, match="line 1 is no image"):
        read_colmap(tmp_path)
