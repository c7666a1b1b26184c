"""STL files as people have them: text of every shape, counts that lie, colours of faces."""

import struct

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.document import Document, Part
from meshlearn.io.formats.stl import read as stl_reader
from meshlearn.io.left_behind import LossKind

FACET = (
    "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
)
TEXT = f"solid part\n{FACET}{FACET}endsolid part\n"
TRIANGLE = struct.pack("<12f", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0)


@pytest.fixture(params=["compiled", "plain"])
def either(request, monkeypatch):
    """The compiled parser, and its equal in Python."""
    if request.param == "plain":
        monkeypatch.setattr(stl_reader, "HAS_COMPILED", False)


def read(data):
    return mio.read_document(bytearray(data if isinstance(data, bytes) else data.encode()), "a.stl")


def faces(document):
    return [part.num_faces for part in document.parts]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.title().replace("Solid Part", "Solid part", 1),
        TEXT.upper().replace("PART", "part"),
        TEXT.replace("facet normal", "FACET Normal"),
        TEXT.replace("\n", "\r"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", " "),
        TEXT.replace("outer loop\n", "outer loop "),
        TEXT.replace("\nvertex", " vertex"),
        TEXT.replace("\n", "\n\n   "),
        "\ufeff" + TEXT,
        "\n \n" + TEXT,
        TEXT.replace("endsolid part\n", "endsolid"),
    ],
)
def test_text_of_every_shape(text, either):
    document = read(text)
    assert faces(document) == [2] and document.parts[0].name.lower() == "part"
    assert document.parts[0].vertices[:3].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert not document.remarks


def test_text_in_utf_16(either):
    assert faces(read(TEXT.encode("utf-16"))) == [2]


def test_names_keep_their_case_and_may_be_long(either):
    name = "My Part, 2nd facet of " + "x" * 9000
    for text in (TEXT, TEXT.upper().replace("PART", "part"), TEXT.replace("\n", "\r")):
        document = read(text.replace("part", name))
        assert faces(document) == [2] and document.parts[0].name == name


@pytest.mark.parametrize("end", ["\n", "\r", " "])
def test_several_solids(end, either):
    text = f"solid a\n{FACET}endsolid a\nsolid b\n{FACET}{FACET}endsolid b\nsolid\nendsolid\n"
    document = read(text.replace("\n", end))
    assert faces(document)[:2] == [1, 2] and [p.name for p in document.parts][:2] == ["a", "b"]


@pytest.mark.parametrize("text", [FACET, TEXT.removeprefix("solid part\n")])
def test_no_first_line(text, either):
    assert sum(faces(read(text))) == text.count("endfacet")


def test_no_last_line_is_told_and_half_a_facet_refused(either):
    text = TEXT.removesuffix("endsolid part\n")
    document = read(text)
    assert faces(document) == [2] and "endsolid" in document.remarks[0]
    with pytest.raises(mio.FileFormatError, match="3 vertices a facet"):
        read(text[: text.rindex("vertex")])


def test_numbers_that_are_none(either):
    text = TEXT.replace("vertex 0 0 0", "vertex nan -inf 1.#QNAN", 1)
    text = text.replace("vertex 1 0 0", "vertex -1.#IND 1.#INF 0", 1)
    vertices = read(text).parts[0].vertices
    assert np.isnan(vertices[0, [0, 2]]).all() and vertices[0, 1] == -np.inf
    assert np.isnan(vertices[1, 0]) and vertices[1, 1] == np.inf


def test_an_honest_empty_solid(either):
    assert faces(read("solid nothing\nendsolid nothing\n")) == [0]


def binary(triangles=2, *, count=None, head=b"made by hand", extra=(0, 0), tail=b""):
    body = b"".join(TRIANGLE + struct.pack("<H", e) for e in extra[:triangles])
    count = triangles if count is None else count
    return head.ljust(80, b"\0") + struct.pack("<I", count) + body + tail


@pytest.mark.parametrize("head", [b"made by hand", b"solid x", b"solid " + b"y" * 74, b" " * 80])
@pytest.mark.parametrize(
    ("count", "tail"),
    [(0, b""), (1, b""), (0, b"tail"), (2, b"tail"), (2**32 - 1, b""), (2**32 - 1, b"cut short"),
     (2**31 - 1, b"")],
)  # fmt: skip
def test_the_size_of_a_binary_file_decides(head, count, tail):
    """Also where a writer left a count that it did not know: 0, or as many as the type holds."""
    document = read(binary(head=head, count=count, tail=tail))
    assert faces(document) == [2] and len(document.remarks) == (count != 2 or len(tail) > 0)
    if count > 2:
        assert f"promises {count} triangles, 2 are read" in document.remarks[0]
        assert ("9 bytes" in document.remarks[0]) == (len(tail) == 9)


def test_a_binary_file_without_a_count():
    data = binary()
    document = read(data[:80] + data[84:])
    assert faces(document) == [2] and "no number of triangles" in document.remarks[0]
    with pytest.raises(mio.FileFormatError, match="promises 2 triangles"):
        read(data[:-4])  # cut, and as long as one without a count


def bits(red, green, blue, *, valid=True):
    return valid << 15 | red << 10 | green << 5 | blue


def test_colours_of_viscam_and_back(tmp_path):
    document = read(binary(extra=(bits(31, 0, 8), bits(0, 16, 31))))
    part = document.parts[0]
    assert part.face_fields["color"].tolist() == [[255, 0, 66], [0, 132, 255]]
    assert "VisCAM" in document.remarks[0] and "attribute" not in part.face_fields
    report = mio.save_document(document, tmp_path / "b.stl", strict=False)
    assert not [x for x in report.items if x.domain == "face"]
    again = mio.load_document(tmp_path / "b.stl")
    assert again.parts[0].face_fields["color"].tolist() == [[255, 0, 66], [0, 132, 255]]
    assert (tmp_path / "b.stl").read_bytes()[84:] == binary(
        extra=(bits(31, 0, 8), bits(0, 16, 31))
    )[84:]


def test_faces_without_a_colour_are_white_and_told():
    document = read(binary(extra=(0, bits(31, 0, 0))))
    assert document.parts[0].face_fields["color"].tolist() == [[255, 255, 255], [255, 0, 0]]
    assert "1 faces without" in document.remarks[0]


@pytest.mark.parametrize("alpha", [255, 64])
def test_colours_of_magics(alpha):
    head = b"part COLOR=\x0a\x00\x1e" + bytes([alpha]) + b",MATERIAL=" + bytes(range(12))
    own = bits(0, 16, 31, valid=False)  # blue 0, green 16, red 31
    document = read(binary(head=head, extra=(0x8000, own)))
    part = document.parts[0]
    more = [] if alpha == 255 else [alpha]
    assert part.face_fields["color"].tolist() == [[10, 0, 30, *more], [255, 132, 0, *more]]
    assert part.name == "part" and "Magics, 1 of their own" in document.remarks[0]
    whole = read(binary(head=head)).parts[0].face_fields["color"]
    assert whole[:, :3].tolist() == [[10, 0, 30]] * 2


def test_other_numbers_behind_a_triangle_stay_numbers(tmp_path):
    document = read(binary(extra=(7, 0x8001)))
    assert document.parts[0].face_fields["attribute"].tolist() == [7, 0x8001]
    assert not document.remarks


def coloured(colors):
    part = Part.triangles(np.eye(3), np.tile([[0, 1, 2]], (len(colors), 1)))
    part.face_fields["color"] = colors
    return Document([part])


def test_what_of_a_colour_an_stl_does_not_hold_is_told(tmp_path):
    found = coloured(np.array([[255, 100, 0, 128], [0, 0, 0, 255]], np.uint8))
    lost = {x.kind: x.count for x in mio.save_document(found, tmp_path / "a.stl").items}
    assert lost[LossKind.FIELD_DIGITS] == 1 and lost[LossKind.ALPHA] == 1
    report = mio.save_document(found, tmp_path / "b.stl", ascii=True)
    told = [(x.kind, x.name) for x in report.items if x.domain == "face"]
    assert told == [(LossKind.FIELD, "color")]
    exact = coloured(np.array([[1.0, 0.0, 0.0], [np.nan] * 3]))
    mio.save_document(exact, tmp_path / "c.stl")
    assert not [x for x in mio.find_losses(exact, "c.stl").items if x.domain == "face"]
    again = mio.load_document(tmp_path / "c.stl").parts[0].face_fields["color"]
    assert again.tolist() == [[255, 0, 0], [255, 255, 255]]


def test_files_one_behind_the_other_are_as_many_parts():
    one, other = binary(1, head=b"one"), binary(2, head=b"other", extra=(0x8000, 0x801F))
    document = read(one + other)
    assert faces(document) == [1, 2] and [p.name for p in document.parts] == ["one", "other"]
    assert "color" in document.parts[1].face_fields and not document.parts[0].face_fields
    assert document.remarks[-1] == "2 files one behind the other are as many parts"
    assert faces(read(one + other + other)) == [1, 2, 2]


@pytest.mark.parametrize("start", [binary(1), binary(1) + binary(2)])
def test_bytes_behind_the_triangles_are_told(start):
    noise = bytes(range(1, 85)) + b"\xff" * 50
    document = read(start + noise)
    assert document.remarks[-1].startswith("134 bytes behind") and faces(document)[0] == 1
    assert not any("bytes" in said for said in read(start + b"\0" * 90).remarks)
