"""Images on disk and sets of them: there and back, all or nothing, what is wrong with them."""

import gc
import json
import os
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from meshlearn import point_mesh_distance
from meshlearn.data import shapes
from meshlearn.render import image_files, load_images, render_images, save_images
from meshlearn.render.image_set import half_cameras, halved


@pytest.fixture(scope="module")
def images():
    return render_images(shapes.torus(), 6, size=40, samples=2)


@pytest.fixture
def folder(images, tmp_path):
    return save_images(images, tmp_path / "views")


def test_a_set_comes_back(images, folder):
    back = load_images(folder)
    assert back.kinds == images.kinds == ("masks", "depth", "normals", "colors")
    assert back.names == images.names and back.size == (40, 40)
    assert torch.allclose(back.cameras.view, images.cameras.view, atol=1e-5)
    assert torch.allclose(back.cameras.focal, images.cameras.focal, rtol=1e-6)
    assert (back.masks - images.masks).abs().max() <= 0.5 / 255 + 1e-6
    assert (back.colors - images.colors).abs().max() <= 0.5 / 255 + 1e-6
    assert (back.depth - images.depth).abs().max() < 1e-4
    assert torch.equal(back.depth > 0, images.depth > 0)
    known = images.normals.norm(dim=-1) > 0.5
    assert torch.equal(known, back.normals.norm(dim=-1) > 0.5)
    assert (back.normals - images.normals)[known].norm(dim=-1).max() < 0.01


def test_images_show_the_mesh(images):
    """Depth and normals are those of the surface, masks are coverage."""
    torus = shapes.torus()
    cam = images.cameras[2]
    origin, ray = cam.rays(40)
    seen = images.depth[2] > 0
    along = (ray * cam.forward).sum(-1)
    points = (origin + ray * (images.depth[2] / along)[..., None])[seen]
    assert point_mesh_distance(points, torus)[0].sqrt().max() < 1e-5
    assert ((images.normals[2][seen] * ray[seen]).sum(-1) < 0).all()  # towards the viewer
    inside = images.masks[2] == 1
    assert seen[inside].all() and (images.masks > 0).sum() > (images.masks == 1).sum()


def test_one_call_writes_all_or_nothing(images, tmp_path, monkeypatch):
    target = tmp_path / "views"

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(image_files, "write_normals", fail)
    with pytest.raises(OSError, match="disk full"):
        save_images(images, target)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    save_images(images, target)
    before = {p: p.read_bytes() for p in target.rglob("*.png")}
    monkeypatch.setattr(image_files, "write_normals", fail)
    with pytest.raises(OSError, match="disk full"):
        save_images(images, target, overwrite=True)
    assert {p: p.read_bytes() for p in target.rglob("*.png")} == before
    assert os.listdir(tmp_path) == ["views"]


def test_what_may_be_overwritten(images, folder, tmp_path):
    with pytest.raises(ValueError, match="exists"):
        save_images(images, folder)
    save_images(images.only(("masks",)), folder, overwrite=True)
    assert load_images(folder).kinds == ("masks",)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"holds no transforms\.json"):
        save_images(images, tmp_path / "mine", overwrite=True)
    with pytest.raises(ValueError, match="does not exist"):
        save_images(images, tmp_path / "no" / "views")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is a file"):
        save_images(images, tmp_path / "file", overwrite=True)


def edit(folder, change):
    path = folder / "transforms.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_images_of_different_sizes(folder):
    Image.new("L", (30, 40)).save(folder / "masks" / "003.png")
    with pytest.raises(ValueError, match=r"003\.png: is 30×40 pixels, but its camera is for 40×40"):
        load_images(folder)
    load_images(folder, use=("depth",))


def test_cameras_of_another_size(folder):
    edit(folder, lambda r: r.update(w=80))
    with pytest.raises(ValueError, match=r"000\.png: is 40×40 pixels, but its camera is for 80×40"):
        load_images(folder)


@pytest.mark.parametrize("kind", ["masks", "depth", "normals", "images"])
def test_unreadable_images(folder, kind):
    path = folder / kind / "002.png"
    whole = path.read_bytes()
    for bad in (b"", b"hello", whole[:30], whole[: len(whole) // 2]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"002\.png: not a readable image") as found:
            load_images(folder)
        assert "\n" not in str(found.value)
    path.unlink()
    with pytest.raises(ValueError, match=r"1 of 6 \w+ is not there, .*002\.png"):
        load_images(folder, missing="refuse")
    with pytest.warns(UserWarning, match=r"1 of 6 views lack .*002\.png\); these views are left"):
        assert load_images(folder).names == ("000", "001", "003", "004", "005")
    for name in ("003.png", "004.png"):
        (folder / kind / name).unlink()
    with pytest.raises(ValueError, match=r"3 of 6 \w+ are not there, .*002\.png"):
        load_images(folder)  # half of them


def test_a_damaged_image_is_left_closed(folder):
    path = folder / "masks" / "002.png"
    path.write_bytes(path.read_bytes()[:60])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(ValueError, match="not a readable image"):
            load_images(folder)
        gc.collect()
    assert [str(w.message) for w in seen if str(path) in str(w.message)] == []


def test_views_that_lack_all_and_some_that_lack_a_part(folder):
    for kind in ("masks", "depth", "normals", "images"):
        for name in ("000.png", "001.png", "002.png", "003.png"):
            (folder / kind / name).unlink()
    (folder / "masks" / "004.png").unlink()
    with pytest.raises(ValueError, match=r"1 of 6 masks is not there, .*004\.png"):
        load_images(folder)  # half of what is left
    with pytest.warns(UserWarning, match="images of 4 of 6 views are not there"):
        assert load_images(folder, use=("depth",)).names == ("004", "005")


def test_missing_masks(folder):
    def drop(record):
        for frame in record["frames"]:
            del frame["mask_path"]

    edit(folder, lambda r: r["frames"][2].pop("mask_path"))
    with pytest.raises(ValueError, match="masks are missing for the view '002'"):
        load_images(folder, use=("masks",))
    assert "masks" not in load_images(folder).kinds
    edit(folder, lambda r: [f.pop("mask_path", None) for f in r["frames"]])
    # alpha of the colours stands in
    assert load_images(folder, use=("masks", "depth")).kinds == ("masks", "depth")
    for path in (folder / "images").iterdir():
        Image.open(path).convert("RGB").save(path)
    with pytest.raises(ValueError, match="masks are missing, and the image has no alpha"):
        load_images(folder, use=("masks",))


def test_kinds_that_are_not_there(images, folder):
    with pytest.raises(ValueError, match="'mask' is not one of"):
        load_images(folder, use=("mask",))
    save_images(images.only(("masks",)), folder, overwrite=True)
    with pytest.raises(ValueError, match="has no depth, only masks"):
        load_images(folder, use=("depth",))
    with pytest.raises(ValueError, match="have no depth, only masks"):
        images.only(("masks",)).only(("depth",))


def test_large_images_are_halved_with_their_cameras(images, folder):
    small = load_images(folder, max_size=20)
    assert small.size == (20, 20)
    point = torch.tensor([[0.2, 0.1, -0.3]])
    whole = images.cameras.project(point, 40)[:, 0, :2]
    assert torch.allclose(small.cameras.project(point, 20)[:, 0, :2] * 2, whole, atol=1e-3)
    cam = images.cameras
    odd = half_cameras(cam, (41, 43))
    half = odd.project(point, (20, 21))[:, 0, :2]
    assert torch.allclose(half * 2, cam.project(point, (41, 43))[:, 0, :2], atol=1e-3)
    depth = torch.tensor([[[1.0, 2, 3, 0], [1, 2, 3, 3]]])
    assert halved("depth", depth).tolist() == [[[1.5, 0.0]]]
    assert halved("masks", depth / 3).tolist()[0][0][1] == pytest.approx(0.75)


def test_normals_of_the_camera_are_turned(images, folder):
    cams = images.cameras
    turn = cams.view[:, :3, :3]
    flip = torch.tensor([1.0, -1.0, -1.0])
    own = torch.einsum("nij,nhwj->nhwi", turn, images.normals) * flip
    for name, normal in zip(images.names, own, strict=True):
        np.save(folder / "normals" / f"{name}.npy", normal.numpy())

    def change(record):
        record["normal_space"] = "camera"
        for f in record["frames"]:
            f["normal_path"] = f["normal_path"].replace(".png", ".npy")

    edit(folder, change)
    assert torch.allclose(load_images(folder).normals, images.normals, atol=1e-4)


def test_depth_files(tmp_path):
    depth = torch.tensor([[0.0, 1.5], [2.25, 3.0]])
    image_files.write_depth(depth, tmp_path / "a.png", scale=0.25)
    assert torch.equal(image_files.read_depth(tmp_path / "a.png", scale=0.25), depth)
    with pytest.raises(ValueError, match="too small"):
        image_files.write_depth(depth, tmp_path / "b.png", scale=1e-6)
    array = depth.numpy().copy()
    array[0, 0] = np.nan
    np.savez(tmp_path / "a.npz", array)
    assert torch.equal(image_files.read_depth(tmp_path / "a.npz"), depth)
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, text in (("evil.npy", "not a readable array"), ("gone.npy", "no such array")):
        with pytest.raises(ValueError, match=text):
            image_files.read_depth(tmp_path / name)
    Image.new("RGB", (2, 2)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match="one channel"):
        image_files.read_depth(tmp_path / "rgb.png")


def test_nothing_to_render():
    empty = shapes.torus()
    empty = type(empty)(empty.vertices, empty.faces[:0])
    with pytest.raises(ValueError, match="no faces"):
        render_images(empty, 3, size=16)
    with pytest.raises(ValueError, match="size"):
        render_images(shapes.torus(), 3, size=0)
