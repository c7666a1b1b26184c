"""`meshlearn heart …` and `meshlearn train heart`."""

from __future__ import annotations

import json
import warnings

import pytest
import torch
from heart_phantom import heart, renamed, write

from meshlearn.heart.data.contours import save_contours
from meshlearn.heart.learn.scanner import Acquisition, acquire
from meshlearn.heart.model.population import sample_heart


@pytest.fixture(scope="module")
def contours(tmp_path_factory):
    heart = sample_heart(flow=1.0, generator=torch.Generator().manual_seed(3))
    clean = Acquisition(noise=0.2, shift=0.0, missing=0.0, gap=(9.0, 10.0))
    made = acquire(heart, settings=clean, generator=torch.Generator().manual_seed(1))
    folder = tmp_path_factory.mktemp("contours")
    for frame in range(2):
        save_contours(made, folder / f"heart_{frame:03d}.txt")
    return folder


def test_fit_to_a_folder(cli, contours, tmp_path):
    done = cli("heart", "fit", contours / "heart_000.txt", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["lv_volume_ml"] > 20 and (tmp_path / "out" / "report.csv").is_file()
    assert report["lv_mass_g"] > 30 and len(report["files"]) >= 10
    again = cli("heart", "fit", contours / "heart_000.txt", tmp_path / "out")
    assert again.returncode == 1 and "is not empty; give --overwrite" in again.stderr


def test_fit_to_one_file(cli, contours, tmp_path):
    out = tmp_path / "lv.stl"
    done = cli("heart", "fit", contours / "heart_000.txt", out, "--surface", "lv")
    assert done.returncode == 0 and out.is_file() and "LV volume" in done.stdout
    again = cli("heart", "fit", contours / "heart_000.txt", out)
    assert again.returncode == 1 and "exists" in again.stderr


def test_series(cli, contours, tmp_path):
    done = cli("heart", "series", contours, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    cycle = json.loads(done.stdout)
    assert cycle["frames"] == 2 and 0 <= cycle["lv"]["ejection_fraction_percent"] < 10
    assert (tmp_path / "out" / "volumes.png").is_file()


def test_sample(cli, tmp_path):
    args = ("heart", "sample", tmp_path / "a", "-n", 2, "--contours", "--seed", 4, "--json")
    done = cli(*args)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["hearts"]) == 2
    assert (tmp_path / "a" / "heart_001.txt").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("x\ty\tz\tcontour type\n", "no line has x, y, z and a contour type"),
        ("1\t2\t3\tSPLEEN\n", "no known contour type"),
        ("a\tb\tc\tSAX_LV_ENDOCARDIAL\n", "not a number"),
        ("0\t0\t0\tSAX_LV_ENDOCARDIAL\t1\n" * 3, "3 points of the LV cavity"),
    ],
)
def test_bad_contours_are_one_line(cli, tmp_path, text, message):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    done = cli("heart", "fit", path, tmp_path / "out")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_units_are_told(cli, contours, tmp_path):
    path = tmp_path / "meters.txt"
    rows = []
    for line in (contours / "heart_000.txt").read_text().splitlines()[1:]:
        cells = line.split("\t")
        rows.append("\t".join([*(str(float(c) / 1000) for c in cells[:3]), *cells[3:]]))
    path.write_text("\n".join(rows))
    done = cli("heart", "fit", path, tmp_path / "out")
    assert done.returncode == 1 and "give the unit 'm'" in done.stderr


def test_missing_and_wrong_places_are_told(cli, tmp_path):
    done = cli("heart", "fit", tmp_path / "none.txt", tmp_path / "out")
    assert done.returncode == 1 and "there is no file" in done.stderr
    done = cli("heart", "series", tmp_path / "none", tmp_path / "out")
    assert done.returncode == 1 and "expected a folder" in done.stderr
    done = cli("heart", "series", tmp_path, tmp_path / "a" / "b")
    assert done.returncode == 1 and "make it first" in done.stderr


def test_labels_of_a_segmentation_are_told_or_refused(cli, contours, tmp_path):
    made = heart(radius=24.0, pixel=3.0, thick=10.0, size=60)
    path = write(tmp_path / "a.nii.gz", renamed(made.labels, 3, 2, 1), made.affine)
    out = tmp_path / "lv.stl"
    done = cli("heart", "fit", path, out, "--surface", "lv", "--json")
    assert done.returncode == 0, done.stderr
    assert "labels taken by anatomy as LV 3, myocardium 2, RV 1" in done.stderr
    report = json.loads(done.stdout)
    assert report["lv_volume_ml"] == pytest.approx(made.lv_ml, rel=0.05)
    assert report["rv_volume_ml"] == pytest.approx(made.rv_ml, rel=0.05)
    for labels, told in (
        ("lv=3,myo=2,rv=9", "no voxel is 9 (the RV)"),
        ("lv=3,spleen=2", "expected some of lv, myo and rv, got 'spleen'"),
        ("3", "expected such as lv=3,myo=2,rv=1"),
    ):
        done = cli("heart", "fit", path, tmp_path / "no", "--labels", labels)
        assert done.returncode == 1 and told in done.stderr and not (tmp_path / "no").exists()
    done = cli("heart", "fit", contours / "heart_000.txt", tmp_path / "no", "--labels", "lv=3")
    assert done.returncode == 1 and "is no segmentation" in done.stderr


def test_frames_of_a_file_are_named(cli, contours, tmp_path):
    path = tmp_path / "both.txt"
    rows = (contours / "heart_000.txt").read_text().splitlines()
    later = [row.rsplit("\t", 1)[0] + "\t5" for row in rows[1:]]
    path.write_text("\n".join([*rows, *later]))
    done = cli("heart", "fit", path, tmp_path / "out", "--frame", 3)
    assert done.returncode == 1 and "no frame 3 in it; it holds 0, 5" in done.stderr
    done = cli("heart", "fit", path, tmp_path / "lv.stl", "--frame", 5, "--surface", "lv")
    assert done.returncode == 0 and "time frames" not in done.stderr


def test_train_and_predict(cli, contours, tmp_path):
    out = tmp_path / "run"
    done = cli("train", "heart", out, "--hearts", 3, "--steps", 2, "--batch", 2)
    assert done.returncode == 0, done.stderr
    again = cli("train", "heart", out, "--hearts", 3, "--steps", 2)
    assert again.returncode == 1 and "--resume" in again.stderr
    from meshlearn.heart.data import load_contours
    from meshlearn.heart.fit.predict import load_encoder, predict_heart

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = predict_heart(load_encoder(out), load_contours(contours / "heart_000.txt"))
    assert fit.model.mesh("muscle").is_watertight and fit.history[-1] < fit.history[0]
