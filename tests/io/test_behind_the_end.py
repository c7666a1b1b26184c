"""What stands behind all that the header of a binary file promises is told."""

import struct

import pytest

import meshlearn.io as mio
from tests.io.pieces import TRIANGLE, XYZ9, off_binary, ply

FACE = {"little": struct.pack("<B3i", 3, 0, 1, 2), "big": struct.pack(">B3i", 3, 0, 1, 2)}
BIG = struct.pack(">9f", *XYZ9)
FILES = {
    "little.ply": ply(TRIANGLE + FACE["little"], form="binary_little_endian"),
    "big.ply": ply(BIG + FACE["big"], form="binary_big_endian"),
    "no faces.ply": ply(TRIANGLE, faces=0, form="binary_little_endian"),
    "a.off": off_binary(3, 1, XYZ9, [3, 0, 1, 2, 0]),
    "coloured.off": off_binary(3, 1, XYZ9, [3, 0, 1, 2, 3, 1.0, 0.5, 0.0]),
}


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_last_face_are_told(name):
    data = FILES[name]
    assert mio.read_document(bytearray(data), name).remarks == []
    assert mio.read_document(bytearray(data + b"\n\0"), name).remarks == []
    more = mio.read_document(bytearray(data + data[-9:]), name)
    said = "9 bytes behind what the header promises are left out"
    assert more.remarks == [said] and len(more.parts[0].vertices) == 3


CLOUD = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 1\nHEIGHT 1\nDATA {}\n"


@pytest.mark.parametrize("form", ["ascii", "binary", "binary_compressed"])
def test_what_stands_behind_the_last_point_is_told(form):
    point = struct.pack("<3f", 1, 2, 3)
    body = {"ascii": b"1 2 3\n", "binary": point}.get(
        form, struct.pack("<II", 13, 12) + b"\x0b" + point
    )
    data = CLOUD.format(form).encode() + body
    assert mio.read_document(bytearray(data), "a.pcd").remarks == []
    more = mio.read_document(bytearray(data + b"4 5 6\n7 8 9\n"), "a.pcd")
    what = "2 lines" if form == "ascii" else "12 bytes"
    assert more.remarks == [f"{what} behind what the header promises are left out"]
    assert more.parts[0].vertices.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("0 0 0 1 0 0 0 1 0 3 0 1 2 7 7", "2 numbers"),
        ("0 0 0\n1 0 0\n0 1 0\n3 0 1 2 5\n7\n7 7\n", "2 lines"),
        ("0 0 0 1 0 0 0 1 0 3 0 1 2", ""),
    ],
)
def test_a_text_without_a_line_for_each_row_too(body, what):
    document = mio.read_document(bytearray(ply(body)), "a.ply")
    assert document.parts[0].polygon_index.tolist() == [0, 1, 2]
    said = [f"{what} behind what the header promises are left out"] if what else []
    assert document.remarks == said
