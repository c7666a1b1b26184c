"""What files have beside their shape, and lost without a word: kept, or told by name."""

import numpy as np
import pytest

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io.left_behind import LossKind
from meshlearn.render import Camera, render
from tests.io.gltf_scene import picture
from tests.io.samples import SQUARE, TWO, polygons
from tests.io.test_threemf import mesh, model, package

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


def told(document) -> dict[str, int]:
    return {x.what: x.count for x in document.left_out}


@pytest.mark.parametrize("domain", ["vertex", "face", "corner"])
def test_colours_of_16_bits_are_shown_as_they_are(tmp_path, domain):
    """A tensor has no such type; as wider numbers they were taken for more than white."""
    document = polygons(SQUARE, TWO)
    part = document.parts[0]
    table = np.tile(np.array([32768, 0, 65535], np.uint16), (6, 1))
    if domain == "corner":
        part.corner_fields["color"] = mio.CornerField(table, np.arange(6))
    else:
        getattr(part, f"{domain}_fields")["color"] = table[: 4 if domain == "vertex" else 2]
    cam = Camera.look_at((0.5, 0.5, 3), target=(0.5, 0.5, 0), fov=30)
    seen = render(mio.to_mesh(document), cam, 9, channels=("color",))["color"][4, 4]
    assert seen.tolist() == pytest.approx([32768 / 65535, 0, 1], abs=1e-5)


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".glb"])
def test_colours_that_stand_for_bytes_are_written_as_such(tmp_path, suffix):
    """Programs read no other colours of PLY and PCD."""
    table = np.array([[0, 128, 255], [1, 2, 3], [7, 0, 9], [4, 4, 4]])
    text = "".join(
        f"v {x:g} {y:g} {z:g} {r / 255:.9g} {g / 255:.9g} {b / 255:.9g}\n"
        for (x, y, z), (r, g, b) in zip(SQUARE.tolist(), table.tolist(), strict=True)
    )
    (tmp_path / "a.obj").write_text(text + "f 1 2 3\n")
    mio.convert(tmp_path / "a.obj", tmp_path / "a.ply")
    assert b"property uchar red" in (tmp_path / "a.ply").read_bytes()
    mio.convert(tmp_path / "a.ply", tmp_path / f"b{suffix}")
    found = mio.load_document(tmp_path / f"b{suffix}").parts[0].vertex_fields["color"]
    assert found.dtype == np.uint8 and np.array_equal(found, table)
    text = text.replace("0.501960784", "0.5")
    (tmp_path / "c.obj").write_text(text + "f 1 2 3\n")
    mio.convert(tmp_path / "c.obj", tmp_path / "c.ply")
    assert mio.load_document(tmp_path / "c.ply").parts[0].vertex_fields["color"][0, 1] == 0.5


@pytest.mark.parametrize("name", ["rgb", "scan"])
def test_colour_scalars_of_vtk_are_colours(name):
    text = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n"
    text += "0 0 0 1 0 0 0 1 0\n"
    text += f"POLYGONS 1 4\n3 0 1 2\nPOINT_DATA 3\nCOLOR_SCALARS {name} 3\n1 0 0 0 1 0 0 0 1\n"
    document = mio.read_document(bytearray(text.encode()), "a.vtk")
    assert document.parts[0].vertex_fields["color"].tolist() == np.eye(3).tolist()


def test_a_linear_image_of_a_colour_is_told(tmp_path):
    pytest.importorskip("pxr")
    text = '#usda 1.0\ndef Mesh "m" (prepend apiSchemas = ["MaterialBindingAPI"]) {\n'
    text += "int[] faceVertexCounts = [3]\nint[] faceVertexIndices = [0, 1, 2]\n"
    text += "point3f[] points = [(0,0,0), (1,0,0), (1,1,0)]\nrel material:binding = </M>\n}\n"
    text += 'def Material "M" {\ntoken outputs:surface.connect = </M/s.outputs:surface>\n'
    text += 'def Shader "s" {\nuniform token info:id = "UsdPreviewSurface"\n'
    text += "color3f inputs:diffuseColor.connect = </M/t.outputs:rgb>\ntoken outputs:surface\n}\n"
    text += 'def Shader "t" {\nuniform token info:id = "UsdUVTexture"\n'
    text += "asset inputs:file = @t.png@\ntoken inputs:sourceColorSpace = "
    text += '"raw"\nfloat3 outputs:rgb\n}\n}\n'
    (tmp_path / "a.usda").write_text(text)
    (tmp_path / "t.png").write_bytes(picture())
    report = mio.convert(tmp_path / "a.usda", tmp_path / "a.glb")
    assert "linear image of base texture of materials" in report.losses


VIEW = "1 2 3 0 0 1 0"
PCD = (
    "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 2\n"
    "VIEWPOINT {}\nPOINTS 4\nDATA ascii\n0 0 0\n1 0 0\nnan nan nan\n0 1 0\n"
)


@pytest.mark.parametrize("ascii", [True, False])
def test_a_pcd_keeps_its_viewpoint_and_its_rows(tmp_path, ascii):
    (tmp_path / "a.pcd").write_text(PCD.format(VIEW))
    document = mio.load_document(tmp_path / "a.pcd")
    report = mio.save_document(document, tmp_path / "b.pcd", ascii=ascii)
    lines = (tmp_path / "b.pcd").read_bytes().split(b"\n")
    assert not report and f"VIEWPOINT {VIEW}".encode() in lines
    assert {b"WIDTH 2", b"HEIGHT 2"} <= set(lines)
    report = mio.convert(tmp_path / "a.pcd", tmp_path / "b.ply")
    assert {x.name for x in report.items} == {"viewpoint", "rows of points"}
    plain = PCD.format("0 0 0 1 0 0 0").replace("HEIGHT 2", "HEIGHT 1").replace("TH 2", "TH 4")
    (tmp_path / "c.pcd").write_text(plain)
    assert mio.load_document(tmp_path / "c.pcd").metadata == {}


def test_a_gmsh_file_keeps_the_names_of_its_groups_and_tells_its_sections(tmp_path):
    text = '$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n2\n2 7 "wall ü"\n0 1 "a b"\n'
    text += "$EndPhysicalNames\n$Nodes\n3\n1 0 0 0\n2 1 0 0\n3 0 1 0\n$EndNodes\n$Elements\n1\n"
    text += "1 2 2 7 1 1 2 3\n$EndElements\n$Comments\nx\n$EndComments\n$ElementNodeData\n1\n"
    text += '"s"\n1\n0\n3\n0\n1\n1\n1 3 1 2 3\n$EndElementNodeData\n'
    (tmp_path / "a.msh").write_text(text)
    report = mio.convert(tmp_path / "a.msh", tmp_path / "b.msh")
    assert report.losses == ("the section $ElementNodeData",)
    again = mio.load_document(tmp_path / "b.msh")
    assert again.metadata["physical"] == {"2 7": "wall ü", "0 1": "a b"}
    assert again.parts[0].face_fields["ref"].tolist() == [7]


@pytest.mark.parametrize("binary", [True, False])
def test_names_of_stl_in_other_bytes_than_utf_8(tmp_path, binary):
    """As those of OBJ: Latin-1, so that two names stay two."""
    name = "größe".encode("latin-1")
    if binary:
        data = name.ljust(80, b"\0") + (1).to_bytes(4, "little") + bytes(50)
    else:
        data = b"solid %b\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n" % name
        data += b"vertex 0 1 0\nendloop\nendfacet\nendsolid %b\n" % name
    assert mio.read_document(bytearray(data), "a.stl").parts[0].name == "größe"


def test_a_file_that_an_obj_calls_is_told():
    document = mio.read_document(
        bytearray((TRIANGLE + "call other.obj\nf 1 2 3\n").encode()), "a.obj"
    )
    (loss,) = document.left_out
    assert (loss.kind, loss.name) == (LossKind.NAMED_FILE, "other.obj")


@pytest.mark.parametrize("files", [1, 2])
def test_a_material_that_is_described_twice_is_said(tmp_path, files):
    """Statements of the first are not mixed with those of the last."""
    texts = ["newmtl a\nKd 1 0 0\nd 0.5\n", "newmtl a\nKd 0 1 0\n"]
    if files == 1:
        texts = ["".join(texts)]
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.mtl").write_text(text)
    head = "".join(f"mtllib {k}.mtl\n" for k in range(files))
    (tmp_path / "a.obj").write_text(head + TRIANGLE + "usemtl a\nf 1 2 3\n")
    document = mio.load_document(tmp_path / "a.obj")
    looks = document.materials[0].looks
    assert looks.base_color == (0, 1, 0) and looks.alpha in (None, 1)
    assert document.remarks == [
        "the material libraries describe 'a' more than once; the last time counts"
    ]


BASE = '<basematerials id="1" displaypropertiesid="{}"><base name="gold" displaycolor="#FFD700"/>'
BASE += "</basematerials>"
GOLD = '<m:pbmetallicdisplayproperties id="7"><m:pbmetallic name="gold" metallicness="1" '
GOLD += 'roughness="0.25"/></m:pbmetallicdisplayproperties>'


def object_of(resources: str, more: str = "", item: str = "") -> str:
    triangle = f'<triangle v1="0" v2="1" v3="2" {more}/>'
    thing = f'<object id="9" pid="1" pindex="0">{mesh(1.0, triangle)}</object>'
    return model(resources + thing, f'<item objectid="9" {item}/>')


def test_metal_of_3mf_is_read(tmp_path):
    file = package(tmp_path / "a.3mf", object_of(GOLD + BASE.format(7)))
    document = mio.load_document(file)
    looks = document.materials[0].looks
    assert (looks.metallic, looks.roughness) == (1, 0.25) and not document.left_out
    mio.convert(file, tmp_path / "a.glb")
    again = mio.load_document(tmp_path / "a.glb").materials[0].looks
    assert (again.metallic, again.roughness) == (1, 0.25)


@pytest.mark.parametrize("place", [7, 8])
def test_other_ways_to_show_a_material_of_3mf_are_told(tmp_path, place):
    more = '<m:translucentdisplayproperties id="7"><m:translucent name="x" attenuation="1 1 1"/>'
    more += "</m:translucentdisplayproperties>"
    document = mio.load_document(package(tmp_path / "a.3mf", object_of(more + BASE.format(place))))
    word = "translucentdisplayproperties" if place == 7 else "displayproperties '8'"
    assert told(document) == {f"{word} of materials": 1}


def test_metal_is_told_where_a_3mf_is_written(tmp_path):
    """lib3mf takes a file with these groups for damaged."""
    file = package(tmp_path / "a.3mf", object_of(GOLD + BASE.format(7)))
    report = mio.convert(file, tmp_path / "b.3mf")
    assert report.losses == ("metallic of materials", "roughness of materials")


def test_what_slicers_say_is_told(tmp_path):
    names = 'xmlns:s="http://schemas.slic3r.org/3mf/2017/06"'
    text = object_of(BASE.format(7) + GOLD, 's:mmu_segmentation="8" paint_seam="4"', "s:x='1'")
    text = text.replace("<model ", f"<model {names} ").replace("s:x='1'", 's:printable="0"')
    members = {"Metadata__Slic3r_PE.config": "x", "Metadata__thumbnail.png": picture()}
    document = mio.load_document(package(tmp_path / "a.3mf", text, **members))
    assert told(document) == {"painted colours of slicers": 1, "painted seams of slicers": 1}
    assert document.remarks == [
        "settings of a slicer are left aside: Metadata/Slic3r_PE.config",
        "1 object is not to be printed by the file",
    ]
    assert ml.load(tmp_path / "a.3mf").num_faces == 1


def test_lists_of_vertices_of_a_ply_are_told():
    text = "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
    text += "property float z\nproperty list uchar int near\nelement edge 1\nproperty int vertex1\n"
    text += "property int vertex2\nproperty list uchar int to\nend_header\n0 0 0 1 1\n1 0 0 2 0 1\n"
    document = mio.read_document(bytearray((text + "0 1 1 9\n").encode()), "a.ply")
    assert told(document) == {"vertex field 'near'": 2, "line field 'to'": 1}


def test_meshes_that_no_build_of_a_3mf_places_are_told(tmp_path):
    thing = "".join(f'<object id="{k}">{mesh(k)}</object>' for k in (1, 2, 3))
    thing += '<object id="4"><components><component objectid="2"/></components></object>'
    text = model(thing, '<item objectid="1"/><item objectid="4"/>')
    document = mio.load_document(package(tmp_path / "a.3mf", text))
    assert len(document.parts) == 2 and told(document) == {"meshes outside the build": 1}


def test_velocities_of_usd_are_told(tmp_path):
    pytest.importorskip("pxr")
    text = '#usda 1.0\ndef Mesh "m" {\nint[] faceVertexCounts = [3]\n'
    text += "int[] faceVertexIndices = [0, 1, 2]\npoint3f[] points = [(0,0,0), (1,0,0), (1,1,0)]\n"
    text += "vector3f[] velocities = [(0,0,1), (0,0,1), (0,0,1)]\n}\n"
    (tmp_path / "a.usda").write_text(text)
    assert told(mio.load_document(tmp_path / "a.usda")) == {"vertex field 'velocities'": 3}
