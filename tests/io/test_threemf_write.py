"""3MF as it is written: colours, textures, both at once; what another library reads of it."""

import io
import zipfile

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Material
from meshlearn.io.left_behind import LossKind
from meshlearn.io.looks import Looks, Texture
from tests.io.samples import SQUARE, TWO, documents, part_of, png

CORNERS = np.array([0, 1, 2, 0, 2, 3])


def textured(texture=None, color=None, **looks) -> Document:
    part = part_of(SQUARE, TWO, face_fields={"material": np.zeros(2, np.int32)})
    part.corner_fields["uv"] = CornerField(SQUARE[:, :2].astype(np.float64), CORNERS)
    found = Looks(base_color=color, base_texture=texture or Texture("wood.png"), **looks)
    return Document([part], [Material("wood", looks=found)], images={"wood.png": png()}, unit="mm")


def again(folder, document):
    report = mio.save_document(document, folder / "a.3mf")
    return mio.load_document(folder / "a.3mf"), report


def model(folder) -> str:
    with zipfile.ZipFile(folder / "a.3mf") as archive:
        return archive.read("3D/3dmodel.model").decode()


def corners(part, key):
    field = part.corner_fields[key]
    return field.values[field.index].tolist()


def test_a_texture_with_its_coordinates(tmp_path):
    texture = Texture("wood.png", wrap=("mirror", "clamp"), nearest=True)
    found, report = again(tmp_path, textured(texture))
    assert not report and found.images == {"wood.png": png()}
    (material,), (part,) = found.materials, found.parts
    assert material.name == "wood" and material.looks.base_texture == texture
    assert corners(part, "uv") == SQUARE[CORNERS, :2].tolist()
    with zipfile.ZipFile(tmp_path / "a.3mf") as archive:
        assert archive.read("3D/Textures/wood.png") == png()
        assert "/3D/Textures/wood.png" in archive.read("3D/_rels/3dmodel.model.rels").decode()
        assert 'Extension="png"' in archive.read("[Content_Types].xml").decode()


def test_the_placing_of_a_texture_goes_into_its_coordinates(tmp_path):
    texture = Texture("wood.png", scale=(2, 3), offset=(0.5, 0.25), rotation=np.pi / 2)
    found, _ = again(tmp_path, textured(texture))
    wanted = [[0.5 - 3 * v, 0.25 + 2 * u] for u, v in SQUARE[CORNERS, :2].tolist()]
    assert np.allclose(corners(found.parts[0], "uv"), wanted)
    assert not found.materials[0].looks.base_texture.placed


def test_the_second_set_of_coordinates_is_taken_where_a_texture_names_it(tmp_path):
    document = textured(Texture("wood.png", uv=1))
    document.parts[0].vertex_fields["uv1"] = 2 * SQUARE[:, :2].astype(np.float64)
    found, report = again(tmp_path, document)
    assert corners(found.parts[0], "uv") == (2 * SQUARE[CORNERS, :2]).tolist()
    assert report.losses == ("corner field 'uv'",)


def test_a_coloured_texture_is_the_product_of_both(tmp_path):
    document = textured(color=(1.0, 0.21586050011389926, 0.0))  # linear light of the byte 128
    document.materials[0].name = "stained"
    for _ in range(2):  # and does not grow by being read and written
        document, report = again(tmp_path, document)
        (material,) = document.materials
        assert material.name == "stained" and not report
        assert material.looks.base_color == pytest.approx((1, 0.21586050011389926, 0))
        assert material.looks.base_texture.image == "wood.png"
    assert 'blendmethods="multiply"' in model(tmp_path)


def test_two_textures_and_faces_without(tmp_path):
    document = textured()
    part = document.parts[0] = part_of(SQUARE, [*TWO, [0, 1, 3], [1, 2, 3]])
    part.vertex_fields["uv"] = SQUARE[:, :2].astype(np.float64)
    part.face_fields["material"] = np.array([0, 1, 2, -1], np.int32)
    document.images["stone.png"] = png() + b"2"
    document.materials += [
        Material("stone", looks=Looks(base_texture=Texture("stone.png"))),
        Material("red", {"base_color": [1.0, 0.0, 0.0, 0.5019607843137255]}),
    ]
    found, report = again(tmp_path, document)
    label = found.parts[0].face_fields["material"]
    names = [found.materials[k].name if k >= 0 else None for k in label]
    assert names == ["wood", "stone", "red", None]
    assert found.materials[label[2]].values["base_color"] == pytest.approx([1, 0, 0, 128 / 255])
    assert found.images == document.images
    assert found.parts[0].corner_fields["uv"].index[6:].tolist() == [-1] * 6
    assert [(x.what, x.count) for x in report.items] == [("vertex field 'uv'", 6)]


COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]], np.uint8)


@pytest.mark.parametrize("kind", ["u1", "u2", "f8"])
def test_colours_of_vertices(tmp_path, kind):
    top = 1.0 if kind == "f8" else np.iinfo(kind).max
    part = part_of(SQUARE, TWO, vertex_fields={"color": (COLORS / 255 * top).astype(kind)})
    found, report = again(tmp_path, Document([part]))
    assert corners(found.parts[0], "color") == COLORS[CORNERS].tolist() and not report
    assert found.materials == []


def test_colours_of_corners_with_alpha_and_gaps(tmp_path):
    part = part_of(SQUARE, TWO)
    values = np.concatenate([COLORS, [[255], [128], [0], [255]]], 1).astype(np.uint8)
    part.corner_fields["color"] = CornerField(values, np.array([0, 1, 2, 3, 0, -1]))
    found, report = again(tmp_path, Document([part]))
    field = found.parts[0].corner_fields["color"]
    assert field.values[field.index[:3]].tolist() == values[:3].tolist()
    assert field.index[3:].tolist() == [-1, -1, -1]
    assert [(x.what, x.count) for x in report.items] == [("corner field 'color'", 2)]


def test_colours_of_faces_are_materials(tmp_path):
    part = part_of(SQUARE, TWO, face_fields={"color": COLORS[:2]})
    found, report = again(tmp_path, Document([part]))
    label = found.parts[0].face_fields["material"]
    assert [found.materials[k].values["base_color"][:3] for k in label] == [[1, 0, 0], [0, 1, 0]]
    assert not report


def test_colours_times_a_material_and_a_texture(tmp_path):
    document = textured(color=(1.0, 0.0, 0.0))
    document.parts[0].vertex_fields["color"] = COLORS
    found, report = again(tmp_path, document)
    part = found.parts[0]
    assert corners(part, "color") == COLORS[CORNERS].tolist()
    assert corners(part, "uv") == SQUARE[CORNERS, :2].tolist()
    looks = found.materials[part.face_fields["material"][0]].looks
    assert looks.base_color == (1, 0, 0) and looks.base_texture.image == "wood.png" and not report


def test_digits_that_a_byte_does_not_have_are_told(tmp_path):
    part = part_of(SQUARE, TWO, vertex_fields={"color": np.full((4, 3), 0.3)})
    part.vertex_fields["color"][0, 0] = 1.0
    _, report = again(tmp_path, Document([part]))
    assert [(x.kind, x.count) for x in report.items] == [(LossKind.FIELD_DIGITS, 11)]


def test_what_it_has_no_word_for_is_told_by_name(tmp_path):
    document = textured(metallic=0.5, roughness=0.5, normal_texture=Texture("bump.png"))
    document.images["bump.png"] = png() + b"3"
    document.materials[0].name = "painted"
    _, report = again(tmp_path, document)
    assert {x.name for x in report.items if x.kind is LossKind.MATERIAL_PROPERTY} == {
        "metallic",
        "roughness",
        "normal texture",
    }
    others = {x.what: x.count for x in report.items if x.kind is not LossKind.MATERIAL_PROPERTY}
    assert others == {"textures": 1, "names of white materials": 1}


def test_images_of_other_types_become_png(tmp_path):
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", (2, 3), (1, 2, 3)).save(out, "BMP")
    document = textured(Texture("a.bmp"))
    document.images = {"a.bmp": out.getvalue()}
    found, _ = again(tmp_path, document)
    ((name, data),) = found.images.items()
    assert name == "a.png" and image.open(io.BytesIO(data)).getpixel((1, 2)) == (1, 2, 3)


def test_names_of_images_that_a_package_cannot_have(tmp_path):
    document = textured(Texture("textures/ü #1.png"))
    document.images = {"textures/ü #1.png": png()}
    found, _ = again(tmp_path, document)
    assert list(found.images.values()) == [png()]
    assert found.materials[0].looks.base_texture.image in found.images


@pytest.mark.parametrize("unit, word", [("m", "meter"), ("in", "inch"), ("um", "micron")])
def test_units_are_said_and_numbers_stay(tmp_path, unit, word):
    document = documents()["triangle"]
    document.unit = unit
    found, report = again(tmp_path, document)
    assert found.unit == unit and f'unit="{word}"' in model(tmp_path)
    assert np.array_equal(found.parts[0].vertices, SQUARE[:3]) and not report


def test_plain_files_need_no_extension(tmp_path):
    again(tmp_path, documents()["two materials"])
    assert "xmlns:m" not in model(tmp_path)


def everything() -> Document:
    """Every kind of property, in parts of one model."""
    document = textured(color=(1.0, 0.5, 0.0))
    other = textured()
    other.parts[0].face_fields["material"] += 1
    tinted = part_of(SQUARE, TWO, vertex_fields={"color": COLORS}, name="tinted")
    tinted.transform = np.diag([2.0, 2, 2, 1])
    plain = part_of(SQUARE, TWO, face_fields={"material": np.array([2, -1], np.int32)})
    document.parts += [other.parts[0], tinted, plain]
    document.materials += [*other.materials, Material("red", {"base_color": [1.0, 0, 0, 1]})]
    return document


def test_lib3mf_reads_it_without_a_warning(tmp_path):
    lib3mf = pytest.importorskip("lib3mf", reason="lib3mf is not installed")
    mio.save_document(everything(), tmp_path / "a.3mf")
    wrapper = lib3mf.get_wrapper()
    found = wrapper.CreateModel()
    reader = found.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(tmp_path / "a.3mf"))
    assert [reader.GetWarning(k) for k in range(reader.GetWarningCount())] == []
    counts = []
    meshes = found.GetMeshObjects()
    while meshes.MoveNext():
        mesh = meshes.GetCurrentMeshObject()
        counts.append((mesh.GetVertexCount(), mesh.GetTriangleCount()))
    assert counts == [(4, 2)] * 4
    assert found.GetTexture2Ds().Count() == 1
    assert found.GetTexture2DGroups().Count() == 2
    assert found.GetColorGroups().Count() == 1
    assert found.GetMultiPropertyGroups().Count() == 1
    assert found.GetBuildItems().Count() == 4


def test_lib3mf_reads_every_kind_of_document(tmp_path):
    lib3mf = pytest.importorskip("lib3mf", reason="lib3mf is not installed")
    wrapper = lib3mf.get_wrapper()
    for name, document in documents().items():
        if not any(part.num_faces for part in document.parts):
            continue
        mio.save_document(document, tmp_path / "a.3mf")
        reader = wrapper.CreateModel().QueryReader("3mf")
        reader.SetStrictModeActive(True)
        reader.ReadFromFile(str(tmp_path / "a.3mf"))
        assert reader.GetWarningCount() == 0, (name, reader.GetWarning(0))
