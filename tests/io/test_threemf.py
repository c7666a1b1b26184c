"""3MF as slicers and modellers write it: parts in other models, properties of corners, textures."""

import zipfile

import numpy as np
import pytest

from meshlearn.io import load_document
from meshlearn.io.document import FileFormatError
from meshlearn.io.left_behind import LossKind

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
SPACES = (
    f'xmlns="{CORE}" '
    'xmlns:m="http://schemas.microsoft.com/3dmanufacturing/material/2015/02" '
    'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06" '
    'xmlns:b="http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02"'
)
PNG = b"\x89PNG\r\n\x1a\n rest"


def mesh(size=1.0, triangles='<triangle v1="0" v2="1" v3="2"/><triangle v1="0" v2="2" v3="3"/>'):
    corners = [(0, 0, 0), (size, 0, 0), (size, size, 0), (0, size, 0)]
    vertices = "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in corners)
    return f"<mesh><vertices>{vertices}</vertices><triangles>{triangles}</triangles></mesh>"


def model(resources, build, more=""):
    return (
        f'<?xml version="1.0"?><model unit="millimeter" {SPACES} {more}>'
        f"<resources>{resources}</resources><build>{build}</build></model>"
    )


def package(path, root, **others):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("3D/3dmodel.model", root)
        for name, data in others.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


def looks_of(path, resources, triangles, attributes=""):
    resources += f'<object id="9" {attributes}>{mesh(1.0, triangles)}</object>'
    return model(resources, '<item objectid="9"/>')


def size_of(document):
    boxes = []
    for part in document.parts:
        matrix = np.eye(4) if part.transform is None else part.transform
        boxes.append(part.vertices @ matrix[:3, :3].T + matrix[:3, 3])
    points = np.concatenate(boxes)
    return (points.max(0) - points.min(0)).tolist()


@pytest.mark.parametrize("path", ["/3D/Objects/object_1.model", "/3d/objects/OBJECT_1.model"])
def test_component_of_another_model(tmp_path, path):
    """The id is looked up in the named model, though the root has one too."""
    component = f'<component p:path="{path}" objectid="1" transform="2 0 0 0 2 0 0 0 2 0 0 0"/>'
    root = f'<object id="1">{mesh(10)}</object>'
    root += f'<object id="3"><components>{component}</components></object>'
    other = model(f'<object id="1">{mesh(99)}</object>', "")
    file = package(
        tmp_path / "a.3mf",
        model(root, '<item objectid="3"/>', 'requiredextensions="p"'),
        **{"3D__Objects__object_1.model": other},
    )
    document = load_document(file)
    assert len(document.parts) == 1
    assert size_of(document) == [198, 198, 0]


def test_items_of_other_models_and_nested_components(tmp_path):
    """A root without objects; within a part, ids are those of that part; placings multiply."""
    inner = f'<object id="1">{mesh(5)}</object><object id="2"><components>'
    inner += '<component objectid="1" transform="3 0 0 0 3 0 0 0 3 0 0 0"/></components></object>'
    item = '<item p:path="/3D/part.model" objectid="2" transform="1 0 0 0 1 0 0 0 1 7 0 0"/>'
    file = package(tmp_path / "a.3mf", model("", item), **{"3D__part.model": model(inner, "")})
    document = load_document(file)
    assert size_of(document) == [15, 15, 0]
    assert document.parts[0].transform[:3, 3].tolist() == [7, 0, 0]


@pytest.mark.parametrize("unit, count", [("inch", 1), ("millimeter", 0)])
def test_models_of_other_units_are_said(tmp_path, unit, count):
    root = model("", '<item p:path="/3D/part.model" objectid="1"/>').replace("millimeter", unit)
    part = model(f'<object id="1">{mesh(5)}</object>', "")
    document = load_document(package(tmp_path / "a.3mf", root, **{"3D__part.model": part}))
    assert size_of(document) == [5, 5, 0] and len(document.remarks) == count
    assert all("say millimeter" in x and f"the {unit} of" in x for x in document.remarks)


def test_absent_model_is_named(tmp_path):
    item = '<item p:path="/3D/none.model" objectid="2"/>'
    with pytest.raises(FileFormatError, match=r"none\.model"):
        load_document(package(tmp_path / "a.3mf", model("", item)))


def test_models_that_name_each_other(tmp_path):
    def to(name):
        entry = f'<component p:path="/3D/{name}.model" objectid="1"/>'
        return model(f'<object id="1"><components>{entry}</components></object>', "")

    root = model("", '<item p:path="/3D/a.model" objectid="1"/>')
    file = package(tmp_path / "a.3mf", root, **{"3D__a.model": to("b"), "3D__b.model": to("a")})
    with pytest.raises(FileFormatError, match="component of itself"):
        load_document(file)


def test_colours_of_corners(tmp_path):
    group = '<m:colorgroup id="5"><m:color color="#FF0000"/><m:color color="#00FF00"/>'
    group += '<m:color color="#0000FF80"/></m:colorgroup>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="5" p1="0" p2="1" p3="2"/>'
    triangles += '<triangle v1="0" v2="2" v3="3" pid="5" p1="1"/>'
    file = package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles))
    document = load_document(file)
    field = document.parts[0].corner_fields["color"]
    red, green, blue = [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 128]
    assert field.values[field.index].tolist() == [red, green, blue, green, green, green]
    assert document.materials == []
    assert document.left_out == []


def test_colours_of_triangles_are_materials(tmp_path):
    group = '<m:colorgroup id="5"><m:color color="#FF0000"/><m:color color="#00FF00"/>'
    group += "</m:colorgroup>"
    triangles = '<triangle v1="0" v2="1" v3="2" pid="5" p1="0"/>'
    triangles += '<triangle v1="0" v2="2" v3="3"/>'
    root = looks_of(tmp_path, group, triangles, 'pid="5" pindex="1"')
    document = load_document(package(tmp_path / "a.3mf", root))
    assert document.parts[0].face_fields["material"].tolist() == [0, 1]
    assert [m.values["base_color"][:3] for m in document.materials] == [[1, 0, 0], [0, 1, 0]]


def texture(path="/3D/Textures/a.png"):
    return (
        f'<m:texture2d id="6" path="{path}" contenttype="image/png" tilestyleu="mirror" '
        'filter="nearest"/><m:texture2dgroup id="7" texid="6"><m:tex2coord u="0" v="0"/>'
        '<m:tex2coord u="1" v="0"/><m:tex2coord u="1" v="0.25"/></m:texture2dgroup>'
    )


TEXTURED = (
    '<triangle v1="0" v2="1" v3="2" pid="7" p1="0" p2="1" p3="2"/><triangle v1="0" v2="2" v3="3"/>'
)


def test_texture(tmp_path):
    root = looks_of(tmp_path, texture(), TEXTURED)
    document = load_document(package(tmp_path / "a.3mf", root, **{"3D__Textures__a.png": PNG}))
    part = document.parts[0]
    field = part.corner_fields["uv"]
    assert field.values[field.index[:3]].tolist() == [[0, 0], [1, 0], [1, 0.25]]
    assert field.index[3:].tolist() == [-1, -1, -1]
    assert document.images == {"a.png": PNG}
    found = document.materials[part.face_fields["material"][0]]
    assert found.looks.base_texture.image == "a.png"
    assert found.looks.base_texture.wrap == ("mirror", "repeat")
    assert found.looks.base_texture.nearest
    assert part.face_fields["material"][1] == -1


def test_texture_that_is_not_there_is_told(tmp_path):
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, texture(), TEXTURED)))
    assert [(x.kind, x.name) for x in document.left_out] == [
        (LossKind.NAMED_FILE, "/3D/Textures/a.png")
    ]
    assert document.left_out[0].why == "the file names it, and it is not there"
    assert "uv" in document.parts[0].corner_fields


def test_two_textures_of_one_name(tmp_path):
    second = texture("/3D/Other/a.png").replace('"6"', '"16"').replace('"7"', '"17"')
    triangles = '<triangle v1="0" v2="1" v3="2" pid="7" p1="0" p2="1" p3="2"/>'
    triangles += triangles.replace('"7"', '"17"')
    root = looks_of(tmp_path, texture() + second, triangles)
    others = {"3D__Textures__a.png": PNG, "3D__Other__a.png": PNG + b"2"}
    document = load_document(package(tmp_path / "a.3mf", root, **others))
    label = document.parts[0].face_fields["material"]
    names = [document.materials[k].looks.base_texture.image for k in label]
    assert [document.images[name] for name in names] == [PNG, PNG + b"2"]


BASES = (
    '<basematerials id="1"><base name="white" displaycolor="#FFFFFF"/>'
    '<base name="black" displaycolor="#000000"/></basematerials>'
)


def test_composites_are_mixed_and_told(tmp_path):
    group = BASES + '<m:compositematerials id="2" matid="1" matindices="0 1">'
    group += '<m:composite values="0.25 0.75"/></m:compositematerials>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="2" p1="0"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    label = document.parts[0].face_fields["material"][0]
    assert document.materials[label].values["base_color"] == [0.25, 0.25, 0.25, 1]
    assert "shares of mixed materials" in document.left_out[0].what


def test_multiproperties_keep_each_layer(tmp_path):
    group = BASES + '<m:colorgroup id="5"><m:color color="#FF0000"/><m:color color="#00FF00"/>'
    group += '</m:colorgroup><m:multiproperties id="8" pids="1 5"><m:multi pindices="1 0"/>'
    group += '<m:multi pindices="1 1"/></m:multiproperties>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="8" p1="0" p2="1" p3="1"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    part = document.parts[0]
    assert document.materials[part.face_fields["material"][0]].name == "black"
    field = part.corner_fields["color"]
    assert field.values[field.index].tolist() == [[255, 0, 0], [0, 255, 0], [0, 255, 0]]
    assert "blending" in document.left_out[0].what


def test_index_beyond_its_group_is_told(tmp_path):
    triangles = '<triangle v1="0" v2="1" v3="2" pid="1" p1="7"/>'
    triangles += '<triangle v1="0" v2="2" v3="3" pid="77" p1="0"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, BASES, triangles)))
    assert document.parts[0].num_faces == 2
    assert sorted(x.what for x in document.left_out) == [
        "properties of the group '1'",
        "properties of the group '77'",
    ]


@pytest.mark.parametrize("prefix, word", [("b", "beam lattices"), ("zz", "zz"), ("p b", "beam")])
def test_required_extensions_are_refused_by_name(tmp_path, prefix, word):
    root = model(f'<object id="1">{mesh()}</object>', "", f'requiredextensions="{prefix}"')
    with pytest.raises(FileFormatError, match=word):
        load_document(package(tmp_path / "a.3mf", root))


def test_beams_that_need_not_be_understood_are_told(tmp_path):
    beams = '<b:beamlattice minlength="1" radius="1"><b:beams><b:beam v1="0" v2="1"/></b:beams>'
    body = mesh().replace("</mesh>", beams + "</b:beamlattice></mesh>")
    root = model(f'<object id="1">{body}</object>', "")
    document = load_document(package(tmp_path / "a.3mf", root))
    assert document.parts[0].num_faces == 2
    assert [(x.what, x.count) for x in document.left_out] == [("beams", 1)]


EXTENSIONS = {
    "slice": ('<s:slicestack id="4"><s:slice ztop="1"/><s:slice ztop="2"/></s:slicestack>', 2),
    "boolean": ('<object id="5"><o:booleanshape objectid="9" operation="union"/></object>', 1),
    "displacement": ('<object id="5"><d:displacementmesh/></object>', 1),
    "level": ('<object id="5"><v:levelset functionid="1" channel="s"/></object>', 1),
    "triangles": ('<t:trianglesets><t:triangleset name="top"/></t:trianglesets>', 1),
}
PREFIXES = " ".join(
    f'xmlns:{p}="http://schemas.3mf.io/3dmanufacturing/{name}"'
    for p, name in (
        ("s", "slice/2015/07"),
        ("o", "booleanoperations/2023/07"),
        ("d", "displacement/2023/10"),
        ("v", "volumetric/2022/01"),
        ("t", "trianglesets/2021/07"),
    )
)


@pytest.mark.parametrize("word", EXTENSIONS)
def test_what_extensions_add_is_told_by_name(tmp_path, word):
    body, count = EXTENSIONS[word]
    resources = f'{body}<object id="9">{mesh()}</object>'
    root = model(resources, '<item objectid="9"/>', PREFIXES)
    document = load_document(package(tmp_path / "a.3mf", root))
    assert document.parts[0].num_faces == 2
    ((what, number),) = [(x.what, x.count) for x in document.left_out]
    assert word in what and number == count


@pytest.mark.parametrize(
    "prefix, word",
    [("s", "slices"), ("o", "boolean operations"), ("d", "displacement"), ("v", "volumetric")],
)
def test_each_extension_that_is_required_has_its_name(tmp_path, prefix, word):
    more = f'{PREFIXES} requiredextensions="{prefix}"'
    root = model(f'<object id="9">{mesh()}</object>', '<item objectid="9"/>', more)
    with pytest.raises(FileFormatError, match=word):
        load_document(package(tmp_path / "a.3mf", root))


@pytest.mark.parametrize("text, odd", [("FF0000", 1), ("#F00", 1), ("#FF0000", 0), ("F00", 1)])
def test_colours_as_people_write_them(tmp_path, text, odd):
    group = f'<basematerials id="1"><base name="r" displaycolor="{text}"/></basematerials>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="1" p1="0"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    assert document.materials[0].values["base_color"] == [1, 0, 0, 1]
    assert len(document.remarks) == odd


@pytest.mark.parametrize("text", ["red", "#F", "", "#GG0000"])
def test_words_that_are_no_colour_are_told_and_refuse_nothing(tmp_path, text):
    group = f'<basematerials id="1"><base name="r" displaycolor="{text}"/></basematerials>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="1" p1="0"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    assert document.materials[0].name == "r"
    assert "base_color" not in document.materials[0].values
    assert [(x.name, x.count) for x in document.left_out] == [(f"colours such as {text!r}", 1)]


def test_base_without_colour(tmp_path):
    group = '<basematerials id="1"><base name="r"/></basematerials>'
    triangles = '<triangle v1="0" v2="1" v3="2" pid="1" p1="0"/>'
    document = load_document(package(tmp_path / "a.3mf", looks_of(tmp_path, group, triangles)))
    assert document.materials[0].name == "r"
    assert "base_color" not in document.materials[0].values
    assert document.remarks


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("offset 1 2 3\nkept by hand", "kept by hand"),
        ("kept by hand\noffset 1 2 3", "kept by hand"),
        ("one\noffset 1 2 3\ntwo", "one\ntwo"),
        ("offset 1 2 3", None),
    ],
)
def test_an_offset_takes_its_own_line_out_of_the_description(tmp_path, said, kept):
    head = f'<metadata name="Description">{said}</metadata>'
    text = model(f'<object id="1">{mesh()}</object>', '<item objectid="1"/>')
    path = package(tmp_path / "a.3mf", text.replace("<resources>", f"{head}<resources>"))
    metadata = load_document(path).metadata
    assert metadata["offset"] == [1, 2, 3]
    assert metadata.get("3mf", {}).get("Description") == kept


def typed(*kinds):
    """A package's model of one object of each type, the k-th of size k + 1."""
    objects = "".join(
        f'<object id="{k}" type="{kind}">{mesh(k + 1)}</object>' for k, kind in enumerate(kinds)
    )
    return model(objects, "".join(f'<item objectid="{k}"/>' for k in range(len(kinds))))


@pytest.mark.parametrize("kind", ["support", "solidsupport", "other"])
def test_supports_are_no_part_of_the_thing(tmp_path, kind):
    document = load_document(package(tmp_path / "a.3mf", typed("model", kind, kind)))
    assert size_of(document) == [1, 1, 0]
    told = [(x.what, x.count) for x in document.left_out]
    assert told == [(f"objects of type {kind!r}", 2)]


def test_components_that_only_help_are_left_out(tmp_path):
    """Negative volumes and modifiers of slicers."""
    objects = f'<object id="1">{mesh(1)}</object><object id="2" type="other">{mesh(5)}</object>'
    objects += '<object id="3"><components><component objectid="1"/><component objectid="2"/>'
    root = model(objects + "</components></object>", '<item objectid="3"/>')
    document = load_document(package(tmp_path / "a.3mf", root))
    assert size_of(document) == [1, 1, 0] and document.left_out[0].count == 1


def test_where_all_is_support_it_is_read(tmp_path):
    document = load_document(package(tmp_path / "a.3mf", typed("support", "support")))
    assert size_of(document) == [2, 2, 0] and not document.left_out
    assert "support" in document.remarks[0]


def test_surfaces_are_read_and_said(tmp_path):
    document = load_document(package(tmp_path / "a.3mf", typed("model", "surface")))
    assert size_of(document) == [2, 2, 0] and not document.left_out
    assert document.remarks == ["1 object is a surface by the file, not solid"]
