"""Cells of VTK, Gmsh and MEDIT: their order, curved ones, and those that are not read."""

import struct

import numpy as np
import pytest

from meshlearn.io import load_document
from meshlearn.io.document import FileFormatError

HEAD = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET "


def saved(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_document(path)


SECTIONS = {
    "VERTICES": "VERTICES 1 2\n1 3\n",
    "LINES": "LINES 2 6\n2 0 1 2 1 2\n",
    "POLYGONS": "POLYGONS 1 4\n3 0 1 2\n",
    "TRIANGLE_STRIPS": "TRIANGLE_STRIPS 1 5\n4 0 1 2 3\n",
}


@pytest.mark.parametrize(
    "order",
    [
        ["POLYGONS", "LINES"],
        ["TRIANGLE_STRIPS", "POLYGONS", "LINES", "VERTICES"],
        ["LINES", "TRIANGLE_STRIPS", "VERTICES", "POLYGONS"],
    ],
)
def test_cell_data_counts_in_the_order_of_vtk(tmp_path, order):
    """Vertices, lines, polygons and strips, in whatever order the file has its sections."""
    rows = {"VERTICES": 1, "LINES": 2, "POLYGONS": 1, "TRIANGLE_STRIPS": 1}
    count = sum(rows[name] for name in order)
    values = list(range(10, 10 * count + 10, 10))
    text = HEAD + "POLYDATA\nPOINTS 4 float\n0 0 0 1 0 0 0 1 0 1 1 0\n"
    text += "".join(SECTIONS[name] for name in order)
    text += f"CELL_DATA {count}\nSCALARS s int 1\nLOOKUP_TABLE default\n"
    text += " ".join(map(str, values)) + "\n"
    part = saved(tmp_path / "a.vtk", text).parts[0]
    wanted = {}
    for name in rows:
        if name in order:
            wanted[name], values = values[: rows[name]], values[rows[name] :]
    faces = wanted.get("POLYGONS", []) + 2 * wanted.get("TRIANGLE_STRIPS", [])
    assert part.line_fields["s"].tolist() == wanted["LINES"]
    assert part.face_fields["s"].tolist() == faces
    if "VERTICES" in order:
        assert part.point_fields["s"].tolist() == wanted["VERTICES"]


POINTS = 30
CURVED = [  # number, nodes, kind, corners
    (21, 3, "line", 2),
    (35, 4, "line", 2),
    (68, 5, "line", 2),
    (22, 6, "face", 3),
    (34, 7, "face", 3),
    (69, 10, "face", 3),
    (23, 8, "face", 4),
    (28, 9, "face", 4),
    (70, 16, "face", 4),
    (36, 10, "face", 5),
    (24, 10, "tetra", 4),
    (71, 20, "tetra", 4),
    (25, 20, "hexahedron", 8),
    (29, 27, "hexahedron", 8),
    (72, 27, "hexahedron", 8),
    (26, 15, "wedge", 6),
    (73, 18, "wedge", 6),
    (27, 13, "pyramid", 5),
]


def shape_of(part):
    if part.lines:
        return "line", part.lines[0].tolist()
    if part.num_faces:
        return "face", part.polygon_index.tolist()
    ((kind, cells),) = part.cells.items()
    return kind, cells[0].tolist()


@pytest.mark.parametrize("number, nodes, kind, corners", CURVED)
def test_curved_cells_of_vtk(tmp_path, number, nodes, kind, corners):
    """They keep their corners; the other nodes are dropped and counted, free points stay."""
    xyz = np.random.default_rng(number).random((POINTS, 3))
    named = np.random.default_rng(1).permutation(POINTS)[:nodes]
    text = HEAD + f"UNSTRUCTURED_GRID\nPOINTS {POINTS} double\n"
    text += "\n".join(" ".join(map(repr, row)) for row in xyz.tolist())
    text += f"\nCELLS 1 {nodes + 1}\n{nodes} " + " ".join(map(str, named))
    text += f"\nCELL_TYPES 1\n{number}\nPOINT_DATA {POINTS}\nSCALARS i int 1\n"
    text += "LOOKUP_TABLE default\n" + " ".join(map(str, range(POINTS))) + "\n"
    document = saved(tmp_path / "a.vtk", text)
    part = document.parts[0]
    found, index = shape_of(part)
    assert found == kind
    assert part.vertices[index].tolist() == xyz[named[:corners]].tolist()
    assert part.vertex_fields["i"][index].tolist() == named[:corners].tolist()
    assert len(part.vertices) == POINTS - (nodes - corners)
    assert [(loss.count, "nodes" in loss.what) for loss in document.left_out] == [
        (nodes - corners, True)
    ]


def test_a_node_that_is_also_a_corner_stays(tmp_path):
    text = HEAD + "UNSTRUCTURED_GRID\nPOINTS 6 float\n" + "0 0 0 1 0 0 0 1 0 .5 0 0 .5 .5 0 0 .5 0"
    text += "\nCELLS 2 11\n6 0 1 2 3 4 5\n3 3 4 5\nCELL_TYPES 2\n22 5\n"
    document = saved(tmp_path / "a.vtk", text)
    assert document.parts[0].polygon_index.tolist() == [0, 1, 2, 3, 4, 5]
    assert sum(loss.count for loss in document.left_out) == 0


def test_voxel_is_a_hexahedron(tmp_path):
    text = HEAD + "UNSTRUCTURED_GRID\nPOINTS 8 float\n"
    text += "0 0 0 1 0 0 0 1 0 1 1 0 0 0 1 1 0 1 0 1 1 1 1 1\nCELLS 1 9\n8 0 1 2 3 4 5 6 7\n"
    part = saved(tmp_path / "a.vtk", text + "CELL_TYPES 1\n11\n").parts[0]
    assert part.cells["hexahedron"].tolist() == [[0, 1, 3, 2, 4, 5, 7, 6]]


def test_other_cells_are_named(tmp_path):
    text = HEAD + "UNSTRUCTURED_GRID\nPOINTS 1 float\n0 0 0\nCELLS 1 2\n1 0\nCELL_TYPES 1\n42\n"
    with pytest.raises(FileFormatError, match="polyhedron"):
        saved(tmp_path / "a.vtk", text)


GMSH = [(8, 3, "line", 2), (26, 4, "line", 2), (9, 6, "face", 3), (21, 10, "face", 3)]
GMSH += [(10, 9, "face", 4), (16, 8, "face", 4), (36, 16, "face", 4), (11, 10, "tetra", 4)]
GMSH += [(29, 20, "tetra", 4), (12, 27, "hexahedron", 8), (17, 20, "hexahedron", 8)]
GMSH += [(13, 18, "wedge", 6), (18, 15, "wedge", 6), (14, 14, "pyramid", 5), (19, 13, "pyramid", 5)]


def two(xyz, number, named):
    text = f"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$Nodes\n{len(xyz)}\n"
    text += "".join(f"{k} {x!r} {y!r} {z!r}\n" for k, (x, y, z) in enumerate(xyz.tolist(), 1))
    text += f"$EndNodes\n$Elements\n1\n1 {number} 2 7 7 " + " ".join(map(str, named + 1))
    return text + "\n$EndElements\n"


def four(xyz, number, named):
    """Version 4.0: a point with six numbers of a box, a surface of the physical group 7."""
    text = "$MeshFormat\n4.0 0 8\n$EndMeshFormat\n$Entities\n1 0 1 0\n1 0 0 0 0 0 0 0\n"
    text += f"3 0 0 0 1 1 1 1 7 0\n$EndEntities\n$Nodes\n1 {len(xyz)}\n3 2 0 {len(xyz)}\n"
    text += "".join(f"{k} {x!r} {y!r} {z!r}\n" for k, (x, y, z) in enumerate(xyz.tolist(), 1))
    text += f"$EndNodes\n$Elements\n1 1\n3 2 {number} 1\n1 " + " ".join(map(str, named + 1))
    return text + "\n$EndElements\n"


def four_binary(xyz, number, named):
    data = b"$MeshFormat\n4.0 1 8\n" + struct.pack("<i", 1) + b"\n$EndMeshFormat\n$Entities\n"
    data += struct.pack("<4Q", 1, 0, 1, 0) + struct.pack("<i6dQ", 1, *[0.0] * 6, 0)
    data += struct.pack("<i6dQiQ", 3, *[0.0] * 6, 1, 7, 0) + b"\n$EndEntities\n$Nodes\n"
    data += struct.pack("<2Q3iQ", 1, len(xyz), 3, 2, 0, len(xyz))
    data += b"".join(struct.pack("<i3d", k, *row) for k, row in enumerate(xyz.tolist(), 1))
    data += b"\n$EndNodes\n$Elements\n" + struct.pack("<2Q3iQ", 1, 1, 3, 2, number, 1)
    data += struct.pack(f"<{len(named) + 1}i", 1, *(named + 1).tolist())
    return data + b"\n$EndElements\n"


@pytest.mark.parametrize("write", [two, four, four_binary])
@pytest.mark.parametrize("number, nodes, kind, corners", GMSH)
def test_curved_elements_of_gmsh(tmp_path, number, nodes, kind, corners, write):
    xyz = np.random.default_rng(number).random((POINTS, 3))
    named = np.random.default_rng(1).permutation(POINTS)[:nodes]
    document = saved(tmp_path / "a.msh", write(xyz, number, named))
    part = document.parts[0]
    found, index = shape_of(part)
    assert found == kind
    assert part.vertices[index].tolist() == xyz[named[:corners]].tolist()
    assert document.left_out[0].count == nodes - corners
    if kind == "face":
        assert part.face_fields["ref"].tolist() == [7]


GMSH_HIGH = [(66, 11, "line", 2), (46, 66, "face", 3), (56, 30, "face", 3), (51, 121, "face", 4)]
GMSH_HIGH += [(61, 40, "face", 4), (75, 286, "tetra", 4), (33, 28, "tetra", 4)]
GMSH_HIGH += [(98, 1000, "hexahedron", 8), (90, 40, "wedge", 6), (110, 550, "wedge", 6)]
GMSH_HIGH += [(118, 30, "pyramid", 5), (120, 91, "pyramid", 5), (124, 385, "pyramid", 5)]


@pytest.mark.parametrize("number, nodes, kind, corners", GMSH_HIGH)
def test_elements_of_high_order(tmp_path, number, nodes, kind, corners):
    xyz = np.random.default_rng(number).random((nodes, 3))
    document = saved(tmp_path / "a.msh", two(xyz, number, np.arange(nodes)))
    found, index = shape_of(document.parts[0])
    assert (found, len(index)) == (kind, corners)
    assert document.left_out[0].count == nodes - corners


MEDIT = [("EdgesP2", 3, "line", 2), ("EdgesP4", 5, "line", 2), ("TrianglesP2", 6, "face", 3)]
MEDIT += [("TrianglesP3", 10, "face", 3), ("QuadrilateralsQ2", 9, "face", 4)]
MEDIT += [("QuadrilateralsQ4", 25, "face", 4), ("TetrahedraP2", 10, "tetra", 4)]
MEDIT += [("TetrahedraP3", 20, "tetra", 4), ("HexahedraQ2", 27, "hexahedron", 8)]
MEDIT += [("PrismsP2", 18, "wedge", 6), ("PyramidsP2", 14, "pyramid", 5)]


def medit(xyz, *sections):
    text = f"MeshVersionFormatted 2\nDimension 3\nVertices\n{len(xyz)}\n"
    text += "".join(f"{x!r} {y!r} {z!r} 0\n" for x, y, z in xyz.tolist())
    for name, *rows in sections:
        lines = [" ".join(map(str, [*(np.array(row) + 1).tolist(), 7])) for row in rows]
        text += f"{name}\n{len(rows)}\n" + "\n".join(lines) + "\n"
    return text + "End\n"


@pytest.mark.parametrize("name, nodes, kind, corners", MEDIT)
def test_curved_elements_of_medit(tmp_path, name, nodes, kind, corners):
    """By the rule of the others: corners stay, the nodes between are dropped and counted."""
    xyz = np.random.default_rng(nodes).random((POINTS, 3))
    named = np.random.default_rng(1).permutation(POINTS)[:nodes]
    document = saved(tmp_path / "a.mesh", medit(xyz, (name, named)))
    part = document.parts[0]
    found, index = shape_of(part)
    assert found == kind
    assert part.vertices[index].tolist() == xyz[named[:corners]].tolist()
    assert len(part.vertices) == POINTS - (nodes - corners)
    assert [loss.what for loss in document.left_out] == [
        "nodes between the corners of curved elements"
    ]
    assert document.left_out[0].count == nodes - corners
    if kind == "face":
        assert part.face_fields["ref"].tolist() == [7]


def test_curved_and_straight_elements_of_medit_together(tmp_path):
    """A node between corners that a straight element names stays; so does one that none names."""
    xyz = np.arange(24.0).reshape(8, 3)
    sections = [("Triangles", [0, 1, 3]), ("TrianglesP2", [0, 1, 2, 3, 4, 5])]
    document = saved(tmp_path / "a.mesh", medit(xyz, *sections))
    part = document.parts[0]
    assert part.vertices[:, 0].tolist() == [0, 3, 6, 9, 18, 21]
    assert part.polygon_index.tolist() == [0, 1, 3, 0, 1, 2]
    assert document.left_out[0].count == 2
    with pytest.raises(FileFormatError, match="vertex"):
        saved(tmp_path / "b.mesh", medit(xyz, ("TrianglesP2", [0, 1, 99, 3, 4, 5])))


@pytest.mark.parametrize("write", [two, four, four_binary])
def test_straight_elements_of_gmsh_lose_nothing(tmp_path, write):
    document = saved(tmp_path / "a.msh", write(np.eye(3), 2, np.arange(3)))
    assert document.parts[0].polygon_index.tolist() == [0, 1, 2]
    assert document.left_out == []


def test_other_elements_of_gmsh_are_named(tmp_path):
    with pytest.raises(FileFormatError, match="polygon"):
        saved(tmp_path / "a.msh", two(np.eye(3), 34, np.arange(3)))
