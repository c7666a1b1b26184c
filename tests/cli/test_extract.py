"""`extract` on volumes of labels, of several frames and with units; `info` of volumes."""

import json

import numpy as np
import pytest

from meshlearn import io as mio


def labelled():
    array = np.zeros((12, 10, 9), np.int16)
    array[1:4, 1:4, 1:4] = 1
    array[6:10, 1:5, 1:6] = 2
    array[0:3, 6:10, 5:9] = 7  # ends where the volume does
    return array


@pytest.fixture
def seg(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(labelled(), np.diag([2, 2, 3, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "seg.nii.gz")
    return tmp_path / "seg.nii.gz"


def bounds(part):
    return np.stack([part.vertices.min(0), part.vertices.max(0)]).tolist()


@pytest.mark.parametrize("suffix", [".obj", ".glb", ".3mf"])
def test_all_labels_are_parts_by_name(cli, seg, tmp_path, suffix):
    done = cli("extract", seg, tmp_path / f"a{suffix}", "--label", "all", "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert [part["label"] for part in facts["parts"]] == [1, 2, 7]
    assert all(part["watertight"] and part["components"] == 1 for part in facts["parts"])
    document = mio.load_document(tmp_path / f"a{suffix}")
    assert [part.name for part in document.parts] == ["label 1", "label 2", "label 7"]
    factor = 1 if suffix != ".3mf" or document.unit == "mm" else np.nan
    np.testing.assert_allclose(
        np.array(bounds(document.parts[1])) * factor, [[11, 1, 1.5], [19, 9, 16.5]], atol=1e-4
    )
    np.testing.assert_allclose(bounds(document.parts[2]), [[-1, 11, 13.5], [5, 19, 25.5]])


def test_a_file_a_label(cli, seg, tmp_path):
    done = cli("extract", seg, tmp_path / "l_{label}.stl", "--label", "7,1", "--json")
    assert done.returncode == 0, done.stderr
    assert [f["label"] for f in json.loads(done.stdout)] == [7, 1]
    assert sorted(p.name for p in tmp_path.glob("*.stl")) == ["l_1.stl", "l_7.stl"]
    again = cli("extract", seg, tmp_path / "l_{label}.stl", "--label", "1")
    assert again.returncode == 1 and "exists; give --overwrite" in again.stderr
    assert not list(tmp_path.glob("*{*"))


@pytest.mark.parametrize(
    "arguments, code, text",
    [
        (["a.stl", "--label", "all"], 1, "STL holds one part; put {label} into the name"),
        (["a.obj", "--label", "9"], 1, "no sample of the label 9; it has 0, 1, 2, 7"),
        (["a.obj", "--label", "x"], 2, "expected whole numbers or all"),
        (["a.obj", "--label", "1", "--level", "3"], 2, "does not go with --label"),
        (["a.obj", "--label", "1", "--level", "0"], 2, "does not go with --label"),
        (["a.obj", "--label", "1", "--above"], 2, "does not go with --label"),
        (["a.obj", "--label", "1", "--close"], 2, "does not go with --label"),
        (["a.obj", "--label", "all", "--fill", "0"], 2, "does not go with --label"),
        (["a.obj", "--label", "1", "--allow-empty"], 2, "does not go with --label"),
        (["a.obj", "--key", "sdf"], 1, "key: expected none"),
        (["a_{label}.obj"], 2, "{label} is for --label"),
        (["a.obj", "--frame", "1"], 1, "there is no frame 1; it holds one"),
        (["a.obj", "--space", "world"], 2, "expected ras or lps"),
        (["a.obj", "--unit", "parsec"], 2, "expected one of um, mm"),
    ],
)
def test_refusals(cli, seg, tmp_path, monkeypatch, arguments, code, text):
    monkeypatch.chdir(tmp_path)
    done = cli("extract", seg, *arguments)
    assert done.returncode == code and text in done.stderr, done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["seg.nii.gz"]


def test_all_of_measurements_is_refused(cli, tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(5, 5, 5)))
    done = cli("extract", tmp_path / "a.npy", tmp_path / "a.obj", "--label", "all")
    assert done.returncode == 1 and "measurements, whose surface is taken at" in done.stderr
    np.save(tmp_path / "a.npy", np.zeros((5, 5, 5), int))
    done = cli("extract", tmp_path / "a.npy", tmp_path / "a.obj", "--label", "all")
    assert done.returncode == 1 and "all its values are 0" in done.stderr


def test_frames_are_named(cli, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    series = np.stack([labelled(), labelled() == 7], -1).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(series, np.eye(4)), tmp_path / "a.nii")
    done = cli("extract", tmp_path / "a.nii", tmp_path / "a.obj")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "it holds 2 volumes" in done.stderr and "--frame N" in done.stderr
    options = ("--frame", "1", "--level", "0.5", "--above", "--close", "--json")
    done = cli("extract", tmp_path / "a.nii", tmp_path / "a.obj", *options)
    assert json.loads(done.stdout)["components"] == 1
    facts = json.loads(cli("info", tmp_path / "a.nii", "--json").stdout)
    assert facts["frames"] == 2 and facts["samples"] == [12, 10, 9]


@pytest.mark.parametrize("unit, name", [("meter", "m"), ("micron", "um"), ("mm", "mm")])
def test_the_unit_of_a_volume_reaches_3mf(cli, tmp_path, unit, name):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(labelled(), np.eye(4))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    done = cli("extract", tmp_path / "a.nii", tmp_path / "a.3mf", "--label", "2")
    assert done.returncode == 0 and "lost" not in done.stderr
    assert mio.load_document(tmp_path / "a.3mf").unit == name


def test_a_unit_that_the_format_cannot_say_is_told(cli, seg, tmp_path):
    done = cli("extract", seg, tmp_path / "a.stl", "--label", "1")
    assert "lost: unit 'mm'" in done.stderr
    done = cli("extract", seg, tmp_path / "a.glb", "--label", "1", "--unit", "m")
    assert done.returncode == 0 and "lost" not in done.stderr
    part = mio.load_document(tmp_path / "a.glb").parts[0]
    np.testing.assert_allclose(bounds(part), [[0.001, 0.001, 0.0015], [0.007, 0.007, 0.0105]])


def test_names_of_labels(cli, tmp_path):
    nrrd = pytest.importorskip("nrrd")
    header = {"Segment0_Name": "liver", "Segment0_LabelValue": "2", "space": "LPS"}
    header["space directions"] = np.eye(3)
    nrrd.write(str(tmp_path / "a.seg.nrrd"), labelled(), header)
    done = cli("extract", tmp_path / "a.seg.nrrd", tmp_path / "a.obj", "--label", "all")
    assert "turned from LPS to right-anterior-superior" in done.stderr
    names = [part.name for part in mio.load_document(tmp_path / "a.obj").parts]
    assert names == ["label 1", "liver", "label 7"]
    facts = json.loads(cli("info", tmp_path / "a.seg.nrrd", "--json").stdout)
    assert {"label": 2, "name": "liver", "samples": 80} in facts["labels"]
    table = cli("info", tmp_path / "a.seg.nrrd").stdout
    assert "2 liver (80), 7 (48)" in table and "ras" in table


def test_facts_of_measurements(cli, tmp_path):
    array = np.random.default_rng(0).normal(size=(5, 6, 7))
    array[0, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", array)
    facts = json.loads(cli("info", tmp_path / "a.npy", "--json").stdout)
    assert facts["non_finite_values"] == 1 and facts["labels"] == []
    assert facts["largest"] == np.nanmax(array) and facts["dtype"] == "float64"
    np.save(tmp_path / "b.npy", array * np.nan)
    assert json.loads(cli("info", tmp_path / "b.npy", "--json").stdout)["smallest"] is None
