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
