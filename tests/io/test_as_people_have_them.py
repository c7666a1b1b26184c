"""Text and triangle files as people have them: names, counts, commas, intensities."""

import struct

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.document import Document, Material, Part

V = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


@pytest.mark.parametrize("names", [("Mat", "Mat"), ("", ""), ("a", "a_2", "a"), ("a #b", "a")])
def test_materials_of_one_name_stay_two(names, tmp_path):
    faces = np.tile([[0, 1, 2]], (len(names), 1))
    part = Part.triangles(np.eye(3), faces)
    part.face_fields["material"] = np.arange(len(names))
    colours = [[1, 0, 0, 1], [0, 0, 1, 1], [0, 1, 0, 1]][: len(names)]
    pairs = zip(names, colours, strict=True)
    document = Document([part], [Material(n, {"base_color": c}) for n, c in pairs])
    mio.save_document(document, tmp_path / "a.obj")
    again = mio.load_document(tmp_path / "a.obj")
    label = again.parts[0].face_fields["material"]
    assert [again.materials[k].values["base_color"] for k in label] == colours


@pytest.mark.parametrize("names", [(b"\xba\xec", b"\xc0\xb6"), (b"caf\xe9", b"caf\xe8")])
@pytest.mark.parametrize("blank", [b" ", b"\t"])
def test_names_in_other_bytes_stay_distinct_and_find_their_colours(names, blank, tmp_path):
    a, b = names
    (tmp_path / "m.mtl").write_bytes(b"newmtl %b\nKd 1 0 0\nnewmtl %b\nKd 0 0 1\n" % (a, b))
    use = b"usemtl" + blank
    text = b"mtllib" + blank + b"m.mtl\n" + V.encode()
    text += use + a + b" # remark\nf 1 2 3\n" + use + b + b"\nf 3 2 1\n"
    (tmp_path / "a.obj").write_bytes(text)
    document = mio.load_document(tmp_path / "a.obj")
    assert [m.values["base_color"][0] for m in document.materials] == [1, 0]
    assert document.remarks and not document.left_out


@pytest.mark.parametrize(("face", "name"), [("1/1 2/2 3/3", "uv"), ("1//1 2//2 3//3", "normal")])
def test_corners_that_name_nothing_keep_the_geometry(face, name, tmp_path):
    (tmp_path / "a.obj").write_text(f"{V}f {face}\n")
    document = mio.load_document(tmp_path / "a.obj")
    assert document.parts[0].num_faces == 1 and not document.parts[0].corner_fields
    assert [(x.name, x.count) for x in document.left_out] == [(name, 3)]


@pytest.mark.parametrize("said", [0, 1])
def test_the_size_of_an_stl_decides_over_a_count_that_is_too_small(said, tmp_path):
    (tmp_path / "a.stl").write_bytes(bytes(80) + struct.pack("<I", said) + bytes(150))
    document = mio.load_document(tmp_path / "a.stl")
    assert document.parts[0].num_faces == 3 and document.remarks


@pytest.mark.parametrize(
    ("vertex", "first", "told"),
    [("1,5 0,0 0,25", (1.5, 0, 0.25), 1), ("1,5 0 0", (1.5, 0, 0), 1), ("1, 2, 3", (1, 2, 3), 0)],
)
def test_commas_of_an_stl(vertex, first, told, tmp_path):
    text = f"solid\nfacet normal 0 0 1\nouter loop\nvertex {vertex}\nvertex 1 0 0\nvertex 0 1 0\n"
    (tmp_path / "a.stl").write_text(text + "endloop\nendfacet\nendsolid\n")
    document = mio.load_document(tmp_path / "a.stl")
    assert tuple(document.parts[0].vertices[0]) == first and len(document.remarks) == told


def test_intensity_stands_before_the_colour_of_a_pts(tmp_path):
    (tmp_path / "a.pts").write_text("2\n1 2 3 17 255 10 20\n4 5 6 18 0 1 2\n")
    for _ in range(2):
        fields = mio.load_document(tmp_path / "a.pts").parts[0].vertex_fields
        assert fields["color"].tolist() == [[255, 10, 20], [0, 1, 2]]
        assert fields["value"].tolist() == [17, 18]
        mio.save_document(mio.load_document(tmp_path / "a.pts"), tmp_path / "a.pts")


def test_whole_numbers_of_64_bits_in_a_ply(tmp_path):
    head = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
    head += "property float z\nproperty int64 id\nend_header\n0 0 0 7\n"
    (tmp_path / "a.ply").write_text(head)
    assert mio.load_document(tmp_path / "a.ply").parts[0].vertex_fields["id"].tolist() == [7]


def test_corners_that_name_values_beyond_the_last_keep_the_others(tmp_path):
    (tmp_path / "a.obj").write_text(f"{V}vt 0.5 0\nf 1/1 2/2 3/3\n")
    document = mio.load_document(tmp_path / "a.obj")
    assert document.parts[0].corner_fields["uv"].index.tolist() == [0, -1, -1]
    assert [(x.name, x.count) for x in document.left_out] == [("uv", 2)]
