"""Tables of points as people have them: heads, names, signs between columns, empty cells."""

import json

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.document import Document, Part
from meshlearn.io.points import load_points
from tests.cli.runner import meshlearn


def read(text, name="a.xyz"):
    data = text if isinstance(text, bytes) else text.encode()
    return mio.read_document(bytearray(data), name)


def part(text, name="a.xyz"):
    found = read(text, name).parts[0]
    assert found.points.tolist() == list(range(len(found.vertices)))
    return found


@pytest.mark.parametrize(
    "head",
    [
        "//X Y Z R G B Intensity\n",
        "//X Y Z R G B Intensity\n2\n",
        "# x y z red green blue Intensity\n",
        "X Y Z Red Green Blue Intensity\n",
        "x,y,z,r,g,b,Intensity\n",
        '"X";"Y";"Z";"R";"G";"B";"Intensity"\n',
        "X [m]\tY [m]\tZ [m]\tR\tG\tB\tIntensity\n",
        "Points:0,Points:1,Points:2,R,G,B,Intensity\n",
        "Easting Northing Elevation R G B Intensity\n",
        "# made by hand\n//X Y Z R G B Intensity\n",
        "\ufeff\nX Y Z R G B Intensity\n",
    ],
)
@pytest.mark.parametrize("sign", [" ", ",", ";", "\t", ", "])
@pytest.mark.parametrize("name", ["a.xyz", "a.asc", "a.csv", "a.txt", "a.pts"])
def test_the_head_names_the_columns(head, sign, name):
    rows = [[1.5, 2, 3, 255, 0, 10, 0.25], [-4, 5, 6, 1, 2, 3, 0.5]]
    text = head + "".join(sign.join(map(str, row)) + "\n" for row in rows)
    found = part(text, name)
    assert found.vertices.tolist() == [[1.5, 2, 3], [-4, 5, 6]]
    assert found.vertex_fields["color"].tolist() == [[255, 0, 10], [1, 2, 3]]
    assert found.vertex_fields["color"].dtype == np.uint8
    assert found.vertex_fields["Intensity"].tolist() == [0.25, 0.5]


def test_columns_in_any_order():
    found = part("Intensity,z,Nx,y,Ny,x,Nz\n7,3,0,2,0,1,1\n", "a.csv")
    assert found.vertices.tolist() == [[1, 2, 3]]
    assert found.vertex_fields["normal"].tolist() == [[0, 0, 1]]
    assert found.vertex_fields["Intensity"].tolist() == [7]


def test_colours_of_sixteen_bits_and_of_floats():
    assert part("x y z r g b\n0 0 0 65535 256 1\n").vertex_fields["color"].dtype == np.uint16
    found = part("//X Y Z Rf Gf Bf\n0 0 0 1 0.5 0\n").vertex_fields["color"]
    assert found.tolist() == [[1, 0.5, 0]]


@pytest.mark.parametrize("sign", [" ", "\t", ";", "; "])
def test_decimal_commas_are_read_and_said(sign):
    rows = [("1,5", "2,25", "0"), ("-1,0", "3", "4,5")]
    document = read("".join(sign.join(row) + "\n" for row in rows))
    assert document.parts[0].vertices.tolist() == [[1.5, 2.25, 0], [-1, 3, 4.5]]
    assert document.remarks == ["commas were read as decimal points"]


@pytest.mark.parametrize("text", ["1,2,3\n4,5,6\n", "1, 2, 3\n4, 5, 6\n", "1.5,2,3 \n4,5,6\n"])
def test_commas_between_numbers_are_no_decimals(text):
    document = read(text)
    assert document.parts[0].vertices[1].tolist() == [4, 5, 6] and not document.remarks


def test_words_quotes_and_empty_cells():
    text = 'x,y,z,label,height above ground,note\n"1",2,3,tree,0.5,\n4,5,6,"a, b",,\n'
    found = part(text, "a.csv")
    assert found.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.vertex_fields["label"].tolist() == ["tree", "a, b"]
    values = found.vertex_fields["height above ground"]
    assert values[0] == 0.5 and np.isnan(values[1]) and "note" not in found.vertex_fields


@pytest.mark.parametrize("mark", ["//", "#", "%", "!"])
def test_remarks_anywhere(mark):
    found = part(f"{mark} scanned today\n0 0 0\n{mark} again\n1 2 3\n")
    assert found.vertices.tolist() == [[0, 0, 0], [1, 2, 3]]


@pytest.mark.parametrize("name", ["a.pts", "a.xyz"])
def test_intensity_before_or_behind_the_colour(name):
    fields = part("1 2 3 -1023 255 10 20\n4 5 6 7 0 1 2\n", name).vertex_fields
    assert fields["color"].tolist() == [[255, 10, 20], [0, 1, 2]]
    assert fields["value"].tolist() == [-1023, 7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,z\n1,2\n", "its head names 3"),
        ("x,y,z,a\n1,2,3\n", "its head names 4"),
        ("x,y,z\n1,b,3\n", "'b' as y, expected a number"),
        ("x,y,z\n1,,3\n,,4\n", "column 'y' is empty"),
        ("name,length\na,2\n", "expected a number"),
        ("lat,lon,height\n1,2,b\n", "expected a number"),
        ("C 0 0 0\n", "expected a number"),
        ("3\n0 0 0\n1 1 1\n", "promises 3 points"),
    ],
)
def test_tables_that_are_none_get_one_sentence(text, said):
    with pytest.raises(mio.FileFormatError, match=said) as caught:
        read(text, "a.csv")
    assert "\n" not in str(caught.value)


def test_a_head_alone_is_an_empty_cloud():
    assert len(read("//X Y Z\n").parts[0].vertices) == 0


def cloud():
    rng = np.random.default_rng(0)
    fields = {
        "color": np.array([[255, 0, 1], [2, 3, 4]], np.uint8),
        "normal": np.array([[0, 0, 1], [0, 1, 0]], np.float64),
        "scan angle": rng.random(2),
        'a,"b"': np.arange(2, dtype=np.int32),
        "flow": rng.random((2, 3)),
    }
    return Part(vertices=rng.random((2, 3)), points=np.arange(2), vertex_fields=fields)


@pytest.mark.parametrize("suffix", [".csv", ".asc"])
def test_what_is_written_is_read(suffix, tmp_path):
    before = cloud()
    assert not mio.save_document(Document([before]), tmp_path / f"a{suffix}")
    after = mio.load_document(tmp_path / f"a{suffix}").parts[0]
    assert after.vertices.tolist() == before.vertices.tolist()
    odd = "scan_angle", 'a,"b"' if suffix == ".csv" else "a__b_"
    assert set(after.vertex_fields) == {"color", "normal", "flow", *odd}
    for name, found in zip(("scan angle", 'a,"b"'), odd, strict=True):
        assert after.vertex_fields[found].tolist() == before.vertex_fields[name].tolist()
    assert after.vertex_fields["flow"].tolist() == before.vertex_fields["flow"].tolist()


def test_points_of_a_fit_are_of_any_table(tmp_path):
    (tmp_path / "a.asc").write_text("//X Y Z Nx Ny Nz Intensity\n1 2 3 0 0 1 9\n")
    with pytest.warns(UserWarning, match="Intensity of the points are left out"):
        found = load_points(tmp_path / "a.asc")
    assert found.points.tolist() == [[1, 2, 3]] and found.normals.tolist() == [[0, 0, 1]]


def test_info_and_convert_take_tables(tmp_path):
    (tmp_path / "a.csv").write_text("x;y;z;Intensity\n1,5;2;3;4\n1;2;3;5\n")
    said = json.loads(meshlearn("info", tmp_path / "a.csv", "--json").stdout)
    assert said["kind"] == "points" and said["points"] == 2 and "Intensity" in said["fields"]
    done = meshlearn("convert", tmp_path / "a.csv", tmp_path / "b.ply")
    assert done.returncode == 0 and "decimal points" in done.stderr
    assert mio.load_document(tmp_path / "b.ply").parts[0].vertices[0].tolist() == [1.5, 2, 3]


def test_a_folder_gives_its_meshes_and_not_its_notes(tmp_path):
    from meshlearn.io.conversion.batch import find_inputs

    for name in ("a.obj", "README.txt", "costs.csv", "b.xyz"):
        (tmp_path / name).write_text("x")
    assert [p.name for p, _ in find_inputs([str(tmp_path)])] == ["a.obj", "b.xyz"]
    assert [p.name for p, _ in find_inputs([str(tmp_path / "costs.csv")])] == ["costs.csv"]


@pytest.mark.parametrize("suffix", [".csv", ".xyz", ".txt", ".asc"])
@pytest.mark.parametrize("text", ["hello world\n", "a,b,c\n", "some words\nand more of them\n"])
def test_words_alone_are_no_points(text, suffix):
    with pytest.raises(mio.FileFormatError, match="expected lines of three numbers or more, got"):
        mio.read_document(text.encode(), f"a{suffix}")


@pytest.mark.parametrize("text", ["x,y,z\n", "# nothing\n", "// X Y Z\n"])
def test_a_head_without_points_is_an_empty_cloud(text):
    assert len(mio.read_document(text.encode(), "a.csv").parts[0].vertices) == 0


def test_columns_of_other_names_are_told():
    document = mio.read_document(b"lat,lon,height\n47.5,8.25,400\n", "a.csv")
    assert document.parts[0].vertices.tolist() == [[47.5, 8.25, 400]]
    (remark,) = document.remarks
    assert "names no x, y and z (lat, lon, height)" in remark
    assert mio.read_document(b"made by hand\n1 2 3 4\n", "a.xyz").remarks == []


@pytest.mark.parametrize(
    ("head", "x", "rest"),
    [
        ("x,y,height,z,q", [1, 2, 4], {"height": 3, "q": 5}),
        ("easting,northing,x,y,z", [3, 4, 5], {"easting": 1, "northing": 2}),
        ("easting,northing,height,altitude,q", [1, 2, 3], {"altitude": 4, "q": 5}),
        ("easting,pos_x,pos_y,pos_z,northing", [2, 3, 4], {"easting": 1, "northing": 5}),
        ("x,y,z,r,a", [1, 2, 3], {"r": 4, "a": 5}),
        ("x,y,z,rf,g", [1, 2, 3], {"rf": 4, "g": 5}),
        ("X,Y,Z,NormalX,Nx", [1, 2, 3], {"NormalX": 4, "nx": 5}),
        ("X,Y,Z,x,q", [1, 2, 3], {"x 2": 4, "q": 5}),
    ],
)
def test_a_column_is_what_it_is_called_before_what_another_may_mean(head, x, rest):
    found = part(f"{head}\n1,2,3,4,5\n", "a.csv")
    assert found.vertices.tolist() == [x]
    assert {key: float(v[0]) for key, v in found.vertex_fields.items()} == rest


def test_letters_are_colours_where_all_three_are_there():
    found = part("x,y,z,r,g,b,a\n1,2,3,255,0,10,128\n", "a.csv").vertex_fields
    assert found["color"].tolist() == [[255, 0, 10, 128]] and list(found) == ["color"]
    found = part("x,y,z,r,g,b,red\n1,2,3,255,0,10,128\n", "a.csv").vertex_fields
    assert found["color"].tolist() == [[255, 0, 10]] and found["red"].tolist() == [128]
    found = part("x,y,z,r,g,b,Rf,Gf,Bf\n1,2,3,255,0,10,1,0,0.5\n", "a.csv").vertex_fields
    assert found["color"].tolist() == [[255, 0, 10]] and found["Bf"].tolist() == [0.5]


@pytest.mark.parametrize(("name", "count"), [("a.xyz", 1), ("a.pts", 1), ("a.csv", 0)])
def test_alpha_that_lines_of_points_have_no_place_for_is_told(name, count):
    colors = np.array([[255, 0, 10, 128], [1, 2, 3, 255]], np.uint8)
    points = Part(vertices=np.eye(3)[:2], points=np.arange(2), vertex_fields={"color": colors})
    losses = mio.find_losses(Document([points]), name).items
    assert [(x.kind.name, x.count) for x in losses] == [("ALPHA", 1)] * count
