"""Labels of segmentations: which is the LV, the muscle and the RV, whatever their numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from heart_phantom import heart, renamed, write

from meshlearn.heart.data.anatomy import find_parts, parse_labels
from meshlearn.heart.data.segmentation import load_segmentation, load_segmentation_series

CONVENTIONS = [(3, 2, 1), (1, 2, 3), (1, 2, 4), (500, 200, 600), (2, 3, 1), (7, -1, 5)]


def stack(labels: np.ndarray) -> np.ndarray:
    return np.moveaxis(labels, 2, 0)


@pytest.mark.parametrize("numbers", CONVENTIONS)
def test_parts_are_found_by_what_surrounds_what(numbers):
    made = renamed(heart().labels.astype(int), *numbers)
    parts, note = find_parts(stack(made), {}, "file")
    assert parts == {n: (v,) for n, v in zip(("lv", "myo", "rv"), numbers, strict=True)}
    assert f"LV {numbers[0]}, myocardium {numbers[1]}, RV {numbers[2]}" in note


def test_contours_do_not_depend_on_the_numbers(tmp_path):
    made = heart()
    with pytest.warns(UserWarning, match="LV 3, myocardium 2, RV 1"):
        acdc = load_segmentation(
            write(tmp_path / "a.nii.gz", renamed(made.labels, 3, 2, 1), made.affine)
        )
    with pytest.warns(UserWarning, match="LV 1, myocardium 2, RV 4"):
        other = load_segmentation(
            write(tmp_path / "b.nii.gz", renamed(made.labels, 1, 2, 4), made.affine)
        )
    assert (acdc.points == other.points).all() and (acdc.label == other.label).all()
    assert len(acdc.of("rv_free")) > 100 and len(acdc.of("rv_septum")) > 100


def test_a_heart_without_its_right_ventricle():
    parts, note = find_parts(stack(heart(rv=0).labels), {}, "file")
    assert parts == {"lv": (1,), "myo": (2,), "rv": ()} and "RV absent" in note


def test_atria_are_passed_over_and_told():
    labels = heart().labels.copy()
    labels[2:8, 2:8] = 6
    parts, note = find_parts(stack(labels), {"rv": (3,)}, "file")
    assert parts["lv"] == (1,) and "; 6 passed over" in note
    assert find_parts(stack(labels), {}, "file")[0]["rv"] == (3,)


def test_what_is_told_is_kept_and_the_rest_found():
    labels = stack(heart().labels)
    told = parse_labels("lv=1,myo=2,rv=3")
    assert find_parts(labels, told, "file") == (told, "")
    assert find_parts(labels, parse_labels("lv=1"), "file")[0] == told
    assert find_parts(labels, parse_labels("rv=none"), "file")[0]["rv"] == ()
    scarred = labels.copy()
    ring = np.argwhere(labels == 2)
    scarred[tuple(ring[::3].T)] = 4
    parts = find_parts(scarred, parse_labels("lv=1,myo=2+4,rv=3"), "file")[0]
    assert parts["myo"] == (2, 4)


def test_swapped_ventricles_are_told_though_the_caller_said_so():
    _, note = find_parts(stack(heart().labels), parse_labels("lv=3,myo=2,rv=1"), "file")
    assert "surrounds the RV, not the LV; are LV 3 and RV 1 swapped?" in note


def scar(labels: np.ndarray, through: bool = False) -> np.ndarray:
    """A third label in the muscle, in its middle or all through, and no RV."""
    made = np.where(labels == 3, 0, labels)
    wall = (made == 2) & (np.indices(made.shape)[0] < 40)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        wall &= through | (np.roll(made, 2 * step, axis) == 2)
    made[wall] = 3
    return made


def scar_through(labels: np.ndarray) -> np.ndarray:
    return scar(labels, through=True)


def both_surrounded(labels: np.ndarray) -> np.ndarray:
    made = labels.copy()
    for plane in np.moveaxis(made, 2, 0):
        rv = plane == 3
        grown = rv.copy()
        for axis in (0, 1):
            for step in (-2, -1, 1, 2):
                grown |= np.roll(rv, step, axis)
        plane[grown & (plane == 0)] = 2
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: np.where(m == 2, 0, m), "no label of 1, 3 is surrounded by another"),
        (lambda m: (m == 1).astype(int), "no label of 1 is surrounded by another"),
        (scar, "label 3 (lies within|is surrounded by)"),
        (scar_through, "cannot tell the parts of the heart"),
        (both_surrounded, "label 3 is surrounded by 2 as 1 is by 2"),
        (lambda m: np.zeros_like(m), "all voxels are 0"),
        (lambda m: np.ones_like(m), "no label of 1 is surrounded"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        find_parts(stack(change(heart().labels)), {}, "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3,2,1", "expected such as lv=3,myo=2,rv=1"),
        ("lv=x", "expected such as"),
        ("lv=1,lv=2", "expected such as"),
        ("la=4", "expected some of lv, myo and rv, got 'la'"),
        ("lv=1,rv=1", "1 stands for two parts"),
        ("lv=none,myo=2", "the LV has no value"),
        ("lv=0", "lv is 0, which is the background"),
    ],
)
def test_labels_as_typed_are_checked(text, message):
    with pytest.raises(ValueError, match=message):
        parse_labels(text)


def test_a_label_that_no_voxel_has_is_named():
    with pytest.raises(ValueError, match=r"no voxel is 9 \(the RV\), the labels are 0, 1, 2, 3"):
        find_parts(stack(heart().labels), parse_labels("lv=1,myo=2,rv=9"), "file")


# --- files ----------------------------------------------------------------------------------------


def quiet(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return load_segmentation(path, **options)


def test_files_that_are_no_labels_are_refused(tmp_path):
    made = heart()
    grey = np.random.default_rng(0).integers(0, 900, made.labels.shape).astype(np.int16)
    soft = made.labels * 0.37
    nan = np.where(made.labels == 0, np.nan, made.labels)
    onehot = np.stack([made.labels == k for k in (1, 2, 3)], 3).astype(np.int16)
    for values, message in (
        (grey, "those of an image, not of labels"),
        (soft, "are no whole numbers"),
        (nan, "NaN or infinite"),
        (onehot, "one channel a label and not frames"),
    ):
        path = write(tmp_path / "a.nii", values, made.affine)
        with pytest.raises(ValueError, match=message):
            load_segmentation(path)


def test_a_placeholder_for_an_affine_is_told_and_spacing_mends_it(tmp_path):
    made = heart()
    path = write(tmp_path / "a.nii", made.labels, np.eye(4))
    with pytest.raises(ValueError, match="placeholder; give the spacing of the voxels"):
        load_segmentation(path)
    a, b = (
        quiet(path, spacing=(1.5, 1.5, 8)),
        quiet(write(tmp_path / "b.nii", made.labels, made.affine)),
    )
    assert (a.points.amax(0) - a.points.amin(0)).allclose(b.points.amax(0) - b.points.amin(0))
    with pytest.raises(ValueError, match="three lengths in mm"):
        load_segmentation(path, spacing=(1.5, 0, 8))
    tiny = write(tmp_path / "c.nii", made.labels, np.diag([1e-3, 1e-3, 8e-3, 1]) * 1.0)
    with pytest.raises(ValueError, match="expected 40 to 400 mm; mend the affine"):
        quiet(tiny)


def test_frames_of_a_file_are_never_taken_as_one(tmp_path):
    frames = [heart(radius=r).labels for r in (28.0, 18.0)]
    path = write(tmp_path / "a.nii", np.stack(frames, 3), heart().affine)
    with pytest.warns(UserWarning, match="2 time frames, of which frame 0 is taken"):
        first = load_segmentation(path)
    second = quiet(path, frame=1)
    assert (first.frame, second.frame) == (0, 1)
    spread = [c.of("lv_endo").points[:, 0].std() for c in (first, second)]
    assert spread[1] < 0.75 * spread[0]
    with pytest.raises(ValueError, match=r"no frame 2, the file has 2 \(0 to 1\)"):
        load_segmentation(path, frame=2)
    with pytest.warns(UserWarning, match="labels taken"):
        series = load_segmentation_series(path)
    assert [c.frame for c in series] == [0, 1] and len(series[1]) == len(second)


def test_frames_without_labels_are_passed_over_and_told(tmp_path):
    made = heart()
    empty = np.zeros_like(made.labels)
    path = write(tmp_path / "a.nii", np.stack([empty, made.labels, empty], 3), made.affine)
    assert quiet(path).frame == 1
    with pytest.raises(ValueError, match="frame 0 has no LV; frames 1 have one"):
        load_segmentation(path, frame=0)
    with pytest.warns(UserWarning, match="2 of 3 frames have no LV"):
        assert [c.frame for c in load_segmentation_series(path)] == [1]


def test_a_folder_of_frames_is_a_series(tmp_path):
    for frame, radius in ((1, 28.0), (12, 18.0)):
        made = heart(radius=radius, rv=34.0 if frame == 1 else 0)
        labels = renamed(made.labels, 3, 2, 1)
        write(tmp_path / f"patient001_frame{frame:02d}_gt.nii.gz", labels, made.affine)
    write(tmp_path / "patient001_frame01.nii.gz", made.labels * 7, made.affine)  # its image
    with pytest.warns(UserWarning, match="LV 3, myocardium 2, RV 1"):
        series = load_segmentation_series(tmp_path)
    assert [c.frame for c in series] == [1, 12]
    assert len(series[0].of("rv_free")) and not len(series[1].of("rv_free"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no NIfTI file"):
        load_segmentation_series(tmp_path / "empty")
