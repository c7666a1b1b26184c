"""Folders of DICOM slices: in order by their places, in the patient's coordinates."""

import sys

import numpy as np
import pytest

from meshlearn.io.volume import load_volume
from meshlearn.io.volumes.samples import Wanted
from meshlearn.io.volumes.table import read_samples
from meshlearn.reconstruct.volume import extract_volume

LPS = np.diag([-1.0, -1, 1, 1])
ROW = np.array([0.8, 0.6, 0])
COLUMN = np.array([0, 0, -1.0])  # an oblique coronal series
NORMAL = np.cross(ROW, COLUMN)


def volume():
    array = np.zeros((6, 5, 8), np.int16)  # columns, rows, slices
    array[1:4, 1:3, 2:7] = 100
    array[5, 4, 7] = 40
    return array


def write(folder, name, image, place, **more):
    """One slice of the simplest kind; `more` replaces what it says."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(folder / name), {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.SeriesInstanceUID, data.SeriesNumber = "CT", "1.2.3", 4
    data.SeriesDescription, data.InstanceNumber = "thorax", 1
    data.Rows, data.Columns = image.T.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.ImagePositionPatient = [round(float(v), 6) for v in place]
    data.ImageOrientationPatient = [*ROW, *COLUMN]
    data.PixelSpacing = [0.7, 0.5]  # of rows, of columns
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.PixelData = np.ascontiguousarray(image.T.astype("<i2")).tobytes()
    for key, value in more.items():
        if value is None:
            delattr(data, key)
        else:
            setattr(data, key, value)
    pydicom.dcmwrite(str(folder / name), data, enforce_file_format=True)
    return data


def series(folder, array=None, along=None, shift=(0, 0, 0), **more):
    """A folder of slices whose names, numbers and dates say nothing of their order."""
    array = volume() if array is None else array
    along = np.arange(array.shape[2]) * 2.5 if along is None else along
    mixed = np.random.default_rng(0).permutation(len(along))
    for number, k in enumerate(mixed):
        place = np.array([10, -20, 30]) + NORMAL * along[k] + np.array(shift) * k
        name = f"IM{number:03}" + (".dcm" if number % 2 else "")
        write(folder, name, array[:, :, k], place, InstanceNumber=number, **more)
    return folder


def affine(step=2.5, shift=(0, 0, 0)):
    world = np.eye(4)
    world[:3, 0], world[:3, 1] = ROW * 0.5, COLUMN * 0.7
    world[:3, 2], world[:3, 3] = NORMAL * step + shift, [10, -20, 30]
    return LPS @ world


def test_a_folder_is_a_volume_in_the_patient(tmp_path):
    samples = read_samples(series(tmp_path))
    np.testing.assert_array_equal(samples.values, volume())
    np.testing.assert_allclose(samples.affine, affine(), atol=1e-5)
    assert samples.unit == "mm" and samples.space == "ras"
    mesh = extract_volume(load_volume(tmp_path), level=50, above=True)
    world = affine()
    index = (mesh.vertices.double().numpy() - world[:3, 3]) @ np.linalg.inv(world[:3, :3]).T
    np.testing.assert_allclose(index.min(0), [0.5, 0.5, 1.5], atol=1e-3)
    np.testing.assert_allclose(index.max(0), [3.5, 2.5, 6.5], atol=1e-3)
    assert float(mesh.volume()) > 0


def test_as_simpleitk_reads_it(tmp_path):
    itk = pytest.importorskip("SimpleITK")
    names = itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(series(tmp_path)))
    image = itk.ReadImage(names)
    world = np.eye(4)
    world[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    world[:3, 3] = image.GetOrigin()
    samples = read_samples(tmp_path)
    np.testing.assert_array_equal(samples.values, itk.GetArrayFromImage(image).transpose(2, 1, 0))
    np.testing.assert_allclose(samples.affine, LPS @ world, atol=1e-4)
    lps = load_volume(tmp_path, space="lps").affine
    np.testing.assert_allclose(lps, world, atol=1e-4)


def test_values_are_rescaled_slice_by_slice(tmp_path):
    array = volume()
    for k in range(8):
        place = np.array([10, -20, 30]) + NORMAL * 2.5 * k
        write(tmp_path, f"{k}", array[:, :, k], place, RescaleSlope=k + 1, RescaleIntercept=-1000)
    wanted = array * np.arange(1, 9) - 1000.0
    np.testing.assert_array_equal(load_volume(tmp_path).values, wanted)


def test_a_tilted_gantry_shears(tmp_path):
    shift = (0, 0, 0.5)
    samples = read_samples(series(tmp_path, shift=shift))
    np.testing.assert_allclose(samples.affine, affine(shift=shift), atol=1e-5)


def test_a_missing_slice_is_filled_in_and_told(tmp_path):
    array = np.zeros((6, 5, 8), np.int16) + np.arange(8, dtype=np.int16) * 10
    keep = [0, 1, 2, 3, 5, 6, 7]
    samples = read_samples(series(tmp_path, array[:, :, keep], np.array(keep) * 2.5))
    np.testing.assert_allclose(samples.values, array, atol=1e-4)
    np.testing.assert_allclose(samples.affine, affine(), atol=1e-5)
    assert "1 of 6 distances of slices differ from the usual 2.5 mm" in samples.remarks[0]
    assert "behind slice 3, is 5 mm" in samples.remarks[0]


def test_phases_are_frames(tmp_path):
    array = volume()
    for phase in range(3):
        for k in range(8):
            place = np.array([10, -20, 30]) + NORMAL * 2.5 * k
            image = array[:, :, k] + phase
            name = f"{7 * k % 8}_{phase}"
            write(tmp_path, name, image, place, TriggerTime=400.0 - 100 * phase)
    with pytest.raises(ValueError, match="it holds 3 volumes; choose one of 0 to 2 by frame"):
        load_volume(tmp_path)
    for frame in range(3):
        np.testing.assert_array_equal(load_volume(tmp_path, frame=frame).values, array + 2 - frame)
    (tmp_path / "1_1").unlink()
    with pytest.raises(ValueError, match=r"most places have 3 images, but that of .* has 2"):
        load_volume(tmp_path, frame=0)


def test_several_series_want_a_number(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    series(tmp_path / "a")
    series(tmp_path / "b", volume() * 2, SeriesInstanceUID="1.9", SeriesNumber=7)
    with pytest.raises(ValueError, match=r"2 series: 4 'thorax' .8 images.*; name one by key"):
        load_volume(tmp_path)
    np.testing.assert_array_equal(load_volume(tmp_path, key="7").values, volume() * 2)
    with pytest.raises(ValueError, match="no series of the number or name '5'"):
        load_volume(tmp_path, key="5")


def test_images_of_another_kind_are_left_out_and_told(tmp_path):
    series(tmp_path)
    scout = np.zeros((9, 9), np.int16)
    write(tmp_path, "scout", scout, [0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    (tmp_path / "notes.txt").write_text("x" * 200)
    (tmp_path / "DICOMDIR").write_bytes(b"x" * 200)
    samples = read_samples(tmp_path)
    np.testing.assert_array_equal(samples.values, volume())
    assert samples.remarks[0].startswith("1 images of another size, spacing or orientation")


def enhanced(path, array, **more):
    """One file of all slices, with a place for each in its functional groups."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def item(name, **values):
        outer, inner = Dataset(), Dataset()
        for key, value in values.items():
            setattr(inner, key, value)
        setattr(outer, name, Sequence([inner]))
        return outer

    shared = item("PixelMeasuresSequence", PixelSpacing=[0.7, 0.5])
    orientation = item("PlaneOrientationSequence", ImageOrientationPatient=[*ROW, *COLUMN])
    shared.PlaneOrientationSequence = orientation.PlaneOrientationSequence
    each = []
    order = [3, 0, 7, 1, 5, 2, 6, 4]
    for k in order:
        place = np.array([10, -20, 30]) + NORMAL * 2.5 * k
        each.append(
            item("PlanePositionSequence", ImagePositionPatient=[round(float(v), 6) for v in place])
        )
    pixels = np.ascontiguousarray(array.transpose(2, 1, 0)[order].astype("<i2")).tobytes()
    more = {"NumberOfFrames": 8, "PixelData": pixels, **more}
    gone = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))
    groups = {
        "PerFrameFunctionalGroupsSequence": Sequence(each),
        "SharedFunctionalGroupsSequence": Sequence([shared]),
    }
    write(path.parent, path.name, array[:, :, 0], [0, 0, 0], **gone, **groups, **more)
    return path


def test_one_file_of_many_frames(tmp_path):
    pytest.importorskip("pydicom")
    samples = read_samples(enhanced(tmp_path / "a.dcm", volume()))
    np.testing.assert_array_equal(samples.values, volume())
    np.testing.assert_allclose(samples.affine, affine(), atol=1e-5)


def test_doses_lie_by_their_offsets(tmp_path):
    array = volume()
    pixels = np.ascontiguousarray(array.transpose(2, 1, 0).astype("<i2")).tobytes()
    write(
        tmp_path,
        "dose.dcm",
        array[:, :, 0],
        [10, -20, 30],
        NumberOfFrames=8,
        PixelData=pixels,
        GridFrameOffsetVector=[2.5 * k for k in range(8)],
        DoseGridScaling=0.5,
        RescaleSlope=None,
        RescaleIntercept=None,
    )
    samples = read_samples(tmp_path / "dose.dcm")
    np.testing.assert_array_equal(samples.values, array * 0.5)
    np.testing.assert_allclose(samples.affine, affine(), atol=1e-5)


@pytest.mark.parametrize(
    "more, text",
    [
        ({"PixelSpacing": [0, 0.5]}, "its place or its spacing is damaged"),
        ({"PixelSpacing": [-1, 0.5]}, "its place or its spacing is damaged"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "its orientation is none"),
        ({"PixelData": bytes(10)}, "its pixels cannot be read"),
        ({"Rows": 60000, "Columns": 60000}, "cannot be in|needs about"),
        ({"ImagePositionPatient": None}, "no DICOM image with a place"),
        ({"ImagePositionPatient": [1, 2, 3]}, "lie at one place"),
        ({"SamplesPerPixel": 3}, "no DICOM image"),
    ],
)
def test_odd_slices(tmp_path, more, text):
    for k in range(3):
        place = np.array([0, 0, 2.5 * k])
        plain = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        write(tmp_path, f"{k}", volume()[:, :, k], place, **{**plain, **more})
    with pytest.raises(ValueError, match=text) as caught:
        load_volume(tmp_path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{tmp_path}: ")


def test_one_slice_is_no_volume(tmp_path):
    write(tmp_path, "a.dcm", volume()[:, :, 0], [0, 0, 0])
    with pytest.raises(ValueError, match="it is one slice; give the folder"):
        load_volume(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes(b"x" * 300)
    with pytest.raises(ValueError, match=r"b\.dcm"):
        load_volume(tmp_path / "b.dcm")


def test_without_pydicom_it_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path, "a.dcm", volume()[:, :, 0], [0, 0, 0])
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"needs pydicom; pip install 'meshlearn\[dicom\]'"):
        read_samples(tmp_path, Wanted())
