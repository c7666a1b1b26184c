"""Contour files, labelled points and segmentations."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from shared_data import shared_data

from meshlearn.heart.data import Contours, load_contour_series, load_contours
from meshlearn.heart.data.contours import LABELS, from_arrays, save_contours
from meshlearn.heart.data.segmentation import load_segmentation

HEAD = "x\ty\tz\tcontour type\tframeID\tweight\ttime frame\n"
ROW = "{:.3f}\t{:.3f}\t{:.3f}\t{}\t{}\t1.0\t0\n"


def lines(n: int = 40, scale: float = 1.0, kind: str = "SAX_LV_ENDOCARDIAL") -> str:
    rows = []
    for i in range(n):
        a = 2 * np.pi * i / n
        x, y, z = 30 * np.cos(a), 30 * np.sin(a), 10.0 * (i % 5)
        rows.append(ROW.format(x * scale, y * scale, z * scale, kind, i % 5))
    return "".join(rows)


def test_real_file():
    contours = load_contours(shared_data("heart", "patient1", "contours", "GPFile_009.txt"))
    assert contours.frame == 9 and contours.slices("sax") == [3, 4, 5, 6]
    assert contours.slices("lax") == [7, 8, 9, 11]
    assert len(contours.of("mitral")) == 6 and len(contours.of("apex")) == 1
    assert not contours.notes


def test_real_series():
    series = load_contour_series(shared_data("heart", "patient1", "contours"))
    assert [c.frame for c in series] == list(range(25))


def test_written_contours_read_back(tmp_path):
    given = load_contours(shared_data("heart", "patient1", "contours", "GPFile_000.txt"))
    again = load_contours(save_contours(given, tmp_path / "again_000.txt"))
    assert torch.allclose(given.points, again.points, atol=1e-5)
    for name in ("label", "view", "slice", "weight"):
        assert torch.equal(getattr(given, name), getattr(again, name)), name


@pytest.mark.parametrize("split", ["\t", ",", " "])
def test_columns_may_be_split_by_tabs_commas_or_spaces(tmp_path, split):
    path = tmp_path / "cloud.csv"
    path.write_text(lines().replace("\t", split))
    assert len(load_contours(path)) == 40
    path.write_text("\n".join(f"{i}{split}0{split}{i * i % 50}{split}lv_epi" for i in range(60)))
    cloud = load_contours(path)
    assert set(cloud.label.tolist()) == {LABELS.index("lv_epi")} and cloud.slices() == []


def test_bad_rows_are_left_out_and_told(tmp_path):
    path = tmp_path / "a.txt"
    bad = "nan\t0\t0\tSAX_LV_ENDOCARDIAL\t1\t1\t0\nx\ty\tz\tSAX_LV_ENDOCARDIAL\t1\t1\t0\n1\t2\n"
    path.write_text(HEAD + lines() + bad)
    with pytest.warns(UserWarning, match=r"3 of 44 lines left out \(line 42: NaN or infinite\)"):
        contours = load_contours(path)
    assert len(contours) == 40 and torch.isfinite(contours.points).all()


def test_unknown_types_are_left_out_and_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(HEAD + lines() + lines(7, kind="SAX_SPLEEN"))
    with pytest.warns(UserWarning, match="7 points of the unknown contour type 'SAX_SPLEEN'"):
        assert len(load_contours(path)) == 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (HEAD, "no line has x, y, z and a contour type"),
        ("a b c d\n" * 5, "line 1: not a number"),
        (lines(5, kind="SPLEEN"), "no known contour type .* found 'SPLEEN'"),
        ("1 2 3\n" * 5, "3 columns, expected x, y, z and a type"),
    ],
)
def test_files_without_contours_are_one_sentence(tmp_path, text, message):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_contours(path)


def test_binary_and_folders_are_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00\x80" * 40)
    with pytest.raises(ValueError, match="not a text file"):
        load_contours(path)
    with pytest.raises(ValueError, match="got a folder"):
        load_contours(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="no contour file"):
        load_contour_series(tmp_path)


@pytest.mark.parametrize(("unit", "scale"), [("m", 1e-3), ("cm", 0.1)])
def test_other_units_are_told_and_taken(tmp_path, unit, scale):
    path = tmp_path / "a.txt"
    path.write_text(HEAD + "".join(lines(40, scale).splitlines(True)))
    with pytest.raises(ValueError, match=f"give the unit '{unit}'"):
        load_contours(path)
    assert load_contours(path, unit=unit).points.abs().max() > 25
    with pytest.raises(ValueError, match="unit: expected auto, mm"):
        load_contours(path, unit="inch")


def test_arrays_are_checked():
    with pytest.raises(ValueError, match="unknown 'spleen'"):
        from_arrays(torch.zeros(2, 3), ["lv_endo", "spleen"])
    with pytest.raises(ValueError, match="1 for 2 points"):
        from_arrays(torch.zeros(2, 3), ["lv_endo"])
    with pytest.raises(ValueError, match="finite"):
        from_arrays(torch.full((1, 3), float("nan")), ["lv_endo"])


# --- time frames ---------------------------------------------------------------------------------


def timed(*times: int, slices: range = range(4), kind: str = "SAX_LV_ENDOCARDIAL") -> str:
    rows = []
    for t in times:
        for k in slices:
            for i in range(20):
                x, y = (30 + t) * math.cos(0.3 * i), (30 + t) * math.sin(0.3 * i)
                rows.append(f"{x}\t{y}\t{10 * k}\t{kind}\t{k}\t1.0\t{t}\n")
    return HEAD + "".join(rows)


def test_frames_of_one_file_are_never_taken_as_one(tmp_path):
    path = tmp_path / "both.txt"
    path.write_text(timed(0, 9))
    with pytest.warns(UserWarning, match="2 time frames, of which frame 0 is taken"):
        first = load_contours(path)
    assert len(first) == 80 and first.frame == 0
    second = load_contours(path, frame=9)
    assert second.frame == 9 and second.points.norm(dim=1).min() > 38
    with pytest.raises(ValueError, match="no frame 3 in it; it holds 0, 9"):
        load_contours(path, frame=3)
    assert [c.frame for c in load_contour_series(path)] == [0, 9]
    (tmp_path / "third_003.txt").write_text(timed(3))
    with pytest.raises(ValueError, match="a folder has one file a frame"):
        load_contour_series(tmp_path)


def test_frames_may_number_their_slices_anew(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(timed(0) + timed(1, slices=range(4, 8)).removeprefix(HEAD))
    assert [len(c) for c in load_contour_series(path)] == [80, 80]


def test_a_slice_of_another_time_belongs_to_every_frame(tmp_path):
    path = tmp_path / "a_007.txt"
    lax = timed(1, slices=range(8, 9), kind="LAX_LV_ENDOCARDIAL").removeprefix(HEAD)
    path.write_text(timed(7) + lax)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_contours(path).slices() == [0, 1, 2, 3, 8]
    path.write_text(timed(0, 7) + lax)
    assert [c.slices() for c in load_contour_series(path)] == [[0, 1, 2, 3, 8]] * 2
    assert len(load_contours(path, frame=7)) == 100


# --- segmentations -------------------------------------------------------------------------------


def segmentation(tmp_path, affine=None, flip=False):
    """Rings: LV of 10 mm, muscle to 16 mm, RV beside it; 2 mm pixels, slices of 8 mm."""
    nibabel = pytest.importorskip("nibabel")
    i, j = np.meshgrid(np.arange(50), np.arange(50), indexing="ij")
    far = np.hypot(2 * (i - 20), 2 * (j - 25))
    plane = np.where(far < 20, 1, np.where(far < 30, 2, 0))
    rv = (np.hypot(2 * (i - 33), 2 * (j - 25)) < 26) & (plane == 0)
    plane = np.where(rv, 3, plane).astype(np.int16)
    volume = np.repeat(plane[:, :, None], 6, 2)
    if affine is None:
        affine = np.array([[-2.0, 0, 0, 30], [0, -2.0, 0, 40], [0, 0, 8, -100], [0, 0, 0, 1]])
    path = tmp_path / "seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, affine), str(path))
    return path


def test_segmentation_becomes_contours(tmp_path):
    with pytest.warns(UserWarning, match="labels taken by anatomy as LV 1, myocardium 2, RV 3"):
        contours = load_segmentation(segmentation(tmp_path))
    assert isinstance(contours, Contours) and contours.slices("sax") == list(range(6))
    endo = contours.of("lv_endo").points
    middle = torch.tensor([2.0 * 20 - 30, 2.0 * 25 - 40, 0])  # x to the left, y to the back
    radius = (endo[:, :2] - middle[:2]).norm(dim=1)
    assert (radius - 20).abs().mean() < 1.0
    assert set(endo[:, 2].tolist()) == {-100.0 + 8 * k for k in range(6)}
    assert (contours.of("lv_epi").points[:, :2] - middle[:2]).norm(dim=1).mean() > 28
    septum, free = contours.of("rv_septum").points, contours.of("rv_free").points
    assert len(septum) > 20 and len(free) > 20
    assert (septum - middle).norm(dim=1).mean() < (free - middle).norm(dim=1).mean()


def test_labels_of_a_segmentation_can_be_named(tmp_path):
    path = segmentation(tmp_path)
    with pytest.raises(ValueError, match="no voxel is 9"):
        load_segmentation(path, labels={"lv": 9})
    with pytest.raises(ValueError, match="expected some of lv, myo and rv, got 'la'"):
        load_segmentation(path, labels={"la": 4})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_segmentation(path, labels={"lv": 1, "myo": 2, "rv": 3})


def test_damaged_segmentation_is_told(tmp_path):
    pytest.importorskip("nibabel")
    path = tmp_path / "seg.nii"
    path.write_bytes(b"nonsense" * 10)
    with pytest.raises(ValueError, match="not a NIfTI file"):
        load_segmentation(path)
