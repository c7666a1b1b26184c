"""Material libraries of OBJ as people have them: case, commas, continued lines, options behind."""

import numpy as np
import pytest

import meshlearn.io as mio
from tests.io.pieces import V3
from tests.io.samples import png

UV = "vt 0 0\nvt 1 0\nvt 0 1\n"


def read(folder, library, *, names="m", word="usemtl", mtllib="mtllib a.mtl"):
    uses = "".join(f"{word} {name}\nf 1/1 2/2 3/3\n" for name in names.split("|"))
    (folder / "a.obj").write_text(f"{mtllib}\n{V3}{UV}{uses}")
    (folder / "a.mtl").write_text(library)
    (folder / "t.png").write_bytes(png())
    return mio.load_document(folder / "a.obj")


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title, str])
def test_statements_in_letters_of_any_case(change, tmp_path):
    keys = [change(key) for key in ("newmtl", "Kd", "d", "map_Kd", "map_Bump", "Pr")]
    text = "{} m\n{} 1 0.5 0\n{} 0.25\n{} t.png\n{} t.png\n{} 0.5\n".format(*keys)
    word = "usemtl" if change is str else change("usemtl")
    lib = ("mtllib" if change is str else change("mtllib")) + " a.mtl"
    document = read(tmp_path, text, word=word, mtllib=lib)
    looks = document.materials[0].appearance
    assert looks.base_color == (1, 0.5, 0) and looks.alpha == 0.25 and looks.roughness == 0.5
    assert looks.base_texture.image == looks.bump_texture.image == "t.png"
    assert not looks.beyond and not document.left_out and not document.remarks


@pytest.mark.parametrize(
    ("said", "color", "alpha"),
    [
        ("Kd 0,5 0,25 0\nd 0,3", (0.5, 0.25, 0), 0.3),
        ("Kd 0,5 1 0\nTr 0,75", (0.5, 1, 0), 0.25),
    ],
)
def test_decimal_commas(said, color, alpha, tmp_path):
    document = read(tmp_path, f"newmtl m\n{said}\n")
    looks = document.materials[0].appearance
    assert looks.base_color == color and looks.alpha == pytest.approx(alpha)
    assert len(document.remarks) == 1 and "decimal points" in document.remarks[0]
    mio.save_document(document, tmp_path / "b.obj")
    again = mio.load_document(tmp_path / "b.obj")
    assert again.materials[0].appearance.base_color == color and not again.remarks


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_statements_that_go_on_in_the_next_line(end, tmp_path):
    text = "newmtl m\nKd \\\n1 0.5 \\\n0\nmap_Kd \\\n  t.png\n".replace("\n", end)
    looks = read(tmp_path, text).materials[0].appearance
    assert looks.base_color == (1, 0.5, 0) and looks.base_texture.image == "t.png"
    assert not looks.beyond


@pytest.mark.parametrize(
    ("statement", "name", "wanted"),
    [
        ("map_Kd t.png -s 2 3 1", "base_texture", {"scale": (2, 3)}),
        ('map_Kd "t.png" -o 0.5 -0.25 -clamp on', "base_texture", {"offset": (0.5, -0.25)}),
        ("bump t.png -bm 0.5", "bump_texture", {"strength": 0.5}),
        ("map_Kd -s 2 3 C:\\x\\t.png -o 0.5 0", "base_texture", {"scale": (2, 3)}),
    ],
)
def test_options_behind_the_file_of_a_map(statement, name, wanted, tmp_path):
    document = read(tmp_path, f"newmtl m\n{statement}\n")
    texture = getattr(document.materials[0].appearance, name)
    assert texture.image == "t.png" and not document.left_out
    assert {key: getattr(texture, key) for key in wanted} == wanted
    mio.save_document(document, tmp_path / "b.obj", overwrite=True)
    again = mio.load_document(tmp_path / "b.obj")
    assert getattr(again.materials[0].appearance, name) == texture and not again.left_out


def test_a_file_whose_name_has_an_option_in_it_is_taken_as_it_is(tmp_path):
    (tmp_path / "a -s 2.png").write_bytes(png())
    document = read(tmp_path, "newmtl m\nmap_Kd a -s 2.png\n")
    assert document.materials[0].appearance.base_texture.image == "a -s 2.png"


@pytest.mark.parametrize("name", ['"m"', "M", "'m'"])
def test_names_that_differ_in_case_or_quotes_are_said(name, tmp_path):
    document = read(tmp_path, "newmtl m\nKd 1 0 0\n", names=name)
    assert document.materials[0].appearance.base_color == (1, 0, 0)
    assert len(document.remarks) == 1 and name in document.remarks[0]


def test_names_stay_distinct_where_both_cases_are_described(tmp_path):
    text = "newmtl m\nKd 1 0 0\nnewmtl M\nKd 0 0 1\n"
    document = read(tmp_path, text, names='M|m|"m"')
    colors = [m.appearance.base_color for m in document.materials]
    assert colors == [(0, 0, 1), (1, 0, 0), None]  # the third may be either
    assert len(document.remarks) == 1 and "do not describe 1 of 3" in document.remarks[0]


def test_options_that_no_look_has_are_told(tmp_path):
    read(tmp_path, "newmtl m\nmap_Kd -mm 0.1 0.8 -t 0.1 0 0 t.png\n")
    report = mio.convert(tmp_path / "a.obj", tmp_path / "b.glb")
    assert [x.count for x in report.items if x.name.startswith("-")] == [1, 1]


def test_a_map_of_nothing_is_none(tmp_path):
    document = read(tmp_path, "newmtl m\nmap_Kd\nKd 1 0 0\nmap_Ke  \n")
    looks = document.materials[0].appearance
    assert looks.base_texture is None and looks.emissive_texture is None
    mio.save_document(document, tmp_path / "b.glb")
    found = mio.load_document(tmp_path / "b.glb")
    assert not found.images and np.allclose(found.materials[0].appearance.base_color, (1, 0, 0))


def test_corners_with_empty_places_have_no_field(tmp_path):
    (tmp_path / "a.obj").write_text(f"{V3}f 1// 2// 3//\nf 1/ 2/ 3/\n")
    document = mio.load_document(tmp_path / "a.obj")
    assert document.parts[0].num_faces == 2 and not document.parts[0].corner_fields
    assert not document.left_out
