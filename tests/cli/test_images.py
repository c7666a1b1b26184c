"""`meshlearn render MESH DIR` and `meshlearn reconstruct DIR OUT`."""

import json
import shutil

import pytest

from meshlearn import load
from meshlearn.data import shapes


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    path = tmp_path_factory.mktemp("mesh") / "torus.ply"
    shapes.torus().save(path)
    return path


@pytest.fixture(scope="module")
def views(mesh):
    from meshlearn.render import render_images, save_images

    return save_images(render_images(load(mesh), 8, size=64, samples=2), mesh.parent / "views")


def test_there_and_back(cli, mesh, tmp_path):
    out = tmp_path / "views"
    done = cli("render", mesh, out, "--views", 6, "--size", 48, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["views"] == 6 and facts["size"] == [48, 48]
    names = sorted(p.name for p in out.iterdir())
    assert names == ["depth", "images", "masks", "normals", "transforms.json"]
    assert len(list((out / "depth").iterdir())) == 6
    fit = tmp_path / "fit.glb"
    done = cli(
        "reconstruct", out, fit, "--resolution", 16, "--steps", 8, "--picture", "--json",
        "--checkpoint", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["watertight"] and facts["euler_number"] == 0
    assert "color" in load(fit).vertex_attributes
    assert (tmp_path / "fit.png").is_file() and (tmp_path / "run" / "sheet.png").is_file()


def test_use_and_colors(cli, views, tmp_path):
    out = tmp_path / "a.ply"
    done = cli("reconstruct", views, out, "--use", "masks,depth", "--steps", 2, "--resolution", 16)
    assert done.returncode == 0, done.stderr
    assert "color" not in load(out).vertex_attributes
    pytest.importorskip("xatlas")
    out = tmp_path / "b.obj"
    done = cli(
        "reconstruct", views, out, "--steps", 2, "--resolution", 16, "--colors", "texture",
        "--texture-size", 64,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "uv" in load(out).corner_attributes and (tmp_path / "b_texture.png").is_file()
    image = (tmp_path / "b_texture.png").read_bytes()
    assert [m.images for m in load(out).materials] == [{"b_texture.png": image}]


def test_info_tells_of_a_set(cli, views, tmp_path):
    done = cli("info", views)
    assert done.returncode == 0, done.stderr
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert rows["views"] == "8" and rows["size"] == "64 × 64"
    assert rows["images"] == "8 masks, 8 depth, 8 normals, 8 colors"
    assert rows["lens"].startswith("PINHOLE, 8 views, focal ")
    facts = json.loads(cli("info", views / "transforms.json", "--json").stdout)
    assert facts["lenses"][0]["straight"] and facts["missing"] == 0
    (tmp_path / "empty").mkdir()
    done = cli("info", tmp_path / "empty")
    assert done.returncode == 1 and "nor are there cameras of images" in done.stderr


def test_a_camera_file_is_as_good_as_its_folder(cli, views, tmp_path):
    out = tmp_path / "a.ply"
    given = views / "transforms.json"
    done = cli("reconstruct", given, out, "--use", "masks,colors", "--steps", 1, "--resolution", 8)
    assert done.returncode == 0, done.stderr
    assert "color" in load(out).vertex_attributes


def test_lenses_are_told_and_straightened(cli, views, tmp_path):
    folder = tmp_path / "bent"
    shutil.copytree(views, folder)
    record = json.loads((folder / "transforms.json").read_text())
    (folder / "transforms.json").write_text(
        json.dumps({**record, "camera_model": "OPENCV_FISHEYE", "k1": 0.01})
    )
    out = tmp_path / "a.ply"
    done = cli("reconstruct", folder, out, "--use", "masks", "--steps", 1, "--resolution", 8)
    assert done.returncode == 0 and done.stderr.count("warning: ") == 1
    assert "8 of 8 views through lenses that bend (OPENCV_FISHEYE with k1 0.01)" in done.stderr
    assert "bends by k1 0.01" in cli("info", folder).stdout
    (folder / "transforms.json").write_text(json.dumps({**record, "camera_model": "VR180_L"}))
    for verb in (["info", folder], ["reconstruct", folder, tmp_path / "b.ply"]):
        done = cli(*verb)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "'VR180_L' is not supported" in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["--use", "masks,colours"], 1, "'colours' is not one of"),
        (["--use", "masks", "--colors", "vertices"], 2, "needs colors among --use"),
        (["--use", ","], 1, "expected some of"),
    ],
)
def test_wrong_options(cli, views, tmp_path, args, code, text):
    done = cli("reconstruct", views, tmp_path / "a.ply", *args)
    assert done.returncode == code and text in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_options_that_are_not_for_this(cli, mesh, tmp_path):
    for args, text in (
        (["reconstruct", mesh, tmp_path / "a.ply", "--use", "masks"], "for a folder"),
        (["render", mesh, tmp_path / "a.png", "--views", "30"], "at most 24"),
        (["render", mesh, tmp_path / "a", "--wireframe"], "for a picture"),
    ):
        done = cli(*args)
        assert done.returncode == 2 and text in " ".join(done.stderr.split())


def test_a_bad_folder_is_one_sentence(cli, views, tmp_path):
    folder = tmp_path / "views"
    out = tmp_path / "a.ply"

    def refused(text):
        done = cli("reconstruct", folder, out)
        assert done.returncode == 1 and done.stderr.startswith("error: ")
        assert text in done.stderr and done.stderr.count("\n") == 1 and not out.exists()

    folder.mkdir()
    refused("holds neither transforms.json nor a COLMAP model")
    shutil.rmtree(folder)
    shutil.copytree(views, folder)
    (folder / "masks" / "001.png").write_bytes(b"broken")
    refused("001.png: not a readable image")
    record = json.loads((folder / "transforms.json").read_text())
    record["frames"][2]["transform_matrix"][0] = [0, 0, 0, 0]
    (folder / "transforms.json").write_text(json.dumps(record))
    refused("frame 2: transform_matrix: is singular")
    record["frames"][2].pop("transform_matrix")
    (folder / "transforms.json").write_text(json.dumps(record))
    refused("frame 2: the field transform_matrix is missing")


def test_a_folder_is_kept_unless_told(cli, mesh, views):
    done = cli("render", mesh, views)
    assert done.returncode == 1 and "exists; give --overwrite" in done.stderr
