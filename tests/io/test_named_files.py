"""Files that a file names: found where people have them, told where they are not, written beside
the new file under names that do not collide."""

import subprocess
import sys

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io import FileFormatError
from meshlearn.io.document import Document, Material, Part
from meshlearn.io.left_behind import LossKind
from meshlearn.io.resolver import find_named, safe_place

QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACE = "f 1/1 2/2 3/3 4/4\n"
RED, BLUE = b"\x89PNG red", b"\x89PNG blue"


def obj(folder, *, mtl="p.mtl", image="tex.png", library="mtllib p.mtl"):
    (folder / "a.obj").write_text(f"{library}\n{QUAD}usemtl Red\n{FACE}")
    if mtl:
        (folder / mtl).write_text(f"newmtl Red\nKd 1 1 1\nmap_Kd {image}\n")
    return folder / "a.obj"


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("tex.png", "tex.png"),
        ("./tex.png", "tex.png"),
        (r"C:\me\tex.png", "tex.png"),
        ("D:/w/textures/tex.png", "textures/tex.png"),
        ("/home/me/tex.png", "tex.png"),
        (r"\\server\share\tex.png", "tex.png"),
        ("file:///C:/me/tex.png", "tex.png"),
        ("../textures/tex.png", "textures/tex.png"),
        ("../tex.png", "tex.png"),
        (r"textures\tex.png", "textures/tex.png"),
        ("textures/tex.png", "tex.png"),
        ("tex.png", "textures/tex.png"),
        ("TEX.PNG", "tex.png"),
        ("Textures/Tex.png", "textures/tex.PNG"),
        ("my%20tex.png", "my tex.png"),
        ("my tex.png", "my tex.png"),
        ('"my tex.png"', "my tex.png"),
        ("tex.png # brown", "tex.png"),
        ("a#b.png", "a#b.png"),
        ("a%20b.png", "a%20b.png"),
        ("\ufefftex.png", "tex.png"),
    ],
)
def test_a_file_is_found_where_people_have_it(written, there, tmp_path):
    place = tmp_path / there
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(RED)
    assert find_named(tmp_path / "a.obj", written) == there


@pytest.mark.parametrize("written", ["../secret.png", "link.png", "http://x.org/secret.png", "\0"])
def test_nothing_outside_the_folder_is_found(written, tmp_path):
    inner = tmp_path / "in"
    inner.mkdir()
    (tmp_path / "secret.png").write_bytes(RED)
    (inner / "link.png").symlink_to(tmp_path / "secret.png")
    assert find_named(inner / "a.obj", written) is None


def test_two_folders_that_have_it_are_no_answer(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tex.png").write_bytes(RED)
    assert find_named(tmp_path / "a.obj", "tex.png") is None


def test_an_image_goes_along_and_the_new_file_names_it(tmp_path):
    source = obj(tmp_path, image=r"C:\me\Textures\TEX.png")
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "tex.png").write_bytes(RED)
    out = tmp_path / "out"
    out.mkdir()
    assert not mio.convert(source, out / "b.obj", strict=True)
    assert (out / "textures" / "tex.png").read_bytes() == RED
    assert "map_Kd textures/tex.png\n" in (out / "b.mtl").read_text()
    again = mio.load_document(out / "b.obj")
    assert again.images == {"textures/tex.png": RED} and not again.left_out


@pytest.mark.parametrize("suffix", [".obj", ".glb", ".ply"])
@pytest.mark.parametrize("gone", ["p.mtl", "tex.png"])
def test_what_is_not_there_is_told_and_refused_when_strict(gone, suffix, tmp_path):
    source = obj(tmp_path, mtl="" if gone == "p.mtl" else "p.mtl")
    report = mio.convert(source, tmp_path / f"out{suffix}")
    lost = [loss for loss in report.items if loss.kind is LossKind.NAMED_FILE]
    assert [loss.name for loss in lost] == [gone]
    with pytest.raises(FileFormatError, match=gone):
        mio.convert(source, tmp_path / f"out2{suffix}", strict=True)


def painted(image, key="texture.png"):
    part = Part.triangles(np.eye(3), np.array([[0, 1, 2]]))
    part.face_fields["material"] = np.zeros(1, np.int64)
    document = Document([part])
    document.materials = [Material("m", {"base_texture": key})]
    document.images = {key: image}
    return document


def test_two_files_in_one_folder_keep_their_own_images(tmp_path):
    for name, image in (("red", RED), ("blue", BLUE), ("red2", RED)):
        mio.save_document(painted(image), tmp_path / f"{name}.obj", overwrite=False)
    for name, image in (("red", RED), ("blue", BLUE), ("red2", RED)):
        assert list(mio.load_document(tmp_path / f"{name}.obj").images.values()) == [image]
    assert {p.name for p in tmp_path.glob("*.png")} == {"texture.png", "blue_texture.png"}


def test_batches_keep_images_of_one_name_apart(tmp_path):
    for name, image in (("red", RED), ("blue", BLUE)):
        mio.save_document(painted(image, "texture"), tmp_path / f"{name}.glb")
    command = [sys.executable, "-m", "meshlearn", "convert"]
    command += [str(tmp_path / f"{n}.glb") for n in ("red", "blue")]
    command += ["--outdir", str(tmp_path / "out"), "--to", "obj"]
    for more in ([], ["--overwrite"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for name, image in (("red", RED), ("blue", BLUE)):
            document = mio.load_document(tmp_path / "out" / f"{name}.obj")
            assert list(document.images.values()) == [image]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("../../a.png", "a.png"),
        ("C:\\x\\a.png", "x/a.png"),
        ("/etc/a.png", "etc/a.png"),
        ("t/a.png", "t/a.png"),
        ("a:b?.png", "a_b_.png"),
        ("..", "image"),
        ("", "image"),
    ],
)
def test_places_of_written_images_are_below_the_folder(name, place):
    assert safe_place(name) == place


def test_images_whose_places_would_be_one_get_two(tmp_path):
    document = painted(RED, "a.png")
    document.images |= {"../A.png": BLUE, "b.mtl": b"BM blue"}
    document.materials.append(Material("n", {"base_texture": "../A.png"}))
    mio.save_document(document, tmp_path / "b.obj")
    again = mio.load_document(tmp_path / "b.obj")
    assert [again.images[m.values["base_texture"]] for m in again.materials] == [RED]
    assert "newmtl m" in (tmp_path / "b.mtl").read_text()
    assert (tmp_path / "A_2.png").read_bytes() == BLUE


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_a_library_whose_materials_go_along_is_no_loss(suffix, tmp_path):
    source = obj(tmp_path, library="mtllib D:/w/p.mtl # mine")
    (tmp_path / "tex.png").write_bytes(RED)
    report = mio.convert(source, tmp_path / f"out{suffix}")
    assert not any("mtllib" in str(loss) or "file" in str(loss) for loss in report.items)
    assert list(mio.load_document(tmp_path / f"out{suffix}").images.values()) == [RED]
