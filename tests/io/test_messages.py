"""Each refusal and each loss names the mend that there is."""

import json

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.changes.repair import repair
from meshlearn.io.conversion.mends import mend_of, option_of
from meshlearn.io.conversion.pipeline import ConvertOptions, convert_file
from meshlearn.io.document import Document, Part
from meshlearn.io.left_behind import Loss, LossKind
from tests.cli.runner import meshlearn
from tests.io.samples import polygons

BOX = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]


def seamed():
    """A cube whose sides have vertices of their own, as files with texture coordinates have."""
    corners = np.array(SIDES).reshape(-1)
    return polygons(BOX[corners], np.arange(24).reshape(6, 4).tolist())


@pytest.mark.parametrize("verb", ["check", "info"])
def test_seams_name_merge(verb, tmp_path):
    mio.save_document(seamed(), tmp_path / "a.glb")
    said = meshlearn(verb, tmp_path / "a.glb")
    assert said.returncode == 0 and "--merge 0" in said.stderr
    mio.save_document(polygons(BOX, SIDES), tmp_path / "b.ply")
    assert "--merge" not in meshlearn(verb, tmp_path / "b.ply").stderr
    if verb == "check":
        merged = meshlearn("check", tmp_path / "a.glb", "--merge", "0", "--json")
        assert json.loads(merged.stdout)["watertight"] and not merged.stderr


def framed():
    document = polygons(BOX, SIDES)
    document.up, document.unit = "y", "m"
    return document


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".stl", ["--up y keeps it, --up z turns it", "--unit m keeps", "--triangulate cuts"]),
        (".obj", ["--up y keeps it", "--unit m keeps the numbers, --unit mm converts"]),
        (".3mf", ["--up z turns it", "--triangulate"]),
        (".glb", ["--triangulate"]),
    ],
)
def test_a_frame_that_is_lost_names_the_options(suffix, words, tmp_path):
    mio.save_document(framed(), tmp_path / "a.npz")
    said = meshlearn("convert", tmp_path / "a.npz", tmp_path / f"b{suffix}").stderr
    for word in words:
        assert word in said


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".3mf", ".glb", ".usda", ".vtp"])
def test_a_strict_refusal_names_options_that_make_it_pass(suffix, tmp_path):
    pytest.importorskip("pxr")
    document = framed()
    document.parts[0].vertices = BOX.astype(np.float64) / 3
    mio.save_document(document, tmp_path / "a.npz")
    strict = ConvertOptions(strict=True)
    out = tmp_path / f"b{suffix}"
    try:
        convert_file(tmp_path / "a.npz", out, strict)
    except mio.FileFormatError as error:
        text = str(error)
        assert "makes this your choice" in text and not out.exists()
        options = text.rpartition("; ")[2].removesuffix(" makes this your choice").split()
        done = meshlearn("convert", tmp_path / "a.npz", out, "--strict", *options)
        assert done.returncode == 0, done.stderr
    else:
        assert suffix == ".usda"


def test_losses_without_a_mend_name_none():
    found = polygons(BOX, SIDES, face_fields={"heat": np.arange(6)})
    losses = mio.find_losses(found, "a.obj").items
    assert losses and not any(option_of(loss) or mend_of(loss) for loss in losses)


def fan():
    """Three triangles at one edge."""
    vertices = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [-1, 0, 0]], np.float32)
    return Part.triangles(vertices, np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))


def test_repair_says_what_it_left_and_who_mends_it(tmp_path):
    part = fan()
    part.vertices = np.concatenate([part.vertices, [[9, 9, 9], [np.nan, 0, 0]]]).astype(np.float32)
    part.lines = [np.array([0, 6])]  # a line holds on to a vertex that is not finite
    said = repair(Document([part])).done
    assert "1 edges of more than two faces taken apart" in said
    assert "1 unused vertices removed" in said
    assert "left: 1 vertices with a NaN" in said and "meshlearn wrap" in said
    assert repair(polygons(BOX, SIDES)).done == "nothing to repair"


def test_info_and_check_say_what_was_not_read(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\ncurv 0 1 1 2\n")
    for verb in ("info", "check"):
        assert "not read: curves 'curv'" in meshlearn(verb, tmp_path / "a.obj").stderr


def test_a_mend_goes_by_what_a_loss_holds_and_not_by_its_words():
    odd = Loss(LossKind.UNIT, name="in", limit="wants millimetres, please", instead="mm")
    assert option_of(odd) == "--unit mm" and mend_of(odd) == "--unit mm converts it"
    said = Loss(LossKind.UNIT, name="in", limit="means mm always")
    assert option_of(said) == "--unit in"
    losses = mio.find_losses(framed(), "a.glb").items
    assert {loss.instead for loss in losses if loss.kind is LossKind.UNIT} <= {"m"}
