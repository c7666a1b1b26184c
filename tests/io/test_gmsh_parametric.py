"""Nodes of Gmsh files with their parameters on curves and faces, which are left aside."""

import struct

import numpy as np
import pytest

import meshlearn.io as mio

XYZ = [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def read(body: bytes):
    return mio.read_document(bytearray(body), "a.msh").parts[0]


@pytest.mark.parametrize("dimension", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["4.0", "4.1", "4.0 binary", "4.1 binary"])
def test_parametric_nodes_are_where_they_are(kind, dimension):
    version, _, binary = kind.partition(" ")
    rows = [[*xyz, *[0.25] * dimension] for xyz in XYZ]
    head = f"$MeshFormat\n{version} {int(bool(binary))} 8\n".encode()
    head += (struct.pack("<i", 1) + b"\n" if binary else b"") + b"$EndMeshFormat\n$Nodes\n"
    old = version == "4.0"
    block = [5, dimension] if old else [dimension, 5]
    if binary:
        sizes = [1, 3] if old else [1, 3, 1, 3]
        nodes = struct.pack(f"<{len(sizes)}Q3iQ", *sizes, *block, 1, 3)
        if not old:
            nodes += struct.pack("<3Q", 1, 2, 3)
        for k, row in enumerate(rows, 1):
            nodes += (struct.pack("<i", k) if old else b"") + np.array(row, "<f8").tobytes()
        faces = struct.pack("<2Q3iQ4i", 1, 1, 5, 2, 2, 1, 9, 1, 2, 3)
        if not old:
            faces = struct.pack("<4Q3iQ4Q", 1, 1, 1, 1, 2, 5, 2, 1, 9, 1, 2, 3)
    else:
        lines = ["1 3" if old else "1 3 1 3", f"{block[0]} {block[1]} 1 3"]
        lines += [] if old else ["1", "2", "3"]
        for k, row in enumerate(rows, 1):
            lines.append(" ".join(map(str, [k, *row] if old else row)))
        nodes = "\n".join(lines).encode()
        faces = b"1 1\n5 2 2 1\n9 1 2 3" if old else b"1 1 1 1\n2 5 2 1\n9 1 2 3"
    part = read(head + nodes + b"\n$EndNodes\n$Elements\n" + faces + b"\n$EndElements\n")
    assert part.vertices.tolist() == XYZ and part.polygon_index.tolist() == [0, 1, 2]


def test_nodes_of_entities_that_cannot_be_are_refused():
    text = b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Nodes\n1 1 1 1\n7 1 1 1\n1\n0 0 0\n$EndNodes\n"
    with pytest.raises(mio.FileFormatError, match="of 7 dimensions"):
        read(text)
