"""Volumes of other programs: the same samples, at the same place in the world."""

import bz2
import gzip
import zlib

import numpy as np
import pytest
import torch

from meshlearn.io.volume import load_volume
from meshlearn.io.volumes.samples import Wanted, labels_of
from meshlearn.io.volumes.table import read_samples
from meshlearn.reconstruct.volume import extract_volume

LOW, HIGH = np.array([2, 1, 3]), np.array([5, 4, 7])  # the box of label 3, an index each
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
LPS = np.diag([-1.0, -1, 1, 1])


def labelled():
    array = np.zeros((7, 6, 9), np.int16)
    array[2:5, 1:4, 3:7] = 3
    array[6, 5, 8] = 1
    return array


def placed(steps=(0.5, 0.8, 2.0), mirrored=False, origin=(10, -20, 30)):
    affine = np.eye(4)
    affine[:3, :3] = TURN * np.array(steps) * ([1, 1, -1] if mirrored else [1, 1, 1])
    affine[:3, 3] = origin
    return affine


def check_box(path, affine, **options):
    """The mesh of label 3 is the box, where an affine of another program has it."""
    mesh = extract_volume(load_volume(path, label=3, **options))
    index = (mesh.vertices.double().numpy() - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    np.testing.assert_allclose(index.min(0), LOW - 0.5, atol=1e-4)
    np.testing.assert_allclose(index.max(0), HIGH - 0.5, atol=1e-4)
    assert mesh.is_watertight
    whole = (HIGH - LOW).prod() * abs(np.linalg.det(affine[:3, :3]))
    assert 0.7 * whole < float(mesh.volume()) <= whole  # outward, the corners cut


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.img", "a.mgh", "a.mgz"])
def test_nibabel(tmp_path, name, mirrored):
    nibabel = pytest.importorskip("nibabel")
    affine = placed(mirrored=mirrored)
    kinds = {".mgh": nibabel.MGHImage, ".mgz": nibabel.MGHImage, ".img": nibabel.Nifti1Pair}
    kind = kinds.get(name[1:], nibabel.Nifti1Image)
    nibabel.save(kind(labelled(), affine), tmp_path / name)
    again = nibabel.load(tmp_path / name)
    check_box(tmp_path / name, again.affine)
    np.testing.assert_array_equal(read_samples(tmp_path / name).values, labelled())


@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("frame", ["qform", "sform", "mirrored"])
def test_headers_of_nifti(tmp_path, kind, order, frame):
    nibabel = pytest.importorskip("nibabel")
    header = getattr(nibabel, kind).header_class(endianness=order)
    image = getattr(nibabel, kind)(labelled(), placed(mirrored=frame == "mirrored"), header)
    if frame != "sform":
        image.set_qform(image.affine, 1)
        image.set_sform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    again = nibabel.load(tmp_path / "a.nii")
    assert again.header.endianness == order
    np.testing.assert_allclose(read_samples(tmp_path / "a.nii").affine, again.affine, atol=1e-5)
    check_box(tmp_path / "a.nii", again.affine)


def test_slope_and_shift_of_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(labelled(), np.eye(4))
    image.header.set_slope_inter(0.25, -7)
    image.header.set_data_dtype("<i2")
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([0.25, -7], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    wanted = nibabel.load(tmp_path / "a.nii").get_fdata()
    assert wanted.min() == -7 and wanted.max() > -7
    np.testing.assert_allclose(load_volume(tmp_path / "a.nii").values, wanted, atol=1e-6)


def test_nifti_without_a_place_goes_by_its_spacing_and_says_so(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(labelled(), None)
    image.header.set_zooms((2, 3, 4))
    nibabel.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[252:256] = bytes(4)
    (tmp_path / "a.nii").write_bytes(raw)
    samples = read_samples(tmp_path / "a.nii")
    np.testing.assert_allclose(samples.affine, np.diag([2, 3, 4, 1]))
    assert "does not say where" in samples.remarks[0]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz"])
def test_frames(tmp_path, suffix):
    nibabel = pytest.importorskip("nibabel")
    series = np.stack([labelled() + 10 * k for k in range(4)], -1).astype(np.int32)
    kind = nibabel.MGHImage if suffix == ".mgz" else nibabel.Nifti1Image
    path = tmp_path / f"a{suffix}"
    nibabel.save(kind(series, np.eye(4)), path)
    with pytest.raises(ValueError, match=r"4 volumes; choose one of 0 to 3 by frame .*--frame N"):
        load_volume(path)
    for k in range(4):
        np.testing.assert_array_equal(load_volume(path, frame=k).values, series[..., k])
    with pytest.raises(ValueError, match="there is no frame 4; it holds 4 volumes, 0 to 3"):
        load_volume(path, frame=4)
    assert read_samples(path, Wanted(any=True)).frames == 4


def test_components_of_five_axes_are_frames(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    field = np.random.default_rng(0).normal(size=(3, 4, 5, 1, 3)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(field, np.eye(4)), tmp_path / "a.nii")
    np.testing.assert_array_equal(load_volume(tmp_path / "a.nii", frame=2).values, field[..., 0, 2])


@pytest.mark.parametrize("unit, name", [("meter", "m"), ("mm", "mm"), ("micron", "um")])
def test_units_of_nifti(tmp_path, unit, name):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(labelled(), np.eye(4))
    image.header.set_xyzt_units(unit, "sec")
    nibabel.save(image, tmp_path / "a.nii")
    assert load_volume(tmp_path / "a.nii").unit == name
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[123] = 0
    (tmp_path / "a.nii").write_bytes(raw)
    assert load_volume(tmp_path / "a.nii").unit is None


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr"])
@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "LAS", "scanner-xyz", None])
def test_pynrrd(tmp_path, encoding, suffix, space):
    nrrd = pytest.importorskip("nrrd")
    affine = placed(mirrored=True)
    header = {"encoding": encoding, "space directions": affine[:3, :3].T}
    header["space origin"] = affine[:3, 3]
    header |= {"space": space} if space else {"space dimension": 3}
    path = tmp_path / f"a{suffix}"
    nrrd.write(str(path), labelled(), header)
    again, head = nrrd.read(str(path))
    np.testing.assert_array_equal(read_samples(path).values, again)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = head["space directions"].T, head["space origin"]
    signs = {"left-posterior-superior": [-1, -1, 1, 1], "LAS": [-1, 1, 1, 1]}
    check_box(path, np.diag(signs.get(space, [1, 1, 1, 1])) @ world)
    if space == "left-posterior-superior":
        check_box(path, world, space="lps")
        assert "turned from left-posterior-superior" in read_samples(path).remarks[0]
    if space is None:
        with pytest.raises(ValueError, match="space: expected a file that says"):
            load_volume(path, space="lps")


NRRD = (
    "NRRD0004\n# a remark\ntype: short\ndimension: 3\nsizes: 2 2 3\nencoding: {encoding}\n"
    "endian: big\n{more}"
)
TWELVE = np.arange(12).reshape(2, 2, 3, order="F")


def nrrd_file(path, encoding="raw", more="", data=None):
    body = TWELVE.astype(">i2").tobytes(order="F") if data is None else data
    path.write_bytes((NRRD.format(encoding=encoding, more=more) + "\n").encode() + body)
    return path


def test_axes_of_nrrd_without_a_space(tmp_path):
    node = nrrd_file(tmp_path / "a.nrrd", more="axis mins: 1 2 3\naxis maxs: 2 4 9\n")
    samples = read_samples(node)
    np.testing.assert_array_equal(samples.values, TWELVE)
    np.testing.assert_allclose(
        samples.affine, [[1, 0, 0, 1], [0, 2, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]]
    )
    more = "centers: cell cell cell\naxis mins: 1 2 3\naxis maxs: 2 4 9\n"
    cell = read_samples(nrrd_file(tmp_path / "b.nrrd", more=more)).affine
    np.testing.assert_allclose(np.diag(cell), [0.5, 1, 2, 1])
    np.testing.assert_allclose(cell[:3, 3], [1.25, 2.5, 4])
    wide = read_samples(nrrd_file(tmp_path / "c.nrrd", more="spacings: 3 2 1\n")).affine
    np.testing.assert_allclose(wide, np.diag([3, 2, 1, 1]))


def test_data_of_nrrd_in_other_files(tmp_path):
    raw = TWELVE.astype(">i2").tobytes(order="F")
    for k in range(3):
        (tmp_path / f"s{k + 1:02}.raw").write_bytes(b"skip" + raw[8 * k : 8 * k + 8])
    head = NRRD.format(encoding="raw", more="byte skip: 4\n")
    (tmp_path / "a.nhdr").write_text(head + "data file: s%02d.raw 1 3 1\n")
    (tmp_path / "b.nhdr").write_text(head + "data file: LIST\ns01.raw\ns02.raw\ns03.raw\n")
    (tmp_path / "c.raw").write_bytes(b"whatever" + raw)
    (tmp_path / "c.nhdr").write_text(head.replace("4\n", "-1\n", 1) + "datafile: c.raw\n")
    (tmp_path / "c.nhdr").write_text(
        NRRD.format(encoding="raw", more="byteskip: -1\n") + "datafile: c.raw\n"
    )
    (tmp_path / "d.raw.gz").write_bytes(b"a\nline\n" + gzip.compress(raw))
    (tmp_path / "d.nhdr").write_text(
        NRRD.format(encoding="gzip", more="line skip: 2\n") + "data file: d.raw.gz\n"
    )
    (tmp_path / "e.raw.bz2").write_bytes(bz2.compress(raw))
    (tmp_path / "e.nhdr").write_text(
        NRRD.format(encoding="bz2", more="") + r"data file: C:\scans\e.raw.bz2" + "\n"
    )
    nrrd_file(tmp_path / "f.nrrd", "hex", data=raw.hex().encode())
    for name in "abcde":
        np.testing.assert_array_equal(read_samples(tmp_path / f"{name}.nhdr").values, TWELVE)
    np.testing.assert_array_equal(read_samples(tmp_path / "f.nrrd").values, TWELVE)


def test_frames_and_names_of_nrrd(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    series = np.stack([labelled(), labelled() * 2])  # components first, as 3D Slicer has them
    directions = [[np.nan] * 3, [0.5, 0, 0], [0, 0.8, 0], [0, 0, 2.0]]
    header = {"space": "RAS", "kinds": ["list", "domain", "domain", "domain"]}
    header |= {"space directions": directions, "space origin": [1, 2, 3]}
    header |= {"Segment0_Name": "left atrium", "Segment0_LabelValue": "3"}
    nrrd.write(str(tmp_path / "a.seg.nrrd"), series, header)
    with pytest.raises(ValueError, match="it holds 2 volumes"):
        load_volume(tmp_path / "a.seg.nrrd")
    samples = read_samples(tmp_path / "a.seg.nrrd", Wanted(frame=1))
    np.testing.assert_array_equal(samples.values, labelled() * 2)
    np.testing.assert_allclose(np.diag(samples.affine), [0.5, 0.8, 2, 1])
    assert samples.names == {3: "left atrium"}
    nrrd.write(str(tmp_path / "b.nrrd"), np.moveaxis(series, 0, -1))
    np.testing.assert_array_equal(load_volume(tmp_path / "b.nrrd", frame=1).values, labelled() * 2)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nii.gz"])
def test_simpleitk(tmp_path, suffix, compressed):
    itk = pytest.importorskip("SimpleITK")
    image = itk.GetImageFromArray(labelled().transpose(2, 1, 0))
    image.SetSpacing((0.5, 0.8, 2.0))
    image.SetDirection((TURN * [1, -1, 1]).reshape(-1).tolist())
    image.SetOrigin((10, -20, 30))
    path = tmp_path / f"a{suffix}"
    itk.WriteImage(image, str(path), useCompression=compressed)
    again = itk.ReadImage(str(path))
    world = np.eye(4)
    world[:3, 3] = again.GetOrigin()
    for k in range(3):
        corner = again.TransformContinuousIndexToPhysicalPoint([float(j == k) for j in range(3)])
        world[:3, k] = np.array(corner) - world[:3, 3]
    np.testing.assert_array_equal(
        read_samples(path).values, itk.GetArrayFromImage(again).transpose(2, 1, 0)
    )
    check_box(path, LPS @ world)
    check_box(path, world, space="lps")


MHA = (
    "ObjectType = Image\nNDims = 3\nDimSize = 2 2 3\nElementType = MET_SHORT\n{more}"
    "ElementDataFile = {data}\n"
)


def test_headers_of_metaimage(tmp_path):
    little, big = (TWELVE.astype(kind).tobytes(order="F") for kind in ("<i2", ">i2"))
    numbers = " ".join(map(str, TWELVE.reshape(-1, order="F"))).encode()

    def write(name, body=b"", *, data="LOCAL", more=""):
        (tmp_path / name).write_bytes(MHA.format(more=more, data=data).encode() + body)
        samples = read_samples(tmp_path / name)
        np.testing.assert_array_equal(samples.values, TWELVE)
        return samples

    write("a.mha", big, more="ElementByteOrderMSB = True\n")
    write("b.mha", big, more="BinaryData = True\nBinaryDataByteOrderMSB = True\n")
    write("c.mha", numbers, more="BinaryData = False\n")
    write("d.mha", zlib.compress(little), more="CompressedData = True\nCompressedDataSize = 9\n")
    write("e.mha", gzip.compress(little), more="CompressedData = True\n")
    (tmp_path / "f.raw").write_bytes(b"head" + little)
    write("f.mhd", data="f.raw", more="HeaderSize = 4\n")
    write("g.mhd", data="f.raw", more="HeaderSize = -1\n")
    for k in range(3):
        (tmp_path / f"s{k}.raw").write_bytes(little[8 * k : 8 * k + 8])
    write("h.mhd", data="s%d.raw 0 2 1")
    write("i.mhd", b"s0.raw\ns1.raw\ns2.raw\n", data="LIST")
    # a row of the matrix for each axis; as ITK reads this header
    more = "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nOffset = 5 6 7\nElementSpacing = 1 2 3\n"
    turned = [[0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]]
    samples = write("j.mha", little, more=more)
    np.testing.assert_allclose(samples.affine, turned)
    assert samples.space == "" and samples.unit is None
    more += "AnatomicalOrientation = RAI\nDistanceUnits = mm\n"
    samples = write("k.mha", little, more=more)
    np.testing.assert_allclose(samples.affine, LPS @ turned)
    assert samples.space == "ras" and samples.unit == "mm"


def test_without_a_place_mgh_is_coronal(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.MGHImage(labelled().astype(np.float32), placed()), tmp_path / "a.mgh")
    raw = bytearray((tmp_path / "a.mgh").read_bytes())
    raw[28:30] = bytes(2)
    (tmp_path / "a.mgh").write_bytes(raw)
    # the default of FreeSurfer: columns to the left, rows down, slices to the front, 1 mm, centred
    coronal = np.array([[-1, 0, 0, 3.5], [0, 0, 1, -4.5], [0, -1, 0, 3], [0, 0, 0, 1]])
    check_box(tmp_path / "a.mgh", coronal)
    assert "coronal" in read_samples(tmp_path / "a.mgh").remarks[0]


def nifti(tmp_path, at, value):
    nibabel = pytest.importorskip("nibabel")
    raw = bytearray(nibabel.Nifti1Image(labelled(), np.eye(4)).to_bytes())
    raw[at : at + len(value)] = value
    (tmp_path / "a.nii").write_bytes(raw)
    return tmp_path / "a.nii"


@pytest.mark.parametrize(
    "at, value, text",
    [
        (40, np.array([3, 7, -6, 9], "<i2"), "axis of -6 samples"),
        (40, np.array([9], "<i2"), "expected 1 to 7 axes, the header has 9"),
        (40, np.array([2, 7, 6], "<i2"), "expected a 3-D array"),
        (40, np.array([4, *[32767] * 3, 1], "<i2"), "the header promises .* truncated"),
        (70, np.array([128], "<i2"), "colours"),
        (70, np.array([1536], "<i2"), "type 1536, which is not read"),
        (108, np.array([np.nan], "<f4"), "begins at byte nan"),
        (108, np.array([1e9], "<f4"), "the file can hold|ends before"),
        (280, np.array([np.nan], "<f4"), "is not finite"),
        (280, np.array([0], "<f4"), "do not span a space"),
        (344, np.array([0], "<i4"), "an Analyze file"),
        (0, np.array([349], "<i4"), "not a NIfTI file"),
    ],
)
def test_odd_headers_of_nifti(tmp_path, at, value, text):
    path = nifti(tmp_path, at, value.tobytes())
    with pytest.raises(ValueError, match=text) as caught:
        load_volume(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "name, change, text",
    [
        ("a.nrrd", ("sizes: 2 2 3", "sizes: 2 2 900000"), "promises .* truncated"),
        ("a.nrrd", ("sizes: 2 2 3", "sizes: 2 -2 3"), "expected positive numbers"),
        ("a.nrrd", ("sizes: 2 2 3", "sizes: 2 2"), "expected 3 whole numbers"),
        ("a.nrrd", ("short", "block"), "of the type 'block', which is not read"),
        ("a.nrrd", ("encoding: raw", "encoding: zrl"), "its encoding 'zrl' is not read"),
        ("a.nrrd", ("encoding: raw", "encoding: gzip"), "gzip"),
        ("a.nrrd", ("encoding: raw", "encoding: bzip2"), "."),
        ("a.nrrd", ("NRRD0004", "NRRD0004\nspacings: 1 nan -1"), "spacings: expected positive"),
        ("a.nrrd", ("NRRD0004", "NRRD0004\nspacings: 1 1"), "expected 3 numbers"),
        (
            "a.nrrd",
            ("NRRD0004", "NRRD0004\nspace directions: (1,0,0) (0,1,0)"),
            "expected 3 vectors",
        ),
        (
            "a.nrrd",
            ("NRRD0004", "NRRD0004\nspace directions: (1,0,0) (0,1,0) (0,1,0)"),
            "do not span",
        ),
        (
            "a.nrrd",
            ("NRRD0004", "NRRD0004\nspace directions: (1,0,0) (0,1,0) none"),
            "2 axes of space",
        ),
        ("a.nrrd", ("NRRD0004", "NRRD0004\nkinds: RGB-color domain domain"), "kind rgb-color"),
        ("a.nrrd", ("NRRD0004", "NRRD0004\ndata file: none.raw"), "'none.raw' is not beside it"),
        ("a.nrrd", ("NRRD0004", "NRRD0004\ndata file: s%09999d.raw 1 3 1"), "pattern"),
        (
            "a.nrrd",
            ("NRRD0004", "NRRD0004\ndata file: s%d.raw 1 999999999 1"),
            "expected numbers from",
        ),
        ("a.nrrd", ("endian: big\n", ""), "no field 'endian', which samples of the type 'short'"),
        ("a.nrrd", ("endian: big", "endian: middle"), "expected little or big, got 'middle'"),
        ("a.nrrd", ("NRRD0004", "PNG"), "not a NRRD file"),
        ("a.nrrd", ("dimension: 3\n", ""), "no field 'dimension'"),
        ("a.mha", ("DimSize = 2 2 3", "DimSize = 2 2 900000"), "promises .* truncated"),
        ("a.mha", ("DimSize = 2 2 3", "DimSize = 0 2 3"), "expected positive numbers"),
        ("a.mha", ("NDims = 3", "NDims = 2"), "expected 2 whole numbers"),
        ("a.mha", ("MET_SHORT", "MET_OTHER"), "type 'MET_OTHER', which is not read"),
        ("a.mha", ("NDims = 3", "NDims = 3\nElementSpacing = 1 -1 1"), "expected positive"),
        ("a.mha", ("NDims = 3", "NDims = 3\nElementSpacing = 1 nan 1"), "expected positive"),
        ("a.mha", ("NDims = 3", "NDims = 3\nOffset = 1 x 1"), "expected numbers"),
        ("a.mha", ("NDims = 3", "NDims = 3\nElementNumberOfChannels = 3"), "3 channels"),
        ("a.mha", ("NDims = 3", "NDims = 3\nCompressedData = True"), "."),
        ("a.mha", ("LOCAL", "none.raw"), "'none.raw' is not beside it"),
        ("a.mha", ("ElementDataFile", "Element"), "no line 'elementdatafile'"),
    ],
)
def test_odd_headers_of_text(tmp_path, name, change, text):
    raw = TWELVE.astype("<i2").tobytes(order="F")
    head = (
        NRRD.format(encoding="raw", more="") + "\n"
        if "nrrd" in name
        else MHA.format(more="", data="LOCAL")
    )
    assert change[0] in head
    (tmp_path / name).write_bytes(head.replace(*change).encode() + raw)
    with pytest.raises(ValueError, match=text) as caught:
        load_volume(tmp_path / name)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{tmp_path / name}: ")
    (tmp_path / name).write_bytes(head.encode() + raw[:-3])
    with pytest.raises(ValueError, match="truncated"):
        load_volume(tmp_path / name)


def test_only_samples_of_several_bytes_need_an_order(tmp_path):
    head = NRRD.replace("endian: big\n", "")
    plain = head.replace("short", "uchar").format(encoding="raw", more="") + "\n"
    (tmp_path / "a.nrrd").write_bytes(plain.encode() + bytes(range(12)))
    np.testing.assert_array_equal(read_samples(tmp_path / "a.nrrd").values, TWELVE)
    words = " ".join(map(str, range(12)))
    (tmp_path / "b.nrrd").write_text(head.format(encoding="ascii", more="") + "\n" + words)
    np.testing.assert_array_equal(read_samples(tmp_path / "b.nrrd").values, TWELVE)
    for encoding, data in (("hex", bytes(24).hex().encode()), ("gzip", gzip.compress(bytes(24)))):
        node = (head.format(encoding=encoding, more="") + "\n").encode() + data
        (tmp_path / "c.nrrd").write_bytes(node)
        with pytest.raises(ValueError, match="no field 'endian'"):
            read_samples(tmp_path / "c.nrrd")


SERIES = np.arange(240, dtype="<i2").reshape(4, 5, 6, 2, order="F")


def packed_file(path, change):
    """A series of two volumes in a packed format, its packed bytes changed; a kind of each."""
    raw = SERIES.tobytes(order="F")
    packers = {"gzip": lambda d: gzip.compress(d, 0), "zlib": lambda d: zlib.compress(d, 0)}
    packers |= {"bzip2": bz2.compress}
    kind = path.name.partition(".")[0]
    if kind == "nifti":
        head = np.zeros(352, "u1")
        for at, values, dtype in (
            (0, [348], "<i4"),
            (40, [4, 4, 5, 6, 2, 1, 1, 1], "<i2"),
            (70, [4, 16], "<i2"),
            (76, [1] * 8, "<f4"),
            (108, [352, 1, 0], "<f4"),
        ):
            data = np.array(values, dtype).tobytes()
            head[at : at + len(data)] = np.frombuffer(data, "u1")
        head[344:347] = np.frombuffer(b"n+1", "u1")
        path.write_bytes(change(packers["gzip"](head.tobytes() + raw)))
    elif kind == "mgh":  # with tags behind the samples, as FreeSurfer writes them
        head = np.array([1, 4, 5, 6, 2, 4, 0], ">i4").tobytes()
        tail = SERIES.astype(">i2").tobytes(order="F") + bytes(5000)
        path.write_bytes(change(packers["gzip"](head + bytes(284 - len(head)) + tail)))
    elif kind.startswith("nrrd"):
        encoding = kind.removeprefix("nrrd-")
        text = NRRD.replace("dimension: 3\nsizes: 2 2 3", "dimension: 4\nsizes: 4 5 6 2")
        text = text.replace("big", "little").format(encoding=encoding, more="") + "\n"
        path.write_bytes(text.encode() + change(packers[encoding](raw)))
    else:
        text = MHA.format(more="CompressedData = True\n", data="LOCAL")
        text = text.replace("NDims = 3", "NDims = 4").replace(
            "DimSize = 2 2 3", "DimSize = 4 5 6 2"
        )
        path.write_bytes(text.encode() + change(packers["zlib"](raw)))
    return path


def flipped(at):
    def change(data):
        out = bytearray(data)
        out[at] ^= 1
        return bytes(out)

    return change


@pytest.mark.parametrize("frame", [0, 1])
@pytest.mark.parametrize(
    "name", ["nifti.nii.gz", "mgh.mgz", "nrrd-gzip.nrrd", "nrrd-bzip2.nrrd", "metaimage.mha"]
)
def test_packed_data_is_held_against_its_checksum(tmp_path, name, frame):
    """A changed sample, a changed sum, and an end that is cut off, in whichever frame."""
    same = packed_file(tmp_path / name, bytes)
    np.testing.assert_array_equal(
        read_samples(same, Wanted(frame=frame)).values, SERIES[..., frame]
    )
    # of gzip the sum, before the length; of the others the last byte
    at = -8 if name.endswith(("gz", "gzip.nrrd")) else -1 if name.endswith("mha") else -4
    for change in (flipped(450 if "bzip2" not in name else 100), flipped(at), lambda d: d[:-2]):
        path = packed_file(tmp_path / name, change)
        with pytest.raises(ValueError) as caught:
            read_samples(path, Wanted(frame=frame))
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    if "bzip2" not in name:
        path = packed_file(tmp_path / name, flipped(at))
        with pytest.raises(ValueError, match="does not agree with its checksum"):
            read_samples(path, Wanted(frame=frame))


@pytest.mark.parametrize("name", ["nifti.nii.gz", "nrrd-gzip.nrrd", "metaimage.mha"])
def test_bytes_behind_packed_data_do_not_count(tmp_path, name):
    path = packed_file(tmp_path / name, lambda d: d + b"behind")
    np.testing.assert_array_equal(read_samples(path, Wanted(frame=1)).values, SERIES[..., 1])


@pytest.mark.parametrize("name", ["nifti.nii.gz", "mgh.mgz", "nrrd-gzip.nrrd", "metaimage.mha"])
def test_a_key_is_refused_where_arrays_have_no_names(tmp_path, name):
    path = packed_file(tmp_path / name, bytes)
    with pytest.raises(ValueError, match=r"key: expected none, .* got 'sdf'") as caught:
        load_volume(path, key="sdf", frame=0)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_list_of_files_is_not_cut(tmp_path, monkeypatch):
    raw = TWELVE.astype("<i2").tobytes(order="F")
    (tmp_path / "s.raw").write_bytes(raw[:8])
    text = MHA.format(more="", data="LIST\ns.raw\ns.raw\ns.raw")
    (tmp_path / "a.mhd").write_text(text)
    assert read_samples(tmp_path / "a.mhd").values.shape == (2, 2, 3)
    monkeypatch.setattr("meshlearn.io.volumes.metaimage._LIST", 12)
    with pytest.raises(ValueError, match="its list of files has more than 12 bytes"):
        read_samples(tmp_path / "a.mhd")


def test_samples_as_text_are_not_cut(tmp_path, monkeypatch):
    path = nrrd_file(tmp_path / "a.nrrd", "ascii", data=" ".join(map(str, range(12))).encode())
    np.testing.assert_array_equal(read_samples(path).values, TWELVE)
    monkeypatch.setattr("meshlearn.io.volumes.detached._TEXT", 24)
    with pytest.raises(ValueError, match="more than 24 bytes of text; write them as raw bytes"):
        read_samples(path)


def test_packed_data_that_goes_on_is_not_unpacked_whole(tmp_path):
    bomb = gzip.compress(bytes(200_000_000), 9)
    path = nrrd_file(tmp_path / "a.nrrd", "gzip", data=bomb)
    assert not read_samples(path).values.any()
    packed = MHA.format(more="CompressedData = True\n", data="LOCAL").encode()
    (tmp_path / "a.mha").write_bytes(packed + zlib.compress(bytes(200_000_000), 9))
    assert not read_samples(tmp_path / "a.mha").values.any()


def test_mgh_that_is_none(tmp_path):
    for numbers, text in (
        ([2, 3, 3, 3, 1, 3], "its version is 2"),
        ([1, 3, -3, 3, 1, 3], "gives the sizes"),
        ([1, 3, 3, 3, 1, 9], "type 9"),
        ([1, 30000, 30000, 3, 1, 3], "promises .* truncated"),
    ):
        (tmp_path / "a.mgh").write_bytes(np.array(numbers, ">i4").tobytes() + bytes(600))
        with pytest.raises(ValueError, match=text):
            load_volume(tmp_path / "a.mgh")


def test_labels():
    assert labels_of(labelled()) == {0: 341, 1: 1, 3: 36}
    assert labels_of(labelled().astype(np.float64)) == {0: 341, 1: 1, 3: 36}
    assert labels_of(labelled() + 0.5) is None
    assert labels_of(np.arange(1000).reshape(10, 10, 10)) is None
    far = np.array([[[0, 614454277], [-5, 614454277]]])
    assert labels_of(far) == {-5: 1, 0: 1, 614454277: 2}


def test_a_label_beyond_single_precision_is_found(tmp_path):
    array = np.zeros((4, 4, 4), np.int32)
    array[1:3, 1:3, 1:3] = 614454277
    array[0, 0, 0] = 614454278
    np.save(tmp_path / "a.npy", array)
    field = load_volume(tmp_path / "a.npy", label=614454277)
    assert int((field.values < 0).sum()) == 8 and torch.equal(
        field.affine[:3, 3], torch.zeros(3, dtype=torch.float64)
    )
    with pytest.raises(ValueError, match=r"no sample of the label 7; it has 0, 614454277"):
        load_volume(tmp_path / "a.npy", label=7)
