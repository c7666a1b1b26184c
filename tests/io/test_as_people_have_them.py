"""Text and triangle files as people have them: names, counts, commas, intensities."""

import struct

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.document import Document, Material, Part, placed_vertices
from meshlearn.io.formats.obj import read as obj_reader
from tests.io.pieces import ply

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


@pytest.mark.parametrize("colour", ["0 0 0", "1 0 0", "0.5 0.25 1"])
def test_intensity_stands_before_any_colour_of_a_pts(colour):
    """Black, directions of length 1 and fractions too."""
    document = read(f"1 2 3 0.25 {colour}\n4 5 6 18 {colour}\n", "a.pts")
    fields = document.parts[0].vertex_fields
    assert fields["color"].tolist() == [[float(x) for x in colour.split()]] * 2
    assert fields["value"].tolist() == [0.25, 18] and not document.remarks


@pytest.mark.parametrize(
    ("row", "order"),
    [
        ("17 255 10 20", "a colour, then a value"),
        ("-7 255 10 20", "a value, then a colour"),
        ("255 10 20 -1.5", "a colour, then a value"),
    ],
)
@pytest.mark.parametrize("name", ["a.xyz", "a.txt", "a.asc"])
def test_how_seven_columns_without_names_are_read_is_said(name, row, order):
    document = read(f"1 2 3 {row}\n4 5 6 {row}\n", name)
    (said,) = document.remarks
    assert said.endswith(order)
    words = row.split()
    value = words[0] if order.startswith("a value") else words[-1]
    assert document.parts[0].vertex_fields["value"].tolist() == [float(value)] * 2


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


@pytest.fixture(params=["compiled", "plain"])
def either(request, monkeypatch):
    """The compiled parser of OBJ files, and its equal in Python."""
    if request.param == "plain":
        monkeypatch.setattr(obj_reader, "HAS_COMPILED", False)


def read(text, name="a.obj"):
    return mio.read_document(bytearray(text if isinstance(text, bytes) else text.encode()), name)


@pytest.mark.parametrize(
    ("line", "place", "colour"),
    [
        ("2 4 6 0.5 0.25 1 0.75", (2, 4, 6), (0.5, 0.25, 1, 0.75)),
        ("2 4 6 0.5 0.25 1", (2, 4, 6), (0.5, 0.25, 1)),
        ("2 4 6 255 128 0 64", (2, 4, 6), (255, 128, 0, 64)),
        ("2 4 6 255 128 0", (2, 4, 6), (255, 128, 0)),
        ("2 4 6 255 128 0 0.2", (2, 4, 6), (255, 128, 0, 51)),
        ("2 4 6 2.5 0 1", (2, 4, 6), (2.5, 0, 1)),  # of a light: no bytes
        ("2 4 6 2", (1, 2, 3), None),
        ("2 4 6 1 2 3 4 5", (2, 4, 6), None),
    ],
)
def test_numbers_of_a_vertex(line, place, colour, either):
    document = read(f"v {line}\nv {line}\nv 0 0 0\nf 1 2 3\n")
    part = document.parts[0]
    assert tuple(part.vertices[0]) == place and tuple(part.vertices[2]) == (0, 0, 0)
    if colour is None:
        assert not part.vertex_fields
    else:
        found = part.vertex_fields["color"]
        assert tuple(found[0]) == colour
        full = 255 if found.dtype == np.uint8 else 1
        assert found[2].tolist() == [full] * len(colour)  # white where there is none
        assert (found.dtype == np.uint8) == (max(colour) > 10) == bool(document.remarks)
    longer = [(x.count, x.name) for x in document.left_out]
    assert longer == ([(2, longer[0][1])] if len(line.split()) > 7 else [])


def test_alpha_of_some_vertices_is_opaque_elsewhere(either):
    found = read("v 0 0 0 1 0 0 0.5\nv 1 0 0 0 1 0\nv 0 1 0\nf 1 2 3\n").parts[0]
    assert found.vertex_fields["color"].tolist() == [[1, 0, 0, 0.5], [0, 1, 0, 1], [1, 1, 1, 1]]


def test_five_numbers_of_a_vertex_are_refused(either):
    with pytest.raises(mio.FileFormatError, match="line 1"):
        read("v 1 2 3 4 5\n")


UTF16 = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig")


@pytest.mark.parametrize("name", UTF16)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_of_other_encodings_and_systems(name, end, tmp_path):
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    text = f"mtllib größe.mtl\n{V}usemtl rot\nf 1 2 \\\n3\n".replace("\n", end)
    library = f"newmtl rot{end}Kd 1 0.5 0{end}"
    for place, content in (("a.obj", text), ("größe.mtl", library)):
        (tmp_path / place).write_bytes(marks.get(name, b"") + content.encode(name))
    document = mio.load_document(tmp_path / "a.obj")
    assert document.parts[0].num_faces == 1 and not document.left_out
    assert document.materials[0].values["base_color"] == [1, 0.5, 0, 1]


def test_utf_16_without_a_mark_and_line_ends_of_two_kinds():
    assert read(f"# a\n{V}f 1 2 3\n".encode("utf-16-le")).parts[0].num_faces == 1
    assert read("v 0 0 0\rv 1 0 0\nv 0 1 0\r\nf 1 2 3\r").parts[0].num_faces == 1


def test_numbers_that_windows_prints_for_none(either):
    part = read(f"{V}v -1.#IND 1.#INF 1.#QNAN00\nf 1 2 3\n").parts[0]
    assert np.isnan(part.vertices[3, [0, 2]]).all() and part.vertices[3, 1] == np.inf


CURVE = "cstype rat bspline\ndeg 3\ncurv 0 1 1 2 3\nparm u 0 0 1 1\nend\n"


def test_curves_and_surfaces_are_told_by_name_and_number(tmp_path):
    text = V + "f 1 2 3\n" + CURVE * 2 + "cstype bezier\nsurf 0 1 0 1 1 2 3\nend\nvp 0 1\n"
    report = mio.find_losses(read(text), tmp_path / "a.stl")
    told = {str(x.kind.name): [] for x in report.items} | {
        "UNREAD": [(x.name, x.count) for x in report.items if x.kind.name == "UNREAD"]
    }
    assert told["UNREAD"] == [
        ("curves 'curv' of the type 'rat bspline'", 2),
        ("surfaces 'surf' of the type 'bezier'", 1),
    ]


def test_lines_that_are_not_understood_are_told():
    assert "'wobble' (2)" in read(f"{V}f 1 2 3\nwobble 1\nwobble 2\n").remarks[0]
    assert not read(f"{V}f 1 2 3\nvp 0 1\ncstype bezier\n").remarks


@pytest.mark.parametrize("text", ["<html>\n# x\n</html>\n", "# x\nhello\n", "hello\n"])
def test_text_that_is_no_obj_is_refused(text):
    with pytest.raises(mio.FileFormatError, match="no vertices"):
        read(text)


@pytest.mark.parametrize("text", ["# nothing\n", "o cube\n", "g\nmtllib a.mtl\n"])
def test_an_obj_that_says_it_is_empty_is(text):
    assert sum(len(p.vertices) for p in read(text).parts) == 0


@pytest.mark.parametrize(
    ("line", "files", "gone"),
    [
        ("a.mtl b.mtl", ("a.mtl", "b.mtl"), []),
        ("a b.mtl", ("a b.mtl",), []),
        ("my a.mtl my b.mtl", ("my a.mtl", "my b.mtl"), []),
        ('"my a.mtl" b.mtl', ("my a.mtl", "b.mtl"), []),
        ("a.mtl gone.mtl", ("a.mtl",), ["gone.mtl"]),
        ("a.mtl\tb.MTL # both", ("a.mtl", "b.MTL"), []),
        ("gone file.mtl", (), ["gone file.mtl"]),
    ],
)
def test_libraries_of_one_line(line, files, gone, tmp_path):
    for k, name in enumerate(files):
        (tmp_path / name).write_text(f"newmtl m{k}\nKd {k} 0 0\n")
    uses = "".join(f"usemtl m{k}\nf 1 2 3\n" for k in range(max(len(files), 1)))
    (tmp_path / "a.obj").write_text(f"mtllib {line}\n{V}{uses}")
    document = mio.load_document(tmp_path / "a.obj")
    colours = [m.values["base_color"][0] for m in document.materials if m.values]
    assert colours == list(range(len(files)))
    report = mio.find_losses(document, tmp_path / "b.ply")
    assert [x.name for x in report.items if x.kind.name == "NAMED_FILE"] == gone
    assert not [x for x in report.items if x.kind.name == "METADATA"]  # said once


NAMES = ["a", "a", "", "", "a\tb", "a b", 'say "hi"', "x#y", "# z", "a_2", "größe"]


@pytest.mark.parametrize("suffix", [".obj", ".3mf", ".glb"])
def test_parts_of_any_names_stay_apart(suffix, tmp_path):
    parts = []
    for k, name in enumerate(NAMES):
        parts.append(Part.triangles(np.eye(3) + k, np.array([[0, 1, 2]]), name=name))
    mio.save_document(Document(parts), tmp_path / f"a{suffix}")
    again = mio.load_document(tmp_path / f"a{suffix}").parts
    assert [int(placed_vertices(p, p.vertices)[0][0, 1]) for p in again] == list(range(len(NAMES)))
    if suffix == ".obj":
        assert len({p.name for p in again}) == len(NAMES) - 1  # two have none
        assert [p.name for p in again][:2] == ["a", "a_3"]
    else:
        assert [" ".join(p.name.split()) for p in again] == [" ".join(n.split()) for n in NAMES]


def test_groups_of_any_names_stay_apart(tmp_path):
    part = Part.triangles(np.eye(3), np.tile([[0, 1, 2]], (len(NAMES), 1)), groups=list(NAMES))
    part.face_fields["group"] = np.arange(len(NAMES))
    mio.save_document(Document([part]), tmp_path / "a.obj")
    again = mio.load_document(tmp_path / "a.obj").parts[0]
    assert again.face_fields["group"].tolist() == list(range(len(NAMES)))
    assert len(set(again.groups)) == len(NAMES)


FILES = {
    "a.obj": "v {}\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    "a.off": "OFF\n3 1 0\n{}\n1 0 0\n0 1 0\n3 0 1 2\n",
    "a.ply": ply("{}\n1 0 0\n0 1 0\n3 0 1 2\n").decode(),
    "a.xyz": "{}\n1 0 0\n0 1 0\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("row", "place", "told"),
    [
        ("1,5 2,25 0", (1.5, 2.25, 0), 1),
        ("1,5 0 0", (1.5, 0, 0), 1),
        ("-1,5\t2,0e3\t7", (-1.5, 2000, 7), 1),
        ("1, 2, 3", (1, 2, 3), 0),
        ("1,2,3", (1, 2, 3), 0),
        ("1.5 2 3", (1.5, 2, 3), 0),
    ],
)
def test_decimal_commas_of_text(name, end, row, place, told):
    document = read(FILES[name].format(row).replace("\n", end), name)
    assert tuple(document.parts[0].vertices[0]) == place and len(document.remarks) == told
    assert len(document.parts[0].vertices) == 3


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("row", ["1,000.5 20 30", "7 -1,234,567.25 .5", "1 2e3 1,000."])
def test_commas_between_thousands_are_refused(name, row):
    with pytest.raises(mio.FileFormatError, match="without commas between thousands"):
        read(FILES[name].format(row), name)


@pytest.mark.parametrize("row", ["1,200.5,3", "1,2.5, 3", "1, 200.5, 3"])
def test_commas_between_numbers_are_no_thousands(row):
    assert read(FILES["a.obj"].format(row)).parts[0].vertices[0, 0] == 1


@pytest.mark.parametrize("name", ["a.off", "a.ply"])
@pytest.mark.parametrize("rest, count", [("3 0 1 2\n3 0 2 1", 2), ("\n \n\n", 0), ("# end", 0)])
def test_lines_behind_what_a_header_promises_are_told(name, rest, count):
    document = read(FILES[name].format("0 0 0") + rest, name)
    told = [f"{count} lines behind what the header promises are left out"] if count else []
    assert document.remarks == told and len(document.parts[0].sizes) == 1


def test_sections_of_a_medit_mesh_that_are_not_read_are_told():
    """Curved triangles are not nothing; words of remarks and empty sections are."""
    text = "MeshVersionFormatted 2\n# Corners 9\nDimension 3\nVertices\n3\n0 0 0 0\n1 0 0 0\n"
    text += "0 1 0 0\nTangents\n1\n1 2 3\nRidges\n0\nRequiredVertices\n2\n1\n2\nEnd\n"
    document = read(text, "a.mesh")
    told = [(x.name, x.count) for x in document.left_out]
    assert told == [("the section Tangents", 1), ("the section RequiredVertices", 2)]


def test_commas_of_names_stay():
    document = read(
        "g a1,2\nv 1,5 0 0\nv 1 0 0\nv 0 1 0\nusemtl m3,4\nvt 0,5 0,25\nf 1/1 2/1 3/1\n"
    )
    part = document.parts[0]
    assert part.groups == ["a1,2"] and document.materials[0].name == "m3,4"
    assert part.corner_fields["uv"].values.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize("name", ["utf-16", "utf-8-sig"])
def test_off_of_an_editor(name):
    text = FILES["a.off"].format("0 0 0")
    assert read(text.encode(name), "a.off").parts[0].num_faces == 1
