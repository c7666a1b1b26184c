"""LAS and LAZ: what laspy writes is what we read; damaged ones get one sentence."""

import io
import json
import struct

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.formats.las import read as las_reader
from meshlearn.io.points import load_points
from tests.cli.runner import meshlearn

POINTS = np.array([[431000.371, 5398000.212, 12.345], [431001.5, 5398001.25, 13.0]])


def cloud(*, laz=False, color=None, version="1.4"):
    laspy = pytest.importorskip("laspy")
    pytest.importorskip("lazrs")
    header = laspy.LasHeader(version=version, point_format=7 if version == "1.4" else 3)
    header.offsets, header.scales = [431000, 5398000, 0], [0.001] * 3
    made = laspy.LasData(header)
    made.x, made.y, made.z = POINTS.T
    made.intensity = [17, 65535]
    made.classification = [2, 6]
    if color is not None:
        made.red, made.green, made.blue = np.array(color).T
    out = io.BytesIO()
    made.write(out, do_compress=laz)
    return bytearray(out.getvalue())


@pytest.mark.parametrize("laz", [False, True])
@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_points_and_what_they_have(laz, version):
    document = mio.read_document(cloud(laz=laz, version=version), "a.laz" if laz else "a.las")
    (part,) = document.parts
    assert part.vertices.dtype == np.float64 and part.points.tolist() == [0, 1]
    np.testing.assert_allclose(part.vertices, POINTS, rtol=0, atol=1e-9)
    assert part.vertex_fields["intensity"].tolist() == [17, 65535]
    assert part.vertex_fields["classification"].tolist() == [2, 6]
    assert "color" not in part.vertex_fields and "gps_time" not in part.vertex_fields


@pytest.mark.parametrize(
    ("color", "found"),
    [
        ([[255, 0, 10], [1, 2, 3]], np.uint8),
        ([[65280, 0, 2560], [256, 512, 768]], np.uint8),
        ([[65535, 0, 2570], [257, 514, 771]], np.uint8),
        ([[65535, 1, 2], [3, 4, 5]], np.uint16),
    ],
)
def test_colours(color, found):
    values = mio.read_document(cloud(color=color), "a.las").parts[0].vertex_fields["color"]
    assert values.dtype == found
    wanted = color if found == np.uint16 else [[255, 0, 10], [1, 2, 3]]
    assert values.tolist() == wanted


def test_a_scan_becomes_a_ply_and_the_points_of_a_fit(tmp_path):
    (tmp_path / "a.laz").write_bytes(cloud(laz=True, color=[[255, 0, 10], [1, 2, 3]]))
    assert meshlearn("convert", tmp_path / "a.laz", tmp_path / "b.ply").returncode == 0
    part = mio.load_document(tmp_path / "b.ply").parts[0]
    np.testing.assert_allclose(part.vertices, POINTS, rtol=0, atol=1e-9)
    assert part.vertex_fields["color"].tolist() == [[255, 0, 10], [1, 2, 3]]
    said = json.loads(meshlearn("info", tmp_path / "a.laz", "--json").stdout)
    assert said["kind"] == "points" and said["points"] == 2
    with pytest.warns(UserWarning, match="left out"):
        assert len(load_points(tmp_path / "a.laz").points) == 2


def test_damaged_files_get_one_sentence():
    good = cloud()
    lying = bytearray(good)
    lying[247:255] = struct.pack("<Q", 10**12)  # the number of points of version 1.4
    for data in (
        good[:100],
        good[:-20],
        bytearray(b"LASF" + bytes(400)),
        lying,
        cloud(laz=True)[:-9],
    ):
        with pytest.raises(mio.FileFormatError, match=r"^a\.las: ") as caught:
            mio.read_document(bytearray(data), "a.las")
        assert "\n" not in str(caught.value)
    with pytest.raises(mio.FileFormatError, match="LASF"):
        mio.read_document(bytearray(b"hello"), "a.las")


def test_a_table_of_more_chunks_than_bytes_is_refused():
    """The library would take room for them all, and end the process."""
    whole = bytearray(cloud(laz=True))
    begin = struct.unpack_from("<I", whole, 96)[0]
    table = struct.unpack_from("<q", whole, begin)[0]
    struct.pack_into("<I", whole, table + 4, 3_000_000_000)
    with pytest.raises(mio.FileFormatError, match="promises 3,000,000,000 chunks"):
        mio.read_document(whole, "a.laz")
    # where the place of the table is said at the end of the file
    struct.pack_into("<q", whole, begin, -1)
    with pytest.raises(mio.FileFormatError, match="promises 3,000,000,000 chunks"):
        mio.read_document(whole + struct.pack("<q", table), "a.laz")


def test_compression_without_items_is_refused():
    whole = bytearray(cloud(laz=True))
    at = whole.index(b"laszip encoded") - 2 + 54
    struct.pack_into("<H", whole, at + 32, 0)
    with pytest.raises(mio.FileFormatError, match="does not say how"):
        mio.read_document(whole, "a.laz")


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(las_reader, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"meshlearn\[las\]"):
        mio.read_document(bytearray(b"LASF"), "a.las")


@pytest.mark.parametrize(
    ("key", "name"), [(3072, " (EPSG:25832)"), (2048, " (EPSG:25832)"), (9, "")]
)
def test_a_coordinate_system_of_numbers_is_told(key, name):
    laspy = pytest.importorskip("laspy")
    made = laspy.read(io.BytesIO(cloud(version="1.2")))
    body = struct.pack("<8H", 1, 1, 0, 1, key, 0, 1, 25832)
    made.header.vlrs.append(laspy.VLR("LASF_Projection", 34735, "keys", body))
    out = io.BytesIO()
    made.write(out)
    document = mio.read_document(bytearray(out.getvalue()), "a.las")
    assert [loss.what for loss in document.left_out] == [f"coordinate system{name}"]
    assert not mio.read_document(cloud(version="1.2"), "a.las").left_out
