"""PLY files as people have them: textures, names of elements, line ends, remarks anywhere."""

import struct

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.document import Document, Material, Part
from meshlearn.io.left_behind import LossKind
from tests.io.pieces import XYZ3, ply
from tests.io.samples import png

RED = png()
BLUE = RED + b"blue"


def read(data, name="a.ply"):
    return mio.read_document(bytearray(data if isinstance(data, bytes) else data.encode()), name)


def textured(kind, remark="comment TextureFile t.png\n", number=""):
    """A triangle with texture coordinates, by vertex or by corner."""
    names, corner = "", ""
    rows = ["0 0 0", "1 0 0", "0 1 0"]
    uv = ["0 0", "1 0", "0 1"]
    if kind == "corner":
        corner = "property list uchar float texcoord\n"
    else:
        names = "".join(f"property float {n}\n" for n in kind.split())
        rows = [f"{a} {b}" for a, b in zip(rows, uv, strict=True)]
    face = "3 0 1 2" + (" 6 " + " ".join(uv) if corner else "")
    if number:
        corner += "property int texnumber\n"
    head = f"ply\nformat ascii 1.0\n{remark}comment made by hand\nelement vertex 3\n"
    head += "".join(f"property float {n}\n" for n in "xyz") + names
    head += f"element face {len(number.split()) or 1}\nproperty list uchar int vertex_indices\n"
    faces = [f"{face} {n}" for n in number.split()] or [face]
    return "\n".join([head + corner + "end_header", *rows, *faces]) + "\n"


KINDS = ("s t", "u v", "texture_u texture_v", "texture_s texture_t", "S T", "corner")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_a_texture_and_its_coordinates_go_along(kind, suffix, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "t.png").write_bytes(RED)
    (tmp_path / "a.ply").write_text(textured(kind))
    report = mio.convert(tmp_path / "a.ply", out / f"b{suffix}", strict=suffix == ".ply")
    assert not [x for x in report.items if x.kind in (LossKind.TEXTURES, LossKind.MATERIALS)]
    document = mio.load_document(out / f"b{suffix}")
    (part,) = document.parts
    assert list(document.images.values()) == [RED]
    material = document.materials[part.face_fields["material"][0]]
    assert material.name == "t" and material.looks.base_texture.image in document.images
    corners = part.corner_fields.get("uv")
    uv = part.vertex_fields["uv"][part.polygon_index] if corners is None else None
    uv = corners.values[corners.index] if uv is None else uv
    assert uv.tolist() == [[0, 0], [1, 0], [0, 1]]


def test_the_image_lies_beside_the_new_file_under_its_own_name(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "t.png").write_bytes(RED)
    (tmp_path / "a.ply").write_text(
        textured("s t", r"comment TextureFile C:\me\textures\T.png" "\n")
    )
    for ascii in (False, True):
        document = mio.load_document(tmp_path / "a.ply")
        mio.save_document(document, out / "b.ply", ascii=ascii)
        assert (out / "textures" / "t.png").read_bytes() == RED
        head = (out / "b.ply").read_bytes().split(b"end_header")[0].decode()
        assert "comment TextureFile textures/t.png\n" in head and "texnumber" in head
        assert mio.load_document(out / "b.ply").metadata == {"comments": ["made by hand"]}


def test_several_textures_by_number(tmp_path):
    (tmp_path / "r.png").write_bytes(RED)
    (tmp_path / "b.png").write_bytes(BLUE)
    remark = "comment TextureFile r.png\ncomment TextureFile b.png\n"
    (tmp_path / "a.ply").write_text(textured("corner", remark, number="1 0 1 -1 7"))
    mio.convert(tmp_path / "a.ply", tmp_path / "c.ply", strict=True)
    for name in ("a", "c"):
        document = mio.load_document(tmp_path / f"{name}.ply")
        label = document.parts[0].face_fields["material"].tolist()
        found = [document.materials[k].name if k >= 0 else "" for k in label]
        assert found == ["b", "r", "b", "", ""]
        assert "texnumber" not in document.parts[0].face_fields


def test_faces_without_coordinates_keep_those_of_others(tmp_path):
    text = textured("corner").replace("element face 1", "element face 2") + "3 2 1 0 0\n"
    field = read(text).parts[0].corner_fields["uv"]
    assert field.index.tolist() == [0, 1, 2, -1, -1, -1]


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb", ".stl"])
def test_an_image_that_is_not_there_is_told(suffix, tmp_path):
    (tmp_path / "a.ply").write_text(textured("s t"))
    report = mio.convert(tmp_path / "a.ply", tmp_path / f"b{suffix}")
    assert [x.name for x in report.items if x.kind is LossKind.NAMED_FILE] == ["t.png"]
    with pytest.raises(mio.FileFormatError, match=r"t\.png"):
        mio.convert(tmp_path / "a.ply", tmp_path / f"c{suffix}", strict=True)


def test_what_of_a_material_is_no_texture_is_told(tmp_path):
    part = Part.triangles(np.eye(3), np.tile([[0, 1, 2]], (3, 1)))
    part.face_fields["material"] = np.array([0, 1, 2])
    document = Document([part])
    document.materials = [
        Material("wood", {"base_texture": "wood.png"}),
        Material("other name", {"base_texture": "wood.png"}),
        Material("red", {"base_color": [1, 0, 0, 1]}),
    ]
    document.images = {"wood.png": RED, "normals.png": BLUE}
    report = mio.save_document(document, tmp_path / "a.ply")
    assert {(x.kind, x.count) for x in report.items} == {
        (LossKind.MATERIALS, 2),
        (LossKind.TEXTURES, 1),
    }
    again = mio.load_document(tmp_path / "a.ply")
    assert again.parts[0].face_fields["material"].tolist() == [0, 0, -1]


BODY = XYZ3 + "3 0 1 2\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("element vertex", "element vertices"),
        ("element vertex", "element Vertex"),
        ("element vertex", "element points"),
        ("element vertex", "element scan"),
        ("element face", "element faces"),
        ("element face", "element polygon"),
        ("element face", "element triangles"),
        ("vertex_indices", "vertex_index"),
        ("vertex_indices", "vertex_indexes"),
        ("vertex_indices", "indices"),
        ("vertex_indices", "corners"),
        (
            "float x\nproperty float y\nproperty float z",
            "float X\nproperty float Y\nproperty float Z",
        ),
        ("ply\n", "PLY\n"),
        ("ply\n", "\ufeffply\n"),
        ("ply\n", "ply\ncomment the end_header is below\n"),
        ("ply\n", "ply\nobj_info num_cols 512\ncomment\n"),
        ("format ascii 1.0\n", "comment a\nformat ascii 1.0\nobj_info b\n\n"),
        ("end_header\n", "comment last\nend_header\n"),
        ("end_header\n", "  end_header  \n"),
        ("property float y\n", "property float y\ncomment with \x0b and \x0c inside\n"),
        ("\n", "\r"),
        ("\n", "\r\n"),
    ],
)
def test_other_ways_to_write_a_header(old, new):
    text = ply(BODY).decode()
    assert old in text
    part = read(text.replace(old, new)).parts[0]
    assert part.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert part.polygon_index.tolist() == [0, 1, 2] and part.num_faces == 1


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("first", [0x0A, 0x0D, 0x00])
def test_line_ends_of_the_header_of_a_binary_file(end, first):
    x = struct.unpack("<f", bytes([first, 0, 0, 0x40]))[0]
    body = struct.pack("<9f", x, 0, 0, 1, 0, 0, 0, 1, 0) + struct.pack("<B3i", 3, 0, 1, 2)
    head, _, rest = ply(body, form="binary_little_endian").partition(b"end_header\n")
    data = head.replace(b"\n", end) + b"end_header" + end + rest
    part = read(data).parts[0]
    assert part.vertices[0, 0] == np.float32(x) and part.num_faces == 1


def test_utf_16():
    assert read(ply(BODY).decode().encode("utf-16")).parts[0].num_faces == 1


def test_three_numbers_for_the_corners_of_a_face():
    text = ply(XYZ3 + "0 1 2\n", face="int v1\nproperty int v2\nproperty int v3").decode()
    part = read(text).parts[0]
    assert part.polygon_index.tolist() == [0, 1, 2] and part.sizes.tolist() == [3]


def test_points_beside_vertices_stay_what_they_are(tmp_path):
    part = Part(vertices=np.eye(3), points=np.array([2, 0]))
    mio.save_document(Document([part]), tmp_path / "a.ply")
    assert mio.load_document(tmp_path / "a.ply").parts[0].points.tolist() == [2, 0]


def test_a_remark_without_its_word():
    """Blender 2.47 wrote its own name so, before the first element."""
    text = ply(BODY).decode()
    line = "Created by Blender3D 247 - www.blender.org, source file: \n"
    document = read(text.replace("element", line + "element", 1))
    assert document.parts[0].num_faces == 1
    assert document.metadata["comments"] == [line.strip()]
    with pytest.raises(mio.FileFormatError, match="not a legal line"):
        read(text.replace("property", line + "property", 1))


def test_strips_stand_behind_faces():
    more = "property int tint\nelement tristrips 1\nproperty list int int vertex_indices\n"
    text = ply("0 0 0\n1 0 0\n0 1 0\n1 1 0\n3 0 1 2 7\n4 0 1 2 3\n", vertices=4, more=more)
    document = read(text)
    part = document.parts[0]
    assert part.num_faces == 3 and part.polygon_index[:3].tolist() == [0, 1, 2]
    assert not part.face_fields and [x.name for x in document.left_out] == ["tint"]
    none = text.replace(b"4 0 1 2 3", b"2 0 1")
    assert read(none).parts[0].face_fields["tint"].tolist() == [7]


HEAD = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
HEAD += "property float z\n{}element face 1\nproperty list uchar int vertex_indices\n{}end_header\n"


@pytest.mark.parametrize("remark", ["comment by hand", "obj_info 1 2 3", "\tcomment", "comment"])
@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_comments_between_the_numbers_are_left_out_and_said(remark, place, tmp_path):
    rows = ["0 0 0", "1 0 0", "0 1 0", "3 0 1 2"]
    rows.insert(place, remark)
    document = read(HEAD.format("", "") + "\n".join(rows))
    (part,) = document.parts
    assert part.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert part.polygon_index.tolist() == [0, 1, 2] and len(document.remarks) == 1


COLORS = "".join(f"property float {name}\n" for name in ("red", "green", "blue"))


@pytest.mark.parametrize("suffix", [".ply", ".off"])
@pytest.mark.parametrize("alpha", ["", " 1", " 255"])
def test_colours_that_are_bytes_written_as_fractions(suffix, alpha):
    rows = [f"{xyz} 255.0 0.0 128.0{alpha}" for xyz in ("0 0 0", "1 0 0", "0 1 0")]
    head = HEAD.format(COLORS + ("property float alpha\n" if alpha else ""), "")
    if suffix == ".off":
        head = "COFF\n3 1 0\n"
    text = head + "\n".join([*rows, "3 0 1 2"]) + "\n"
    color = read(text, f"a{suffix}").parts[0].vertex_fields["color"]
    assert color.dtype == np.uint8
    assert color.tolist() == [[255, 0, 128] + ([255] if alpha else [])] * 3


@pytest.mark.parametrize("numbers", ["1 0 1", "0.5 0.25 1", "1.5 0 0", "300 0 2", "-1 5 0"])
def test_colours_that_may_be_fractions_stay_so(numbers):
    rows = [f"{xyz} {numbers}" for xyz in ("0 0 0", "1 0 0", "0 1 0")]
    document = read(HEAD.format(COLORS, "") + "\n".join([*rows, "3 0 1 2"]))
    wanted = [float(word) for word in numbers.split()]
    color = document.parts[0].vertex_fields["color"]
    assert color.dtype == np.float32 and color[0].tolist() == wanted and not document.remarks


@pytest.mark.parametrize("names", ["r g b", "red green blue"])
def test_colours_of_a_pcd_in_three_fields(names):
    head = f"VERSION .7\nFIELDS x y z {names}\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\n"
    head += "COUNT 1 1 1 1 1 1\nWIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA ascii\n1 2 3 255 0 7\n"
    document = read(head, "a.pcd")
    color = document.parts[0].vertex_fields["color"]
    assert color.dtype == np.uint8 and color.tolist() == [[255, 0, 7]] and document.remarks
